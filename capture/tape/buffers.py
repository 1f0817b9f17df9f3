"""Arrow columns as arrays, by their buffers: Arrow's own ways import pandas where it is installed.

Knows how numbers, flags and what is null lie in memory. Must not know which columns there are.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def flat(column: Any) -> npt.NDArray[Any]:
    """A column of integers or flags as an array of the same type; where it is null, anything.

    It shares the column's memory where that is in one piece, and is not to be written to.
    """
    array = column
    if isinstance(column, pa.ChunkedArray):
        array = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    rows, start, data = len(array), array.offset, array.buffers()[1]
    kind = np.dtype(str(array.type))  # Arrow and numpy name them alike
    if not rows:
        return np.frombuffer(b"", kind)
    if kind == np.bool_:
        return _bits(data, start, rows)
    found = np.frombuffer(data, kind, rows, start * kind.itemsize)
    found.flags.writeable = False  # whatever made the memory: compiled code is made anew for each kind of array
    return found


def _bits(data: Any, start: int, rows: int) -> npt.NDArray[np.bool_]:
    """Bits of an Arrow buffer, one array element each."""
    found = np.unpackbits(np.frombuffer(data, np.uint8), count=start + rows, bitorder="little")
    return found[start:].view(np.bool_)


def present(array: Any) -> npt.NDArray[np.bool_]:
    """Where an Arrow array is not null."""
    mask = array.buffers()[0] if array.null_count else None
    return np.ones(len(array), np.bool_) if mask is None else _bits(mask, array.offset, len(array))


def present_at(array: Any, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Where an Arrow array is not null, of some rows: the bits of all others stay packed."""
    mask = array.buffers()[0] if array.null_count else None
    if mask is None:
        return np.ones(len(rows), np.bool_)
    places = rows + array.offset
    octets = np.frombuffer(mask, np.uint8)[places >> 3]
    found: npt.NDArray[np.bool_] = (octets >> (places & 7)) & 1 == 1
    return found
