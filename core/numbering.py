"""Is this frame the next of its subscription? What a connection's sids and their numbers prove, and what they do not.

Knows PROTOCOL section 6: seq is per (connection, sid), shared by all markets of it, and replies take slots too.
Must not know records: `core.session` says which connection a frame came on.
"""

from enum import Enum
from typing import Final

from core.gaps import RESTART, SEQUENCE, TERMINAL, Gap, OpenGap
from core.messages.types import BookSnapshot, ErrorReply, Message, Ok, Subscribed, Unsubscribed
from core.sockets import Sockets
from core.subscriptions import Connection, Subscription

REWIND: Final = 1_000
"""How far back numbering must jump to prove a new connection where connects were not recorded."""

TERMINAL_CODES: Final = (10, 25)
"""Errors that end their subscription: channel error, buffer overflow."""


class Order(Enum):
    """Whether a frame may be applied."""

    IN_ORDER = "in order"
    OUT_OF_ORDER = "out of order"  # its number was passed already
    DEAD = "dead"  # of a subscription or a connection that is over


class Numbering:
    """Judges the frames of these sockets by number."""

    __slots__ = ("_sockets",)

    def __init__(self, sockets: Sockets) -> None:
        self._sockets = sockets

    def judge(self, connection: Connection, message: Message, now_ns: int, found: list[Gap]) -> Order:
        """The order of a frame on an open connection; gaps that open or close are added to `found`.

        `connection.heard_ns` must still be when it was heard before this frame.
        """
        if isinstance(message, Subscribed):
            self._subscribed(connection, message, now_ns, found)
            return Order.IN_ORDER
        if not message.sid:
            return Order.IN_ORDER
        if self._proves_reconnect(connection, message):
            found += self._sockets.renumbered(connection, now_ns)
        subscription = connection.subscriptions.get(message.sid)
        if subscription is None:
            if message.sid in connection.ended:
                return Order.DEAD
            subscription = connection.add(message.sid, now_ns)
        order = self._count(connection, subscription, message, now_ns, found)
        if isinstance(message, Unsubscribed):
            found += self._end(connection, subscription, now_ns)
            return Order.IN_ORDER  # over is over, whatever its number
        if order is Order.IN_ORDER:
            found += self._heed(connection, subscription, message, now_ns)
        return order

    def _proves_reconnect(self, connection: Connection, message: Message) -> bool:
        """Numbering that begins again, where connects were not recorded, means that there was one."""
        last = connection.last_seq(message.sid)
        if self._sockets.coverage.connections or not message.seq or not last:
            return False
        return message.seq < (last if isinstance(message, BookSnapshot) else last - REWIND)

    def _count(
        self, connection: Connection, subscription: Subscription, message: Message, now_ns: int, found: list[Gap]
    ) -> Order:
        seq, expected = message.seq, subscription.next_seq
        if seq <= 0:
            return Order.IN_ORDER
        if seq < expected:
            return Order.OUT_OF_ORDER
        if seq > expected > 0 and not self._sockets.coverage.filtered:
            found += self._missing(connection, subscription, (expected, seq), subscription.heard_ns, now_ns)
        subscription.first_seq = subscription.first_seq or seq
        subscription.next_seq = seq + 1
        subscription.heard_ns = now_ns
        return Order.IN_ORDER

    def _missing(
        self, connection: Connection, subscription: Subscription, missing: tuple[int, int], at_ns: int, now_ns: int
    ) -> tuple[Gap, ...]:
        """A sequence gap; it lasts until the books of the subscription have been snapshotted again."""
        books = subscription.books()
        gap = self._sockets.gaps.new(
            SEQUENCE,
            connection.number,
            subscription.sid,
            at_ns=at_ns,
            until_ns=None if books else now_ns,
            markets=books,
            missing=missing,
        )
        return self._sockets.gaps.keep(OpenGap(gap, books), now_ns) if books else (gap,)

    def _subscribed(self, connection: Connection, message: Subscribed, now_ns: int, found: list[Gap]) -> None:
        sid = message.sid
        subscription = connection.subscriptions.get(sid)
        if subscription is not None and self._is_late(subscription):
            found += self._acknowledge_late(connection, subscription, message, now_ns)
        else:
            if subscription is not None or sid in connection.ended:
                found += self._begin_anew(connection, subscription, now_ns)
            subscription = connection.add(sid, now_ns)
            subscription.next_seq = 1
            subscription.use_yes_price = connection.pending.get(message.id, subscription.use_yes_price)
        subscription.acknowledged = True
        subscription.channel = message.channel
        found += self._sockets.gaps.channel_subscribed(connection.number, message.channel, now_ns)

    def _is_late(self, subscription: Subscription) -> bool:
        """True when `subscribed` only confirms what data told of before; data may overtake it (quirk 23)."""
        return not subscription.acknowledged and (self._sockets.coverage.connections or subscription.first_seq <= 1)

    def _acknowledge_late(
        self, connection: Connection, subscription: Subscription, message: Subscribed, now_ns: int
    ) -> tuple[Gap, ...]:
        reports: tuple[Gap, ...] = ()
        first, subscription.next_seq = subscription.first_seq, subscription.next_seq or 1
        if first > 1 and not self._sockets.coverage.filtered:
            reports = self._missing(connection, subscription, (1, first), connection.opened_ns, now_ns)
        use_yes_price = connection.pending.get(message.id, subscription.use_yes_price)
        if use_yes_price != subscription.use_yes_price and subscription.books():
            reports += self._restart(connection, subscription, now_ns)  # its books were read on the wrong scale
        subscription.use_yes_price = use_yes_price
        return reports

    def _begin_anew(self, connection: Connection, subscription: Subscription | None, now_ns: int) -> tuple[Gap, ...]:
        """A known sid is subscribed again: a new connection where connects were not recorded, else a new count."""
        if not self._sockets.coverage.connections:
            return self._sockets.renumbered(connection, now_ns)
        if subscription is None or not subscription.first_seq:
            return ()
        return self._restart(connection, subscription, now_ns)

    def _restart(self, connection: Connection, subscription: Subscription, now_ns: int) -> tuple[Gap, ...]:
        over = self._sockets.gaps.subscription_over(connection.number, subscription.sid, now_ns)
        books = subscription.books()
        gap = self._sockets.gaps.new(
            RESTART,
            connection.number,
            subscription.sid,
            at_ns=subscription.heard_ns,
            until_ns=None if books else now_ns,
            markets=books,
        )
        return (*over, *self._sockets.gaps.keep(OpenGap(gap, books), now_ns)) if books else (*over, gap)

    def _heed(
        self, connection: Connection, subscription: Subscription, message: Message, now_ns: int
    ) -> tuple[Gap, ...]:
        """What a frame in order tells of its subscription."""
        if isinstance(message, Ok):
            dropped = [] if message.markets is None else subscription.relist(message.markets)
            return (
                self._sockets.gaps.markets_dropped(connection.number, subscription.sid, dropped, now_ns)
                if dropped
                else ()
            )
        if isinstance(message, ErrorReply):
            return self._terminate(connection, subscription, now_ns) if message.code in TERMINAL_CODES else ()
        subscription.learn(message)
        return ()

    def _end(self, connection: Connection, subscription: Subscription, now_ns: int) -> tuple[Gap, ...]:
        connection.end(subscription.sid)
        return self._sockets.gaps.subscription_over(connection.number, subscription.sid, now_ns)

    def _terminate(self, connection: Connection, subscription: Subscription, now_ns: int) -> tuple[Gap, ...]:
        heard_ns = subscription.heard_ns
        over = self._end(connection, subscription, now_ns)
        books = subscription.books()
        gap = self._sockets.gaps.new(
            TERMINAL,
            connection.number,
            subscription.sid,
            at_ns=heard_ns,
            markets=books or tuple(sorted(subscription.markets)),
        )
        # without books nothing but the channel's next subscription can tell that it is over
        entry = OpenGap(gap, books, channel="" if books else subscription.channel)
        return (*over, *self._sockets.gaps.keep(entry, now_ns))
