"""What sealing does to capture: receive to durable without it, with it, and with sealing that never pauses, by turns.

Receipt is noted before the append waits for anything, so that a lock held for long shows. "never pausing" seals the
same hot segment on another tape over and over, through the same process and thread as capture's own.
"""

import itertools
import os
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.capture_speed import ENVIRONMENT, Watermarks
from benchmarks.measure import QUICK, REPETITIONS, ratio, show
from benchmarks.source import source, texts
from capture.tape.disk import SystemDisk
from capture.tape.layout import FORMAT_VERSION, Label, Layout, hot_numbers
from capture.tape.lock import TapeLock
from capture.tape.log import HotLog
from capture.tape.manifest import Manifest
from capture.tape.recorder import WriterOptions
from capture.tape.sealer import create_tape
from capture.tape.sealing import SealProcess
from capture.tape.writer import DEFAULTS, TapeWriter
from capture.wire import Wire
from core.records import Kind, Record, Session

PACED_S: Final = 2.0 if QUICK else 6.0
FLAT_FRAMES: Final = 4_000 if QUICK else 600_000
RATES: Final = (1_000,) if QUICK else (2_000, 10_000, 0)  # 0: as fast as they are taken
SYNC_S: Final = 0.01  # as the daemon
ROLL_S: Final = 0.5 if QUICK else 2.0
SIDE_FRAMES: Final = 2_000 if QUICK else 200_000  # of the segment that is sealed over and over: 64 MB, a full one
NEVER_S: Final = 1e6

WITHOUT, WITH, ALWAYS = "none", f"own, each {ROLL_S:g} s", "never pausing"


@dataclass(frozen=True, slots=True)
class Run:
    """One recording: ms from receipt to durable, and what sealing had not done when the last frame was durable."""

    p50: float
    p99: float
    p999: float
    behind_records: int
    behind_s: float
    side_rows_s: float


class SideSealing(threading.Thread):
    """Seals one hot segment of a tape of its own over and over while told to; counts how often."""

    def __init__(self, place: Path) -> None:
        super().__init__(name="side-sealing", daemon=True)
        self.sealed = 0
        self._root, self._spare = place / "side", place / "spare.wal"
        self._manifest = create_tape(self._root, Label(FORMAT_VERSION, "side", ENVIRONMENT, writer="")).layout.manifest
        self._first = self._manifest.read_bytes()
        layout = Layout(self._root)
        log = HotLog(
            layout,
            threading.Lock(),
            number=1,
            base_seq=0,
            previous_crc=0,
            disk=SystemDisk(),
            finished=lambda _: None,
        )
        for seq, text in enumerate(texts(SIDE_FRAMES)):
            log.write(Record(seq, time.time_ns(), time.monotonic_ns(), 1, Kind.FRAME, text))
        with log.synced:
            log.close()
        os.link(layout.hot(1), self._spare)
        shutil.copyfile(self._spare, layout.hot(2))  # as while recording: there is always a newer one
        self._lock = TapeLock(layout.lock)
        self._process = SealProcess(self._lock.fd)
        self._wanted = threading.Event()
        self._idle = threading.Lock()
        self._seal()  # the child starts and loads what it needs
        self.start()

    def run(self) -> None:
        """Seal, put everything back, seal."""
        while True:
            self._wanted.wait()
            with self._idle:
                if self._wanted.is_set():
                    self._seal()

    def _seal(self) -> None:
        self._process(self._root, 1)
        self.sealed += 1
        layout = Layout(self._root)
        shutil.rmtree(layout.data)
        layout.data.mkdir()
        self._manifest.write_bytes(self._first)
        os.link(self._spare, layout.hot(1))

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Within it, it seals without a pause."""
        self._wanted.set()
        try:
            yield
        finally:
            self._wanted.clear()
            with self._idle:
                pass

    def finish(self) -> None:
        """End the child."""
        self._process.stop()
        self._lock.release()


def record(url: str, writer: TapeWriter) -> list[tuple[int, int, int]]:
    """Receive until the peer closes: (monotonic ns at receipt, last seq, frames) of each batch."""
    received: list[tuple[int, int, int]] = []

    def taken(kind: Kind, payload: bytes) -> None:
        writer.append(kind, payload, 1)

    def taken_texts(payloads: Sequence[bytes]) -> None:
        at_ns = time.monotonic_ns()
        received.append((at_ns, writer.append_all(Kind.FRAME, payloads, 1), len(payloads)))

    wire = Wire(url, dict, taken, taken_texts=taken_texts)
    wire.connect()
    wire.run()
    return received


def latencies_ms(received: list[tuple[int, int, int]], marks: list[tuple[int, int]]) -> list[float]:
    """Milliseconds from the receipt of each frame to when its seq was seen to be durable."""
    found: list[float] = []
    at = 0
    for at_ns, seq, frames in received:
        while marks[at][0] < seq:
            at += 1
        found += [(marks[at][1] - at_ns) / 1e6] * frames
    return found


def measured(url: str, path: Path, mode: str, side: SideSealing) -> Run:
    """Record what comes from `url` in that mode."""
    roll_s = NEVER_S if mode == WITHOUT else ROLL_S
    roll_bytes = (1 << 31) - 1 if mode == WITHOUT else DEFAULTS.roll_bytes
    options = WriterOptions(sync_interval_s=SYNC_S, roll_s=roll_s, roll_bytes=roll_bytes, seal_apart=True)
    session = Session(uuid=path.name, environment=ENVIRONMENT)
    with ExitStack() as stack:
        if mode == ALWAYS:
            stack.enter_context(side.at_work())
        writer = stack.enter_context(TapeWriter.create(path, ENVIRONMENT, session, options=options))
        marks = Watermarks(writer)
        marks.start()
        began, sealed = time.perf_counter(), side.sealed
        received = record(url, writer)
        marks.finish()
        rows_s = (side.sealed - sealed) * SIDE_FRAMES / (time.perf_counter() - began)
        behind = behind_records(path, writer)
        began = time.perf_counter()
        if mode != WITHOUT:
            writer.seal_all()
        behind_s = time.perf_counter() - began
    shutil.rmtree(path)
    cuts = statistics.quantiles(latencies_ms(received, marks.found), n=1000)
    return Run(cuts[499], cuts[989], cuts[998], behind, behind_s, rows_s)


def behind_records(path: Path, writer: TapeWriter) -> int:
    """Records in finished hot segments that are not sealed yet."""
    layout = Layout(path)
    newest = Manifest.load(layout)
    finished = hot_numbers(layout)[:-1]
    return len(finished) and writer.head_seq - newest.next_seq


def rows_of(place: Path, frames_s: int, side: SideSealing) -> Iterator[list[str]]:
    """The table's rows for one rate: medians over the repetitions, the modes taking turns."""
    frames = int(frames_s * PACED_S) or FLAT_FRAMES
    modes = (WITHOUT, WITH, ALWAYS)
    runs: dict[str, list[Run]] = {mode: [] for mode in modes}
    names = itertools.count()
    with source(frames, rate=frames_s, connections=len(modes) * REPETITIONS) as url:
        for _ in range(REPETITIONS):
            for mode in modes:
                runs[mode].append(measured(url, place / f"tape-{next(names)}", mode, side))
    for mode in modes:
        middle = _median(runs[mode])
        yield [
            f"{f'{frames_s:,}/s' if frames_s else 'flat out'}, sealing: {mode}",
            *(f"{middle(cut):.2f}" for cut in _CUTS),
            *(ratio(middle(cut), _median(runs[WITHOUT])(cut)) for cut in _CUTS),
            f"{middle(lambda run: run.behind_records):,.0f}",
            f"{middle(lambda run: run.behind_s):.1f}",
            f"{middle(lambda run: run.side_rows_s):,.0f}",
        ]


_CUTS: Final[tuple[Callable[[Run], float], ...]] = (lambda run: run.p50, lambda run: run.p99, lambda run: run.p999)


def _median(runs: list[Run]) -> Callable[[Callable[[Run], float]], float]:
    return lambda part: statistics.median(map(part, runs))


def main() -> None:
    """Every rate in every mode."""
    with tempfile.TemporaryDirectory(prefix="tapedeck-bench-") as spare:
        side = SideSealing(Path(spare))
        rows = [row for frames_s in RATES for row in rows_of(Path(spare), frames_s, side)]
        side.finish()
    header = (
        "receipt to durable, ms",
        "p50",
        "p99",
        "p99.9",
        "p50",
        "p99",
        "p99.9",
        "behind",
        "caught up s",
        "side rows/s",
    )
    notes = [
        f"sync {SYNC_S * 1e3:.0f} ms; ratios to the same rate without sealing; medians of {REPETITIONS}, by turns",
        "behind: records of finished hot segments not sealed when the last frame was durable, and s until they were",
        "side rows/s: what sealing without a pause did beside capture",
    ]
    show("Capture while sealing", header, rows, notes)


if __name__ == "__main__":
    main()
