"""A stretch stepped ahead: what is noted, what closes, and how everything comes back to the record being told of."""

from typing import Any

import numpy as np
import pytest
from seers import needs_numba
from stretch import BEST, MARKET, NOW_NS, known, rows

from core import state
from core.ahead import MOST_ROWS, Ahead
from core.cells import (
    H_DUE,
    H_STOP,
    H_UNDO,
    M_NO_BEST,
    M_YES_BEST,
    POINT_CELLS,
    RING_CAPACITY,
    WAKE_BOOK,
    WAKE_TOP,
)
from core.engine import Engine
from core.glance import Blocks, Glance
from core.runs import BOOK_WOKE, DUE, END, TOP_WOKE, WHYS

pytestmark = needs_numba
MOVES = tuple((4_100, 100 if row % 2 == 0 else -100) for row in range(40))
"""The best bid moves at each."""


class Stretch:
    """An engine, rows, and what runs ahead of them. arrived: rows and times to which everything was brought back."""

    def __init__(self, *deltas: tuple[int, int], wakes: int = WAKE_TOP) -> None:
        self.engine, self.at = known(is_compiled=True, wakes=wakes)
        self.arrived: list[tuple[int, int]] = []
        self.ahead = Ahead(
            self.engine.memory, lambda: (self.at,), lambda row, now_ns: self.arrived.append((row, now_ns))
        )
        self.cells, self.count = rows(self.engine, *deltas), len(deltas)

    def run(self, last: int = 0, first: int = 0, glance: Glance | None = None) -> int:
        """Where it stopped; H_STOP is to be looked at by `why`."""
        return self.ahead.run(self.cells, self.count, first, last or self.count, glance)

    @property
    def digest(self) -> str:
        return state.digest(self.engine)

    def stepped(self, count: int) -> str:
        """The digest after so many rows, stepped one after the other."""
        engine, _ = known(is_compiled=True)
        engine.run(rows(engine, *MOVES), len(MOVES), 0, count)
        return state.digest(self._as(engine))

    def _as(self, engine: Engine) -> Engine:
        engine.timeline.now_ns, engine.next_seq = self.engine.timeline.now_ns, self.engine.next_seq
        return engine


def test_what_woke_is_noted_and_the_memory_is_closed() -> None:
    stretch = Stretch(*MOVES)
    assert stretch.run() == len(MOVES)
    ahead = stretch.ahead
    assert ahead.is_ahead
    assert ahead.keys == [stretch.at * WHYS + TOP_WOKE] * len(MOVES)
    ahead.place = 4
    assert (ahead.row, ahead.now_ns) == (4, NOW_NS + 4_000_000)
    best = (ahead.bids, ahead.bid_sizes, ahead.no_bids, ahead.no_bid_sizes)
    assert [view[4] for view in best] == [4_100, 100, 5_000, 700]
    assert stretch.arrived == []


def test_nobody_to_be_told_closes_nothing() -> None:
    stretch = Stretch(*MOVES, wakes=0)
    assert stretch.run() == len(MOVES)
    assert (stretch.ahead.keys, stretch.ahead.is_ahead) == ([], False)
    assert stretch.engine.memory.plain[H_STOP] == END
    stretch.ahead.settle()
    assert stretch.arrived == []
    assert stretch.engine.memory.plain[stretch.at + M_YES_BEST] == BEST


@pytest.mark.parametrize("touch", ["plain", "m", "settle", "write", "slice"])
def test_whoever_touches_a_cell_finds_it_as_it_was_at_the_record_told_of(touch: str) -> None:
    stretch = Stretch(*MOVES)
    stretch.run()
    ahead, memory, cell = stretch.ahead, stretch.engine.memory, stretch.at + M_YES_BEST
    ahead.place, ahead.told = 6, object()
    if touch == "settle":
        ahead.settle()
    elif touch == "write":
        memory.plain[stretch.at + M_NO_BEST] = 5_000  # as it is
    elif touch == "slice":
        assert list(memory.plain[cell : cell + 1]) == [4_100]
    else:
        assert getattr(memory, touch)[cell] == 4_100
    assert stretch.arrived == [(6, NOW_NS + 6_000_000)]
    assert (ahead.is_ahead, ahead.told, ahead.row) == (False, None, 6)
    stretch.engine.ran(7)
    assert stretch.digest == stretch.stepped(7)
    ahead.settle()
    assert len(stretch.arrived) == 1, "there already"


@pytest.mark.parametrize("place", [0, 1, 20, len(MOVES) - 1])
def test_after_coming_back_the_rest_is_stepped_as_if_nothing_had_been(place: int) -> None:
    """Rings have grown meanwhile into cells that were never handed out."""
    stretch = Stretch(*MOVES)
    memory = stretch.engine.memory
    end = memory.end
    stretch.run()
    stretch.ahead.place = place
    stretch.ahead.settle()
    tail = memory.m[memory.end : memory.end + 4_000]
    assert not np.any(tail), "what was never handed out is empty"
    assert memory.end >= end
    assert stretch.run(first=place + 1, last=len(MOVES)) == len(MOVES)
    stretch.ahead.finish()
    stretch.engine.ran(len(MOVES))
    assert stretch.digest == stretch.stepped(len(MOVES))


@pytest.mark.parametrize("place", [0, 700, 1_500, 2_399])
def test_what_full_rings_have_lost_comes_back_and_what_is_kept_does_not_hold_them(place: int) -> None:
    many = tuple((4_100, 100 if row % 2 == 0 else -100) for row in range(2_400))
    stretch, other = Stretch(*many), Stretch(*many)
    for each in (stretch, other):
        each.engine.memory.reserve(100_000)
    assert stretch.run(last=1_200) == 1_200
    stretch.ahead.finish()
    assert stretch.run(first=1_200) == 2_400
    assert stretch.ahead.kept < RING_CAPACITY * POINT_CELLS
    stretch.ahead.place = max(place - 1_200, 0)
    row = stretch.ahead.row
    stretch.ahead.settle()
    stretch.engine.ran(row + 1)
    other.engine.run(other.cells, len(many), 0, row + 1)
    assert stretch.digest == other.digest
    assert stretch.engine.memory.plain[H_UNDO] == 0


def test_a_stretch_ends_where_the_log_of_what_rings_lost_is_full() -> None:
    many = tuple((4_100, 100 if row % 2 == 0 else -100) for row in range(1_200))
    stretch = Stretch(*many)
    stretch.ahead = Ahead(stretch.engine.memory, lambda: (stretch.at,), lambda *_: None, undo_cells=100)
    stretch.engine.memory.reserve(100_000)
    stopped = stretch.run()
    assert RING_CAPACITY < stopped < RING_CAPACITY + 40
    stretch.ahead.finish()
    assert stretch.engine.memory.plain[H_STOP] == DUE, "a reason to go on after being told"
    assert stretch.run(first=stopped) > stopped


def test_everybody_told_opens_the_memory_where_the_machine_stands() -> None:
    stretch = Stretch(*MOVES)
    stretch.run(last=5)
    stretch.ahead.finish()
    assert stretch.arrived == []
    assert not stretch.ahead.is_ahead
    assert stretch.engine.memory.plain[stretch.at + M_YES_BEST] == 4_100
    stretch.engine.ran(5)
    assert stretch.digest == stretch.stepped(5)


def test_the_time_is_the_tapes_before_and_after() -> None:
    stretch = Stretch(*MOVES)
    ahead = stretch.ahead
    ahead.now_ns = 7
    assert ahead.now_ns == 7
    stretch.run()
    assert ahead.now_ns == NOW_NS
    ahead.finish()
    assert ahead.now_ns == 7, "whoever had it run says how far it came"


def test_a_due_row_ends_the_stretch() -> None:
    stretch = Stretch(*MOVES)
    stretch.engine.memory.plain[H_DUE] = NOW_NS + 3_000_000
    assert stretch.run() == 3
    stretch.ahead.finish()
    assert stretch.engine.memory.plain[H_STOP] == DUE


def _none_of_it(
    ours: Any,
    mine: Any,
    now_ns: int,
    bid: int,
    bid_size: int,
    ask: int,
    ask_size: int,
    _what: int,
    _price: int,
    _count: int,
    _taker: int,
) -> bool:
    ours[0] += 1
    mine[0] = now_ns + ask + ask_size
    if bid < 0:
        raise ValueError("nobody bids")
    return bool(bid_size == 7)


def glancing(stretch: Stretch) -> Glance:
    memory = stretch.engine.memory
    glance = Glance(memory, Blocks(memory), _none_of_it, (1, 1))
    glance.admit(stretch.at)
    assert glance.compiled is not None, glance.why
    return glance


def test_a_glance_that_says_no_leaves_a_record_out() -> None:
    stretch = Stretch((4_100, 5), (4_100, 2), (4_100, -2), (4_100, 2), (2_000, 1), wakes=WAKE_BOOK)
    glance = glancing(stretch)
    assert stretch.run(glance=glance) == 5
    ahead = stretch.ahead
    assert ahead.keys == [stretch.at * WHYS + why for why in (TOP_WOKE, TOP_WOKE, BOOK_WOKE)]
    ahead.place = 1
    assert ahead.row == 3
    ahead.settle()
    assert glance.numbers() == (4,), "its numbers came back, too"


@pytest.mark.parametrize("before", [0, 1, 5])
def test_a_row_at_which_the_glance_raises_is_due_and_not_stepped(before: int) -> None:
    lows = ((2_000, -100), (3_000, -100), (4_000, -1_000))  # after the last nobody bids
    stretch = Stretch(*((2_000, 1),) * before, (2_000, -before), *lows, *lows, wakes=WAKE_BOOK)
    glance = glancing(stretch)
    stretch.cells[before * 1] = stretch.cells[0]
    assert stretch.run(glance=glance) == before + 3
    stretch.ahead.finish()
    memory = stretch.engine.memory
    assert memory.plain[H_STOP] == DUE
    assert memory.plain[stretch.at + M_YES_BEST] == BEST, "the last that bids is there"
    assert glance.numbers() == (before + 3,), "what it counted at that row is undone"
    assert stretch.run(first=before + 3, glance=glance) == before + 3, "and again nothing of it is done"
    assert memory.plain[H_STOP] == DUE


def test_what_is_no_glances_failure_is_not_swallowed() -> None:
    stretch = Stretch(*MOVES)
    with pytest.raises(Exception, match=r"[Tt]yp"):
        stretch.ahead.run(None, 1, 0, 1)
    assert not stretch.ahead.is_ahead
    with pytest.raises(Exception, match=r"[Tt]yp"):
        stretch.ahead.run(stretch.cells, stretch.count, 0, None)  # type: ignore[arg-type]  # that is the point
    assert stretch.engine.memory.plain[stretch.at + M_YES_BEST] == BEST


def test_a_stretch_is_no_longer_than_a_batch() -> None:
    stretch = Stretch(*MOVES)
    stretch.run()
    assert len(stretch.ahead.bids) == MOST_ROWS
    assert MARKET in stretch.engine.store.markets()
