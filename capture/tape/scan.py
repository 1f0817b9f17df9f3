"""Reading hot segments back: the records that are whole, and what is wrong with the rest.

Knows how to tell a torn tail, which a crash explains, from damage, which nothing explains. Changes no file. Must not
know what recovery does about it.

A segment ends where the next one begins: after a failed sync the writer appends what was not durable again to a new
segment, and what the old file holds from that one's base seq on is to be ignored (`until_seq`).
"""

import os
import re
import zlib
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
import numpy as np

from capture.tape.errors import TapeFormat, disk_error
from capture.tape.hotlog import HEAD, HEADER_SIZE, MAX_PAYLOAD, OVERHEAD, Header, decode_header
from capture.tape.layout import FORMAT_VERSION
from core.records import Record

CHUNK: Final = 1 << 20
"""Bytes read at a time: what scanning holds in memory beyond the largest record."""
SEARCH_BUDGET: Final = 1 << 28
"""Bytes to checksum while looking for records behind damage: 4 x a segment, so made-up bytes cannot stall a scan."""

_NAME: Final = re.compile(r"(\d{8,10})\.wal")


class Verdict(StrEnum):
    """What a segment's bytes say of themselves."""

    CLEAN = "clean"  # whole records up to the last byte
    TORN = "torn"  # no whole record behind the first broken one: a write, or the disk's cache, was cut short
    CORRUPT = "corrupt"  # whole records behind a broken place, or a broken header: bytes were altered


class Scan(msgspec.Struct, frozen=True):
    """What one segment was found to hold.

    number: -1 when the header is unreadable; base_seq, previous_crc, next_seq and last_crc are 0 then.
    end_offset: bytes up to the end of the last record of the good prefix, of `size`.
    next_seq: seq after the last good record. last_crc: its crc, the header's when there is no record.
    problem: one clause that names the place, empty when clean. resumes_at: offset of a whole record behind the
    broken place, None when there is none.
    """

    path: Path
    number: int
    base_seq: int
    previous_crc: int
    next_seq: int
    last_crc: int
    end_offset: int
    size: int
    verdict: Verdict
    problem: str = ""
    resumes_at: int | None = None


class SegmentReader:
    """One pass over a segment's good prefix in bounded memory: iterate for (offset, record), then ask `scan()`.

    Sees the file as long as it was when opened, so one that is still written reads as a prefix. until_seq: ignore
    records from that seq on. Raises DiskError, TapeFormat when the segment is of a newer version.
    """

    def __init__(self, path: Path, *, until_seq: int | None = None) -> None:
        self.path = path
        self._until = until_seq
        self._scan: Scan | None = None
        try:
            with path.open("rb") as file:
                self.size = os.fstat(file.fileno()).st_size
                self.header = _header(path, file.read(HEADER_SIZE))
        except OSError as error:
            raise disk_error(error, path, "read the hot log") from error
        self._problem = _misfit(path, self.header)
        self._offset = 0 if self._problem else HEADER_SIZE
        self._next_seq = self.header.base_seq if self.header else 0
        self._crc = self.header.crc if self.header else 0

    def __iter__(self) -> Iterator[tuple[int, Record]]:
        """(offset, record) from the first record on; a second iteration goes on where the first one stopped."""
        if self._problem:
            return
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                yield from self._records(file)
        except OSError as error:
            raise disk_error(error, self.path, f"read the hot log at byte {self._offset}") from error

    def grow(self) -> None:
        """See the file as long as it is now: the next iteration goes on with what was written since."""
        try:
            self.size = self.path.stat().st_size
        except OSError as error:
            raise disk_error(error, self.path, "read the hot log") from error
        self._scan = None

    def scan(self) -> Scan:
        """The verdict, once everything was read; what was not iterated is read now."""
        for _ in self:
            pass
        if self._scan is None:
            self._scan = self._judge()
        return self._scan

    def _records(self, file: BinaryIO) -> Iterator[tuple[int, Record]]:
        data, at = b"", 0
        while not self._is_over():
            if len(data) - at < OVERHEAD:
                data, at = data[at:] + self._read(file, len(data) - at), 0
                if len(data) < OVERHEAD:
                    return
            length, kind, seq, mono_ns, at_ns = HEAD.unpack_from(data, at)
            end = at + OVERHEAD + length
            if end > len(data):
                if length > MAX_PAYLOAD or self._offset + OVERHEAD + length > self.size:
                    return
                data, at, end = data[at:] + self._read(file, len(data) - at, end - at), 0, end - at
                if end > len(data):
                    return
            crc = zlib.crc32(memoryview(data)[at : end - 4], self._crc)
            if crc != int.from_bytes(data[end - 4 : end], "little") or seq != self._next_seq or not kind & 0xFF:
                return
            offset = self._offset
            self._offset += end - at
            self._next_seq += 1
            self._crc = crc
            yield offset, Record(seq, at_ns, mono_ns, kind >> 8, kind & 0xFF, data[at + HEAD.size : end - 4])
            at = end

    def _is_over(self) -> bool:
        return self._until is not None and self._next_seq >= self._until

    def _read(self, file: BinaryIO, held: int, wanted: int = 0) -> bytes:
        """The next chunk, enough for a record of `wanted` bytes of which `held` are there, within the first size."""
        left = self.size - self._offset - held
        return file.read(min(left, max(CHUNK, wanted - held))) if left > 0 else b""

    def _judge(self) -> Scan:
        header = self.header or Header(-1, b"", 0, 0, 0)
        verdict, problem, resumes_at = Verdict.CLEAN, "", None
        if self._problem:
            verdict, problem = self._judge_start(), self._problem
        elif self._offset < self.size and not self._is_over():
            tail = self._tail()
            resumes_at = _resume(tail, self._next_seq, self._crc)
            verdict = Verdict.TORN if resumes_at is None else Verdict.CORRUPT
            problem = f"no whole record at byte {self._offset} of {self.size}, where record {self._next_seq} must be"
            if resumes_at is not None:
                resumes_at += self._offset
                problem += f", but one at byte {resumes_at}"
        return Scan(
            path=self.path,
            number=header.number,
            base_seq=header.base_seq,
            previous_crc=header.previous_crc,
            next_seq=self._next_seq,
            last_crc=self._crc,
            end_offset=self._offset,
            size=self.size,
            verdict=verdict,
            problem=problem,
            resumes_at=resumes_at,
        )

    def _judge_start(self) -> Verdict:
        """The header is made durable before the first record, so a crash explains only a file without records."""
        if self.header is None and (self.size < HEADER_SIZE or not any(self._tail())):
            return Verdict.TORN
        return Verdict.CORRUPT

    def _tail(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                return file.read(self.size - self._offset)
        except OSError as error:
            raise disk_error(error, self.path, f"read the hot log at byte {self._offset}") from error


def iter_segment(path: Path, *, until_seq: int | None = None) -> Iterator[Record]:
    """The records of the good prefix, in order; says nothing of what follows (`scan_segment` does)."""
    return (record for _, record in SegmentReader(path, until_seq=until_seq))


def scan_segment(path: Path, *, until_seq: int | None = None) -> Scan:
    """Read a whole segment and judge it; raises DiskError, TapeFormat."""
    return SegmentReader(path, until_seq=until_seq).scan()


def read_header(path: Path) -> Header | None:
    """The header of a segment, None when it is broken; raises DiskError, TapeFormat."""
    return SegmentReader(path).header


def _header(path: Path, data: bytes) -> Header | None:
    header = decode_header(data)
    if header and header.version > FORMAT_VERSION:
        raise TapeFormat(
            f"{path}: has format version {header.version}, this program reads up to {FORMAT_VERSION}; "
            "use a newer Tapedeck"
        )
    return header


def _misfit(path: Path, header: Header | None) -> str:
    """What is wrong with a segment before its first record; empty when nothing is."""
    if header is None:
        return "its header (bytes 0 to 40) is not what was written"
    name = _NAME.fullmatch(path.name)
    if name and int(name[1]) != header.number:
        return f"its header says that it is segment {header.number}"
    return ""


def _resume(tail: bytes, next_seq: int, crc: int) -> int | None:
    """Offset in `tail`, whose first record is broken, of a later whole record; None when there is none.

    A record is known by its own crc, which starts from the stored crc of the record before, or, when just that was
    altered, from the crc which the record before ought to have.
    """
    length = HEAD.unpack_from(tail)[0] if len(tail) >= OVERHEAD else len(tail)
    after = OVERHEAD + length
    if after < len(tail) and _is_record(tail, after, zlib.crc32(tail[: after - 4], crc)):
        return after
    budget = SEARCH_BUDGET
    for at in _candidates(tail, next_seq):
        length = HEAD.unpack_from(tail, at)[0]
        budget -= length
        if budget < 0:
            return None
        if _is_record(tail, at, int.from_bytes(tail[at - 4 : at], "little")):
            return at
    return None


def _is_record(tail: bytes, at: int, crc: int) -> bool:
    if at + OVERHEAD > len(tail):
        return False
    end = at + OVERHEAD + int(HEAD.unpack_from(tail, at)[0])
    if end > len(tail):
        return False
    return zlib.crc32(memoryview(tail)[at : end - 4], crc) == int.from_bytes(tail[end - 4 : end], "little")


def _candidates(tail: bytes, next_seq: int) -> Iterator[int]:
    """Offsets at which length, kind and seq are possible, ascending: all of a chunk are tried at once."""
    last = len(tail) - OVERHEAD
    most_seq = next_seq + len(tail) // OVERHEAD
    content = np.frombuffer(tail, np.uint8)
    for start in range(4, last + 1, CHUNK):
        count = min(CHUNK, last + 1 - start)
        found = []
        for phase in range(min(8, count)):
            seqs = np.frombuffer(tail, "<u8", (count - phase + 7) // 8, start + phase + 8)
            found.append(np.flatnonzero((seqs >= next_seq) & (seqs <= most_seq)) * 8 + (start + phase))
        offsets = np.concatenate(found)
        offsets = np.sort(offsets[content[offsets + 4] != 0])
        lengths = sum(content[offsets + byte].astype(np.int64) << (8 * byte) for byte in range(4))
        yield from offsets[lengths <= last - offsets].tolist()
