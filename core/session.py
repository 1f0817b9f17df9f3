"""The connections' bookkeeping: is this frame the next one, and if not, what may we have missed?

Knows sids, their numbering, reconnects and silences, all per connection. Must not know books or strategies: it
reports gaps, and the engine tells it which snapshots the store accepted.
"""

from typing import Final

import msgspec

from core.cells import H_FILTERED, Memory
from core.gaps import STALL, Gap, Gaps, OpenGap
from core.messages.types import Malformed, Message
from core.numbering import Numbering, Order
from core.records import Coverage, Kind, Record, decode_closed, decode_gap, decode_opened, decode_session
from core.sockets import Sockets
from core.subscriptions import Connection, SavedConnection
from core.views import ConnectionView

STALL_NS: Final = 25_000_000_000
"""Silence that is no longer normal: the exchange pings every 10 s, so two pings and a half are missing."""


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What a frame is worth, the gaps it opens or closes, and how its subscription writes no-side prices."""

    order: Order
    gaps: tuple[Gap, ...] = ()
    use_yes_price: bool = False


_IN_ORDER: Final = Verdict(Order.IN_ORDER)
_IN_ORDER_YES: Final = Verdict(Order.IN_ORDER, use_yes_price=True)
_DEAD: Final = Verdict(Order.DEAD)


class SavedConnections(msgspec.Struct):
    """`Connections` as plain values, for checkpoints and for the base of a cut, in one order only."""

    connections: tuple[SavedConnection, ...]
    open_gaps: tuple[OpenGap, ...]
    presumed_over: tuple[Gap, ...]
    last_gap: int
    opened: int
    coverage: Coverage
    started_ns: int


class Connections:
    """The fold over everything that tells of connections."""

    __slots__ = ("_memory", "_numbering", "_sockets")

    def __init__(self, saved: SavedConnections | None = None, memory: Memory | None = None) -> None:
        self._memory = Memory() if memory is None else memory
        sockets = self._sockets = Sockets(self._memory)
        if saved is not None:
            sockets.connections = {entry.number: Connection(self._memory, entry) for entry in saved.connections}
            sockets.coverage = saved.coverage
            sockets.gaps = Gaps(saved.last_gap, saved.open_gaps, saved.presumed_over, memory=self._memory)
            sockets.opened = saved.opened
            sockets.started_ns = saved.started_ns
        self._numbering = Numbering(sockets)
        self._memory.plain[H_FILTERED] = sockets.coverage.filtered

    @property
    def opened(self) -> int:
        """How many connections the tape has had so far, those included of which only the numbering tells."""
        return self._sockets.opened

    @property
    def coverage(self) -> Coverage:
        """What the recorder of this session wrote down."""
        return self._sockets.coverage

    @property
    def open_gaps(self) -> tuple[OpenGap, ...]:
        """The gaps that are open now, oldest first."""
        return self._sockets.gaps.open_gaps

    @property
    def last_gap(self) -> int:
        """The number of the gap that opened last: how many there have been."""
        return self._sockets.gaps.last_number

    def observe(self, number: int, message: Message | Malformed, now_ns: int) -> Verdict:
        """Judge a decoded text frame of connection `number`, which counts as heard from."""
        connection = self._sockets.connections.get(number)
        if connection is None:
            connection = self._sockets.open(number, now_ns)
        elif not connection.is_open:
            return _DEAD
        return self._judge(connection, message, now_ns)

    def heard(self, number: int, now_ns: int) -> tuple[Gap, ...]:
        """Any other inbound frame, such as a ping: proof of life."""
        connection = self._sockets.connections.get(number)
        if connection is None:
            connection = self._sockets.open(number, now_ns)
        elif not connection.is_open:
            return ()
        gaps = self._stall(connection, now_ns)
        connection.heard_ns = now_ns
        return gaps

    def snapshot_seen(self, number: int, sid: int, market: str, now_ns: int) -> tuple[Gap, ...]:
        """The store accepted a snapshot: the market has a book on that subscription, and gaps may be over."""
        connection = self._sockets.connections.get(number)
        subscription = None if connection is None else connection.subscriptions.get(sid)
        if subscription is not None:
            subscription.markets[market] = True
        return self._sockets.gaps.snapshot_seen(number, sid, market, now_ns)

    def link(self, number: int, sid: int, market: str, told: int) -> None:
        """Let the machine know that a subscription carries a market, if it does, in the two cells at `told`."""
        connection = self._sockets.connections.get(number)
        subscription = None if connection is None else connection.subscriptions.get(sid)
        if subscription is not None:
            subscription.link(market, told)

    def observe_record(self, record: Record, now_ns: int) -> tuple[Gap, ...]:
        """Take note of SESSION, OPENED, CLOSED, GAP_OPEN, GAP_CLOSE and SENT; every other kind says nothing here."""
        sockets = self._sockets
        match record.kind:
            case Kind.SENT:
                sockets.sent(record.connection, record.payload, now_ns)
                return ()
            case Kind.OPENED:
                return sockets.opened_as(record.connection, decode_opened(record.payload).replaces, now_ns)
            case Kind.CLOSED:
                return sockets.closed(record.connection, now_ns, final=decode_closed(record.payload).final)
            case Kind.GAP_OPEN | Kind.GAP_CLOSE:
                closes = record.kind == Kind.GAP_CLOSE
                return sockets.gaps.stored(decode_gap(record.payload), now_ns, closes=closes)
            case Kind.SESSION:
                coverage = decode_session(record.payload).coverage
                self._memory.plain[H_FILTERED] = coverage.filtered
                return sockets.begin(coverage, now_ns)
            case _:
                return ()

    def numbering(self) -> dict[int, tuple[int, dict[int, int]] | None]:
        """Of each connection when it was heard last, and the next number of each sid: 0 = any, -1 = the sid is over.

        None for a connection that is over.
        """
        found: dict[int, tuple[int, dict[int, int]] | None] = {}
        for number, connection in self._sockets.connections.items():
            subscriptions = {sid: subscription.next_seq for sid, subscription in connection.subscriptions.items()}
            numbers = dict.fromkeys(connection.ended, -1) | subscriptions
            found[number] = (connection.heard_ns, numbers) if connection.is_open else None
        return found

    def passed(self, number: int, now_ns: int, sid: int = 0, numbers: tuple[int, int] = (0, 0)) -> None:
        """Frames came that nobody stepped, in order: when the last one did, and of a sid the first and last number.

        For whoever leaves out frames that change nothing but this. Connections and sids that are not known stay so.
        """
        connection = self._sockets.connections.get(number)
        if connection is None or not connection.is_open:
            return
        connection.heard_ns = max(connection.heard_ns, now_ns)
        subscription = connection.subscriptions.get(sid)
        if subscription is not None:
            subscription.first_seq = subscription.first_seq or numbers[0]
            subscription.next_seq, subscription.heard_ns = numbers[1] + 1, now_ns

    def views(self) -> tuple[ConnectionView, ...]:
        """The connections of this session by number; closed ones are forgotten in time."""
        return tuple(connection.view() for _, connection in sorted(self._sockets.connections.items()))

    def alive(self) -> dict[int, int]:
        """Of each connection that is up, when anything last came on it."""
        connections = sorted(self._sockets.connections.items())
        return {number: connection.heard_ns for number, connection in connections if connection.is_open}

    def adopt(self, base: SavedConnections, now_ns: int) -> tuple[Gap, ...]:
        """Go on from what a cut kept of an earlier session; reports its open gaps, numbered anew."""
        return self._sockets.adopt(base.connections, base.open_gaps, now_ns)

    def save(self) -> SavedConnections:
        """Everything, as plain values."""
        sockets = self._sockets
        return SavedConnections(
            connections=tuple(connection.save() for _, connection in sorted(sockets.connections.items())),
            open_gaps=sockets.gaps.open_gaps,
            presumed_over=sockets.gaps.presumed_over,
            last_gap=sockets.gaps.last_number,
            opened=sockets.opened,
            coverage=sockets.coverage,
            started_ns=sockets.started_ns,
        )

    def _judge(self, connection: Connection, message: Message | Malformed, now_ns: int) -> Verdict:
        gaps = list(self._stall(connection, now_ns))
        order, use_yes_price = Order.IN_ORDER, False
        if not isinstance(message, Malformed):
            order = self._numbering.judge(connection, message, now_ns, gaps)
            subscription = connection.subscriptions.get(message.sid)
            use_yes_price = subscription is not None and subscription.use_yes_price
        connection.heard_ns = now_ns
        if gaps or order is not Order.IN_ORDER:
            return Verdict(order, tuple(gaps), use_yes_price)
        return _IN_ORDER_YES if use_yes_price else _IN_ORDER

    def _stall(self, connection: Connection, now_ns: int) -> tuple[Gap, ...]:
        sockets, at_ns = self._sockets, connection.heard_ns
        if now_ns - at_ns <= STALL_NS or not sockets.coverage.control:
            return ()
        return (sockets.gaps.new(STALL, connection.number, at_ns=at_ns, until_ns=now_ns, markets=connection.markets()),)
