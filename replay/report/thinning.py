"""Fewer points that draw the same picture: M4 for lines, the weightiest of each column for marks.

Knows numbers in order of time. Must not know what they mean.
"""

from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]

POINTS_PER_COLUMN: Final = 4


def _columns_of(times: Array, columns: int) -> Array:
    """The column of a picture that each time falls in."""
    first, span = int(times[0]), int(times[-1]) - int(times[0])
    return (times - first) * columns // (span + 1)


def m4(times: Array, values: Array, columns: int) -> Array:
    """Which points to keep so that a line drawn `columns` pixels wide is the same line: the first, the last, the
    lowest and the highest of every column (Jugel et al., "M4: A Visualization-Oriented Time Series Data Aggregation",
    VLDB 2014). NaN is a hole: where one begins and ends is kept.

    times: ascending integers. Returns ascending indices, all of them when there are no more than four a column.
    """
    if columns < 1:
        raise ValueError(f"columns is {columns}, the least is 1")
    count = len(times)
    if count <= POINTS_PER_COLUMN * columns:
        return np.arange(count)
    column = _columns_of(times, columns)
    starts = np.flatnonzero(np.concatenate(([True], column[1:] != column[:-1])))
    ends = np.concatenate((starts[1:], [count])) - 1
    hole = np.isnan(values) if values.dtype.kind == "f" else np.zeros(count, bool)
    order = np.lexsort((np.arange(count), np.where(hole, np.inf, values), column))
    filled = np.add.reduceat((~hole).astype(np.int64), starts)
    lowest = order[starts][filled > 0]
    highest = order[starts + np.maximum(filled - 1, 0)][filled > 0]
    edges = np.flatnonzero(hole[1:] != hole[:-1])
    return np.unique(np.concatenate((starts, ends, lowest, highest, edges, edges + 1)))


def weightiest(times: Array, weights: Array, limit: int) -> Array:
    """Which marks to keep when there is room for `limit`: the heaviest of every column, spread evenly over time.

    times: ascending integers. Returns ascending indices.
    """
    if limit < 1:
        raise ValueError(f"limit is {limit}, the least is 1")
    count = len(times)
    if count <= limit:
        return np.arange(count)
    order = np.lexsort((-weights, _columns_of(times, limit)))
    column = _columns_of(times, limit)[order]
    return np.sort(order[np.concatenate(([True], column[1:] != column[:-1]))])


def steps(times: Array) -> Array:
    """Ascending times as first value and differences, which need a fraction of the room as text."""
    return np.diff(times, prepend=0) if len(times) else times
