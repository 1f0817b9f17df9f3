"""A made recording whose books stay as they began, however long it is.

`replay.synthetic`'s books drift apart: after a million frames over 200 markets the spread is almost never two cents,
and seven in ten changes of a book touch its top, where real recordings have one in four. Everything else is its own.
"""

import gzip
from pathlib import Path
from typing import Final

import msgspec

from replay.dialects.btc15m import CONNECTED, Line
from replay.synthetic import Plan, _Exchange, _Market, size_of

_DOLLAR: Final = 10_000
_MAX_LEVELS: Final = 40
_NARROW: Final = 2  # ticks between the best bid and the best offer that are left alone for long
_WIDE: Final = 5  # ticks that are soon closed


class Steady(_Exchange):
    """The same exchange with makers who close a wide spread."""

    def _delta(self, market: _Market, bits: int) -> str:
        """Somebody bids inside a wide spread, or adds to one of 15 levels from the best, or takes away."""
        side, taking, distance = bits & 1, bits & 2, (bits >> 2) & 15
        bids, best = market.bids[side], market.best[side]
        if len(bids) > _MAX_LEVELS:
            price = min(bids)
            return self._change(market, side, price, -bids[price])
        ticks = (_DOLLAR - best - market.best[1 - side]) // market.step
        if not taking and ticks > 1 and distance in _inside(ticks):
            return self._change(market, side, best + market.step, size_of(self._dice.getrandbits(30)))
        level = max(distance - 1, 0) % max(best // market.step, 1)
        price = best - level * market.step if best else market.step
        held = bids.get(price, 0)
        if taking and held and len(bids) > 1:
            taken = held if distance & 3 == 3 else min(held, size_of(self._dice.getrandbits(30)))
            return self._change(market, side, price, -taken)
        return self._change(market, side, price, size_of(self._dice.getrandbits(30)))


def _inside(ticks: int) -> range:
    """Of 16, when a new best bid comes that many ticks from the best offer."""
    if ticks > _WIDE:
        return range(8)
    return range(3) if ticks > _NARROW else range(1)


def write_steady(path: Path, plan: Plan) -> None:
    """Write a gzipped recording in the btc15m dialect."""
    encode = msgspec.json.Encoder().encode
    with gzip.open(path, "wb", 1) as out:
        for at_ns, connection, frame in Steady(plan).events():
            out.write(encode(Line(at_ns, connection, frame, CONNECTED if frame is None else None)) + b"\n")
