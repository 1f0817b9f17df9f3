import numpy as np
import pyarrow as pa
import pytest
from sample_records import only_payloads, record_of, sample_records

from capture.tape import schema
from capture.tape.schema import SCHEMA, Blobs, RawBatch, RawHasher
from core.columns import TYPED
from core.packed import Packed
from core.shapes import ShapeBook


def batch_of(count: int) -> RawBatch:
    return RawBatch.of(sample_records(count))


def digest_in_groups(batch: RawBatch, *sizes: int) -> str:
    table, payloads = schema.encode(batch, ShapeBook())
    hasher, start = RawHasher(), 0
    texts = payloads.split()
    for size in (*sizes, batch.rows):
        hasher.update(table.slice(start, size), Blobs.of(texts[start : start + size]))
        start += size
    return hasher.hexdigest()


def test_every_typed_column_has_its_place_in_the_file() -> None:
    assert SCHEMA.names[8:] == [column.name for column in TYPED]
    assert SCHEMA.names[:8] == ["seq", "at_ns", "mono_ns", "connection", "kind", "payload", "shape", "source"]


def test_records_become_columns_in_order() -> None:
    records = sample_records(30)
    batch = RawBatch.of(records)
    assert list(batch.seq) == [record.seq for record in records]
    assert list(batch.kind) == [record.kind for record in records]
    assert list(batch.payloads) == only_payloads(records)


def test_a_large_batch_is_taken_apart_into_groups() -> None:
    records = [record_of(seq, b"x") for seq in range(schema.GROUP_ROWS + 5)]
    batch = RawBatch.of(records)
    batch = RawBatch(
        batch.seq, batch.at_ns, batch.mono_ns, batch.connection, batch.kind, batch.payloads, [b"s"] * 65_541
    )
    groups = list(batch.groups())
    assert [group.rows for group in groups] == [schema.GROUP_ROWS, 5]
    assert groups[1].seq[0] == schema.GROUP_ROWS
    assert groups[1].sources == [b"s"] * 5
    assert [made.rows for made in schema.batches_of(records)] == [schema.GROUP_ROWS, 5]


@pytest.mark.parametrize("count", [0, 1, 2, 100])
def test_payloads_come_back_from_shapes_and_columns(count: int) -> None:
    batch = batch_of(count)
    shapes = ShapeBook()
    table, wanted = schema.encode(batch, shapes)
    assert table.schema == SCHEMA
    rebuilt = schema.payloads(table, ShapeBook(shapes.texts))
    assert rebuilt.split() == wanted.split() == list(batch.payloads)
    if count == 100:
        assert 50 < table.column("payload").null_count < 100


def test_payloads_come_back_when_every_row_has_a_shape_and_when_none_has() -> None:
    deltas = [record for record in sample_records(200) if b"orderbook_delta" in record.payload]
    others = [record for record in sample_records(200) if b"orderbook_delta" not in record.payload]
    for records in (deltas, others, deltas[:3] + others[:3], others[:3] + deltas[:3]):
        shapes = ShapeBook()
        table, wanted = schema.encode(RawBatch.of(records), shapes)
        assert schema.payloads(table, shapes).split() == wanted.split() == only_payloads(records)


def test_whole_payloads_can_be_put_into_a_table() -> None:
    batch = batch_of(60)
    table, payloads = schema.encode(batch, ShapeBook())
    whole = schema.with_payloads(table.select(["seq", "payload"]), payloads)
    assert whole.column("payload").to_pylist() == list(batch.payloads)
    assert whole.column_names == ["seq", "payload"]


def test_a_shape_that_the_segment_does_not_hold_is_refused() -> None:
    table, _ = schema.encode(batch_of(60), ShapeBook())
    with pytest.raises(ValueError, match="shape"):
        schema.payloads(table, ShapeBook())


def test_the_raw_digest_does_not_depend_on_how_rows_are_grouped() -> None:
    batch = batch_of(50)
    whole = schema.raw_sha256(batch)
    assert digest_in_groups(batch) == digest_in_groups(batch, 1, 20) == whole


def test_the_raw_digest_depends_on_every_raw_column_and_on_where_payloads_end() -> None:
    records = sample_records(6)
    base = RawBatch.of(records)
    fields = (base.seq, base.at_ns, base.mono_ns, base.connection, base.kind)
    digests = {schema.raw_sha256(base)}
    for index in range(5):
        changed = [list(column) for column in fields]
        changed[index][3] += 1
        digests.add(schema.raw_sha256(RawBatch(*changed, payloads=base.payloads)))  # type: ignore[arg-type, misc]  # 5 columns
    payloads = list(base.payloads)
    moved = [payloads[0][:-1], payloads[0][-1:] + payloads[1], *payloads[2:]]
    digests.add(schema.raw_sha256(RawBatch(*fields, Packed.of(moved))))
    for sources in ([b""] * 6, [None] * 5 + [b""], [b"a"] * 6):
        digests.add(schema.raw_sha256(RawBatch(*fields, base.payloads, sources)))
    assert len(digests) == 10
    assert schema.raw_sha256(RawBatch(*fields, base.payloads, [None] * 6)) == schema.raw_sha256(base)


@pytest.mark.parametrize("values", [[], [b""], [b"a", b"", b"bc"], [None], [b"a", None, b""], [None, b"xyz"]])
def test_blobs_survive_arrow_whole_and_in_slices(values: list[bytes | None]) -> None:
    array = Blobs.of_optional(values).arrow()
    assert array.to_pylist() == values
    again = Blobs.of_arrow(array)
    assert again.split() == [value or b"" for value in values]
    assert again.lengths().tolist() == [-1 if value is None else len(value) for value in values]
    for rows in range(1, len(values) + 2):
        runs = [list(run) for run in again.runs(rows)]
        assert [text for run in runs for text in run] == again.split()
        assert all(len(run) == rows for run in runs[:-1])
    for start in range(len(values)):
        assert Blobs.of_arrow(array.slice(start)).arrow().to_pylist() == values[start:]
    assert Blobs.of_arrow(pa.array(values, pa.large_binary())).arrow().to_pylist() == values


def test_integers_out_of_a_columns_range_are_refused_rather_than_altered() -> None:
    with pytest.raises(pa.ArrowInvalid):
        schema._int_array(np.array([1 << 40], np.int64), pa.int32())
