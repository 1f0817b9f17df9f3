"""What a run was worth, paid and did over time: the lines of the charts that span all of it.

Knows the tables of a result. Must not know tapes or how lines are drawn.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from replay.report import source
from replay.report.axis import place
from replay.report.parts import Activity, Axis, Equity, Line, Number, Span
from replay.report.thinning import Array, m4, steps

COLUMNS: Final = 1_200
"""Pixels that a line across the page is drawn with: as wide as the charts get."""

STRETCHES: Final = 120
"""Bars of the chart of activity: thinner ones cannot be told apart."""


def line_of(times: Array, values: Array, columns: int = COLUMNS) -> Line:
    """A line on a page: thinned, NaN as a hole."""
    kept = m4(times, values, columns)
    shown = values[kept]
    listed: Sequence[Number | None] = (
        shown.tolist() if shown.dtype.kind != "f" else [None if np.isnan(value) else value for value in shown.tolist()]
    )
    return Line(steps(times[kept]).tolist(), list(listed))


def pnl_of(equity: pa.Table, start_cash: int) -> Array:
    """Profit and loss at each row (money); nothing is known to be drawn or paid in."""
    return source.ints(equity, "equity") - start_cash


def drawdown_of(pnl: Array) -> Array:
    """How far below its best so far, the beginning included (money, never below 0)."""
    return np.maximum.accumulate(np.maximum(pnl, 0)) - pnl if len(pnl) else pnl


def equity_of(tables: Mapping[str, pa.Table], start_cash: int, axis: Axis) -> Equity:
    """The lines of money; empty ones where the run has no rows."""
    equity, fills = tables["equity"], tables["fills"]
    at = place(axis, source.ints(equity, "tape"), source.ints(equity, "at_ns"))
    pnl = pnl_of(equity, start_cash)
    fill_at = place(axis, source.ints(fills, "tape"), source.ints(fills, "at_ns"))
    fees, is_taker = source.ints(fills, "fee"), source.flags(fills, "is_taker")
    return Equity(
        pnl=line_of(at, pnl),
        before_fees=line_of(at, pnl + source.ints(equity, "fees")),
        drawdown=line_of(at, -drawdown_of(pnl)),
        maker_fees=line_of(fill_at, np.cumsum(np.where(is_taker, 0, fees))),
        taker_fees=line_of(fill_at, np.cumsum(np.where(is_taker, fees, 0))),
        exposure=line_of(at, source.ints(equity, "exposure")),
        untrusted=run_spans(tables["spans"], axis),
    )


def run_spans(spans: pa.Table, axis: Axis) -> list[Span]:
    """Where on the axis of the run something was not to be trusted: of any market, overlapping spans as one."""
    tape = source.ints(spans, "tape")
    begin = place(axis, tape, source.ints(spans, "from_ns"))
    end = place(axis, tape, source.ints(spans, "until_ns"))
    named = [
        f"{reason} ({market or 'all markets'})"
        for reason, market in zip(source.texts(spans, "reason"), source.texts(spans, "market"), strict=True)
    ]
    return merged(list(zip(begin.tolist(), end.tolist(), named, strict=True)))


def merged(spans: Sequence[Span]) -> list[Span]:
    """The same time in spans that do not overlap, in order; of several reasons the first and how many more."""
    found: list[tuple[int, int, list[str]]] = []
    for begin, end, why in sorted(spans):
        if found and begin <= found[-1][1]:
            before = found[-1]
            reasons = before[2] if why in before[2] else [*before[2], why]
            found[-1] = (before[0], max(before[1], end), reasons)
        else:
            found.append((begin, end, [why]))
    return [(begin, end, _first(reasons)) for begin, end, reasons in found]


def _first(reasons: Sequence[str]) -> str:
    more = len(reasons) - 1
    return f"{reasons[0]} and {more} more" if more else reasons[0]


def activity_of(tables: Mapping[str, pa.Table], axis: Axis) -> Activity:
    """Orders placed, fills and cancellations in each of STRETCHES stretches of the axis."""
    first, last = axis.parts[0].at, axis.parts[-1].until
    width = max(-(-(last - first) // STRETCHES), 1)
    orders, fills = tables["orders"], tables["fills"]
    canceled = orders.filter(pa.array([end == "canceled" for end in source.texts(orders, "end")], pa.bool_()))

    return Activity(
        at=[first + number * width for number in range(STRETCHES)],
        width=width,
        placed=_counts(axis, orders, "decided_ns"),
        fills=_counts(axis, fills, "at_ns"),
        canceled=_counts(axis, canceled, "ended_ns"),
    )


def _counts(axis: Axis, table: pa.Table, column: str) -> list[int]:
    """How many rows of a table fall into each stretch by their column of times."""
    first, last = axis.parts[0].at, axis.parts[-1].until
    width = max(-(-(last - first) // STRETCHES), 1)
    at = place(axis, source.ints(table, "tape"), source.ints(table, column))
    counts: list[int] = np.bincount(np.minimum((at - first) // width, STRETCHES - 1), minlength=STRETCHES).tolist()
    return counts
