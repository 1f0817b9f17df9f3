"""While the disk takes nothing: what was refused since when, and the space kept aside for saying so.

Knows the reserve file and the bookkeeping of one outage. Must not know the log.
"""

import contextlib
import errno
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from capture.tape.disk import Disk
from core.records import Kind, StoredGap

SPARE: Final = 1 << 20
"""Bytes that must be free beyond the reserve before recording resumes, so that it does not stop again at once."""

ESSENTIAL: Final = frozenset(
    (Kind.OPENED, Kind.CLOSED, Kind.GAP_OPEN, Kind.GAP_CLOSE, Kind.HEARTBEAT, Kind.FAULT, Kind.CLEAN_STOP)
)
"""Small records without which the tape could not be understood: the reserve is there for them."""


class Reserve:
    """A file of allocated bytes that is given up when the disk is full. With size 0 there is none."""

    def __init__(self, path: Path, size: int, disk: Disk) -> None:
        self._path = path
        self._size = size
        self._disk = disk

    def fill(self) -> None:
        """Take the space (again) and see that there is more; OSError, and nothing taken, when there is not."""
        if self._size:
            self._disk.reserve(self._path, self._size, min(SPARE, self._size))

    def release(self) -> None:
        """Give the space up, if the disk lets us; what stays is cleared by the next recovery."""
        if self._size:
            with contextlib.suppress(OSError):
                self._disk.unlink(self._path)


@dataclass(slots=True)
class Outage:
    """One span in which records were refused. from_ns: wall clock of the first one; missing: frames among them."""

    reason: str
    from_ns: int
    detail: str
    next_try_mono_ns: int
    missing: int = 0

    def opened(self) -> StoredGap:
        """The gap as it begins."""
        return StoredGap(self.reason, from_ns=self.from_ns, detail=self.detail)

    def closed(self, until_ns: int) -> StoredGap:
        """The whole gap."""
        return StoredGap(self.reason, from_ns=self.from_ns, until_ns=until_ns, missing=self.missing, detail=self.detail)


def reason_of(error: OSError, *, sync: bool) -> str:
    """The gap reason for an error of a write, or of a sync."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "disk_full"
    return "sync_failed" if sync else "write_failed"
