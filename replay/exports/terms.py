"""What an export is to hold, and what it came to.

Knows the words that all formats share. Must not know any of them.
"""

from typing import Final

import msgspec

TICKS: Final = (100, 50, 20, 10, 1)
"""Steps of prices (1/10,000 dollar) that the exchange's structures have (protocol 15), coarsest first."""

LOTS: Final = (100, 1)
"""Steps of sizes (1/100 contract): whole contracts, or parts of them."""


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
    clock_ahead_ns: int = 0


def coarsest(steps: tuple[int, ...], values: set[int]) -> int:
    """The first of these steps, of which the last is 1, that all values are multiples of."""
    return next(step for step in steps if not any(value % step for value in values))
