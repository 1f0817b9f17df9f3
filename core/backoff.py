"""How long to wait before the next try: twice as long each time up to a cap, anywhere within that at random.

Knows no clock and no dice of its own: both are given. Must not know what is tried.
"""

from typing import Final, Protocol

BASE_S: Final = 1.0
"""The first wait is up to this: reconnection starts within a second (RELIABILITY P10)."""

CAP_S: Final = 60.0
"""No wait is longer (P10), so that an exchange that is back is found within a minute."""

HEALTHY_S: Final = 60.0
"""What lasts less long is no recovery: a peer that accepts and drops must not be called upon once a second (N19)."""


class Dice(Protocol):
    """Where chance comes from, such as a random.Random."""

    def uniform(self, a: float, b: float, /) -> float:
        """Anything from `a` to `b`, all equally likely."""


class Backoff:
    """The waits of one thing that is tried over and over. tries: how often since it last was healthy."""

    __slots__ = ("_base_s", "_cap_s", "_dice", "tries")

    def __init__(self, dice: Dice, *, base_s: float = BASE_S, cap_s: float = CAP_S) -> None:
        self._dice = dice
        self._base_s = base_s
        self._cap_s = cap_s
        self.tries = 0

    def next_s(self, at_least_s: float = 0.0) -> float:
        """Count a try that failed; how long to wait now, and no less than `at_least_s`."""
        ceiling_s = self.ceiling_s
        self.tries += 1
        return max(self._dice.uniform(0.0, ceiling_s), at_least_s)

    @property
    def ceiling_s(self) -> float:
        """The longest the next wait can be."""
        # capped before the power is taken: after a day of tries it would be a number of thousands of digits
        return min(self._base_s * 2.0 ** min(self.tries, 32), self._cap_s)

    def lasted(self, healthy_s: float) -> None:
        """What was tried worked for so long; long enough begins the count anew."""
        if healthy_s >= HEALTHY_S:
            self.tries = 0
