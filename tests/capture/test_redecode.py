from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sample_records import only_payloads, record_of, sample_records

from capture.tape import redecode, schema, segment
from capture.tape.schema import RawBatch
from capture.tape.typed import columns_of
from core.columns import text_list
from core.shapes import ShapeBook


def sealed(path: Path) -> segment.SegmentFile:
    segment.write_segment(path, [RawBatch.of(sample_records(200))], number=1, after="00" * 32)
    return segment.open_unverified(path)


def test_what_was_sealed_decodes_to_its_own_columns(tmp_path: Path) -> None:
    assert list(redecode.differences(sealed(tmp_path / "1.parquet"))) == []


def test_columns_by_messages_alone_equal_those_by_shapes() -> None:
    batch = RawBatch.of(sample_records(300))
    table, _ = schema.encode(batch, ShapeBook())
    by_shapes, by_messages = columns_of(table), redecode.decoded(list(batch.kind), list(batch.payloads))
    assert not by_messages.shape.any()
    assert by_shapes.shape.any()
    assert all((by_shapes.ints[name] == by_messages.ints[name]).all() for name in by_shapes.ints)
    assert text_list(by_shapes.texts["market"]) == text_list(by_messages.texts["market"])


def _changed(table: Any, name: str, row: int, value: object) -> Any:
    cells = table.column(name).to_pylist()
    cells[row] = value
    return table.set_column(
        table.column_names.index(name), table.schema.field(name), [pa.array(cells, table.schema.field(name).type)]
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("price", 77),
        ("size", None),
        ("market", "KXOTHER"),
        ("complete", False),
        ("malformed", "not-json"),
        ("yes_price", [1, 2]),
        ("no_size", []),
        ("exchange_us", 1),
        ("trade_id", "x"),
        ("unknown_fields", "msg.new"),
        ("type", None),
    ],
)
def test_a_column_that_says_something_else_is_named_with_its_record(tmp_path: Path, name: str, value: object) -> None:
    path = tmp_path / "1.parquet"
    whole = sealed(path)
    records = sample_records(200)
    row = 41  # a delta
    assert b"orderbook_delta" in records[row].payload
    (table,) = whole.groups()
    plain = schema.with_payloads(table, whole.payloads(table))
    plain = plain.set_column(
        plain.column_names.index("shape"), plain.schema.field("shape"), [pa.array([0] * 200, pa.int16())]
    )
    metadata = whole._file.metadata.metadata
    pq.write_table(_changed(plain, name, row, value).replace_schema_metadata(metadata), path)
    assert list(redecode.differences(segment.open_unverified(path))) == [(row, name)]


def test_raw_content_that_is_not_what_was_promised_is_named(tmp_path: Path) -> None:
    path = tmp_path / "1.parquet"
    whole = sealed(path)
    (table,) = whole.groups()
    metadata = whole._file.metadata.metadata
    moved = _changed(table, "at_ns", 5, 1)
    pq.write_table(moved.replace_schema_metadata(metadata), path)
    assert list(redecode.differences(segment.open_unverified(path))) == [(0, "payload")]


def test_records_that_are_no_text_frames_have_no_columns() -> None:
    records = sample_records(20)
    columns = redecode.decoded([3] * 20, only_payloads(records))
    assert (columns.texts["type"].codes == -1).all()
    assert (columns.texts["malformed"].codes == -1).all()
    assert redecode.decoded([1], [record_of(0, b"{}").payload]).texts["malformed"].values == ["no-type"]
