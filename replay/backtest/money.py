"""The account of a backtest: cash, positions, fees, and an identity that is checked to the micro-dollar at every row.

Knows the exchange's arithmetic of one net position (`core.holdings`) and, beside it, what was won by plain sums of what
was bought and sold; the two are counted apart and must agree. Must not know markets' prices: a mark is given to it.
Units: prices 1/10,000 dollar on the yes scale, counts 1/100 contract, money 1/1,000,000 dollar.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from core.actions import BookSide
from core.fees import CENT
from core.holdings import Execution, Holding, Holdings
from core.money import DOLLAR

FLAT: Final = "flat"


class Unbalanced(AssertionError):  # noqa: N818  # reads as what happened
    """Money appeared or was lost in the books of a backtest: an error of the program, never of its input."""


class Mark(msgspec.Struct, frozen=True):
    """What a position is worth. value: money. price: of a yes contract, None = no price stands behind it.

    by: where it comes from (`replay.backtest.marks`).
    """

    value: int
    price: int | None
    by: str


@dataclass(slots=True)
class _Sums:
    """One market by plain sums. net: contracts bought less sold; paid: price times count, likewise; won: for good."""

    net: int = 0
    paid: int = 0
    won: int = 0
    fees: int = 0
    is_settled: bool = False


class Account:
    """One account over all tapes. start: money it began with. fees: so far. locked: worth of what was held when a tape
    ended and its market was still open; it is carried along unchanged.
    """

    def __init__(self, start: int) -> None:
        self.start = start
        self.fees = 0
        self.locked = 0
        self._earlier = 0  # won for good, or by the last mark, on tapes that are over
        self._fills = 0
        self._holdings = Holdings()
        self._holdings.start(start)
        self._sums: dict[str, _Sums] = {}

    @property
    def cash(self) -> int:
        """Money at hand."""
        cash = self._holdings.cash
        assert cash is not None, "it began with some"
        return cash

    def holding(self, market: str) -> Holding:
        """The position in a market."""
        return self._holdings.of(market)

    def held(self) -> tuple[Holding, ...]:
        """What is held now, by market."""
        return tuple(held for held in self._holdings.all() if held.position)

    def fill(self, market: str, side: BookSide, price: int, count: int, fee: int) -> Holding:
        """An order traded; the position after it."""
        self._fills += 1
        self._holdings.execute(Execution(f"fill {self._fills}", market, side, price, count, fee))
        signed = count if side is BookSide.BID else -count
        sums = self._sums.setdefault(market, _Sums())
        sums.net += signed
        sums.paid += signed * price
        sums.fees += fee
        self.fees += fee
        return self._holdings.of(market)

    def settle(self, market: str, price: int) -> int:
        """A market paid `price` a yes contract, and is over; what came in: down to the cent (protocol 14)."""
        sums = self._sums.setdefault(market, _Sums())
        paid = self._holdings.settle(market, price)
        lost = abs(sums.net) * (price if sums.net > 0 else DOLLAR - price) % CENT
        sums.won += sums.net * price - sums.paid - lost
        sums.net, sums.paid, sums.is_settled = 0, 0, True
        return paid

    def pnl(self, market: str, value: int) -> int:
        """Won in a market, fees included, with what is held at this value."""
        return self._holdings.of(market).flow + value

    def check(self, marks: Mapping[str, Mark]) -> int:
        """The value of what is held by these marks, those locked included. Raises Unbalanced where the books do not
        agree: cash + value + fees = start + what was won before fees, by sums that know no positions.
        """
        value, won = self.locked, self._earlier
        for held in self.held():
            value += marks[held.market].value
        for market, sums in self._sums.items():
            position = self._holdings.of(market).position
            if sums.net != position:
                raise Unbalanced(f"{market}: {position} held, {sums.net} bought less sold")
            worth = marks[market].value if position else 0
            won += sums.won + worth - sums.paid - (-position * DOLLAR if position < 0 else 0)
        if self.cash + value + self.fees != self.start + won:
            raise Unbalanced(
                f"cash {self.cash} + value {value} + fees {self.fees} is not start {self.start} + {won} won, "
                f"by {self.cash + value + self.fees - self.start - won}"
            )
        return value

    def next_tape(self, marks: Mapping[str, Mark]) -> None:
        """A tape is over: what is held stays as it is marked for good, and the cash is carried on."""
        value = self.check(marks)
        self._earlier = self.cash + value + self.fees - self.start
        self.locked = value
        cash = self.cash
        self._holdings, self._sums = Holdings(), {}
        self._holdings.start(cash)
