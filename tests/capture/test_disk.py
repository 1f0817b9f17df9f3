"""capture.tape.disk: the real calls, as the hot log needs them."""

import os
from pathlib import Path

import pytest
from writing import DISK

from capture.tape.disk import Disk


def test_a_new_file_is_its_owners_and_only_grows(tmp_path: Path) -> None:
    disk: Disk = DISK
    path = tmp_path / "f"
    fd = disk.create(path)
    assert not os.get_inheritable(fd)
    assert disk.write(fd, b"abc") == 3
    os.lseek(fd, 0, os.SEEK_SET)
    assert disk.write(fd, b"def") == 3
    disk.fdatasync(fd)
    assert path.read_bytes() == b"abcdef"
    disk.ftruncate(fd, 4)
    disk.write(fd, b"X")
    disk.close(fd)
    assert path.read_bytes() == b"abcdX"
    assert path.stat().st_mode & 0o777 == 0o600


def test_no_file_is_ever_opened_over_another(tmp_path: Path) -> None:
    os.close(DISK.create(tmp_path / "f"))
    with pytest.raises(FileExistsError):
        DISK.create(tmp_path / "f")


def test_a_file_gets_another_name_and_goes_once_or_more(tmp_path: Path) -> None:
    os.close(DISK.create(tmp_path / "f"))
    DISK.rename(tmp_path / "f", tmp_path / "g")
    DISK.fsync_dir(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["g"]
    DISK.unlink(tmp_path / "g")
    DISK.unlink(tmp_path / "g")
    assert not list(tmp_path.iterdir())


def test_reserved_bytes_are_allocated_and_spare_ones_are_only_looked_for(tmp_path: Path) -> None:
    DISK.reserve(tmp_path / "f", 8_192, 1 << 20)
    stat = (tmp_path / "f").stat()
    assert stat.st_size == 8_192
    assert 8_192 <= stat.st_blocks * 512 < 1 << 20


def test_a_reserve_without_spare_room_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        DISK.reserve(tmp_path / "f", 4_096, 1 << 61)
    assert not list(tmp_path.iterdir())
