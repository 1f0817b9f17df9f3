"""One writer per tape: an exclusive flock on an empty file.

The kernel releases it when the process ends, however it ends, so a lock is never stale and holds nothing to read.
"""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from capture.tape.errors import TapeLocked, disk_error
from capture.tape.layout import FILE_MODE


class TapeLock:
    """The right to write the tape whose LOCK file is `path`, from construction until `release()`.

    Raises TapeLocked at once when someone else has it (another TapeLock of the same process included), DiskError
    when the file cannot be opened. A child made by fork shares the lock; one started by exec does not.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = self._take()

    def _take(self) -> int:
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        except OSError as error:
            raise disk_error(error, self.path, "lock the tape") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            if isinstance(error, BlockingIOError):
                raise TapeLocked(
                    f"{self.path.parent}: another process is writing this tape; stop it or choose another tape"
                ) from None
            raise disk_error(error, self.path, "lock the tape") from error
        return fd

    @property
    def fd(self) -> int:
        """The descriptor that holds the lock: a child that is handed it holds the lock too. -1 = given back."""
        return self._fd

    def release(self) -> None:
        """Give the lock back; more than once is fine."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
