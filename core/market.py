"""Everything kept of one market, and its two other forms: the frozen view and the plain values of a checkpoint.

Knows what belongs together. Must not know what may change it: that is `core.store`.
"""

from typing import Final, TypeVar

import msgspec

from core.book import NO_BID, Book
from core.changes import Change, ChangeKind
from core.lifecycle import Lifecycle
from core.messages.types import Fill, MarketPosition, Side, Ticker, UserOrder
from core.money import DOLLAR
from core.rings import Pool, Ring
from core.views import MarketView, PricePoint, RecentTrade, RestBook

NOBODY: Final = -1
"""The connection that owns a book which nobody owns."""


T = TypeVar("T")


class SavedMarket(msgspec.Struct):
    """A market as plain values, for checkpoints: its view, and the little that a view does not show."""

    view: MarketView
    has_book: bool
    positions: dict[int, int]


class MarketState:
    """One market. `book` None = there never was a snapshot; rings are made when they get their first item.

    connection, sid: whose frames make the book, NOBODY = nobody's. positions: by subaccount. orders: working ones.
    """

    __slots__ = (
        "book",
        "book_change",
        "book_ns",
        "clock",
        "connection",
        "fills",
        "heard_ns",
        "last_seq",
        "last_trade",
        "lifecycle",
        "market",
        "orders",
        "position_report",
        "positions",
        "prices",
        "rest",
        "sid",
        "ticker",
        "traded_size",
        "trades",
        "trusted",
    )

    def __init__(self, market: str) -> None:
        self.market = market
        self.book: Book | None = None
        self.book_change = Change(market, ChangeKind.BOOK)  # the same for every change of the book, so made once
        self.trusted = False
        self.connection = NOBODY
        self.sid = self.last_seq = self.clock = self.book_ns = self.heard_ns = 0
        self.trades: Ring[RecentTrade] | None = None
        self.prices: Ring[PricePoint] | None = None
        self.fills: Ring[Fill] | None = None
        self.last_trade: RecentTrade | None = None
        self.traded_size = 0
        self.ticker: Ticker | None = None
        self.lifecycle = _BORN
        self.positions: dict[int, int] | None = None
        self.position_report: MarketPosition | None = None
        self.orders: dict[str, UserOrder] | None = None
        self.rest: RestBook | None = None

    def disown(self) -> None:
        """Nobody's frames make this book any more; it stays to be seen, untrusted."""
        self.trusted = False
        self.connection = NOBODY
        self.sid = self.last_seq = 0

    def release(self) -> None:
        """Give the rings' room back."""
        for ring in (self.trades, self.prices, self.fills):
            if ring is not None:
                ring.release()

    def note_prices(self, pool: Pool, now_ns: int, yes_bid: int | None, yes_ask: int | None) -> None:
        """The best prices are these from now on."""
        if self.prices is None:
            self.prices = Ring(pool)
        self.prices.append(PricePoint(now_ns, yes_bid, yes_ask))

    def note_book_prices(self, pool: Pool, now_ns: int) -> None:
        """The best prices of the book have moved."""
        assert self.book is not None, f"{self.market} has no book whose prices could move"
        yes_bid, no_bid = self.book.yes.best, self.book.no.best
        self.note_prices(
            pool, now_ns, None if yes_bid == NO_BID else yes_bid, None if no_bid == NO_BID else DOLLAR - no_bid
        )

    def view(self) -> MarketView:
        """The frozen picture of it."""
        book = self.book
        return MarketView(
            market=self.market,
            yes=() if book is None else book.ladder(Side.YES),
            no=() if book is None else book.ladder(Side.NO),
            trusted=self.trusted,
            owner=None if self.connection == NOBODY else (self.connection, self.sid),
            last_seq=self.last_seq,
            clock=self.clock,
            book_ns=self.book_ns,
            heard_ns=self.heard_ns,
            trades=_items(self.trades),
            prices=_items(self.prices),
            last_trade=self.last_trade,
            traded_size=self.traded_size,
            ticker=self.ticker,
            lifecycle=self.lifecycle,
            position=sum(self.positions.values()) if self.positions else None,
            position_report=self.position_report,
            orders=tuple(order for _, order in sorted(self.orders.items())) if self.orders else (),
            fills=_items(self.fills),
            rest=self.rest,
        )

    def save(self) -> SavedMarket:
        """Everything, as plain values."""
        return SavedMarket(self.view(), self.book is not None, dict(sorted((self.positions or {}).items())))


_BORN: Final = Lifecycle()


def restore(saved: SavedMarket, pool: Pool) -> MarketState:
    """The market that `save` gave these values of."""
    view = saved.view
    state = MarketState(view.market)
    if saved.has_book:
        state.book = Book()
        state.book.snapshot(view.yes, view.no)
    state.trusted = view.trusted
    state.connection, state.sid = view.owner or (NOBODY, 0)
    state.last_seq, state.clock = view.last_seq, view.clock
    state.book_ns, state.heard_ns = view.book_ns, view.heard_ns
    state.trades = Ring(pool, view.trades) if view.trades else None
    state.prices = Ring(pool, view.prices) if view.prices else None
    state.fills = Ring(pool, view.fills) if view.fills else None
    state.last_trade, state.traded_size = view.last_trade, view.traded_size
    state.ticker, state.lifecycle, state.rest = view.ticker, view.lifecycle, view.rest
    state.positions, state.position_report = saved.positions or None, view.position_report
    state.orders = {order.order_id: order for order in view.orders} or None
    return state


def _items(ring: Ring[T] | None) -> tuple[T, ...]:
    return () if ring is None else ring.items()
