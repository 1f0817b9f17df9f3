"""The one flat memory in which the numbers of connections, books and rings lie, and what lies where in it.

Knows cells: 64-bit integers, handed out in blocks and taken back. Must not know what the numbers mean to a strategy.
One memory has two faces: `plain`, fast to read and write one cell at a time from Python, and `m`, which is what the
functions of `core.machine` are given: the same cells as a numpy array where these are compiled.
"""

from array import array
from collections.abc import Callable
from typing import Any, Final

from core.copies import machine

NULL: Final = -(1 << 63)
"""Stands for "no value"."""

NEVER: Final = (1 << 63) - 1
"""Later than any time and any seq."""

NO_BID: Final = -1
"""The best price of an empty ladder."""

UNTOLD: Final = -2
"""A best price that nobody has been told yet."""

SCRATCH: Final = 32
"""From here on the values of one message are handed to the machine."""

HEADER: Final = 64
"""Cells before the first block; offset 0 stands for "no block"."""

# The header.
H_RECORDS, H_FRAMES, H_DELTAS, H_SNAPSHOTS, H_TICKERS, H_TRADES = range(1, 7)  # stepped, not yet in the engine's counts
H_POOL, H_POOL_CAPACITY = 7, 8  # items of all rings together, and the most there may be
H_SEEN = 9  # the block that remembers trade ids, 0 = not made yet
H_FILTERED = 10  # 1 = the tape is filtered: numbers may jump
H_OPEN_GAPS = 11  # how many gaps are open
H_IS_WATCHED = 12  # 1 = strategies want to know of changes at the top of a book
H_DUE = 13  # from this time on every record matters to strategies
H_STOP = 14  # why `run` stopped
H_AT = 15  # the market it stopped at
H_SERIAL = 16  # the last serial number given to a subscription
H_NOW = 17  # now_ns of the last row
H_TOLD = 18  # how many wakes `run_ahead` has noted
H_END = 19  # the first cell that was never handed out
H_CELLS = 20  # cells that there are
H_FREED = 21  # the first of a chain of blocks that the machine gave up: each holds the next one, and its size
H_OWN = 22  # 1 = the row stepped last concerns orders of ours
H_UNDO = 23  # while the machine runs ahead, the end of the log of what it overwrites (`core.undo`); else 0
H_UNDO_AT = 24  # where the log goes on

# A connection.
C_NUMBER, C_OPEN, C_HEARD = range(3)
CONNECTION_CELLS: Final = 4

# A subscription. Its serial is new whenever its list of markets shrinks, and 0 once it is over.
S_SERIAL, S_CONNECTION, S_NUMBER, S_SID, S_NEXT, S_HEARD, S_YES_PRICE = range(7)
SUBSCRIPTION_CELLS: Final = 8

# A ladder: price units between slots, how many slots, what makes a slot of a price without a division, a size for each
# slot, then how many are taken of each BLOCK of them.
L_STEP, L_SLOTS, L_FACTOR, L_SHIFT, L_SIZES = range(5)
BLOCK: Final = 32
STEPS: Final = (100, 10, 1)
"""Grids of a ladder, coarsest first: a cent, a tenth, a hundredth of one."""
FACTORS: Final = {100: (5_243, 19), 10: (6_554, 16), 1: (1, 0)}
"""price * factor >> shift is price // step for every price up to a dollar."""

# A ring: where it lies (0 = nowhere yet), items it has room for, where the oldest is, how many there are.
R_AT, R_ROOM, R_FIRST, R_LENGTH = range(4)
FIRST_ROOM: Final = 16
GROWTH: Final = 8
"""A ring has room for so many items at first, and for so many times more whenever it is full."""

POINT_CELLS: Final = 3  # now_ns, best yes bid, best no bid
TRADE_CELLS: Final = 8  # now_ns, price, count, 1 yes or 2 no, is_block, exchange_ns, and the id's two halves
RING_CAPACITY: Final = 1_024
"""Items of one ring: in the busiest tenth of a second on tape (1,517 frames) the best price moves less often."""

# A market.
M_CONNECTION, M_SID, M_SEQ, M_CLOCK, M_BOOK_NS, M_HEARD_NS, M_TRUSTED, M_HAS_BOOK, M_TRADED = range(9)
M_YES, M_YES_BEST, M_NO, M_NO_BEST = range(9, 13)  # a side: its ladder (0 = none yet), its best price
M_PRICES = 13  # ring
M_TRADES = 17  # ring
M_BOOK_SUB, M_BOOK_SERIAL, M_TRADE_SUB, M_TRADE_SERIAL, M_TICKER_SUB, M_TICKER_SERIAL = range(21, 27)
M_TOLD = 27  # four cells: best bid and its size, best no bid and its size, as strategies were last told
M_WAKES = 31  # what of this market wakes strategies
M_TICKER = 32  # 15 cells, see below
M_ID = 47  # code of the ticker's market_id in the rows at hand, -1 = another
M_GLANCE = 48  # numbers that a strategy's glance keeps of it
M_OWN = 49  # 1 = orders of ours are in it, or on their way
M_OWN_YES, M_OWN_NO = 50, 53  # a side: the lowest and highest price of ours, and from which on others cross us
MARKET_CELLS: Final = 56

# A ticker, from M_TICKER on.
T_HAS, T_SID, T_SEQ, T_SENDING_MS, T_EXCHANGE_NS, T_VALUES = range(6)  # T_HAS 2 = it holds what the cells do not
TICKER_VALUES: Final = 10
TICKER_CELLS: Final = T_VALUES + TICKER_VALUES

# What wakes strategies, as bits.
WAKE_BOOK, WAKE_TOP, WAKE_TRADE, WAKE_TICKER = 1, 2, 4, 8

_FIRST_CELLS: Final = 1 << 12


class Memory:
    """Cells in blocks. plain: the cells, one at a time; m: the cells for `machine`; both change when it grows."""

    __slots__ = ("_closed", "_free", "is_compiled", "m", "machine", "plain")

    def __init__(self, is_compiled: bool | None = None) -> None:
        """is_compiled: whether `machine` is the compiled one (default: when that is loaded already)."""
        self.machine = machine(is_compiled)
        self.is_compiled = self.machine is not machine(False)
        self.plain: array[int] = _blank(_FIRST_CELLS)
        self.plain[H_DUE] = NEVER
        self.m: Any = self._face()
        self._free: dict[int, list[int]] = {}
        self.plain[H_END], self.plain[H_CELLS] = HEADER, _FIRST_CELLS
        self._closed: tuple[array[int], Any] | None = None

    @property
    def end(self) -> int:
        """The first cell that was never handed out."""
        return self.plain[H_END]

    @property
    def used(self) -> int:
        """Cells in blocks that were not given back."""
        self._collect()
        return self.end - HEADER - sum(size * len(blocks) for size, blocks in self._free.items())

    def take(self, cells: int) -> int:
        """The offset of a block of so many cells, all 0."""
        self._collect()
        free = self._free.get(cells)
        if free:
            return free.pop()
        self.reserve(cells)
        at = self.plain[H_END]
        self.plain[H_END] = at + cells
        return at

    def reserve(self, cells: int) -> None:
        """Have so many cells left at the end."""
        needed = self.plain[H_END] + cells
        if needed <= len(self.plain):
            return
        room = needed * 3 // 2
        grown = _blank(room)
        grown[: len(self.plain)] = self.plain
        grown[H_CELLS] = room
        self.plain = grown
        self.m = self._face()

    def give_back(self, at: int, cells: int) -> None:
        """A block is not used any more."""
        self.plain[at : at + cells] = _blank(cells)
        self._free.setdefault(cells, []).append(at)

    def close(self, touched: Callable[[], None]) -> None:
        """Have `touched` called before anybody reads or writes a cell; `open` ends that."""
        self._closed = self.plain, self.m
        self.m = _Closed(self, touched)
        self.plain = self.m

    def open(self) -> None:
        """Cells may be touched again."""
        if self._closed is not None:
            (self.plain, self.m), self._closed = self._closed, None

    def _collect(self) -> None:
        """Take back what the machine gave up."""
        while self.plain[H_FREED]:
            at = self.plain[H_FREED]
            self.plain[H_FREED], cells = self.plain[at], self.plain[at + 1]
            self.give_back(at, cells)

    def values(self, values: list[int]) -> Any:
        """Integers that are no cells, as `machine` takes them."""
        return _array(array("q", values)) if self.is_compiled else values

    def _face(self) -> Any:
        return _array(self.plain) if self.is_compiled else self.plain


def _blank(cells: int) -> "array[int]":
    return array("q", (0,)) * cells  # from bytes they would lie in memory twice


def _array(cells: "array[int]") -> Any:
    """The same cells as a numpy array."""
    import numpy  # not needed where nothing is compiled, and not quickly loaded

    return numpy.frombuffer(cells, numpy.int64)


class _Closed:
    """Stands for the cells while nobody may touch them. It is no array, so compiled functions do not take it."""

    def __init__(self, memory: Memory, touched: Callable[[], None]) -> None:
        self._memory = memory
        self._touched = touched

    def __getitem__(self, cell: Any) -> Any:
        self._touched()
        return self._memory.plain[cell]

    def __setitem__(self, cell: Any, value: Any) -> None:
        self._touched()
        self._memory.plain[cell] = value
