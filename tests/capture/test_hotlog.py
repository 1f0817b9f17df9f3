"""capture.tape.hotlog: the bytes of a segment, and what append and sync do when the disk fails."""

import struct
import zlib
from pathlib import Path

import pytest
from writing import DISK, EIO, ENOSPC, FaultyDisk, record, records

from capture.tape.hotlog import HEADER_SIZE, MAX_CONNECTION, MAX_PAYLOAD, OVERHEAD, HotSegment, decode_header
from capture.tape.scan import Verdict, iter_segment, scan_segment
from core.records import Kind, Record


def segment_on(disk: FaultyDisk, tmp_path: Path) -> HotSegment:
    return HotSegment.create(tmp_path / "00000001.wal", 1, 0, 0, disk=disk)


def test_the_bytes_are_those_the_format_says(tmp_path: Path) -> None:
    path = tmp_path / "00000003.wal"
    segment = HotSegment.create(path, 3, 41, 0xABCD, disk=DISK)
    segment.append(Record(41, 1_000, 20, 5, Kind.FRAME, b"hello"))
    segment.append(Record(42, 1_001, 21, 0, Kind.TICK, b""))
    content = path.read_bytes()
    magic, version, length, number, salt, base_seq, previous, header_crc = struct.unpack("<8sHHI8sQII", content[:40])
    assert (magic, version, length, number, base_seq, previous) == (b"TAPEHOT\n", 1, 40, 3, 41, 0xABCD)
    assert header_crc == zlib.crc32(content[:36]) and salt != bytes(8)
    head = struct.pack("<IIQQQ", 5, Kind.FRAME | 5 << 8, 41, 20, 1_000)
    first_crc = zlib.crc32(head + b"hello", header_crc)
    second = struct.pack("<IIQQQ", 0, Kind.TICK, 42, 21, 1_001)
    second_crc = zlib.crc32(second, first_crc)
    assert content[40:] == head + b"hello" + struct.pack("<I", first_crc) + second + struct.pack("<I", second_crc)
    assert segment.mark() == (len(content), 43, second_crc)
    assert segment.size == len(content)


def test_many_records_in_one_write_are_those_that_one_by_one_would_be(tmp_path: Path) -> None:
    disk, content = FaultyDisk(), records(5)
    segment = segment_on(disk, tmp_path)
    segment.append(content[0])
    disk.calls.clear()
    segment.append_all(content[1:])
    assert disk.calls == ["write"]
    assert list(iter_segment(segment.path)) == content
    assert scan_segment(segment.path).verdict is Verdict.CLEAN
    assert segment.mark().next_seq == 5


def test_of_many_records_that_the_disk_refuses_none_is_left(tmp_path: Path) -> None:
    disk, content = FaultyDisk(), records(5)
    segment = segment_on(disk, tmp_path)
    segment.append(content[0])
    before = segment.mark()
    disk.short = [60]  # two of them are whole then
    disk.faults["write"] = [ENOSPC]
    with pytest.raises(OSError, match="No space"):
        segment.append_all(content[1:])
    assert segment.mark() == before
    segment.append_all(content[1:])
    assert list(iter_segment(segment.path)) == content


def test_what_is_appended_is_there_at_once_for_a_reader(tmp_path: Path) -> None:
    path = tmp_path / "00000001.wal"
    segment = HotSegment.create(path, 1, 0, 0, disk=DISK)
    for entry in records(50):
        segment.append(entry)
        assert list(iter_segment(path))[-1] == entry


def test_a_segment_never_replaces_a_file(tmp_path: Path) -> None:
    path = tmp_path / "00000001.wal"
    path.write_bytes(b"precious")
    with pytest.raises(FileExistsError):
        HotSegment.create(path, 1, 0, 0, disk=DISK)
    assert path.read_bytes() == b"precious"


def test_header_and_name_are_durable_before_a_segment_is_used(tmp_path: Path) -> None:
    disk = FaultyDisk()
    segment = segment_on(disk, tmp_path)
    assert disk.calls == ["create", "write", "fdatasync", "fsync_dir"]
    segment.append(record(0))
    assert disk.calls[4:] == ["write"], "one record, one write"


@pytest.mark.parametrize("call", ["create", "write", "fdatasync", "fsync_dir"])
def test_a_segment_that_cannot_be_begun_leaves_no_file(tmp_path: Path, call: str) -> None:
    disk = FaultyDisk()
    disk.faults[call] = [ENOSPC]
    with pytest.raises(OSError, match="No space left"):
        segment_on(disk, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_short_write_is_finished(tmp_path: Path) -> None:
    disk = FaultyDisk()
    segment = segment_on(disk, tmp_path)
    segment.append(record(0))
    disk.short = [1, 30, 3]
    segment.append(record(1))
    segment.append(record(2))
    assert list(iter_segment(segment.path)) == [record(0), record(1), record(2)]


@pytest.mark.parametrize("taken", [1, 31, 32, 40])
@pytest.mark.parametrize("code", [ENOSPC, EIO])
def test_a_short_write_that_cannot_be_finished_is_undone_and_the_log_goes_on(
    tmp_path: Path, taken: int, code: int
) -> None:
    disk = FaultyDisk()
    segment = segment_on(disk, tmp_path)
    segment.append(record(0))
    disk.short, disk.faults["write"] = [taken], [code]
    with pytest.raises(OSError):
        segment.append(record(1))
    scan = scan_segment(segment.path)
    assert (scan.verdict, scan.next_seq, scan.size) == (Verdict.CLEAN, 1, segment.size)
    segment.append(record(1))
    assert list(iter_segment(segment.path)) == [record(0), record(1)]


def test_a_disk_that_takes_nothing_without_an_error_is_an_error(tmp_path: Path) -> None:
    disk = FaultyDisk()
    segment = segment_on(disk, tmp_path)
    disk.short = [5, 0]
    with pytest.raises(OSError, match="no more bytes"):
        segment.append(record(0))
    assert scan_segment(segment.path).verdict is Verdict.CLEAN


def test_torn_bytes_that_cannot_be_cut_off_end_the_use_of_the_segment(tmp_path: Path) -> None:
    disk = FaultyDisk()
    segment = segment_on(disk, tmp_path)
    segment.append(record(0))
    disk.short, disk.faults = [10], {"write": [EIO], "ftruncate": [EIO]}
    with pytest.raises(OSError):
        segment.append(record(1))
    assert segment.poisoned
    with pytest.raises(OSError, match="unusable"):
        segment.append(record(1))
    with pytest.raises(OSError, match="unusable"):
        segment.sync()
    scan = scan_segment(segment.path)
    assert (scan.verdict, scan.next_seq) == (Verdict.TORN, 1)


def test_no_sync_succeeds_after_one_has_failed(tmp_path: Path) -> None:
    disk = FaultyDisk()
    segment = segment_on(disk, tmp_path)
    segment.append(record(0))
    disk.faults["fdatasync"] = [EIO]
    with pytest.raises(OSError, match="Input/output"):
        segment.sync()
    calls = len(disk.calls)
    with pytest.raises(OSError, match="unusable"):
        segment.sync()
    with pytest.raises(OSError, match="unusable"):
        segment.append(record(1))
    assert len(disk.calls) == calls, "a poisoned descriptor is not asked again"


def test_a_record_that_does_not_fit_the_format_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    segment = HotSegment.create(tmp_path / "00000001.wal", 1, 0, 0, disk=DISK)
    with pytest.raises(ValueError, match="does not fit"):
        segment.append(record(0, connection=MAX_CONNECTION + 1))
    with pytest.raises(ValueError, match="does not fit"):
        segment.append(Record(0, -1, 0, 0, Kind.FRAME, b""))
    with pytest.raises(ValueError, match="the limit is"):
        segment.append(record(0, bytes(MAX_PAYLOAD + 1)))
    segment.append(record(0, connection=MAX_CONNECTION))
    assert list(iter_segment(segment.path)) == [record(0, connection=MAX_CONNECTION)]


@pytest.mark.parametrize("seq", [0, 2])
def test_a_record_out_of_turn_is_a_bug_of_the_caller(tmp_path: Path, seq: int) -> None:
    segment = HotSegment.create(tmp_path / "00000001.wal", 1, 0, 0, disk=DISK)
    segment.append(record(0))
    with pytest.raises(AssertionError, match=f"seq {seq} after 0"):
        segment.append(record(seq))


def test_a_cut_gives_up_what_follows(tmp_path: Path) -> None:
    segment = HotSegment.create(tmp_path / "00000001.wal", 1, 0, 0, disk=DISK)
    segment.append(record(0))
    mark = segment.mark()
    segment.append(record(1))
    segment.cut(mark.offset)
    scan = scan_segment(segment.path)
    assert (scan.verdict, scan.next_seq, scan.last_crc) == (Verdict.CLEAN, 1, mark.crc)


def test_closing_twice_is_harmless_and_discarding_removes_the_file(tmp_path: Path) -> None:
    segment = HotSegment.create(tmp_path / "00000001.wal", 1, 0, 0, disk=DISK)
    segment.close()
    segment.close()
    with pytest.raises(OSError, match="unusable"):
        segment.append(record(0))
    segment.discard()
    assert not list(tmp_path.iterdir())


def test_a_header_is_known_by_its_checksum_and_its_magic(tmp_path: Path) -> None:
    content = HotSegment.create(tmp_path / "00000007.wal", 7, 9, 11, disk=DISK).path.read_bytes()
    header = decode_header(content)
    assert header is not None
    assert (header.number, header.base_seq, header.previous_crc) == (7, 9, 11)
    assert decode_header(content[: HEADER_SIZE - 1]) is None
    other = b"NOTATAPE" + content[8:36]
    assert decode_header(other + zlib.crc32(other).to_bytes(4, "little")) is None


def test_two_segments_with_the_same_records_have_different_bytes(tmp_path: Path) -> None:
    paths = [tmp_path / "00000001.wal", tmp_path / "00000002.wal"]
    for path in paths:
        HotSegment.create(path, 1, 0, 0, disk=DISK).append(record(0))
    left, right = (path.read_bytes()[-4:] for path in paths)
    assert left != right, "a record of an old file must not pass in a new one"


def test_the_overhead_of_a_record_is_36_bytes(tmp_path: Path) -> None:
    segment = HotSegment.create(tmp_path / "00000001.wal", 1, 0, 0, disk=DISK)
    segment.append(record(0, b"12345"))
    assert segment.size == HEADER_SIZE + OVERHEAD + 5 == 40 + 36 + 5
