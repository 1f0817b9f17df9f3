"""Players that stand at a record of a tape, for whoever looks at it: found again quickly, near or far, forth and back.

Knows from where a record is reached soonest: a player that stands before it, a state kept in memory, a checkpoint.
Must not know what is looked at. A player here knows one market only, and steps what concerns it (`replay.view.narrow`):
its book, trades, orders and trust are the same as everywhere.
"""

from bisect import bisect_right, insort
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, Final

from capture.tape import checkpoints
from capture.tape.schema import GROUP_ROWS
from core import state
from core.cells import NEVER
from core.engine import Engine
from core.runs import END
from core.store import Brief
from replay.feed import ByColumns, Feed
from replay.player import Player
from replay.view.milestones import SPACING, Milestones
from replay.view.narrow import BrokenError, Narrow
from replay.view.pages import Pages

KEPT_EVERY: Final = GROUP_ROWS
"""On the way to a record a state is kept each so many records: whoever looks just before it need not come from afar."""

STEP_BACK: Final = 2_048
"""And one so many records before where somebody steps back to: the next steps back are quick."""

STATES_KEPT: Final = 256
"""States in memory, of one market each: 20 KB with two hundred markets, for it says which of them are subscribed to."""

PLAYERS_KEPT: Final = 6
"""Players that stand somewhere: the cursor's, the chart's and the reasons', of the last two markets."""


TRADES: Final = 40
"""Recent trades of the market that are known, which is what is shown of them."""


class Stand(Player):
    """A player that begins with a given engine and leaves no checkpoints; the tape may have grown when it goes on.

    market: the only one that the engine knows, and the one for whose sake it plays; None = all of them.
    """

    def __init__(self, pages: Pages, engine: Engine | None, position: int, market: str | None) -> None:
        self._pages = pages
        self._market = market
        super().__init__(pages.tape, "columns", checkpoint_records=0)
        if engine is not None:
            self.engine = engine
            self.position = position
        self._feed = self._fed(self.position)

    def go(self, seq: int) -> None:
        """Play up to and including a record. Raises BrokenError where too much is out of order for one market."""
        if self.position > seq:
            return
        look_again(self)
        while self.stride(NEVER, seq) != END:
            self.step()

    def kept(self, market: str) -> bytes:
        """The state of one market after the last record played."""
        if isinstance(self._feed, Narrow):
            self._feed.settle()
        return state.dump(self.engine, Brief(TRADES, market))

    def _fed(self, from_seq: int) -> Feed:
        if self._market is None:
            return ByColumns(self.tape, from_seq)
        return Narrow(self.tape, from_seq, self._tables(from_seq), self.engine, self._market)

    def _tables(self, seq: int) -> Iterator[Any]:
        while seq < self._pages.tape.next_seq:
            page = self._pages.at(seq)
            yield page.table.slice(seq - page.first_seq)
            seq = page.last_seq + 1


def look_again(player: Player) -> None:
    """Have a player that came to the end of its tape look whether there is more by now."""
    if player.finished:
        player.finished = False
        player._feed = player._fed(player.position)


class Stands:
    """The players of one tape; used by one thread."""

    def __init__(self, pages: Pages, milestones: Milestones) -> None:
        self._pages = pages
        self._milestones = milestones
        self._players: OrderedDict[tuple[str, str], Stand] = OrderedDict()
        self._states: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._kept: dict[str, list[int]] = {}  # of each market the seqs of its states, in order

    def at(self, seq: int, market: str, lane: str) -> Stand:
        """A player that has just played a record (-1 = none yet), and knows one market.

        lane: who looks; players of one do not disturb those of another. It may be moved by the next call.
        """
        player = self._players.pop((lane, market), None)
        is_back = player is not None and player.position - 1 > seq
        if player is None or is_back or seq - player.position >= KEPT_EVERY:
            player = self._nearest(seq, market, None if is_back else player)
        try:
            self._go(player, seq, market, is_back=is_back)
        except BrokenError:
            player = self._whole(seq)
            self._go(player, seq, market, is_back=is_back)
        self._players[lane, market] = player
        while len(self._players) > PLAYERS_KEPT:
            self._players.popitem(last=False)
        return player

    def _go(self, player: Stand, seq: int, market: str, *, is_back: bool) -> None:
        first = player.position // KEPT_EVERY + 1
        stops = [number * KEPT_EVERY for number in range(first, (seq + 1) // KEPT_EVERY + 1)]
        if is_back and seq - STEP_BACK >= player.position:
            stops = sorted({*stops, seq - STEP_BACK})
        for stop in stops:
            player.go(stop - 1)
            self._keep(player, market)
        player.go(seq)

    def _keep(self, player: Stand, market: str) -> None:
        key = market, player.position - 1
        if key not in self._states:
            insort(self._kept.setdefault(market, []), key[1])
        self._states[key] = player.kept(market)
        while len(self._states) > STATES_KEPT:
            (name, seq), _ = self._states.popitem(last=False)
            self._kept[name].remove(seq)

    def _nearest(self, seq: int, market: str, player: Stand | None) -> Stand:
        """The player that is there, or one from a state or a checkpoint that is nearer to a record."""
        held = self._kept.get(market, [])
        place = bisect_right(held, seq)
        found: tuple[int, bytes] | None = (held[place - 1], self._states[market, held[place - 1]]) if place else None
        before = -1 if player is None else player.position - 1
        others: tuple[tuple[int, Callable[[], tuple[int, bytes] | None]], ...] = (
            (KEPT_EVERY, lambda: self._milestones.nearest(seq)),
            (SPACING, lambda: checkpoints.nearest(self._pages.tape, seq=seq)),
        )
        for near, look in others:
            so_far = max(before, -1 if found is None else found[0])
            if seq - so_far <= near:
                break
            known = look()
            found = known if known is not None and known[0] > so_far else found
        if found is None or found[0] <= before:
            return Stand(self._pages, None, 0, market) if player is None else player
        try:
            return Stand(self._pages, state.load(found[1], Brief(TRADES, market)), found[0] + 1, market)
        except state.StateError:  # checkpoints are disposable
            return Stand(self._pages, None, 0, market)

    def _whole(self, seq: int) -> Stand:
        """A new player that knows all markets."""
        found = checkpoints.nearest(self._pages.tape, seq=seq)
        try:
            return Stand(self._pages, None, 0, None) if found is None else Stand(
                self._pages, state.load(found[1]), found[0] + 1, None
            )  # fmt: skip
        except state.StateError:
            return Stand(self._pages, None, 0, None)
