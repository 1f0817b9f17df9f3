"""`{"recv_ms":1786401938338,"event":{...}}`: the frame as JSON inside the line, receive time in milliseconds."""

import json
import re
from typing import Final

import msgspec

from core.records import Coverage, Kind
from replay.dialects.base import Item, LineReader, Parser, Rows, frames_only, in_span

NS_PER_MS: Final = 1_000_000


class _Line(msgspec.Struct, gc=False):
    recv_ms: int
    event: msgspec.Raw


_DECODER: Final = msgspec.json.Decoder(_Line)
_ENCODER: Final = msgspec.json.Encoder()
_LINE: Final = re.compile(rb'\s*\{"recv_ms"\s*:\s*(\d{1,15})\s*,\s*"event"\s*:\s*(.*?)\s*\}\s*', re.DOTALL)


class Gold15m:
    """One connection, not noted; frames of some of a subscription's markets."""

    name = "gold15m"
    coverage = Coverage(connections=False, control=False, sent=False)

    def parser(self) -> Parser:
        """A reader for a new session."""
        return _Parser(self)

    def line(self, item: Item) -> bytes:
        """The line of a frame, b"" for other kinds."""
        if item.kind != Kind.FRAME:
            return b""
        return b'{"recv_ms":%d,"event":%b}\n' % (item.at_ns // NS_PER_MS, item.payload)


class _Parser(LineReader):
    def _all(self, text: bytes) -> Rows | None:
        try:
            lines = _DECODER.decode_lines(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if _ENCODER.encode_lines(lines) != text:
            return None
        return frames_only([line.recv_ms * NS_PER_MS for line in lines], [bytes(line.event) for line in lines])

    def _one(self, line: bytes) -> Item | None:
        try:
            decoded = _DECODER.decode(line)
            recv_ms, event = decoded.recv_ms, bytes(decoded.event)
        except (msgspec.DecodeError, UnicodeDecodeError):
            found = _LINE.fullmatch(line)
            if found is None or b"\\u" not in line:
                raise
            json.loads(found[2])  # takes the lone surrogates that msgspec does not: a frame may hold them
            recv_ms, event = int(found[1]), found[2]
        return Item(in_span(recv_ms * NS_PER_MS, "recv_ms"), 1, Kind.FRAME, event)
