"""Ways to break the fold over a tape, each a mistake that somebody has made in such a program before.

Knows what of `core` to replace, in this process and until the context ends. Must not know tapes, nor what shows.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import core.engine
import core.numbering
from core.book import Book
from core.changes import Rejected
from core.engine import Engine, Step
from core.gaps import RECONNECT, Gaps
from core.messages.types import BookSnapshot, Malformed, Message, Ok, Unknown
from core.numbering import Numbering, Order
from core.records import Kind, Record
from core.session import Connections
from core.sockets import Sockets
from core.store import MarketStateStore
from core.subscriptions import Connection
from core.timeline import Timeline

Patch = tuple[Any, str, Callable[[Any], Any]]
"""Where, what, and what makes the replacement of what is there."""

_CENT: Final = 100
_HALF_SECOND_NS: Final = 500_000_000
_LOCK: Final = threading.Lock()


class Slow(Engine):
    """The engine, which takes the long way with every frame: what is replaced is then what runs."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(is_compiled=False)

    def _message(self, connection: int, message: Message | Malformed, now_ns: int) -> Step:
        return self._judged(connection, message, now_ns)


def _silent(*_: Any, **__: Any) -> tuple[()]:
    return ()


def _accept(original: Any) -> Any:
    """Numbers that were passed already are as good as any."""

    def count(self: Any, connection: Any, subscription: Any, message: Any, *rest: Any) -> Order:
        if 0 < message.seq < subscription.next_seq:
            return Order.IN_ORDER
        found: Order = original(self, connection, subscription, message, *rest)
        return found

    return count


def _unnumbered(original: Any) -> Any:
    def delta(self: Any, side: Any, price: int, size: int, now_ns: int = 0, *, seq: int = 0, clock: int = 0) -> Any:
        del seq
        return original(self, side, price, size, now_ns, clock=clock)

    return delta


def _follow(original: Any) -> Any:
    """Whatever number comes is the one to count on from."""

    def count(self: Any, connection: Any, subscription: Any, message: Any, *rest: Any) -> Order:
        if 0 < message.seq < subscription.next_seq:
            subscription.next_seq = message.seq + 1
            return Order.IN_ORDER
        found: Order = original(self, connection, subscription, message, *rest)
        return found

    return count


def _counting(original: Any) -> Any:
    """Frames are counted: one that came before pushes the count on as well."""

    def count(self: Any, connection: Any, subscription: Any, message: Any, *rest: Any) -> Order:
        found: Order = original(self, connection, subscription, message, *rest)
        subscription.next_seq += found is Order.OUT_OF_ORDER
        return found

    return count


def _uncounted(original: Any) -> Any:
    def count(self: Any, connection: Any, subscription: Any, message: Any, *rest: Any) -> Order:
        if isinstance(message, Ok):
            return Order.IN_ORDER
        found: Order = original(self, connection, subscription, message, *rest)
        return found

    return count


def _again(_: Any) -> Any:
    def trade(self: Any, message: Any, now_ns: int) -> Any:
        halves = self._seen.add(message.trade_id) or self._ids.halves(message.trade_id)
        state = self._state(message.market)
        state.take_trade(message, halves, now_ns)
        return state.trade_change

    return trade


def _stamped(original: Any) -> Any:
    """The exchange's stamp in a frame is the time."""

    def advance(self: Timeline, record: Record) -> int:
        _, found, rest = record.payload.partition(b'"ts_ms":')
        if record.kind != Kind.FRAME or not found:
            return int(original(self, record))
        self.now_ns = max(self.now_ns, int(rest[:13]) * 1_000_000)
        return self.now_ns

    return advance


def _supposed(original: Any) -> Any:
    """A frame that cannot be read was surely the next one of the books."""

    def judge(self: Any, connection: Any, message: Any, now_ns: int) -> Any:
        if isinstance(message, Malformed):
            for subscription in connection.subscriptions.values():
                subscription.next_seq += subscription.channel == "orderbook_delta"
        return original(self, connection, message, now_ns)

    return judge


def _raising(kind: type) -> Callable[[Any], Any]:
    def replacement(original: Any) -> Any:
        def decode(payload: bytes) -> Any:
            message = original(payload)
            if isinstance(message, kind):
                raise TypeError(f"no {kind.__name__} was expected")
            return message

        return decode

    return replacement


def _clamped(original: Any) -> Any:
    """A level that falls below zero is zero, and that is that."""

    def delta(self: Any, side: Any, price: int, size: int, now_ns: int = 0, *, seq: int = 0, clock: int = 0) -> Any:
        held = (self.yes if side == "yes" else self.no).size(price)
        return original(self, side, price, max(size, -held), now_ns, seq=seq, clock=clock)

    return delta


def _rounded(price_unit: int, size_unit: int) -> Callable[[Any], Any]:
    def replacement(original: Any) -> Any:
        def delta(self: Any, side: Any, price: int, size: int, *rest: Any, **named: Any) -> Any:
            return original(self, side, price // price_unit * price_unit, size // size_unit * size_unit, *rest, **named)

        return delta

    return replacement


def _unless_lost(original: Any) -> Any:
    def distrust(self: Any, gap: Any) -> None:
        if gap.reason != RECONNECT:
            original(self, gap)

    return distrust


def _from_now(original: Any) -> Any:
    """A connection is lost when its end is noticed, not when it was last heard."""

    def lose(self: Any, connection: Any, now_ns: int, *, until_ns: int | None) -> Any:
        connection.heard_ns = now_ns
        return original(self, connection, now_ns, until_ns=until_ns)

    return lose


def _added(original: Any) -> Any:
    """A snapshot is added to what is there."""

    def snapshot(self: Any, yes: Any, no: Any, *rest: Any, **named: Any) -> Any:
        merged = [tuple((dict(side.levels()) | dict(new)).items()) for side, new in ((self.yes, yes), (self.no, no))]
        return original(self, *merged, *rest, **named)

    return snapshot


def _impatient(original: Any) -> Any:
    """What the exchange stamped half a second ago is too old to be applied."""

    def apply(self: Any, message: Any, now_ns: int, **named: Any) -> Any:
        if 0 < getattr(message, "exchange_ns", 0) < now_ns - _HALF_SECOND_NS:
            return Rejected.OUT_OF_ORDER
        return original(self, message, now_ns, **named)

    return apply


def _remembering(original: Any) -> Any:
    """What a connection was at is looked at before it is forgotten."""

    def close(self: Any) -> None:
        is_open = self.is_open
        kept = {sid: subscription.save() for sid, subscription in self.subscriptions.items()}
        original(self)
        if is_open:
            _LAST.update({saved.channel: saved.next_seq for saved in kept.values()})

    return close


_LAST: dict[str, int] = {}


def _carried(original: Any) -> Any:
    """Numbers of a channel go on where those of the connection before ended."""

    def subscribed(self: Any, connection: Any, message: Any, *rest: Any) -> None:
        original(self, connection, message, *rest)
        subscription = connection.subscriptions[message.sid]
        subscription.next_seq = max(subscription.next_seq, _LAST.get(message.channel, 0))

    return subscribed


def _for_all(original: Any) -> Any:
    """One market's snapshot heals them all."""

    def apply(self: Any, message: Any, *rest: Any, **named: Any) -> Any:
        found = original(self, message, *rest, **named)
        if isinstance(message, BookSnapshot):
            for state in self.states().values():
                state.trusted = state.has_book
        return found

    return apply


def _living(_: Any) -> Any:
    """A subscription that is over is forgotten, not remembered as over."""

    def end(self: Connection, sid: int) -> None:
        self._drop(sid)

    return end


BREAKAGES: Final[Mapping[str, tuple[Patch, ...]]] = {
    "none": (),
    "gaps-unseen": ((Numbering, "_missing", lambda _: _silent),),
    "passed-numbers-taken": ((Numbering, "_count", _accept), (Book, "delta", _unnumbered)),
    "any-number-followed": ((Numbering, "_count", _follow),),
    "repeats-counted": ((Numbering, "_count", _counting),),
    "replies-uncounted": ((Numbering, "_count", _uncounted),),
    "trades-counted-twice": ((MarketStateStore, "_trade", _again),),
    "stamps-for-time": ((Timeline, "advance", _stamped),),
    "unreadable-supposed-next": ((Connections, "_judge", _supposed),),
    "unreadable-raises": ((core.engine, "decode", _raising(Malformed)),),
    "unknown-raises": ((core.engine, "decode", _raising(Unknown)),),
    "negative-clamped": ((Book, "delta", _clamped),),
    "prices-in-cents": ((Book, "delta", _rounded(_CENT, 1)),),
    "sizes-in-contracts": ((Book, "delta", _rounded(1, _CENT)),),
    "lost-connection-trusted": ((MarketStateStore, "distrust", _unless_lost),),
    "lost-when-noticed": ((Sockets, "lose", _from_now),),
    "snapshot-added": ((Book, "snapshot", _added),),
    "numbers-carried-over": ((Connection, "close", _remembering), (Numbering, "_subscribed", _carried)),
    "errors-not-terminal": ((core.numbering, "TERMINAL_CODES", lambda _: ()),),
    "overflow-not-terminal": ((core.numbering, "TERMINAL_CODES", lambda _: (10,)),),
    "one-snapshot-heals-all": ((MarketStateStore, "apply", _for_all),),
    "late-thrown-away": ((MarketStateStore, "apply", _impatient),),
    "pings-unheard": ((Connections, "heard", lambda _: _silent),),
    "told-gaps-unheard": ((Gaps, "stored", lambda _: _silent),),
    "gaps-never-heal": ((Gaps, "snapshot_seen", lambda _: _silent),),
    "dropped-markets-kept": ((MarketStateStore, "_disown", lambda _: lambda *_: None),),
    "ended-subscriptions-live": ((Connection, "end", _living),),
}
"""By name; "none" is the code as it is."""


@contextmanager
def broken(name: str) -> Iterator[None]:
    """The fold broken in this way; one thread at a time has it so, or as it is."""
    with _LOCK:
        _LAST.clear()
        before = [(place, what, getattr(place, what)) for place, what, _ in BREAKAGES[name]]
        try:
            for place, what, make in BREAKAGES[name]:
                setattr(place, what, make(getattr(place, what)))
            yield
        finally:
            for place, what, original in before:
                setattr(place, what, original)
