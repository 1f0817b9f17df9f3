"""A finished hot segment as columns, for sealing: read once, in bounded memory, large ones without an object a record.

Knows where a record's fields lie. Must not know what is wrong with a segment that is not whole: it reads up to there
and leaves the verdict to `scan`.

A batch is vouched for by the checksum of its last record: each starts from the one before, so no byte of a record in
between can differ unnoticed. (The stored checksums in between say the same once more and are not looked at.)
"""

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from capture.tape.errors import TapeDamaged, disk_error
from capture.tape.hotlog import HEAD, HEADER_SIZE, MAX_PAYLOAD, OVERHEAD, Header
from capture.tape.scan import SegmentReader, Verdict
from capture.tape.schema import GROUP_BYTES, GROUP_ROWS, RawBatch, batches_of
from core.compiled import INSTALLED, compiled
from core.packed import Packed

BULK_BYTES: Final = 4 << 20
"""From this size on, loading the compiled reader (once a process) pays; as `core.batch.SCAN_ROWS`."""

CHUNK: Final = 1 << 20
"""Bytes read at a time: with a copy they fit a core's cache."""

_FIELDS: Final = np.dtype(
    [("length", "<u4"), ("connection", "<u4"), ("seq", "<i8"), ("mono_ns", "<i8"), ("at_ns", "<i8")]
)
assert (HEAD.size, OVERHEAD, _FIELDS.itemsize) == (32, 36, 32)  # what `take_apart` spells out


class HotBatches:
    """The records of a hot segment in batches; iterate once, then `last_crc` says how it ended.

    until_seq: where the next segment begins, None for the newest. bulk: force or forbid the compiled reader (default:
    by size and by whether numba is there). Iterating raises DiskError; making it also TapeFormat.
    """

    def __init__(self, path: Path, *, until_seq: int | None = None, bulk: bool | None = None) -> None:
        self._path = path
        self._until_seq = until_seq
        self._reader = SegmentReader(path, until_seq=until_seq)
        self._offset, self._crc, self._next_seq = HEADER_SIZE, 0, 0
        self._data: Any = None  # what was read last; kept, for fresh pages cost more than reading into old ones
        self._bodies: Any = None
        if bulk is None:
            bulk = INSTALLED and self._reader.size >= BULK_BYTES
        self._header = self._reader.header if bulk else None

    def __iter__(self) -> Iterator[RawBatch]:
        if self._header is None:
            return batches_of(record for _, record in self._reader)
        return self._bulk(self._header)

    def is_empty(self) -> bool:
        """Whether it holds no record of its own; raises TapeDamaged when that is so because it is damaged."""
        header, until_seq = self._reader.header, self._until_seq
        is_left = header is not None and until_seq is not None and header.base_seq >= until_seq
        if not is_left and self._reader.size > HEADER_SIZE:
            return False
        self._require_clean()
        return True

    def last_crc(self) -> int:
        """The checksum of its last record; raises TapeDamaged when it is not whole."""
        if self._header is not None and self._is_over():
            return self._crc
        crc = self._require_clean()
        if self._header is not None:
            raise TapeDamaged(f"{self._path}: reads differently each time; check the memory and the disk")
        return crc

    def _require_clean(self) -> int:
        """The checksum that a whole segment ends with, as found record by record."""
        scan = self._reader.scan()
        if scan.verdict is not Verdict.CLEAN:
            raise TapeDamaged(f"{self._path}: {scan.problem}; run `tapedeck recover`")
        return scan.last_crc

    def _bulk(self, header: Header) -> Iterator[RawBatch]:
        self._crc, self._next_seq = header.crc, header.base_seq
        try:
            with self._path.open("rb") as file:
                while not self._is_over():
                    batch = self._batch(file)
                    if batch is None:
                        return
                    yield batch
                    del batch  # else it is still there while the next one is made
        except OSError as error:
            raise disk_error(error, self._path, f"read the hot log at byte {self._offset}") from error

    def _is_over(self) -> bool:
        reached = self._until_seq is not None and self._next_seq >= self._until_seq
        return reached or self._offset == self._reader.size

    def _batch(self, file: BinaryIO) -> RawBatch | None:
        """The next row group's worth; None where the segment is not whole."""
        heads, ends = np.empty(GROUP_ROWS, _FIELDS), np.empty(GROUP_ROWS, np.int64)
        payloads = np.empty(min(GROUP_BYTES + CHUNK, self._reader.size), np.uint8)
        rows = size = 0
        while rows < GROUP_ROWS and size < GROUP_BYTES and not self._is_over():
            data = self._read(file)
            if len(data) > len(payloads) - size:
                if rows:
                    break
                payloads = np.empty(len(data), np.uint8)
            limit = GROUP_ROWS if self._until_seq is None else min(GROUP_ROWS, rows + self._until_seq - self._next_seq)
            room = payloads[size:], heads[rows:limit].view(np.uint8), ends[rows:limit]
            taken = self._take(data, *room)
            if not taken:
                break
            ends[rows : rows + taken] += size
            rows, size = rows + taken, int(ends[rows + taken - 1])
        if not rows:
            return None
        found = heads[:rows]
        return RawBatch(
            seq=found["seq"],
            at_ns=found["at_ns"],
            mono_ns=found["mono_ns"],
            connection=found["connection"] >> 8,
            kind=found["connection"] & 0xFF,
            payloads=Packed(payloads[:size], ends[:rows]),
        )

    def _read(self, file: BinaryIO) -> Any:
        """The bytes from the present offset on: CHUNK of them, or as many as a larger record has; less at the end."""
        left = self._reader.size - self._offset
        if self._data is None:
            self._data, self._bodies = np.empty(min(CHUNK, left), np.uint8), np.empty(min(CHUNK, left), np.uint8)
        file.seek(self._offset)
        count = file.readinto(self._data[:left])  # type: ignore[attr-defined]  # a plain file has it
        needed = OVERHEAD + (HEAD.unpack_from(self._data)[0] if count >= OVERHEAD else 0)
        if len(self._data) < needed <= min(left, OVERHEAD + MAX_PAYLOAD):
            self._data, self._bodies = np.empty(needed, np.uint8), np.empty(needed, np.uint8)
            return self._read(file)
        return self._data[:count]

    def _take(self, data: Any, payloads: Any, heads: Any, ends: Any) -> int:
        """Take whole records out of `data`; how many, 0 where none is whole or their checksum is another."""
        take: Callable[..., int] = compiled(take_apart)
        rows = take(data, self._next_seq, self._bodies, payloads, heads, ends)
        if not rows:
            return 0
        size = int(ends[rows - 1])
        end = size + rows * OVERHEAD
        crc = zlib.crc32(self._bodies[: size + rows * HEAD.size].data, self._crc)
        if crc != int.from_bytes(data[end - 4 : end].tobytes(), "little"):
            return 0
        self._crc = crc
        self._offset += end
        self._next_seq += rows
        return rows


def take_apart(data: Any, seq: int, bodies: Any, payloads: Any, heads: Any, ends: Any) -> int:
    """Copy whole records out of `data` as long as each has a kind and the next seq; how many. Compiled when it is used.

    bodies: heads and payloads end to end, which is what the checksums cover. payloads: end to end, where each ends.
    """
    at, copied, rows = 0, 0, 0
    while rows < len(ends) and at + 36 <= len(data):
        length = 0
        for index in range(4):
            length |= int(data[at + index]) << (8 * index)
        found = 0
        for index in range(8):
            found |= int(data[at + 8 + index]) << (8 * index)
        end = at + 36 + length
        if end > len(data) or data[at + 4] == 0 or found != seq + rows:
            break
        body = copied + rows * 32
        heads[rows * 32 : rows * 32 + 32] = data[at : at + 32]
        bodies[body : body + 32 + length] = data[at : end - 4]
        payloads[copied : copied + length] = data[at + 32 : end - 4]
        copied += length
        ends[rows] = copied
        rows += 1
        at = end
    return rows
