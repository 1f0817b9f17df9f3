"""The exchange's own clock, which a fault can set wrong. Knows the system's time and by how much it lies."""

import time


class Clock:
    """Unix ns, plus an offset that is 0 unless a fault says otherwise."""

    __slots__ = ("offset_ns",)

    def __init__(self) -> None:
        self.offset_ns = 0

    def now_ns(self) -> int:
        """What the exchange believes the time to be."""
        return time.time_ns() + self.offset_ns

    @staticmethod
    def true_ns() -> int:
        """The system's time whatever the exchange believes: for pauses, and for when a frame was sent."""
        return time.time_ns()
