"""capture.tape.outage: the space kept for last words, and what is said about an outage."""

import errno
from pathlib import Path

import pytest
from writing import DISK, ENOSPC, FaultyDisk

from capture.tape.outage import ESSENTIAL, Outage, Reserve, reason_of
from core.records import Kind, StoredGap


def test_a_reserve_is_really_allocated_and_really_given_back(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "RESERVE", 100_000, DISK)
    reserve.fill()
    reserve.fill()
    stat = (tmp_path / "RESERVE").stat()
    assert stat.st_size == 100_000 and stat.st_blocks * 512 >= 100_000
    assert stat.st_mode & 0o777 == 0o600
    reserve.release()
    reserve.release()
    assert not list(tmp_path.iterdir())


def test_a_reserve_that_cannot_be_had_leaves_nothing(tmp_path: Path) -> None:
    disk = FaultyDisk()
    disk.faults["reserve"] = [ENOSPC]
    with pytest.raises(OSError, match="No space"):
        Reserve(tmp_path / "RESERVE", 4096, disk).fill()
    assert not list(tmp_path.iterdir())
    with pytest.raises(OSError):
        Reserve(tmp_path / "RESERVE", 1 << 60, DISK).fill()
    assert not list(tmp_path.iterdir())


def test_without_a_size_there_is_no_reserve(tmp_path: Path) -> None:
    disk = FaultyDisk()
    reserve = Reserve(tmp_path / "RESERVE", 0, disk)
    reserve.fill()
    reserve.release()
    assert disk.calls == []


def test_a_disk_that_does_not_even_give_back_is_put_up_with(tmp_path: Path) -> None:
    disk = FaultyDisk()
    reserve = Reserve(tmp_path / "RESERVE", 4096, disk)
    reserve.fill()
    disk.faults["unlink"] = [errno.EIO]
    reserve.release()


@pytest.mark.parametrize(
    ("code", "sync", "reason"),
    [
        (errno.ENOSPC, False, "disk_full"),
        (errno.EDQUOT, True, "disk_full"),
        (errno.EFBIG, False, "disk_full"),
        (errno.EIO, False, "write_failed"),
        (errno.EIO, True, "sync_failed"),
    ],
)
def test_the_reason_tells_what_to_look_at(code: int, sync: bool, reason: str) -> None:
    assert reason_of(OSError(code, "x"), sync=sync) == reason


def test_an_outage_is_told_when_it_begins_and_whole_when_it_is_over() -> None:
    outage = Outage("disk_full", 100, "No space left", 0)
    assert outage.opened() == StoredGap("disk_full", from_ns=100, detail="No space left")
    outage.missing = 7
    assert outage.closed(250) == StoredGap("disk_full", from_ns=100, until_ns=250, missing=7, detail="No space left")


def test_what_may_use_the_reserve_is_small_and_never_a_frame() -> None:
    assert not any(kind.is_frame or kind.is_sent for kind in ESSENTIAL)
    assert {Kind.GAP_OPEN, Kind.HEARTBEAT, Kind.CLEAN_STOP} <= ESSENTIAL
