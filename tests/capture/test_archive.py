"""Archiving: what is copied is checked, what is removed lies in the archive, and a recorder is not disturbed."""

from pathlib import Path

import pytest
from lives import CALM, append, create
from writing import FaultyDisk, HandClock

from capture.tape import archive as archiving
from capture.tape.archive import archive
from capture.tape.errors import TapeDamaged, TapeError, TapeLocked
from capture.tape.layout import DAY_NS
from capture.tape.lines import State
from capture.tape.lock import TapeLock
from capture.tape.manifest import Manifest
from capture.tape.reader import Tape
from capture.tape.verify import verify
from capture.tape.writer import TapeWriter
from core.records import Record, Session

NOW_NS = HandClock().wall_ns() + 10 * DAY_NS


def recorded(path: Path, segments: int = 4) -> Path:
    """A closed tape of so many sealed segments of a few frames each."""
    with create(path) as writer:
        for _ in range(segments):
            append(writer, 5)
            writer.roll()
    return path


def records(path: Path) -> list[Record]:
    return list(Tape.open(path).records())


def test_the_archive_is_a_tape_with_the_same_records(tmp_path: Path) -> None:
    tape = recorded(tmp_path / "tape")
    report = archive(tape, tmp_path / "to", now_ns=NOW_NS)
    assert (report.copied, report.removed, report.problems) == (5, 0, ())
    assert records(tmp_path / "to" / "tape") == records(tape)
    assert verify(tmp_path / "to" / "tape", deep=True).whole


def test_nothing_is_removed_unless_asked_and_nothing_is_copied_twice(tmp_path: Path) -> None:
    tape = recorded(tmp_path / "tape")
    before = records(tape)
    archive(tape, tmp_path / "to", now_ns=NOW_NS)
    again = archive(tape, tmp_path / "to", now_ns=NOW_NS)
    assert (again.copied, again.removed, again.kept) == (0, 0, 5)
    assert records(tape) == before


def test_old_segments_are_removed_once_they_lie_in_the_archive(tmp_path: Path) -> None:
    tape = recorded(tmp_path / "tape")
    before = records(tape)
    report = archive(tape, tmp_path / "to", now_ns=NOW_NS, keep_days=9)
    assert (report.copied, report.removed, report.kept) == (5, 4, 1)
    assert records(tmp_path / "to" / "tape") == before
    with pytest.raises(TapeError, match="was archived to"):
        records(tape)
    assert verify(tape).whole


def test_what_is_younger_than_the_limit_stays(tmp_path: Path) -> None:
    tape = recorded(tmp_path / "tape")
    assert archive(tape, tmp_path / "to", now_ns=NOW_NS, keep_days=11).removed == 0


def test_a_damaged_copy_in_the_archive_keeps_the_original_here(tmp_path: Path) -> None:
    tape = recorded(tmp_path / "tape")
    archive(tape, tmp_path / "to", now_ns=NOW_NS)
    first = Manifest.load(Tape.open(tmp_path / "to" / "tape").layout).entries[0]
    copy = tmp_path / "to" / "tape" / first.file
    copy.write_bytes(copy.read_bytes()[:-1] + b"X")
    assert archive(tape, tmp_path / "to", now_ns=NOW_NS, keep_days=1).removed == 3
    assert Manifest.load(Tape.open(tape).layout).entries[0].state is State.PRESENT


def test_a_damaged_segment_is_not_copied_and_is_named(tmp_path: Path) -> None:
    tape = recorded(tmp_path / "tape")
    second = Tape.open(tape).segments[1]
    path = tape / second.file
    path.write_bytes(path.read_bytes()[:-1] + b"X")
    report = archive(tape, tmp_path / "to", now_ns=NOW_NS, keep_days=1)
    assert (report.copied, report.removed) == (1, 1)
    assert second.file in report.problems[0]


def test_a_tape_that_is_being_recorded_is_archived_and_its_recorder_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "tape"
    with create(path) as writer:
        append(writer, 5)
        writer.roll()
        append(writer, 5)
        writer.roll()
        writer.seal_all()
        report = archive(path, tmp_path / "to", now_ns=NOW_NS, keep_days=1)
        assert (report.copied, report.removed) == (2, 1)
        append(writer, 5)
        writer.roll()
        writer.seal_all()
    assert verify(tmp_path / "to" / "tape").whole
    assert archive(path, tmp_path / "to", now_ns=NOW_NS).copied == 2
    assert [record.seq for record in records(tmp_path / "to" / "tape")] == list(range(17))


def test_a_line_that_the_recorder_added_meanwhile_is_no_obstacle(tmp_path: Path) -> None:
    tape = recorded(tmp_path / "tape")
    stale = Manifest.load(Tape.open(tape).layout)
    Manifest.load(stale.layout).archive(1, "elsewhere")
    assert archiving._mark_archived(stale, 2, "there").entries[1].place == "there"


def test_the_archive_of_another_tape_is_refused(tmp_path: Path) -> None:
    archive(recorded(tmp_path / "a" / "tape"), tmp_path / "to", now_ns=NOW_NS)
    other = TapeWriter.create(
        tmp_path / "b" / "tape", "demo", Session(uuid="another", environment="demo"), options=CALM, disk=FaultyDisk()
    )
    other.close()
    with pytest.raises(TapeError, match="is not the archive of this tape"):
        archive(tmp_path / "b" / "tape", tmp_path / "to", now_ns=NOW_NS)


def test_a_tape_is_not_archived_into_itself(tmp_path: Path) -> None:
    tape = recorded(tmp_path / "tape")
    with pytest.raises(TapeError, match="into itself"):
        archive(tape, tmp_path, now_ns=NOW_NS)


def test_two_archivers_do_not_work_at_once(tmp_path: Path) -> None:
    tape = recorded(tmp_path / "tape")
    archive(tape, tmp_path / "to", now_ns=NOW_NS)
    with TapeLock(tmp_path / "to" / "tape" / "LOCK"), pytest.raises(TapeLocked):
        archive(tape, tmp_path / "to", now_ns=NOW_NS)


def test_a_tape_that_nothing_vouches_for_is_not_archived(tmp_path: Path) -> None:
    tape = recorded(tmp_path / "tape")
    (tape / "MANIFEST").unlink()
    with pytest.raises(TapeDamaged):
        archive(tape, tmp_path / "to", now_ns=NOW_NS)
