"""A strategy's glance: plain arithmetic on a market's best prices that decides whether its on_book is called at all.

It is run by the machine, compiled, where it can be, and from Python where it cannot; what it keeps is in cells, so that
it is the same either way. Must not know who is told of what.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from core.book import SIDES
from core.cells import M_GLANCE, Memory
from core.compiled import INSTALLED, compile_here
from core.messages.types import Trade
from core.runs import SAW_BOOK, SAW_TICKER, SAW_TRADE
from core.window import Window

MAX_NUMBERS: Final = 1_024
"""Numbers of a glance, and as many for each market: 8 KB a market."""


class Blocks:
    """What all glances of a session keep of markets: one block a market, of which each glance has its part."""

    __slots__ = ("_cells", "_memory", "_taken")

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._cells = 0
        self._taken: list[int] = []

    def claim(self, count: int) -> int:
        """So many numbers of each block for one glance, before any block is made; from where on."""
        assert not self._taken, "no market has a block yet"
        self._cells += count
        return self._cells - count

    def of(self, at: int) -> int:
        """The block of the market that lies there, made now if there is none; 0 = nobody keeps anything."""
        memory = self._memory
        block = memory.plain[at + M_GLANCE]
        if not block and self._cells:
            block = memory.take(self._cells)
            memory.plain[at + M_GLANCE] = block
            self._taken.append(block)
        return block

    def release(self) -> None:
        """Give everything back; it must not be used afterwards."""
        for block in self._taken:
            self._memory.give_back(block, self._cells)
        self._taken.clear()


class Glance:
    """The glance of one strategy. place: where its numbers are; shared, mine: how many, and how many for each market.

    compiled: what the machine takes, None = it cannot be compiled (why: the reason) or there is no numba.
    """

    __slots__ = ("_blocks", "_first", "_function", "_memory", "compiled", "mine", "place", "shared", "why")

    def __init__(self, memory: Memory, blocks: Blocks, function: Callable[..., bool], numbers: tuple[int, int]) -> None:
        """numbers: how many the strategy has, and how many for each market. Raises ValueError when too many.

        blocks: of all glances of the session; the machine takes the only one there is.
        """
        if not all(0 <= count <= MAX_NUMBERS for count in numbers):
            raise ValueError(f"a glance has {numbers} numbers, the most is {MAX_NUMBERS} of either")
        self._memory = memory
        self._function = function
        self.shared, self.mine = numbers
        self.place = memory.take(max(self.shared, 1))
        self._blocks = blocks
        self._first = blocks.claim(self.mine)
        self.compiled: Any = None
        self.why = "the machine is not compiled" if INSTALLED else "numba is not installed"
        if memory.is_compiled:
            self.compiled, self.why = compile_here(function, _samples)

    def look(self, window: Window, trade: Trade | None = None, *, is_ticker: bool = False) -> bool:
        """Whether the strategy is to hear of what has just happened to this market: to its book, or what is given."""
        memory, state = self._memory, window.state
        assert state is not None, f"{window.market} has a book"
        own = self.admit(state.at)
        ours, mine = memoryview(memory.plain)[self.place :][: self.shared], memoryview(memory.plain)[own:][: self.mine]
        bid, ask = window.bid, window.ask
        prices = (-1 if bid is None else bid, window.bid_size, -1 if ask is None else ask, window.ask_size)
        happened = (SAW_TICKER if is_ticker else SAW_BOOK, 0, 0, 0)
        if trade is not None:
            happened = SAW_TRADE, trade.price, trade.count, SIDES[trade.taker]
        return bool(self._function(ours, mine, window.now_ns, *prices, *happened))

    def admit(self, at: int) -> int:
        """Have room for the numbers of the market that lies there; where they are."""
        return self._blocks.of(at) + self._first

    def numbers(self) -> tuple[int, ...]:
        """What the strategy keeps, markets apart."""
        return tuple(self._memory.plain[self.place : self.place + self.shared])

    def release(self) -> None:
        """Give everything back; it must not be used afterwards."""
        self._memory.give_back(self.place, max(self.shared, 1))
        self._blocks.release()


def _samples() -> tuple[Any, ...]:
    """What a glance is given, of nothing."""
    return np.zeros(MAX_NUMBERS, np.int64), np.zeros(MAX_NUMBERS, np.int64), 0, -1, 0, -1, 0, 0, 0, 0, 0
