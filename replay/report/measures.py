"""What orders and fills came to: mark-outs, outcomes, rates, distributions.

Knows the tables of a result. Must not know time axes or tapes. Counts 1/100 contract, prices 1/10,000 dollar, so that
their product is money in 1/1,000,000 dollar.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from replay.report import source
from replay.report.parts import Bins, Fact, MarkOut, MarkOuts, Outcome, Quantiles
from replay.report.thinning import Array
from replay.when import format_duration

HORIZONS: Final = (
    ("mid", "at the fill"),
    ("mark_1s", "1 s later"),
    ("mark_10s", "10 s later"),
    ("mark_60s", "60 s later"),
    ("settlement", "settlement"),
)
"""Columns of the table of fills, and how people call them."""

OURS: Final = frozenset({"executed", "canceled", "partly filled, then canceled"})


def mark_outs(fills: pa.Table) -> MarkOuts:
    """What fills were worth later, against what was paid: above 0 the price moved our way. Fees are not in it."""
    is_taker, trusted = source.flags(fills, "is_taker"), source.flags(fills, "trusted")
    everything = np.ones(fills.num_rows, bool)
    sorts = (("all", everything), ("maker", ~is_taker), ("taker", is_taker), ("book untrusted", ~trusted))
    edges = [_edges(fills, column) for column, _ in HORIZONS]
    counts = source.ints(fills, "count")
    rows = [_mark_out(name, mask, edges, counts) for name, mask in sorts if mask.any()]
    return MarkOuts([name for _, name in HORIZONS], rows)


def _edges(fills: pa.Table, column: str) -> Array:
    sign = np.where(np.array(source.texts(fills, "side")) == "bid", 1, -1) if fills.num_rows else np.zeros(0)
    edges: Array = sign * (source.floats(fills, column) - source.ints(fills, "price"))
    return edges


def edges_10s(fills: pa.Table) -> Array:
    """The mark-out of each fill after 10 s (price a contract), NaN where there was no price."""
    return _edges(fills, "mark_10s")


def _mark_out(name: str, mask: Array, edges: Sequence[Array], counts: Array) -> MarkOut:
    fills: list[int] = []
    means: list[float | None] = []
    errors: list[float | None] = []
    money: list[int] = []
    for edge in edges:
        is_known = mask & ~np.isnan(edge)
        values, weights = edge[is_known], counts[is_known]
        fills.append(int(is_known.sum()))
        money.append(round(float((values * weights).sum())))
        total = float(weights.sum())
        if not total:
            means.append(None)
            errors.append(None)
            continue
        mean = float((values * weights).sum()) / total
        means.append(round(mean, 3))
        # Standard error of a weighted mean (W. Cochran, "Sampling Techniques", 1977, of a ratio), none of one value.
        spread = float(np.sqrt((weights**2 * (values - mean) ** 2).sum())) / total
        errors.append(round(spread, 3) if len(values) > 1 else None)
    return MarkOut(name, fills, means, errors, money)


def outcomes(orders: pa.Table) -> list[Outcome]:
    """How orders ended, the commonest first."""
    filled, counts = source.ints(orders, "filled").tolist(), source.ints(orders, "count").tolist()
    ends = Counter(map(_ended, source.texts(orders, "end"), filled, counts))
    return [
        Outcome(name, count, count / orders.num_rows, name in OURS)
        for name, count in sorted(ends.items(), key=lambda item: (-item[1], item[0]))
    ]


def _ended(end: str, filled: int, count: int) -> str:
    if end == "canceled" and 0 < filled < count:
        return "partly filled, then canceled"
    return end.replace("refused:", "refused: ") if end.startswith("refused:") else end


def rates(orders: pa.Table, fills: pa.Table, spans_ns: int) -> list[Fact]:
    """What share of orders came to what; spans_ns: how long the tapes are together."""
    count = orders.num_rows
    if not count:
        return []
    filled, asked = source.ints(orders, "filled"), source.ints(orders, "count")
    ends = Counter(end.partition(":")[0] for end in source.texts(orders, "end"))
    arrived = int(source.known(orders, "arrived_ns").sum())
    minutes = spans_ns / 60e9
    return [
        Fact("orders with a fill", _share(int((filled > 0).sum()), count)),
        Fact("contracts filled of those asked for", _share(int(filled.sum()), int(asked.sum()))),
        Fact("cancelled", _share(ends["canceled"], count)),
        Fact("refused", _share(ends["refused"], count)),
        Fact("reached the venue", _share(arrived, count)),
        Fact("amendments an order", f"{float(source.ints(orders, 'amendments').mean()):.2f}"),
        Fact("orders a minute", f"{count / minutes:.1f}" if minutes else "unknown"),
        Fact("fills that took", _share(int(source.flags(fills, "is_taker").sum()), fills.num_rows)),
    ]


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "none"


QUEUE_EDGES: Final = (1, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000)
"""Contracts ahead, in 1/100: 0, then up to 10, 30, 100 ... contracts."""

QUEUE_LABELS: Final = ("0", "<10", "10", "30", "100", "300", "1k", "3k", "10k", "30k+")


def queue(orders: pa.Table) -> Bins:
    """How much was ahead of orders when they came to rest, of all of them and of those that were filled at all."""
    is_known = source.known(orders, "ahead")
    ahead = source.ints(orders, "ahead")[is_known]
    filled = source.ints(orders, "filled")[is_known] > 0
    return _bins(QUEUE_LABELS, np.array(QUEUE_EDGES), {"filled": ahead[filled], "never filled": ahead[~filled]})


TIME_EDGES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000)
"""ms."""

TIME_LABELS: Final = (
    "<1 ms", "1", "2", "5", "10", "20", "50", "100", "200", "500 ms", "1 s", "2 s", "5 s", "10 s", "30 s", "1 min",
    "5 min+",
)  # fmt: skip


def wait(fills: pa.Table) -> Bins:
    """How long orders had rested when they were filled."""
    rested = source.ints(fills, "rested_ns")[source.known(fills, "rested_ns")]
    return _trimmed(_bins(TIME_LABELS, np.array(TIME_EDGES) * 1_000_000, {"rested": rested}))


def latencies(orders: pa.Table, fills: pa.Table) -> dict[str, Array]:
    """Spans (ns) between a decision and its order's arrival, its answer, and between a fill and hearing of it."""
    decided = source.ints(orders, "decided_ns")
    found = {}
    for name, column in (("decision to venue", "arrived_ns"), ("decision to answer", "answered_ns")):
        is_known = source.known(orders, column)
        found[name] = source.ints(orders, column)[is_known] - decided[is_known]
    found["fill to strategy"] = source.ints(fills, "told_ns") - source.ints(fills, "at_ns")
    return {name: spans for name, spans in found.items() if len(spans)}


def latency(orders: pa.Table, fills: pa.Table) -> Bins:
    """The distribution of each latency."""
    found = latencies(orders, fills)
    return _trimmed(_bins(TIME_LABELS, np.array(TIME_EDGES) * 1_000_000, found)) if found else Bins([], [], [])


def quantiles(orders: pa.Table, fills: pa.Table) -> list[Quantiles]:
    """Latencies, time to fill and contracts ahead in numbers."""
    rows = [_quantiles(name, spans, _duration) for name, spans in latencies(orders, fills).items()]
    rested = source.ints(fills, "rested_ns")[source.known(fills, "rested_ns")]
    ahead = source.ints(orders, "ahead")[source.known(orders, "ahead")]
    rows.append(_quantiles("rested before a fill", rested, _duration))
    rows.append(_quantiles("contracts ahead at rest", ahead, lambda count: f"{count / 100:,.0f}"))
    return [row for row in rows if row.n]


def _duration(span_ns: float) -> str:
    return f"{span_ns / 1e6:.3g} ms" if 0 < span_ns < 1e9 else format_duration(int(span_ns))


def _quantiles(name: str, values: Array, say: Callable[[float], str]) -> Quantiles:
    if not len(values):
        return Quantiles(name, 0, "", "", "", "")
    median, p90, p99, most = (float(value) for value in np.quantile(values, (0.5, 0.9, 0.99, 1.0), method="lower"))
    return Quantiles(name, len(values), say(median), say(p90), say(p99), say(most))


def _bins(labels: Sequence[str], edges: Array, values: Mapping[str, Array]) -> Bins:
    counts = [
        np.bincount(np.searchsorted(edges, found, side="right"), minlength=len(labels)).tolist()
        for found in values.values()
    ]
    return Bins(list(labels), list(values), counts) if any(map(any, counts)) else Bins([], [], [])


def _trimmed(bins: Bins) -> Bins:
    """Without the empty bins at both ends, but for one."""
    used = [at for at in range(len(bins.labels)) if any(counts[at] for counts in bins.counts)]
    if not used:
        return Bins([], [], [])
    span = slice(max(used[0] - 1, 0), used[-1] + 2)
    return Bins(bins.labels[span], bins.names, [counts[span] for counts in bins.counts])
