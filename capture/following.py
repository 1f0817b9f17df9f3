"""On the tape: which markets were still without a result, so that a later session can go on looking for it.

Knows the CONTROL records that say so, and how the latest of them are found from the tape's end. Must not know how a
result is found. The records are the only truth: there is no file beside them that could disagree.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from capture.tape.buffers import flat
from capture.tape.reader import Tape
from core.records import Control, Kind
from core.times import SECOND_NS

FOLLOWING: Final = "following"
"""Action of a CONTROL record: these markets, and no others, are without a result now."""

FOLLOW: Final = "follow"
"""Action: these too."""

UNFOLLOW: Final = "unfollow"
"""Action: these not any more."""

WHOLE_NS: Final = 3_600 * SECOND_NS
"""How often all of them are named, so that nobody has to read further back than that."""

LOOK_BACK: Final = 1_500
"""Segments that are looked through from the end: a day of them, for the tape of a daemon whose disk was full."""

_STEP: Final = 8  # how many times more segments each look takes in than the one before

_CONTROL: Final = msgspec.json.Decoder(Control)


class Journal:
    """Turns the set of followed markets, told again and again, into the few records that describe it."""

    def __init__(self) -> None:
        self._told: frozenset[str] | None = None
        self._whole_at_ns = 0

    def update(self, followed: tuple[str, ...], now_ns: int) -> tuple[Control, ...]:
        """The records to append for this set (sorted) at this time (monotonic or wall, ns); none when it is known."""
        if self._told is None or now_ns >= self._whole_at_ns:
            self._whole_at_ns = now_ns + WHOLE_NS
            self._told = frozenset(followed)
            return (Control(FOLLOWING, followed),)
        told = self._told
        added = tuple(ticker for ticker in followed if ticker not in told)
        self._told = frozenset(followed)
        removed = tuple(sorted(told - self._told))
        pairs = ((FOLLOW, added), (UNFOLLOW, removed))
        return tuple(Control(action, markets) for action, markets in pairs if markets)

    def forget(self) -> None:
        """What was told did not reach the tape: tell all of it the next time."""
        self._told = None


def unfinished(tape: Tape, before_seq: int) -> tuple[str, ...]:
    """The markets that were without a result when the record `before_seq` was written, sorted.

    Reads segments from the end until one names them all, LOOK_BACK of them at most. Raises TapeError when they cannot
    be read.
    """
    tape.refresh()
    places = [*(entry.first_seq for entry in tape.segments), tape.manifest.next_seq]  # the last one: the hot log
    starts = [seq for seq in places if seq < before_seq][-LOOK_BACK:]
    count = 1
    while starts:
        found = list(_controls(tape, starts[-min(count, len(starts))], before_seq))
        if count >= len(starts) or any(control.action == FOLLOWING for control in found):
            return _fold(found)
        count *= _STEP
    return ()


def _fold(controls: list[Control]) -> tuple[str, ...]:
    followed: set[str] = set()
    for control in controls:
        if control.action == FOLLOWING:
            followed = set(control.markets)
        elif control.action == FOLLOW:
            followed.update(control.markets)
        elif control.action == UNFOLLOW:
            followed.difference_update(control.markets)
    return tuple(sorted(followed))


def _controls(tape: Tape, from_seq: int, before_seq: int) -> Iterator[Control]:
    """The CONTROL payloads in a span of seqs: found by the kinds alone, which are a few bytes a segment."""
    for table in tape.tables(("seq", "kind"), from_seq):
        seqs, kinds = flat(table.column("seq")), flat(table.column("kind"))
        for seq in seqs[(kinds == Kind.CONTROL) & (seqs < before_seq)].tolist():
            for record in tape.records(seq, seq):
                yield _CONTROL.decode(record.payload)
        if len(seqs) and seqs[-1] >= before_seq - 1:
            return
