"""Helpers for tests that write tapes: records, a clock set by hand, and a disk that fails when told to."""

import errno
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from capture.tape.disk import SystemDisk
from capture.tape.hotlog import HotSegment
from core.records import Kind, Record, Session

DISK = SystemDisk()
DAY_NS = 86_400 * 10**9


def record(seq: int, payload: bytes | None = None, kind: int = Kind.FRAME, connection: int = 1) -> Record:
    """Record `seq` of a made-up recording."""
    body = b'{"seq":%d}\n' % seq if payload is None else payload
    return Record(
        seq, 1_790_000_000_000_000_000 + seq * 1_000_003, 5_000_000_000 + seq * 1_000_000, connection, kind, body
    )


def records(count: int, first: int = 0) -> list[Record]:
    """`count` records of different lengths, an empty one among them."""
    return [record(seq, bytes(range(seq * 7 % 61)), connection=seq % 3) for seq in range(first, first + count)]


def write_segment(path: Path, content: Iterable[Record], *, number: int = 1, base_seq: int = 0) -> Path:
    """A hot segment with these records."""
    path.parent.mkdir(parents=True, exist_ok=True)
    segment = HotSegment.create(path, number, base_seq, 0, disk=DISK)
    for entry in content:
        segment.append(entry)
    segment.close()
    return path


def session(environment: str = "demo") -> Session:
    """A session of a made-up recorder."""
    return Session(uuid="6f1c1f0e-0000-4000-8000-000000000001", environment=environment, code="test")


class HandClock:
    """A clock that moves only when told to."""

    def __init__(self, wall_ns: int = 1_790_000_000_000_000_000, mono_ns: int = 10**12) -> None:
        self.wall = wall_ns
        self.mono = mono_ns

    def wall_ns(self) -> int:
        return self.wall

    def mono_ns(self) -> int:
        return self.mono

    def advance(self, seconds: float) -> None:
        """Let time pass on both clocks."""
        self.wall += int(seconds * 10**9)
        self.mono += int(seconds * 10**9)


class FaultyDisk(SystemDisk):
    """The real disk, which keeps a list of its calls and fails those for which an error was set.

    faults: call name -> errnos of its next calls, 0 = works; an empty list works for ever. short: how many bytes each
    of the next writes takes. during: called inside the named call, before it does anything.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.faults: dict[str, list[int]] = {}
        self.always: dict[str, int] = {}
        self.short: list[int] = []
        self.during: dict[str, Callable[[], None]] = {}

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if name in self.during:
            self.during[name]()
        planned = self.faults.get(name, [])
        code = planned.pop(0) if planned else self.always.get(name, 0)
        if code:
            raise OSError(code, os.strerror(code))

    def create(self, path: Path) -> int:
        self._called("create")
        return super().create(path)

    def write(self, fd: int, data: bytes, /) -> int:  # type: ignore[override]  # a method in place of os.write
        if self.short:
            data = data[: self.short.pop(0)]
            self.calls.append("write")
            return os.write(fd, data)
        self._called("write")
        return os.write(fd, data)

    def fdatasync(self, fd: int, /) -> None:  # type: ignore[override]  # a method in place of os.fdatasync
        self._called("fdatasync")
        os.fdatasync(fd)

    def ftruncate(self, fd: int, size: int, /) -> None:
        self._called("ftruncate")
        os.ftruncate(fd, size)

    def fsync_dir(self, path: Path) -> None:
        self._called("fsync_dir")
        super().fsync_dir(path)

    def reserve(self, path: Path, size: int, spare: int) -> None:
        self._called("reserve")
        super().reserve(path, size, spare)

    def rename(self, old: Path, new: Path) -> None:
        self._called("rename")
        super().rename(old, new)

    def unlink(self, path: Path) -> None:
        self._called("unlink")
        super().unlink(path)


ENOSPC, EIO, EFBIG = errno.ENOSPC, errno.EIO, errno.EFBIG
