"""What earlier sessions of a tape left behind for a run: which order ids are theirs, and what they won or lost today.

Knows SESSION and PROGRESS records. Must not know strategies.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from capture.startup import is_tape
from capture.tape.buffers import flat
from capture.tape.reader import Tape
from core.actions import decode_progress, terms_of
from core.records import Kind, Record, decode_session


@dataclass(frozen=True, slots=True)
class Earlier:
    """nonces: of the order ids of all sessions in which strategies ran. day, day_pnl, halted: as in PROGRESS."""

    nonces: frozenset[str] = frozenset()
    day: int = 0
    day_pnl: int = 0
    halted: bool = False


def earlier(path: Path) -> Earlier:
    """What lies on the tape at this path; nothing when there is none. Raises TapeError when it cannot be read."""
    if not is_tape(path):
        return Earlier()
    nonces, day, day_pnl, halted = [], 0, 0, False
    for record in _records(Tape.open(path)):
        if record.kind == Kind.SESSION:
            session = decode_session(record.payload)
            if terms_of(session) is not None:
                nonces.append(session.uuid.replace("-", ""))
        else:
            progress = decode_progress(record.payload)
            day, day_pnl, halted = progress.day, progress.day_pnl, progress.halted
    return Earlier(frozenset(nonces), day, day_pnl, halted)


def _records(tape: Tape) -> Iterator[Record]:
    """The SESSION records, and of each stretch without one the last PROGRESS: found by the kinds alone."""
    last = -1
    for table in tape.tables(("seq", "kind")):
        seqs, kinds = flat(table.column("seq")), flat(table.column("kind"))
        wanted = (kinds == Kind.SESSION) | (kinds == Kind.PROGRESS)
        for seq, kind in zip(seqs[wanted].tolist(), kinds[wanted].tolist(), strict=True):
            if kind == Kind.PROGRESS:
                last = seq
            else:
                yield from tape.records(seq, seq)
    if last >= 0:
        yield from tape.records(last, last)
