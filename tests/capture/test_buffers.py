"""Columns become arrays whatever slice of them is taken: a slice may begin in the middle of a byte."""

import numpy as np
import pyarrow as pa
import pytest

from capture.tape.buffers import flat, present, present_at


@pytest.mark.parametrize("kind", [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.bool_()])
def test_a_column_is_an_array_whatever_slice_of_it_is_taken(kind: pa.DataType) -> None:
    values = [1, 0, 0, 1, 1, 0, 1, 1, 1, 0, 0, 1, 0]
    whole = pa.array(values, pa.int64()).cast(kind)
    for start in range(len(values) + 1):
        for rows in range(len(values) - start + 1):
            part = whole.slice(start, rows)
            found = flat(pa.chunked_array([part], kind))
            assert found.tolist() == part.to_pylist()
            assert found.dtype == np.dtype(str(kind))


def test_what_is_null_is_found_in_any_slice() -> None:
    values = [1, None, 3, 4, None, None, 7, 8, None, 10, 11]
    whole = pa.array(values, pa.int64())
    for start in range(len(values) + 1):
        part = whole.slice(start)
        assert present(part).tolist() == [value is not None for value in values[start:]]
        rows = np.arange(len(part))[::2]
        assert present_at(part, rows).tolist() == present(part)[::2].tolist()
        found = flat(part).copy()
        found[~present(part)] = -1
        assert found.tolist() == [-1 if value is None else value for value in values[start:]]


def test_columns_in_several_pieces_are_one_array() -> None:
    pieces = pa.chunked_array([pa.array([1, 2]), pa.array([3])])
    assert flat(pieces).tolist() == [1, 2, 3]
    assert flat(pa.chunked_array([], pa.int32())).tolist() == []
