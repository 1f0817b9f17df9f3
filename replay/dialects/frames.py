"""Bare frames, one a line, and nothing else but what separates them. No receive time.

Each gets the latest time any frame up to it gives for itself: it was received no earlier than that.
"""

from typing import Final

import msgspec

from core.messages import Malformed, Message, decode
from core.records import Coverage, Kind
from replay.dialects.base import EARLIEST_NS, LATEST_NS, Item, LineReader, Parser, Rows

MARK: Final = b";;"


class Frames:
    """One connection, not noted; no times, no commands."""

    coverage = Coverage(connections=False, control=False, sent=False, receive_time=False)

    def __init__(self, name: str, separator: bytes) -> None:
        """separator: the lines that stand before every frame but the first."""
        self.name = name
        self._separator = separator

    def parser(self) -> Parser:
        """A reader for a new session."""
        return _Parser(self)

    def line(self, item: Item) -> bytes:
        """The separator and the line of a frame, b"" for other kinds."""
        return self._separator + item.payload + b"\n" if item.kind == Kind.FRAME else b""


class _Parser(LineReader):
    def __init__(self, dialect: Frames) -> None:
        super().__init__(dialect)
        self._now_ns = 0

    def parse(self, text: bytes) -> Rows:
        """See Parser; replies before the first frame that has a time get that frame's."""
        rows = super().parse(text)
        if rows.at_ns and not rows.at_ns[0]:
            first_ns = next(filter(None, rows.at_ns), 0)
            rows.at_ns = [at_ns or first_ns for at_ns in rows.at_ns]
        return rows

    def _one(self, line: bytes) -> Item | None:
        payload = line.strip()
        if payload == MARK:
            return None
        message = decode(payload)
        if isinstance(message, Malformed):
            msgspec.json.decode(payload)  # what is not even JSON did not come from the exchange
        self._now_ns = max(self._now_ns, stamp_ns(message))
        return Item(self._now_ns, 1, Kind.FRAME, payload)


def stamp_ns(message: Message | Malformed) -> int:
    """The best time (Unix ns) a message itself gives for when it was sent, 0 = none."""
    if isinstance(message, Malformed):
        return 0
    names = ("exchange_ns", "updated_ns", "created_ns", "settled_ns", "determined_ns")
    times = (message.sending_ms * 1_000_000, *(getattr(message, name, 0) for name in names))
    return next((at_ns for at_ns in times if EARLIEST_NS <= at_ns < LATEST_NS), 0)
