import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sample_records import hot_segment, mixed_tape, sealed_tape, session_records

from capture.tape import segment
from capture.tape.errors import TapeDamaged, TapeFormat, TapeLocked
from capture.tape.layout import Layout
from capture.tape.lock import TapeLock
from capture.tape.manifest import Manifest
from capture.tape.reader import Tape
from capture.tape.recovery import RecoveryReport, recover, recover_locked
from capture.tape.sealer import rebuild_segment
from capture.tape.verify import verify
from core.records import Kind, Record, decode_gap

RECORDS = session_records(400)
CRASHED = session_records(400, stopped=False)


def read(root: Path) -> list[Record]:
    return list(Tape.open(root).records())


def recovered(root: Path) -> RecoveryReport:
    """Recover, see that the tape is whole then and that a second run finds nothing to do."""
    report = recover(root)
    assert report.problems == ()
    assert verify(root, deep=True).problems == ()
    assert sorted(Layout(root).wal.iterdir()) == []
    again = recover(root)
    assert (again.actions, again.problems) == ((), ())
    assert (again.records, again.segments, again.ended) == (report.records, report.segments, report.ended)
    return report


def kept(root: Path) -> list[str]:
    return sorted(path.name for path in Layout(root).quarantine.iterdir())


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 0x10
    path.write_bytes(content)


def offset_of(records: list[Record], index: int) -> int:
    """Where a record begins in the hot segment that holds these records."""
    return 40 + sum(len(record.payload) + 36 for record in records[:index])


def test_a_whole_tape_needs_nothing(tmp_path: Path) -> None:
    root = tmp_path / "tape"
    sealed_tape(root, RECORDS)
    report = recovered(root)
    assert (report.actions, report.segments, report.records, report.ended) == ((), 4, 400, "clean_stop")


def test_an_empty_tape_needs_nothing(tmp_path: Path) -> None:
    sealed_tape(tmp_path / "tape", [])
    assert recovered(tmp_path / "tape").actions == ()


def test_a_copy_that_lost_its_empty_directories_is_recovered(tmp_path: Path) -> None:
    root = mixed_tape(tmp_path / "tape", CRASHED, sealed=200).layout.root
    for directory in Layout(root).directories():
        if not list(directory.iterdir()):
            directory.rmdir()
    recovered(root)
    assert read(root)[:400] == CRASHED


def test_hot_segments_are_sealed_and_a_clean_stop_stays_the_end(tmp_path: Path) -> None:
    root = tmp_path / "tape"
    mixed_tape(root, RECORDS, sealed=200)
    report = recovered(root)
    assert (report.segments, report.records, report.ended) == (4, 400, "clean_stop")
    assert read(root) == RECORDS
    assert kept(root) == []


def test_an_end_without_a_word_becomes_a_gap(tmp_path: Path) -> None:
    root = tmp_path / "tape"
    mixed_tape(root, CRASHED, sealed=200)
    assert recovered(root).ended == "gap"
    *same, gap = read(root)
    assert same == CRASHED
    assert (gap.kind, decode_gap(gap.payload).reason) == (Kind.GAP_OPEN, "crash")


def test_a_sealed_end_without_a_word_becomes_a_gap(tmp_path: Path) -> None:
    root = tmp_path / "tape"
    sealed_tape(root, CRASHED)
    assert recovered(root).ended == "gap"
    assert read(root)[:-1] == CRASHED


@pytest.mark.parametrize("cut", [1, 4, 30, 36, 60])
def test_a_torn_tail_is_kept_in_quarantine_and_is_a_gap(tmp_path: Path, cut: int) -> None:
    root = tmp_path / "tape"
    mixed_tape(root, RECORDS, sealed=200)
    path = Layout(root).hot(4)
    path.write_bytes(path.read_bytes()[:-cut])
    before = read(root)
    report = recovered(root)
    assert (report.ended, report.segments) == ("gap", 4)  # the gap is committed together with what is before it
    assert read(root)[:-1] == before == RECORDS[: len(before)]
    assert 397 <= len(before) <= 399
    assert len(kept(root)) == (0 if cut == 38 else 1)


def test_a_clean_stop_followed_by_torn_bytes_is_no_proven_end(tmp_path: Path) -> None:
    root = tmp_path / "tape"
    mixed_tape(root, RECORDS, sealed=200)
    path = Layout(root).hot(4)
    path.write_bytes(path.read_bytes() + b"half a record")
    assert recovered(root).ended == "gap"
    assert read(root)[:-1] == RECORDS


def test_a_torn_segment_without_records_goes_to_quarantine(tmp_path: Path) -> None:
    root = tmp_path / "tape"
    mixed_tape(root, RECORDS, sealed=200)
    layout = Layout(root)
    layout.hot(5).write_bytes(layout.hot(4).read_bytes()[:17])
    recovered(root)
    assert read(root)[:400] == RECORDS
    assert [name.split(".")[0] for name in kept(root)] == ["wal_00000005"]


def test_damage_in_the_middle_costs_the_damaged_record_alone(tmp_path: Path) -> None:
    root = tmp_path / "tape"
    mixed_tape(root, RECORDS, sealed=200)
    flip(Layout(root).hot(3), offset_of(RECORDS[200:300], 40) + 34)
    with pytest.raises(TapeDamaged, match=r"00000003\.wal"):
        read(root)
    assert recovered(root).ended == "clean_stop"
    found = read(root)
    assert found[:240] + found[241:] == RECORDS[:240] + RECORDS[241:]
    gap = decode_gap(found[240].payload)
    assert (found[240].kind, gap.reason, gap.missing) == (Kind.GAP_CLOSE, "damage", 1)
    assert len(kept(root)) == 1


def test_a_missing_hot_segment_becomes_a_gap_and_what_follows_is_kept(tmp_path: Path) -> None:
    root = tmp_path / "tape"
    mixed_tape(root, RECORDS, sealed=200)
    Layout(root).hot(3).unlink()
    with pytest.raises(TapeDamaged, match="records 200 to 299"):
        read(root)
    report = recovered(root)
    assert any("records 200 to 299 before it are lost" in action for action in report.actions)
    found = read(root)
    assert found[:200] + found[300:] == RECORDS[:200] + RECORDS[300:]
    assert decode_gap(found[299].payload).missing == 100


def test_a_destroyed_header_costs_its_segment_and_nothing_else(tmp_path: Path) -> None:
    root = tmp_path / "tape"
    mixed_tape(root, RECORDS, sealed=200)
    flip(Layout(root).hot(3), 20)
    recovered(root)
    found = read(root)
    assert found[:200] + found[300:] == RECORDS[:200] + RECORDS[300:]
    assert len(kept(root)) == 1


def test_a_destroyed_header_of_the_newest_segment_is_a_gap_at_the_end(tmp_path: Path) -> None:
    root = tmp_path / "tape"
    sealed_tape(root, session_records(200))
    hot_segment(root, 3, CRASHED[200:])
    flip(Layout(root).hot(3), 20)
    assert recovered(root).ended == "gap"
    assert len(read(root)) == 201
    assert len(kept(root)) == 1


def test_a_hot_segment_that_is_sealed_already_goes(tmp_path: Path) -> None:
    root = tmp_path / "tape"
    sealed_tape(root, RECORDS)
    hot_segment(root, 4, RECORDS[300:])
    assert read(root) == RECORDS
    assert len(recovered(root).actions) == 1
    assert read(root) == RECORDS


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_bytes(b"x")])
def test_a_sealed_file_that_was_lost_is_made_again_while_its_hot_segment_is_there(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    root = tmp_path / "tape"
    manifest = sealed_tape(root, RECORDS)
    hot_segment(root, 4, RECORDS[300:])
    spoil(root / manifest.entries[3].file)
    recovered(root)
    assert read(root) == RECORDS


def test_a_sealed_file_that_is_lost_for_good_is_a_problem_and_the_rest_stays(tmp_path: Path) -> None:
    root = tmp_path / "tape"
    manifest = sealed_tape(root, RECORDS)
    (root / manifest.entries[1].file).unlink()
    flip(root / manifest.entries[2].file, 99)
    (root / manifest.entries[3].file).write_bytes(b"")
    report = recover(root)
    assert len(report.problems) == 2
    assert "records 100 to 199 are lost" in report.problems[0]
    assert list(Tape.open(root).records(until_seq=99)) == RECORDS[:100]


@pytest.mark.parametrize("lines", [0, 1, 2, 4])
def test_segments_that_the_manifest_has_lost_are_taken_in_again(tmp_path: Path, lines: int) -> None:
    root = tmp_path / "tape"
    path = sealed_tape(root, RECORDS).layout.manifest
    whole = path.read_bytes()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:lines]))
    with pytest.raises(TapeDamaged):
        read(root)
    recovered(root)
    assert read(root) == RECORDS
    assert path.read_bytes() == whole


def test_a_torn_manifest_line_is_cut_off_and_its_segment_taken_in_again(tmp_path: Path) -> None:
    root = tmp_path / "tape"
    path = sealed_tape(root, RECORDS).layout.manifest
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    recovered(root)
    assert (read(root), path.read_bytes()) == (RECORDS, whole)
    assert kept(root)[0].startswith("MANIFEST.")


def test_a_missing_manifest_is_made_again(tmp_path: Path) -> None:
    root = tmp_path / "tape"
    mixed_tape(root, RECORDS, sealed=200).layout.manifest.unlink()
    with pytest.raises(TapeDamaged, match="MANIFEST: is missing"):
        Tape.open(root)
    report = recovered(root)
    assert "was missing and was made again; it names 2 segments" in report.actions[0]
    assert read(root) == RECORDS


def test_a_damaged_manifest_is_made_again_only_when_asked_for(tmp_path: Path) -> None:
    root = tmp_path / "tape"
    manifest = sealed_tape(root, RECORDS)
    manifest.archive(4, "elsewhere")
    path = manifest.layout.manifest
    whole = path.read_bytes()
    flip(path, whole.index(b"00000002.parquet"))
    with pytest.raises(TapeDamaged, match="line 3"):
        recover_locked(root)
    report = recover(root)
    assert (report.problems, report.segments) == ((), 4)
    again = Manifest.load(manifest.layout)
    assert [entry.state for entry in again.entries] == [entry.state for entry in manifest.entries]
    assert path.read_bytes() == whole
    assert kept(root)[0].startswith("MANIFEST.")


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_bytes(b'{"format": 1')])
def test_a_lost_label_is_written_again(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    root = tmp_path / "tape"
    path = sealed_tape(root, RECORDS).layout.label
    whole = path.read_bytes()
    spoil(path)
    recovered(root)
    assert path.read_bytes() == whole
    assert read(root) == RECORDS


def test_a_rebuilt_segment_whose_line_was_lost_is_named_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "tape"
    manifest = sealed_tape(root, RECORDS)
    monkeypatch.setattr(segment, "ZSTD_LEVEL", 1)
    rebuild_segment(root, manifest.entries[1])
    path = manifest.layout.manifest
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(TapeDamaged, match="00000002"):
        read(root)
    recovered(root)
    assert read(root) == RECORDS


def test_a_copy_of_a_segment_is_taken_out(tmp_path: Path) -> None:
    root = tmp_path / "tape"
    manifest = sealed_tape(root, RECORDS)
    source = root / manifest.entries[1].file
    for name in ("00000002.parquet", "00000009.parquet"):
        target = manifest.layout.data / "date=2026-09-01" / name
        target.parent.mkdir(exist_ok=True)
        shutil.copy(source, target)
    recovered(root)
    assert len(kept(root)) == 2
    assert read(root) == RECORDS


def test_a_copy_of_a_hot_segment_is_taken_out(tmp_path: Path) -> None:
    root = tmp_path / "tape"
    mixed_tape(root, RECORDS, sealed=200)
    layout = Layout(root)
    shutil.copy(layout.hot(4), layout.hot(7))
    report = recover(root)
    assert report.problems == ()
    assert read(root)[:400] == RECORDS
    assert [name.split(".")[0] for name in kept(root)] == ["wal_00000007"]


def test_half_written_files_are_removed(tmp_path: Path) -> None:
    root = tmp_path / "tape"
    layout = sealed_tape(root, RECORDS).layout
    for path in (layout.partial(9), root / "MANIFEST.partial", layout.checkpoints / "3.ckpt.partial"):
        path.write_bytes(b"half")
    layout.reserve.write_bytes(b"\0" * 100)
    assert len(recovered(root).actions) == 3


def test_a_tape_in_use_is_left_alone(tmp_path: Path) -> None:
    root = tmp_path / "tape"
    layout = mixed_tape(root, RECORDS, sealed=200).layout
    with TapeLock(layout.lock):
        with pytest.raises(TapeLocked):
            recover(root)
        assert layout.hot(3).exists()
        assert recover_locked(root).records == 400


def test_what_is_no_tape_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(TapeFormat):
        recover(tmp_path / "absent")
    with pytest.raises(TapeFormat):
        recover(tmp_path)
    assert sorted(tmp_path.iterdir()) == []


def test_a_disk_that_refuses_is_reported(tmp_path: Path) -> None:
    root = tmp_path / "tape"
    layout = mixed_tape(root, RECORDS, sealed=200).layout
    layout.tmp.rmdir()
    layout.tmp.write_bytes(b"")
    with pytest.raises(Exception, match="cannot"):
        recover(root)
    assert layout.hot(3).exists()
