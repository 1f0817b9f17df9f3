"""The typed columns of a table read from a segment, each made when it is asked for.

Knows Arrow tables and their nulls. Must not know files, nor what a column means.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from capture.tape.buffers import flat, present, present_at
from core.columns import INT_COLUMNS, LIST_COLUMNS, NULL, TEXT_COLUMNS, WIDTHS, Columns, Lists, Numbers, Strings, Texts
from core.packed import Ints


def whole(column: Any) -> Any:
    """A column in one piece."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def columns_of(table: Any) -> Columns:
    """The typed columns of a table read from a segment; a column that was not read is null throughout.

    Numbers and texts are made when they are asked for.
    """
    rows = table.num_rows
    names = set(table.column_names)
    return Columns(
        rows=rows,
        shape=flat(table.column("shape")) if "shape" in names else np.zeros(rows, np.int16),
        complete=_flags(table, "complete"),
        ints=_Numbers(table),
        texts=_Strings(table),
        lists={name: _lists(table, name) for name in LIST_COLUMNS},
    )


_ALL: Final = np.empty(0, np.bool_)
_NOTHING: Final[dict[str, Any]] = {name: np.frombuffer(b"", width) for name, width in WIDTHS.items()}


class _Numbers(Numbers):
    """The integer columns of a table."""

    def __init__(self, table: Any) -> None:
        super().__init__()
        self._table = table
        self._found: dict[str, Any] = {}

    def __missing__(self, name: str) -> Ints:
        found = self[name] = _ints(self._table, name)
        return found

    def __contains__(self, name: object) -> bool:
        return name in INT_COLUMNS

    def items(self) -> Any:
        """All of them."""
        return {name: self[name] for name in INT_COLUMNS}.items()

    def some(self, name: str, rows: Ints) -> Ints:
        """See Numbers."""
        column = self._column(name)
        if column is None:
            return np.full(len(rows), NULL, np.int64)
        found: Ints = flat(column)[rows].astype(np.int64)
        if column.null_count:
            found[~present_at(column, rows)] = NULL
        return found

    def held(self, name: str) -> tuple[Any, Any]:
        """See Numbers."""
        column = self._column(name)
        if column is None:
            return _NOTHING[name], _ALL
        return flat(column), present(column) if column.null_count else _ALL

    def _column(self, name: str) -> Any:
        """The Arrow array, None where it is null throughout; found once, for Arrow is slow to say so."""
        if name not in self._found:
            column = self._table.column(name) if name in self._table.column_names else None
            self._found[name] = None if column is None or column.null_count == self._table.num_rows else whole(column)
        return self._found[name]


class _Strings(Strings):
    """The text columns of a table."""

    def __init__(self, table: Any) -> None:
        super().__init__()
        self._table = table

    def __missing__(self, name: str) -> Texts:
        found = self[name] = _texts(self._table, name)
        return found

    def __contains__(self, name: object) -> bool:
        return name in TEXT_COLUMNS

    def items(self) -> Any:
        """All of them."""
        return {name: self[name] for name in TEXT_COLUMNS}.items()

    def held(self, name: str) -> tuple[Any, Any]:
        """See Strings."""
        column = self._table.column(name) if name in self._table.column_names else None
        if column is None or not pa.types.is_string(column.type) or not len(column):
            return super().held(name)
        array = whole(column)
        _, bounds, data = array.buffers()
        found = (
            np.frombuffer(bounds, np.int32, len(array) + 1, array.offset * 4),
            np.frombuffer(b"" if data is None else data, np.uint8),
        )
        for part in found:
            part.flags.writeable = False
        return found


def _flags(table: Any, name: str) -> npt.NDArray[np.bool_]:
    if name not in table.column_names:
        return np.zeros(table.num_rows, np.bool_)
    return flat(table.column(name))


def _ints(table: Any, name: str) -> Ints:
    column = table.column(name) if name in table.column_names else None
    if column is None or column.null_count == table.num_rows:
        return np.full(table.num_rows, NULL, np.int64)
    array = whole(column)
    found: Ints = flat(array).astype(np.int64, copy=array.null_count > 0)
    if array.null_count:
        found[~present(array)] = NULL
    return found


def _texts(table: Any, name: str) -> Texts:
    column = table.column(name) if name in table.column_names else None
    if column is None or column.null_count == table.num_rows:
        return Texts(np.full(table.num_rows, -1, np.int32), [])
    array = whole(column)
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    codes = flat(array.indices).copy()
    if array.null_count:
        codes[~present(array.indices)] = -1
    return Texts(codes, array.dictionary.to_pylist())


def _lists(table: Any, name: str) -> Lists:
    rows = table.num_rows
    column = table.column(name) if name in table.column_names else None
    if column is None or column.null_count == rows:
        return Lists(np.zeros(rows + 1, np.int32), np.empty(0, np.int64), np.zeros(rows, np.bool_))
    array = whole(column)
    return Lists(flat(array.offsets), flat(array.values).astype(np.int64, copy=False), present(array))
