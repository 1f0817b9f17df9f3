"""What a connection carries: its subscriptions, how far each has counted, and the commands that were sent on it.

Knows the numbering of PROTOCOL section 6, per (connection, sid). Must not know gaps: `core.session` judges.
"""

from dataclasses import dataclass, field, replace
from typing import Annotated, Final

import msgspec

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


@dataclass(slots=True)
class Subscription:
    """A live sid. `next_seq` 0 = whatever comes first; `markets`: carried, True where a book was snapshotted here.

    first_seq: the first number that came, 0 = none yet. heard_ns: its last frame in order.
    acknowledged: its `subscribed` was seen. use_yes_price: no-side prices are on the yes scale.
    """

    sid: int
    heard_ns: int
    channel: str = ""
    next_seq: int = 0
    first_seq: int = 0
    acknowledged: bool = False
    use_yes_price: bool = False
    markets: dict[str, bool] = field(default_factory=dict)

    def books(self) -> tuple[str, ...]:
        """The markets with a book here, sorted."""
        return tuple(sorted(market for market, has_book in self.markets.items() if has_book))

    def copy(self) -> "Subscription":
        """The same, sharing nothing, in an order that does not tell how it came about."""
        return replace(self, markets=dict(sorted(self.markets.items())))

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
        return dropped


@dataclass(slots=True)
class Connection:
    """A socket: `ended` maps the sids that are over to their last seq; `pending` commands' ids to use_yes_price.

    use_yes_price: as the latest book subscribe on it asked, for frames that come before their `subscribed`.
    lost_gap: number of the reconnect gap that its end opened, 0 = none.
    """

    number: int
    opened_ns: int
    heard_ns: int
    is_open: bool = True
    use_yes_price: bool = False
    lost_gap: int = 0
    subscriptions: dict[int, Subscription] = field(default_factory=dict)
    ended: dict[int, int] = field(default_factory=dict)
    pending: dict[int, bool] = field(default_factory=dict)

    def add(self, sid: int, now_ns: int) -> Subscription:
        """Begin a subscription that a frame tells of."""
        subscription = Subscription(sid, now_ns, use_yes_price=self.use_yes_price)
        self.ended.pop(sid, None)
        self.subscriptions[sid] = subscription
        if len(self.subscriptions) > MAX_SUBSCRIPTIONS:
            del self.subscriptions[min(self.subscriptions)]
        return subscription

    def end(self, sid: int) -> None:
        """A subscription is over; frames of it that still come are dead."""
        self.ended[sid] = max(self.subscriptions.pop(sid).next_seq - 1, 0)
        if len(self.ended) > MAX_SUBSCRIPTIONS:
            del self.ended[min(self.ended)]

    def renew(self, now_ns: int) -> None:
        """It is a new connection under the old number: nothing is subscribed."""
        self.subscriptions.clear()
        self.ended.clear()
        self.opened_ns = self.heard_ns = now_ns

    def close(self) -> None:
        """It is over, and all it carried."""
        self.is_open = False
        self.subscriptions.clear()
        self.ended.clear()
        self.pending.clear()

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

    def copy(self) -> "Connection":
        """The same, sharing nothing, in an order that does not tell how it came about."""
        return replace(
            self,
            subscriptions={sid: subscription.copy() for sid, subscription in sorted(self.subscriptions.items())},
            ended=dict(sorted(self.ended.items())),
            pending=dict(sorted(self.pending.items())),
        )

    def view(self) -> ConnectionView:
        """The frozen picture of it."""
        subscriptions = tuple(
            SubscriptionView(s.sid, s.channel, max(s.next_seq - 1, 0), s.use_yes_price, tuple(sorted(s.markets)))
            for _, s in sorted(self.subscriptions.items())
        )
        return ConnectionView(self.number, self.is_open, self.opened_ns, self.heard_ns, subscriptions)


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
