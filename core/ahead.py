"""The machine runs ahead of those whom it wakes, and comes back where one wants to see more than the best prices.

To have it stop at every change that a strategy wants to hear of would cost more than all it does. So it steps a whole
stretch of rows first, and notes whom it would have woken and the best prices as they were. Whoever is told of them one
by one then finds the memory closed: to touch a cell of it brings everything back to the very record that is being told
of, and what came after is done again. So nobody can see the future, nor that it was there.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from core.cells import H_RECORDS, H_STOP, H_TOLD, Memory
from core.glance import Glance
from core.runs import DUE, LOG_COLUMNS

MOST_ROWS: Final = 65_536
"""Rows of a stretch, each of which wakes once at most: as many as a batch has."""

_ROW, _KEY, _NOW, _BEST = range(4)  # columns of the log; after _BEST best yes bid, its size, best no bid, its size


class Ahead:
    """One stretch at a time, and the time for all who look at markets.

    told: the window of the market that somebody is being told of, None = nothing runs ahead. place: which wake that is.
    keys: of each wake, the market's place and why, as `core.runs` notes them. bids, no_bids and their sizes:
    views of their best prices. is_ahead: False once everything was brought back.
    """

    __slots__ = (
        "_arrived", "_kept", "_log", "_memory", "_now_ns", "_nows", "_rows", "bid_sizes", "bids", "is_ahead", "keys",
        "no_bid_sizes", "no_bids", "place", "told",
    )  # fmt: skip

    def __init__(self, memory: Memory, arrived: Callable[[int, int], None]) -> None:
        """arrived: called with row and time when everything was brought back to the record of that row."""
        self._memory = memory
        self._arrived = arrived
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
        memory = self._memory
        memory.m[len(self._kept) : memory.end] = 0  # never handed out, so to be found empty
        memory.m[: len(self._kept)] = self._kept

    def _step(self, last: int) -> int:
        memory = self._memory
        machine, (cells, stride, first, glance) = memory.machine, self._rows
        if glance is None:
            return int(machine.run_ahead(memory.m, cells, stride, first, last, self._log))
        numbers = glance.compiled, glance.place, glance.shared, glance.mine
        return int(machine.run_glancing(memory.m, cells, stride, first, last, self._log, *numbers))

    def _keep(self) -> None:
        used = self._memory.end
        if len(self._kept) != used:
            self._kept = np.empty(used, np.int64)
        self._kept[:] = self._memory.m[:used]
