"""What recording a selection would take: markets, frames a second, GB a day, days until the disk is full.

Knows how to guess, and says from what. Must not know how the markets were found.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from capture.roster import Listed
from capture.status import format_bytes
from core.printable import printable

FRAMES_PER_CONTRACT: Final = 2.0
"""Book changes, trades and tickers for each contract traded. Four recorded windows of lively markets: 0.7 to 3.2."""

QUIET_FRAMES_PER_S: Final = 0.01
"""A market in which nobody trades still has quotes that move now and then."""

BYTES_PER_FRAME: Final = 7.0
"""Sealed. Recorded production frames took 5.5 to 6.7 bytes each; heartbeats and REST answers come on top."""

SURE_RECORDS: Final = 100_000
"""A tape with so many sealed records is a better measure of bytes a frame than the constant."""

_DAY_S: Final = 86_400
_SHOWN: Final = 20  # markets that are listed by name; the JSON has all


class Estimate(msgspec.Struct, frozen=True):
    """An estimate, and what it rests on.

    markets: tickers, the busiest first. volume_24h: contracts, of all of them. frames_per_s: mean over a day; bursts
    go far beyond it. bytes_per_frame, measured: sealed, and whether this tape showed it. days: until the disk
    is full, None = never at that rate.
    """

    markets: tuple[str, ...]
    opening_later: int
    without_volume: int
    volume_24h: float
    frames_per_s: float
    bytes_per_frame: float
    measured: bool
    bytes_per_day: int
    free_bytes: int
    days: float | None
    rests_on: str


def estimate(markets: Sequence[Listed], *, free_bytes: int, sealed_bytes: int = 0, sealed_records: int = 0) -> Estimate:
    """What recording these markets would take. sealed_*: what the tape that is to be gone on with holds already."""
    busiest = sorted(markets, key=lambda market: (-market.volume_24h, market.ticker))
    volume = sum(market.volume_24h for market in markets) / 100
    frames_per_s = volume * FRAMES_PER_CONTRACT / _DAY_S + len(markets) * QUIET_FRAMES_PER_S
    measured = sealed_records >= SURE_RECORDS
    bytes_per_frame = sealed_bytes / sealed_records if measured else BYTES_PER_FRAME
    bytes_per_day = int(frames_per_s * bytes_per_frame * _DAY_S)
    return Estimate(
        markets=tuple(market.ticker for market in busiest),
        opening_later=sum(market.status == "initialized" for market in markets),
        without_volume=sum(not market.volume_24h for market in markets),
        volume_24h=volume,
        frames_per_s=round(frames_per_s, 3),
        bytes_per_frame=round(bytes_per_frame, 2),
        measured=measured,
        bytes_per_day=bytes_per_day,
        free_bytes=free_bytes,
        days=free_bytes / bytes_per_day if bytes_per_day else None,
        rests_on=_rests_on(measured),
    )


def estimate_lines(found: Estimate) -> Iterator[str]:
    """The estimate for people."""
    later = f", {found.opening_later:,} of them open later" if found.opening_later else ""
    yield f"markets: {len(found.markets):,}{later}"
    for ticker in found.markets[:_SHOWN]:
        yield f"  {printable(ticker)}"
    if len(found.markets) > _SHOWN:
        yield f"  and {len(found.markets) - _SHOWN:,} more (--json names all)"
    yield f"expected: {found.frames_per_s:,.1f} frames a second on average over a day"
    days = "never at that rate" if found.days is None else f"in {found.days:,.0f} days"
    free = format_bytes(found.free_bytes)
    yield f"disk: {found.bytes_per_day / 1e9:,.3f} GB a day; {free} are free, so it is full {days}"
    yield found.rests_on
    if found.without_volume:
        yield f"{found.without_volume:,} markets had no volume in the last 24 h: the estimate is low if they get any"


def _rests_on(measured: bool) -> str:
    size = "the bytes a record takes on this tape so far" if measured else f"{BYTES_PER_FRAME:g} bytes a frame"
    return (
        "This is an estimate, easily wrong by a factor of three: from the markets' volume of the last 24 h, "
        f"{FRAMES_PER_CONTRACT:g} frames a contract and {size}."
    )
