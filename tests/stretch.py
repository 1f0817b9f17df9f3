"""Rows for the machine, made by hand, of one market that an engine knows: for tests of what steps many at once."""

from typing import Any, Final

import numpy as np
import pytest
from sample_tapes import MILLI, START_NS, Script

from core.cells import M_WAKES
from core.compiled import INSTALLED
from core.engine import Engine
from core.runs import (
    DELTA,
    O_CONNECTION,
    O_MARKET,
    O_NOW,
    O_PRICE,
    O_SEQ,
    O_SID,
    O_SIDE,
    O_SIZE,
    ROW_COLUMNS,
)

BOTH: Final = pytest.mark.parametrize(
    "is_compiled",
    [False, pytest.param(True, marks=pytest.mark.skipif(not INSTALLED, reason="numba (extra `fast`) is not there"))],
)
MARKET: Final = "KXTEST-A"
NOW_NS: Final = START_NS + 100 * MILLI
BEST: Final = 4_000
"""The best yes bid at first, 10 contracts; 5,000 is bid for no."""


def known(*, is_compiled: bool, wakes: int = 0) -> tuple[Engine, int]:
    """An engine that has the market's book and may step its deltas by the machine; where its market lies."""
    script = Script().session().opened().subscribed(1)
    script.snapshot(MARKET, [("0.3000", "1.00"), ("0.4000", "10.00")], [("0.5000", "7.00")])
    script.delta(MARKET, "yes", "0.2000", "1.00")
    engine = Engine(is_compiled=is_compiled)
    for record in script.records:
        engine.step(record)
    at = engine.store.states()[MARKET].at
    engine.memory.plain[at + M_WAKES] = wakes
    return engine, at


def rows(engine: Engine, *deltas: tuple[int, int], step_ms: int = 1) -> Any:
    """Rows of changes of the yes side, price and size each, the next ones of the subscription; a step apart."""
    count = len(deltas)
    cells = np.zeros(count * ROW_COLUMNS + 1, np.int64)
    place = count * ROW_COLUMNS
    cells[place] = engine.store.states()[MARKET].at
    for row, (price, size) in enumerate(deltas):
        for column, value in (
            (0, DELTA), (O_NOW, NOW_NS + row * step_ms * MILLI), (O_CONNECTION, 1), (O_MARKET, place), (O_SID, 1),
            (O_SEQ, 3 + row), (O_SIDE, 1), (O_PRICE, price), (O_SIZE, size),
        ):  # fmt: skip
            cells[column * count + row] = value
    return cells if engine.memory.is_compiled else cells.tolist()
