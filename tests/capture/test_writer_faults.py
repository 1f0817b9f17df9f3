"""capture.tape.writer when the disk, the sealer or we ourselves fail: what is told, and what stays on the tape."""

from pathlib import Path

import pytest
from lives import CALM, EAGER, append, create, gaps, kinds, reopen
from writing import EIO, ENOSPC, FaultyDisk, HandClock, session

from capture.tape.errors import DiskError, TapeError
from capture.tape.layout import Layout
from capture.tape.recorder import WriterOptions
from capture.tape.writer import TapeWriter
from core.records import Kind


@pytest.mark.parametrize("call", ["create", "write", "fdatasync", "fsync_dir", "reserve"])
@pytest.mark.parametrize("made", [False, True])
def test_a_tape_that_cannot_be_begun_leaves_nothing(tmp_path: Path, call: str, made: bool) -> None:
    path, disk = tmp_path / "deep" / "tape", FaultyDisk()
    path.mkdir(parents=True) if made else path.parent.mkdir()
    disk.always[call] = ENOSPC
    with pytest.raises(DiskError, match="No space left"):
        create(path, EAGER, disk=disk)
    assert path.exists() is made
    assert not made or not list(path.iterdir())
    create(path).close()


def test_a_disk_without_room_for_the_first_segment_is_refused_at_once(tmp_path: Path) -> None:
    huge = WriterOptions(roll_bytes=1 << 60)
    with pytest.raises(DiskError, match=r"only \d+ MiB are free there and recording needs 1099511627840"):
        create(tmp_path / "tape", huge)
    assert not (tmp_path / "tape").exists()
    create(tmp_path / "tape").close()
    with pytest.raises(DiskError, match="MiB are free"):
        TapeWriter.open(tmp_path / "tape", "demo", session(), options=huge)
    reopen(tmp_path / "tape").close()


def test_a_close_that_cannot_make_the_end_durable_says_so_lets_go_and_keeps_the_records(tmp_path: Path) -> None:
    path, disk = tmp_path / "tape", FaultyDisk()
    writer = create(path, disk=disk)
    append(writer, 4)
    disk.always["fdatasync"] = EIO
    with pytest.raises(DiskError, match="cannot make the last records durable"):
        writer.close()
    reopen(path).close()
    assert kinds(path)[:6] == [Kind.SESSION, *[Kind.FRAME] * 4, Kind.CLEAN_STOP]


def test_a_segment_that_cannot_be_sealed_is_told_of_and_stays_in_the_hot_log(tmp_path: Path) -> None:
    path = tmp_path / "tape"
    writer = create(path)
    append(writer, 4)
    writer.roll()
    Layout(path).manifest.rename(tmp_path / "away")
    with pytest.raises(TapeError, match="MANIFEST"):
        writer.seal_all()
    append(writer, 1)
    with pytest.raises(TapeError, match="MANIFEST"):
        writer.close()
    (tmp_path / "away").rename(Layout(path).manifest)
    reopen(path).close()
    assert kinds(path)[:7] == [Kind.SESSION, *[Kind.FRAME] * 5, Kind.CLEAN_STOP]


def test_a_failed_sync_is_survived_without_a_word_to_the_caller(tmp_path: Path) -> None:
    path, disk = tmp_path / "tape", FaultyDisk()
    with create(path, EAGER, disk=disk) as writer:
        append(writer, 3)
        disk.faults["fdatasync"] = [EIO]
        append(writer, 1)
        assert writer.durable_seq == writer.head_seq == 4
        append(writer, 1)
    assert kinds(path) == [Kind.SESSION, *[Kind.FRAME] * 5, Kind.CLEAN_STOP]


def test_a_sync_that_cannot_be_had_is_told_and_what_was_appended_comes_through_later(tmp_path: Path) -> None:
    path, disk, clock = tmp_path / "tape", FaultyDisk(), HandClock()
    with create(path, CALM, disk=disk, clock=clock) as writer:
        append(writer, 3)
        disk.always["fdatasync"] = EIO
        with pytest.raises(DiskError, match="Input/output error"):
            writer.sync()
        assert writer.durable_seq == -1
        assert "Input/output error" in writer.problem
        with pytest.raises(DiskError):
            append(writer, 1)
        disk.always.clear()
        clock.advance(1)
        append(writer, 1)
        assert writer.problem == ""
    assert kinds(path) == [Kind.SESSION, *[Kind.FRAME] * 3, Kind.GAP_CLOSE, Kind.FRAME, Kind.CLEAN_STOP]
    ((_, gap),) = gaps(path)
    assert (gap.reason, gap.missing) == ("sync_failed", 1)


def test_a_tape_closed_on_a_full_disk_still_says_that_it_stopped(tmp_path: Path) -> None:
    path, disk = tmp_path / "tape", FaultyDisk()
    writer = create(path, disk=disk)
    append(writer, 2)
    disk.faults["write"] = [ENOSPC]
    with pytest.raises(DiskError):
        append(writer, 1)
    writer.close()
    assert kinds(path) == [Kind.SESSION, Kind.FRAME, Kind.FRAME, Kind.GAP_OPEN, Kind.CLEAN_STOP]


def test_a_bug_in_the_sync_thread_stops_the_recording_loudly(tmp_path: Path) -> None:
    path, disk = tmp_path / "tape", FaultyDisk()

    def fail() -> None:
        raise ZeroDivisionError("oops")

    writer = create(path, WriterOptions(sync_interval_s=0.005, reserve_bytes=0, roll_bytes=1 << 20), disk=disk)
    disk.during["fdatasync"] = fail
    appended = 0
    with pytest.raises(TapeError, match=r"the sync thread was stopped by ZeroDivisionError"):
        while True:
            append(writer, 1)
            appended += 1
    assert "ZeroDivisionError" in writer.problem
    with pytest.raises(TapeError, match="ZeroDivisionError"):
        writer.close()
    reopen(path).close()
    assert kinds(path)[: appended + 2] == [Kind.SESSION, *[Kind.FRAME] * appended, Kind.GAP_OPEN]


def test_an_interrupt_in_the_middle_of_an_append_is_the_last_thing_a_writer_does(tmp_path: Path) -> None:
    path, disk = tmp_path / "tape", FaultyDisk()

    def interrupt() -> None:
        disk.during.clear()
        raise KeyboardInterrupt

    writer = create(path, disk=disk)
    append(writer, 3)
    disk.during["write"] = interrupt
    with pytest.raises(KeyboardInterrupt):
        append(writer, 1)
    with pytest.raises(TapeError, match=r"recording was stopped by KeyboardInterrupt"):
        append(writer, 1)
    with pytest.raises(TapeError, match="KeyboardInterrupt"):
        writer.close()
    reopen(path).close()
    assert kinds(path)[:5] == [Kind.SESSION, *[Kind.FRAME] * 3, Kind.GAP_OPEN]


def test_an_interrupt_in_the_middle_of_closing_still_lets_go_of_the_tape(tmp_path: Path) -> None:
    path, disk = tmp_path / "tape", FaultyDisk()

    def interrupt() -> None:
        disk.during.clear()
        raise KeyboardInterrupt

    writer = create(path, disk=disk)
    append(writer, 3)
    disk.during["write"] = interrupt
    with pytest.raises(KeyboardInterrupt):
        writer.close()
    reopen(path).close()
    assert kinds(path)[:5] == [Kind.SESSION, *[Kind.FRAME] * 3, Kind.GAP_OPEN]
