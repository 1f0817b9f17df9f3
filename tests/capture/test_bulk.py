"""Hot segments as columns: the same records as one by one, and a damaged one is refused."""

from pathlib import Path

import pytest
from sample_records import record_of, sample_records
from writing import write_segment

from capture.tape import bulk, scan, schema
from capture.tape.bulk import HotBatches
from capture.tape.errors import TapeDamaged
from capture.tape.hotlog import HEADER_SIZE, OVERHEAD
from capture.tape.layout import FORMAT_VERSION, Label, Layout
from capture.tape.scan import scan_segment
from capture.tape.sealer import create_tape, seal_hot_segment
from core.records import Record

RECORDS = sample_records(60)


def read(path: Path, *, until_seq: int | None = None, at_once: bool = True) -> tuple[list[Record], list[int], int]:
    """(records, rows of each batch, last checksum) of a hot segment."""
    hot = HotBatches(path, until_seq=until_seq, bulk=at_once)
    found: list[Record] = []
    sizes = []
    for batch in hot:
        columns = (batch.seq, batch.at_ns, batch.mono_ns, batch.connection, batch.kind)
        found += map(Record, *(list(map(int, column)) for column in columns), batch.payloads.split())
        sizes.append(batch.rows)
    return found, sizes, hot.last_crc()


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("chunk", [OVERHEAD, 300, bulk.CHUNK])
def test_every_record_comes_back_whatever_the_size_of_a_chunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int, at_once: bool
) -> None:
    records = [*RECORDS, record_of(60, b""), record_of(61, bytes(5_000)), record_of(62, b"x")]
    path = write_segment(tmp_path / "00000001.wal", records)
    monkeypatch.setattr(bulk, "CHUNK", chunk)
    assert read(path, at_once=at_once) == (records, [63], scan_segment(path).last_crc)


@pytest.mark.parametrize("at_once", [True, False])
def test_records_that_belong_to_the_next_segment_are_left_out(tmp_path: Path, at_once: bool) -> None:
    path = write_segment(tmp_path / "00000001.wal", RECORDS)
    assert read(path, until_seq=20, at_once=at_once) == (RECORDS[:20], [20], scan_segment(path, until_seq=20).last_crc)


@pytest.mark.parametrize("at_once", [True, False])
def test_an_empty_segment_is_no_damaged_one(tmp_path: Path, at_once: bool) -> None:
    path = write_segment(tmp_path / "00000001.wal", [])
    assert HotBatches(path, bulk=at_once).is_empty()
    content = path.read_bytes()
    path.write_bytes(content[:20] + b"?" + content[21:])
    with pytest.raises(TapeDamaged, match="header"):
        HotBatches(path, bulk=at_once).is_empty()
    write_segment(tmp_path / "00000002.wal", RECORDS, number=2)
    assert not HotBatches(tmp_path / "00000002.wal", bulk=at_once).is_empty()
    assert HotBatches(tmp_path / "00000002.wal", until_seq=0, bulk=at_once).is_empty()
    (tmp_path / "00000002.wal").write_bytes((tmp_path / "00000002.wal").read_bytes()[: HEADER_SIZE + 9])
    assert not HotBatches(tmp_path / "00000002.wal", bulk=at_once).is_empty()


@pytest.mark.parametrize("bulk_bytes", [0, 1 << 30])
def test_a_segment_whose_first_record_is_torn_is_neither_sealed_nor_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bulk_bytes: int
) -> None:
    monkeypatch.setattr(bulk, "BULK_BYTES", bulk_bytes)
    create_tape(tmp_path / "tape", Label(FORMAT_VERSION, "uuid", "test", writer=""))
    hot = write_segment(Layout(tmp_path / "tape").hot(1), RECORDS)
    for size in (HEADER_SIZE + 9, 20, 0):
        hot.write_bytes(hot.read_bytes()[:size])
        with pytest.raises(TapeDamaged):
            seal_hot_segment(tmp_path / "tape", 1)
        assert hot.exists()
    assert list(Layout(tmp_path / "tape").tmp.iterdir()) == []


@pytest.mark.parametrize("at_once", [True, False])
def test_a_batch_is_bounded_in_rows_and_in_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    path = write_segment(tmp_path / "00000001.wal", [record_of(seq, bytes(1_000)) for seq in range(50)])
    for module in (bulk, schema):
        monkeypatch.setattr(module, "GROUP_ROWS", 20)
    monkeypatch.setattr(bulk, "CHUNK", 2_500)
    assert read(path, at_once=at_once)[1] == [20, 20, 10]
    for module in (bulk, schema):
        monkeypatch.setattr(module, "GROUP_BYTES", 10_000)
    assert read(path, at_once=at_once)[1] == [10, 10, 10, 10, 10]


def test_whatever_byte_of_a_record_is_altered_the_segment_is_refused_and_only_true_records_were_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "CHUNK", 400)
    records = sample_records(6)
    whole = write_segment(tmp_path / "00000001.wal", records).read_bytes()
    checksums = set()
    at = HEADER_SIZE
    for record in records[:-1]:
        at += OVERHEAD + len(record.payload)
        checksums |= set(range(at - 4, at))  # said once more by the next record's
    for place in range(len(whole)):
        path = tmp_path / "00000001.wal"
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        given: list[Record] = []
        hot = HotBatches(path, bulk=True)
        for batch in hot:
            columns = (batch.seq, batch.at_ns, batch.mono_ns, batch.connection, batch.kind)
            given += map(Record, *(list(map(int, column)) for column in columns), batch.payloads.split())
        assert given == records[: len(given)]
        if place not in checksums or given != records:
            with pytest.raises(TapeDamaged, match="run `tapedeck recover`"):
                hot.last_crc()


@pytest.mark.parametrize("at_once", [True, False])
def test_a_torn_segment_is_refused(tmp_path: Path, at_once: bool) -> None:
    path = write_segment(tmp_path / "00000001.wal", RECORDS)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(TapeDamaged, match="no whole record at byte"):
        read(path, at_once=at_once)


@pytest.mark.parametrize(("bulk_bytes", "objects"), [(0, 0), (1 << 30, len(RECORDS))])
def test_sealing_reads_a_segment_once_and_a_large_one_without_an_object_a_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bulk_bytes: int, objects: int
) -> None:
    create_tape(tmp_path / "tape", Label(FORMAT_VERSION, "uuid", "test", writer=""))
    write_segment(Layout(tmp_path / "tape").hot(1), RECORDS)
    made = []

    def record(*values: int) -> Record:
        made.append(values)
        return Record(*values)  # type: ignore[arg-type]  # the payload is no number

    monkeypatch.setattr(scan, "Record", record)
    monkeypatch.setattr(bulk, "BULK_BYTES", bulk_bytes)
    monkeypatch.setattr(bulk, "INSTALLED", True)
    entry = seal_hot_segment(tmp_path / "tape", 1)
    assert entry is not None and entry.rows == len(RECORDS)
    assert len(made) == objects
