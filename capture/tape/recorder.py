"""One record after another, by the rules: stamps, clock steps, when a segment is full, what a full disk means.

Knows the writer's options and the present outage. Must not know threads: every call is made with the log's lock held.
"""

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from capture.tape.clock import Clock, ClockStep, Stamper
from capture.tape.errors import DiskError, TapeError, disk_error
from capture.tape.hotlog import OVERHEAD
from capture.tape.layout import DAY_NS
from capture.tape.log import HotLog
from capture.tape.outage import ESSENTIAL, Outage, Reserve, reason_of
from core.records import Kind, Record, encode_payload

_NS: Final = 10**9


@dataclass(frozen=True, slots=True)
class WriterOptions:
    """The writer's limits; the defaults are those of the promises (RELIABILITY 2).

    sync_interval_s, sync_bytes: what a power cut may cost. 0 s: every append is durable when it returns (slow).
    roll_s, roll_bytes: how long and large a hot segment gets; what a user of the sealed files waits for.
    reserve_bytes: space kept for the last words on a full disk. memory_bytes: records not yet durable that are held;
    beyond it `append` waits for the disk. retry_s: how often a full disk is tried again.
    seal_apart: seal in a process of its own, which costs its start once and takes no time from whoever receives.
    """

    sync_interval_s: float = 0.1
    sync_bytes: int = 1 << 20
    roll_s: float = 60.0
    roll_bytes: int = 64 << 20
    reserve_bytes: int = 64 << 20
    memory_bytes: int = 64 << 20
    retry_s: float = 1.0
    seal_apart: bool = False


class Recorder:
    """Puts records into the hot log. `wake` asks for a sync soon. Every method is called with the log's lock held."""

    def __init__(
        self,
        root: Path,
        log: HotLog,
        reserve: Reserve,
        *,
        clock: Clock,
        options: WriterOptions,
        wake: Callable[[], None],
    ) -> None:
        self.outage: Outage | None = None
        self.halted = ""
        self._root = root
        self._log = log
        self._reserve = reserve
        self._stamper = Stamper(clock)
        self._options = options
        self._wake = wake
        self._is_barred = False  # an outage, halted, or too much in memory: one test on the hot path
        self._day_from_ns = self._day_until_ns = 0  # nothing fits: the first record sets the limits
        self._turn_mono_ns = 0
        self._size_limit = options.roll_bytes
        self._bytes_left = 0  # until something that goes by bytes may be due

    @property
    def problem(self) -> str:
        """Why records are refused just now, empty when they are not."""
        if self.outage is None:
            return self.halted
        remedy = "free some space" if self.outage.reason == "disk_full" else "check the disk"
        return f"{self._root}: cannot append a record: {self.outage.detail}; {remedy}, then recording resumes by itself"

    def append(self, kind: int, payload: bytes, connection: int) -> int:
        """Append a record; its seq. Raises DiskError when it is refused, TapeError when halted."""
        if self._is_barred:
            self._admit(kind)
        try:
            return self._write(kind, payload, connection)
        except OSError as error:
            self.suspend(error, kind)
            raise DiskError(self.problem) from error

    def append_all(self, kind: int, payloads: Sequence[bytes], connection: int) -> int:
        """Append a record for each payload, all received at once; the last seq. DiskError: some were refused.

        They share their stamps and one write. What cannot go so goes one by one.
        """
        stamper, log = self._stamper, self._log
        if not self._is_barred and payloads:
            wall_ns, mono_ns = stamper.stamp()
            in_time = mono_ns < self._turn_mono_ns and self._day_from_ns <= wall_ns < self._day_until_ns
            if in_time and not stamper.moved_ns:
                seq = log.head_seq + 1
                records = [
                    Record(number, wall_ns, mono_ns, connection, kind, payload)
                    for number, payload in enumerate(payloads, seq)
                ]
                with contextlib.suppress(OSError):
                    log.write_all(records)
                    self._bytes_left -= sum(map(len, payloads)) + OVERHEAD * len(payloads)
                    if self._bytes_left <= 0:
                        self._check_bytes()
                    return log.head_seq
        return self._append_each(kind, payloads, connection)

    def _append_each(self, kind: int, payloads: Sequence[bytes], connection: int) -> int:
        refusal: DiskError | None = None
        for payload in payloads:
            try:
                self.append(kind, payload, connection)
            except DiskError as error:
                refusal = error
        if refusal is not None:
            raise refusal
        return self._log.head_seq

    def suspend(self, error: OSError, kind: int = 0, *, sync: bool = False) -> None:
        """The disk refused a record of this kind, or a sync: begin an outage, or count it in the present one."""
        if self.outage is None:
            self._reserve.release()
            wall_ns, mono_ns = self._stamper.stamp()
            self.outage = Outage(reason_of(error, sync=sync), wall_ns, _what(error), mono_ns + self._retry_ns())
            self._is_barred = True
            self._log.synced.notify_all()
            with contextlib.suppress(OSError):  # then the GAP_CLOSE will tell of the whole gap
                self._write(Kind.GAP_OPEN, encode_payload(self.outage.opened()), 0)
        self.outage.missing += 0 < kind <= Kind.FRAME_CLOSE

    def halt(self, why: str) -> None:
        """Refuse every record from now on."""
        self.halted = why
        self._is_barred = True
        self._log.synced.notify_all()

    def roll(self) -> None:
        """Finish the present segment, unless it is empty; raises DiskError when no other can be begun."""
        error = self._turn(*self._stamper.stamp())
        if error is not None:
            raise disk_error(error, self._root, "begin a segment") from error

    def tick(self) -> None:
        """What time alone brings about: the end of an outage, or of a segment."""
        wall_ns, mono_ns = self._stamper.stamp()
        if self.outage is not None:
            self._try_resume()
        elif mono_ns >= self._turn_mono_ns:
            self._turn(wall_ns, mono_ns)

    def _write(self, kind: int, payload: bytes, connection: int) -> int:
        """Append a record whatever the state; OSError when the disk refuses."""
        stamper, log = self._stamper, self._log
        wall_ns, mono_ns = stamper.stamp()
        if mono_ns >= self._turn_mono_ns or not self._day_from_ns <= wall_ns < self._day_until_ns:
            self._turn(wall_ns, mono_ns)
        if stamper.moved_ns:
            step = encode_payload(ClockStep(stamper.moved_ns))
            log.write(Record(log.head_seq + 1, wall_ns, mono_ns, 0, Kind.CLOCK_STEP, step))
            stamper.moved_ns = 0
        seq = log.head_seq + 1
        log.write(Record(seq, wall_ns, mono_ns, connection, kind, payload))
        self._bytes_left -= len(payload) + OVERHEAD
        if self._bytes_left <= 0:
            self._check_bytes()
        return seq

    def _check_bytes(self) -> None:
        size, unsynced, options = self._log.size, self._log.unsynced_bytes, self._options
        if size >= self._size_limit:
            self._turn_mono_ns = 0  # at the next record: an empty segment serves nobody
        if unsynced >= options.sync_bytes:
            self._wake()
        if unsynced >= options.memory_bytes:
            self._is_barred = True
        to_sync = options.sync_bytes - unsynced % options.sync_bytes
        self._bytes_left = min(to_sync, self._size_limit - size, options.memory_bytes - unsynced)

    def _turn(self, wall_ns: int, mono_ns: int) -> OSError | None:
        """Begin a new segment (unless the present one is empty) and set its limits.

        When there is none to be had the present one goes on, beyond its size or its day: that is better than a gap.
        """
        wait_ns, failure = int(self._options.roll_s * _NS), None
        self._size_limit = self._options.roll_bytes
        if not self._log.is_empty:
            try:
                self._log.renew()
            except OSError as error:
                wait_ns, failure = self._retry_ns(), error
                self._size_limit += self._log.size
        self._turn_mono_ns = mono_ns + wait_ns
        self._day_from_ns = wall_ns - wall_ns % DAY_NS
        self._day_until_ns = self._day_from_ns + DAY_NS
        self._bytes_left = 0
        return failure

    def _admit(self, kind: int) -> None:
        """Return when a record of this kind may be tried; DiskError or TapeError when not. May wait for a sync."""
        while not self.halted:
            if self.outage is not None:
                if self._try_resume():
                    continue
                if kind in ESSENTIAL:
                    return
                self.outage.missing += kind <= Kind.FRAME_CLOSE
                raise DiskError(self.problem)
            if self._log.unsynced_bytes < self._options.memory_bytes:
                self._is_barred = False
                return
            self._wake()
            self._log.synced.wait(self._options.retry_s)
        raise TapeError(self.halted)

    def _try_resume(self) -> bool:
        """End the outage if the disk takes the reserve and a record again; tried every `retry_s`."""
        outage = self.outage
        assert outage is not None
        wall_ns, mono_ns = self._stamper.stamp()
        if mono_ns < outage.next_try_mono_ns:
            return False
        outage.next_try_mono_ns = mono_ns + self._retry_ns()
        try:
            self._reserve.fill()
            self._write(Kind.GAP_CLOSE, encode_payload(outage.closed(wall_ns)), 0)
        except OSError as error:
            outage.detail = _what(error)
            self._reserve.release()
            return False
        self.outage = None
        return True

    def _retry_ns(self) -> int:
        return int(self._options.retry_s * _NS)


def _what(error: OSError) -> str:
    return error.strerror or os.strerror(error.errno or 0)
