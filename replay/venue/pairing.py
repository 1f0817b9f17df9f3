"""A public trade and the change of the book that it caused are the same contracts; here the two find each other.

Kalshi sends both, on different channels and in either order (PROTOCOL 8.4). Measured on the four `gold15m` recordings
of production (5,330 trades, August 2026; `btc15m` holds no trades): every trade had changes of the book with the same
`ts_ms`, on the ladder that the taker took from, at its price, covering its count. Of 1,830 pairs of instant and price,
all but 20 had sizes that were equal to the contract, also where several trades and changes shared them (one change for
each order that was hit); the 20 had contracts beside them that somebody cancelled within the same millisecond. 95.6 %
of the trades came after their change: half of them within the same millisecond, 99 % within 6 ms, the last of all 22 ms
and 26 frames later. The others came before it, by at most 3 ms and 6 frames. The `ts_ms` of trades never went back, and
neither did those of changes.

So what leaves a level waits for `WINDOW_NS` whether a trade claims it; what nobody claims was cancelled. Who has no
`ts_ms` (before 2026-04-15) is paired within the window alone, where a trade whose change never comes (it was with an
order that was taken out of the tape) may claim another's. A pair may be cut: what is left of either waits on.
Knows numbers only; times in ns of the tape's clock, prices 1/10,000 dollar on the yes scale, counts 1/100 contract.
"""

from dataclasses import dataclass
from typing import Final

from core.actions import BookSide

WINDOW_NS: Final = 100_000_000
"""How long a trade and its change wait for each other: more than four times the longest that was measured."""


@dataclass(slots=True)
class Part:
    """Contracts that left a level, or were traded there, whose other half has not come (yet).

    number: when it came, among everything that came. stamp_ns: the exchange's time of it, 0 = not told. others: how
    many were at the level before. is_doubtful: a gap began since, so its other half may be missing.
    """

    number: int
    at_ns: int
    side: BookSide
    price: int
    count: int
    stamp_ns: int = 0
    others: int = 0
    is_doubtful: bool = False

    def fits(self, other: "Part") -> bool:
        """Whether both may be the same contracts."""
        is_same_time = self.stamp_ns == other.stamp_ns or not (self.stamp_ns and other.stamp_ns)
        return self.side is other.side and self.price == other.price and is_same_time

    def take(self, count: int) -> None:
        """So many of its contracts found their other half: they are no part of it any more."""
        self.count -= count
        self.others -= count


class Pairing:
    """What of one market waits for its other half."""

    def __init__(self) -> None:
        self._gone: list[Part] = []
        self._traded: list[Part] = []

    def gone(self, part: Part) -> list[tuple[int, int]]:
        """Contracts left a level: which trades had announced it, as (number of the trade, contracts)."""
        pairs = _paired(part, self._traded)
        if part.count:
            self._gone.append(part)
        return pairs

    def traded(self, part: Part) -> list[tuple[int, int]]:
        """Contracts were traded: what that had left the level are they, as (number of the change, contracts)."""
        pairs = _paired(part, self._gone)
        if part.count:
            self._traded.append(part)
        return pairs

    def decided(self, now_ns: int, stamp_ns: int = 0) -> list[Part]:
        """What left and was not traded, as is certain by now, in the order in which it left; it waits no longer.

        stamp_ns: the exchange's time of a trade that came now, 0 = none: trades come in the order of their times, so no
        earlier one will come.
        """
        limit_ns = now_ns - WINDOW_NS
        self._traded = [part for part in self._traded if part.at_ns >= limit_ns] if self._traded else self._traded
        number = 0
        for part in self._gone:
            if part.at_ns >= limit_ns and not 0 < part.stamp_ns < stamp_ns:
                break
            number += 1
        over, self._gone = self._gone[:number], self._gone[number:]
        return over

    def waiting(self, side: BookSide, price: int, since: int) -> int:
        """How many contracts left a level after a number and may yet turn out to have been traded."""
        return sum(
            part.count for part in self._gone if part.number > since and part.side is side and part.price == price
        )

    def doubt(self) -> None:
        """A gap begins."""
        for part in self._gone:
            part.is_doubtful = True


def _paired(part: Part, waiting: list[Part]) -> list[tuple[int, int]]:
    """Take a part's contracts out of those that wait: of its very size rather, then those that came first."""
    fitting = [other for other in waiting if other.fits(part)]
    fitting.sort(key=lambda other: other.count != part.count)
    pairs = []
    for other in fitting:
        count = min(other.count, part.count)
        if count:
            other.take(count)
            part.take(count)
            pairs.append((other.number, count))
    if pairs:
        waiting[:] = [other for other in waiting if other.count]
    return pairs
