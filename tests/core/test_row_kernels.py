"""The loops that lay out rows: compiled they do what they do as they stand, and ids are those that the store knows."""

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.cells import NULL
from core.ids import ODD, Ids
from core.row_kernels import ids_in_halves, lay_out, put, tell_apart
from core.runs import DELTA, OTHER, QUIET, ROW_COLUMNS, SNAPSHOT, TICKER, TRADE

ROWS: Final = 40
TEXTS: Final = st.one_of(
    st.uuids().map(str),
    st.uuids().map(lambda uuid: str(uuid).upper()),
    st.uuids().map(lambda uuid: uuid.hex),
    st.text("0123456789abcdef-g", min_size=36, max_size=36),
    st.sampled_from(["", "t-1", "80000000-0000-0000-0000-000000000001", "7fffffff-ffff-ffff-ffff-ffffffffffff"]),
)


def both(function: Callable[..., None]) -> tuple[Callable[..., None], ...]:
    """Compiled, if it is, and as it stands."""
    return function, getattr(function, "py_func", function)


def halves(function: Callable[..., None], texts: list[str]) -> tuple[list[tuple[int, int]], list[int]]:
    table, what = np.zeros((len(texts), 7), np.int64), np.full(len(texts), TRADE, np.int64)
    letters = [text.encode() for text in texts]
    bounds = np.cumsum([0, *map(len, letters)], dtype=np.int32)
    function(table, np.arange(len(texts)), what, bounds, np.frombuffer(b"".join(letters), np.uint8))
    return [(int(high), int(low)) for high, low in table[:, 5:]], what.tolist()


@pytest.mark.parametrize("function", both(ids_in_halves))
@given(texts=st.lists(TEXTS, min_size=1, max_size=12))
def test_an_id_has_the_halves_by_which_the_store_knows_it_or_is_for_python(
    function: Callable[..., None], texts: list[str]
) -> None:
    found, what = halves(function, texts)
    for text, pair, row in zip(texts, found, what, strict=True):
        expected = Ids().halves(text)
        assert row == (OTHER if expected[0] == ODD else TRADE), text
        assert row == OTHER or pair == expected, text


def test_the_halves_of_an_id_are_its_digits() -> None:
    text = "0123456789abcdef-fedcba9876543210".replace("-", "")
    assert halves(ids_in_halves, [str(UUID(text))]) == ([(0x0123456789ABCDEF, 0xFEDCBA9876543210 - 2**64)], [TRADE])


def column(values: Any, kind: Any = np.int64) -> Any:
    return np.array(values, kind)


@pytest.mark.parametrize("function", both(tell_apart))
def test_what_a_row_is_follows_from_its_kind_its_type_its_market_and_whether_it_is_whole(
    function: Callable[..., None],
) -> None:
    by_kind, by_type = column([QUIET, -1]), column([DELTA, TICKER, TRADE, SNAPSHOT, OTHER])
    kinds = column([0, 1, 1, 1, 1, 1, 1, 1], np.uint8)
    types = column([0, 0, 1, 2, 3, -1, 0, 0], np.int32)
    markets = column([0, 0, 1, 0, 1, 0, -1, 0], np.int32)
    complete = column([1, 1, 1, 1, 1, 1, 1, 0], np.bool_)

    def told(is_one: bool, one: int) -> list[int]:
        what = np.empty(len(kinds), np.int64)
        function(what, kinds, by_kind, complete, types, by_type, markets, is_one, one)
        return what.tolist()

    assert told(False, 0) == [QUIET, DELTA, TICKER, TRADE, SNAPSHOT, OTHER, OTHER, OTHER]
    assert told(True, 0) == [QUIET, DELTA, QUIET, TRADE, QUIET, OTHER, OTHER, OTHER]
    assert told(True, -1) == [QUIET, QUIET, QUIET, QUIET, QUIET, OTHER, OTHER, OTHER]


@pytest.mark.parametrize("function", both(put))
@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.int64])
def test_a_column_of_any_width_has_0_where_it_has_no_value(function: Callable[..., None], kind: Any) -> None:
    def filled(values: list[int], there: list[bool], plus: int = 0) -> list[int]:
        cells = np.full(3, NULL, np.int64)
        function(cells, column(values, kind), column(there, np.bool_), plus)
        return cells.tolist()

    assert filled([7, 8, 9], []) == [7, 8, 9]
    assert filled([7, 8, 9], [True, False, True]) == [7, 0, 9]
    assert filled([7, 8, 9], [False, True, False], 100) == [100, 108, 100]
    assert filled([], []) == [0, 0, 0]


@given(data=st.data())
def test_rows_are_laid_out_the_same_compiled_and_as_they_stand(data: st.DataObject) -> None:
    def numbers(kind: Any) -> Any:
        limits = np.iinfo(kind)
        return column(data.draw(st.lists(st.integers(limits.min, limits.max), min_size=ROWS, max_size=ROWS)), kind)

    def flags() -> Any:
        return column(data.draw(st.sampled_from([[], [True, False] * (ROWS // 2)])), np.bool_)

    everywhere = column([], np.bool_)
    what = column([DELTA] * ROWS)
    given_columns = (
        *(what, numbers(np.int16).astype(np.int64), everywhere, numbers(np.int32), numbers(np.int16).astype(np.int32)),
        *(99, numbers(np.int32), flags(), numbers(np.int64), flags(), numbers(np.uint8), numbers(np.int32)),
        *(numbers(np.int64), numbers(np.int64), flags()),
    )
    found = []
    for function in both(lay_out):
        cells = np.zeros(ROWS * ROW_COLUMNS, np.int64)
        function(cells, *given_columns)
        found.append(cells.tolist())
    assert found[0] == found[1]
