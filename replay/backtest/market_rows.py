"""What came of each market, as rows: out of its orders, its fills and what it was worth in the end.

Pure. Must not know how anything was valued, nor where fees are told.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

import pyarrow as pa

from replay.backtest.measure import MarketSum
from replay.backtest.money import FLAT

SETTLED: Final = "settled"


def market_rows(
    tape: int, orders: pa.Table, fills: pa.Table, sums: Mapping[str, MarketSum], fees_of: Callable[[str], str]
) -> list[tuple[Any, ...]]:
    """Rows of the table `markets` for every market in which an order was placed, by name.

    fees_of: the fee terms of a market in words.
    """
    placed = Counter(orders.column("market").to_pylist())
    traded: dict[str, Counter[str]] = {}
    names = ("market", "side", "count", "fee")
    for market, side, count, fee in zip(*(fills.column(name).to_pylist() for name in names), strict=True):
        traded.setdefault(market, Counter()).update({"fills": 1, side: count, "fees": fee})
    rows = []
    for market in sorted(placed.keys() | sums.keys()):
        counts, found = traded.get(market, Counter()), sums.get(market, MarketSum())
        rows.append(
            (
                tape, market, placed[market], counts["fills"], counts["bid"], counts["ask"], counts["fees"], found.pnl,
                found.pnl_trusted, found.pnl - found.pnl_trusted, found.position, _marked_by(found), fees_of(market),
                None if found.mark is None or found.mark.price is None else float(found.mark.price),
                found.settlement, found.settled_ns,
            )
        )  # fmt: skip
    return rows


def _marked_by(found: MarketSum) -> str:
    if found.mark is not None:
        return found.mark.by
    return FLAT if found.settled_ns is None else SETTLED
