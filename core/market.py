"""Everything kept of one market, and its two other forms: the frozen view and the plain values of a checkpoint.

Knows what belongs together: its cells, which the machine changes, and what is no number. Must not know what may change
it: that is `core.store`.
"""

from array import array
from collections.abc import Sequence
from typing import Final

import msgspec

from core.book import SIDES, Book
from core.cells import (
    M_BOOK_NS,
    M_CLOCK,
    M_CONNECTION,
    M_HAS_BOOK,
    M_HEARD_NS,
    M_ID,
    M_SEQ,
    M_SID,
    M_TICKER,
    M_TOLD,
    M_TRADED,
    M_TRADES,
    M_TRUSTED,
    MARKET_CELLS,
    NO_BID,
    NULL,
    SCRATCH,
    T_EXCHANGE_NS,
    T_HAS,
    T_SENDING_MS,
    T_SEQ,
    T_SID,
    T_VALUES,
    TRADE_CELLS,
    UNTOLD,
)
from core.changes import Change, ChangeKind
from core.ids import Ids
from core.lifecycle import Lifecycle
from core.messages.types import Fill, MarketPosition, Side, Ticker, Trade, UserOrder
from core.money import DOLLAR
from core.rings import CellRing, Pool, Ring
from core.views import MarketView, PricePoint, RecentTrade, RestBook

NOBODY: Final = -1
"""The connection that owns a book which nobody owns."""

TICKER_VALUES: Final = (
    "price",
    "yes_bid",
    "yes_ask",
    "yes_bid_size",
    "yes_ask_size",
    "last_trade_size",
    "volume",
    "open_interest",
    "dollar_volume",
    "dollar_open_interest",
)
"""A ticker's values in the order of their cells."""

_ODD: Final = 2  # what T_HAS says of a ticker that is kept as a message
_TAKERS: Final = (Side.YES, Side.YES, Side.NO)


class SavedMarket(msgspec.Struct):
    """A market as plain values, for checkpoints: its view, and the little that a view does not show."""

    view: MarketView
    has_book: bool
    positions: dict[int, int]


class MarketState:
    """One market. at: its cells. book, trades: what of it lies in cells, as objects.

    market_id: of the latest ticker. positions: by subaccount. orders: working ones.
    """

    __slots__ = (
        "_odd_ticker", "at", "book", "book_change", "fills", "ids", "lifecycle", "market", "market_id", "memory",
        "orders", "position_report", "positions", "rest", "ticker_change", "trade_change", "trades",
    )  # fmt: skip

    def __init__(self, market: str, pool: Pool | None = None, ids: Ids | None = None) -> None:
        pool = Pool() if pool is None else pool
        self.market = market
        self.memory = pool.memory
        self.at = pool.memory.take(MARKET_CELLS)
        plain = self.memory.plain
        plain[self.at + M_CONNECTION] = NOBODY
        plain[self.at + M_ID] = -1
        plain[self.at + M_TOLD] = plain[self.at + M_TOLD + 2] = UNTOLD
        self.book = Book(pool, self.at)
        self.trades = CellRing(pool, self.at + M_TRADES, TRADE_CELLS)
        # the same for every change of its kind, so made once
        self.book_change = Change(market, ChangeKind.BOOK)
        self.trade_change = Change(market, ChangeKind.TRADE)
        self.ticker_change = Change(market, ChangeKind.TICKER)
        self.market_id = ""
        self.fills: Ring[Fill] | None = None
        self.lifecycle = _BORN
        self.positions: dict[int, int] | None = None
        self.position_report: MarketPosition | None = None
        self.orders: dict[str, UserOrder] | None = None
        self.rest: RestBook | None = None
        self._odd_ticker: Ticker | None = None
        self.ids = Ids() if ids is None else ids

    @property
    def has_book(self) -> bool:
        """Whether there ever was a snapshot."""
        return bool(self.memory.plain[self.at + M_HAS_BOOK])

    @property
    def trusted(self) -> bool:
        """Whether nothing that belongs to the book is known to be missing."""
        return bool(self.memory.plain[self.at + M_TRUSTED])

    @trusted.setter
    def trusted(self, trusted: bool) -> None:
        self.memory.plain[self.at + M_TRUSTED] = trusted

    @property
    def owner(self) -> tuple[int, int]:
        """Connection and sid whose frames make the book; (NOBODY, 0) = nobody's."""
        plain, at = self.memory.plain, self.at
        return plain[at + M_CONNECTION], plain[at + M_SID]

    @property
    def last_seq(self) -> int:
        """The number of the last frame that changed the book."""
        return self.memory.plain[self.at + M_SEQ]

    @property
    def book_ns(self) -> int:
        """When the book last changed, 0 = never."""
        return self.memory.plain[self.at + M_BOOK_NS]

    @property
    def heard_ns(self) -> int:
        """When anything about the market was last accepted, 0 = never."""
        return self.memory.plain[self.at + M_HEARD_NS]

    @heard_ns.setter
    def heard_ns(self, now_ns: int) -> None:
        self.memory.plain[self.at + M_HEARD_NS] = now_ns

    @property
    def traded_size(self) -> int:
        """Sum of the trades seen in this session."""
        return self.memory.plain[self.at + M_TRADED]

    @property
    def ticker(self) -> Ticker | None:
        """The latest ticker."""
        plain, cell = self.memory.plain, self.at + M_TICKER
        if plain[cell + T_HAS] != 1:
            return self._odd_ticker if plain[cell + T_HAS] else None
        values = [None if value == NULL else value for value in plain[cell + T_VALUES : cell + T_VALUES + 10]]
        return Ticker(
            sid=plain[cell + T_SID], seq=plain[cell + T_SEQ], sending_ms=plain[cell + T_SENDING_MS], market=self.market,
            exchange_ns=plain[cell + T_EXCHANGE_NS], market_id=self.market_id,
            **dict(zip(TICKER_VALUES, values, strict=True)),  # type: ignore[arg-type]  # by name, each an int or None
        )  # fmt: skip

    def take_ticker(self, ticker: Ticker, now_ns: int) -> None:
        """Keep a ticker, and its prices where there has been no book."""
        if not self.has_book:
            self.book.prices.admit()
        self.market_id = ticker.market_id
        plain, at = self.memory.plain, self.at
        hand_over(plain, ticker, plain[at + M_ID])
        machine, m = self.memory.machine, self.memory.m
        machine.apply_ticker(m, at, ticker.sid, ticker.seq, now_ns, m, SCRATCH)
        if ticker.id or ticker.unknown_fields:
            self._odd_ticker = ticker
            plain[at + M_TICKER + T_HAS] = _ODD

    def take_trade(self, trade: Trade, halves: tuple[int, int], now_ns: int) -> None:
        """Keep a trade; halves: of its id."""
        self.trades.admit()
        hand_over_trade(self.memory.plain, trade, halves)
        self.memory.machine.apply_trade(self.memory.m, self.at, now_ns, self.memory.m, SCRATCH)

    def own(self, connection: int, sid: int, seq: int) -> None:
        """Whose frames make the book from now on, and the number of the last one."""
        plain, at = self.memory.plain, self.at
        plain[at + M_CONNECTION], plain[at + M_SID], plain[at + M_SEQ] = connection, sid, seq

    def disown(self) -> None:
        """Nobody's frames make this book any more; it stays to be seen, untrusted."""
        self.trusted = False
        self.own(NOBODY, 0, 0)

    def release(self) -> None:
        """Give everything back to pool and memory; it must not be used afterwards."""
        self.book.release()
        self.trades.release()
        if self.fills is not None:
            self.fills.release()
        self.memory.give_back(self.at, MARKET_CELLS)

    def last_trade(self) -> RecentTrade | None:
        """The latest trade."""
        last = self.trades.last()
        return None if last is None else _trade(last, self.ids)

    def recent_trades(self, after_ns: int = -1) -> tuple[RecentTrade, ...]:
        """The trades that are kept, oldest first; of those after an instant only, the others are not touched."""
        return tuple([_trade(item, self.ids) for item in self.trades.items(after_ns)])

    def recent_prices(self, after_ns: int = -1) -> tuple[PricePoint, ...]:
        """How the best prices moved, oldest first, likewise."""
        return tuple([_point(item) for item in self.book.prices.items(after_ns)])

    def view(self, most: int | None = None) -> MarketView:
        """The frozen picture of it. most: so many trades at most, and no prices."""
        connection, sid = self.owner
        trades = self.recent_trades() if most is None else tuple(_trade(i, self.ids) for i in self.trades.newest(most))
        return MarketView(
            market=self.market,
            yes=self.book.yes.levels(),
            no=self.book.no.levels(),
            trusted=self.trusted,
            owner=None if connection == NOBODY else (connection, sid),
            last_seq=self.last_seq,
            clock=self.memory.plain[self.at + M_CLOCK],
            book_ns=self.book_ns,
            heard_ns=self.heard_ns,
            trades=trades,
            prices=self.recent_prices() if most is None else (),
            last_trade=trades[-1] if trades else None,
            traded_size=self.traded_size,
            ticker=self.ticker,
            lifecycle=self.lifecycle,
            position=sum(self.positions.values()) if self.positions else None,
            position_report=self.position_report,
            orders=tuple(order for _, order in sorted(self.orders.items())) if self.orders else (),
            fills=() if self.fills is None else self.fills.items(),
            rest=self.rest,
        )

    def save(self, most: int | None = None) -> SavedMarket:
        """Everything, as plain values. most: see `view`."""
        return SavedMarket(self.view(most), self.has_book, dict(sorted((self.positions or {}).items())))


_BORN: Final = Lifecycle()


def restore(saved: SavedMarket, pool: Pool, ids: Ids) -> MarketState:
    """The market that `save` gave these values of."""
    view = saved.view
    state = MarketState(view.market, pool, ids)
    if saved.has_book:
        is_book = all(0 <= price <= DOLLAR for price, _ in view.yes + view.no)
        if not (is_book and state.book.snapshot(view.yes, view.no)):
            raise ValueError(f"{view.market}: no book has these levels")
    if view.ticker is not None:
        state.take_ticker(view.ticker, 0)
    state.book.prices.fill([_cells_of(point) for point in view.prices])
    for trade in view.trades:
        halves = ids.halves(trade.trade_id)
        side = SIDES[trade.taker]
        state.trades.append((trade.now_ns, trade.price, trade.count, side, trade.is_block, trade.exchange_ns, *halves))
    plain, at = pool.memory.plain, state.at
    plain[at + M_CONNECTION], plain[at + M_SID] = view.owner or (NOBODY, 0)
    plain[at + M_TRUSTED], plain[at + M_SEQ], plain[at + M_CLOCK] = view.trusted, view.last_seq, view.clock
    plain[at + M_BOOK_NS], plain[at + M_HEARD_NS], plain[at + M_TRADED] = view.book_ns, view.heard_ns, view.traded_size
    state.fills = Ring(pool, view.fills) if view.fills else None
    state.lifecycle, state.rest = view.lifecycle, view.rest
    state.positions, state.position_report = saved.positions or None, view.position_report
    state.orders = {order.order_id: order for order in view.orders} or None
    return state


def hand_over(plain: "array[int]", ticker: Ticker, code: int) -> None:
    """Put a ticker where the machine reads it; code: of its market_id."""
    plain[SCRATCH], plain[SCRATCH + 1], plain[SCRATCH + 2] = code, ticker.sending_ms, ticker.exchange_ns
    place = SCRATCH + 3
    for name in TICKER_VALUES:
        value = getattr(ticker, name)
        plain[place] = NULL if value is None else value
        place += 1


def hand_over_trade(plain: "array[int]", trade: Trade, halves: tuple[int, int]) -> None:
    """Put a trade where the machine reads it; halves: of its id."""
    plain[SCRATCH], plain[SCRATCH + 1], plain[SCRATCH + 2] = trade.price, trade.count, SIDES[trade.taker]
    plain[SCRATCH + 3], plain[SCRATCH + 4] = trade.is_block, trade.exchange_ns
    plain[SCRATCH + 5], plain[SCRATCH + 6] = halves


def _trade(item: Sequence[int], ids: Ids) -> RecentTrade:
    now_ns, price, count, side, is_block, exchange_ns, high, low = item
    return RecentTrade(now_ns, ids.text(high, low), price, count, _TAKERS[side], bool(is_block), exchange_ns)


def _point(item: Sequence[int]) -> PricePoint:
    now_ns, yes_best, no_best = item
    return PricePoint(now_ns, None if yes_best == NO_BID else yes_best, None if no_best == NO_BID else DOLLAR - no_best)


def _cells_of(point: PricePoint) -> tuple[int, int, int]:
    yes_bid, yes_ask = point.yes_bid, point.yes_ask
    return point.now_ns, NO_BID if yes_bid is None else yes_bid, NO_BID if yes_ask is None else DOLLAR - yes_ask
