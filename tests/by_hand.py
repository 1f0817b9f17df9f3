"""A recorder on a disk that fails when told to, with a clock set by hand."""

import threading
from pathlib import Path
from typing import Final

from writing import FaultyDisk, HandClock

from capture.tape.layout import make_tree
from capture.tape.log import HotLog
from capture.tape.outage import Reserve
from capture.tape.recorder import Recorder, WriterOptions
from capture.tape.salvage import hot_limits
from capture.tape.scan import Verdict, iter_segment, scan_segment
from core.records import Kind, Record, StoredGap, decode_gap

OPTIONS: Final = WriterOptions(roll_s=60.0, roll_bytes=10_000, sync_bytes=4_000, reserve_bytes=4_096)


class Deck:
    """A recorder on a faulty disk with a clock set by hand; the test holds the lock throughout."""

    def __init__(self, root: Path, options: WriterOptions = OPTIONS, clock: HandClock | None = None) -> None:
        self.layout = make_tree(root)
        self.disk = FaultyDisk()
        self.clock = clock or HandClock()
        self.lock = threading.Lock()
        self.wakes = 0
        self.reserve = Reserve(self.layout.reserve, options.reserve_bytes, self.disk)
        self.reserve.fill()
        self.finished: list[int] = []
        self.log = HotLog(
            self.layout, self.lock, number=1, base_seq=0, previous_crc=0, disk=self.disk, finished=self.finished.append
        )
        self.recorder = Recorder(root, self.log, self.reserve, clock=self.clock, options=options, wake=self._wake)
        self.disk.calls.clear()

    def _wake(self) -> None:
        self.wakes += 1

    def frame(self, payload: bytes = b"x", *, kind: Kind = Kind.FRAME) -> int:
        with self.lock:
            return self.recorder.append(kind, payload, 1)

    def frames(self, *payloads: bytes) -> int:
        with self.lock:
            return self.recorder.append_all(Kind.FRAME, payloads, 1)

    def tick(self) -> None:
        with self.lock:
            self.recorder.tick()

    def segments(self) -> list[list[Record]]:
        """The records of each segment; asserts that all are clean."""
        found = []
        for number, limit in hot_limits(self.layout).items():
            assert scan_segment(self.layout.hot(number), until_seq=limit).verdict is Verdict.CLEAN
            found.append(list(iter_segment(self.layout.hot(number), until_seq=limit)))
        return found

    def records(self) -> list[Record]:
        return [record for segment in self.segments() for record in segment]

    def kinds(self) -> list[Kind]:
        return [Kind(record.kind) for record in self.records()]

    def gaps(self) -> list[tuple[Kind, StoredGap]]:
        stored = [record for record in self.records() if record.kind in (Kind.GAP_OPEN, Kind.GAP_CLOSE)]
        return [(Kind(record.kind), decode_gap(record.payload)) for record in stored]
