"""Thinned lines and books as pictures: what is left out does not show."""

import base64
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.report.curves import line_of
from replay.report.heat import SHADES, UNKNOWN, heat_of
from replay.report.png import grey_png
from replay.report.sights import Book
from replay.report.thinning import m4, steps, weightiest

MS = 1_000_000

# ------------------------------------------------------------------ thinning


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(-50, 50)), min_size=1, max_size=400), st.integers(1, 30))
def test_a_thinned_line_has_the_same_ends_and_extremes_in_every_column(
    rows: list[tuple[int, int]], columns: int
) -> None:
    times = np.sort(np.array([time for time, _ in rows], np.int64))
    values = np.array([value for _, value in rows], np.float64)
    kept = m4(times, values, columns)
    assert len(kept) <= max(4 * columns, min(len(rows), 4 * columns))
    column = (times - times[0]) * columns // (times[-1] - times[0] + 1)
    for number in range(columns):
        whole, thin = np.flatnonzero(column == number), kept[column[kept] == number]
        if not len(whole):
            assert not len(thin)
            continue
        assert (thin[0], thin[-1]) == (whole[0], whole[-1])
        assert (values[thin].min(), values[thin].max()) == (values[whole].min(), values[whole].max())


def test_holes_of_a_line_stay_where_they_are() -> None:
    values = np.ones(1_000)
    values[400:600] = np.nan
    times = np.arange(1_000)
    thin = values[m4(times, values, 10)]
    assert np.isnan(thin).any()
    line = line_of(times, values, 10)
    known = dict(zip(np.cumsum(line.t).tolist(), line.v, strict=True))
    assert (known[399], known[400], known[599], known[600]) == (1, None, None, 1)


def test_of_crowded_marks_the_heaviest_stay() -> None:
    times, weights = np.arange(10_000), np.ones(10_000, np.int64)
    weights[[17, 5_003, 9_999]] = 99
    kept = weightiest(times, weights, 100)
    assert len(kept) == 100 and {17, 5_003, 9_999} <= set(kept.tolist())
    assert weightiest(times[:5], weights[:5], 5).tolist() == [0, 1, 2, 3, 4]


def test_a_picture_that_is_no_pixel_wide_is_refused() -> None:
    with pytest.raises(ValueError, match="columns is 0, the least is 1"):
        m4(np.arange(3), np.arange(3), 0)
    with pytest.raises(ValueError, match="limit is 0, the least is 1"):
        weightiest(np.arange(3), np.arange(3), 0)


def test_steps_add_up_to_the_times() -> None:
    assert steps(np.array([5, 7, 7, 20])).tolist() == [5, 2, 0, 13]
    assert steps(np.zeros(0, np.int64)).tolist() == []


# ------------------------------------------------------------------ pictures of books


def read_png(data: bytes) -> np.ndarray[Any, Any]:
    """A plain reader of grey pictures with the filter "Sub", as a second opinion."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, {}
    while at < len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        body = data[at + 8 : at + 8 + size]
        assert int.from_bytes(data[at + 8 + size : at + 12 + size], "big") == zlib.crc32(kind + body)
        chunks[kind] = body
        at += 12 + size
    width, height = (int.from_bytes(chunks[b"IHDR"][place : place + 4], "big") for place in (0, 4))
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, width + 1)
    assert set(lines[:, 0]) == {1}
    return np.cumsum(lines[:, 1:], axis=1, dtype=np.uint8)


def test_a_grey_picture_reads_back_exactly() -> None:
    pixels = np.random.default_rng(4).integers(0, 256, (37, 53), np.uint8)
    assert (read_png(grey_png(pixels)) == pixels).all()
    with pytest.raises(ValueError, match="matrix of bytes"):
        grey_png(np.zeros((3, 0), np.uint8))


def pixels_of(heat: Any) -> np.ndarray[Any, Any]:
    return read_png(base64.b64decode(heat.png.removeprefix("data:image/png;base64,")))


def test_a_book_is_drawn_where_its_levels_are_and_unknown_where_it_was_not_trusted() -> None:
    books = [
        Book(0, True, ((4_000, 100), (3_900, 900_000)), ((4_200, 500),)),
        Book(5 * MS, False, ((4_000, 100),), ()),
        Book(10 * MS, True, (), ((4_100, 900_000),)),
    ]
    heat = heat_of(books)
    assert heat is not None
    assert (heat.t, heat.until, heat.step, heat.columns, heat.most) == (0, 10, 100, 3, 900_000)
    rows = pixels_of(heat)[::-1]
    row = {price: (price - heat.low) // heat.step for price in (3_900, 4_000, 4_100, 4_200)}
    assert rows[row[3_900], 0] == SHADES
    assert 0 < rows[row[4_000], 0] < SHADES
    assert SHADES < rows[row[4_200], 0] < 2 * SHADES
    assert (rows[:, 1] == UNKNOWN).all()
    assert rows[row[4_100], 2] == 2 * SHADES
    assert np.count_nonzero(rows[:, 2]) == 1


def test_a_book_in_tenths_of_a_cent_has_rows_of_tenths() -> None:
    heat = heat_of([Book(0, True, ((4_005, 100),), ((4_020, 500),))])
    assert heat is not None and heat.step == 10
    assert heat_of([Book(0, True, (), ())]) is None
    assert heat_of([]) is None
