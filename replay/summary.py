"""What is in a tape: the answer of `tapedeck info`, from the newest checkpoint of its tally on.

Knows where to begin, what to leave behind for the next time, and what the answer is made of. Must not know how it is
shown.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from capture.tape import checkpoints
from capture.tape.checkpoints import Of
from capture.tape.layout import checkpoint_seqs
from capture.tape.reader import Tape
from core import state
from core.cells import NEVER
from core.engine import Step
from core.gaps import Gap
from core.records import Kind, Record
from core.runs import DELTA, O_CONNECTION, O_MARKET, O_NOW
from core.store import state_at
from replay.ledger import Ledger
from replay.player import CHECKPOINT_RECORDS, Player
from replay.progress import Progress, silent
from replay.tally import ConnectionRow, Silence, Tally

COVERED: Final = ("connections", "control", "sent", "receive_time")
"""Parts of a recording that its recorder may have left out (core.records.Coverage)."""

PROGRESS_RECORDS: Final = 16_384  # a redraw of the progress bar every few tens of milliseconds

MARK_RECORDS: Final = 65_536
"""So many sealed records that no tally covers are worth a checkpoint: a segment, a fifth of a second of folding."""

_SESSION: Final = int(Kind.SESSION)  # looking it up in the enum would cost as much as the rest of the loop

TALLY_LIMIT: Final = 64 << 20
"""Bytes of a tally that is kept: gaps name their markets, so that thousands of both need more than it saves."""


class Info(msgspec.Struct, frozen=True):
    """The answer of `tapedeck info`; times are Unix ns by `now_ns`.

    bytes: what the tape takes on disk without its checkpoints, which may be deleted; checkpoint_bytes: what those take.
    covers: what the recorders wrote down in every session; where it is false, absence proves nothing.
    folded: records that were read for this answer; a checkpoint knew of those before them.
    """

    tape: str
    environment: str
    frames: int
    records: int
    sessions: int
    connections: int
    markets: tuple[str, ...]
    by_type: dict[str, int]
    gaps: tuple[dict[str, Any], ...]
    silences: tuple[Silence, ...]
    malformed: dict[str, int]
    unknown: dict[str, int]
    rejected: dict[str, int]
    bytes: int
    checkpoint_bytes: int
    segments: int
    filtered: bool
    covers: dict[str, bool]
    ended: str
    first_ns: int
    last_ns: int
    folded: int
    sources: tuple[str, ...]
    connection_list: tuple[ConnectionRow, ...]


def summarize(tape: Tape, progress: Progress = silent) -> Info:
    """Everything `info` says of a tape; progress in records.

    Begins after the newest checkpoint of a tally and leaves one behind, so that it reads the tape's tail only. What
    lies before is not looked at: that is for `verify`. Raises TapeDamaged.
    """
    fold = Fold(tape)
    fold.advance(None, progress)
    tally, counts = fold.tally, fold.player.engine.counts
    tally.finish()
    spare = sum(_size(path) for path in sorted(tape.layout.checkpoints.glob("*")))
    return Info(
        tape=str(tape.path),
        environment=tape.environment,
        frames=counts.frames,
        records=counts.records,
        sessions=len(tally.sessions),
        connections=len(tally.connections),
        markets=tuple(sorted(tally.markets)),
        by_type=_sorted(counts.by_type),
        gaps=tuple(gap_json(gap) for _, gap in sorted(tally.gaps.items())),
        silences=tuple(tally.silences),
        malformed=_sorted(counts.malformed),
        unknown=_sorted(counts.unknown),
        rejected=_sorted(counts.rejected),
        bytes=max(tape.bytes_on_disk - spare, 0),
        checkpoint_bytes=spare,
        segments=len(tape.segments),
        filtered=any(session.coverage.filtered for session in tally.sessions),
        covers={name: all(getattr(s.coverage, name) for s in tally.sessions) for name in COVERED},
        ended=str(tape.ended),
        first_ns=tally.first_ns,
        last_ns=fold.player.now_ns,
        folded=fold.folded,
        sources=tuple(source.name for session in tally.sessions for source in session.sources),
        connection_list=tuple(tally.connections),
    )


def mark(tape: Tape, progress: Progress = silent) -> int:
    """Leave behind what makes the first `info` and `book --at` of a tape quick; how many records were folded for it.

    Nothing is done while there are fewer than MARK_RECORDS sealed records without. Progress in records. Raises
    TapeDamaged, TapeError where a segment is not there.
    """
    last_seq = tape.manifest.next_seq - 1
    if last_seq + 1 - _begin(tape)[2] < MARK_RECORDS:
        return 0
    fold = Fold(tape)
    fold.advance(last_seq, progress)
    return fold.folded


def known(tape: Tape, until_seq: int) -> tuple[Tally, Ledger]:
    """What there is to know of a tape up to and including a record, from the newest tally before it on.

    Leaves checkpoints behind as `summarize`. Raises TapeDamaged, TapeError where a segment is not there.
    """
    tally, ledger, next_seq = _begin(tape, until_seq)
    if next_seq <= until_seq:
        fold = Fold(tape, until_seq)
        fold.advance(until_seq, silent)
        tally, ledger = fold.tally, fold.ledger
    tally.finish()
    return tally, ledger


def gap_json(gap: Gap) -> dict[str, Any]:
    """A gap as `info --json` lists it: `expected` and `got` only with reason `sequence`."""
    row = msgspec.to_builtins(gap)
    if gap.reason != "sequence":
        del row["expected"], row["got"]
    return dict(row)


class Fold:
    """Engine, tally and ledger, played to an instant side by side. folded: records read by now."""

    def __init__(self, tape: Tape, until_seq: int | None = None) -> None:
        self._tape = tape
        self.tally, self.ledger, from_seq = _begin(tape, until_seq)
        self.player = Player(tape, "columns", start="checkpoint" if from_seq else "beginning")
        self.folded = self.player.advance(until_seq=from_seq - 1) if from_seq else 0

    def advance(self, until_seq: int | None, progress: Progress) -> None:
        """Play on to a seq, None = to the end; leaves checkpoints behind."""
        tape, player = self._tape, self.player
        sealed = tape.manifest.next_seq
        mark_at = sealed if sealed - player.position >= MARK_RECORDS else -1
        play = self._many if player.engine.memory.is_compiled else self._each
        for seq in play(NEVER if until_seq is None else until_seq, mark_at):
            if seq % PROGRESS_RECORDS == 0:
                progress(seq, tape.head_seq + 1)
            if player.position == mark_at or not player.position % CHECKPOINT_RECORDS:
                self._leave(seq)

    def _each(self, last_seq: int, _mark_at: int) -> Iterator[int]:
        """Play on record by record; the seq of each."""
        for record, step in self.player.play(until_seq=last_seq):
            self._take(record, step)
            yield record.seq

    def _many(self, last_seq: int, mark_at: int) -> Iterator[int]:
        """Play on, as many at once as the machine steps; the seq of the last one of each time.

        No record after which something is to be done lies within.
        """
        player, memory = self.player, self.player.engine.memory
        while player.position <= last_seq:
            position = player.position
            stops = [
                last_seq,
                -(-position // PROGRESS_RECORDS) * PROGRESS_RECORDS,
                (position // CHECKPOINT_RECORDS + 1) * CHECKPOINT_RECORDS - 1,
                mark_at - 1 if position < mark_at else last_seq,
            ]
            rows = player.stretch(NEVER, min(stops))
            if rows is None:
                return
            first = rows[2]
            stopped = memory.machine.run(memory.m, *rows)
            player.moved(first, stopped)
            if stopped == first:
                self._take(*player.step())
            else:
                self._take_rows(rows, stopped)
            yield player.position - 1

    def _take(self, record: Record, step: Step) -> None:
        self.tally.take(record, step)
        self.ledger.take(record, step, self.player.engine)
        self.folded += 1
        if record.kind == _SESSION:
            self.tally.carry(self.player.engine.connections.views())

    def _take_rows(self, rows: tuple[Any, int, int, int], stopped: int) -> None:
        """The machine has stepped the rows before this one: of these nothing counts but frames of markets it knows."""
        cells, stride, first, _ = rows
        frames = first + np.flatnonzero(cells[first:stopped] >= DELTA)
        places = np.unique(cells[cells[O_MARKET * stride + frames]])
        store = self.player.engine.store
        self.tally.take_frames(
            cells[O_NOW * stride + frames],
            cells[O_CONNECTION * stride + frames],
            [state_at(store, at).market for at in places.tolist()],
            self.player.now_ns,
        )
        self.folded += stopped - first

    def _leave(self, seq: int) -> None:
        tape, engine = self._tape, self.player.engine
        tally = msgspec.msgpack.encode((self.tally.dump(), self.ledger.dump()))
        if len(tally) > TALLY_LIMIT:
            return
        if not _is_regular(seq) and not checkpoints.save(tape, seq, engine.now_ns, state.dump(engine)):
            return
        if checkpoints.save(tape, seq, engine.now_ns, tally, Of.SUMMARY):
            _drop_older(tape, seq)


def _begin(tape: Tape, until_seq: int | None = None) -> tuple[Tally, Ledger, int]:
    """The newest tally and ledger that are kept, of no record beyond a seq, and the seq that they go on with."""
    found = checkpoints.nearest(tape, until_seq, of=Of.SUMMARY)
    if found is not None:
        try:
            kept = msgspec.msgpack.decode(found[1], type=tuple[bytes, bytes])
        except msgspec.DecodeError:  # an older version's
            return Tally(), Ledger(), 0
        tally, ledger = Tally.load(kept[0]), Ledger.load(kept[1])
        if tally is not None and ledger is not None:
            return tally, ledger, found[0] + 1
    return Tally(), Ledger(), 0


def _drop_older(tape: Tape, seq: int) -> None:
    """One tally is enough; the engine's state that went with an older one is, too, where none is due."""
    for older in checkpoint_seqs(tape.layout, Of.SUMMARY):
        if older < seq:
            checkpoints.drop(tape, older, Of.SUMMARY)
            if not _is_regular(older):
                checkpoints.drop(tape, older, Of.ENGINE)


def _is_regular(seq: int) -> bool:
    """Whether the player leaves a checkpoint after that record by itself."""
    return (seq + 1) % CHECKPOINT_RECORDS == 0


def _sorted(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items()))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
