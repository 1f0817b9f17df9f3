"""capture.tape.log: the chain of segments, what is durable, and how a failed sync loses nothing."""

import threading
from pathlib import Path

import pytest
from writing import EFBIG, EIO, ENOSPC, FaultyDisk, record

from capture.tape.layout import Layout, hot_numbers, make_tree
from capture.tape.log import HotLog
from capture.tape.salvage import hot_limits
from capture.tape.scan import Scan, Verdict, iter_segment, scan_segment
from core.records import Record


class Tape:
    """A hot log on a faulty disk, driven by the test's own thread."""

    def __init__(self, root: Path, base_seq: int = 0) -> None:
        self.layout: Layout = make_tree(root)
        self.disk = FaultyDisk()
        self.finished: list[int] = []
        self.lock = threading.Lock()
        self.next_seq = base_seq
        self.log = HotLog(
            self.layout,
            self.lock,
            number=1,
            base_seq=base_seq,
            previous_crc=0xBEEF,
            disk=self.disk,
            finished=self.finished.append,
        )
        self.disk.calls.clear()

    def write(self, count: int = 1) -> None:
        """Append the next records."""
        for _ in range(count):
            with self.lock:
                self.log.write(record(self.next_seq))
            self.next_seq += 1

    def renew(self) -> None:
        with self.lock:
            self.log.renew()

    def close(self) -> None:
        with self.lock:
            self.log.close()

    def scans(self) -> list[Scan]:
        """Each segment as recovery would see it."""
        limits = hot_limits(self.layout)
        return [scan_segment(self.layout.hot(number), until_seq=limit) for number, limit in limits.items()]

    def read(self) -> list[Record]:
        """Every record of the log; asserts that the segments are clean and chained."""
        found: list[Record] = []
        last_crc = None
        for scan in self.scans():
            assert scan.verdict is Verdict.CLEAN, scan.problem
            assert last_crc is None or scan.previous_crc == last_crc
            found += iter_segment(scan.path, until_seq=hot_limits(self.layout)[scan.number])
            last_crc = scan.last_crc if scan.next_seq > scan.base_seq else scan.previous_crc
        return found


@pytest.fixture
def tape(tmp_path: Path) -> Tape:
    return Tape(tmp_path / "tape")


def expected(count: int) -> list[Record]:
    return [record(seq) for seq in range(count)]


def test_records_are_appended_before_they_are_durable(tape: Tape) -> None:
    tape.write(3)
    assert (tape.log.head_seq, tape.log.durable_seq) == (2, -1)
    assert tape.log.unsynced_bytes == tape.log.size - 40
    tape.log.sync()
    assert (tape.log.head_seq, tape.log.durable_seq, tape.log.unsynced_bytes) == (2, 2, 0)
    assert tape.read() == expected(3)


def test_durable_is_what_was_there_before_the_disk_was_asked(tape: Tape) -> None:
    tape.write(2)
    tape.disk.during["fdatasync"] = lambda: tape.write(5)
    tape.log.sync()
    assert (tape.log.head_seq, tape.log.durable_seq) == (6, 1)
    tape.disk.during.clear()
    tape.log.sync()
    assert tape.log.durable_seq == 6


def test_nothing_new_means_nothing_to_sync(tape: Tape) -> None:
    tape.log.sync()
    tape.write()
    tape.log.sync()
    tape.log.sync()
    assert tape.disk.calls.count("fdatasync") == 1


def test_a_new_segment_names_the_last_record_of_the_one_before(tape: Tape) -> None:
    tape.write(4)
    tape.renew()
    tape.write(2)
    first, second = tape.scans()
    assert (first.number, first.base_seq, first.next_seq, first.previous_crc) == (1, 0, 4, 0xBEEF)
    assert (second.number, second.base_seq, second.previous_crc) == (2, 4, first.last_crc)
    assert tape.finished == [1]
    assert tape.read() == expected(6)


def test_the_old_segment_is_durable_before_the_new_one_exists_and_that_before_it_is_used(tape: Tape) -> None:
    tape.write()
    tape.disk.calls.clear()
    tape.renew()
    tape.write()
    assert tape.disk.calls == ["fdatasync", "create", "write", "fdatasync", "fsync_dir", "write"]
    assert tape.log.durable_seq == 0


def test_an_empty_segment_is_not_kept(tape: Tape) -> None:
    tape.renew()
    tape.write()
    tape.renew()
    tape.renew()
    assert hot_numbers(tape.layout) == [2, 4]
    assert tape.finished == [2]
    assert [scan.previous_crc for scan in tape.scans()] == [0xBEEF, tape.scans()[0].last_crc]


def test_closing_finishes_the_last_segment(tape: Tape) -> None:
    tape.write(3)
    tape.close()
    assert (tape.finished, tape.log.durable_seq) == ([1], 2)
    assert tape.read() == expected(3)


def test_a_failed_sync_moves_everything_not_durable_to_a_new_segment(tape: Tape) -> None:
    tape.write(3)
    tape.log.sync()
    tape.write(4)
    tape.disk.faults["fdatasync"] = [EIO]
    tape.log.sync()
    assert (tape.log.durable_seq, tape.finished) == (6, [1])
    first, second = tape.scans()
    assert (first.next_seq, first.size == first.end_offset) == (3, True)
    assert (second.base_seq, second.next_seq) == (3, 7)
    tape.write(2)
    assert tape.read() == expected(9)


def test_a_failed_sync_that_had_nothing_durable_before_leaves_no_empty_segment(tape: Tape) -> None:
    tape.write(2)
    tape.disk.faults["fdatasync"] = [EIO]
    tape.log.sync()
    assert (hot_numbers(tape.layout), tape.finished) == ([2], [])
    assert [scan.previous_crc for scan in tape.scans()] == [0xBEEF]
    assert tape.read() == expected(2)


def test_a_failed_descriptor_is_never_synced_again(tape: Tape) -> None:
    tape.write()
    tape.disk.faults = {"fdatasync": [EIO], "create": [EIO]}
    with pytest.raises(OSError):
        tape.log.sync()
    tape.disk.calls.clear()
    tape.log.sync()
    begun = ["create", "write", "fdatasync", "fsync_dir"]
    assert tape.disk.calls == [*begun, "write", "fdatasync", "rename", "fsync_dir", "ftruncate", "unlink"]
    assert tape.log.durable_seq == 0


@pytest.mark.parametrize(
    "faults",
    [
        {"create": [EIO]},
        {"write": [EIO]},
        {"write": [0, ENOSPC]},
        {"fdatasync": [EIO, EIO]},
        {"fdatasync": [EIO, 0, EIO]},
        {"fsync_dir": [EIO]},
        {"rename": [EIO]},
        {"fsync_dir": [0, EIO]},
        {"write": [0, ENOSPC], "unlink": [EIO]},
    ],
)
def test_a_move_that_fails_can_be_tried_again_and_durable_stands_still(
    tape: Tape, faults: dict[str, list[int]]
) -> None:
    tape.write(2)
    tape.log.sync()
    tape.write(3)
    tape.disk.faults = {"fdatasync": [EIO], **faults}
    with pytest.raises(OSError):
        tape.log.sync()
    assert (tape.log.head_seq, tape.log.durable_seq) == (4, 1)
    assert tape.read() == expected(5), "all of it can still be read"
    tape.log.sync()
    assert tape.log.durable_seq == 4
    tape.write()
    assert tape.read() == expected(6)


@pytest.mark.parametrize("call", ["create", "write", "fdatasync", "fsync_dir", "rename", "ftruncate"])
def test_a_crash_in_the_middle_of_a_move_costs_no_record(tape: Tape, call: str) -> None:
    tape.write(2)
    tape.log.sync()
    tape.write(3)
    seen: list[int] = []
    tape.disk.during[call] = lambda: seen.append(len(tape.read()))
    tape.disk.faults["fdatasync"] = [EIO]
    tape.log.sync()
    assert seen and set(seen) == {5}


def test_an_old_segment_that_cannot_be_cut_ends_where_the_next_begins(tape: Tape) -> None:
    tape.write(2)
    tape.log.sync()
    tape.write(2)
    tape.disk.faults = {"fdatasync": [EIO], "ftruncate": [EIO]}
    tape.log.sync()
    first = tape.scans()[0]
    assert first.end_offset < first.size
    assert tape.read() == expected(4)


def test_records_that_come_while_a_sync_fails_move_too(tape: Tape) -> None:
    tape.write(2)
    tape.disk.faults["fdatasync"] = [EIO]

    def arrive() -> None:
        tape.disk.during.clear()
        tape.write(2)

    tape.disk.during["fdatasync"] = arrive
    tape.log.sync()
    assert tape.log.durable_seq == 3
    assert tape.read() == expected(4)


@pytest.mark.parametrize("fault", [0, EIO])
def test_a_sync_that_ends_after_its_segment_was_left_changes_nothing(tape: Tape, fault: int) -> None:
    tape.write(2)
    tape.disk.faults["fdatasync"] = [fault]
    rolling = threading.Event()

    def roll() -> None:
        with tape.lock:
            tape.log.write(record(2))
            rolling.set()
            tape.log.renew()

    other = threading.Thread(target=roll, daemon=True)

    def during() -> None:
        tape.disk.during.clear()
        other.start()
        assert rolling.wait(20)

    tape.disk.during["fdatasync"] = during
    tape.log.sync()
    other.join(20)
    assert (tape.log.durable_seq, tape.log.unsynced_bytes) == (2, 0)
    assert tape.finished == ([] if fault else [1])
    assert hot_numbers(tape.layout) == ([2] if fault else [1, 2])
    tape.next_seq = 3
    tape.write()
    assert tape.read() == expected(4)


def test_syncs_from_two_threads_share_what_one_of_them_achieved(tape: Tape) -> None:
    tape.write(2)
    other = threading.Thread(target=tape.log.sync, daemon=True)
    waiting = threading.Event()

    def during() -> None:
        tape.disk.during.clear()
        other.start()
        waiting.wait(0.02)

    tape.disk.during["fdatasync"] = during
    tape.log.sync()
    other.join(20)
    assert tape.log.durable_seq == 1
    assert tape.disk.calls.count("fdatasync") == 1


def test_a_full_disk_refuses_the_record_and_keeps_the_log(tape: Tape) -> None:
    tape.write(2)
    tape.disk.short, tape.disk.faults["write"] = [10], [ENOSPC]
    with pytest.raises(OSError, match="No space"):
        tape.write()
    assert tape.log.head_seq == 1
    assert hot_numbers(tape.layout) == [1]
    tape.write()
    assert tape.read() == expected(3)


@pytest.mark.parametrize("code", [EFBIG, EIO])
def test_an_error_that_a_new_segment_may_cure_is_tried_there(tape: Tape, code: int) -> None:
    tape.write(2)
    tape.disk.faults["write"] = [code]
    tape.write(2)
    assert (hot_numbers(tape.layout), tape.finished, tape.log.head_seq) == ([1, 2], [1], 3)
    assert tape.read() == expected(4)


def test_when_a_new_segment_does_not_cure_it_the_record_is_refused(tape: Tape) -> None:
    tape.write(2)
    tape.disk.faults["write"] = [EIO, 0, EIO]
    with pytest.raises(OSError):
        tape.write()
    assert tape.log.head_seq == 1
    tape.write(2)
    assert tape.read() == expected(4)


def test_torn_bytes_that_stay_are_left_behind(tape: Tape) -> None:
    tape.write(2)
    tape.disk.short, tape.disk.faults = [10], {"write": [ENOSPC], "ftruncate": [EIO, EIO]}
    with pytest.raises(OSError):
        tape.write()
    tape.write(2)
    assert hot_numbers(tape.layout) == [2], "nothing of the first was durable: all of it moved"
    assert tape.read() == expected(4)


def test_a_segment_that_cannot_follow_leaves_the_present_one_in_use(tape: Tape) -> None:
    tape.write()
    tape.disk.faults["create"] = [ENOSPC]
    with pytest.raises(OSError):
        tape.renew()
    tape.write()
    tape.renew()
    tape.write()
    assert tape.finished == [1]
    assert tape.read() == expected(3)


def test_a_close_that_fails_can_be_abandoned_and_the_records_stay(tape: Tape) -> None:
    tape.write(3)
    tape.disk.always = {"fdatasync": EIO}
    with pytest.raises(OSError):
        tape.close()
    tape.log.abandon()
    assert (tape.finished, tape.log.durable_seq) == ([], -1)
    assert tape.read() == expected(3)


def test_a_log_may_begin_anywhere(tmp_path: Path) -> None:
    tape = Tape(tmp_path / "tape", base_seq=500)
    assert (tape.log.head_seq, tape.log.durable_seq, tape.log.is_empty) == (499, 499, True)
    tape.write()
    assert not tape.log.is_empty
    assert tape.read() == [record(500)]
