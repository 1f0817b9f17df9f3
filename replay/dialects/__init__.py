"""How other recorders write a frame down: from their lines to records, and from records back to their lines.

Each dialect knows its line byte for byte. A line that it would write differently (other spacing, more keys, blank
lines before it) is kept beside its record as `source`, so that an export gives every byte back. Must not know files:
text comes in as whole lines.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from replay.dialects import answers
from replay.dialects.answers import Answers
from replay.dialects.base import BadLineError, Dialect, Item, Parser, Rows, typed
from replay.dialects.btc15m import Btc15m
from replay.dialects.frames import MARK, Frames
from replay.dialects.gold15m import Gold15m
from replay.dialects.hourly import HourlyBtc

__all__ = ["DIALECTS", "BadLineError", "Dialect", "Item", "Parser", "Rows", "recognise"]

DIALECTS: Final[dict[str, Dialect]] = {
    dialect.name: dialect
    for dialect in (
        Gold15m(),
        Btc15m(),
        HourlyBtc(),
        Frames("frames", b""),
        Frames("frames-blank", b"\n"),
        Frames("frames-marked", MARK + b"\n"),
        Answers(),
    )
}
"""Every dialect by the name that tapes store."""

_FIRST_LINES: Final = 16  # the first may be damaged, which is for the parser to say; sixteen are another format


_ABSENT: Final = msgspec.Raw()


class _AnyLine(msgspec.Struct):
    """The keys that tell one dialect from another."""

    recv_ms: int | None = None
    recv_ns: int | None = None
    recv_ts_ns: int | None = None
    conn: int | None = None
    raw: str | None = None
    event: msgspec.Raw = _ABSENT
    type: str | None = None
    msg: msgspec.Raw = _ABSENT
    sid: int | None = None


_ANY_LINE: Final = msgspec.json.Decoder(_AnyLine)


def recognise(head: bytes) -> Dialect | None:
    """The dialect of a text by its first lines, None when it is no recording known here."""
    if answers.is_answer(head):
        return DIALECTS[answers.NAME]
    lines = head.split(b"\n", 4 * _FIRST_LINES)
    for index, line in enumerate(lines[:_FIRST_LINES]):
        name = _name_of(line, [other.strip() for other in lines[index + 1 : index + 3]])
        if name:
            return DIALECTS[name]
    return None


def _name_of(line: bytes, following: Sequence[bytes]) -> str:
    try:
        keys: _AnyLine = typed(line, _ANY_LINE)
    except (ValueError, RecursionError):
        return ""
    if keys.recv_ms is not None and keys.event:
        return "gold15m"
    if keys.recv_ns is not None and keys.conn is not None and (keys.raw is not None or keys.event):
        return "btc15m"
    if keys.recv_ts_ns is not None and keys.raw is not None:
        return "hourly-btc"
    if keys.type is None or (not keys.msg and keys.sid is None):
        return ""
    if MARK in following:
        return "frames-marked"
    return "frames-blank" if len(following) == 2 and not following[0] and following[1] else "frames"
