"""The few calls by which the hot log changes a disk, gathered so that tests can make a disk fail.

Knows the operating system's calls and nothing of what is written.
"""

import contextlib
import os
from pathlib import Path
from typing import Protocol

from capture.tape.layout import FILE_MODE, fsync_dir


class Disk(Protocol):
    """What the hot log asks of the operating system; every call raises OSError as `os` does."""

    def create(self, path: Path) -> int:
        """A descriptor of a new file, open for appending; FileExistsError when there is one."""

    def write(self, fd: int, data: bytes, /) -> int:
        """Append; returns how many bytes were taken, which may be fewer."""

    def fdatasync(self, fd: int, /) -> None:
        """Return when all that was written is on the disk."""

    def ftruncate(self, fd: int, size: int, /) -> None:
        """Cut to `size` bytes."""

    def close(self, fd: int, /) -> None:
        """Give the descriptor back."""

    def fsync_dir(self, path: Path) -> None:
        """Return when the names in a directory are on the disk."""

    def reserve(self, path: Path, size: int, spare: int) -> None:
        """Make a file whose `size` bytes are really allocated while `spare` more are free, or leave no file."""

    def rename(self, old: Path, new: Path) -> None:
        """Give a file another name in the same file system."""

    def unlink(self, path: Path) -> None:
        """Remove a file; one that is not there is fine."""


class SystemDisk:
    """The real disk."""

    write = staticmethod(os.write)
    fdatasync = staticmethod(os.fdatasync)
    ftruncate = staticmethod(os.ftruncate)
    close = staticmethod(os.close)

    def create(self, path: Path) -> int:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, FILE_MODE)

    def fsync_dir(self, path: Path) -> None:
        fsync_dir(path)

    def reserve(self, path: Path, size: int, spare: int) -> None:
        """As `Disk.reserve`: asks for all of it and gives the spare part back."""
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            os.posix_fallocate(fd, 0, size + spare)
            os.ftruncate(fd, size)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        finally:
            os.close(fd)

    def rename(self, old: Path, new: Path) -> None:
        old.rename(new)

    def unlink(self, path: Path) -> None:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
