"""One connection slot: what it is to record, through all the connections that come and go in it.

Knows which conversation is the present one, and when it is of no use to talk. Must not know what is said: that is
`core.conversation`. HEARTBEAT records are its clock.
"""

from dataclasses import dataclass
from typing import Final

from core.asking import Ids
from core.commands import MARKET_CHANNELS, Command, Reconnect
from core.conversation import Conversation, DeskOptions, SubscriptionStatus
from core.engine import Step
from core.store import MarketStateStore

LEAVE_NS: Final = 30_000_000_000
"""A connection that was given up and is still there after so long is given up again."""


@dataclass(frozen=True, slots=True)
class DeskStatus:
    """A slot at one instant. connection 0 = none. books_missing: subscribed to, but without a trusted book.

    is_complete: everything wanted is confirmed, or refused for good. probes, differences: of this connection.
    """

    connection: int
    wanted: int
    is_complete: bool
    subscriptions: tuple[SubscriptionStatus, ...] = ()
    books_missing: tuple[str, ...] = ()
    probes: int = 0
    differences: int = 0


class Desk:
    """A slot. Every method takes the tape's time; what is to be done because of it is what `take` gives."""

    def __init__(self, options: DeskOptions, channels: tuple[str, ...], store: MarketStateStore) -> None:
        """channels: of this slot. store: read, never written."""
        self.commands: list[Command] = []
        self._options = options
        self._channels = channels
        self._store = store
        self._wanted: dict[str, None] = {}
        self._ids = Ids()
        self._talk: Conversation | None = None
        self._may_start_over = True
        self._is_held = self._is_leaving = False
        self._leave_until_ns = 0

    @property
    def connection(self) -> int:
        """The number of the connection it has now, 0 = none."""
        return 0 if self._talk is None else self._talk.connection

    def take(self) -> list[Command]:
        """What is to be done, once."""
        commands, self.commands = self.commands, []
        return commands

    def want(self, markets: dict[str, None], now_ns: int) -> None:
        """Record these markets and no others."""
        self._wanted = dict(markets)
        if self._talk is not None:
            self._talk.wanted = self._wanted
            if self._is_active:
                self._talk.plan(now_ns)

    def opened(self, connection: int, now_ns: int) -> None:
        """There is a new connection, on which nothing is subscribed yet."""
        self.closed()
        self._talk = Conversation(
            connection, self._options, self._channels, self._store, ids=self._ids, now_ns=now_ns, out=self._out
        )
        self._talk.repairs.may_start_over = self._may_start_over
        self.want(self._wanted, now_ns)

    def closed(self) -> None:
        """The connection is over; nothing is asked until there is another."""
        if self._talk is not None:
            repairs = self._talk.repairs
            self._may_start_over = repairs.has_any or (self._may_start_over and repairs.may_start_over)
        self._talk = None
        self._is_leaving = False
        self._leave_until_ns = 0

    def sent(self, payload: bytes, now_ns: int) -> None:
        """A command of this connection is on the tape."""
        if self._talk is not None:
            self._talk.sent(payload, now_ns)

    def unsent(self, number: int, now_ns: int) -> None:
        """A command could not be sent after all."""
        if self._talk is not None:
            self._talk.unsent(number, now_ns)

    def hold(self, now_ns: int, *, is_held: bool) -> None:
        """While the recorder cannot write, nothing is heard and nothing judged; afterwards every wait begins anew."""
        self._is_held = is_held
        if self._talk is not None and not is_held:
            self._talk.restart(now_ns)
            self.spoilt(now_ns)

    def saw(self, step: Step) -> None:
        """A text frame came on the present connection."""
        if self._talk is not None and not self._is_leaving:
            self._talk.saw(step)

    def spoilt(self, now_ns: int) -> None:
        """Books may have lost trust."""
        if self._talk is not None and self._is_active:
            self._talk.spoilt(now_ns)

    def tick(self, now_ns: int) -> None:
        """A second has passed, about."""
        if self._is_leaving:
            self._leave(now_ns)
        elif self._talk is not None and not self._is_held:
            self._talk.tick(now_ns)

    def status(self) -> DeskStatus:
        """The slot as it is now."""
        talk = self._talk
        if talk is None:
            return DeskStatus(0, len(self._wanted), is_complete=False)
        return DeskStatus(
            talk.connection,
            len(self._wanted),
            talk.is_complete,
            talk.subscriptions,
            talk.repairs.missing,
            talk.probe.done,
            talk.probe.differences,
        )

    @property
    def _is_active(self) -> bool:
        return not self._is_held and not self._is_leaving

    def _out(self, command: Command) -> None:
        """Where all commands go; once a connection is given up, nothing more is asked of it."""
        if not self._is_leaving:
            self.commands.append(command)
        self._is_leaving = self._is_leaving or isinstance(command, Reconnect)

    def _leave(self, now_ns: int) -> None:
        if not self._leave_until_ns:
            self._leave_until_ns = now_ns + LEAVE_NS
        elif now_ns > self._leave_until_ns:
            self._leave_until_ns = 0
            self.commands.append(Reconnect(self.connection, "it did not end when it should have"))


def slot_channels(channels: tuple[str, ...], slot: int) -> tuple[str, ...]:
    """What a slot subscribes to: the first one everything, the others what is split by markets."""
    return channels if slot == 0 else tuple(channel for channel in channels if channel in MARKET_CHANNELS)
