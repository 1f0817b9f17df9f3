"""Answers and columns as polars, pandas and numpy: what docs/SQL.md says is shared is the same memory."""

from pathlib import Path
from typing import Any

import pandas
import polars
import pyarrow as pa
import pytest
from sample_tapes import SECOND, story

from capture.tape.reader import Tape
from replay import open_tape
from replay.books import Grid, book_every
from replay.sql import connect

NUMBERS = ("seq", "at_ns", "time", "price_e4", "price", "delta_e2", "trusted")
QUERY = f"select {', '.join(NUMBERS)}, market from deltas order by seq"


@pytest.fixture
def tape(tmp_path: Path) -> Tape:
    return story().tape(tmp_path / "tape", segment_records=60)


@pytest.fixture
def table(tape: Tape) -> Any:
    with connect(tape.path) as connection:
        return connection.sql(QUERY).to_arrow_table()


def address(column: Any) -> int:
    """Where the values of an Arrow column lie, which must be in one piece."""
    chunk = column.combine_chunks() if isinstance(column, pa.ChunkedArray) and column.num_chunks != 1 else column
    piece = chunk.chunk(0) if isinstance(chunk, pa.ChunkedArray) else chunk
    place: int = piece.buffers()[1].address
    return place


def test_polars_shares_the_numbers_decimals_and_times_of_an_answer_in_one_piece(table: Any) -> None:
    frame: Any = polars.from_arrow(table)
    for name in NUMBERS:
        assert table[name].num_chunks == 1
        assert address(frame[name].to_arrow()) == address(table[name]), name
    assert frame["seq"].to_numpy(allow_copy=False).ctypes.data == address(table["seq"])
    assert frame["price_e4"].to_list() == table["price_e4"].to_pylist()
    assert frame["market"].to_list() == table["market"].to_pylist()


def test_polars_shares_each_batch_of_a_long_answer(tape: Tape) -> None:
    with connect(tape.path) as connection:
        rows = 0
        for batch in connection.sql("select seq, price_e4 from deltas").to_arrow_reader(64):
            frame: Any = polars.from_arrow(batch)
            assert address(frame["price_e4"].to_arrow()) == address(batch.column("price_e4"))
            rows += frame.height
        assert rows == connection.sql("select count(*) from deltas").fetchall()[0][0]


def test_pandas_with_arrow_types_shares_everything_in_any_number_of_pieces(table: Any) -> None:
    pieces = pa.concat_tables([table.slice(0, 50), table.slice(50)])
    frame = pieces.to_pandas(types_mapper=pandas.ArrowDtype)
    for name in (*NUMBERS, "market"):
        theirs = pa.chunked_array(frame[name].array.__arrow_array__())
        assert theirs.num_chunks == 2
        for mine, own in zip(theirs.chunks, pieces[name].chunks, strict=True):
            assert [buffer and buffer.address for buffer in mine.buffers()] == [
                buffer and buffer.address for buffer in own.buffers()
            ]


def test_plain_pandas_shares_whole_numbers_where_blocks_are_split(table: Any) -> None:
    frame = table.to_pandas(split_blocks=True)
    for name in ("seq", "at_ns", "price_e4", "delta_e2"):
        assert frame[name].to_numpy().ctypes.data == address(table[name]), name
    assert table.to_pandas()["seq"].to_numpy().ctypes.data != address(table["seq"])


def test_numpy_shares_numbers_of_an_answer_and_of_a_tapes_own_columns(tape: Tape, table: Any) -> None:
    assert table["price_e4"].chunk(0).to_numpy(zero_copy_only=True).ctypes.data == address(table["price_e4"])
    for columns in open_tape(tape.path).tables(["seq", "at_ns", "kind"]):
        for name in ("seq", "at_ns"):
            assert columns[name].chunk(0).to_numpy(zero_copy_only=True).ctypes.data == address(columns[name])
        frame: Any = polars.from_arrow(columns)
        assert address(frame["seq"].to_arrow()) == address(columns["seq"])


def test_a_grid_of_books_is_read_by_polars_and_pandas_as_it_was_written(tape: Tape, tmp_path: Path) -> None:
    report = book_every(tape, Grid(every_ns=SECOND), tmp_path / "grid.parquet")
    frame = polars.read_parquet(tmp_path / "grid.parquet")
    assert frame.height == report.rows > 10
    assert frame["time"].dt.epoch("ns").to_list() == frame["at_ns"].to_list()
    assert (frame["yes_bid"].cast(polars.Float64) * 10_000).round().cast(polars.Int32).to_list() == (
        frame["yes_bid_e4"].to_list()
    )
    assert frame["yes_price_e4"].list.last().to_list() == frame["yes_bid_e4"].to_list()
    plain = pandas.read_parquet(tmp_path / "grid.parquet")
    assert plain["market"].tolist() == frame["market"].to_list()
    assert [list(sizes) for sizes in plain["yes_size_e2"]] == frame["yes_size_e2"].to_list()
    assert plain["trusted"].tolist() == frame["trusted"].to_list()
