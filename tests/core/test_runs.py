"""Many records at once: where the machine stops, whom it wakes, what it notes; as it stands and compiled."""

from typing import Any

import numpy as np
import pytest
from stretch import BEST, BOTH, NOW_NS, known, rows

from core.cells import (
    H_AT,
    H_DUE,
    H_FRAMES,
    H_IS_WATCHED,
    H_NOW,
    H_RECORDS,
    H_STOP,
    H_TOLD,
    M_GLANCE,
    M_TOLD,
    UNTOLD,
    WAKE_BOOK,
    WAKE_TICKER,
    WAKE_TOP,
    WAKE_TRADE,
)
from core.compiled import compile_here
from core.engine import Engine
from core.runs import (
    BOOK_WOKE,
    DUE,
    END,
    LOG_COLUMNS,
    OTHER,
    QUIET,
    TICKER,
    TICKER_WOKE,
    TOP_WOKE,
    TRADE,
    TRADE_WOKE,
    UNDONE,
    WHYS,
)

pytestmark = BOTH
MOVES = ((4_100, 100), (2_000, 100), (4_100, -100), (3_000, 50), (4_000, 1))
"""The best bid moves at the first, the third and the last."""

SMALL = ((2_000, 1), (2_000, 1), (2_000, 1))


def log_of(engine: Engine, room: int = 8) -> Any:
    log = np.zeros(LOG_COLUMNS * room, np.int64)
    return log if engine.memory.is_compiled else log.tolist()


def wakes_of(engine: Engine, log: Any) -> list[list[int]]:
    room = len(log) // LOG_COLUMNS
    return [
        [int(log[column * room + wake]) for column in range(LOG_COLUMNS)] for wake in range(engine.memory.plain[H_TOLD])
    ]


def single(engine: Engine, cells: Any, count: int, first: int = 0) -> tuple[int, int]:
    """Where `run` stops, and why."""
    memory = engine.memory
    return memory.machine.run(memory.m, cells, count, first, count), memory.plain[H_STOP]


def ahead(engine: Engine, cells: Any, count: int, log: Any) -> tuple[int, int]:
    memory = engine.memory
    return memory.machine.run_ahead(memory.m, cells, count, 0, count, log), memory.plain[H_STOP]


def test_rows_are_stepped_to_the_end_while_nobody_watches(is_compiled: bool) -> None:
    engine, at = known(is_compiled=is_compiled, wakes=WAKE_BOOK)
    plain = engine.memory.plain
    records, frames = plain[H_RECORDS], plain[H_FRAMES]
    assert single(engine, rows(engine, *MOVES), 5) == (5, END)
    assert (plain[H_RECORDS] - records, plain[H_FRAMES] - frames, plain[H_AT]) == (5, 5, at)
    assert plain[H_NOW] == NOW_NS + 4_000_000
    assert engine.store.states()["KXTEST-A"].book.yes.levels() == ((2_000, 200), (3_000, 150), (4_000, 1_001))


def test_a_watched_market_stops_the_machine_behind_what_wakes(is_compiled: bool) -> None:
    for wakes, expected in (
        (WAKE_TOP, [(1, TOP_WOKE), (3, TOP_WOKE), (5, TOP_WOKE), (5, END)]),
        (WAKE_BOOK, [(1, TOP_WOKE), (2, BOOK_WOKE), (3, TOP_WOKE), (4, BOOK_WOKE), (5, TOP_WOKE)]),
        (WAKE_TRADE | WAKE_TICKER, [(5, END)]),
    ):
        engine, _ = known(is_compiled=is_compiled, wakes=wakes)
        engine.memory.plain[H_IS_WATCHED] = 1
        cells, found, first = rows(engine, *MOVES), [], 0
        for _ in expected:
            first, why = single(engine, cells, 5, first)
            found.append((first, why))
        assert found == expected


def test_a_row_that_cannot_be_stepped_stops_it_before(is_compiled: bool) -> None:
    engine, _ = known(is_compiled=is_compiled)
    cells = rows(engine, (2_000, 1), (2_000, -10_000), (2_000, 1))  # the level would be below 0
    assert single(engine, cells, 3) == (1, UNDONE)
    cells[1] = OTHER
    assert single(engine, cells, 3, 1) == (1, UNDONE)
    assert ahead(engine, cells, 3, log_of(engine)) == (0, UNDONE), "row 0 was stepped: its number is not the next one"


def test_quiet_rows_are_for_python_where_somebody_watches(is_compiled: bool) -> None:
    engine, _ = known(is_compiled=is_compiled)
    cells = rows(engine, *SMALL)
    cells[0] = QUIET
    engine.memory.plain[H_IS_WATCHED] = 1
    assert single(engine, cells, 1) == (0, UNDONE)
    engine.memory.plain[H_IS_WATCHED] = 0
    frames = engine.memory.plain[H_FRAMES]
    assert single(engine, cells, 3) == (1, UNDONE), "the next number is another"
    assert engine.memory.plain[H_FRAMES] == frames


def test_a_quiet_row_wakes_nobody_and_looks_at_no_market(is_compiled: bool) -> None:
    """There may have been none yet: then cells that are no market's would be taken for one."""
    engine, at = known(is_compiled=is_compiled, wakes=WAKE_BOOK)
    memory = engine.memory
    cells = rows(engine, *SMALL)
    for row in range(3):
        cells[row] = QUIET
    memory.plain[H_AT] = 0
    before = list(memory.plain[M_TOLD : M_TOLD + 4])  # where market 0, which is none, would have them
    memory.plain[at + M_TOLD] = UNTOLD
    assert ahead(engine, cells, 3, log_of(engine)) == (3, END)
    assert list(memory.plain[M_TOLD : M_TOLD + 4]) == before
    assert memory.plain[H_TOLD] == 0
    assert memory.machine.woken(memory.m, at, QUIET, 0) == END
    assert memory.plain[at + M_TOLD] == UNTOLD


def test_a_row_that_is_due_stops_the_machine_behind_it_and_before_it_where_it_is_ahead(is_compiled: bool) -> None:
    engine, _ = known(is_compiled=is_compiled)
    cells = rows(engine, *SMALL)
    engine.memory.plain[H_DUE] = NOW_NS + 1_000_000
    assert single(engine, cells, 3) == (2, DUE)
    engine, _ = known(is_compiled=is_compiled)
    engine.memory.plain[H_DUE] = NOW_NS + 1_000_000
    assert ahead(engine, cells, 3, log_of(engine)) == (1, DUE)


def test_a_full_log_is_due(is_compiled: bool) -> None:
    engine, _ = known(is_compiled=is_compiled, wakes=WAKE_BOOK)
    assert ahead(engine, rows(engine, *MOVES), 5, log_of(engine, 3)) == (3, DUE)
    assert engine.memory.plain[H_TOLD] == 3


def test_what_wakes_is_noted_with_the_best_prices_as_they_were(is_compiled: bool) -> None:
    engine, at = known(is_compiled=is_compiled, wakes=WAKE_BOOK)
    log = log_of(engine)
    assert ahead(engine, rows(engine, *MOVES), 5, log) == (5, END)
    assert wakes_of(engine, log) == [
        [0, at * WHYS + TOP_WOKE, NOW_NS, 4_100, 100, 5_000, 700],
        [1, at * WHYS + BOOK_WOKE, NOW_NS + 1_000_000, 4_100, 100, 5_000, 700],
        [2, at * WHYS + TOP_WOKE, NOW_NS + 2_000_000, BEST, 1_000, 5_000, 700],
        [3, at * WHYS + BOOK_WOKE, NOW_NS + 3_000_000, BEST, 1_000, 5_000, 700],
        [4, at * WHYS + TOP_WOKE, NOW_NS + 4_000_000, BEST, 1_001, 5_000, 700],
    ]


def test_an_empty_side_is_noted_as_such(is_compiled: bool) -> None:
    engine, at = known(is_compiled=is_compiled, wakes=WAKE_TOP)
    log = log_of(engine)
    ahead(engine, rows(engine, (4_000, -1_000), (3_000, -100), (2_000, -100)), 3, log)
    assert wakes_of(engine, log)[-1] == [2, at * WHYS + TOP_WOKE, NOW_NS + 2_000_000, -1, 0, 5_000, 700]


def test_a_best_price_is_told_once(is_compiled: bool) -> None:
    engine, at = known(is_compiled=is_compiled)
    machine, m, told = engine.memory.machine, engine.memory.m, at + M_TOLD
    assert engine.memory.plain[told] == UNTOLD
    assert [bool(machine.top_moved(m, at, 0)) for _ in range(2)] == [True, False]
    assert [int(cell) for cell in m[told : told + 4]] == [BEST, 1_000, 5_000, 700]
    m[told + 3] = 1
    assert [bool(machine.top_moved(m, at, 0)) for _ in range(2)] == [True, False]


def test_trades_and_tickers_wake_those_who_hear_of_them(is_compiled: bool) -> None:
    for wakes, expected in ((0, [END, END]), (WAKE_TRADE, [TRADE_WOKE, END]), (WAKE_TICKER, [END, TICKER_WOKE])):
        engine, at = known(is_compiled=is_compiled, wakes=wakes)
        woken = engine.memory.machine.woken
        assert [woken(engine.memory.m, at, what, 0) for what in (TRADE, TICKER)] == expected


def _rises(
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
    ours[1] = now_ns + bid_size + ask + ask_size
    is_higher = bid > mine[0]
    mine[0] = bid
    return bool(is_higher)


def test_a_glance_leaves_out_what_it_says_no_to_and_keeps_its_numbers(is_compiled: bool) -> None:
    engine, at = known(is_compiled=is_compiled, wakes=WAKE_BOOK)
    memory = engine.memory
    place, own = memory.take(2), memory.take(1)
    memory.plain[at + M_GLANCE] = own
    numbers = np.zeros(2, np.int64)
    glance = compile_here(_rises, lambda: (numbers, numbers, 0, 0, 0, 0, 0))[0] if is_compiled else None
    if glance is None:
        pytest.skip("plain slices are copies: from Python a glance is asked by core.glance")
    log = log_of(engine)
    stopped = memory.machine.run_glancing(memory.m, rows(engine, *MOVES), 5, 0, 5, log, glance, place, 2, 1)
    assert (stopped, memory.plain[H_STOP]) == (5, END)
    assert [wake[0] for wake in wakes_of(engine, log)] == [0]
    assert list(memory.plain[place : place + 2]) == [5, NOW_NS + 4_000_000 + 1_001 + 5_000 + 700]
    assert memory.plain[own] == BEST
