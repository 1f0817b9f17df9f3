"""How long the disk lasts."""

import os
from pathlib import Path

import pytest

from capture import space
from capture.space import GROWTH_EVERY_NS, SURE_NS, DiskWatch
from capture.tape.layout import DAY_NS, Layout, utc_day
from core.times import SECOND_NS

NOW_NS = 1_786_410_000 * SECOND_NS


def sealed(root: Path, number: int, size: int, at_ns: int) -> None:
    """A sealed segment of this size that was finished at that time."""
    path = Layout(root).sealed(number, utc_day(at_ns))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    os.utime(path, ns=(at_ns, at_ns))


def test_until_enough_was_sealed_only_the_free_room_is_known(tmp_path: Path) -> None:
    watch = DiskWatch(tmp_path, NOW_NS)
    sealed(tmp_path, 1, 1_000, NOW_NS + SECOND_NS)
    disk = watch.look(NOW_NS + SURE_NS - 1)
    assert disk.free_bytes > 0
    assert (disk.bytes_per_day, disk.days) == (0, None)


def test_growth_counts_what_was_sealed_since_the_start(tmp_path: Path) -> None:
    sealed(tmp_path, 1, 5_000_000, NOW_NS - 3_600 * SECOND_NS)
    watch = DiskWatch(tmp_path, NOW_NS)
    sealed(tmp_path, 2, 1_000, NOW_NS + 60 * SECOND_NS)
    sealed(tmp_path, 3, 500, NOW_NS + 120 * SECOND_NS)
    disk = watch.look(NOW_NS + 864 * SECOND_NS)  # a hundredth of a day
    assert disk.bytes_per_day == 150_000
    assert disk.days == disk.free_bytes / 150_000


def test_growth_is_that_of_the_last_day_also_across_midnight(tmp_path: Path) -> None:
    watch = DiskWatch(tmp_path, NOW_NS)
    for number, hours in enumerate((1, 30, 47)):
        sealed(tmp_path, number, 1_000, NOW_NS + hours * 3_600 * SECOND_NS)
    assert watch.look(NOW_NS + 2 * DAY_NS).bytes_per_day == 2_000


def test_files_are_looked_at_once_a_minute(tmp_path: Path) -> None:
    watch = DiskWatch(tmp_path, NOW_NS)
    sealed(tmp_path, 1, 1_000, NOW_NS)
    at_ns = NOW_NS + SURE_NS
    first = watch.look(at_ns).bytes_per_day
    sealed(tmp_path, 2, 1_000, NOW_NS)
    assert watch.look(at_ns + GROWTH_EVERY_NS - 1).bytes_per_day == first > 0
    assert watch.look(at_ns + GROWTH_EVERY_NS).bytes_per_day > first


def test_few_days_or_little_room_are_low(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = DiskWatch(tmp_path, NOW_NS)
    assert not watch.look(NOW_NS).low
    monkeypatch.setattr(space, "LOW_BYTES", 1 << 60)
    assert watch.look(NOW_NS).low
    monkeypatch.setattr(space, "LOW_BYTES", 0)
    monkeypatch.setattr(space, "LOW_DAYS", 1e12)
    sealed(tmp_path, 1, 1_000, NOW_NS)
    assert watch.look(NOW_NS + SURE_NS).low


def test_a_disk_that_is_gone_is_said_and_not_raised(tmp_path: Path) -> None:
    disk = DiskWatch(tmp_path / "nowhere", NOW_NS).look(NOW_NS + 2 * SURE_NS)
    assert disk.low
    assert "nowhere" in disk.problem


def test_what_the_writer_says_is_passed_on(tmp_path: Path) -> None:
    assert DiskWatch(tmp_path, NOW_NS).look(NOW_NS, "the disk is full").problem == "the disk is full"
