import threading
from pathlib import Path

import msgspec
import pytest
from sample_records import (
    hot_segment,
    mixed_tape,
    only_payloads,
    sample_records,
    sealed_tape,
    session_records,
)

from capture.tape import schema
from capture.tape.errors import TapeDamaged, TapeError, TapeFormat
from capture.tape.layout import Layout
from capture.tape.lock import TapeLock
from capture.tape.manifest import Manifest
from capture.tape.reader import Ended, Tape, ended_by
from capture.tape.recorder import WriterOptions
from capture.tape.remake import remake_manifest
from capture.tape.scan import scan_segment
from capture.tape.sealer import seal_hot_segment
from capture.tape.typed import columns_of
from capture.tape.verify import verify
from capture.tape.writer import TapeWriter
from core.messages import decode
from core.records import Kind, Record, Session
from core.remade import messages

RECORDS = session_records(400)
MIXED = pytest.mark.parametrize("sealed", [0, 200, 400])


def tape(tmp_path: Path, sealed: int = 200) -> Tape:
    root = tmp_path / "tape"
    if sealed == len(RECORDS):
        sealed_tape(root, RECORDS)
    else:
        mixed_tape(root, RECORDS, sealed=sealed)
    return Tape.open(root)


def until_damage(opened: Tape, from_seq: int = 0) -> tuple[list[Record], str]:
    """What can be read before reading stops, and why it stops."""
    found: list[Record] = []
    try:
        found.extend(opened.records(from_seq))
    except TapeError as error:
        return found, str(error)
    return found, ""


@MIXED
def test_records_come_in_order_from_anywhere_to_anywhere(tmp_path: Path, sealed: int) -> None:
    opened = tape(tmp_path, sealed)
    assert list(opened.records()) == RECORDS
    for start in (1, 99, 100, 250, 399, 400, 500):
        assert list(opened.records(start)) == RECORDS[start:]
    assert list(opened.records(90, 310)) == RECORDS[90:311]
    assert list(opened.records(90, 90)) == RECORDS[90:91]
    assert list(opened.records(90, 89)) == []


@MIXED
def test_tables_hold_the_same_records_and_their_columns(tmp_path: Path, sealed: int) -> None:
    opened = tape(tmp_path, sealed)
    tables = list(opened.tables(payloads=True))
    assert [cell for table in tables for cell in table.column("payload").to_pylist()] == only_payloads(RECORDS)
    assert all(table.schema == schema.SCHEMA for table in tables)
    found = [message for table in tables for message in messages(columns_of(table))]
    assert len(found) == 400
    for record, message in zip(RECORDS, found, strict=True):
        assert message is None or message == decode(record.payload)
    assert sum(message is not None for message in found) > 200
    tail = list(opened.tables(["market", "seq"], from_seq=290))
    assert [seq for table in tail for seq in table.column("seq").to_pylist()] == list(range(290, 400))
    assert {tuple(table.column_names) for table in tail} == {("market", "seq")}


def test_payloads_of_tables_are_null_where_the_columns_say_it_all(tmp_path: Path) -> None:
    for table in tape(tmp_path).tables(["payload", "complete"]):
        payloads, complete = table.column("payload").to_pylist(), table.column("complete").to_pylist()
        assert all(whole for payload, whole in zip(payloads, complete, strict=True) if payload is None)
        assert None in payloads


def test_segments_before_the_wanted_record_are_not_touched(tmp_path: Path) -> None:
    opened = tape(tmp_path, 400)
    (opened.path / opened.segments[0].file).unlink()
    assert list(opened.records(100)) == RECORDS[100:]
    (opened.path / opened.segments[3].file).unlink()
    assert list(opened.records(100, 299)) == RECORDS[100:300]


@MIXED
def test_a_tape_tells_what_it_is(tmp_path: Path, sealed: int) -> None:
    opened = tape(tmp_path, sealed)
    assert opened.environment == "test"
    assert opened.head_seq == 399
    assert len(opened.segments) == sealed // 100
    assert opened.bytes_on_disk == sum(path.stat().st_size for path in opened.path.rglob("*") if path.is_file())
    assert opened.ended is Ended.CLEAN_STOP


def test_an_empty_tape_has_no_records(tmp_path: Path) -> None:
    sealed_tape(tmp_path / "tape", [])
    opened = Tape.open(tmp_path / "tape")
    assert (list(opened.records()), list(opened.tables()), opened.head_seq) == ([], [], -1)
    assert opened.ended is Ended.UNPROVEN


@pytest.mark.parametrize(
    ("kind", "ended"),
    [
        (Kind.CLEAN_STOP, Ended.CLEAN_STOP),
        (Kind.GAP_OPEN, Ended.GAP),
        (Kind.FRAME, Ended.UNPROVEN),
        (0, Ended.UNPROVEN),
    ],
)
def test_the_last_record_tells_how_a_tape_ended(kind: int, ended: Ended) -> None:
    assert ended_by(kind) is ended


def test_an_end_without_a_word_or_with_torn_bytes_is_unproven(tmp_path: Path) -> None:
    opened = tape(tmp_path)
    hot = opened.layout.hot(4)
    whole = hot.read_bytes()
    for content in (whole[:-1], whole + b"\1", whole[:-38]):
        hot.write_bytes(content)
        assert opened.ended is Ended.UNPROVEN
    sealed_tape(tmp_path / "crashed", session_records(50, stopped=False))
    assert Tape.open(tmp_path / "crashed").ended is Ended.UNPROVEN


def test_a_tape_that_somebody_writes_is_recording(tmp_path: Path) -> None:
    opened = tape(tmp_path)
    with TapeLock(opened.layout.lock):
        assert opened.ended == "recording"
    assert opened.ended == "clean_stop"


def test_a_torn_tail_is_not_read(tmp_path: Path) -> None:
    opened = tape(tmp_path)
    hot = opened.layout.hot(4)
    hot.write_bytes(hot.read_bytes()[:-7])
    assert until_damage(opened) == (RECORDS[:399], "")
    assert opened.head_seq == 398


@pytest.mark.parametrize("lost", [0, 1, 2, 3])
def test_reading_stops_at_a_sealed_segment_that_is_not_right(tmp_path: Path, lost: int) -> None:
    opened = tape(tmp_path, 400)
    path = opened.path / opened.segments[lost].file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    for missing in (False, True):
        if missing:
            path.unlink()
        found, why = until_damage(opened)
        assert found == RECORDS[: lost * 100]
        assert path.name in why
        assert f"records {lost * 100} to {lost * 100 + 99}" in why


def test_reading_stops_at_damage_in_the_hot_log(tmp_path: Path) -> None:
    opened = tape(tmp_path)
    hot = opened.layout.hot(3)
    content = bytearray(hot.read_bytes())
    content[len(content) // 2] ^= 1
    hot.write_bytes(content)
    found, why = until_damage(opened)
    assert 200 < len(found) < 300
    assert found == RECORDS[: len(found)]
    assert "00000003.wal" in why


@pytest.mark.parametrize(("number", "left"), [(3, 200), (4, 300)])
def test_reading_stops_at_a_hot_segment_whose_header_is_broken(tmp_path: Path, number: int, left: int) -> None:
    opened = tape(tmp_path)
    hot = opened.layout.hot(number)
    content = bytearray(hot.read_bytes())
    content[9] ^= 1
    hot.write_bytes(content)
    found, why = until_damage(opened)
    assert found == RECORDS[:left]
    assert hot.name in why
    assert opened.ended is Ended.UNPROVEN


def test_a_missing_hot_segment_is_a_hole(tmp_path: Path) -> None:
    opened = tape(tmp_path)
    opened.layout.hot(3).unlink()
    found, why = until_damage(opened)
    assert found == RECORDS[:200]
    assert "records 200 to 299" in why
    assert list(opened.records(300)) == RECORDS[300:]


def test_a_hot_segment_of_another_tape_is_not_taken_for_ours(tmp_path: Path) -> None:
    opened = tape(tmp_path)
    mixed_tape(tmp_path / "other", session_records(400, seed=2), sealed=200)
    opened.layout.hot(4).write_bytes(Layout(tmp_path / "other").hot(4).read_bytes())
    found, why = until_damage(opened)
    assert found == RECORDS[:300]
    assert "00000004.wal: does not follow" in why


def test_hot_segments_that_overlap_give_each_record_once(tmp_path: Path) -> None:
    root = tmp_path / "tape"
    sealed_tape(root, RECORDS[:100])
    hot_segment(root, 2, RECORDS[100:160])
    crc = scan_segment(Layout(root).hot(2), until_seq=150).last_crc
    hot_segment(root, 3, RECORDS[150:400], crc)
    assert until_damage(Tape.open(root)) == (RECORDS, "")


def test_a_hole_between_sealed_segments_stops_reading(tmp_path: Path) -> None:
    opened = tape(tmp_path, 400)
    (opened.path / opened.segments[1].file).unlink()
    assert remake_manifest(opened.layout, opened.label, ()) == (3, [])
    found, why = until_damage(Tape.open(opened.path))
    assert found == RECORDS[:100]
    assert "records 100 to 199" in why
    assert list(Tape.open(opened.path).records(200)) == RECORDS[200:]


@pytest.mark.parametrize("lines", [1, 3, 4])
def test_a_manifest_that_lost_its_end_is_noticed(tmp_path: Path, lines: int) -> None:
    opened = tape(tmp_path, 400)
    path = opened.layout.manifest
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:lines]))
    found, why = until_damage(Tape.open(opened.path))
    assert found == RECORDS[: (lines - 1) * 100]
    assert f"0000000{lines}.parquet" in why
    assert Tape.open(opened.path).ended is Ended.UNPROVEN


def test_a_damaged_manifest_line_stops_reading_there(tmp_path: Path) -> None:
    opened = tape(tmp_path, 400)
    path = opened.layout.manifest
    lines = path.read_bytes().splitlines(keepends=True)
    other = b"1" if lines[3].startswith(b"0") else b"0"
    path.write_bytes(b"".join([*lines[:3], other + lines[3][1:], lines[4]]))
    found, why = until_damage(Tape.open(opened.path))
    assert found == RECORDS[:200]
    assert "MANIFEST: line 4" in why


def test_archived_and_pruned_segments_tell_where_they_are(tmp_path: Path) -> None:
    opened = tape(tmp_path, 400)
    opened.manifest.archive(2, "s3://bucket/two")
    opened.manifest.prune(3)
    opened = Tape.open(opened.path)
    assert until_damage(opened) == (
        RECORDS[:100],
        f"{opened.path / opened.segments[1].file}: records 100 to 199: the segment was archived to s3://bucket/two",
    )
    assert "records 200 to 299: the segment was deleted on purpose" in until_damage(opened, 200)[1]
    assert list(opened.records(300)) == RECORDS[300:]


def test_what_is_no_tape_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"hello")
    for path in (tmp_path, tmp_path / "absent", tmp_path / "file"):
        with pytest.raises(TapeFormat, match="no tape"):
            Tape.open(path)


def test_a_newer_tape_is_refused_with_both_versions(tmp_path: Path) -> None:
    opened = tape(tmp_path)
    newer = msgspec.structs.replace(opened.label, format=7)
    opened.layout.label.write_bytes(newer.encoded())
    opened.layout.manifest.unlink()
    Manifest.create(opened.layout, newer)
    with pytest.raises(TapeFormat, match=r"version 7.*up to 1"):
        Tape.open(opened.path)


def test_an_altered_or_missing_label_or_manifest_is_damage(tmp_path: Path) -> None:
    opened = tape(tmp_path)
    label = opened.layout.label.read_bytes()
    for altered in (label.replace(b"test", b"prod"), label[:-20], b""):
        opened.layout.label.write_bytes(altered)
        with pytest.raises(TapeDamaged, match=r"tape\.json: is altered"):
            Tape.open(opened.path)
    opened.layout.label.unlink()
    with pytest.raises(TapeDamaged, match=r"tape\.json: is missing"):
        Tape.open(opened.path)
    opened.layout.label.write_bytes(label)
    opened.layout.manifest.write_bytes(opened.layout.manifest.read_bytes()[1:])
    with pytest.raises(TapeDamaged, match="line 1"):
        Tape.open(opened.path)


def test_a_segment_sealed_while_it_is_read_is_read_once(tmp_path: Path) -> None:
    opened = tape(tmp_path)
    reading = opened.records()
    found = [next(reading) for _ in range(230)]
    seal_hot_segment(opened.path, 3)
    seal_hot_segment(opened.path, 4)
    assert found + list(reading) == RECORDS


def test_a_segment_sealed_before_its_turn_is_read_once(tmp_path: Path) -> None:
    opened = tape(tmp_path)
    reading = opened.records()
    found = [next(reading) for _ in range(150)]
    seal_hot_segment(opened.path, 3)
    assert found + list(reading) == RECORDS
    assert opened.head_seq == 399


def test_a_rebuilt_segment_is_read_by_who_opened_the_tape_before(tmp_path: Path) -> None:
    opened = tape(tmp_path, 400)
    entry = opened.segments[1]
    other = Tape.open(opened.path)
    content = (opened.path / entry.file).read_bytes()
    newer = tmp_path / "newer"
    newer.write_bytes(content + b"")
    other.manifest.replace(2, entry.marks[0], entry.marks[0], 1)
    newer.rename(opened.path / entry.file)
    assert list(opened.records()) == RECORDS


@pytest.mark.integration
def test_a_tape_that_is_recorded_and_sealed_meanwhile_always_reads_as_a_prefix(tmp_path: Path) -> None:
    options = WriterOptions(sync_interval_s=0.01, roll_bytes=8_000, reserve_bytes=0)
    frames = only_payloads(sample_records(2_000))
    writer = TapeWriter.create(tmp_path / "tape", "test", Session(uuid="u", environment="test"), options=options)

    def record() -> None:
        for frame in frames:
            writer.append(Kind.FRAME, frame)

    thread = threading.Thread(target=record)
    thread.start()
    lengths = []
    while thread.is_alive():
        found = list(Tape.open(tmp_path / "tape").records())
        assert [entry.seq for entry in found] == list(range(len(found)))
        assert only_payloads(found[1:]) == frames[: max(0, len(found) - 1)]
        lengths.append(len(found))
        assert len(lengths) % 4 or verify(tmp_path / "tape").problems == ()
    thread.join()
    writer.close()
    assert lengths == sorted(lengths)
    opened = Tape.open(tmp_path / "tape")
    assert only_payloads(list(opened.records()))[1:-1] == frames
    assert (opened.ended, len(opened.segments) > 10) == (Ended.CLEAN_STOP, True)
