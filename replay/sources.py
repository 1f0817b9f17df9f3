"""A file of another recorder as stretches of whole lines: unpacked on the way, in bounded memory.

Knows compression (by magic number, never by name) and line ends. Must not know what a line says.
"""

import bz2
import hashlib
import io
import lzma
import os
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

import msgspec
import pyarrow as pa

from capture.tape.errors import DiskError, TapeError, disk_error

LINE_LIMIT: Final = (
    64 << 20
)  # bytes; the largest frame on record is 30 kB: whatever has no line end for longer is no recording
PIECE: Final = 1 << 18  # bytes read or unpacked at once: fits a core's cache, and a bomb cannot swell past it

_ZSTD_PIECE: Final = 1 << 14  # Arrow drops the unfinished piece when the stream stops early: keep it small

_MAGICS: Final = ((b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\x00", "xz"), (b"\x28\xb5\x2f\xfd", "zstd"))


class Lines(msgspec.Struct, frozen=True):
    """Some whole lines in file order.

    number: line number (from 1) of the first. offset: its place in the unpacked text, in bytes.
    ended: False when the file stops without a line end (it is then one line, possibly half of one).
    """

    text: bytes
    number: int
    offset: int
    ended: bool


class FileId(msgspec.Struct, frozen=True):
    """What a file was when it was looked at: size, modification time (ns) and SHA-256 of its bytes as on disk."""

    size: int
    modified_ns: int
    sha256: str


class _TruncatedError(Exception):
    """The packed stream stops before its end."""


class _Unpacker(Protocol):
    """What bz2 and lzma decompressors have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


def identify(path: Path) -> FileId:
    """Size, time and hash of a regular file; TapeError when it cannot be read."""
    try:
        with _open(path) as file:
            status = os.fstat(file.fileno())
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error
    return FileId(status.st_size, status.st_mtime_ns, digest)


class SourceFile:
    """A recording opened for one reading; a context manager.

    consumed: bytes of the file (as on disk) read so far. truncated: True once a packed stream turned out to stop
    before its end (what it held until there has been yielded).
    """

    def __init__(self, path: Path, *, line_limit: int = LINE_LIMIT, size: int = sys.maxsize) -> None:
        """size: bytes of the file to read, though it may grow. Raises TapeError when it cannot be opened."""
        self.path = path
        self._left = size
        self.consumed = 0
        self.truncated = False
        self._line_limit = line_limit
        self._file = _open(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def lines(self) -> Iterator[Lines]:
        """The file's text; TapeError on a damaged packing, a read error or a line over the limit."""
        number, offset, rest = 1, 0, bytearray()
        for piece in self._text():
            end = piece.rfind(b"\n") + 1
            if not end:
                rest += piece
                if len(rest) > self._line_limit:
                    raise self._endless(number, offset)
                continue
            text = bytes(rest) + piece[:end] if rest else piece[:end]
            yield Lines(text, number, offset, True)
            number += text.count(b"\n")
            offset += len(text)
            rest = bytearray(piece[end:])
        if rest:
            yield Lines(bytes(rest), number, offset, False)

    def whole(self) -> Lines:
        """All of the file's text at once; raises TapeError as `lines`, and where it is cut off or over the limit."""
        pieces: list[bytes] = []
        for lines in self.lines():
            pieces.append(lines.text)
            if lines.offset > self._line_limit:
                raise TapeError(f"{self.path}: is one text of more than {self._line_limit:,} bytes; take it away")
        if self.truncated:
            raise TapeError(f"{self.path}: its packed data stops before its end; fetch it again")
        return Lines(b"".join(pieces), 1, 0, True)

    def unchanged_since(self, seen: FileId) -> bool:
        """Whether the file still has the size and time it had when it was identified."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return False
        return (status.st_size, status.st_mtime_ns) == (seen.size, seen.modified_ns)

    def _endless(self, number: int, offset: int) -> TapeError:
        return TapeError(
            f"{self.path}: line {number} (byte {offset} of the unpacked text) is longer than "
            f"{self._line_limit:,} bytes: this is no recording of frames"
        )

    def _text(self) -> Iterator[bytes]:
        head = self._read()
        packing = packing_of(head)
        try:
            match packing:
                case "":
                    yield from self._pieces(head)
                case "zstd":
                    yield from self._unpack_zstd(head)
                case "gzip":
                    yield from self._unpack(head, _Gzip)
                case "bzip2":
                    yield from self._unpack(head, bz2.BZ2Decompressor)
                case _:
                    yield from self._unpack(head, lzma.LZMADecompressor)
        except _TruncatedError:
            self.truncated = True
        except (zlib.error, lzma.LZMAError, ValueError, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise _unreadable(self.path, error) from error
            raise TapeError(
                f"{self.path}: the {packing} data is damaged before byte {self.consumed} of the file ({error}); "
                f"fetch it again, or unpack what can be saved and import that"
            ) from error

    def _read(self) -> bytes:
        data = self._file.read(min(PIECE, self._left))
        self.consumed += len(data)
        self._left -= len(data)
        return data

    def _pieces(self, head: bytes) -> Iterator[bytes]:
        while head:
            yield head
            head = self._read()

    def _unpack(self, data: bytes, make: Callable[[], _Unpacker]) -> Iterator[bytes]:
        unpacker = make()
        while True:
            piece = unpacker.decompress(data, PIECE)
            data = b""
            if piece:
                yield piece
            if unpacker.eof:  # a packed file may hold several streams end to end; zeros pad the last on tapes
                data = unpacker.unused_data.lstrip(b"\0") or self._read().lstrip(b"\0")
                if not data:
                    return
                unpacker = make()
            elif unpacker.needs_input:
                data = self._read()
                if not data:
                    raise _TruncatedError

    def _unpack_zstd(self, head: bytes) -> Iterator[bytes]:
        stream = pa.CompressedInputStream(pa.PythonFile(_Counted(head, self._read), mode="r"), "zstd")
        try:
            while piece := stream.read(_ZSTD_PIECE):
                yield piece
        except OSError as error:
            if "Truncated" in str(error):
                raise _TruncatedError from error
            raise


class _Gzip:
    """zlib's gzip reader in the shape of bz2's and lzma's; it checks the stream's checksum and length."""

    def __init__(self) -> None:
        self._unpacker = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._unpacker.eof

    @property
    def needs_input(self) -> bool:
        return not self._unpacker.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._unpacker.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._unpacker.decompress(self._unpacker.unconsumed_tail + data, max_length)


class _Counted(io.RawIOBase):
    """A file whose first bytes were read already."""

    def __init__(self, head: bytes, read: Callable[[], bytes]) -> None:
        self._rest, self._next = head, read

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if not self._rest:
            self._rest = self._next()
        size = len(self._rest) if size < 0 else size
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


def packing_of(head: bytes) -> str:
    """The name of the compression whose magic number the bytes start with, "" for none."""
    return next((name for magic, name in _MAGICS if head.startswith(magic)), "")


def _open(path: Path) -> io.FileIO:
    """A regular file for reading (a pipe would block, and cannot be read twice)."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise TapeError(f"{path}: is not a regular file; write the recording to disk first, then import that")
        return io.FileIO(path)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> DiskError:
    return disk_error(error, path, "read this recording")
