"""What an export is to hold, and what it came to.

Knows the words that all formats share. Must not know any of them.
"""

import msgspec


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a tape: records received (`now_ns`, Unix ns) between two instants, both in it, None = no limit.

    markets: empty = all of them.
    """

    from_ns: int | None = None
    to_ns: int | None = None
    markets: tuple[str, ...] = ()


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What was written. rows: by what they are. markets: those that something was written of.

    left_out: what the format has no word for, or what could not be told without claiming more than is known, by why.
    changed: what had to be told otherwise than it is on the tape, by why. doubted: rows that are there and say of
    themselves that they are not to be taken as they are.
    """

    out: str
    format: str
    files: int
    markets: int
    rows: dict[str, int]
    left_out: dict[str, int] = {}
    changed: dict[str, int] = {}
    doubted: dict[str, int] = {}
