"""Gaps: spans in which we know that we may not know. Their numbers, and when each of them is over.

Knows which gaps are open and what each waits for. Must not know how a gap is found: that is the session's, or the
recorder's where only it could know.
"""

from dataclasses import dataclass
from typing import Final

import msgspec

from core.cells import H_OPEN_GAPS, Memory
from core.records import StoredGap

SEQUENCE: Final = "sequence"
"""Numbers of a subscription are missing."""

RECONNECT: Final = "reconnect"
"""A connection was lost; it lasts until the next one is up."""

STALL: Final = "stall"
"""An open connection brought nothing, not even a ping, for too long."""

TERMINAL: Final = "terminal"
"""The exchange ended a subscription by an error."""

RESTART: Final = "restart"
"""A live subscription began anew under its old number."""

MUTE: Final = "mute"
"""Data stopped while all else went on: only a probe can find it, so the recorder stores it."""

MAX_OPEN: Final = 256
"""Gaps open at once: more than connections and subscriptions there can be. The oldest is closed to admit one more."""

MAX_OPEN_SEQUENCE: Final = 16
"""Sequence gaps open at once on one subscription; the later ones last as long as the oldest would have."""


class Gap(msgspec.Struct, frozen=True, gc=False):
    """A span in which we may have missed something; reported when it opens and again, same number, when it closes.

    number: 1, 2, 3 ... within a tape. reason: one of the above, or a stored gap's own (down, disk_full ...).
    connection, sid, markets: scope; 0 and empty mean everything. expected, got: only with reason sequence.
    at_ns: the last instant vouched for; until_ns: the first one after, None while open.
    """

    number: int
    reason: str
    connection: int
    sid: int
    expected: int | None
    got: int | None
    at_ns: int
    until_ns: int | None
    markets: tuple[str, ...]


class OpenGap(msgspec.Struct, frozen=True):
    """An open gap and what it waits for, as a value: the snapshots of markets, or `channel` subscribed again.

    channel: "" = nothing of the kind. stored: the recorder told of it, and will of its end.
    """

    gap: Gap
    waiting: tuple[str, ...] = ()
    channel: str = ""
    stored: bool = False


@dataclass(slots=True)
class _Open:
    gap: Gap
    waiting: set[str]
    channel: str
    stored: bool


class Gaps:
    """All open gaps of a tape, by number, and the last number given.

    presumed_over: gaps the recorder told of, which this session's beginning closed; it may still say when they ended.
    """

    __slots__ = ("_memory", "_open", "last_number", "presumed_over")

    def __init__(
        self,
        last_number: int = 0,
        open_gaps: tuple[OpenGap, ...] = (),
        presumed_over: tuple[Gap, ...] = (),
        *,
        memory: Memory | None = None,
    ) -> None:
        """memory: where the machine sees how many are open."""
        self._memory = Memory() if memory is None else memory
        self.last_number = last_number
        self.presumed_over = presumed_over
        self._open: dict[int, _Open] = {}
        for entry in open_gaps:
            self._open[entry.gap.number] = _Open(entry.gap, set(entry.waiting), entry.channel, entry.stored)
        self._memory.plain[H_OPEN_GAPS] = len(self._open)

    @property
    def open_gaps(self) -> tuple[OpenGap, ...]:
        """The open ones, oldest first."""
        return tuple(
            OpenGap(entry.gap, tuple(sorted(entry.waiting)), entry.channel, entry.stored)
            for entry in self._open.values()
        )

    def new(
        self,
        reason: str,
        connection: int,
        sid: int = 0,
        *,
        at_ns: int,
        until_ns: int | None = None,
        markets: tuple[str, ...] = (),
        missing: tuple[int, int] | None = None,
    ) -> Gap:
        """Number a gap; it is nobody's concern any more unless it is given to `keep` (missing = expected, got)."""
        self.last_number += 1
        expected, got = (None, None) if missing is None else missing
        return Gap(self.last_number, reason, connection, sid, expected, got, at_ns, until_ns, markets)

    def keep(self, entry: OpenGap, now_ns: int) -> tuple[Gap, ...]:
        """Keep a gap open. Reports it, and before it the one that had to be closed to bound their number."""
        gap = entry.gap
        like = [number for number, other in self._open.items() if _same_subscription(other.gap, gap)]
        reports: tuple[Gap, ...] = ()
        if len(like) >= MAX_OPEN_SEQUENCE:
            reports = (self.close(like[0], now_ns),)
        elif len(self._open) >= MAX_OPEN:
            reports = (self.close(next(iter(self._open)), now_ns),)
        self._open[gap.number] = _Open(gap, set(entry.waiting), entry.channel, entry.stored)
        self._memory.plain[H_OPEN_GAPS] = len(self._open)
        return (*reports, gap)

    def close(self, number: int, until_ns: int) -> Gap:
        """Close an open gap; the report."""
        closed = self._open.pop(number)
        self._memory.plain[H_OPEN_GAPS] = len(self._open)
        return msgspec.structs.replace(closed.gap, until_ns=until_ns)

    def is_open(self, number: int) -> bool:
        """True while the gap of this number is open."""
        return number in self._open

    def snapshot_seen(self, connection: int, sid: int, market: str, now_ns: int) -> tuple[Gap, ...]:
        """A market has its own next snapshot: closes the gaps that waited for nothing else."""
        if not self._open:
            return ()
        healed = []
        for number, entry in self._open.items():
            if market in entry.waiting and (entry.gap.reason == TERMINAL or _is_of(entry, connection, sid)):
                entry.waiting.discard(market)
                if not entry.waiting:
                    healed.append(number)
        return self._close_all(healed, now_ns)

    def markets_dropped(self, connection: int, sid: int, markets: list[str], now_ns: int) -> tuple[Gap, ...]:
        """Markets left a subscription, so no gap waits for their snapshots any more."""
        over = []
        for number, entry in self._open.items():
            if entry.waiting and _is_of(entry, connection, sid):
                entry.waiting.difference_update(markets)
                if not entry.waiting:
                    over.append(number)
        return self._close_all(over, now_ns)

    def channel_subscribed(self, connection: int, channel: str, now_ns: int) -> tuple[Gap, ...]:
        """A channel is subscribed again: closes the gaps that waited for that."""
        over = [
            number
            for number, entry in self._open.items()
            if entry.channel and entry.channel == channel and entry.gap.connection == connection
        ]
        return self._close_all(over, now_ns)

    def subscription_over(self, connection: int, sid: int, now_ns: int) -> tuple[Gap, ...]:
        """A subscription ended: nothing can heal its gaps, and nothing of it is shown as trusted."""
        return self._close_all([n for n, entry in self._open.items() if _is_of(entry, connection, sid)], now_ns)

    def connection_over(self, connection: int, now_ns: int) -> tuple[Gap, ...]:
        """A connection ended, and with it the gaps of its subscriptions."""
        over = [
            number
            for number, entry in self._open.items()
            if entry.gap.connection == connection
            and entry.gap.reason in (SEQUENCE, RESTART, TERMINAL)
            and not entry.stored
        ]
        return self._close_all(over, now_ns)

    def stored(self, stored: StoredGap, now_ns: int, *, closes: bool) -> tuple[Gap, ...]:
        """Open a gap that the recorder tells of; or close the latest of that reason, which else is told of whole."""
        until_ns = stored.until_ns or now_ns
        if closes:
            same = [n for n, entry in self._open.items() if entry.stored and entry.gap.reason == stored.reason]
            if same:
                return (self.close(same[-1], until_ns),)
            presumed = [gap for gap in self.presumed_over if gap.reason == stored.reason]
            if presumed:
                self.presumed_over = tuple(gap for gap in self.presumed_over if gap is not presumed[-1])
                return (msgspec.structs.replace(presumed[-1], until_ns=until_ns),)
        gap = self.new(
            stored.reason,
            stored.connection,
            stored.sid,
            at_ns=stored.from_ns or now_ns,
            until_ns=until_ns if closes else None,
            markets=tuple(sorted(stored.markets)),
        )
        return (gap,) if closes else self.keep(OpenGap(gap, stored=True), now_ns)

    def end_all(self, now_ns: int) -> tuple[Gap, ...]:
        """Close every open gap: a new session begins."""
        stored = [number for number, entry in self._open.items() if entry.stored]
        over = self._close_all(list(self._open), now_ns)
        self.presumed_over = tuple(gap for gap in over if gap.number in stored)
        return over

    def _close_all(self, numbers: list[int], now_ns: int) -> tuple[Gap, ...]:
        return tuple(self.close(number, now_ns) for number in numbers)


def _is_of(entry: _Open, connection: int, sid: int) -> bool:
    gap = entry.gap
    own = gap.sid == sid and gap.connection == connection
    return own and gap.reason in (SEQUENCE, RESTART) and not entry.stored


def _same_subscription(gap: Gap, other: Gap) -> bool:
    return gap.sid == other.sid and gap.connection == other.connection and gap.reason == other.reason == SEQUENCE
