"""Is a connection that brings nothing quiet, or mute? Asked by a question whose answer we know already.

Knows that a stall was seen under healthy pings (protocol 17, quirk 1) and that a quiet market at four in the morning
is none. Must not know what is done about a mute connection beyond saying so.
"""

from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Final, NamedTuple, TypeAlias

from core import commands
from core.asking import Asked, Asking, Verb
from core.channel import Channel
from core.commands import Command, Reconnect, Tell
from core.gaps import MUTE
from core.messages.types import BookSnapshot, Level
from core.records import StoredGap
from core.store import MarketStateStore, last_heard, trusted_owner

MAX_DOUBLINGS: Final = 3
"""A connection that proved to be quiet is left alone twice as long, up to 8 times."""

AUDIT_SIZE: Final = 8
"""Markets audited by one command: snapshots of quiet books, a few kB at most."""

Ladders: TypeAlias = tuple[tuple[Level, ...], tuple[Level, ...]]


class Waits(NamedTuple):
    """How long (ns): without data before a probe, a market quiet before it is audited, between two audits."""

    data_ns: int
    quiet_ns: int
    audit_ns: int


class Reason(StrEnum):
    """Why a question is put."""

    SILENCE = "silence"  # no data for too long
    ODD = "odd"  # a book's frames were refused for their numbers
    AUDIT = "audit"  # a market has been quiet for long


class Probe:
    """Watches one connection: `touched` is called for every data frame, `tick` once a second.

    vouched_ns: when data last came, or was proved not to have been sent. done, differences: how many probes had their
    answer, and how many answers differed.
    """

    __slots__ = (
        "_asked", "_asking", "_connection", "_doublings", "_known", "_next_audit_ns", "_out", "_reason", "_store",
        "_suspect", "_tried", "_waits", "differences", "done", "vouched_ns",
    )  # fmt: skip

    def __init__(
        self, connection: int, store: MarketStateStore, asking: Asking, waits: Waits, *, now_ns: int,
        out: Callable[[Command], None],
    ) -> None:  # fmt: skip
        self.vouched_ns = now_ns
        self.done = self.differences = 0
        self._connection = connection
        self._store = store
        self._asking = asking
        self._waits = waits
        self._out = out
        self._doublings = 0
        self._next_audit_ns = now_ns + waits.audit_ns
        self._asked: Asked | None = None
        self._reason = Reason.SILENCE
        self._known: dict[str, tuple[Ladders, int]] = {}  # the books asked for as we know them, and since when
        self._tried: dict[str, int] = {}  # audits without an answer, so that the next one goes to another market
        self._suspect = ""  # a market to be asked for at the next tick, whatever the time

    def touched(self, market: str, now_ns: int) -> None:
        """A data frame came, of that market or "" of none."""
        self.vouched_ns = now_ns
        self._doublings = 0
        if self._known:
            self._known.pop(market, None)  # it moved while we asked, so its answer can prove nothing

    def suspect(self, market: str) -> None:
        """Something about the book of this market is odd: ask for it soon."""
        self._suspect = market

    def tick(self, channel: Channel | None, now_ns: int) -> None:
        """Ask, if it is time to; channel: of the books, None = none are recorded here."""
        if self._asked is not None:
            return
        if self._suspect:
            suspect, self._suspect = self._suspect, ""
            chosen = [entry for entry in self._by_age(channel) if entry[1] == suspect]
            if chosen:
                self._ask(Reason.ODD, channel, chosen)
        elif now_ns - self.vouched_ns > self._waits.data_ns << self._doublings:
            self._ask(Reason.SILENCE, channel, self._by_age(channel)[-1:])
        elif now_ns >= self._next_audit_ns:
            self._next_audit_ns = now_ns + self._waits.audit_ns
            before_ns = now_ns - self._waits.quiet_ns
            quiet = [entry for entry in self._by_age(channel) if entry[0] < before_ns]
            if quiet:
                self._ask(Reason.AUDIT, channel, quiet[:AUDIT_SIZE])

    def answered(self, asked: Asked, message: BookSnapshot, now_ns: int) -> bool:
        """A snapshot came that a probe asked for, and the store took it; False: its market must be added anew."""
        market = message.market
        book, since_ns = self._known.pop(market, (None, 0))
        self._tried.pop(market, None)
        is_audit = self._reason is Reason.AUDIT
        since_ns = since_ns if is_audit else self.vouched_ns
        if not self._known:
            self.ended(asked, now_ns)
        if book is None or book == self._ladders(market):
            return True
        self.differences += 1
        why = f"the book of {market} had changed without a word"
        if not is_audit or self.differences > 1:
            self.give_up(why, since_ns, now_ns)
            return True
        self._tell(market, message.sid, why, since_ns, now_ns)
        return False

    def ended(self, asked: Asked, now_ns: int) -> None:
        """Answered, by books, a list or an error: the exchange is there."""
        self._asking.drop(asked)
        self._asked = None
        self._known.clear()
        self.done += 1
        if self._reason is Reason.SILENCE:  # an audit of other markets says nothing about the liveliest
            self._doublings = min(self._doublings + 1, MAX_DOUBLINGS)
            self.vouched_ns = now_ns

    def overdue(self, asked: Asked, now_ns: int) -> None:
        """Not all of the answer came in time."""
        self._asking.drop(asked)
        self._asked = None
        missing, self._known = self._known, {}
        match self._reason:
            case Reason.SILENCE if self.vouched_ns < asked.sent_ns:
                self.give_up("no data, and no answer to a probe", self.vouched_ns, now_ns)
            case Reason.ODD if missing:
                self.give_up(f"no answer about the odd book of {next(iter(missing))}", self.vouched_ns, now_ns)
            case Reason.AUDIT:  # no verdict on the connection: markets that do not answer twice are not to be trusted
                for market, (_, since_ns) in missing.items():
                    if self._tried.pop(market, 0):
                        self._tell(market, asked.sid, f"no snapshot of {market} came, twice", since_ns, now_ns)
                    else:
                        self._tried[market] = now_ns
            case _:
                pass

    def give_up(self, why: str, since_ns: int, now_ns: int) -> None:
        """Tell of a gap on the whole connection since then, and have it replaced."""
        self._out(Tell(StoredGap(MUTE, self._connection, from_ns=since_ns, until_ns=now_ns, detail=why)))
        self._out(Reconnect(self._connection, why))

    def restart(self, now_ns: int) -> None:
        """Nothing could be heard until now."""
        self.vouched_ns = now_ns
        if self._asked is not None:
            self._asking.drop(self._asked)
        self._asked = None
        self._known.clear()

    def unsent(self) -> None:
        """The question could not be put."""
        self._asked = None
        self._known.clear()

    def _by_age(self, channel: Channel | None) -> list[tuple[int, str]]:
        """The trusted books of this connection, those quiet for longest first."""
        if channel is None:
            return []
        owner, store, tried = (self._connection, channel.sid), self._store, self._tried
        return sorted(
            (max(last_heard(store, market), tried.get(market, 0)), market)
            for market in channel.on
            if trusted_owner(store, market) == owner
        )

    def _ask(self, reason: Reason, channel: Channel | None, chosen: list[tuple[int, str]]) -> None:
        """Ask for these books; where there is none, for the list of subscriptions, which has to do."""
        markets = tuple(market for _, market in chosen)
        self._reason = reason
        self._known = {market: (self._ladders(market), at_ns) for at_ns, market in chosen}
        sid = 0
        encode: Callable[[int], bytes] = commands.list_subscriptions
        if channel is not None and markets:
            sid = channel.sid
            encode = partial(commands.update, sid=sid, action="get_snapshot", markets=markets)
        self._asked = Asked(Verb.PROBE, "", sid, markets, encode)
        self._asking.ask(self._asked)

    def _tell(self, market: str, sid: int, why: str, since_ns: int, now_ns: int) -> None:
        self._out(Tell(StoredGap(MUTE, self._connection, sid, (market,), since_ns, now_ns, detail=why)))

    def _ladders(self, market: str) -> Ladders:
        view = self._store.view(market)
        return view.yes, view.no
