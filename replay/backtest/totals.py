"""What a backtest comes to, in numbers: sums over its tables, and what the fills were worth a while later.

Pure: tables in, plain JSON values out. What does not apply is None, never 0. Units as in the tables.
"""

from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

MARKS: Final = ("mark_1s", "mark_10s", "mark_60s", "settlement")


def totals(tables: Mapping[str, pa.Table], start_cash: int) -> dict[str, Any]:
    """The object `totals` of result.json. Money 1/1,000,000 dollar, contracts 1/100.

    markouts: by horizon the mean gain of a contract against the price later (price units), and the share of contracts
    for which that price is known.
    """
    orders, fills, markets, decisions = (tables[name] for name in ("orders", "fills", "markets", "decisions"))
    ends = orders.column("end")
    return {
        "pnl": _sum(markets, "pnl"),
        "pnl_trusted": _sum(markets, "pnl_trusted"),
        "pnl_untrusted": _sum(markets, "pnl_untrusted"),
        "fees": _sum(fills, "fee"),
        "start_cash": start_cash,
        "end_equity": start_cash + _sum(markets, "pnl"),
        "open_value": _open_value(tables),
        "open_markets": _count(pc.not_equal(markets.column("position"), 0)),
        "max_drawdown": drawdown(tables["equity"], start_cash),
        "max_exposure": pc.max(tables["equity"].column("exposure")).as_py() or 0,
        "decisions": decisions.num_rows,
        "refused_decisions": _count(pc.not_equal(decisions.column("refused"), "")),
        "orders": orders.num_rows,
        "refused_orders": _count(pc.starts_with(ends, "refused")),
        "canceled": _count(pc.equal(ends, "canceled")),
        "expired": _count(pc.equal(ends, "expired")),
        "filled_orders": _count(pc.greater(orders.column("filled"), 0)),
        "ordered": _sum(orders, "count"),
        "fills": fills.num_rows,
        "contracts": _sum(fills, "count"),
        "maker_contracts": _sum(fills.filter(pc.invert(fills.column("is_taker"))), "count"),
        "untrusted_fills": _count(pc.invert(fills.column("trusted"))),
        "markets": markets.num_rows,
        "settled": _count(pc.equal(markets.column("mark_by"), "settled")),
        "markouts": {name: markout(fills, name) for name in MARKS},
    }


def drawdown(equity: pa.Table, start_cash: int) -> int:
    """The most that equity ever lay below its highest value before (money)."""
    values = equity.column("equity").combine_chunks()
    if not len(values):
        return 0
    highest = pc.max_element_wise(pc.cumulative_max(values), start_cash)
    return max(int(pc.max(pc.subtract(highest, values)).as_py()), 0)


def markout(fills: pa.Table, name: str) -> dict[str, Any]:
    """What a filled contract had gained by this column, on average (price units), and for which share it is known."""
    known = fills.filter(pc.is_valid(fills.column(name)))
    contracts, whole = _sum(known, "count"), _sum(fills, "count")
    if not contracts:
        return {"mean": None, "share": None if not whole else 0.0}
    gain = pc.subtract(known.column(name).cast(pa.float64()), known.column("price").cast(pa.float64()))
    signed = pc.if_else(pc.equal(known.column("side"), "bid"), gain, pc.negate(gain))
    weighted = pc.sum(pc.multiply(signed, known.column("count").cast(pa.float64()))).as_py()
    return {"mean": round(weighted / contracts, 4), "share": round(contracts / whole, 4)}


def _open_value(tables: Mapping[str, pa.Table]) -> int:
    """Worth of what is still held, at its mark: the value of the last row of equity, earlier tapes included."""
    equity = tables["equity"]
    return equity.column("value")[-1].as_py() if equity.num_rows else 0


def _sum(table: pa.Table, name: str) -> int:
    return int(pc.sum(table.column(name)).as_py() or 0)


def _count(mask: Any) -> int:
    return int(pc.sum(mask).as_py() or 0)
