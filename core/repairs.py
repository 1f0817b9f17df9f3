"""Books that are missing or not to be trusted: asked for again by the gentlest means that works.

Knows the ladder: get_snapshot, again, the market taken out and added anew, and for a book that was there before a new
connection. Must not know why trust was lost: the store says that it was.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from core import commands
from core.asking import Asked, Asking, Verb
from core.channel import MAX_PAUSE_NS, PAUSE_NS, Channel
from core.commands import Command, Reconnect
from core.messages.types import ErrorReply
from core.store import MarketStateStore, trusted_owner

SNAPSHOT_TRIES: Final = 2
"""get_snapshot is asked so often before a market is subscribed to anew."""

READD_TRIES: Final = SNAPSHOT_TRIES + 1
"""And then asked for once more, before the connection is given up or the market taken for one without a book."""

MAX_WAITS: Final = 5
"""How many times longer a first snapshot is waited for while those of other markets arrive."""

SILENT_NS: Final = 300_000_000_000
"""How often a market that never had a book is asked for again: a ticker nobody knows is simply quiet (protocol 5.2)."""

TOO_MANY: Final = 27


@dataclass(slots=True)
class _Missing:
    """A book that is not there. since_ns: since when it is waited for. next_ns: no sooner is anything done."""

    since_ns: int
    tries: int = 0
    next_ns: int = 0


class Repairs:
    """The books of one connection's subscription; `check` is called whenever trust may have been lost, and at times.

    may_start_over: whether a connection that brings no book at all may be given up for that; false once it was.
    """

    def __init__(
        self, connection: int, store: MarketStateStore, asking: Asking, *, size: int, wait_ns: int,
        out: Callable[[Command], None],
    ) -> None:  # fmt: skip
        self.may_start_over = True
        self._connection = connection
        self._store = store
        self._asking = asking
        self._size = self._full_size = size
        self._wait_ns = wait_ns
        self._out = out
        self._missing: dict[str, _Missing] = {}
        self._waiting: dict[str, Asked] = {}
        self._had: dict[str, None] = {}
        self._arrived_ns = 0
        self._not_before_ns = 0
        self._pause_ns = 0

    @property
    def missing(self) -> tuple[str, ...]:
        """The markets without a trusted book, as of the last check."""
        return tuple(self._missing)

    @property
    def has_any(self) -> bool:
        """Whether any book came on this connection."""
        return bool(self._had)

    def snapshot(self, market: str, now_ns: int) -> None:
        """The store took a snapshot of this market."""
        self._arrived_ns = now_ns
        self._had[market] = None
        self._missing.pop(market, None)
        asked = self._waiting.pop(market, None)
        if asked is None:
            return
        asked.left -= 1
        if not asked.left:  # the last snapshot of a request is its answer
            self._asking.drop(asked)
            self._size, self._pause_ns = self._full_size, 0

    def check(self, channel: Channel, now_ns: int) -> None:
        """Ask for the books of this channel that are missing, where it is time to."""
        owner = (self._connection, channel.sid)
        bad = [market for market in channel.on if trusted_owner(self._store, market) != owner]
        # a market that is being added anew is not on for a moment, and its tries still count
        coming = {market: entry for market, entry in self._missing.items() if market in channel.asked}
        self._missing = coming | {market: self._missing.get(market) or _Missing(now_ns) for market in bad}
        if not bad or now_ns < self._not_before_ns:
            return
        open_ones = set(self._asking)
        self._waiting = {market: asked for market, asked in self._waiting.items() if asked in open_ones}
        due = [market for market in bad if market not in self._waiting and self._is_due(market, now_ns)]
        ask = []
        for market in due:
            entry = self._missing[market]
            if entry.tries == SNAPSHOT_TRIES:
                entry.tries += 1
                entry.next_ns = now_ns + self._wait_ns
                channel.gone[market] = None
            elif entry.tries > READD_TRIES and self._may_give_up(market):
                self.may_start_over = False
                self._out(Reconnect(self._connection, f"no snapshot of {market} could be had"))
                return
            else:
                ask.append(market)
        for start in range(0, len(ask), self._size):
            self._ask(channel, tuple(ask[start : start + self._size]))

    def refused(self, asked: Asked, message: ErrorReply, now_ns: int) -> None:
        """An error in answer to a get_snapshot."""
        if message.code == TOO_MANY:
            self._pause_ns = min(self._pause_ns * 2 or PAUSE_NS, MAX_PAUSE_NS)
            self._not_before_ns = now_ns + self._pause_ns
        elif len(asked.markets) > 1:
            self._size = max(len(asked.markets) // 2, 1)  # one of them is wrong: smaller requests find out which
        else:
            self._failed(asked, now_ns)
        self._over(asked)

    def overdue(self, asked: Asked, now_ns: int) -> None:
        """Not all snapshots came in time."""
        self._asking.drop(asked)
        self._failed(asked, now_ns)
        self._over(asked)

    def unsent(self, asked: Asked, now_ns: int) -> None:
        """It could not be sent."""
        self._over(asked)
        self._not_before_ns = now_ns + PAUSE_NS

    def restart(self, now_ns: int) -> None:
        """Nothing could be heard until now: what is missing is asked for at once, and every count begins anew."""
        self._missing = {market: _Missing(now_ns) for market in self._missing}

    def _is_due(self, market: str, now_ns: int) -> bool:
        entry = self._missing[market]
        if now_ns < entry.next_ns:
            return False
        if market in self._had or entry.tries:
            return True
        # the first snapshot comes by itself; while others still arrive, it is on its way, up to a point
        latest_ns = min(max(entry.since_ns, self._arrived_ns), entry.since_ns + MAX_WAITS * self._wait_ns)
        return now_ns - latest_ns > self._wait_ns

    def _may_give_up(self, market: str) -> bool:
        """Whether the connection is to blame: the book was there before, or there is none at all."""
        return market in self._had or (not self._had and self.may_start_over)

    def _ask(self, channel: Channel, markets: tuple[str, ...]) -> None:
        encode = partial(commands.update, sid=channel.sid, action="get_snapshot", markets=markets)
        asked = Asked(Verb.SNAPSHOT, channel.name, channel.sid, markets, encode, left=len(markets))
        self._waiting.update(dict.fromkeys(markets, asked))
        self._asking.ask(asked)

    def _over(self, asked: Asked) -> None:
        self._waiting = {market: other for market, other in self._waiting.items() if other is not asked}

    def _failed(self, asked: Asked, now_ns: int) -> None:
        for market in asked.markets:
            entry = self._missing.get(market)
            if entry is not None and self._waiting.get(market) is asked:
                entry.tries += 1
                is_hopeless = entry.tries > READD_TRIES and not self._may_give_up(market)
                entry.next_ns = now_ns + (SILENT_NS if is_hopeless else PAUSE_NS << min(entry.tries - 1, 5))
