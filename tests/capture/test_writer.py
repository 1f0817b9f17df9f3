"""capture.tape.writer: a tape's life from creation to reopening, with the real sealer, recovery and reader."""

import threading
from pathlib import Path

import pytest
from lives import EAGER, append, create, gaps, kinds, read, reopen
from writing import DAY_NS, FaultyDisk, HandClock, session

from capture.tape.errors import TapeError, TapeFormat, TapeLocked
from capture.tape.layout import Layout, hot_numbers, sealed_files
from capture.tape.reader import Ended, Tape
from capture.tape.recorder import WriterOptions
from capture.tape.writer import TapeWriter
from core.records import Kind, StoredGap, decode_session
from core.session import Connections
from core.timeline import Timeline


def test_a_new_tape_begins_with_its_session_and_ends_with_a_clean_stop(tmp_path: Path) -> None:
    path = tmp_path / "tape"
    with create(path) as writer:
        assert writer.append(Kind.FRAME, b"hello\n", 3) == 1
        assert (writer.head_seq, writer.recovery, writer.problem) == (1, None, "")
    first, frame, last = read(path)
    assert decode_session(first.payload) == session()
    assert (frame.payload, frame.connection) == (b"hello\n", 3)
    assert (last.kind, last.payload) == (Kind.CLEAN_STOP, b"")
    assert Tape.open(path).ended is Ended.CLEAN_STOP
    assert hot_numbers(Layout(path)) == [], "all of it is sealed"
    assert not Layout(path).reserve.exists()


def test_only_the_owner_may_read_any_file_of_a_tape(tmp_path: Path) -> None:
    path = tmp_path / "tape"
    writer = create(path)
    append(writer, 3)
    for _ in range(2):
        files = [entry for entry in path.rglob("*") if entry.is_file()]
        assert len(files) >= 4
        assert all(entry.stat().st_mode & 0o777 == 0o600 for entry in files)
        assert all(entry.stat().st_mode & 0o777 == 0o700 for entry in path.rglob("*") if entry.is_dir())
        writer.close()


def test_what_is_appended_can_be_read_before_it_is_durable(tmp_path: Path) -> None:
    with create(tmp_path / "tape") as writer:
        append(writer, 5)
        assert writer.durable_seq < writer.head_seq == 5
        assert len(read(tmp_path / "tape")) == 6
        assert Tape.open(tmp_path / "tape").ended is Ended.RECORDING
        assert writer.sync() == writer.durable_seq == 5


def test_with_no_interval_every_append_is_durable_when_it_returns(tmp_path: Path) -> None:
    disk = FaultyDisk()
    with create(tmp_path / "tape", EAGER, disk=disk) as writer:
        for _ in range(5):
            disk.calls.clear()
            append(writer, 1)
            assert writer.durable_seq == writer.head_seq
            assert disk.calls == ["write", "fdatasync"]


def test_the_sync_thread_makes_records_durable_by_itself(tmp_path: Path) -> None:
    disk, synced = FaultyDisk(), threading.Event()
    options = WriterOptions(sync_interval_s=0.01, reserve_bytes=0, roll_bytes=1 << 20)
    with create(tmp_path / "tape", options, disk=disk) as writer:
        append(writer, 3)
        for _ in range(2_000):
            if writer.durable_seq == 3:
                break
            synced.wait(0.01)
        assert writer.durable_seq == 3


def test_many_bytes_are_made_durable_without_waiting_for_the_interval(tmp_path: Path) -> None:
    disk, synced = FaultyDisk(), threading.Event()
    options = WriterOptions(sync_interval_s=3600, sync_bytes=10_000, reserve_bytes=0, roll_bytes=1 << 20)
    with create(tmp_path / "tape", options, disk=disk) as writer:
        disk.during["fdatasync"] = synced.set
        append(writer, 100)
        assert not synced.is_set()
        append(writer, 200)
        assert synced.wait(20)


def test_appends_from_many_threads_each_get_a_seq_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "tape"
    taken: list[tuple[int, int, int]] = []

    def work(connection: int) -> None:
        for index in range(300):
            seq = writer.append(Kind.FRAME, b"%d" % index, connection)
            taken.append((seq, connection, index))

    options = WriterOptions(sync_interval_s=0.001, sync_bytes=2_000, roll_bytes=9_000, reserve_bytes=0)
    with create(path, options) as writer:
        threads = [threading.Thread(target=work, args=(connection,)) for connection in range(1, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    frames = [record for record in read(path) if record.kind == Kind.FRAME]
    assert [(record.seq, record.connection, int(record.payload)) for record in frames] == sorted(taken)
    assert len(Tape.open(path).segments) > 3


def test_rolled_segments_are_sealed_and_the_tape_reads_as_one(tmp_path: Path) -> None:
    path, clock = tmp_path / "tape", HandClock()
    with create(path, clock=clock) as writer:
        for _ in range(4):
            append(writer, 10)
            clock.advance(61)
        writer.roll()
        append(writer, 7)
        writer.seal_all()
        assert hot_numbers(Layout(path)) == [5]
        before = read(path)
    assert read(path)[:-1] == before
    assert len(before) == 1 + 40 + 7
    assert [entry.rows for entry in Tape.open(path).segments] == [11, 10, 10, 10, 8]


def test_each_day_has_its_own_directory(tmp_path: Path) -> None:
    path, clock = tmp_path / "tape", HandClock(wall_ns=20_323 * DAY_NS - 10**9)
    with create(path, clock=clock) as writer:
        append(writer, 2)
        clock.advance(2)
        append(writer, 2)
    days = [file.parent.name for _, file in sealed_files(Layout(path))]
    assert days == ["date=2025-08-22", "date=2025-08-23"]
    for entry, day in zip(Tape.open(path).segments, (20_322, 20_323), strict=True):
        assert entry.first_ns // DAY_NS == entry.last_ns // DAY_NS == day


def test_a_restart_is_a_new_session_and_says_how_long_nothing_was_recorded(tmp_path: Path) -> None:
    path, clock = tmp_path / "tape", HandClock()
    with create(path, clock=clock) as writer:
        append(writer, 2)
    stopped_ns = clock.wall
    clock.advance(3_600)
    with reopen(path, clock) as writer:
        append(writer, 1)
        assert writer.recovery is not None
    assert kinds(path) == [
        Kind.SESSION,
        Kind.FRAME,
        Kind.FRAME,
        Kind.CLEAN_STOP,
        Kind.SESSION,
        Kind.GAP_CLOSE,
        Kind.FRAME,
        Kind.CLEAN_STOP,
    ]
    assert gaps(path) == [(Kind.GAP_CLOSE, StoredGap("down", from_ns=stopped_ns, until_ns=clock.wall))]


def test_a_clock_that_went_back_while_down_gives_no_gap_that_ends_before_it_begins(tmp_path: Path) -> None:
    path, clock = tmp_path / "tape", HandClock()
    create(path, clock=clock).close()
    clock.wall -= 10**12
    reopen(path, clock).close()
    ((_, gap),) = gaps(path)
    assert gap.until_ns == gap.from_ns > clock.wall


def test_after_a_crash_nothing_appended_is_missing_and_one_gap_tells_of_it(tmp_path: Path) -> None:
    path, clock = tmp_path / "tape", HandClock()
    writer = create(path, clock=clock)
    append(writer, 5)
    writer.roll()
    append(writer, 5)
    writer.abandon()
    crashed_ns = clock.wall
    clock.advance(60)
    with reopen(path, clock) as writer:
        append(writer, 1)
    assert kinds(path) == [
        Kind.SESSION,
        *[Kind.FRAME] * 10,
        Kind.GAP_OPEN,
        Kind.SESSION,
        Kind.FRAME,
        Kind.CLEAN_STOP,
    ]
    ((kind, gap),) = gaps(path)
    assert (kind, gap.reason, gap.from_ns) == (Kind.GAP_OPEN, "crash", crashed_ns)


@pytest.mark.integration
@pytest.mark.parametrize(("ending", "reason"), [("close", "down"), ("abandon", "crash")])
def test_whoever_folds_the_tape_counts_one_gap_for_a_restart(tmp_path: Path, ending: str, reason: str) -> None:
    path, clock = tmp_path / "tape", HandClock()
    writer = create(path, clock=clock)
    append(writer, 2)
    stopped_ns = clock.wall
    getattr(writer, ending)()
    clock.advance(60)
    reopen(path, clock).close()
    connections, timeline, found = Connections(), Timeline(), {}
    for record in read(path):
        for gap in connections.observe_record(record, timeline.advance(record)):
            found[gap.number] = gap
    assert [(gap.reason, gap.at_ns, gap.until_ns) for gap in found.values()] == [(reason, stopped_ns, clock.wall)]


def test_a_tape_is_opened_any_number_of_times(tmp_path: Path) -> None:
    path, clock = tmp_path / "tape", HandClock()
    create(path, clock=clock).close()
    for round_ in range(4):
        clock.advance(10)
        writer = reopen(path, clock)
        append(writer, 3)
        (writer.abandon if round_ % 2 else writer.close)()
    assert len([kind for kind in kinds(path) if kind == Kind.FRAME]) == 12
    assert kinds(path).count(Kind.SESSION) == 5


def test_another_environment_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "tape"
    create(path).close()
    before = read(path)
    with pytest.raises(TapeError, match="is a tape of environment 'demo', not 'prod'; use one tape for each"):
        TapeWriter.open(path, "prod", session("prod"))
    assert read(path) == before
    reopen(path).close()


def test_a_session_of_another_environment_than_it_is_said_to_be_is_a_bug(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'prod' on a tape of 'demo'"):
        TapeWriter.create(tmp_path / "tape", "demo", session("prod"))
    assert not (tmp_path / "tape").exists()


def test_a_second_writer_is_refused_while_the_first_lives(tmp_path: Path) -> None:
    path = tmp_path / "tape"
    with create(path) as writer:
        with pytest.raises(TapeLocked):
            reopen(path)
        append(writer, 1)
    reopen(path).close()


def test_a_tape_is_never_made_over_something(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    with pytest.raises(TapeError, match="not empty"):
        create(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["precious"]
    with pytest.raises(TapeError, match="cannot make a tape here: Not a directory"):
        create(tmp_path / "precious")


def test_a_directory_that_is_no_tape_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(TapeFormat, match="is no tape"):
        reopen(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_closed_writer_refuses_and_closing_twice_is_fine(tmp_path: Path) -> None:
    writer = create(tmp_path / "tape")
    writer.close()
    writer.close()
    with pytest.raises(TapeError, match="the writer is closed; open the tape again"):
        append(writer, 1)
    assert kinds(tmp_path / "tape") == [Kind.SESSION, Kind.CLEAN_STOP]


def test_closing_makes_everything_durable_first(tmp_path: Path) -> None:
    disk = FaultyDisk()
    writer = create(tmp_path / "tape", disk=disk)
    append(writer, 4)
    writer.close()
    assert writer.durable_seq == writer.head_seq == 5


def test_a_record_that_does_not_fit_is_refused_and_recording_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "tape"
    with create(path) as writer:
        with pytest.raises(ValueError, match="does not fit"):
            writer.append(Kind.FRAME, b"", 1 << 24)
        append(writer, 1)
    assert kinds(path) == [Kind.SESSION, Kind.FRAME, Kind.CLEAN_STOP]


def test_an_abandoned_writer_lets_go_without_a_word(tmp_path: Path) -> None:
    path = tmp_path / "tape"
    writer = create(path)
    append(writer, 2)
    writer.abandon()
    writer.close()
    with pytest.raises(TapeError, match="abandoned"):
        append(writer, 1)
    assert kinds(path) == [Kind.SESSION, Kind.FRAME, Kind.FRAME]
    assert Tape.open(path).ended is Ended.UNPROVEN
