"""capture.tape.follow: a follower gets every record once and in order, whatever the log does meanwhile."""

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from lives import create, reopen
from writing import EIO, ENOSPC, FaultyDisk, session

from capture.tape import follow
from capture.tape.errors import DiskError
from capture.tape.follow import Follower
from capture.tape.layout import Layout, hot_numbers, sealed_files
from capture.tape.reader import Tape
from capture.tape.recorder import WriterOptions
from capture.tape.writer import TapeWriter
from core.records import Kind, Record

ROLLING = WriterOptions(sync_interval_s=0.002, roll_bytes=4_000, roll_s=60, reserve_bytes=4_096, retry_s=0.001)


def failing(path: Path, disk: FaultyDisk) -> TapeWriter:
    """A writer on the machine's own clock, so that an outage ends by itself."""
    return TapeWriter.create(path, "demo", session(), options=ROLLING, disk=disk)


def append(writer: TapeWriter, count: int) -> None:
    for _ in range(count):
        writer.append(Kind.FRAME, b"%d" % (writer.head_seq + 1), 1)


def take_until(follower: Follower, seq: int, timeout_s: float = 20.0) -> list[Record]:
    """Everything up to that seq."""
    records: list[Record] = []
    until = time.monotonic() + timeout_s
    while follower.next_seq <= seq:
        records += follower.take(0.1)
        assert time.monotonic() < until, f"waited {timeout_s} s for {seq}, have {follower.next_seq - 1}"
    return records


def require_all(records: list[Record], last: int, first: int = 0) -> None:
    """The records are those from `first` to `last`, and what `append` put into frames is in them."""
    assert [record.seq for record in records] == list(range(first, last + 1))
    assert all(record.payload == b"%d" % record.seq for record in records if record.kind == Kind.FRAME)


def eventually(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        threading.Event().wait(0.005)


def test_a_follower_begins_with_the_session_and_gets_what_was_appended_before_it_came(tmp_path: Path) -> None:
    with create(tmp_path / "tape") as writer:
        append(writer, 5)
        follower = writer.follow("fold")
        append(writer, 3)
        records = take_until(follower, 8)
        require_all(records, 8)
        assert records[0].kind == Kind.SESSION
        assert follower.lag == 0
        assert follower.take(0) == []
        assert not follower.is_lagging


def test_on_a_tape_that_goes_on_it_begins_with_the_session_of_its_own_writer(tmp_path: Path) -> None:
    with create(tmp_path / "tape") as writer:
        append(writer, 3)
    with reopen(tmp_path / "tape") as writer:
        first = take_until(writer.follow("fold"), writer.head_seq)[0]
        assert (first.seq, first.kind) == (writer.session_seq, Kind.SESSION)
        assert first.seq == 5


def test_nothing_is_returned_when_nothing_comes_in_time(tmp_path: Path) -> None:
    with create(tmp_path / "tape") as writer:
        follower = writer.follow("fold", from_seq=1)
        began = time.monotonic()
        assert follower.take(0.05) == []
        assert time.monotonic() - began >= 0.04
        append(writer, 1)
        assert [record.seq for record in follower.take(5)] == [1]


def test_a_queue_that_overflows_is_made_good_from_the_tape_and_then_used_again(tmp_path: Path) -> None:
    with create(tmp_path / "tape") as writer:
        follower = writer.follow("slow", capacity=10, from_seq=1)
        append(writer, 500)
        assert (follower.is_lagging, follower.overflows, follower.lag) == (True, 1, 500)
        require_all(take_until(follower, 500), 500, first=1)
        assert follower.take(0) == []
        assert not follower.is_lagging
        append(writer, 5)
        require_all(follower.take(1), 505, first=501)
        assert follower.overflows == 1


def test_large_records_fill_the_queue_before_its_capacity(tmp_path: Path) -> None:
    with create(tmp_path / "tape") as writer:
        follower = writer.follow("slow", from_seq=1)
        large = bytes(follow.MAX_BYTES // 4)
        for _ in range(7):
            writer.append(Kind.FRAME, large)
        assert follower.is_lagging
        assert [len(record.payload) for record in take_until(follower, 7)] == [len(large)] * 7
        assert follower.take(0) == []
        writer.append(Kind.FRAME, large)
        assert not follower.is_lagging


@pytest.mark.parametrize("capacity", [1, 7, 100_000])
def test_every_record_comes_once_while_segments_are_rolled_sealed_and_removed(tmp_path: Path, capacity: int) -> None:
    with create(tmp_path / "tape", ROLLING) as writer:
        followers = [writer.follow("a", capacity), writer.follow("b", capacity * 3)]
        found: list[list[Record]] = [[], []]
        threads = [threading.Thread(target=append, args=(writer, 1_000))]
        threads += [
            threading.Thread(target=lambda i=i: found[i].extend(take_until(followers[i], 1_000))) for i in (0, 1)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        writer.seal_all()
        assert len(sealed_files(Layout(tmp_path / "tape"))) > 3
        for records in found:
            require_all(records, 1_000)


def test_a_follower_far_behind_reads_sealed_segments(tmp_path: Path) -> None:
    with create(tmp_path / "tape", ROLLING) as writer:
        follower = writer.follow("slow", capacity=1)
        append(writer, 400)
        writer.roll()
        writer.seal_all()
        assert len(hot_numbers(Layout(tmp_path / "tape"))) == 1
        require_all(take_until(follower, 400), 400)


def test_records_the_writer_makes_itself_come_too(tmp_path: Path) -> None:
    disk = FaultyDisk()
    with failing(tmp_path / "tape", disk) as writer:
        follower = writer.follow("fold")
        append(writer, 2)
        disk.faults["write"] = [ENOSPC]
        with pytest.raises(DiskError):
            writer.append(Kind.FRAME, b"lost", 1)
        eventually(lambda: not writer.problem)
        append(writer, 1)
        kinds = [record.kind for record in take_until(follower, writer.head_seq)]
        assert [kind for kind in kinds if kind != Kind.FRAME] == [Kind.SESSION, Kind.GAP_OPEN, Kind.GAP_CLOSE]


def test_records_that_a_failed_sync_moved_to_another_segment_do_not_come_again(tmp_path: Path) -> None:
    disk = FaultyDisk()
    with failing(tmp_path / "tape", disk) as writer:
        follower = writer.follow("fold", capacity=5)
        for _ in range(20):
            disk.faults["fdatasync"] = [EIO]
            with contextlib.suppress(DiskError):  # where a roll and the sync thread met the same fault
                append(writer, 20)
            eventually(lambda: not disk.faults["fdatasync"] and not writer.problem)
        found = take_until(follower, writer.head_seq)
        assert found == list(Tape.open(tmp_path / "tape").records())[: len(found)]


def test_a_closed_follower_gets_nothing_more_and_a_closed_writer_ends_with_its_clean_stop(tmp_path: Path) -> None:
    with create(tmp_path / "tape") as writer:
        gone, stays = writer.follow("gone", from_seq=1), writer.follow("stays", from_seq=1)
        gone.close()
        gone.close()
        append(writer, 1)
        assert gone.take(0) == []
    assert [record.kind for record in stays.take(1)] == [Kind.FRAME, Kind.CLEAN_STOP]
    assert stays.take(0.01) == []


def test_a_follower_that_rests_is_handed_together_what_came_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rests: list[float] = []
    with create(tmp_path / "tape") as writer:
        follower = writer.follow("restful", rest_s=30.0)

        def meanwhile(rest_s: float) -> None:
            rests.append(rest_s)
            append(writer, 3)

        monkeypatch.setattr("capture.tape.follow.time.sleep", meanwhile)
        first = follower.take(0.0)
        while follower.is_lagging:
            first += follower.take(0.0)
        assert not rests, "what comes after a calm is not kept back"
        append(writer, 1)
        together = follower.take(20.0)
        assert rests == [20.0], "nobody waits longer than they said"
        assert len(together) == 4
        require_all(first + together, 4)
