"""What a connection carries: its subscriptions, how far each has counted, and the commands that were sent on it.

Knows the numbering of PROTOCOL section 6, per (connection, sid). Must not know gaps: `core.session` judges.
"""

from typing import Annotated, Final

import msgspec

from core.cells import (
    C_HEARD,
    C_NUMBER,
    C_OPEN,
    CONNECTION_CELLS,
    H_SERIAL,
    S_CONNECTION,
    S_HEARD,
    S_NEXT,
    S_NUMBER,
    S_SERIAL,
    S_SID,
    S_YES_PRICE,
    SUBSCRIPTION_CELLS,
    Memory,
)
from core.machine import MAX_TOTAL
from core.messages.types import BookDelta, BookSnapshot, Message, Ticker, Trade
from core.views import ConnectionView, SubscriptionView

MAX_PENDING: Final = 1_024
"""Commands remembered a connection; the exchange answers within seconds and takes 10,000 a second at the very most."""

MAX_SUBSCRIPTIONS: Final = 1_024
"""Live subscriptions remembered a connection, and as many ended ones; the exchange has 13 channels, one sid each."""

MAX_NAMED_MARKETS: Final = 65_536
"""Markets without a book that a subscription is remembered to carry: more than were ever open at once."""

BOOK_CHANNEL: Final = "orderbook_delta"

_CHANNELS: Final[dict[type, str]] = {
    BookSnapshot: BOOK_CHANNEL,
    BookDelta: BOOK_CHANNEL,
    Ticker: "ticker",
    Trade: "trade",
}


class SavedSubscription(msgspec.Struct):
    """A subscription as plain values."""

    sid: int
    heard_ns: int
    channel: str = ""
    next_seq: int = 0
    first_seq: int = 0
    acknowledged: bool = False
    use_yes_price: bool = False
    markets: dict[str, bool] = msgspec.field(default_factory=dict)


class SavedConnection(msgspec.Struct):
    """A connection as plain values."""

    number: int
    opened_ns: int
    heard_ns: int
    is_open: bool = True
    use_yes_price: bool = False
    lost_gap: int = 0
    subscriptions: dict[int, SavedSubscription] = msgspec.field(default_factory=dict)
    ended: dict[int, int] = msgspec.field(default_factory=dict)
    pending: dict[int, bool] = msgspec.field(default_factory=dict)


class Subscription:
    """A live sid. `markets`: carried, True where a book was snapshotted here.

    first_seq: the first number that came, 0 = none yet. acknowledged: its `subscribed` was seen.
    What changes with every frame lies in cells, where the machine counts it.
    """

    __slots__ = ("_memory", "acknowledged", "at", "channel", "first_seq", "markets", "sid")

    def __init__(self, memory: Memory, connection: "Connection", saved: SavedSubscription) -> None:
        self._memory = memory
        self.at = memory.take(SUBSCRIPTION_CELLS)
        plain, at = memory.plain, self.at
        plain[at + S_CONNECTION], plain[at + S_NUMBER], plain[at + S_SID] = connection.at, connection.number, saved.sid
        self._renew()
        self.sid = saved.sid
        self.next_seq = saved.next_seq
        self.heard_ns = saved.heard_ns
        self.use_yes_price = saved.use_yes_price
        self.channel = saved.channel
        self.first_seq = saved.first_seq
        self.acknowledged = saved.acknowledged
        self.markets = dict(saved.markets)

    @property
    def next_seq(self) -> int:
        """The number that the next frame has, 0 = whatever comes first."""
        return self._memory.plain[self.at + S_NEXT]

    @next_seq.setter
    def next_seq(self, seq: int) -> None:
        self._memory.plain[self.at + S_NEXT] = min(seq, MAX_TOTAL)

    @property
    def heard_ns(self) -> int:
        """When its last numbered frame in order came."""
        return self._memory.plain[self.at + S_HEARD]

    @heard_ns.setter
    def heard_ns(self, now_ns: int) -> None:
        self._memory.plain[self.at + S_HEARD] = now_ns

    @property
    def use_yes_price(self) -> bool:
        """Whether prices of the no side are on the yes scale."""
        return bool(self._memory.plain[self.at + S_YES_PRICE])

    @use_yes_price.setter
    def use_yes_price(self, use_yes_price: bool) -> None:
        self._memory.plain[self.at + S_YES_PRICE] = use_yes_price

    def books(self) -> tuple[str, ...]:
        """The markets with a book here, sorted."""
        return tuple(sorted(market for market, has_book in self.markets.items() if has_book))

    def save(self) -> SavedSubscription:
        """The same as plain values, in an order that does not tell how it came about."""
        return SavedSubscription(
            self.sid, self.heard_ns, self.channel, self.next_seq, self.first_seq, self.acknowledged, self.use_yes_price,
            dict(sorted(self.markets.items())),
        )  # fmt: skip

    def learn(self, message: Message) -> None:
        """Take from a data message what it tells of its subscription: the channel, and the market."""
        channel = _CHANNELS.get(type(message))
        if channel is None:
            return
        self.channel = self.channel or channel
        market: str = message.market  # type: ignore[union-attr]  # every type in _CHANNELS has one
        if len(self.markets) < MAX_NAMED_MARKETS:
            self.markets.setdefault(market, False)

    def relist(self, markets: tuple[str, ...]) -> list[str]:
        """Carry these markets and no others; the ones that went."""
        listed = set(markets)
        dropped = [market for market in self.markets if market not in listed]
        for market in dropped:
            del self.markets[market]
        for market in markets[: MAX_NAMED_MARKETS - len(self.markets)]:
            self.markets.setdefault(market, False)
        if dropped:
            self._renew()
        return dropped

    def link(self, market: str, told: int) -> None:
        """Let the machine know that this subscription carries a market, in the two cells there."""
        if market in self.markets:
            plain = self._memory.plain
            plain[told], plain[told + 1] = self.at, plain[self.at + S_SERIAL]

    def release(self) -> None:
        """Give its cells back; it must not be used afterwards."""
        self._memory.give_back(self.at, SUBSCRIPTION_CELLS)

    def _renew(self) -> None:
        """What the machine knows of its markets holds no more."""
        plain = self._memory.plain
        plain[H_SERIAL] += 1
        plain[self.at + S_SERIAL] = plain[H_SERIAL]


class Connection:
    """A socket: `ended` maps the sids that are over to their last seq; `pending` commands' ids to use_yes_price.

    use_yes_price: as the latest book subscribe on it asked, for frames that come before their `subscribed`.
    lost_gap: number of the reconnect gap that its end opened, 0 = none.
    """

    __slots__ = (
        "_memory", "at", "ended", "lost_gap", "number", "opened_ns", "pending", "subscriptions", "use_yes_price",
    )  # fmt: skip

    def __init__(self, memory: Memory, saved: SavedConnection) -> None:
        self._memory = memory
        self.at = memory.take(CONNECTION_CELLS)
        memory.plain[self.at + C_NUMBER] = self.number = saved.number
        self.opened_ns = saved.opened_ns
        self.heard_ns = saved.heard_ns
        self.is_open = saved.is_open
        self.use_yes_price = saved.use_yes_price
        self.lost_gap = saved.lost_gap
        self.subscriptions = {sid: Subscription(memory, self, entry) for sid, entry in saved.subscriptions.items()}
        self.ended = dict(saved.ended)
        self.pending = dict(saved.pending)

    @property
    def heard_ns(self) -> int:
        """When anything last came on it."""
        return self._memory.plain[self.at + C_HEARD]

    @heard_ns.setter
    def heard_ns(self, now_ns: int) -> None:
        self._memory.plain[self.at + C_HEARD] = now_ns

    @property
    def is_open(self) -> bool:
        """Whether it is not over."""
        return bool(self._memory.plain[self.at + C_OPEN])

    @is_open.setter
    def is_open(self, is_open: bool) -> None:
        self._memory.plain[self.at + C_OPEN] = is_open

    def add(self, sid: int, now_ns: int) -> Subscription:
        """Begin a subscription that a frame tells of."""
        self.ended.pop(sid, None)
        self._drop(sid)
        saved = SavedSubscription(sid, now_ns, use_yes_price=self.use_yes_price)
        subscription = self.subscriptions[sid] = Subscription(self._memory, self, saved)
        if len(self.subscriptions) > MAX_SUBSCRIPTIONS:
            self._drop(min(self.subscriptions))
        return subscription

    def end(self, sid: int) -> None:
        """A subscription is over; frames of it that still come are dead."""
        self.ended[sid] = max(self.subscriptions[sid].next_seq - 1, 0)
        self._drop(sid)
        if len(self.ended) > MAX_SUBSCRIPTIONS:
            del self.ended[min(self.ended)]

    def renew(self, now_ns: int) -> None:
        """It is a new connection under the old number: nothing is subscribed."""
        self._forget()
        self.opened_ns = self.heard_ns = now_ns

    def close(self) -> None:
        """It is over, and all it carried."""
        self.is_open = False
        self._forget()
        self.pending.clear()

    def release(self) -> None:
        """Give its cells back; it must not be used afterwards."""
        self._forget()
        self._memory.give_back(self.at, CONNECTION_CELLS)

    def last_seq(self, sid: int) -> int:
        """The last number of a sid, live or ended; 0 = none."""
        subscription = self.subscriptions.get(sid)
        return self.ended.get(sid, 0) if subscription is None else max(subscription.next_seq - 1, 0)

    def markets(self) -> tuple[str, ...]:
        """All markets it carries, sorted."""
        return tuple(sorted({market for s in self.subscriptions.values() for market in s.markets}))

    def note_subscribe(self, command_id: int, use_yes_price: bool) -> None:
        """A subscribe to the book channel was sent."""
        self.use_yes_price = use_yes_price
        self.pending[command_id] = use_yes_price
        if len(self.pending) > MAX_PENDING:
            del self.pending[min(self.pending)]

    def save(self) -> SavedConnection:
        """The same as plain values, in an order that does not tell how it came about."""
        return SavedConnection(
            self.number, self.opened_ns, self.heard_ns, self.is_open, self.use_yes_price, self.lost_gap,
            {sid: subscription.save() for sid, subscription in sorted(self.subscriptions.items())},
            dict(sorted(self.ended.items())), dict(sorted(self.pending.items())),
        )  # fmt: skip

    def view(self) -> ConnectionView:
        """The frozen picture of it."""
        subscriptions = tuple(
            SubscriptionView(s.sid, s.channel, max(s.next_seq - 1, 0), s.use_yes_price, tuple(sorted(s.markets)))
            for _, s in sorted(self.subscriptions.items())
        )
        return ConnectionView(self.number, self.is_open, self.opened_ns, self.heard_ns, subscriptions)

    def _drop(self, sid: int) -> None:
        subscription = self.subscriptions.pop(sid, None)
        if subscription is not None:
            subscription.release()

    def _forget(self) -> None:
        for sid in list(self.subscriptions):
            self._drop(sid)
        self.ended.clear()


class _Params(msgspec.Struct, frozen=True):
    channels: tuple[str, ...] = ()
    use_yes_price: bool | None = None


class _Command(msgspec.Struct, frozen=True):
    id: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = 0
    cmd: str = ""
    params: _Params = _Params()


_COMMAND = msgspec.json.Decoder(_Command)


def book_subscribe(payload: bytes) -> tuple[int, bool] | None:
    """(id, use_yes_price) when a sent text frame subscribes to books, else None; any bytes will do."""
    try:
        command = _COMMAND.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if command.cmd != "subscribe" or BOOK_CHANNEL not in command.params.channels:
        return None
    return command.id, bool(command.params.use_yes_price)
