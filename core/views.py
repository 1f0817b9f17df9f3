"""Frozen pictures of state, made when asked for: whoever holds one can neither write through it nor see it change.

Knows what a reader may see of a market and of a connection. Must not know how the state is kept.
Prices are in 1/10,000 dollar, sizes in 1/100 contract; `..._ns` is the tape's own time (`now_ns`) unless it
says `exchange`; 0 = never.
"""

import msgspec

from core.lifecycle import Lifecycle
from core.messages.types import Fill, Level, MarketPosition, Side, Ticker, UserOrder
from core.money import DOLLAR


class RecentTrade(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A public trade as we met it. `price` is the yes price, `taker` the outcome the taker bought."""

    now_ns: int
    trade_id: str
    price: int
    count: int
    taker: Side
    is_block: bool
    exchange_ns: int


class PricePoint(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The best prices from this instant on, on the yes scale; None = nobody bids on that side."""

    now_ns: int
    yes_bid: int | None
    yes_ask: int | None


class RestBook(msgspec.Struct, frozen=True, gc=False):
    """A book that REST answered: without seq or clock, perhaps cached, so it never stands in for the WebSocket's."""

    now_ns: int
    yes: tuple[Level, ...]
    no: tuple[Level, ...]


class MarketView(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """All that is known of a market at one instant.

    yes, no: the ladders of bids, ascending, best last, each on its own scale.
    trusted: nothing that belongs to this book is known to be missing since its snapshot.
    owner: (connection, sid) whose frames make the book; None = nobody's, what is shown is what was left.
    book_ns, heard_ns: when the book last changed, and when anything about this market was last accepted.
    prices: how the best prices moved; from the book, or from tickers while there has been no book.
    traded_size: sum of the trades seen in this session. position: None = not told.
    orders: those that may still fill, by order_id. rest: the book by REST, beside the real one.
    """

    market: str
    yes: tuple[Level, ...] = ()
    no: tuple[Level, ...] = ()
    trusted: bool = False
    owner: tuple[int, int] | None = None
    last_seq: int = 0
    clock: int = 0
    book_ns: int = 0
    heard_ns: int = 0
    trades: tuple[RecentTrade, ...] = ()
    prices: tuple[PricePoint, ...] = ()
    last_trade: RecentTrade | None = None
    traded_size: int = 0
    ticker: Ticker | None = None
    lifecycle: Lifecycle = Lifecycle()
    position: int | None = None
    position_report: MarketPosition | None = None
    orders: tuple[UserOrder, ...] = ()
    fills: tuple[Fill, ...] = ()
    rest: RestBook | None = None

    @property
    def yes_bid(self) -> Level | None:
        """The best bid for yes."""
        return self.yes[-1] if self.yes else None

    @property
    def no_bid(self) -> Level | None:
        """The best bid for no, on the no scale."""
        return self.no[-1] if self.no else None

    @property
    def yes_ask(self) -> Level | None:
        """The best offer of yes: the best bid for no seen from the other side."""
        return _mirrored(self.no_bid)

    @property
    def no_ask(self) -> Level | None:
        """The best offer of no, on the no scale."""
        return _mirrored(self.yes_bid)

    @property
    def is_crossed(self) -> bool:
        """True when somebody bids for yes as much as somebody asks, or more; real for a moment, and no error."""
        return bool(self.yes and self.no) and self.yes[-1][0] + self.no[-1][0] >= DOLLAR


class SubscriptionView(msgspec.Struct, frozen=True, gc=False):
    """A live subscription of a connection; channel "" = not told yet, last_seq 0 = nothing numbered has come."""

    sid: int
    channel: str
    last_seq: int
    use_yes_price: bool
    markets: tuple[str, ...]


class ConnectionView(msgspec.Struct, frozen=True, gc=False):
    """A connection of this session: since when, when anything was last received on it, and what it carries."""

    number: int
    is_open: bool
    opened_ns: int
    heard_ns: int
    subscriptions: tuple[SubscriptionView, ...]


def _mirrored(level: Level | None) -> Level | None:
    return None if level is None else (DOLLAR - level[0], level[1])
