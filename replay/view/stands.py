"""Players that stand at a record of a tape, for whoever looks at it: found again quickly, near or far, forth and back.

Knows from where a record is reached soonest: a player that stands before it, a state kept in memory, a checkpoint.
Must not know what is looked at. A player here has one market in focus, whose recent trades and prices alone are loaded;
books, trust and gaps are the same as everywhere.
"""

from collections import OrderedDict
from typing import Final

from capture.tape import checkpoints
from core import state
from core.engine import Engine
from replay.player import Player
from replay.view.watched import Watched

STEP_BACK: Final = 4_096
"""A state is kept so many records before where somebody steps back to: the next steps back are quick."""

STATES_KEPT: Final = 12
"""States in memory, 1 to 3 MB each with hundreds of markets."""

PLAYERS_KEPT: Final = 4
"""Players that stand somewhere: the cursor's and the chart's, of the last two markets."""


class Stand(Player):
    """A player that begins with a given engine and leaves no checkpoints; the tape may have grown when it goes on."""

    def __init__(self, tape: Watched, engine: Engine | None, position: int) -> None:
        super().__init__(tape, "columns", checkpoint_records=0)
        if engine is not None:
            self.engine = engine
            self.position = position
            self._feed = self._fed(position)

    def go(self, seq: int) -> None:
        """Play up to and including a record."""
        if self.position > seq:
            return
        look_again(self)
        self.advance(until_seq=seq)


def look_again(player: Player) -> None:
    """Have a player that came to the end of its tape look whether there is more by now."""
    if player.finished:
        player.finished = False
        player._feed = player._fed(player.position)


class Stands:
    """The players of one tape; used by one thread."""

    def __init__(self, tape: Watched) -> None:
        self._tape = tape
        self._players: OrderedDict[tuple[str, str], Stand] = OrderedDict()
        self._states: OrderedDict[tuple[str, int], bytes] = OrderedDict()

    def at(self, seq: int, market: str, lane: str) -> Stand:
        """A player that has just played a record (-1 = none yet), with a market in focus.

        lane: who looks; players of one do not disturb those of another. It may be moved by the next call.
        """
        player = self._players.pop((lane, market), None)
        is_back = player is not None and player.position - 1 > seq
        before = player.position - 1 if player is not None and player.position - 1 <= seq else -1
        kept = max((at for name, at in self._states if name == market and at <= seq), default=-1)
        found = None if before >= seq - STEP_BACK else checkpoints.nearest(self._tape, seq=seq)
        if player is None or before < max(kept, found[0] if found is not None else -1, 0):
            player = self._from(found, kept, market)
        if is_back and seq - player.position >= STEP_BACK:
            player.go(seq - STEP_BACK)
            self._keep(player, market)
        player.go(seq)
        self._players[lane, market] = player
        while len(self._players) > PLAYERS_KEPT:
            self._players.popitem(last=False)
        return player

    def _from(self, found: tuple[int, bytes] | None, kept: int, market: str) -> Stand:
        """A new player, from a checkpoint, or a state that is kept where that is nearer."""
        seq, blob = (-1, b"") if found is None else found
        if kept > seq:
            seq, blob = kept, self._states[market, kept]
            self._states.move_to_end((market, kept))
        try:
            engine = state.load(blob, focus=market) if blob else None
        except state.StateError:  # checkpoints are disposable
            engine, seq = None, -1
        return Stand(self._tape, engine, seq + 1)

    def _keep(self, player: Stand, market: str) -> None:
        self._states[market, player.position - 1] = state.dump(player.engine)
        while len(self._states) > STATES_KEPT:
            self._states.popitem(last=False)
