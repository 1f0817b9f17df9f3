"""The markets of a run: the table, which of them get a chart, and what is drawn of each.

Knows a result's tables and what `sights` saw on its tapes. Must not know how to read a tape.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa

from replay.report import source
from replay.report.axis import MS_NS
from replay.report.curves import line_of, merged
from replay.report.heat import heat_of
from replay.report.measures import edges_10s
from replay.report.parts import Chart, Fills, Line, MarketRow, RegimeRow, Span, Trades
from replay.report.quotes import Quotes, price_paths, resting
from replay.report.sights import Sight, Wanted
from replay.report.thinning import Array, steps, weightiest

CHARTS: Final = 24
"""Markets with charts: the busiest. A longer list is for a table; a page of 3 MB has no room for more."""

LEAST_MARGIN_NS: Final = 60_000_000_000
"""Shown before the first and after the last thing that we did in a market, or a fifth of that time if it is more."""

MARKS_A_COLUMN: Final = 1.5
"""Fills and trades drawn for each pixel of a chart's width: more lie on top of each other."""


class Place(NamedTuple):
    """A market in a tape."""

    tape: int
    market: str


def rows_of(markets: pa.Table, charted: Sequence[Place]) -> list[MarketRow]:
    """The table, the greatest gain or loss first."""
    marks, chart = source.floats(markets, "mark"), {place: number for number, place in enumerate(charted)}
    rows = []
    for row, mark in zip(markets.to_pylist(), marks.tolist(), strict=True):
        names = ("orders", "fills", "bought", "sold", "fees", "pnl", "pnl_trusted", "pnl_untrusted", "position")
        rows.append(
            MarketRow(
                tape=row["tape"],
                market=row["market"],
                chart=chart.get(Place(row["tape"], row["market"]), -1),
                mark_by=row["mark_by"],
                mark=None if np.isnan(mark) else mark,
                fee_terms=row["fee_terms"],
                **{name: row[name] for name in names},
            )
        )
    return sorted(rows, key=lambda row: (-abs(row.pnl), -row.orders, row.tape, row.market))


def chosen(markets: pa.Table) -> list[Place]:
    """The markets that get charts: the most fills, then the most orders, first."""
    order = sorted(
        markets.select(["tape", "market", "fills", "orders"]).to_pylist(),
        key=lambda row: (-row["fills"], -row["orders"], row["tape"], row["market"]),
    )
    return [Place(row["tape"], row["market"]) for row in order[:CHARTS]]


def span_of(tables: Mapping[str, pa.Table], place: Place, tape: Mapping[str, Any]) -> Wanted:
    """From when to when to show a market: where we did something in it and some more; the whole tape where nothing.

    What it paid after the tape's frames, by an answer that was imported, widens nothing.
    """
    first, last = int(tape["from_ns"]), int(tape["until_ns"])
    orders = source.of_market(tables["orders"], *place)
    if not orders.num_rows:
        return Wanted(place.market, first, last)
    positions = source.of_market(tables["positions"], *place)
    ended = source.ints(orders, "ended_ns", last)
    begin = int(source.ints(orders, "decided_ns").min())
    over = [*ended.tolist(), *source.ints(positions, "at_ns").tolist()]
    end = max((at_ns for at_ns in over if at_ns <= last), default=begin)
    margin = max(LEAST_MARGIN_NS, (end - begin) // 5)
    return Wanted(place.market, max(begin - margin, first), min(end + margin, last))


class Drawn(NamedTuple):
    """What a chart is made from. sight: None = no tape, and `missing` says why."""

    place: Place
    wanted: Wanted
    sight: Sight | None
    missing: str


def chart_of(tables: Mapping[str, pa.Table], drawn: Drawn, columns: int) -> Chart:
    """A market's chart, its lines thinned to so many pixels."""
    place, wanted, sight = drawn.place, drawn.wanted, drawn.sight
    orders = source.of_market(tables["orders"], *place)
    # Decisions to amend and place name their order: the other markets' do no harm.
    own = resting(orders, price_paths(source.of_market(tables["decisions"], *place)), wanted.until_ns)
    markets = source.of_market(tables["markets"], *place)
    settled = markets.column("settlement").to_pylist() if markets.num_rows else []
    return Chart(
        tape=place.tape,
        market=place.market,
        t=wanted.from_ns // MS_NS,
        until=-(-wanted.until_ns // MS_NS),
        bid=_price_line(sight, "yes_bid", columns),
        ask=_price_line(sight, "yes_ask", columns),
        own_bid=_quote_line(own["bid"], columns),
        own_ask=_quote_line(own["ask"], columns),
        fills=_fills(source.of_market(tables["fills"], *place), columns),
        trades=_trades(sight, columns),
        position=_positions(source.of_market(tables["positions"], *place), wanted, columns),
        heat=heat_of(sight.books) if sight else None,
        regimes=_regimes(sight),
        untrusted=_untrusted(tables["spans"], place, wanted),
        missing=drawn.missing,
        settlement=settled[0] if settled else None,
    )


def _price_line(sight: Sight | None, name: str, columns: int) -> Line:
    points = sight.prices if sight else []
    prices = np.array([np.nan if (price := getattr(point, name)) is None else price for point in points], np.float64)
    return line_of(_ms([point.now_ns for point in points]), prices, columns)


def _quote_line(quotes: Quotes, columns: int) -> Line:
    return line_of(quotes.times // MS_NS, quotes.prices, columns)


def _positions(positions: pa.Table, wanted: Wanted, columns: int) -> Line:
    if not positions.num_rows:
        return Line([], [])
    times = np.concatenate(([wanted.from_ns], source.ints(positions, "at_ns"), [wanted.until_ns]))
    held = source.ints(positions, "position")
    return line_of(np.maximum.accumulate(times) // MS_NS, np.concatenate(([0], held, held[-1:])), columns)


def _fills(fills: pa.Table, columns: int) -> Fills:
    times, counts = source.ints(fills, "at_ns"), source.ints(fills, "count")
    kept = weightiest(times, counts, int(MARKS_A_COLUMN * columns))
    table = fills.take(pa.array(kept))
    edges = edges_10s(table)
    return Fills(
        t=steps(times[kept] // MS_NS).tolist(),
        price=source.ints(table, "price").tolist(),
        count=source.ints(table, "count").tolist(),
        is_buy=[side == "bid" for side in source.texts(table, "side")],
        fee=source.ints(table, "fee").tolist(),
        is_taker=source.flags(table, "is_taker").tolist(),
        trusted=source.flags(table, "trusted").tolist(),
        why=source.texts(table, "why"),
        position=source.ints(table, "position").tolist(),
        mark_10s=[None if np.isnan(edge) else edge for edge in edges.tolist()],
        total=fills.num_rows,
    )


def _trades(sight: Sight | None, columns: int) -> Trades:
    trades = sight.trades if sight else []
    counts = np.array([trade.count for trade in trades], np.int64)
    times = np.array([trade.now_ns for trade in trades], np.int64)
    kept = weightiest(times, counts, columns)
    shown = [trades[at] for at in kept.tolist()]
    return Trades(
        t=steps(times[kept] // MS_NS).tolist(),
        price=[trade.price for trade in shown],
        count=[trade.count for trade in shown],
        is_yes=[trade.taker == "yes" for trade in shown],
        total=len(trades),
    )


def _ms(times: Sequence[int]) -> Array:
    found: Array = np.array(times, np.int64) // MS_NS
    return found


def _regimes(sight: Sight | None) -> list[Span]:
    if sight is None or not sight.regimes:
        return []
    ends = [since_ns for since_ns, _ in sight.regimes[1:]] + [sight.wanted.until_ns]
    return [
        (since_ns // MS_NS, end_ns // MS_NS, name) for (since_ns, name), end_ns in zip(sight.regimes, ends, strict=True)
    ]


def _untrusted(spans: pa.Table, place: Place, wanted: Wanted) -> list[Span]:
    found = [
        (max(row["from_ns"], wanted.from_ns) // MS_NS, min(row["until_ns"], wanted.until_ns) // MS_NS, row["reason"])
        for row in spans.to_pylist()
        if row["tape"] == place.tape and row["market"] in ("", place.market)
    ]
    return merged([span for span in found if span[0] <= span[1]])


def regime_rows(tables: Mapping[str, pa.Table], drawn: Sequence[Drawn]) -> list[RegimeRow]:
    """Each regime over all charted markets: its share of the time, and how fills in it did."""
    lasted: dict[str, int] = {}
    edges: dict[str, list[tuple[float, int]]] = {}
    for one in drawn:
        spans = _regimes(one.sight)
        for begin, end, name in spans:
            lasted[name] = lasted.get(name, 0) + end - begin
        fills = source.of_market(tables["fills"], *one.place)
        begins = np.array([begin for begin, _, _ in spans], np.int64)
        at = np.searchsorted(begins, source.ints(fills, "at_ns") // MS_NS, side="right") - 1
        for place, edge, count in zip(at.tolist(), edges_10s(fills).tolist(), source.ints(fills, "count"), strict=True):
            if place >= 0:
                edges.setdefault(spans[place][2], []).append((edge, int(count)))
    whole = sum(lasted.values())
    return [_regime_row(name, lasted[name] / max(whole, 1), edges.get(name, [])) for name in sorted(lasted)]


def _regime_row(name: str, share: float, edges: Sequence[tuple[float, int]]) -> RegimeRow:
    known = [(edge, count) for edge, count in edges if not np.isnan(edge)]
    money, contracts = sum(edge * count for edge, count in known), sum(count for _, count in known)
    return RegimeRow(name, share, len(edges), round(money / contracts, 3) if contracts else None, round(money))
