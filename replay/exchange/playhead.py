"""When the next record of a tape is due: its pace, and pause, step, speed.

Knows the tape's time (`now_ns`) and the event loop's clock, which no step of the wall clock moves. Must not know what
a record holds. Everything is called on the event loop.
"""

import asyncio
import math
from typing import Final

from core.errors import ConfigError

MAX: Final = math.inf
"""The speed at which nothing is waited for but the clients."""

MIN_SPEED: Final = 0.001
MAX_SPEED: Final = 10_000.0
"""Faster than that a pace means nothing: an hour would pass in a third of a second."""

EARLY_S: Final = 0.0005
"""A record due so soon is due now: the event loop does not wake more exactly."""

_NS: Final = 1_000_000_000


def parse_speed(text: str) -> float:
    """Tape seconds a second, MAX for `max`. Raises ConfigError."""
    if text.strip().lower() == "max":
        return MAX
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not MIN_SPEED <= speed <= MAX_SPEED:
        raise ConfigError(
            f"speed {text!r} is no number from {MIN_SPEED} to {MAX_SPEED:.0f} and not max; write 1, 10 or max"
        )
    return speed


def format_speed(speed: float) -> str:
    """`1`, `0.5`, `max`."""
    return "max" if speed == MAX else f"{speed:g}"


class Playhead:
    """Says when the next record may be played; one task waits on it, any other may control it."""

    def __init__(self, speed: float = 1.0, *, paused: bool = False) -> None:
        """speed: tape seconds a second, MAX = as fast as can be."""
        self._speed = speed
        self._paused = paused
        self._steps = 0
        self._at_ns = 0  # the tape's time at `_at_s`
        self._at_s: float | None = None  # None = the next record is due when it comes
        self._interrupted = False
        self._waiter: asyncio.Future[None] | None = None
        self._stepped: list[asyncio.Future[None]] = []

    @property
    def speed(self) -> float:
        """Tape seconds a second, MAX = as fast as can be."""
        return self._speed

    @property
    def paused(self) -> bool:
        """Whether it stands still, but for steps."""
        return self._paused

    def is_due(self, now_ns: int) -> bool:
        """Whether the record with this time may be played now; if so, it counts as played."""
        if self._interrupted:
            return False
        if self._steps:
            self._steps -= 1
            self._at_ns, self._at_s = now_ns, _loop_s()
            if not self._steps:
                self.end()
            return True
        if self._paused or self._wait_s(now_ns) > EARLY_S:
            return False
        if self._at_s is None or self._speed == MAX:
            self._at_ns, self._at_s = now_ns, _loop_s()
        return True

    async def reach(self, now_ns: int) -> bool:
        """Wait until the record with this time is due. False: it is not, `interrupt` was called."""
        while not self.is_due(now_ns):
            if self._interrupted:
                self._interrupted = False
                return False
            await self._sleep(None if self._paused else self._wait_s(now_ns))
        return True

    def rebase(self) -> None:
        """The next record is due when it comes, and the pace counts from there."""
        self._at_s = None

    def forgive(self, now_ns: int) -> None:
        """If the record with this time is late by now, it is due now and the pace counts from it: no burst makes up
        for what was waited for."""
        if self._wait_s(now_ns) < 0:
            self._at_ns, self._at_s = now_ns, _loop_s()

    def pause(self) -> None:
        """Stand still where it is, in the middle of a silence too."""
        if not self._paused:
            self._mark()
            self._paused = True
            self._wake()

    def resume(self) -> None:
        """Go on from where it stood still."""
        if self._paused:
            self._paused = False
            if self._at_s is not None:
                self._at_s = _loop_s()
            self._wake()

    async def step(self, count: int = 1) -> None:
        """Play so many records at once, then stand still; returns when they were played, or none was left."""
        self.pause()
        done = asyncio.get_running_loop().create_future()
        self._stepped.append(done)
        self._steps += count
        self._wake()
        await done

    def set_speed(self, speed: float) -> None:
        """Another pace from here on."""
        if not self._paused:
            self._mark()
        self._speed = speed
        self._wake()

    def interrupt(self) -> None:
        """Make whoever waits return: the tape is to be played from elsewhere."""
        self._interrupted = True
        self._wake()

    def _wait_s(self, now_ns: int) -> float:
        """Seconds until a record is due; below 0 when it is late."""
        if self._at_s is None or self._speed == MAX:
            return 0.0
        return self._at_s + (now_ns - self._at_ns) / _NS / self._speed - _loop_s()

    def _mark(self) -> None:
        """Take the place that was reached by now as the one from which the pace counts."""
        if self._at_s is None:
            return
        here_s = _loop_s()
        if self._speed != MAX:
            self._at_ns += int((here_s - self._at_s) * self._speed * _NS)
        self._at_s = here_s

    async def _sleep(self, span_s: float | None) -> None:
        loop = asyncio.get_running_loop()
        waiter = self._waiter = loop.create_future()
        timer = None if span_s is None else loop.call_later(max(span_s, 0.0), _finish, waiter)
        try:
            await waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    def _wake(self) -> None:
        if self._waiter is not None:
            _finish(self._waiter)

    def end(self) -> None:
        """Whoever waits for steps is let go: they were played, or there is nothing left to play."""
        self._steps = 0
        for done in self._stepped:
            _finish(done)
        self._stepped.clear()


def _finish(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _loop_s() -> float:
    return asyncio.get_running_loop().time()
