import os
import random
import stat
from pathlib import Path

import duckdb
import msgspec
import pyarrow.parquet as pq
import pytest
from sample_records import record_of, sample_records

from capture.tape import segment
from capture.tape.errors import DiskError, TapeDamaged
from capture.tape.lines import Entry, Facts, chain_after
from capture.tape.schema import GROUP_ROWS, RUN_ROWS, SCHEMA, RawBatch, raw_sha256
from core.records import Record

AFTER = "00" * 32


def written(path: Path, records: list[Record], number: int = 1) -> Facts:
    return segment.write_segment(path, [RawBatch.of(records)], number=number, after=AFTER)


def entry_of(path: Path, facts: Facts) -> Entry:
    mark = segment.mark_of(path)
    return Entry(**msgspec.structs.asdict(facts), file=path.name, bytes=mark.bytes, sha256=mark.sha256)


def sealed(tmp_path: Path, count: int = 300) -> tuple[Path, Entry, list[Record]]:
    path, records = tmp_path / "1.parquet", sample_records(count, start=50)
    return path, entry_of(path, written(path, records)), records


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    path, entry, records = sealed(tmp_path)
    assert list(segment.open_segment(tmp_path, entry).records()) == records
    assert list(segment.open_segment(tmp_path, entry).records(200)) == records[150:]
    assert list(segment.open_unverified(path).records(350)) == []


@pytest.mark.parametrize("count", [1, RUN_ROWS - 1, RUN_ROWS, RUN_ROWS + 1, 2 * RUN_ROWS])
def test_a_group_gives_its_records_a_run_at_a_time(tmp_path: Path, count: int) -> None:
    path, _, records = sealed(tmp_path, count)
    (group,) = segment.open_unverified(path).record_groups()
    runs = [list(run) for run in group.runs()]
    assert [record for run in runs for record in run] == records
    assert {len(run) for run in runs[:-1]} <= {RUN_ROWS}
    assert group.last_seq == records[-1].seq


def test_a_segment_says_what_it_holds(tmp_path: Path) -> None:
    path, entry, records = sealed(tmp_path)
    facts = segment.open_unverified(path).facts
    assert (facts.rows, facts.first_seq, facts.last_seq) == (300, 50, 349)
    assert (facts.first_ns, facts.last_ns, facts.last_kind) == (records[0].at_ns, records[-1].at_ns, records[-1].kind)
    assert facts.raw_sha256 == raw_sha256(RawBatch.of(records)) == segment.open_unverified(path).raw_sha256()
    assert facts.chain == chain_after(AFTER, facts.raw_sha256)
    assert segment.span(entry) == "records 50 to 349"


def test_the_file_is_private_checksummed_and_complete_in_its_columns(tmp_path: Path) -> None:
    path, _, _ = sealed(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    file = pq.ParquetFile(path)
    assert file.schema_arrow.names == SCHEMA.names
    column = file.metadata.row_group(0).column(SCHEMA.names.index("seq"))
    assert column.compression == "ZSTD"
    assert column.statistics.max == 349


def test_sources_of_an_import_are_kept(tmp_path: Path) -> None:
    records = sample_records(4)
    plain = RawBatch.of(records)
    sources = [b'{"recv": 1}', None, b"", b"\xff"]
    batch = RawBatch(plain.seq, plain.at_ns, plain.mono_ns, plain.connection, plain.kind, plain.payloads, sources)
    path = tmp_path / "1.parquet"
    segment.write_segment(path, [batch], number=1, after=AFTER)
    (back,) = segment.open_unverified(path).batches()
    assert list(back.sources or ()) == sources
    assert list(back.payloads) == list(plain.payloads)
    assert raw_sha256(back) == raw_sha256(batch) != raw_sha256(plain)


def test_a_long_segment_is_read_group_by_group(tmp_path: Path) -> None:
    records = [record_of(seq, b"%d" % seq) for seq in range(GROUP_ROWS + 100)]
    path = tmp_path / "1.parquet"
    facts = segment.write_segment(path, [RawBatch.of(records[:100]), RawBatch.of(records[100:])], number=1, after=AFTER)
    file = segment.open_unverified(path)
    assert [table.num_rows for table in file.groups(["seq"])] == [100, GROUP_ROWS]
    assert [table.num_rows for table in file.groups(["seq"], from_seq=90)] == [10, GROUP_ROWS]
    assert [table.num_rows for table in file.groups(["seq"], from_seq=100)] == [GROUP_ROWS]
    assert [batch.rows for batch in file.batches()] == [100, GROUP_ROWS]
    assert facts.raw_sha256 == raw_sha256(RawBatch.of(records))


def test_only_the_wanted_columns_are_read(tmp_path: Path) -> None:
    path, _, _ = sealed(tmp_path)
    (table,) = segment.open_unverified(path).groups(["market", "seq"])
    assert table.column_names == ["market", "seq"]
    assert table.schema.field("market") == SCHEMA.field("market")


def test_any_flipped_bit_is_found_before_the_file_is_used(tmp_path: Path) -> None:
    path, entry, _ = sealed(tmp_path)
    whole = path.read_bytes()
    rng = random.Random(7)
    for bit in rng.sample(range(len(whole) * 8), 300):
        altered = bytearray(whole)
        altered[bit // 8] ^= 1 << bit % 8
        path.write_bytes(altered)
        with pytest.raises(TapeDamaged, match="records 50 to 349"):
            segment.open_segment(tmp_path, entry)


def test_a_cut_or_longer_or_missing_file_is_found(tmp_path: Path) -> None:
    path, entry, _ = sealed(tmp_path)
    whole = path.read_bytes()
    for content in (b"", whole[:100], whole[:-1], whole + b"\0"):
        path.write_bytes(content)
        with pytest.raises(TapeDamaged, match="bytes where"):
            segment.open_segment(tmp_path, entry)
    path.unlink()
    with pytest.raises(TapeDamaged, match="is missing: records 50 to 349"):
        segment.open_segment(tmp_path, entry)


def test_another_segment_in_its_place_is_found(tmp_path: Path) -> None:
    path, entry, records = sealed(tmp_path)
    written(path, records, number=2)
    with pytest.raises(TapeDamaged):
        segment.open_segment(tmp_path, entry)


def test_a_file_is_hashed_once_and_again_after_it_changed(tmp_path: Path) -> None:
    path, entry, records = sealed(tmp_path)
    settled = path.stat().st_mtime_ns - 10**10
    os.utime(path, ns=(settled, settled))
    before = len(segment._verified)
    segment.open_segment(tmp_path, entry)
    assert len(segment._verified) == before  # its inode changed just now: too fresh to be trusted next time
    segment._verified[_key(path)] = entry.sha256
    assert list(segment.open_segment(tmp_path, entry).records()) == records
    whole = bytearray(path.read_bytes())
    whole[200] ^= 1
    path.write_bytes(whole)
    with pytest.raises(TapeDamaged, match="is altered"):
        segment.open_segment(tmp_path, entry)


def _key(path: Path) -> tuple[int, int, int, int, int]:
    found = path.stat()
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def test_page_checksums_alone_find_every_flip_in_a_page(tmp_path: Path) -> None:
    path, _, records = sealed(tmp_path)
    whole = path.read_bytes()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    wrong = 0
    for bit in random.Random(3).sample(range(32, footer * 8), 150):
        altered = bytearray(whole)
        altered[bit // 8] ^= 1 << bit % 8
        path.write_bytes(altered)
        try:
            wrong += list(segment.open_unverified(path).records()) != records
        except TapeDamaged as error:
            assert "row group 0" in str(error) or "no whole segment" in str(error)
    assert wrong == 0


def test_what_is_no_segment_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "1.parquet"
    path.write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(TapeDamaged, match="no whole segment"):
        segment.open_unverified(path)
    pq.write_table(SCHEMA.empty_table(), path)
    with pytest.raises(TapeDamaged, match="no whole segment"):
        segment.open_unverified(path)


def test_a_disk_that_refuses_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="write a segment"):
        written(tmp_path / "absent" / "1.parquet", sample_records(3))


@pytest.mark.parametrize("seqs", [[], [1, 3]])
def test_records_must_follow_each_other(tmp_path: Path, seqs: list[int]) -> None:
    with pytest.raises(AssertionError):
        written(tmp_path / "1.parquet", [record_of(seq, b"") for seq in seqs])


def test_duckdb_reads_the_typed_columns(tmp_path: Path) -> None:
    path, _, records = sealed(tmp_path)
    with duckdb.connect() as connection:
        rows = connection.execute(
            "select count(*), count(price), min(seq), max(len(yes_price)) from read_parquet(?) ", [str(path)]
        ).fetchall()
        types = dict(
            connection.execute(
                "select name, type from parquet_schema(?) where type is not null", [str(path)]
            ).fetchall()
        )
    assert rows[0][:3] == (300, sum(b"price_dollars" in r.payload or b"yes_price_d" in r.payload for r in records), 50)
    assert rows[0][3] >= 1
    assert types["at_ns"] == "INT64"
