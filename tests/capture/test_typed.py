"""Typed columns of a table: what Arrow holds, with or without nulls, whole or in part, made when it is asked for."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from sample_records import sample_records

from capture.tape import schema
from capture.tape.schema import RawBatch
from capture.tape.typed import columns_of
from core.batch import decode_columns
from core.columns import INT_COLUMNS, NULL, TEXT_COLUMNS, WIDTHS, Numbers, Strings, text_list
from core.shapes import ShapeBook


def batch_of(count: int) -> RawBatch:
    return RawBatch.of(sample_records(count))


def test_typed_columns_survive_arrow() -> None:
    batch = batch_of(300)
    shapes = ShapeBook()
    table, _ = schema.encode(batch, shapes)
    kinds = np.asarray(batch.kind).tolist()
    direct, read = decode_columns(kinds, batch.payloads, ShapeBook(shapes.texts)), columns_of(table)
    assert (read.shape == direct.shape).all()
    assert (read.complete == direct.complete).all()
    assert all((read.ints[name] == direct.ints[name]).all() for name in INT_COLUMNS)
    assert all(text_list(read.texts[name]) == text_list(direct.texts[name]) for name in TEXT_COLUMNS)
    for name, lists in read.lists.items():
        wanted = direct.lists[name]
        assert (lists.offsets == wanted.offsets).all()
        assert (lists.values == wanted.values).all()
        assert (lists.present == wanted.present).all()
    assert direct.lists["yes_price"].present.any()


def test_a_column_that_was_not_read_is_null_throughout() -> None:
    table, _ = schema.encode(batch_of(40), ShapeBook())
    read = columns_of(table.select(["seq", "price"]))
    assert (read.ints["size"] == NULL).all()
    assert not read.complete.any()
    assert not read.lists["yes_size"].present.any()
    assert set(text_list(read.texts["market"])) == {""}
    assert (read.ints["price"] != NULL).any()


def test_columns_of_any_slice_of_a_table_are_the_rows_of_the_whole() -> None:
    """What is null is found by its bit, and a slice begins in the middle of a byte."""
    table, _ = schema.encode(batch_of(60), ShapeBook())
    whole = columns_of(table)
    for start, rows in ((0, 60), (1, 59), (7, 30), (8, 8), (13, 1), (60, 0)):
        part = columns_of(table.slice(start, rows))
        assert part.complete.tolist() == whole.complete[start : start + rows].tolist()
        for name, column in whole.ints.items():
            assert part.ints[name].tolist() == column[start : start + rows].tolist(), name
        for name, texts in whole.texts.items():
            assert part.texts[name].codes.tolist() == texts.codes[start : start + rows].tolist(), name
        for name, lists in whole.lists.items():
            assert part.lists[name].present.tolist() == lists.present[start : start + rows].tolist(), name


@pytest.mark.parametrize(("start", "rows"), [(0, 60), (3, 50), (9, 1), (60, 0)])
def test_part_of_a_column_and_what_is_held_of_it_are_those_of_the_whole(start: int, rows: int) -> None:
    table, _ = schema.encode(batch_of(60), ShapeBook())
    read = columns_of(table.slice(start, rows))
    plain = Numbers({name: read.ints[name] for name in INT_COLUMNS})
    chosen = np.arange(0, rows, 2)
    for name in INT_COLUMNS:
        assert read.ints.some(name, chosen).tolist() == plain.some(name, chosen).tolist(), name
        for held in (read.ints.held(name), plain.held(name)):
            assert spread(*held, rows) == plain[name].tolist(), name
            assert held[0].dtype == WIDTHS[name]
            assert not held[0].flags.writeable
    assert "price" in read.ints
    assert "nonsense" not in read.ints


def spread(values: Any, there: Any, rows: int) -> list[int]:
    """What is held of a column, NULL for no value."""
    if not len(values):
        return [NULL] * rows
    flags = there if len(there) else [True] * rows
    return [int(value) if known else NULL for value, known in zip(values, flags, strict=True)]


@pytest.mark.parametrize("start", [0, 5, 60])
def test_texts_are_held_behind_each_other_as_they_lie(start: int) -> None:
    table, _ = schema.encode(batch_of(60), ShapeBook())
    read = columns_of(table.slice(start))
    texts = text_list(read.texts["trade_id"])
    assert start == 60 or len(set(texts)) > 1
    for strings in (read.texts, Strings({name: read.texts[name] for name in TEXT_COLUMNS})):
        bounds, letters = strings.held("trade_id")
        assert [letters[at:end].tobytes().decode() for at, end in pairwise(bounds.tolist())] == texts
        assert not (bounds.flags.writeable or letters.flags.writeable)
