"""`{"recv_ts_ns": 1776490453460692000, "raw": "..."}`: the frame as text, spaced as Python's json writes it."""

from typing import Final

import msgspec

from core.records import Coverage, Kind
from replay.dialects.base import Item, LineReader, Parser, in_span, python_json, text_bytes, typed


class _Line(msgspec.Struct, gc=False):
    recv_ts_ns: int
    raw: str


_DECODER: Final = msgspec.json.Decoder(_Line)


class HourlyBtc:
    """One connection, not noted."""

    name = "hourly-btc"
    coverage = Coverage(connections=False, control=False, sent=False)

    def parser(self) -> Parser:
        """A reader for a new session."""
        return _Parser(self)

    def line(self, item: Item) -> bytes:
        """The line of a frame, b"" for other kinds."""
        if item.kind != Kind.FRAME:
            return b""
        return b'{"recv_ts_ns": %d, "raw": %b}\n' % (item.at_ns, python_json(item.payload))


class _Parser(LineReader):
    def _one(self, line: bytes) -> Item | None:
        decoded: _Line = typed(line, _DECODER)
        return Item(in_span(decoded.recv_ts_ns, "recv_ts_ns"), 1, Kind.FRAME, text_bytes(decoded.raw))
