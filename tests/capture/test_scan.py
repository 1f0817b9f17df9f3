"""capture.tape.scan: an exact prefix from whatever is left of a segment, and damage told from a torn tail."""

import random
import time
import zlib
from pathlib import Path

import pytest
from writing import record, records, write_segment

from capture.tape.errors import DiskError, TapeFormat
from capture.tape.hotlog import HEAD, HEADER_SIZE
from capture.tape.scan import (
    CHUNK,
    SegmentReader,
    Verdict,
    iter_segment,
    read_header,
    scan_segment,
)
from core.records import Record

RECORDS = records(34)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_segment(tmp_path / "00000001.wal", RECORDS)


def places(path: Path) -> list[tuple[int, int]]:
    """Where each record lies: (start, end)."""
    starts = [offset for offset, _ in SegmentReader(path)]
    return list(zip(starts, [*starts[1:], path.stat().st_size], strict=True))


def test_a_whole_segment_is_clean_and_gives_back_every_record(path: Path) -> None:
    scan = scan_segment(path)
    assert list(iter_segment(path)) == RECORDS
    assert (scan.verdict, scan.problem, scan.resumes_at) == (Verdict.CLEAN, "", None)
    assert (scan.number, scan.base_seq, scan.next_seq) == (1, 0, len(RECORDS))
    assert scan.end_offset == scan.size == path.stat().st_size
    assert scan.last_crc == int.from_bytes(path.read_bytes()[-4:], "little")


def test_an_empty_segment_is_clean(tmp_path: Path) -> None:
    scan = scan_segment(write_segment(tmp_path / "00000004.wal", [], number=4, base_seq=77))
    assert (scan.verdict, scan.number, scan.base_seq, scan.next_seq) == (Verdict.CLEAN, 4, 77, 77)
    assert scan.end_offset == HEADER_SIZE


def test_every_cut_gives_an_exact_prefix_and_is_torn_unless_between_records(path: Path) -> None:
    content, ends = path.read_bytes(), [end for _, end in places(path)]
    for size in range(len(content), -1, -1):
        with path.open("r+b") as file:
            file.truncate(size)
        whole = sum(end <= size for end in ends)
        scan = scan_segment(path)
        assert list(iter_segment(path)) == RECORDS[:whole], size
        assert scan.verdict is (Verdict.CLEAN if size in (HEADER_SIZE, *ends) else Verdict.TORN), size


@pytest.mark.parametrize("bits_a_byte", [1, pytest.param(8, marks=pytest.mark.slow)])
def test_every_flipped_bit_is_seen_and_nothing_wrong_is_read(path: Path, bits_a_byte: int) -> None:
    """By default one bit of every byte, a different one of the next."""
    content, spans = path.read_bytes(), places(path)
    assert 1_900 < len(content) < 2_300
    with path.open("r+b", buffering=0) as file:
        for offset in range(len(content)):
            before = sum(end <= offset for _, end in spans)
            for bit in ((offset + turn) % 8 for turn in range(bits_a_byte)):
                file.seek(offset)
                file.write(bytes([content[offset] ^ 1 << bit]))
                reader = SegmentReader(path)
                read = [entry for _, entry in reader]
                assert read == (RECORDS[:before] if offset >= HEADER_SIZE else []), (offset, bit)
                # only in the last record can a flip look like a write cut short
                expected = Verdict.TORN if offset >= spans[-1][0] else Verdict.CORRUPT
                assert reader.scan().verdict is expected, (offset, bit)
            file.seek(offset)
            file.write(content[offset : offset + 1])
    assert scan_segment(path).verdict is Verdict.CLEAN


def test_dropped_doubled_and_swapped_records_are_seen(path: Path) -> None:
    content = path.read_bytes()
    parts = [content[start:end] for start, end in places(path)]
    for index in range(len(parts)):
        dropped = parts[:index] + parts[index + 1 :]
        doubled = parts[: index + 1] + parts[index:]
        for name, changed in {"dropped": dropped, "doubled": doubled, "swapped": _swapped(parts, index)}.items():
            if changed == parts[: len(changed)]:
                continue  # the last one dropped is a shorter log, which only what follows it can tell
            path.write_bytes(content[:HEADER_SIZE] + b"".join(changed))
            reader = SegmentReader(path)
            read = [entry for _, entry in reader]
            assert read == RECORDS[: len(read)] and len(read) < len(changed), (name, index)
            # near the end there may be no whole record left behind the broken place
            expected = {Verdict.CORRUPT} if index < len(parts) - 3 else {Verdict.CORRUPT, Verdict.TORN}
            assert reader.scan().verdict in expected, (name, index)


def _swapped(parts: list[bytes], index: int) -> list[bytes]:
    other = (index + 1) % len(parts)
    swapped = list(parts)
    swapped[index], swapped[other] = swapped[other], swapped[index]
    return swapped


def test_a_record_of_another_segment_does_not_pass(tmp_path: Path, path: Path) -> None:
    other = write_segment(tmp_path / "other.wal", RECORDS)
    start, end = places(path)[-1]
    path.write_bytes(path.read_bytes()[:start] + other.read_bytes()[start:end])
    assert list(iter_segment(path)) == RECORDS[:-1]
    assert scan_segment(path).verdict is Verdict.TORN


@pytest.mark.parametrize("zeros", [1, 3, 4, 35, 36, 37, 4096, 3 * CHUNK])
def test_a_tail_of_zeros_is_torn(path: Path, zeros: int) -> None:
    content = path.read_bytes()
    for size in [HEADER_SIZE, *range(HEADER_SIZE, len(content), 101), len(content)]:
        path.write_bytes(content[:size] + bytes(zeros))
        reader = SegmentReader(path)
        read = [entry for _, entry in reader]
        assert read == RECORDS[: len(read)]
        # a record that ends in zeros is whole again once they are back
        assert reader.scan().verdict is Verdict.TORN, size


@pytest.mark.parametrize("content", [b"", b"TAPE", bytes(HEADER_SIZE), bytes(5000)])
def test_a_segment_that_never_got_its_header_is_torn_and_holds_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "00000001.wal"
    path.write_bytes(content)
    scan = scan_segment(path)
    assert (scan.verdict, scan.number, scan.end_offset, list(iter_segment(path))) == (Verdict.TORN, -1, 0, [])
    assert "header" in scan.problem
    assert read_header(path) is None


def test_random_bytes_are_corrupt_or_torn_but_never_records(tmp_path: Path) -> None:
    path, rng = tmp_path / "00000001.wal", random.Random(7)
    content = write_segment(path, RECORDS).read_bytes()
    for _ in range(300):
        keep = rng.randrange(HEADER_SIZE, len(content))
        path.write_bytes(content[:keep] + rng.randbytes(rng.randrange(1, 300)))
        read = list(iter_segment(path))
        assert read == RECORDS[: len(read)] and scan_segment(path).verdict is Verdict.TORN


def test_damage_is_placed_and_the_next_whole_record_named(path: Path) -> None:
    spans = places(path)
    content = bytearray(path.read_bytes())
    content[spans[5][0] + 33] ^= 1
    path.write_bytes(content)
    scan = scan_segment(path)
    assert (scan.end_offset, scan.next_seq, scan.resumes_at) == (spans[5][0], 5, spans[6][0])
    assert f"no whole record at byte {spans[5][0]}" in scan.problem and "record 5" in scan.problem


def test_a_damaged_length_does_not_hide_the_records_behind_it(path: Path) -> None:
    spans = places(path)
    content = bytearray(path.read_bytes())
    content[spans[5][0] : spans[5][0] + 4] = b"\xff\xff\xff\x7f"
    path.write_bytes(content)
    assert (scan_segment(path).verdict, scan_segment(path).resumes_at) == (Verdict.CORRUPT, spans[6][0])


def test_records_across_the_borders_of_chunks_are_whole(tmp_path: Path) -> None:
    sizes = [CHUNK // 3, CHUNK - 36, 0, CHUNK, CHUNK * 3 + 1, 5, CHUNK // 2, 1]
    content = [record(seq, bytes([seq]) * size) for seq, size in enumerate(sizes)]
    path = write_segment(tmp_path / "00000001.wal", content)
    assert list(iter_segment(path)) == content
    assert scan_segment(path).verdict is Verdict.CLEAN


def test_a_reader_sees_the_file_as_it_was_when_opened(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    reader = SegmentReader(path)
    path.write_bytes(whole)
    assert [entry for _, entry in reader] == RECORDS[:-1]
    assert reader.scan().verdict is Verdict.TORN
    assert scan_segment(path).verdict is Verdict.CLEAN


def test_a_reader_goes_on_where_it_stopped(path: Path) -> None:
    reader = SegmentReader(path)
    first = [entry for _, (_, entry) in zip(range(5), reader, strict=False)]
    assert [*first, *(entry for _, entry in reader)] == RECORDS


def test_a_segment_can_be_read_as_far_as_the_next_one_begins(path: Path) -> None:
    scan = scan_segment(path, until_seq=20)
    assert list(iter_segment(path, until_seq=20)) == RECORDS[:20]
    assert (scan.verdict, scan.next_seq) == (Verdict.CLEAN, 20)
    assert scan.end_offset < scan.size
    assert list(iter_segment(path, until_seq=0)) == []


def test_damage_behind_the_limit_is_nobodys_concern_but_damage_before_it_is(path: Path) -> None:
    start = places(path)[21][0]
    path.write_bytes(path.read_bytes()[:start] + b"\xff" * 50)
    assert scan_segment(path, until_seq=20).verdict is Verdict.CLEAN
    assert scan_segment(path, until_seq=22).verdict is Verdict.TORN


def test_a_file_under_the_name_of_another_segment_is_corrupt(tmp_path: Path, path: Path) -> None:
    path.rename(tmp_path / "00000002.wal")
    scan = scan_segment(tmp_path / "00000002.wal")
    assert (scan.verdict, scan.end_offset) == (Verdict.CORRUPT, 0)
    assert "says that it is segment 1" in scan.problem
    assert list(iter_segment(tmp_path / "00000002.wal")) == []


def test_a_segment_of_a_newer_version_is_refused(path: Path) -> None:
    content = path.read_bytes()
    body = content[:8] + (2).to_bytes(2, "little") + content[10:36]
    path.write_bytes(body + zlib.crc32(body).to_bytes(4, "little") + content[40:])
    with pytest.raises(TapeFormat, match="format version 2, this program reads up to 1"):
        scan_segment(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match=r"00000009\.wal: cannot read the hot log"):
        scan_segment(tmp_path / "00000009.wal")


@pytest.mark.parametrize("length", [0, 1_000_000])
def test_made_up_heads_in_a_torn_tail_cannot_stall_a_scan(tmp_path: Path, length: int) -> None:
    path = write_segment(tmp_path / "00000001.wal", [record(0)])
    head = HEAD.pack(length, 1, 1, 0, 0)  # possible everywhere, right nowhere
    path.write_bytes(path.read_bytes() + b"\x01" + head * 60_000)
    started_s = time.perf_counter()
    assert scan_segment(path).verdict is Verdict.TORN
    assert time.perf_counter() - started_s < 10, "it took milliseconds for each made-up head"


@pytest.mark.parametrize(("kind", "seq"), [(0, 1), (1, 0), (1, 2), (256, 1)])
def test_a_record_without_a_kind_or_out_of_turn_is_none_even_if_its_checksum_is_right(
    tmp_path: Path, kind: int, seq: int
) -> None:
    path = write_segment(tmp_path / "00000001.wal", [record(0)])
    content = path.read_bytes()
    head = HEAD.pack(0, kind, seq, 1, 1)
    path.write_bytes(content + head + zlib.crc32(head, int.from_bytes(content[-4:], "little")).to_bytes(4, "little"))
    scan = scan_segment(path)
    assert (scan.verdict, scan.next_seq, scan.end_offset) == (Verdict.TORN, 1, len(content))


def test_records_keep_every_field(tmp_path: Path) -> None:
    extremes = [
        Record(0, 0, 0, 0, 1, b""),
        Record(1, 2**63 - 1, 2**63 - 1, 2**24 - 1, 255, b"\x00" * 9),
        Record(2, 1, 2, 3, 4, b'\xff{"text":"\n"}'),
    ]
    assert list(iter_segment(write_segment(tmp_path / "00000001.wal", extremes))) == extremes
