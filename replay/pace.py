"""How far the machine runs ahead of strategies: as far as has paid so far, or not at all for a while.

Knows what stopping and what keeping the memory cost. Must not know what runs ahead, nor how.
"""

from typing import Final

from core.ahead import MOST_ROWS

LEAST_AHEAD: Final = 512
"""Rows: to keep the memory and to come back costs more than stopping at every wake among fewer."""

CELLS_A_STOP: Final = 8192
"""Cells of the memory that are kept in the time that a stop costs, about: the more markets a memory holds, the more
stops it takes until running ahead has paid."""

SINGLES: Final = 32
"""Wakes, one after another, before the machine runs ahead again of what was in its way: as many, or as many as keeping
the memory costs. So where Python has to step a record now and then, little is lost, and where it has to every few
records, the memory is not kept for each."""

ROWS_BROUGHT_BACK: Final = 8
"""Rows a stop that a stretch must have been worth which was brought back: the memory is copied twice, and of four rows
about one wakes somebody."""


class Pace:
    """What has paid so far.

    rows: how many the machine may run ahead, 0 = none. kept: cells of the memory that the last stretch kept, to be set
    before what became of it is told.
    """

    __slots__ = ("_calm", "kept", "rows")

    def __init__(self) -> None:
        self.rows = LEAST_AHEAD
        self.kept = 0
        self._calm = 0  # stops in a row at which nothing was decided

    @property
    def singles(self) -> int:
        """Wakes in a row after which it is worth running ahead again."""
        return max(SINGLES, self._stops)

    def went(self, rows: int, *, was_cut: bool) -> None:
        """A stretch came so far. was_cut: by a record that is for somebody else than those who were told."""
        self.rows = 0 if was_cut and rows < self._stops else min(2 * self.rows, MOST_ROWS)

    def disturbed(self, rows: int) -> None:
        """A stretch was brought back, so many rows from where it began."""
        has_paid = 2 * rows >= LEAST_AHEAD and rows >= ROWS_BROUGHT_BACK * self._stops
        self.rows = 2 * rows if has_paid else 0

    def resume(self) -> None:
        """Run ahead again."""
        self.rows = self.rows or self._least

    def stopped(self, *, decided: bool) -> None:
        """There was a stop before a venue; after some at which nothing was decided the machine runs ahead again."""
        self._calm = 0 if decided else self._calm + 1
        if not self.rows and self._calm >= self.singles:
            self.rows, self._calm = self._least, 0

    @property
    def _least(self) -> int:
        """Rows of a stretch that has paid."""
        return max(LEAST_AHEAD, self._stops)

    @property
    def _stops(self) -> int:
        """How many stops cost as much as keeping the memory does."""
        return self.kept // CELLS_A_STOP
