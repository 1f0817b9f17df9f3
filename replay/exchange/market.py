"""One market on the floor: its facts, its two ladders, and what its summary says.

Units as in orders.py. Knows what belongs to one market only. Must not know accounts or what follows from its state.
"""

from collections.abc import Sequence
from typing import Protocol

from msgspec.structs import replace

from core.fees import FeeOverride, FeeTerms, terms_in_force
from core.messages.types import Side
from core.money import DOLLAR
from core.ticks import prices_of, ranges_of
from replay.exchange.happenings import TickerChanged
from replay.exchange.ladder import NO_BID, Ladder
from replay.exchange.orders import Order
from replay.exchange.specs import BookView, MarketSpec, MarketStatus, Outcome
from replay.exchange.views import MarketView

_YES = Side.YES
_MICRO = 1_000_000  # money units in a dollar

OVER = (MarketStatus.CLOSED, MarketStatus.DETERMINED, MarketStatus.FINALIZED)
"""States in which no order operation is accepted, cancels included."""


class Outside(Protocol):
    """Others whose orders are not on the floor, such as those of a recorded book. Prices on the side's own scale."""

    def levels(self, side: Side, lowest: int) -> Sequence[tuple[int, int]]:
        """What they bid for an outcome at `lowest` or more, less what was taken of it: best first, no size is 0."""

    def take(self, side: Side, price: int, count: int) -> None:
        """So much of it was traded with."""

    def ahead(self, order: Order) -> int:
        """How many of their contracts are served before a resting order of the floor at its price."""


class Market:
    """A market's state. spec carries its price_ranges always; clock: of the newest change of its book, 0 = none.

    base_fees: of its series; open_interest: contracts held by one side; traded: yes price times count, money.
    outside: others that orders meet, too; None = nobody.
    """

    __slots__ = (
        "_told", "base_fees", "clock", "fees", "last_price", "last_size", "no", "open_interest", "outcome", "outside",
        "prices", "settled_ns", "spec", "status", "traded", "updated_ns", "volume", "yes",
    )  # fmt: skip

    spec: MarketSpec
    prices: frozenset[int]

    def __init__(self, spec: MarketSpec, base_fees: FeeTerms) -> None:
        self.status = MarketStatus.INITIALIZED
        self.yes = Ladder()
        self.no = Ladder()
        self.clock = 0
        self.base_fees = base_fees
        self.fees = base_fees
        self.last_price = self.last_size = self.volume = self.open_interest = self.traded = 0
        self.outcome: Outcome | None = None
        self.outside: Outside | None = None
        self.updated_ns = self.settled_ns = 0
        self.list(spec)
        self._told = self._summary()

    def list(self, spec: MarketSpec) -> None:
        """Take these facts; ValueError when they hold no prices that could be traded."""
        ranges = ranges_of(spec.price_level_structure, spec.price_ranges)
        self.prices = prices_of(ranges)
        self.spec = spec if spec.price_ranges else _with_ranges(spec)

    def override(self, override: FeeOverride) -> None:
        """Charge what the event says, where it says something."""
        self.fees = terms_in_force(self.base_fees, override, waived=False)

    def terms(self, now_ns: int) -> FeeTerms:
        """What is charged now."""
        if now_ns < self.spec.fee_waiver_ns:
            return terms_in_force(self.fees, FeeOverride(), waived=True)
        return self.fees

    def ladder(self, side: Side) -> Ladder:
        """The bids for one outcome."""
        return self.yes if side is _YES else self.no

    def facing(self, side: Side) -> Ladder:
        """The bids that buying this outcome meets."""
        return self.no if side is _YES else self.yes

    def news(self, now_ns: int) -> TickerChanged | None:
        """The summary if it is not what was told last; it counts as told then."""
        summary = self._summary()
        if summary == self._told:
            return None
        self._told = summary
        return self.ticker(now_ns)

    def ticker(self, now_ns: int) -> TickerChanged:
        """The summary as it is."""
        yes, no = self.yes, self.no
        return TickerChanged(
            at_ns=now_ns,
            market=self.spec.ticker,
            market_id=self.spec.market_id,
            price=self.last_price,
            yes_bid=max(yes.best, 0),
            yes_ask=DOLLAR if no.best == NO_BID else DOLLAR - no.best,
            yes_bid_size=yes.best_size,
            yes_ask_size=no.best_size,
            last_trade_size=self.last_size,
            volume=self.volume,
            open_interest=self.open_interest,
            dollar_volume=self.traded // _MICRO,
            dollar_open_interest=self.last_price * self.open_interest // _MICRO,
        )

    def view(self, now_ns: int) -> MarketView:
        """A picture of it."""
        return MarketView(
            spec=self.spec,
            status=self.status,
            ticker=self.ticker(self.updated_ns),
            fees=self.terms(now_ns),
            outcome=self.outcome,
            updated_ns=self.updated_ns,
            settled_ns=self.settled_ns,
        )

    def book(self) -> BookView:
        """Its book now."""
        return BookView(self.spec.ticker, self.clock, self.yes.levels(), self.no.levels())

    def _summary(self) -> tuple[int, ...]:
        yes, no = self.yes, self.no
        return (
            yes.best, no.best, yes.best_size, no.best_size, self.last_price, self.last_size, self.volume,
            self.open_interest,
        )  # fmt: skip


def _with_ranges(spec: MarketSpec) -> MarketSpec:
    return replace(spec, price_ranges=ranges_of(spec.price_level_structure, ()))
