"""One market's two ladders of bids, in integers.

Knows snapshots (replace everything) and deltas (change one level), and gives ladders and rings the room they need for
them; what is done is done by `core.machine`. Must not know who may change the book or whether it can be trusted: that
is the store's. A book may be empty, and may be crossed for a moment.
"""

from typing import Final

from core.cells import (
    BLOCK,
    FACTORS,
    L_FACTOR,
    L_SHIFT,
    L_SIZES,
    L_SLOTS,
    L_STEP,
    M_NO,
    M_NO_BEST,
    M_PRICES,
    M_YES,
    M_YES_BEST,
    MARKET_CELLS,
    POINT_CELLS,
    STEPS,
)
from core.cells import NO_BID as NO_BID
from core.levels import DONE, NO_ROOM, highest, size_at
from core.messages.types import Level, Side
from core.money import DOLLAR
from core.rings import CellRing, Pool

SIDES: Final = {Side.YES: 1, Side.NO: 2}
"""How the machine counts sides."""


class Ladder:
    """Bids for one outcome: price (1/10,000 dollar) to size (1/100 contract, above 0), a slot for every price.

    Its grid is as fine as its prices need: cents at first, at most 1/10,000 dollar (80 KB).
    """

    __slots__ = ("_pool", "_side")

    def __init__(self, pool: Pool, side: int) -> None:
        """side: the cells that name its slots and its best price."""
        self._pool = pool
        self._side = side

    @property
    def best(self) -> int:
        """The highest price, NO_BID when there is none."""
        return self._pool.memory.plain[self._side + 1]

    def size(self, price: int) -> int:
        """Contracts bid at a price."""
        return size_at(self._pool.memory.plain, self._side, price)

    def levels(self) -> tuple[Level, ...]:
        """Price and size, ascending, best last."""
        plain = self._pool.memory.plain
        ladder = plain[self._side]
        if not ladder:
            return ()
        step, first = plain[ladder + L_STEP], ladder + L_SIZES
        sizes = plain[first : first + plain[ladder + L_SLOTS]]
        return tuple([(slot * step, size) for slot, size in enumerate(sizes) if size])

    def top(self, count: int) -> tuple[Level, ...]:
        """The best levels, best first, at most so many."""
        plain, price = self._pool.memory.plain, self.best
        found: list[Level] = []
        while price != NO_BID and len(found) < count:
            ladder = plain[self._side]
            found.append((price, self.size(price)))
            slot = price // plain[ladder + L_STEP]
            price = highest(plain, ladder, slot - 1) if slot else NO_BID
        return tuple(found)

    def fit(self, prices: tuple[int, ...]) -> None:
        """Make the grid fine enough for these prices (0 to DOLLAR)."""
        memory = self._pool.memory
        ladder = memory.plain[self._side]
        step = memory.plain[ladder + L_STEP] if ladder else STEPS[0]
        finer = next(s for s in STEPS if s <= step and not any(price % s for price in prices))
        if ladder and finer == step:
            return
        levels, slots = self.levels(), DOLLAR // finer + 1
        self.release()
        ladder = memory.take(_cells(slots))
        plain = memory.plain
        plain[self._side], plain[ladder + L_STEP], plain[ladder + L_SLOTS] = ladder, finer, slots
        plain[ladder + L_FACTOR], plain[ladder + L_SHIFT] = FACTORS[finer]
        for price, size in levels:
            plain[ladder + L_SIZES + price // finer] = size
            plain[ladder + L_SIZES + slots + price // finer // BLOCK] += 1

    def release(self) -> None:
        """Give its slots back to the memory."""
        memory = self._pool.memory
        ladder = memory.plain[self._side]
        if ladder:
            memory.give_back(ladder, _cells(memory.plain[ladder + L_SLOTS]))
            memory.plain[self._side] = 0


class Book:
    """Bids for yes and bids for no, each on its own price scale; prices: how the best prices moved."""

    __slots__ = ("_at", "_pool", "no", "prices", "yes")

    def __init__(self, pool: Pool | None = None, at: int = 0) -> None:
        """at: the market's cells (default: new ones)."""
        self._pool = Pool() if pool is None else pool
        memory = self._pool.memory
        self._at = at or memory.take(MARKET_CELLS)
        memory.plain[self._at + M_YES_BEST] = memory.plain[self._at + M_NO_BEST] = NO_BID
        self.yes = Ladder(self._pool, self._at + M_YES)
        self.no = Ladder(self._pool, self._at + M_NO)
        self.prices = CellRing(self._pool, self._at + M_PRICES, POINT_CELLS)

    def snapshot(
        self, yes: tuple[Level, ...], no: tuple[Level, ...], now_ns: int = 0, *, clock: int = 0, mirrored: bool = False
    ) -> bool:
        """Replace both ladders. False, and nothing changed, when a size is below 0 or above MAX_SIZE.

        mirrored: the prices for no are on the yes scale.
        """
        memory = self._pool.memory
        machine = memory.machine
        told = [n for side in (yes, no) for part in (0, 1) for n in [level[part] for level in side]]
        levels = memory.values(told)
        scale = len(yes), len(no), int(mirrored)
        done = machine.apply_snapshot(memory.m, self._at, now_ns, clock, levels, 0, *scale)
        if done == NO_ROOM:
            self.yes.fit(tuple(price for price, _ in yes))
            self.no.fit(tuple(DOLLAR - price if mirrored else price for price, _ in no))
            self.prices.admit()  # last: what it sets aside must not be taken for the ladders
            done = machine.apply_snapshot(memory.m, self._at, now_ns, clock, levels, 0, *scale)
        assert done != NO_ROOM, "room was made"
        return bool(done == DONE)

    def delta(self, side: Side, price: int, delta: int, now_ns: int = 0, *, seq: int = 0, clock: int = 0) -> int:
        """Change one level; what became of it, as `core.levels.apply_delta` says."""
        memory, number = self._pool.memory, SIDES[side]
        done: int = memory.machine.apply_delta(memory.m, self._at, now_ns, seq, number, price, delta, clock)
        if done == NO_ROOM:
            (self.yes if number == 1 else self.no).fit((price,))
            self.prices.admit()
            done = memory.machine.apply_delta(memory.m, self._at, now_ns, seq, number, price, delta, clock)
        assert done != NO_ROOM, "room was made"
        return done

    def ladder(self, side: Side) -> tuple[Level, ...]:
        """The levels of one side, ascending, best last."""
        return (self.yes if side is Side.YES else self.no).levels()

    def best(self, side: Side) -> Level | None:
        """The highest bid of one side."""
        ladder = self.yes if side is Side.YES else self.no
        return None if ladder.best == NO_BID else (ladder.best, ladder.size(ladder.best))

    def release(self) -> None:
        """Give everything but the market's own cells back."""
        self.yes.release()
        self.no.release()
        self.prices.release()


def _cells(slots: int) -> int:
    return L_SIZES + slots + slots // BLOCK + 1
