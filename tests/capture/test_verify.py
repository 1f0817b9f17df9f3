import shutil
from pathlib import Path

import msgspec
import pytest
from sample_records import hot_segment, mixed_tape, sealed_tape, session_records

from capture.tape import checkpoints, redecode, segment
from capture.tape import verify as module
from capture.tape.errors import TapeDamaged, TapeFormat
from capture.tape.layout import FORMAT_VERSION, Label, Layout
from capture.tape.lock import TapeLock
from capture.tape.manifest import Manifest
from capture.tape.reader import Tape
from capture.tape.sealer import create_tape
from capture.tape.verify import Problem, verify

RECORDS = session_records(400)
DEEP = pytest.mark.parametrize("deep", [False, True])


def sealed(tmp_path: Path) -> Manifest:
    return sealed_tape(tmp_path / "tape", RECORDS)


def mixed(tmp_path: Path) -> Manifest:
    return mixed_tape(tmp_path / "tape", RECORDS, sealed=200)


def problems(manifest: Manifest, *, deep: bool = False) -> list[tuple[str, str, str]]:
    report = verify(manifest.layout.root, deep=deep)
    assert report.whole == (not report.problems)
    assert all(problem.remedy for problem in report.problems)
    return [(problem.file, problem.place, problem.what) for problem in report.problems]


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


@DEEP
@pytest.mark.parametrize("count", [0, 200, 400])
def test_a_whole_tape_is_whole(tmp_path: Path, deep: bool, count: int) -> None:
    root = tmp_path / "tape"
    if count == 400:
        sealed_tape(root, RECORDS)
    else:
        mixed_tape(root, RECORDS, sealed=count)
    checkpoints.save(Tape.open(root), 120, 1, b"state")
    seen: list[tuple[int, int]] = []
    report = verify(root, deep=deep, progress=lambda done, total: seen.append((done, total)))
    assert (report.whole, report.problems, report.notes) == (True, (), ())
    assert (report.segments, report.records, report.ended) == (count // 100, 400, "clean_stop")
    assert seen == [(done, count) for done in range(100, count + 1, 100)]


def test_an_empty_tape_is_whole_and_noted(tmp_path: Path) -> None:
    create_tape(tmp_path / "tape", Label(FORMAT_VERSION, "u", "test"))
    report = verify(tmp_path / "tape", deep=True)
    assert (report.whole, report.notes) == (True, ("the tape holds no record",))


@DEEP
def test_a_changed_cut_or_missing_segment_is_named_with_its_records(tmp_path: Path, deep: bool) -> None:
    manifest = sealed(tmp_path)
    files = [entry.file for entry in manifest.entries]
    root = manifest.layout.root
    flip(root / files[0], 1_000)
    (root / files[1]).write_bytes((root / files[1]).read_bytes()[:-1])
    (root / files[3]).unlink()
    size = manifest.entries[1].bytes
    assert problems(manifest, deep=deep) == [
        (files[0], "records 0 to 99", "is altered"),
        (files[1], "records 100 to 199", f"has {size - 1} bytes where {size} were sealed"),
        (files[3], "records 300 to 399", "is missing"),
    ]


def test_swapped_segments_are_both_named(tmp_path: Path) -> None:
    manifest = sealed(tmp_path)
    first, second = (manifest.layout.root / entry.file for entry in manifest.entries[:2])
    aside = first.with_suffix(".aside")
    first.rename(aside)
    second.rename(first)
    aside.rename(second)
    assert [name for name, _, _ in problems(manifest)] == [entry.file for entry in manifest.entries[:2]]


def test_a_copy_of_a_segment_is_named(tmp_path: Path) -> None:
    manifest = sealed(tmp_path)
    source = manifest.layout.root / manifest.entries[0].file
    shutil.copy(source, source.with_name("00000009.parquet"))
    assert problems(manifest) == [
        ("data/date=2026-08-11/00000009.parquet", "", "is a segment that the manifest does not name")
    ]


def test_a_damaged_and_a_torn_manifest_are_named_by_line(tmp_path: Path) -> None:
    manifest = sealed(tmp_path)
    path = manifest.layout.manifest
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b"f" + lines[2][1:], *lines[3:]]))
    assert ("MANIFEST", "line 3", "is not what was written") in problems(manifest)
    path.write_bytes(whole[:-9])
    assert ("MANIFEST", f"the last {len(lines[-1]) - 9} bytes", "are no whole line") in problems(manifest)
    path.write_bytes(b"".join(lines[:-1]))
    assert [name for name, _, _ in problems(manifest)] == [manifest.entries[3].file]
    path.unlink()
    assert problems(manifest)[0] == ("MANIFEST", "", "is missing: nothing vouches for the segments")


def test_an_altered_or_missing_label_is_named(tmp_path: Path) -> None:
    manifest = sealed(tmp_path)
    flip(manifest.layout.label, 40)
    assert problems(manifest) == [("tape.json", "", "is altered")]
    manifest.layout.label.unlink()
    assert problems(manifest) == [("tape.json", "", "is missing")]


def test_lost_records_between_segments_are_named(tmp_path: Path) -> None:
    manifest = sealed(tmp_path)
    path = manifest.layout.manifest
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2] + lines[3:]))
    found = problems(manifest)
    assert ("MANIFEST", "line 3", "does not follow the line before it") in found
    assert any(place == "records 100 to 299" for _, place, _ in found)


def test_a_torn_hot_log_is_named_by_byte(tmp_path: Path) -> None:
    manifest = mixed(tmp_path)
    hot = manifest.layout.hot(4)
    hot.write_bytes(hot.read_bytes()[:-3])
    ((file, place, what),) = problems(manifest)
    assert (file, place.split()[0]) == ("wal/00000004.wal", "byte")
    assert "is cut short" in what


@pytest.mark.parametrize("at", [5, 1_000])
def test_damage_in_the_hot_log_is_named_by_byte(tmp_path: Path, at: int) -> None:
    manifest = mixed(tmp_path)
    flip(manifest.layout.hot(3), at)
    file, place, what = problems(manifest)[0]
    assert (file, place.split()[0]) == ("wal/00000003.wal", "byte")
    assert "is altered" in what


def test_a_missing_hot_segment_is_named_by_its_records(tmp_path: Path) -> None:
    manifest = mixed(tmp_path)
    manifest.layout.hot(3).unlink()
    assert problems(manifest) == [("wal/00000004.wal", "records 200 to 299", "before this segment are missing")]


def test_a_copied_a_renamed_and_a_foreign_hot_segment_are_named(tmp_path: Path) -> None:
    manifest = mixed(tmp_path)
    layout = manifest.layout
    shutil.copy(layout.hot(4), layout.hot(5))
    assert [name for name, _, _ in problems(manifest)] == ["wal/00000005.wal"]
    layout.hot(5).unlink()
    mixed_tape(tmp_path / "other", session_records(400, seed=2), sealed=200)
    shutil.copy(Layout(tmp_path / "other").hot(4), layout.hot(4))
    assert problems(manifest) == [("wal/00000004.wal", "record 300", "does not follow the hot segment before it")]
    hot_segment(layout.root, 5, RECORDS[350:])
    assert ("wal/00000005.wal", "record 350", "does not follow the hot segment before it") in problems(manifest)


def test_a_hot_segment_of_records_that_are_sealed_is_named(tmp_path: Path) -> None:
    manifest = sealed(tmp_path)
    hot_segment(manifest.layout.root, 5, RECORDS[350:])
    assert problems(manifest) == [("wal/00000005.wal", "record 350", "is here a second time: 400 must follow")]


def test_a_hot_segment_that_sealing_left_is_a_note_and_damage_in_it_is_not(tmp_path: Path) -> None:
    manifest = sealed(tmp_path)
    hot_segment(manifest.layout.root, 4, RECORDS[300:])
    report = verify(manifest.layout.root)
    assert report.whole
    assert "is sealed already" in report.notes[0]
    flip(manifest.layout.hot(4), 500)
    assert problems(manifest)[0][0] == "wal/00000004.wal"


def test_strange_files_and_damaged_checkpoints_are_named(tmp_path: Path) -> None:
    manifest = sealed(tmp_path)
    checkpoints.save(Tape.open(manifest.layout.root), 120, 1, b"state")
    flip(manifest.layout.checkpoint(120), 100)
    (manifest.layout.root / "notes.txt").write_bytes(b"")
    assert problems(manifest) == [
        ("notes.txt", "", "is no file of a tape"),
        ("checkpoints/120.ckpt", "", "is not what was written"),
    ]


def test_an_end_without_a_word_is_a_problem(tmp_path: Path) -> None:
    manifest = sealed_tape(tmp_path / "tape", session_records(50, stopped=False))
    ((file, place, what),) = problems(manifest)
    assert (file, place) == ("MANIFEST", "after record 49")
    assert "records may be missing" in what


def test_a_tape_that_somebody_writes_is_whole_without_an_end(tmp_path: Path) -> None:
    manifest = mixed_tape(tmp_path / "tape", session_records(300, stopped=False), sealed=100)
    manifest.layout.partial(9).write_bytes(b"half")
    hot = manifest.layout.hot(3)
    hot.write_bytes(hot.read_bytes() + b"half a record")
    with TapeLock(manifest.layout.lock):
        report = verify(manifest.layout.root, deep=True)
    assert (report.whole, report.ended, report.records) == (True, "recording", 300)
    assert not verify(manifest.layout.root).whole


def test_archived_and_pruned_segments_are_notes(tmp_path: Path) -> None:
    manifest = sealed(tmp_path)
    manifest.archive(1, "s3://bucket/one")
    manifest.prune(2)
    for entry in manifest.entries[:2]:
        (manifest.layout.root / entry.file).unlink()
    report = verify(manifest.layout.root, deep=True)
    assert report.whole
    assert report.notes == (
        f"{manifest.entries[0].file}: records 0 to 99: archived to s3://bucket/one",
        f"{manifest.entries[1].file}: records 100 to 199: pruned",
    )
    assert (report.segments, report.records) == (2, 200)


def test_files_in_quarantine_are_a_note(tmp_path: Path) -> None:
    manifest = sealed(tmp_path)
    torn = "wal_00000009.wal.e3b0c44298fc1c14"
    (manifest.layout.quarantine / torn).write_bytes(b"")
    report = verify(manifest.layout.root)
    assert (report.whole, report.notes) == (True, ("quarantine: holds 1 files that were taken out of the tape",))


def test_columns_that_do_not_say_what_the_bytes_say_are_found_by_a_deep_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = sealed(tmp_path)
    monkeypatch.setattr(redecode, "differences", lambda file: iter([(file.facts.first_seq + 3, "price")]))
    assert problems(manifest) == []
    found = verify(manifest.layout.root, deep=True)
    assert found.problems[1] == Problem(
        manifest.entries[1].file, "record 103", "column price is not what the payload says", "run `tapedeck rebuild`"
    )
    assert found.segments == 0


def test_columns_of_another_decoder_are_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = sealed(tmp_path)
    monkeypatch.setattr(module, "DECODER_VERSION", 99)
    report = verify(manifest.layout.root, deep=True)
    assert report.whole
    assert [note.split(": ")[1] for note in report.notes] == ["decoded by version 1; run `tapedeck rebuild`"] * 4


def test_a_file_that_the_manifest_vouches_for_must_name_itself_alike(tmp_path: Path) -> None:
    manifest = sealed(tmp_path)
    path = manifest.layout.root / manifest.entries[0].file
    segment.write_segment(path, list(segment.open_unverified(path).batches()), number=1, after="11" * 32)
    manifest.replace(1, segment.mark_of(path), segment.mark_of(path), 1)
    assert problems(manifest) == []
    assert problems(manifest, deep=True) == [
        (manifest.entries[0].file, "records 0 to 99", "names itself another segment")
    ]


def test_a_file_that_the_manifest_vouches_for_must_be_readable(tmp_path: Path) -> None:
    manifest = sealed(tmp_path)
    path = manifest.layout.root / manifest.entries[0].file
    path.write_bytes(b"PAR1PAR1")
    manifest.replace(1, segment.mark_of(path), segment.mark_of(path), 1)
    assert "no whole segment" in problems(manifest, deep=True)[0][2]
    with pytest.raises(TapeDamaged):
        next(Tape.open(manifest.layout.root).records())


def test_what_is_no_tape_and_a_newer_tape_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TapeFormat, match="no tape"):
        verify(tmp_path / "absent")
    manifest = sealed(tmp_path)
    newer = msgspec.structs.replace(Label(FORMAT_VERSION, "u", "test"), format=2)
    manifest.layout.manifest.unlink()
    Manifest.create(manifest.layout, newer)
    with pytest.raises(TapeFormat, match=r"version 2.*up to 1"):
        verify(manifest.layout.root)
