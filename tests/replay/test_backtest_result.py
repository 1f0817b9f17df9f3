"""A result as a directory: written whole, read back equal, told from one that was altered; its hash and its totals."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sample_tapes import START_NS

from replay.backtest.columns import BATCH_ROWS, Rows, table_of
from replay.backtest.proof import first_difference
from replay.backtest.result import MANIFEST, Result, ResultError, is_result, orders_hash
from replay.backtest.tables import EQUITY, FILLS, ORDERS, POSITIONS, TABLES
from replay.backtest.totals import drawdown, markout, totals

ORDER = (
    0, "td-1", "maker", "A", "bid", 4_000, 100, True, False, START_NS, 100, 0, 7, "executed", True,
    START_NS + 1, START_NS + 2, START_NS + 3, 500,
)  # fmt: skip
FILL = (
    0, START_NS, START_NS, 5, "t-1", "td-1", "maker", "A", "bid", 4_000, 100, 7, False, 100, 10, "trade", True,
    9, 4_050.0, 4_100.0, None, 3_900.0, 10_000,
)  # fmt: skip


def tables(**given: list[tuple[Any, ...]]) -> dict[str, pa.Table]:
    return {name: table_of(schema, given.get(name, [])) for name, schema in TABLES.items()}


def result(**given: list[tuple[Any, ...]]) -> Result:
    found = tables(**given)
    return Result(found, {"schema": 1, "orders_hash": orders_hash(found), "totals": totals(found, 5)})


def test_a_result_comes_back_as_it_was_written(tmp_path: Path) -> None:
    written = result(orders=[ORDER], fills=[FILL])
    written.write(tmp_path / "here" / "r")
    read = Result.read(tmp_path / "here" / "r")
    assert read.manifest == written.manifest
    assert {name: table.equals(written.tables[name]) for name, table in read.tables.items()} == dict.fromkeys(
        TABLES, True
    )
    assert sorted(path.name for path in (tmp_path / "here").iterdir()) == ["r"]
    assert is_result(tmp_path / "here" / "r")
    assert not is_result(tmp_path)


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    result().write(tmp_path / "taken")
    with pytest.raises(ResultError, match="taken: exists already and is not empty"):
        result().write(tmp_path / "taken")
    (tmp_path / "file").write_text("x")
    with pytest.raises(ResultError, match="file: exists already"):
        result().write(tmp_path / "file")


def test_what_is_no_result_or_was_altered_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="is no result of a backtest"):
        Result.read(tmp_path)
    result(orders=[ORDER], fills=[FILL]).write(tmp_path / "r")
    manifest = json.loads((tmp_path / "r" / MANIFEST).read_text())
    pq.write_table(table_of(ORDERS, []), tmp_path / "r" / "orders.parquet")
    with pytest.raises(ResultError, match="it was altered"):
        Result.read(tmp_path / "r")
    (tmp_path / "r" / "orders.parquet").write_bytes(b"PAR1 not")
    with pytest.raises(ResultError, match=r"orders\.parquet: is no table orders"):
        Result.read(tmp_path / "r")
    (tmp_path / "r" / MANIFEST).write_text(json.dumps({**manifest, "schema": 2}))
    with pytest.raises(ResultError, match="is of schema 2; this program reads 1"):
        Result.read(tmp_path / "r")
    (tmp_path / "r" / MANIFEST).write_text("{")
    with pytest.raises(ResultError, match="cannot be read"):
        Result.read(tmp_path / "r")


def test_the_hash_is_of_deeds_and_not_of_what_came_after_them() -> None:
    plain = orders_hash(tables(orders=[ORDER], fills=[FILL]))
    assert plain == orders_hash(tables(orders=[ORDER], fills=[(*FILL[:-5], 1.0, None, 2.0, 3.0, None)]))
    assert plain != orders_hash(tables(orders=[ORDER], fills=[(*FILL[:9], 4_001, *FILL[10:])]))
    assert plain != orders_hash(tables(orders=[(*ORDER[:13], "canceled", *ORDER[14:])], fills=[FILL]))
    assert plain != orders_hash(tables(orders=[ORDER]))
    assert orders_hash(tables()) != plain


def test_nothing_at_all_has_totals_without_a_division_by_zero() -> None:
    found = totals(tables(), 1_000)
    assert (found["pnl"], found["fills"], found["max_drawdown"], found["end_equity"]) == (0, 0, 0, 1_000)
    assert found["markouts"]["mark_1s"] == {"mean": None, "share": None}


def test_mark_outs_are_gains_weighted_by_contracts_where_they_are_known() -> None:
    sold = (*FILL[:8], "ask", 4_000, 300, *FILL[11:])
    fills = table_of(FILLS, [FILL, sold])
    assert markout(fills, "mark_1s") == {"mean": (100 - 300) / 4, "share": 1.0}
    assert markout(fills, "mark_10s") == {"mean": None, "share": 0.0}
    assert markout(fills, "settlement") == {"mean": (6_000 - 18_000) / 4, "share": 1.0}
    half = table_of(FILLS, [FILL, (*FILL[:19], None, *FILL[20:])])
    assert markout(half, "mark_1s") == {"mean": 100.0, "share": 0.5}


def test_a_drawdown_begins_at_the_cash_of_the_start() -> None:
    def of(*values: int) -> int:
        return drawdown(table_of(EQUITY, [(0, n, v, 0, 0, v, 0, 0, True) for n, v in enumerate(values)]), 100)

    assert (of(), of(100), of(110, 90, 120, 115), of(70, 80), of(100, 130)) == (0, 0, 20, 30, 0)


def test_a_long_table_is_made_of_batches_and_reads_as_one() -> None:
    rows = Rows(POSITIONS)
    for number in range(BATCH_ROWS + 3):
        rows.add((0, number, "A" if number % 2 else "B", number, 0, 0))
    found = rows.table()
    assert found.num_rows == BATCH_ROWS + 3
    assert found.column("market").num_chunks == 1
    assert found.column("position").to_pylist() == list(range(BATCH_ROWS + 3))
    assert found.column("market")[-1].as_py() == "B"
    assert found.schema == POSITIONS


def test_a_value_that_must_be_there_and_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="column position has 1 rows without a value"):
        table_of(POSITIONS, [(0, 1, "A", None, 0, 0)])


def test_texts_are_compared_and_not_the_order_of_their_dictionaries() -> None:
    def ordered(*texts: str) -> pa.Table:
        markets = pa.DictionaryArray.from_arrays([texts.index("A"), texts.index("B")], list(texts))
        two = table_of(POSITIONS, [(0, START_NS, name, 100, 1, 1) for name in ("A", "B")])
        return two.set_column(2, POSITIONS.field("market"), markets.cast(POSITIONS.field("market").type))

    one, other = result(), result()
    first, second = ({**r.tables, "positions": t} for r, t in ((one, ordered("A", "B")), (other, ordered("B", "A"))))
    assert first_difference(Result(first, one.manifest), Result(second, other.manifest), "columns") is None
    third = {**first, "positions": ordered("A", "B").slice(0, 1)}
    parting = first_difference(Result(first, one.manifest), Result(third, other.manifest), "columns")
    assert parting is not None
    assert (parting.table, parting.row, parting.repeated) == ("positions", 1, None)
