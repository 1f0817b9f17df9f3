"""The state of all markets, folded from messages: `apply` a message, `view` a market.

Knows which message may change what, and why another may not. Must not know connections' numbering (the engine hands
over only what `core.session` found in order) or strategies. Nothing a server can send raises here.
"""

from typing import Final, assert_never

import msgspec

from core import lifecycle
from core.account import Account, SavedAccount
from core.book import Book
from core.changes import Change as Change
from core.changes import ChangeKind as ChangeKind
from core.changes import Rejected as Rejected
from core.gaps import RECONNECT, RESTART, STALL, TERMINAL, Gap
from core.market import NOBODY, MarketState, SavedMarket, restore
from core.messages.types import (
    BookDelta,
    BookSnapshot,
    Fill,
    Level,
    Malformed,
    MarketLifecycle,
    MarketPosition,
    Message,
    Ok,
    Side,
    Ticker,
    Trade,
    Unsubscribed,
    UserOrder,
)
from core.money import DOLLAR
from core.rings import Pool, Ring
from core.seen import Seen
from core.views import MarketView, RecentTrade, RestBook
from core.window import Window

MAX_MARKETS: Final = 65_536
"""Markets kept: three times what is open at once. When one more comes, an eighth of them is forgotten."""

MAX_TRADE_IDS: Final = 16_384
"""Trades known again: minutes of a busy exchange, where a repeat comes within seconds, by another connection."""

MAX_TOTAL: Final = 2**63 - 1
"""Sums stop here: the widest integer a tape's columns hold."""

_YES: Final = Side.YES
_ENDS_OWNERSHIP: Final = (RECONNECT, RESTART, TERMINAL)


class SavedStore(msgspec.Struct):
    """The store as plain values, for checkpoints: markets by name, ids in the order they were met."""

    markets: tuple[SavedMarket, ...] = ()
    trade_ids: tuple[str, ...] = ()
    account: SavedAccount = msgspec.field(default_factory=SavedAccount)


class MarketStateStore:
    """All markets. Its owner alone writes; everybody else gets frozen views."""

    __slots__ = ("_account", "_markets", "_pool", "_trade_ids")

    def __init__(self, saved: SavedStore | None = None) -> None:
        self.reset(saved)

    def reset(self, saved: SavedStore | None = None) -> None:
        """Forget everything, or go on from what was saved."""
        saved = SavedStore() if saved is None else saved
        self._pool = Pool()
        self._markets = {entry.view.market: restore(entry, self._pool) for entry in saved.markets}
        self._trade_ids = Seen(MAX_TRADE_IDS, saved.trade_ids)
        self._account = Account(saved.account, sum(len(entry.view.orders) for entry in saved.markets))

    def save(self) -> SavedStore:
        """Everything, as plain values."""
        markets = tuple(state.save() for _, state in sorted(self._markets.items()))
        return SavedStore(markets, self._trade_ids.keys(), self._account.save())

    def markets(self) -> tuple[str, ...]:
        """The markets anything is known of, sorted."""
        return tuple(sorted(self._markets))

    def view(self, market: str) -> MarketView:
        """The frozen picture of a market; of an unknown one it is empty and untrusted."""
        state = self._markets.get(market)
        return MarketView(market=market) if state is None else state.view()

    def window(self, market: str, now_ns: int) -> Window:
        """Sight of a market at this instant, valid until the next record; cheaper than a view."""
        return Window(market, self._markets.get(market), now_ns)

    def lifecycle(self, market: str) -> lifecycle.Lifecycle:
        """What lifecycle messages have said of a market; cheaper than a view."""
        state = self._markets.get(market)
        return lifecycle.Lifecycle() if state is None else state.lifecycle

    def apply(
        self, message: Message | Malformed, now_ns: int, *, connection: int = 0, yes_price: bool = False
    ) -> Change | Rejected | None:
        """Fold a message in; None when it says nothing about the state of a market.

        yes_price: the subscription writes no-side prices on the yes scale (use_yes_price).
        """
        if type(message) is BookDelta:
            return self._delta(message, now_ns, connection, yes_price)
        match message:
            case Ticker():
                return self._ticker(message, now_ns)
            case Trade():
                return self._trade(message, now_ns)
            case BookSnapshot():
                return self._snapshot(message, now_ns, connection, yes_price)
            case MarketLifecycle():
                state = self._state(message.market)
                state.lifecycle = lifecycle.advance(state.lifecycle, message)
                state.heard_ns = now_ns
                return Change(message.market, ChangeKind.LIFECYCLE)
            case Fill() | UserOrder() | MarketPosition():
                return self._private(message, now_ns)
            case Ok() | Unsubscribed():
                return self._disown(connection, message)
            case _:
                return None

    def apply_rest_book(self, market: str, yes: tuple[Level, ...], no: tuple[Level, ...], now_ns: int) -> Change:
        """Keep a book that REST answered, beside the WebSocket's, which it never replaces nor makes trusted.

        yes, no: each on its own price scale, in any order.
        """
        self._state(market).rest = RestBook(now_ns, tuple(sorted(yes)), tuple(sorted(no)))
        return Change(market, ChangeKind.REST_BOOK)

    def distrust(self, gap: Gap) -> None:
        """Trust no book within the scope of a gap until its own next snapshot."""
        markets = set() if gap.reason in (RECONNECT, STALL) else set(gap.markets)  # these concern the whole connection
        for state in self._markets.values():
            if state.connection == NOBODY or gap.connection not in (0, state.connection):
                continue
            if gap.sid in (0, state.sid) and (not markets or state.market in markets):
                state.trusted = False
                if gap.reason in _ENDS_OWNERSHIP:
                    state.disown()

    def _delta(self, message: BookDelta, now_ns: int, connection: int, yes_price: bool) -> Change | Rejected:
        state = self._markets.get(message.market)
        if state is None or state.connection == NOBODY:
            return Rejected.NO_SNAPSHOT
        if state.sid != message.sid or state.connection != connection:
            return Rejected.NOT_OWNER
        seq = message.seq
        if seq:
            if seq <= state.last_seq:
                return Rejected.OUT_OF_ORDER
            state.last_seq = seq
        book = state.book
        assert book is not None, f"{message.market} has an owner but no book"
        price, delta = message.price, message.delta
        if message.side is _YES:
            ladder = book.yes
        else:
            ladder = book.no
            if yes_price:
                price = DOLLAR - price
        best = ladder.best
        fits = ladder.change(price, delta)
        state.clock = message.clock or state.clock
        state.book_ns = state.heard_ns = now_ns
        if ladder.best != best:
            state.note_book_prices(self._pool, now_ns)
        if fits:
            return state.book_change
        state.trusted = False
        return Rejected.NEGATIVE_SIZE if delta < 0 else Rejected.EXCESSIVE_SIZE

    def _snapshot(self, message: BookSnapshot, now_ns: int, connection: int, yes_price: bool) -> Change | Rejected:
        state = self._state(message.market)
        owned = state.connection == connection and state.sid == message.sid
        if owned and message.seq and message.seq <= state.last_seq:
            return Rejected.OUT_OF_ORDER
        no = tuple([(DOLLAR - price, size) for price, size in message.no]) if yes_price else message.no
        book = Book() if state.book is None else state.book
        best = (book.yes.best, book.no.best)
        if not book.snapshot(message.yes, no):
            state.trusted = False
            return Rejected.EXCESSIVE_SIZE
        state.book = book
        state.connection, state.sid, state.last_seq = connection, message.sid, message.seq
        state.clock = message.clock
        state.trusted = True
        state.book_ns = state.heard_ns = now_ns
        if best != (book.yes.best, book.no.best):
            state.note_book_prices(self._pool, now_ns)
        return state.book_change

    def _trade(self, message: Trade, now_ns: int) -> Change | Rejected:
        if not self._trade_ids.add(message.trade_id):
            return Rejected.DUPLICATE_TRADE
        state = self._state(message.market)
        trade = RecentTrade(
            now_ns,
            message.trade_id,
            message.price,
            message.count,
            message.taker,
            message.is_block,
            message.exchange_ns,
        )
        if state.trades is None:
            state.trades = Ring(self._pool)
        state.trades.append(trade)
        state.last_trade = trade
        state.traded_size = min(state.traded_size + message.count, MAX_TOTAL)
        state.heard_ns = now_ns
        return Change(message.market, ChangeKind.TRADE)

    def _ticker(self, message: Ticker, now_ns: int) -> Change:
        state = self._state(message.market)
        before, state.ticker = state.ticker, message
        state.heard_ns = now_ns
        moved = before is None or (before.yes_bid, before.yes_ask) != (message.yes_bid, message.yes_ask)
        if moved and state.book is None:
            # nobody bidding is shown as a bid of 0 and an ask of 1
            yes_ask = None if message.yes_ask == DOLLAR else message.yes_ask
            state.note_prices(self._pool, now_ns, message.yes_bid or None, yes_ask)
        return Change(message.market, ChangeKind.TICKER)

    def _private(self, message: Fill | UserOrder | MarketPosition, now_ns: int) -> Change | Rejected:
        state = self._state(message.market)
        match message:
            case Fill():
                kind, refused = ChangeKind.FILL, self._account.fill(state, message, self._pool)
            case UserOrder():
                kind, refused = ChangeKind.ORDER, self._account.order(state, message)
            case MarketPosition():
                kind, refused = ChangeKind.POSITION, self._account.position(state, message)
            case _:
                assert_never(message)
        if refused is not None:
            return refused
        state.heard_ns = now_ns
        return Change(message.market, kind)

    def _disown(self, connection: int, message: Ok | Unsubscribed) -> Change | None:
        """Books that are no longer subscribed to stand still from now on."""
        if isinstance(message, Ok) and message.markets is None:
            return None
        kept = set(message.markets or ()) if isinstance(message, Ok) else set()
        gone = [
            state
            for state in self._markets.values()
            if state.connection == connection and state.sid == message.sid and state.market not in kept
        ]
        for state in gone:
            state.disown()
        return Change("", ChangeKind.SUBSCRIPTION) if gone else None

    def _state(self, market: str) -> MarketState:
        state = self._markets.get(market)
        if state is None:
            if len(self._markets) >= MAX_MARKETS:
                for name in _least_missed(self._markets):
                    forgotten = self._markets.pop(name)
                    self._account.working -= len(forgotten.orders or ())
                    forgotten.release()
            state = self._markets[market] = MarketState(market)
        return state


def trusted_owner(store: MarketStateStore, market: str) -> tuple[int, int] | None:
    """(connection, sid) of the market's book if that is to be trusted, else None; cheaper than a view."""
    state = store._markets.get(market)
    return (state.connection, state.sid) if state is not None and state.trusted else None


def untrusted_books(store: MarketStateStore) -> tuple[str, ...]:
    """The markets, sorted, that have had a book which is not to be trusted now; cheaper than views."""
    return tuple(sorted(name for name, state in store._markets.items() if state.book is not None and not state.trusted))


def last_heard(store: MarketStateStore, market: str) -> int:
    """`now_ns` when the market's book last changed, 0 = never; cheaper than a view."""
    state = store._markets.get(market)
    return 0 if state is None else state.book_ns


def _least_missed(markets: dict[str, MarketState]) -> list[str]:
    """An eighth of them: those without orders or position first, then without a trusted book, then long unheard of."""
    ranked = sorted((bool(s.orders or s.positions), s.trusted, s.heard_ns, s.market) for s in markets.values())
    return [market for _, _, _, market in ranked[: MAX_MARKETS // 8]]
