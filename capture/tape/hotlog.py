"""The hot log's bytes: one segment file, how it is laid out and how it is appended to.

A segment is a header and records, little-endian, each record chained to the one before by its checksum:

    header  magic 8 | version u16 | header length u16 | number u32 | salt 8 | base seq u64 | previous crc u32 | crc u32
    record  length u32 | kind u8 + connection u24 | seq u64 | mono_ns u64 | at_ns u64 | payload | crc u32

`length` is that of the payload. A record's crc covers its 32-byte head and its payload and starts from the crc of the
record before (the first from the header's), so a record is valid at its own place in its own segment only. The
header's `previous crc` is that of the last record of the segment before, 0 when there is none. The n-th record of a
segment has seq `base seq + n`.

Knows one file. Must not know the writer's policy (when to sync, roll or give up): that is `log` and `writer`.

What "appended" and "durable" mean: `append` returning means that the kernel has the whole record, so it survives the
death of the process; only `sync` returning means that it survives the death of the machine.
"""

import contextlib
import errno
import os
import struct
import threading
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple, Self

from capture.tape.disk import Disk
from capture.tape.layout import FORMAT_VERSION
from core.records import Record

MAGIC: Final = b"TAPEHOT\n"
HEADER_SIZE: Final = 40
HEAD: Final = struct.Struct("<IIQQQ")
"""length | kind + connection << 8 | seq | mono_ns | at_ns"""
OVERHEAD: Final = HEAD.size + 4
"""Bytes a record takes beyond its payload."""
MAX_PAYLOAD: Final = 1 << 28
"""256 MiB, 32 times the largest message capture accepts: a length beyond it is garbage, never a record."""
MAX_CONNECTION: Final = (1 << 24) - 1

_HEADER: Final = struct.Struct("<8sHHI8sQI")
_pack: Final = HEAD.pack
_crc32: Final = zlib.crc32


class Header(NamedTuple):
    """The header of a segment, its own crc included."""

    number: int
    salt: bytes
    base_seq: int
    previous_crc: int
    crc: int
    version: int = FORMAT_VERSION


class Mark(NamedTuple):
    """A place in a segment: everything before `offset` is records below `next_seq`; `crc` is the last one's."""

    offset: int
    next_seq: int
    crc: int


def encode_header(number: int, salt: bytes, base_seq: int, previous_crc: int) -> bytes:
    """The 40 bytes a segment starts with."""
    body = _HEADER.pack(MAGIC, FORMAT_VERSION, HEADER_SIZE, number, salt, base_seq, previous_crc)
    return body + zlib.crc32(body).to_bytes(4, "little")


def decode_header(data: bytes) -> Header | None:
    """The header in the first 40 bytes of `data`; None when they are not one."""
    body, crc = data[: _HEADER.size], int.from_bytes(data[_HEADER.size : HEADER_SIZE], "little")
    if len(data) < HEADER_SIZE or zlib.crc32(body) != crc:
        return None
    magic, version, _, number, salt, base_seq, previous_crc = _HEADER.unpack(body)
    return Header(number, salt, base_seq, previous_crc, crc, version) if magic == MAGIC else None


class HotSegment:
    """A segment file being written. `append` belongs to one thread at a time; `sync` may run beside it.

    After an error in `sync`, or one that left bytes which could not be cut off, the segment is poisoned: the kernel
    may have marked unwritten pages clean, so no later sync of this descriptor proves anything and every later append
    and sync raises. What was not synced must be appended again to another segment.
    """

    def __init__(self, path: Path, header: Header, fd: int, disk: Disk) -> None:
        self.path = path
        self.number = header.number
        self.poisoned = False
        self.start = Mark(HEADER_SIZE, header.base_seq, header.crc)
        self.previous_crc = header.previous_crc
        self._fd = fd
        self._disk = disk
        self._write = disk.write
        self._size = 0
        self._next_seq = header.base_seq
        self._crc = header.crc
        self._syncing = threading.Lock()

    @classmethod
    def create(cls, path: Path, number: int, base_seq: int, previous_crc: int, *, disk: Disk) -> Self:
        """A new segment, its header and its name durable before the first record; OSError, and no file, otherwise."""
        content = encode_header(number, os.urandom(8), base_seq, previous_crc)
        header = decode_header(content)
        assert header is not None
        fd = disk.create(path)
        segment = cls(path, header, fd, disk)
        try:
            segment._put(content)
            disk.fdatasync(fd)
            disk.fsync_dir(path.parent)
        except OSError:
            segment.discard()
            raise
        return segment

    @property
    def size(self) -> int:
        """Bytes of the file up to the end of the last record."""
        return self._size

    def mark(self) -> Mark:
        """The end of the segment as it is now."""
        return Mark(self._size, self._next_seq, self._crc)

    def append(self, record: Record) -> None:
        """Hand one record to the kernel in one write; as `append_all`."""
        self.append_all((record,))

    def append_all(self, records: Sequence[Record]) -> None:
        """Hand records to the kernel in one write. OSError: the file ends with the last whole record, as before.

        Asserts that each seq follows the one before; ValueError when a field does not fit the format.
        """
        crc, due = self._crc, self._next_seq
        parts: list[bytes] = []
        for record in records:
            seq, payload = record.seq, record.payload
            length = len(payload)
            assert seq == due, f"seq {seq} after {due - 1}"
            if length > MAX_PAYLOAD:
                raise ValueError(f"a payload of {length} bytes; the limit is {MAX_PAYLOAD}")
            try:
                head = _pack(length, record.kind | record.connection << 8, seq, record.mono_ns, record.at_ns)
            except struct.error as error:
                raise ValueError(f"record {seq} does not fit the hot log: {error}") from None
            body = head + payload
            crc = _crc32(body, crc)
            parts += (body, crc.to_bytes(4, "little"))
            due = seq + 1
        self._put(b"".join(parts))
        self._crc = crc
        self._next_seq = due

    def _put(self, data: bytes) -> None:
        """Write all of `data` or none of it."""
        if self.poisoned:
            raise _poisoned(self.path)
        length = len(data)
        try:
            done = self._write(self._fd, data)
            while done != length:  # short: what stopped it shows when the rest is written
                more = self._write(self._fd, data[done:])
                if not more:
                    raise OSError(errno.EIO, "the disk took no more bytes")
                done += more
        except OSError:
            self._undo()
            raise
        self._size += length

    def _undo(self) -> None:
        try:
            self._disk.ftruncate(self._fd, self._size)
        except OSError:
            self.poisoned = True  # never a whole record behind torn bytes

    def sync(self) -> None:
        """Return when everything appended before the call is on the disk; OSError poisons the segment."""
        with self._syncing:
            if self.poisoned:
                raise _poisoned(self.path)
            try:
                self._disk.fdatasync(self._fd)
            except OSError:
                self.poisoned = True
                raise

    def cut(self, size: int) -> None:
        """Give up everything after the first `size` bytes; OSError when the disk does not let us."""
        self._disk.ftruncate(self._fd, size)

    def rename(self, path: Path) -> None:
        """Give the file another name, durably; OSError when that cannot be had."""
        self._disk.rename(self.path, path)
        self.path = path
        self._disk.fsync_dir(path.parent)

    def close(self) -> None:
        """Close the descriptor; says nothing about durability."""
        with self._syncing:
            self.poisoned = True
            fd, self._fd = self._fd, -1
            if fd >= 0:
                with contextlib.suppress(OSError):
                    self._disk.close(fd)

    def discard(self) -> None:
        """Close and remove the file, as far as the disk lets us."""
        self.close()
        with contextlib.suppress(OSError):
            self._disk.unlink(self.path)


def _poisoned(path: Path) -> OSError:
    return OSError(errno.EIO, "an earlier error left this segment unusable", str(path))
