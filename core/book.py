"""One market's two ladders of bids, in integers.

Knows snapshots (replace everything) and deltas (change one level). Must not know who may change the book or
whether it can be trusted: that is the store's. A book may be empty, and may be crossed for a moment.
"""

from typing import Final

from core.messages.types import Level, Side
from core.money import MAX_SIZE

NO_BID: Final = -1
"""The best price of an empty ladder."""

_YES: Final = Side.YES


class Ladder:
    """Bids for one outcome: price (1/10,000 dollar) to size (1/100 contract, above 0).

    best: the highest price, NO_BID when there is none.
    """

    __slots__ = ("best", "levels")

    def __init__(self) -> None:
        self.levels: dict[int, int] = {}
        self.best = NO_BID

    def replace(self, levels: tuple[Level, ...]) -> None:
        """Hold these levels and no others; a level of size 0 is none."""
        self.levels = {price: size for price, size in levels if size}
        self.best = max(self.levels, default=NO_BID)

    def change(self, price: int, delta: int) -> bool:
        """Add to one level, which goes when it comes to 0.

        False when it cannot be: below 0 the level is removed, above MAX_SIZE it stays as it was.
        """
        levels = self.levels
        size = levels.get(price, 0) + delta
        if size > 0:
            if size > MAX_SIZE:
                return False
            levels[price] = size
            if price > self.best:
                self.best = price
            return True
        levels.pop(price, None)
        if price == self.best:
            self.best = max(levels) if levels else NO_BID
        return size == 0


class Book:
    """Bids for yes and bids for no, each on its own price scale."""

    __slots__ = ("no", "yes")

    def __init__(self) -> None:
        self.yes = Ladder()
        self.no = Ladder()

    def snapshot(self, yes: tuple[Level, ...], no: tuple[Level, ...]) -> bool:
        """Replace both ladders. False, and nothing changed, when a size is below 0 or above MAX_SIZE."""
        for levels in (yes, no):
            if any(not 0 <= size <= MAX_SIZE for _, size in levels):
                return False
        self.yes.replace(yes)
        self.no.replace(no)
        return True

    def delta(self, side: Side, price: int, delta: int) -> bool:
        """Change one level as `Ladder.change` does."""
        return (self.yes if side is _YES else self.no).change(price, delta)

    def ladder(self, side: Side) -> tuple[Level, ...]:
        """The levels of one side, ascending, best last."""
        return tuple(sorted((self.yes if side is _YES else self.no).levels.items()))

    def best(self, side: Side) -> Level | None:
        """The highest bid of one side."""
        ladder = self.yes if side is _YES else self.no
        return None if ladder.best == NO_BID else (ladder.best, ladder.levels[ladder.best])
