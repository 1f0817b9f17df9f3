"""What all dialects have in common: a record's own part, text to rows, and lines that are not written just so.

Must not know any one dialect.
"""

import io
import json
from typing import Any, Final, Protocol

import msgspec

from core.records import Coverage, Kind

EARLIEST_NS: Final = 946_684_800 * 10**9  # 2000-01-01: an earlier receive time is in another unit or no time at all
LATEST_NS: Final = 4_102_444_800 * 10**9  # 2100-01-01
MAX_CONNECTION: Final = (1 << 24) - 1  # what the hot log can hold

MAX_REST: Final = 16 << 20  # bytes between two records that belong to neither; a blank line is what real ones have


class Item(msgspec.Struct, frozen=True):
    """A record's own part, before it has a place in a tape; fields as in core.records.Record."""

    at_ns: int
    connection: int
    kind: int
    payload: bytes


class Rows(msgspec.Struct):
    """Records in file order, without seq. sources[i] is None where the dialect writes record i just so."""

    at_ns: list[int]
    connection: list[int]
    kind: list[int]
    payloads: list[bytes]
    sources: list[bytes | None]

    def part(self, first: int, last: int) -> "Rows":
        """Those from one up to another, that one left out."""
        return Rows(*(getattr(self, name)[first:last] for name in self.__struct_fields__))


class BadLineError(Exception):
    """A line that is not of the dialect: `line` and `offset` count from the start of the parsed text, from 0."""

    def __init__(self, line: int, offset: int, reason: str) -> None:
        super().__init__(reason)
        self.line, self.offset, self.reason = line, offset, reason


class Parser(Protocol):
    """Reads the lines of one session; keeps what one line needs to know of those before it."""

    def parse(self, text: bytes) -> Rows:
        """The records of some whole lines; raises BadLineError, and `rest` is then as it was."""

    def rest(self) -> bytes:
        """What came after the last record and belongs to none (blank lines, mostly); handed out once."""


class Dialect(Protocol):
    """One way to write frames down. `coverage` is what its recorder noted."""

    @property
    def name(self) -> str: ...

    @property
    def coverage(self) -> Coverage: ...

    def parser(self) -> Parser:
        """A reader for a new session."""

    def line(self, item: Item) -> bytes:
        """The line (with its end) this dialect writes for a record, b"" for kinds it has no line for."""


class LineReader:
    """A parser that takes text whole where it is written just so, and line by line where it is not."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._rest = b""

    def parse(self, text: bytes) -> Rows:
        """See Parser."""
        rows = None if self._rest else self._all(text)
        return self._each(text) if rows is None else rows

    def rest(self) -> bytes:
        """See Parser."""
        rest, self._rest = self._rest, b""
        return rest

    def _all(self, text: bytes) -> Rows | None:
        """The records of a text whose every line is written just so; None when one is not, or may not be."""
        del text
        return None

    def _one(self, line: bytes) -> Item | None:
        """The record of a line that is not blank, None when it holds none; raises ValueError with the reason."""
        raise NotImplementedError

    def _each(self, text: bytes) -> Rows:
        rows = Rows([], [], [], [], [])
        start, end, rest = 0, 0, self._rest
        for number, line in enumerate(io.BytesIO(text)):  # splits at \n alone, as splitlines() does not
            try:
                item = self._one(line) if line.strip() else None
            except (ValueError, RecursionError) as error:
                raise BadLineError(number, end, _brief(error)) from error
            end += len(line)
            if item is None:
                continue
            stretch = rest + text[start:end]
            rows.at_ns.append(item.at_ns)
            rows.connection.append(item.connection)
            rows.kind.append(item.kind)
            rows.payloads.append(item.payload)
            rows.sources.append(None if stretch == self._dialect.line(item) else stretch)
            start, rest = end, b""
        if len(rest) + end - start > MAX_REST:
            raise BadLineError(0, 0, f"more than {MAX_REST:,} bytes before it hold no frame")
        self._rest = rest + text[start:]
        return rows


def _brief(error: Exception) -> str:
    return str(error).splitlines()[0][:120] if str(error) else type(error).__name__


def in_span(at_ns: int, key: str) -> int:
    """A receive time (Unix ns) that can be one; raises ValueError naming the key that said otherwise."""
    if not EARLIEST_NS <= at_ns < LATEST_NS:
        raise ValueError(f"{key} is {at_ns} in nanoseconds, which is not between the years 2000 and 2100")
    return at_ns


def frames_only(at_ns: list[int], payloads: list[bytes], connection: list[int] | None = None) -> Rows | None:
    """Rows of nothing but frames (of connection 1 unless given); None when a time or a number is impossible."""
    count = len(payloads)
    if connection is None:
        connection = [1] * count
    if not count:
        return Rows([], [], [], [], [])
    if min(at_ns) < EARLIEST_NS or max(at_ns) >= LATEST_NS or min(connection) < 0 or max(connection) > MAX_CONNECTION:
        return None
    return Rows(at_ns, connection, [Kind.FRAME.value] * count, payloads, [None] * count)


def typed(line: bytes, decoder: "msgspec.json.Decoder[Any]") -> Any:
    """The line as the decoder's type; raises ValueError.

    Lone surrogates, which msgspec refuses, are what a careless recorder makes of bytes that are no UTF-8.
    """
    try:
        return decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        if b"\\u" not in line:
            raise
        return msgspec.convert(json.loads(line), decoder.type)


def text_bytes(text: str) -> bytes:
    """The bytes of a recorded text: a lone surrogate stands for a byte that was no UTF-8, or else for itself."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        try:
            return text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            return text.encode("utf-8", "surrogatepass")


def python_json(payload: bytes) -> bytes:
    """A JSON text as Python's json writes it; bytes that are no UTF-8 become lone surrogates."""
    return json.dumps(payload.decode("utf-8", "surrogateescape")).encode()
