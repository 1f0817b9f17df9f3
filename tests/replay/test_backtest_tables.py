"""The tables of a result: every column says what it is, and a result's files can be read by anybody."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from replay.backtest.tables import TABLES


@pytest.mark.parametrize("name", sorted(TABLES))
def test_an_empty_table_goes_to_parquet_and_back(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.parquet"
    pq.write_table(TABLES[name].empty_table(), path)
    assert pq.read_schema(path).equals(TABLES[name])


@pytest.mark.parametrize("name", sorted(TABLES))
def test_every_row_names_its_tape_and_times_are_whole_nanoseconds(name: str) -> None:
    schema = TABLES[name]
    assert schema.names[0] == "tape"
    assert not schema.field("tape").nullable
    assert {field.type for field in schema if field.name.endswith("_ns")} <= {pa.int64()}
