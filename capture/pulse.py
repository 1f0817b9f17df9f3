"""The heartbeat: a record a second, which is the clock of every fold, and by which a machine that slept is found out.

Knows clocks and the writer. Must not know connections: whoever has any is told that the machine slept.
"""

import contextlib
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from capture.tape.errors import TapeError
from core.records import Fault, Heartbeat, Kind, StoredGap, encode_payload

SLEPT_NS: Final = 2_000_000_000
"""The clock that counts sleep runs ahead of the one that does not by more than this only when the machine slept."""

PAUSED_NS: Final = 10_000_000_000
"""A beat later than this was no busy moment: the process was stopped. A peer's pings are 10 s apart."""

ASLEEP: Final = "asleep"
"""The reason of the gap for such a time."""


class Writer(Protocol):
    """What a pulse needs of a TapeWriter."""

    @property
    def path(self) -> Path:
        """The tape's directory."""

    @property
    def head_seq(self) -> int:
        """Seq of the last record."""

    @property
    def durable_seq(self) -> int:
        """Seq of the last durable record."""

    def append(self, kind: int, payload: bytes, connection: int = 0) -> int:
        """Append a record."""


def _boot_ns() -> int:
    """ns since the machine was started, sleep included; where there is no such clock, without it."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic_ns() if clock is None else time.clock_gettime_ns(clock)


@dataclass(frozen=True, slots=True)
class Clocks:
    """Where the times come from (ns)."""

    wall_ns: Callable[[], int] = time.time_ns
    mono_ns: Callable[[], int] = time.monotonic_ns
    boot_ns: Callable[[], int] = _boot_ns


class Pulse:
    """Beats every `every_s`. lags: of the log's followers, by name. woke: told why when the machine had slept.

    each: called at every beat, for what is to be looked at once a second. durable_age_s: how long the durable seq has
    stood still although something was not durable yet.
    """

    def __init__(
        self, writer: Writer, every_s: float, *, lags: Callable[[], dict[str, int]], woke: Callable[[str], None],
        each: Callable[[], None], clocks: Clocks | None = None,
    ) -> None:  # fmt: skip
        self.failed = ""
        self._writer = writer
        self._every_s = every_s
        self._lags = lags
        self._woke = woke
        self._each = each
        self._clocks = Clocks() if clocks is None else clocks
        self._stopping = threading.Event()
        self._durable = (-1, self._clocks.mono_ns())
        self._last = self._now()
        self._thread = threading.Thread(target=self._run, name="deck-pulse", daemon=True)

    @property
    def is_alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    @property
    def durable_age_s(self) -> float:
        """See the class."""
        return (self._clocks.mono_ns() - self._durable[1]) / 1e9

    def start(self) -> None:
        """Begin; once."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Whether it ended within that time."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(max(timeout_s, 0.0))
        return not self._thread.is_alive()

    def beat(self) -> None:
        """One heartbeat, and all that goes with it."""
        self._look_for_sleep()
        writer, mono_ns = self._writer, self._clocks.mono_ns()
        durable = writer.durable_seq
        if durable != self._durable[0] or durable >= writer.head_seq:
            self._durable = (durable, mono_ns)
        beat = Heartbeat(durable, self._clocks.boot_ns(), self._lags(), _free_bytes(writer.path))
        with contextlib.suppress(TapeError):  # a full disk: the writer says so, and this is its reserve's to try again
            writer.append(Kind.HEARTBEAT, encode_payload(beat))
        self._each()

    def _run(self) -> None:
        while not self._stopping.wait(self._every_s):
            try:
                self.beat()
            except BaseException as error:  # a bug of ours; without a pulse no fold knows the time, so it beats on
                self.failed = f"{type(error).__name__}: {error}"[:300]
                with contextlib.suppress(TapeError):
                    self._writer.append(Kind.FAULT, encode_payload(Fault("pulse", self.failed)))

    def _now(self) -> tuple[int, int, int]:
        clocks = self._clocks
        return clocks.wall_ns(), clocks.mono_ns(), clocks.boot_ns()

    def _look_for_sleep(self) -> None:
        before, self._last = self._last, self._now()
        wall_ns, mono_ns, boot_ns = (now - then for now, then in zip(self._last, before, strict=True))
        slept_ns, paused_ns = boot_ns - mono_ns, mono_ns - int(self._every_s * 1e9)
        if slept_ns > SLEPT_NS:
            why = f"the machine slept for {slept_ns / 1e9:.0f} s"
        elif paused_ns > PAUSED_NS:
            why = f"the process stood still for {paused_ns / 1e9:.0f} s"
        else:
            return
        gap = StoredGap(ASLEEP, from_ns=before[0], until_ns=max(self._last[0], before[0] + max(wall_ns, 0)), detail=why)
        with contextlib.suppress(TapeError):
            self._writer.append(Kind.GAP_CLOSE, encode_payload(gap))
        self._woke(why)


def _free_bytes(path: Path) -> int:
    try:
        return shutil.disk_usage(path).free
    except OSError:
        return 0
