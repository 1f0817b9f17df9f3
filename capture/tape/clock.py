"""The two clocks that stamp a record, and the record that says they parted.

Knows the system's clocks. Must not know what is stamped.
"""

import time
from typing import Final, Protocol

import msgspec

STEP_NS: Final = 50_000_000
"""A wall clock that moves by more than this against the monotonic one was set (RELIABILITY P13: 50 ms)."""


class Clock(Protocol):
    """What time it is, for people and for differences."""

    def wall_ns(self) -> int:
        """Unix time in ns; may jump."""

    def mono_ns(self) -> int:
        """ns since some start; never goes back, comparable within one boot only."""


class SystemClock:
    """The clocks of this machine."""

    wall_ns = staticmethod(time.time_ns)
    mono_ns = staticmethod(time.monotonic_ns)


class ClockStep(msgspec.Struct, frozen=True):
    """Payload of CLOCK_STEP: by how much the wall clock moved against the monotonic one since the record before."""

    moved_ns: int


class Stamper:
    """Takes both stamps of a record and adds up in `moved_ns` by how much the wall clock was set."""

    def __init__(self, clock: Clock) -> None:
        self.moved_ns = 0
        self._wall_ns = clock.wall_ns
        self._mono_ns = clock.mono_ns
        wall_ns, mono_ns = self._wall_ns(), self._mono_ns()
        self._apart_ns = wall_ns - mono_ns

    def stamp(self) -> tuple[int, int]:
        """(wall ns, monotonic ns) of now."""
        wall_ns, mono_ns = self._wall_ns(), self._mono_ns()
        apart_ns = wall_ns - mono_ns
        if not -STEP_NS <= apart_ns - self._apart_ns <= STEP_NS:
            # Being stopped between the two readings looks like a step, but not twice in a row.
            wall_ns, mono_ns = self._wall_ns(), self._mono_ns()
            apart_ns = wall_ns - mono_ns
            if not -STEP_NS <= apart_ns - self._apart_ns <= STEP_NS:
                self.moved_ns += apart_ns - self._apart_ns
        self._apart_ns = apart_ns
        return wall_ns, mono_ns
