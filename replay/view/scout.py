"""Goes through a tape behind the page's back: outlines, gaps and markets of all of it, then what is added to it.

Knows what is worked out when, and gives way to whoever waits for an answer. Must not know the page. The tape's gaps
come from a checkpoint where there is one, so that they are there at once; else they come in as it goes.
"""

import threading
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec

from capture.tape.errors import TapeError
from capture.tape.identity import is_recording
from capture.tape.reader import Ended
from capture.tape.tail import Tail
from core import state
from core.actions import terms_of
from core.records import Kind, decode_session
from core.store import Brief
from replay.progress import silent
from replay.summary import Fold
from replay.tally import Silence
from replay.view.milestones import Milestones
from replay.view.outline import MARKS, Mark, Outlines
from replay.view.pages import SHOWN, Pages
from replay.view.stands import TRADES, Stand, look_again
from replay.view.watched import Watched

FOLD_RECORDS: Final = 65_536
"""Records folded in one go: some tens of milliseconds of the processor, for which an answer may have to wait."""

POLL_S: Final = 0.25
"""How often a tape that is being recorded is looked at for more."""

REST_S: Final = 2.0
"""How often one that nobody records is looked at: somebody may begin."""

PAGES_KEPT: Final = 2
"""Pages that it holds: it goes through them in order."""

_SESSION_MARK: Final = MARKS.index(Mark.SESSION) + 1

WORD_S: Final = 30.0
"""What an answer may take before the scout goes on all the same."""


@dataclass(frozen=True)
class Known:
    """What is known of a tape by now. problem: why it could not be gone through to its end, "" = it can.

    examined, outlined, surveyed: up to where it was gone through for gaps, for outlines, for milestones.
    """

    gaps: tuple[Any, ...] = ()
    silences: tuple[Silence, ...] = ()
    markets: Counter[str] = field(default_factory=Counter)
    strategies: tuple[str, ...] = ()
    by_type: dict[str, int] = field(default_factory=dict)
    examined: int = 0
    outlined: int = 0
    surveyed: int = 0
    ended: str = Ended.UNPROVEN
    problem: str = ""


class Scout:
    """One thread's work over one tape; `known` and `outlines` may be read by others."""

    def __init__(self, tape: Watched) -> None:
        self.tape = tape
        self.outlines = Outlines()
        self._pages = Pages(tape, PAGES_KEPT, SHOWN)
        self._known = Known(ended=str(tape.ended))
        self._tail = Tail(Watched.open(tape.path), tape.next_seq)
        self._fold: Fold | None = None
        self.milestones = Milestones()
        self._surveyed = Stand(self._pages, None, 0, None)
        self._stop = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._thread = threading.Thread(target=self._run, name="tapedeck-scout", daemon=True)

    def known(self) -> Known:
        """What is known by now."""
        return self._known

    def begin(self) -> None:
        """Prepare, then go on in a thread."""
        self.prepare()
        self._thread.start()

    def prepare(self) -> None:
        """Look at what is known at once. Raises TapeError where the tape cannot be read."""
        self._follow()
        self._fold = Fold(self.tape)
        if self.tape.next_seq:
            self._outline(0)
            self._outline(self.tape.next_seq - 1)
        self._tell()

    def close(self) -> None:
        """Stop, and wait for it."""
        self._stop.set()
        self._idle.set()
        if self._thread.is_alive():
            self._thread.join()

    def busy(self, is_busy: bool) -> None:
        """Somebody waits for an answer, or does no longer."""
        if is_busy:
            self._idle.clear()
        else:
            self._idle.set()

    def step(self) -> bool:
        """Do the next piece of work; False when there is none now."""
        known, next_seq = self._known, self.tape.next_seq
        if known.outlined < next_seq:
            self._outline(known.outlined)
        elif known.examined < next_seq:
            self._examine(min(next_seq - 1, known.examined + FOLD_RECORDS))
        elif self._surveyed.position + self.milestones.spacing < next_seq:
            self._survey()
        else:
            return self._follow()
        self._tell()
        return True

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._idle.wait(WORD_S)
                if not self.step():
                    self._stop.wait(self._rest())
        except (TapeError, OSError) as error:
            self._known = replace(self._known, problem=str(error))

    def _rest(self) -> float:
        """All is known for now: how long to wait, seconds."""
        if is_recording(self.tape.layout):
            self._known = replace(self._known, ended=str(Ended.RECORDING))
            return POLL_S
        if self._known.ended == Ended.RECORDING:
            self._known = replace(self._known, ended=str(self.tape.ended))
            return 0.0  # what was recorded last is still to be taken
        return REST_S

    def _outline(self, seq: int) -> None:
        outline = self.outlines.of(self._pages.at(seq))
        if outline.first_seq <= self._known.outlined:
            self._known = replace(self._known, outlined=outline.last_seq + 1)
        for at, code in zip(outline.seqs.tolist(), outline.marks.tolist(), strict=True):
            if code == _SESSION_MARK and self._pages.at(at).kind[at - outline.first_seq] == Kind.SESSION:
                self._session(self._pages.at(at).payloads.at(at - outline.first_seq))

    def _session(self, payload: bytes) -> None:
        try:
            terms = terms_of(decode_session(payload))
        except msgspec.DecodeError:
            return
        names = [spec.name for spec in terms.strategies] if terms is not None else []
        known = self._known.strategies
        self._known = replace(self._known, strategies=(*known, *(name for name in names if name not in known)))

    def _examine(self, until_seq: int) -> None:
        assert self._fold is not None, "the work has begun"
        look_again(self._fold.player)
        self._fold.advance(until_seq, silent)

    def _survey(self) -> None:
        """A step towards the next milestone, from the last one on."""
        player, spacing = self._surveyed, self.milestones.spacing
        due = (player.position // spacing + 1) * spacing
        player.go(min(due, player.position + FOLD_RECORDS) - 1)
        if player.position == due:
            self.milestones.add(due - 1, state.dump(player.engine, Brief(TRADES)))

    def _follow(self) -> bool:
        """Take what others have added to the tape; False when there is nothing."""
        records = self._tail.take()
        if not records:
            self.tape.refresh()
            return False
        self.tape.extend(records)
        return True

    def _tell(self) -> None:
        assert self._fold is not None, "the work has begun"
        tally, counts = self._fold.tally, self._fold.player.engine.counts
        markets = Counter(dict.fromkeys(tally.markets, 0))
        markets.update(self.outlines.markets)
        self._known = replace(
            self._known,
            gaps=tuple(gap for _, gap in sorted(tally.gaps.items())),
            silences=tuple(tally.silences),
            markets=markets,
            by_type=dict(sorted(counts.by_type.items())),
            examined=self._fold.player.position,
            surveyed=self._surveyed.position,
        )
