"""What is said on one connection: from the records that concern it to the commands that keep it as it is wanted.

Knows the parts (subscriptions, repairs, the probe) and which of them an answer is for. Must not know sockets, nor the
time but from records.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from core.asking import Asked, Asking, Ids, Verb
from core.changes import Change, Rejected
from core.channel import Channel
from core.commands import MARKET_CHANNELS, Command, Reconnect, command_id
from core.engine import Step
from core.messages.types import (
    Base,
    BookDelta,
    BookSnapshot,
    ErrorReply,
    Malformed,
    Message,
    Ok,
    Subscribed,
    SubscriptionList,
    Ticker,
    Trade,
    Unsubscribed,
)
from core.probe import Probe, Waits
from core.repairs import Repairs
from core.store import MarketStateStore
from core.subscriber import Subscriber

_S: Final = 1_000_000_000
MAX_BEHIND: Final = 32
"""Frames of a subscription in a row whose numbers were passed already: more than one batch that was sent twice."""

_PASSED: Final = (Rejected.OUT_OF_ORDER, Rejected.DEAD_SUBSCRIPTION)
_SPOILT: Final = (Rejected.NEGATIVE_SIZE, Rejected.EXCESSIVE_SIZE)
_REPLIES: Final = (Subscribed, Ok, Unsubscribed, ErrorReply, SubscriptionList)


@dataclass(frozen=True, slots=True)
class DeskOptions:
    """What is subscribed to and how long things may take (s); the defaults are RELIABILITY's.

    ack_wait_s: for an answer before a command is repeated, once. snapshot_wait_s: for a book. data_deadline_s: without
    data before a probe, doubling up to 8 times. probe_wait_s: for its answer. Markets quiet for audit_quiet_s are
    audited, a few each audit_every_s. list_every_s: how often the exchange is asked what it thinks is subscribed.
    """

    channels: tuple[str, ...] = MARKET_CHANNELS
    use_yes_price: bool = False
    markets_per_command: int = 256
    ack_wait_s: float = 10.0
    snapshot_wait_s: float = 10.0
    probe_wait_s: float = 10.0
    data_deadline_s: float = 120.0
    audit_quiet_s: float = 900.0
    audit_every_s: float = 30.0
    list_every_s: float = 300.0

    def wait_ns(self, verb: Verb) -> int:
        """How long an answer to such a command is waited for."""
        waits = {Verb.SNAPSHOT: self.snapshot_wait_s, Verb.PROBE: self.probe_wait_s}
        return int(waits.get(verb, self.ack_wait_s) * _S)


@dataclass(frozen=True, slots=True)
class SubscriptionStatus:
    """A channel of a connection: how many markets are confirmed, and why it, or some of them, cannot be had."""

    channel: str
    sid: int
    is_live: bool
    markets: int
    refused: tuple[tuple[str, str], ...] = ()
    given_up: str = ""
    trouble: str = ""


class Conversation:
    """One connection's. wanted: the markets to record. may_start_over: see Repairs.

    store: read, never written. ids: of the slot, never used twice. out: takes what is to be done.
    """

    def __init__(
        self, connection: int, options: DeskOptions, channels: tuple[str, ...], store: MarketStateStore, *, ids: Ids,
        now_ns: int, out: Callable[[Command], None],
    ) -> None:  # fmt: skip
        self.connection = connection
        self.wanted: dict[str, None] = {}
        self._out = out
        self._options = options
        self._asking = Asking(connection, ids, out)
        size = options.markets_per_command
        self._subscriber = Subscriber(
            connection, channels, self._asking, size=size, use_yes_price=options.use_yes_price, out=out
        )
        self._repairs = Repairs(
            connection, store, self._asking, size=size, wait_ns=options.wait_ns(Verb.SNAPSHOT), out=out
        )
        waits = Waits(*(int(s * _S) for s in (options.data_deadline_s, options.audit_quiet_s, options.audit_every_s)))
        self._probe = Probe(connection, store, self._asking, waits, now_ns=now_ns, out=out)
        self._behind: dict[int, tuple[int, int]] = {}  # by sid: how many in a row, and since when
        self._list_ns = int(options.list_every_s * _S)
        self._next_list_ns = now_ns + self._list_ns

    @property
    def repairs(self) -> Repairs:
        """The state of the books."""
        return self._repairs

    @property
    def probe(self) -> Probe:
        """The state of the watch for silence."""
        return self._probe

    @property
    def is_complete(self) -> bool:
        """Whether everything wanted is confirmed, or refused for good."""
        return all(channel.is_complete(self.wanted) for channel in self._subscriber.channels.values())

    @property
    def subscriptions(self) -> tuple[SubscriptionStatus, ...]:
        """Its channels as they are now."""
        return tuple(_status(channel) for channel in self._subscriber.channels.values())

    def plan(self, now_ns: int) -> None:
        """Ask for what is wanted and not there."""
        self._subscriber.plan(self.wanted, now_ns)

    def sent(self, payload: bytes, now_ns: int) -> None:
        """A command is on the tape: from now on an answer is waited for."""
        self._asking.sent(command_id(payload), now_ns)

    def unsent(self, number: int, now_ns: int) -> None:
        """A command could not be sent after all; the connection may be ending."""
        asked = self._asking.unsent(number)
        if asked is None:
            return
        match asked.verb:
            case Verb.SNAPSHOT:
                self._repairs.unsent(asked, now_ns)
            case Verb.PROBE:
                self._probe.unsent()
            case _:
                self._subscriber.unsent(asked, now_ns)

    def restart(self, now_ns: int) -> None:
        """Nothing could be heard until now: every wait begins anew."""
        self._asking.restart(now_ns)
        self._repairs.restart(now_ns)
        self._probe.restart(now_ns)

    def saw(self, step: Step) -> None:
        """A text frame came."""
        message, now_ns = step.message, step.now_ns
        kind = type(message)
        if step.change in _PASSED:
            self._passed(message, step)
        elif kind is BookDelta:
            self._probe.touched(message.market, now_ns)  # type: ignore[union-attr]  # a BookDelta
        elif kind is Trade or kind is Ticker:
            self._probe.touched("", now_ns)
        elif isinstance(message, BookSnapshot):
            self._snapshot(message, step)
        elif isinstance(message, _REPLIES):
            self._reply(message, now_ns)
            self.plan(now_ns)
        elif not isinstance(message, Malformed):
            self._probe.touched("", now_ns)
        if self._behind and step.change not in _PASSED:
            self._behind.pop(message.sid if isinstance(message, Base) else 0, None)
        if step.gaps or step.change in _SPOILT:
            self.spoilt(now_ns)

    def spoilt(self, now_ns: int) -> None:
        """Books may have lost trust, or it is time to look."""
        book = self._subscriber.book
        if book is not None:
            self._repairs.check(book, now_ns)
            self.plan(now_ns)

    def tick(self, now_ns: int) -> None:
        """A second has passed, about."""
        for asked in self._asking:
            if asked.sent_ns and now_ns - asked.sent_ns > self._options.wait_ns(asked.verb):
                self._overdue(asked, now_ns)
        if now_ns >= self._next_list_ns or self._subscriber.listing_due:
            self._next_list_ns = now_ns + self._list_ns
            self._subscriber.list_all()
        self.spoilt(now_ns)
        self._probe.tick(self._subscriber.book, now_ns)
        self.plan(now_ns)

    def _passed(self, message: Message | Malformed | None, step: Step) -> None:
        """A frame whose number was passed already, or of a subscription that is over: it was not applied.

        One may be a repetition. But numbering that began anew would have every frame refused from now on, in silence:
        so a book is probed at once, and after a few in a row the connection is given up.
        """
        if isinstance(message, _REPLIES):
            self._reply(message, step.now_ns)
            return
        if step.change is not Rejected.OUT_OF_ORDER or not isinstance(message, Base):
            return
        if isinstance(message, BookDelta | BookSnapshot):
            self._probe.suspect(message.market)
        count, since_ns = self._behind.get(message.sid, (0, step.now_ns))
        self._behind[message.sid] = (count + 1, since_ns)
        if count + 1 >= MAX_BEHIND:
            del self._behind[message.sid]
            self._probe.give_up(f"the numbering of subscription {message.sid} went back", since_ns, step.now_ns)

    def _snapshot(self, message: BookSnapshot, step: Step) -> None:
        asked = self._asking.get(message.id)
        if type(step.change) is not Change:
            self._probe.touched(message.market, step.now_ns)
            return
        self._repairs.snapshot(message.market, step.now_ns)
        if asked is None or asked.verb is not Verb.PROBE:
            self._probe.touched(message.market, step.now_ns)
        elif not self._probe.answered(asked, message, step.now_ns):
            book = self._subscriber.book
            if book is not None:
                book.gone[message.market] = None

    def _reply(self, message: Message, now_ns: int) -> None:
        subscriber = self._subscriber
        asked = self._asking.get(message.id)
        verb = None if asked is None else asked.verb
        match message:
            case Subscribed():
                subscriber.subscribed(message, now_ns)
            case Ok():
                subscriber.ok(message, now_ns)
            case Unsubscribed():
                subscriber.unsubscribed(message)
            case SubscriptionList() if asked is not None and verb is Verb.PROBE:
                self._probe.ended(asked, now_ns)
            case SubscriptionList():
                subscriber.listed(message, now_ns)
            case ErrorReply() if asked is not None and verb in (Verb.PROBE, Verb.SNAPSHOT):
                self._snapshot_refused(asked, message, now_ns)
            case ErrorReply():
                subscriber.refused(message, now_ns)
            case _:
                pass

    def _snapshot_refused(self, asked: Asked, message: ErrorReply, now_ns: int) -> None:
        """An error in answer to get_snapshot; if it says that the subscription is over, that is what matters."""
        self._asking.answer(message.id)
        if asked.verb is Verb.PROBE:
            self._probe.ended(asked, now_ns)
        else:
            self._repairs.refused(asked, message, now_ns)
        self._subscriber.refused(message, now_ns)

    def _overdue(self, asked: Asked, now_ns: int) -> None:
        match asked.verb:
            case Verb.SNAPSHOT:
                self._repairs.overdue(asked, now_ns)
            case Verb.PROBE:
                self._probe.overdue(asked, now_ns)
            case _:
                why = self._subscriber.overdue(asked)
                if why:
                    self._give_up(why, asked.sent_ns, now_ns)

    def _give_up(self, why: str, asked_ns: int, now_ns: int) -> None:
        """Have the connection replaced. Where nothing came since it was asked, data may have stopped long before:
        pings, which a socket brings all the same, do not vouch for them."""
        carries = any(channel.sid for channel in self._subscriber.channels.values())
        if carries and self._probe.vouched_ns < asked_ns:
            self._probe.give_up(why, self._probe.vouched_ns, now_ns)
        else:
            self._out(Reconnect(self.connection, why))


def _status(channel: Channel) -> SubscriptionStatus:
    return SubscriptionStatus(
        channel.name,
        channel.sid,
        channel.is_live,
        len(channel.on),
        tuple(channel.refused.items()),
        channel.given_up,
        channel.trouble,
    )
