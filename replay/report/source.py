"""What a report reads: a backtest's result, its tables as arrays, and where its tapes are.

Knows the tables of `replay.backtest.tables` and a result's manifest. Must not know what is shown of them.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from replay.report.thinning import Array


class Result(Protocol):
    """A backtest's result: its tables by name, and its manifest (the object of result.json)."""

    @property
    def tables(self) -> Mapping[str, pa.Table]: ...

    @property
    def manifest(self) -> Mapping[str, Any]: ...


def ints(table: pa.Table, name: str, missing: int = 0) -> Array:
    """A column of integers, booleans as 0 and 1; `missing` where the table does not know."""
    column = table.column(name)
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    return np.asarray(column.fill_null(missing).to_numpy(), np.int64)


def floats(table: pa.Table, name: str) -> Array:
    """A column of numbers, NaN where the table does not know."""
    return np.asarray(table.column(name).cast(pa.float64()).fill_null(float("nan")).to_numpy(), np.float64)


def flags(table: pa.Table, name: str) -> Array:
    """A column of booleans."""
    return ints(table, name).astype(bool)


def texts(table: pa.Table, name: str) -> list[str]:
    """A column of text, "" where the table does not know."""
    return [text or "" for text in table.column(name).to_pylist()]


def known(table: pa.Table, name: str) -> Array:
    """Where a column knows its value."""
    return np.asarray(pc.is_valid(table.column(name)).to_numpy(), bool)


def of_market(table: pa.Table, tape: int, market: str) -> pa.Table:
    """The rows of one market in one tape."""
    here = pc.and_(pc.equal(table.column("tape"), tape), pc.equal(pc.cast(table.column("market"), pa.string()), market))
    return table.filter(here)
