"""The state of all markets, folded from messages: `apply` a message, `view` a market.

Knows which message may change what, and why another may not. Must not know connections' numbering (the engine hands
over only what `core.session` found in order) or strategies. Nothing a server can send raises here.
"""

from collections.abc import Iterable, Mapping
from typing import Final, assert_never

import msgspec

from core import lifecycle
from core.account import Account, SavedAccount
from core.cells import Memory
from core.changes import Change as Change
from core.changes import ChangeKind as ChangeKind
from core.changes import Rejected as Rejected
from core.gaps import RECONNECT, RESTART, STALL, TERMINAL, Gap
from core.ids import ODD, Ids, SeenIds
from core.levels import DONE, PASSED, TOO_HIGH, TOO_LOW
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
from core.rings import POOL_CAPACITY, Pool
from core.views import MarketView, RestBook
from core.window import Now, Window

MAX_MARKETS: Final = 65_536
"""Markets kept: three times what is open at once. When one more comes, an eighth of them is forgotten."""

MAX_ODD_IDS: Final = 2 * POOL_CAPACITY
"""Texts of trade ids that are no UUIDs: when there are more, those that nobody knows any more are forgotten."""

_REFUSED: Final = {
    PASSED: Rejected.OUT_OF_ORDER,
    TOO_LOW: Rejected.NEGATIVE_SIZE,
    TOO_HIGH: Rejected.EXCESSIVE_SIZE,
}
_ENDS_OWNERSHIP: Final = (RECONNECT, RESTART, TERMINAL)


class Brief(msgspec.Struct, frozen=True):
    """Less than everything: of each market so many trades at most, of no other trade the id, and no prices.

    market: this one alone, None = all of them.
    """

    trades: int
    market: str | None = None


class SavedStore(msgspec.Struct):
    """The store as plain values, for checkpoints: markets by name, ids in the order they were met."""

    markets: tuple[SavedMarket, ...] = ()
    trade_ids: tuple[str, ...] = ()
    account: SavedAccount = msgspec.field(default_factory=SavedAccount)


class MarketStateStore:
    """All markets. Its owner alone writes; everybody else gets frozen views. memory: where their numbers lie.

    shuffles: how often markets were forgotten, so that others may lie where they did. hears_account: False = private
    messages say nothing, but for those that `private` is given: they are about somebody else's orders.
    """

    __slots__ = ("_account", "_ids", "_markets", "_places", "_pool", "_seen", "hears_account", "memory", "shuffles")

    def __init__(self, saved: SavedStore | None = None, memory: Memory | None = None) -> None:
        self.memory = Memory() if memory is None else memory
        self._markets: dict[str, MarketState] = {}
        self._places: dict[int, MarketState] = {}
        self._pool = Pool(self.memory)
        self._ids = Ids()
        self._seen = SeenIds(self.memory, self._ids)
        self.shuffles = 0
        self.hears_account = True
        self.reset(saved)

    def reset(self, saved: SavedStore | None = None) -> None:
        """Forget everything, or go on from what was saved."""
        saved = SavedStore() if saved is None else saved
        self.shuffles += 1
        for state in self._markets.values():
            state.release()
        self._pool = Pool(self.memory)
        self._markets = {entry.view.market: restore(entry, self._pool, self._ids) for entry in saved.markets}
        self._places = {state.at: state for state in self._markets.values()}
        self._seen.reset(saved.trade_ids)
        self._ids.keep(_odd_ids(self._seen, self._markets))
        self._account = Account(saved.account, sum(len(entry.view.orders) for entry in saved.markets))

    def save(self, brief: Brief | None = None) -> SavedStore:
        """Everything, or what `brief` leaves of it, as plain values."""
        most, only = (None, None) if brief is None else (brief.trades, brief.market)
        names = sorted(self._markets) if only is None else [name for name in (only,) if name in self._markets]
        markets = tuple(self._markets[name].save(most) for name in names)
        keys = self._seen.keys() if brief is None else ids_of(markets)
        return SavedStore(markets, keys, self._account.save())

    def markets(self) -> tuple[str, ...]:
        """The markets anything is known of, sorted."""
        return tuple(sorted(self._markets))

    def view(self, market: str) -> MarketView:
        """The frozen picture of a market; of an unknown one it is empty and untrusted."""
        state = self._markets.get(market)
        return MarketView(market=market) if state is None else state.view()

    def window(self, market: str, now_ns: int) -> Window:
        """Sight of a market at this instant, valid until the next record; cheaper than a view."""
        return Window(market, self._markets.get(market), Now(now_ns))

    def lifecycle(self, market: str) -> lifecycle.Lifecycle:
        """What lifecycle messages have said of a market; cheaper than a view."""
        state = self._markets.get(market)
        return lifecycle.Lifecycle() if state is None else state.lifecycle

    def states(self) -> Mapping[str, MarketState]:
        """The markets as they lie, for `core.engine` and what steps with it."""
        return self._markets

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
                state = self._state(message.market)
                state.take_ticker(message, now_ns)
                return state.ticker_change
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
                return self.private(message, now_ns) if self.hears_account else None
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
            connection, sid = state.owner
            if connection == NOBODY or gap.connection not in (0, connection):
                continue
            if gap.sid in (0, sid) and (not markets or state.market in markets):
                state.trusted = False
                if gap.reason in _ENDS_OWNERSHIP:
                    state.disown()

    def _delta(self, message: BookDelta, now_ns: int, connection: int, yes_price: bool) -> Change | Rejected:
        state = self._markets.get(message.market)
        if state is None or state.owner[0] == NOBODY:
            return Rejected.NO_SNAPSHOT
        if state.owner != (connection, message.sid):
            return Rejected.NOT_OWNER
        price = DOLLAR - message.price if yes_price and message.side is Side.NO else message.price
        done = state.book.delta(message.side, price, message.delta, now_ns, seq=message.seq, clock=message.clock)
        return state.book_change if done == DONE else _REFUSED[done]

    def _snapshot(self, message: BookSnapshot, now_ns: int, connection: int, yes_price: bool) -> Change | Rejected:
        state = self._state(message.market)
        seq = message.seq
        if seq and seq <= state.last_seq and state.owner == (connection, message.sid):
            return Rejected.OUT_OF_ORDER
        if not state.book.snapshot(message.yes, message.no, now_ns, clock=message.clock, mirrored=yes_price):
            state.trusted = False
            return Rejected.EXCESSIVE_SIZE
        state.own(connection, message.sid, seq)
        return state.book_change

    def _trade(self, message: Trade, now_ns: int) -> Change | Rejected:
        halves = self._seen.add(message.trade_id)
        if halves is None:
            return Rejected.DUPLICATE_TRADE
        state = self._state(message.market)
        state.take_trade(message, halves, now_ns)
        if len(self._ids) > MAX_ODD_IDS:
            self._ids.keep(_odd_ids(self._seen, self._markets))
        return state.trade_change

    def private(self, message: Fill | UserOrder | MarketPosition, now_ns: int) -> Change | Rejected:
        """Fold in what is said of the account."""
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
            if state.owner == (connection, message.sid) and state.market not in kept
        ]
        for state in gone:
            state.disown()
        return Change("", ChangeKind.SUBSCRIPTION) if gone else None

    def _state(self, market: str) -> MarketState:
        state = self._markets.get(market)
        if state is None:
            if len(self._markets) >= MAX_MARKETS:
                self.shuffles += 1
                for name in _least_missed(self._markets):
                    forgotten = self._markets.pop(name)
                    self._account.working -= len(forgotten.orders or ())
                    del self._places[forgotten.at]
                    forgotten.release()
            state = self._markets[market] = MarketState(market, self._pool, self._ids)
            self._places[state.at] = state
        return state


def ids_of(markets: Iterable[SavedMarket]) -> tuple[str, ...]:
    """Of the trades that these markets hold."""
    return tuple(trade.trade_id for entry in markets for trade in entry.view.trades)


def state_at(store: MarketStateStore, at: int) -> MarketState:
    """The market that lies there."""
    return store._places[at]


def trusted_owner(store: MarketStateStore, market: str) -> tuple[int, int] | None:
    """(connection, sid) of the market's book if that is to be trusted, else None; cheaper than a view."""
    state = store._markets.get(market)
    return state.owner if state is not None and state.trusted else None


def untrusted_books(store: MarketStateStore) -> tuple[str, ...]:
    """The markets, sorted, that have had a book which is not to be trusted now; cheaper than views."""
    return tuple(sorted(name for name, state in store._markets.items() if state.has_book and not state.trusted))


def last_heard(store: MarketStateStore, market: str) -> int:
    """`now_ns` when the market's book last changed, 0 = never; cheaper than a view."""
    state = store._markets.get(market)
    return 0 if state is None else state.book_ns


def _odd_ids(seen: SeenIds, markets: dict[str, MarketState]) -> set[int]:
    """The numbers of the ids that are no UUIDs and that somebody still knows."""
    found = seen.odd()
    for state in markets.values():
        found.update(low for *_, high, low in state.trades.items() if high == ODD)
    return found


def _least_missed(markets: dict[str, MarketState]) -> list[str]:
    """An eighth of them: those without orders or position first, then without a trusted book, then long unheard of."""
    ranked = sorted((bool(s.orders or s.positions), s.trusted, s.heard_ns, s.market) for s in markets.values())
    return [market for _, _, _, market in ranked[: MAX_MARKETS // 8]]
