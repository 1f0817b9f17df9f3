"""`{"fetched_at_ms": 1787293863088, "url": "...", "status": 200, "response": {...}}`: one REST answer a file, on any
number of lines, as it lies beside recordings of frames.

The only dialect that is read as a whole and has no frames. Its time is that of the fetch, whatever the body tells of:
an event that was fetched after its markets had settled says nothing of them before.
"""

import re
from typing import Final
from urllib.parse import urlsplit

import msgspec

from core.records import Coverage, Kind, RestCall, encode_payload
from replay.dialects.base import BadLineError, Item, Parser, Rows, in_span
from replay.dialects.gold15m import NS_PER_MS

NAME: Final = "answers"

_HEAD: Final = re.compile(rb'\s*\{\s*"(?:fetched_at_ms|response|status|url)"\s*:')


class _File(msgspec.Struct):
    fetched_at_ms: int
    url: str
    response: msgspec.Raw
    status: int = 200


_DECODER: Final = msgspec.json.Decoder(_File)


class Answers:
    """An answer to a GET. Connections, control frames and commands are for the recordings beside it to tell of."""

    name = NAME
    coverage = Coverage(connections=False, control=False, sent=False)

    def parser(self) -> Parser:
        """A reader for a file."""
        return _Parser()

    def line(self, item: Item) -> bytes:
        """Nothing: an export is of frames."""
        del item
        return b""


def is_answer(head: bytes) -> bool:
    """Whether a text begins as such a file does."""
    return _HEAD.match(head) is not None and b'"fetched_at_ms"' in head


class _Parser:
    """Takes the whole file at once."""

    def parse(self, text: bytes) -> Rows:
        """See Parser."""
        try:
            file = _DECODER.decode(text)
            at_ns = in_span(file.fetched_at_ms * NS_PER_MS, "fetched_at_ms")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
            raise BadLineError(0, 0, str(error)[:120]) from error
        url = urlsplit(file.url)
        path = url.path + (f"?{url.query}" if url.query else "")
        call = RestCall("GET", path, file.status, answer=bytes(file.response).decode(), why="imported")
        return Rows([at_ns], [0], [Kind.REST.value], [encode_payload(call)], [text])

    def rest(self) -> bytes:
        """See Parser."""
        return b""
