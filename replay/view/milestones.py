"""States of all markets along a tape, kept in memory by whoever goes through it, so that no way to a record is long.

Knows how many there may be and how they are thinned. Must not know what a state is. One thread adds, others read.
"""

from bisect import bisect_right, insort
from typing import Final

SPACING: Final = 131_072
"""Records from one to the next at first: two pages to read at most, for one market's sake."""

MOST_BYTES: Final = 64 << 20
"""When they take more, every second one goes: some eighty with two hundred markets."""


class Milestones:
    """The states by the last record in them. spacing: from one to the next, by now."""

    def __init__(self, spacing: int = SPACING, most_bytes: int = MOST_BYTES) -> None:
        self.spacing = spacing
        self._most = most_bytes
        self._seqs: list[int] = []
        self._states: dict[int, bytes] = {}

    def add(self, seq: int, state: bytes) -> None:
        """One more; `seq + 1` is a multiple of the spacing."""
        self._states[seq] = state
        insort(self._seqs, seq)
        while sum(map(len, self._states.values())) > self._most and len(self._seqs) > 1:
            self.spacing *= 2
            gone = [at for at in self._seqs if (at + 1) % self.spacing]
            self._seqs = [at for at in self._seqs if at not in gone]  # first, so that readers find what is left
            for at in gone:
                del self._states[at]

    def nearest(self, seq: int) -> tuple[int, bytes] | None:
        """The last one at or before a record."""
        seqs = self._seqs
        for at in reversed(seqs[: bisect_right(seqs, seq)]):
            state = self._states.get(at)
            if state is not None:
                return at, state
        return None
