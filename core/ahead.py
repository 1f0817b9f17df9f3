"""The machine runs ahead of those whom it wakes, and comes back where one wants to see more than the best prices.

To have it stop at every change that a strategy wants to hear of would cost more than all it does. So it steps a whole
stretch of rows first, and notes whom it would have woken and the best prices as they were. Whoever is told of them one
by one then finds the memory closed: to touch a cell of it brings everything back to the very record that is being told
of, and what came after is done again. So nobody can see the future, nor that it was there.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np

from core.cells import (
    H_RECORDS,
    H_STOP,
    H_TOLD,
    H_UNDO,
    H_UNDO_AT,
    M_PRICES,
    M_TRADES,
    POINT_CELLS,
    R_AT,
    R_ROOM,
    TRADE_CELLS,
    Memory,
)
from core.glance import Glance
from core.runs import DUE, LOG_COLUMNS

MOST_ROWS: Final = 65_536
"""Rows of a stretch, each of which wakes once at most: as many as a batch has."""

UNDO_CELLS: Final = 1 << 17
"""Of the log of what a stretch overwrites in rings (1 MB): 13,000 trades or 26,000 moves of a best price."""

_ROW, _KEY, _NOW, _BEST = range(4)  # columns of the log; after _BEST best yes bid, its size, best no bid, its size


class Ahead:
    """One stretch at a time, and the time for all who look at markets.

    told: the window of the market that somebody is being told of, None = nothing runs ahead. place: which wake that is.
    keys: of each wake, the market's place and why, as `core.runs` notes them. bids, no_bids and their sizes:
    views of their best prices. is_ahead: False once everything was brought back. kept: cells that were copied to come
    back to, for the last stretch.
    """

    __slots__ = (
        "_arrived", "_end", "_kept", "_log", "_markets", "_memory", "_now_ns", "_nows", "_rows", "_spans", "_undo",
        "_undo_cells", "bid_sizes", "bids", "is_ahead", "kept", "keys", "no_bid_sizes", "no_bids", "place", "told",
    )  # fmt: skip

    def __init__(
        self,
        memory: Memory,
        markets: Callable[[], Iterable[int]],
        arrived: Callable[[int, int], None],
        undo_cells: int = UNDO_CELLS,
    ) -> None:
        """markets: the offsets of all. arrived: called with row and time when everything was brought back to the record
        of that row."""
        self._undo_cells = undo_cells
        self._memory = memory
        self._markets = markets
        self._arrived = arrived
        self._undo = self._end = self.kept = 0
        self._spans: Any = ()
        self._log: Any = None
        self._nows: Any = None
        self._kept = np.zeros(0, np.int64)
        self._rows: tuple[Any, int, int, Glance | None] = (None, 0, 0, None)
        self._now_ns = self.place = 0
        self.bids: Any = ()
        self.bid_sizes: Any = ()
        self.no_bids: Any = ()
        self.no_bid_sizes: Any = ()
        self.is_ahead = False
        self.keys: list[int] = []
        self.told: Any = None

    @property
    def now_ns(self) -> int:
        """The tape's time at the last record, or at the one that is being told of."""
        now_ns: int = self._nows[self.place] if self.is_ahead else self._now_ns
        return now_ns

    @now_ns.setter
    def now_ns(self, now_ns: int) -> None:
        self._now_ns = now_ns

    @property
    def row(self) -> int:
        """The row of the record that is being told of."""
        return int(self._log[self.place])

    def run(self, cells: Any, stride: int, first: int, last: int, glance: Glance | None = None) -> int:
        """Step rows and note whom they wake, those that a glance says no to left out; returns the first not stepped.

        H_STOP says why it stopped; a row at which the glance raises is due, for Python to look.
        """
        if self._log is None:
            self._log = np.zeros(LOG_COLUMNS * MOST_ROWS, np.int64)
            views = [memoryview(self._log[n * MOST_ROWS : (n + 1) * MOST_ROWS]) for n in range(LOG_COLUMNS)]
            self._nows = views[_NOW]
            self.bids, self.bid_sizes, self.no_bids, self.no_bid_sizes = views[_BEST:]
        memory = self._memory
        self._keep()
        self._rows = cells, stride, first, glance
        try:
            stopped = self._step(last)
        except Exception:
            row = first + memory.plain[H_RECORDS] - int(self._kept[H_RECORDS]) - 1  # the one it was at
            if row < first:
                raise
            self._restore()
            stopped = self._step(row)
            memory.plain[H_STOP] = DUE
        told = memory.plain[H_TOLD]
        self.keys = self._log[_KEY * MOST_ROWS : _KEY * MOST_ROWS + told].tolist()
        if told:
            self.is_ahead = True
            memory.close(self.settle)
        return stopped

    def settle(self) -> None:
        """Bring everything back to the record that is being told of; once it is there, nothing happens."""
        if not self.is_ahead:
            return
        row, now_ns = self.row, self.now_ns
        self.finish()
        self._restore()
        self._step(row + 1)
        self._arrived(row, now_ns)

    def finish(self) -> None:
        """Everybody was told."""
        self.is_ahead = False
        self.told = None
        self._memory.open()

    def _restore(self) -> None:
        memory, machine = self._memory, self._memory.machine
        machine.undo(memory.m, self._undo)
        memory.m[self._end : memory.end] = 0  # never handed out, so to be found empty
        machine.copy_back(memory.m, self._kept, self._spans)

    def _step(self, last: int) -> int:
        memory = self._memory
        machine, (cells, stride, first, glance) = memory.machine, self._rows
        memory.plain[H_UNDO] = self._undo + self._undo_cells
        try:
            if glance is None:
                return int(machine.run_ahead(memory.m, cells, stride, first, last, self._log))
            numbers = glance.compiled, glance.place, glance.shared, glance.mine
            return int(machine.run_glancing(memory.m, cells, stride, first, last, self._log, *numbers))
        finally:
            memory.plain[H_UNDO] = 0

    def _keep(self) -> None:
        """Copy all but rings, and begin the log of what is lost of these."""
        memory = self._memory
        if not self._undo:
            self._undo = memory.take(self._undo_cells)
        memory.plain[H_UNDO_AT] = self._undo
        self._end = memory.end
        self._spans = self._between_rings()
        needed = int((self._spans[1::2] - self._spans[::2]).sum())
        if len(self._kept) < needed:
            self._kept = np.empty(needed * 3 // 2, np.int64)
        self.kept = memory.machine.copy_out(memory.m, self._kept, self._spans)

    def _between_rings(self) -> Any:
        """Where the memory is neither a ring nor the log: from, up to, from, up to."""
        m = self._memory.m
        markets = np.fromiter(self._markets(), np.int64)
        blocks = [(np.array([self._undo]), np.array([self._undo_cells]))]
        for ring, cells in ((M_PRICES, POINT_CELLS), (M_TRADES, TRADE_CELLS)):
            at = markets + ring
            blocks.append((m[at + R_AT], m[at + R_ROOM] * cells))
        firsts, sizes = map(np.concatenate, zip(*blocks, strict=True))
        order = np.argsort(firsts[firsts > 0])
        firsts, sizes = firsts[firsts > 0][order], sizes[firsts > 0][order]
        spans = np.empty(2 * len(firsts) + 2, np.int64)
        spans[0], spans[1:-1:2], spans[2::2], spans[-1] = 0, firsts, firsts + sizes, self._end
        return spans
