"""`{"recv_ns":...,"conn":1,"raw":"..."}` for a frame as text, `{"recv_ns":...,"conn":1,"event":"connected"}`.

Exports of live tapes are written in this dialect too. For them it has two things more, which no recording of others
is known to hold: the event "closed", and `replaces` where a connection takes over from another than the last one.
"""

from typing import Final

import msgspec

from core.records import Closed, Coverage, Kind, Opened, encode_payload
from replay.dialects.base import (
    MAX_CONNECTION,
    Item,
    LineReader,
    Parser,
    Rows,
    frames_only,
    in_span,
    python_json,
    text_bytes,
    typed,
)

CONNECTED: Final = "connected"
CLOSED: Final = "closed"


class Line(msgspec.Struct, gc=False, omit_defaults=True):
    """A line: exactly one of `raw` and `event` is given."""

    recv_ns: int
    conn: int
    raw: str | None = None
    event: str | None = None
    replaces: int | None = None


_DECODER: Final = msgspec.json.Decoder(Line)
_ENCODER: Final = msgspec.json.Encoder()
_EVENT_KEYS: Final = (b'"event":', b'"replaces":')  # inside a raw text these quotes would be escaped


class Btc15m:
    """Connections are numbered and their beginnings noted, their ends are not."""

    name = "btc15m"
    coverage = Coverage(control=False, sent=False)

    def parser(self) -> Parser:
        """A reader for a new session."""
        return _Parser(self)

    def line(self, item: Item) -> bytes:
        """The line of a frame, of a connection opened or closed; b"" for other kinds."""
        match item.kind:
            case Kind.FRAME:
                return _frame_line(item)
            case Kind.OPENED:
                line = Line(item.at_ns, item.connection, event=CONNECTED)
            case Kind.CLOSED:
                line = Line(item.at_ns, item.connection, event=CLOSED)
            case _:
                return b""
        return _ENCODER.encode(line) + b"\n"


def _frame_line(item: Item) -> bytes:
    try:
        return _ENCODER.encode(Line(item.at_ns, item.connection, item.payload.decode())) + b"\n"
    except UnicodeDecodeError:
        text = python_json(item.payload)
        return b'{"recv_ns":%d,"conn":%d,"raw":%b}\n' % (item.at_ns, item.connection, text)


def opened_line(item: Item, replaces: int) -> bytes:
    """The line of an opened connection that says itself which one it replaces."""
    return _ENCODER.encode(Line(item.at_ns, item.connection, event=CONNECTED, replaces=replaces)) + b"\n"


class _Parser(LineReader):
    def __init__(self, dialect: Btc15m) -> None:
        super().__init__(dialect)
        self._opened = 0

    def _all(self, text: bytes) -> Rows | None:
        if any(key in text for key in _EVENT_KEYS):
            return None
        try:
            lines = _DECODER.decode_lines(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        if _ENCODER.encode_lines(lines) != text:
            return None
        try:
            payloads = [line.raw.encode() for line in lines]  # type: ignore[union-attr]  # None is caught below
        except AttributeError:
            return None
        return frames_only([line.recv_ns for line in lines], payloads, [line.conn for line in lines])

    def _one(self, line: bytes) -> Item | None:
        decoded: Line = typed(line, _DECODER)
        if not 0 <= decoded.conn <= MAX_CONNECTION:
            raise ValueError(f"conn is {decoded.conn}, not from 0 to {MAX_CONNECTION}")
        at_ns = in_span(decoded.recv_ns, "recv_ns")
        if decoded.raw is not None:
            return Item(at_ns, decoded.conn, Kind.FRAME, text_bytes(decoded.raw))
        match decoded.event:
            case None:
                raise ValueError("the line has neither `raw` nor `event`")
            case "connected":
                replaces = self._opened if decoded.replaces is None else decoded.replaces
                self._opened = decoded.conn
                return Item(at_ns, decoded.conn, Kind.OPENED, encode_payload(Opened(replaces=replaces)))
            case "closed" | "disconnected":
                return Item(at_ns, decoded.conn, Kind.CLOSED, encode_payload(Closed()))
            case _:
                return None  # a note of the recorder: its bytes go along with the next record's
