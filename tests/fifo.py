"""A market as a queue of single contracts, each an object: who is first is served first, and everybody can be asked.

The slow and certain second opinion on `replay.venue.line`: our orders truly stand among the others', so what they fill
is the truth; what it tells is what the public of a market without us would have been told of it, but for the trades,
which are told as they were. Knows nothing of beliefs about queues.
"""

from collections import Counter
from dataclasses import dataclass, field

from core.actions import BookSide
from replay.venue.line import Fill, Line

Told = tuple[str, BookSide, int, int, int]
"""("trade", taker's side, price, count, 0) or ("level", side, price, size of others before, after)."""


@dataclass(eq=False)
class Contract:
    """One contract that rests. owner: key of our order, "" = somebody else's."""

    owner: str


@dataclass
class Fifo:
    """Both ladders, each price with its contracts, first in line first. filled: of our orders, so far."""

    ladders: dict[BookSide, dict[int, list[Contract]]] = field(
        default_factory=lambda: {BookSide.BID: {}, BookSide.ASK: {}}
    )
    filled: Counter[str] = field(default_factory=Counter)

    def others(self, side: BookSide, price: int) -> int:
        """How many contracts of others rest at a price."""
        return sum(not contract.owner for contract in self.ladders[side].get(price, ()))

    def left(self, owner: str) -> int:
        """How much rests of an order of ours."""
        return sum(
            contract.owner == owner for rungs in self.ladders.values() for line in rungs.values() for contract in line
        )

    def ahead(self, owner: str, side: BookSide, price: int) -> int:
        """How many contracts of others are before the first of an order of ours."""
        line = self.ladders[side][price]
        first = next(place for place, contract in enumerate(line) if contract.owner == owner)
        return sum(not contract.owner for contract in line[:first])

    def crosses(self, side: BookSide, price: int) -> bool:
        """Whether an order would trade at once."""
        return self._best(side, price) is not None

    def place(self, side: BookSide, price: int, count: int, *, owner: str = "", rests: bool = True) -> list[Told]:
        """An order comes: it takes what it can, contract by contract; the rest of it rests, or is dropped."""
        told: list[Told] = []
        while count and (best := self._best(side, price)) is not None:
            line = self.ladders[_other(side)][best]
            served = line[0].owner
            run = 0
            before = self.others(_other(side), best)
            while count and line and line[0].owner == served:
                line.pop(0)
                count -= 1
                run += 1
            if served:
                self.filled[served] += run
            else:
                told.append(("level", _other(side), best, before, before - run))
            told.append(("trade", side, best, run, 0))
        if count and rests:
            before = self.others(side, price)
            self.ladders[side].setdefault(price, []).extend(Contract(owner) for _ in range(count))
            if not owner:
                told.append(("level", side, price, before, before + count))
        return told

    def cancel(self, side: BookSide, price: int, places: list[int]) -> list[Told]:
        """Others take back contracts of theirs, by their places among them."""
        line = self.ladders[side].get(price, [])
        theirs = [contract for contract in line if not contract.owner]
        gone = [theirs[place] for place in sorted(set(places)) if place < len(theirs)]
        if not gone:
            return []
        self.ladders[side][price] = [contract for contract in line if contract not in gone]
        return [("level", side, price, len(theirs), len(theirs) - len(gone))]

    def withdraw(self, owner: str, count: int) -> None:
        """We take back so much of our order, from its end."""
        for rungs in self.ladders.values():
            for line in rungs.values():
                for contract in [contract for contract in line if contract.owner == owner][::-1][:count]:
                    line.remove(contract)

    def _best(self, side: BookSide, price: int) -> int | None:
        """The best price of the other side that an order would trade at."""
        held = [at for at, line in self.ladders[_other(side)].items() if line]
        if side is BookSide.BID:
            return min((at for at in held if at <= price), default=None)
        return max((at for at in held if at >= price), default=None)


def _other(side: BookSide) -> BookSide:
    return BookSide.ASK if side is BookSide.BID else BookSide.BID


@dataclass(frozen=True)
class Clock:
    """When and how a market's news comes. stamped: with the exchange's time; is_late: trades after their changes."""

    at_ns: int
    stamped: bool
    is_late: bool


def told_to(line: Line, news: list[Told], clock: Clock) -> list[Fill]:
    """A line is told what the public was told at one instant."""
    levels = [told for told in news if told[0] == "level"]
    trades = [told for told in news if told[0] == "trade"]
    stamp_ns = clock.at_ns if clock.stamped else 0
    fills: list[Fill] = []
    for what, side, price, first, second in levels + trades if clock.is_late else trades + levels:
        if what == "level":
            fills += line.level(clock.at_ns, side, price, first, second, stamp_ns=stamp_ns)
        else:
            fills += line.trade(clock.at_ns, side, price, first, stamp_ns=stamp_ns)
    return fills
