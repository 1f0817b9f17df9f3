"""A small exchange for tests of the matching engine: one event, markets by name, a few funded accounts.

Knows how to ask in few words. Must not know what is right: the tests do.
"""

from typing import Final

from core.fees import FeeTerms
from core.times import SECOND_NS
from replay.exchange.engine import EngineOptions, MatchingEngine
from replay.exchange.happenings import Happening
from replay.exchange.ids import CountingIds
from replay.exchange.orders import BookSide, NewOrder, Order, Placed, SelfTrade, TimeInForce
from replay.exchange.specs import EventSpec, MarketSpec

START_NS: Final = 1_795_420_800 * SECOND_NS
"""When the exchange opens its doors; fees are rounded to one money unit by then."""

DOLLARS: Final = 1_000_000  # money units in one

FREE: Final = FeeTerms(multiplier=0)
"""No fees: tests of money without them read easier."""

BID: Final = BookSide.BID
ASK: Final = BookSide.ASK
GTC: Final = TimeInForce.GOOD_TILL_CANCELED
IOC: Final = TimeInForce.IMMEDIATE_OR_CANCEL
FOK: Final = TimeInForce.FILL_OR_KILL


class Exchange:
    """An engine whose clock the test moves; market M is open for a day, accounts have 1,000 dollars each."""

    def __init__(
        self,
        *accounts: str,
        fees: FeeTerms = FREE,
        options: EngineOptions | None = None,
        levels: str = "linear_cent",
        dollars: int = 1_000,
    ) -> None:
        self.engine = MatchingEngine(CountingIds(7), options)
        self.now_ns = START_NS
        self.funded = 0
        self.engine.life.add_event(EventSpec(event_ticker="E", series_ticker="S", fees=fees), self.now_ns)
        self.open("M", levels=levels)
        for account in accounts or ("ann", "bob", "cy"):
            self.fund(account, dollars * DOLLARS)
        self.engine.drain()

    def open(self, market: str, *, levels: str = "linear_cent", timer_s: int = 60) -> None:
        """List one more market, open from now for a day."""
        spec = MarketSpec(
            ticker=market,
            event_ticker="E",
            market_id=f"id-{market}",
            open_ns=self.now_ns,
            close_ns=self.now_ns + 86_400 * SECOND_NS,
            price_level_structure=levels,
            settlement_timer_ns=timer_s * SECOND_NS,
        )
        self.engine.life.add_market(spec, self.now_ns)

    def fund(self, account: str, money: int) -> None:
        """Pay in, and remember how much in all."""
        self.funded += money
        self.engine.fund(account, money)

    def later(self, seconds: int) -> int:
        """Move the clock on and let happen what is due."""
        self.now_ns += seconds * SECOND_NS
        self.engine.advance(self.now_ns)
        return self.now_ns

    def place(self, account: str, order: NewOrder) -> Order:
        """Place what must be accepted; gives the order as it stands then."""
        answer = self.engine.place(account, order, self.now_ns)
        assert isinstance(answer, Placed), answer
        return answer.order

    def bid(self, account: str, price: int, count: int, market: str = "M") -> Order:
        """A plain bid for yes that must be accepted; price in 1/10,000 dollar, count in 1/100 contract."""
        return self.place(account, NewOrder(market=market, side=BID, price=price, count=count))

    def ask(self, account: str, price: int, count: int, market: str = "M") -> Order:
        """A plain ask, at its yes price, that must be accepted."""
        return self.place(account, NewOrder(market=market, side=ASK, price=price, count=count))

    def take(self, account: str, side: BookSide, price: int, count: int) -> Order:
        """An IOC order that must be accepted; own resting orders give way."""
        order = NewOrder(market="M", side=side, price=price, count=count, time_in_force=IOC, self_trade=SelfTrade.MAKER)
        return self.place(account, order)

    def now(self, order: Order) -> Order:
        """The order as it stands now."""
        found = self.engine.reads.order(order.account, order.order_id)
        assert found is not None
        return found

    def yes(self, market: str = "M") -> dict[int, int]:
        """The yes ladder: price to size."""
        return dict(self.engine.reads.book(market).yes)

    def no(self, market: str = "M") -> dict[int, int]:
        """The no ladder on its own scale: price to size."""
        return dict(self.engine.reads.book(market).no)

    def position(self, account: str, market: str = "M") -> int:
        """What an account holds: + yes, - no."""
        return sum(held.position for held in self.engine.reads.holdings(account) if held.market == market)

    def balance(self, account: str) -> int:
        """Cash, in money units."""
        return self.engine.reads.balance(account).balance

    def available(self, account: str) -> int:
        """Cash that backs no order."""
        return self.engine.reads.balance(account).available

    def told(self, *kinds: type) -> list[Happening]:
        """What happened since this was asked last, of these kinds only."""
        return [happening for happening in self.engine.drain() if isinstance(happening, kinds or (object,))]

    @property
    def missing(self) -> int:
        """Money that is nowhere: 0 unless the engine lost or made some."""
        reads = self.engine.reads
        held = sum(reads.balance(account).balance for account in reads.accounts())
        return self.funded - held - reads.collateral - reads.house
