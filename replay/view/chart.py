"""A market over a stretch of time: its best prices, its trades, and what was decided and filled in it.

Knows at which records the best prices are looked at, so that a chart has a bounded number of points. Must not know how
it is drawn. Prices come from the same books as everywhere: a player goes through the stretch.
"""

from typing import Any, Final

import msgspec
import numpy as np

from core.actions import Amend, Place, decode_decision
from core.messages import decode
from core.messages.types import Fill
from core.packed import Ints
from core.records import Kind
from replay.view.outline import Mark, mark_codes, marks_of
from replay.view.pages import Page, Pages
from replay.view.stands import Stands
from replay.view.wording import action_line

POINTS: Final = 1_500
"""Points of a line at most: more than a screen has room for."""

TRADES: Final = 2_000
"""Trades drawn at most; of more the largest."""

OURS: Final = 2_000
"""Decisions and fills drawn at most; of more the first."""

MOST_RECORDS: Final = 2_000_000
"""Records gone through for best prices: a second of work. A longer stretch has trades only, and says so."""

_BREAKS: Final = mark_codes((Mark.SESSION, Mark.CONNECTION, Mark.GAP))


def chart(pages: Pages, stands: Stands, market: str, span_ns: tuple[int, int], points: int) -> dict[str, Any]:
    """A market between two instants (Unix ns); about so many points. Lists of equal length by name; ms are Unix ms.

    quotes: {ms, bid, ask, bid_size, ask_size, trusted}, null where nobody bids; trades: {ms, seq, price, size, yes};
    fills: {ms, seq, price, size, yes}; decisions: {ms, seq, do, side, price, line}. last_ms: where the tape ends.
    partial: no quotes, too long.
    """
    first_seq, last_seq = pages.until(span_ns[0]), pages.until(span_ns[1])
    held = pages.between(first_seq, last_seq)
    partial = last_seq - first_seq > MOST_RECORDS
    points = min(max(points, 10), POINTS)
    seqs = np.empty(0, np.int64) if partial else _looked_at(held, market, span_ns, points)
    return {
        "market": market,
        "from_ms": span_ns[0] / 1e6,
        "until_ms": span_ns[1] / 1e6,
        "first_seq": first_seq,
        "last_seq": last_seq,
        "last_ms": pages.end_ns() / 1e6,
        "partial": partial,
        "quotes": _quotes(pages, stands, market, (first_seq, seqs)),
        "trades": _trades(held, market, span_ns),
        **_ours(held, market, span_ns),
    }


def _looked_at(held: list[Page], market: str, span_ns: tuple[int, int], points: int) -> Ints:
    """The last record of each cell of a grid of time that may have changed the market's book, or trust in it."""
    step_ns = max((span_ns[1] - span_ns[0]) // points, 1)
    seqs, cells = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for page in held:
        changes = page.of_market(market) & page.of_type("orderbook_delta", "orderbook_snapshot")
        rows = np.flatnonzero(changes | np.isin(marks_of(page), _BREAKS))
        rows = rows[(page.when[rows] >= span_ns[0]) & (page.when[rows] <= span_ns[1])]
        seqs.append(rows + page.first_seq)
        cells.append(page.when[rows] // step_ns)
    every, cell = np.concatenate(seqs), np.concatenate(cells)
    return every[np.flatnonzero(np.diff(cell, append=-1))]


def _quotes(pages: Pages, stands: Stands, market: str, looked: tuple[int, Ints]) -> dict[str, list[Any]]:
    first_seq, seqs = looked
    rows: list[tuple[Any, ...]] = []
    for seq in [first_seq, *seqs.tolist()] if len(seqs) else []:
        player = stands.at(seq, market, "chart")
        window = player.store.window(market, player.now_ns)
        quote = (window.bid, window.ask, window.bid_size, window.ask_size, window.is_trusted)
        if not rows or rows[-1][1:] != quote or seq == seqs[-1]:
            rows.append((pages.when(seq) / 1e6, *quote))
    names = ("ms", "bid", "ask", "bid_size", "ask_size", "trusted")
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def _trades(held: list[Page], market: str, span_ns: tuple[int, int]) -> dict[str, list[Any]]:
    parts: dict[str, list[Any]] = {"ms": [], "seq": [], "price": [], "size": [], "yes": []}
    for page in held:
        rows = np.flatnonzero(page.of_market(market) & page.of_type("trade"))
        rows = rows[(page.when[rows] >= span_ns[0]) & (page.when[rows] <= span_ns[1])]
        ints = page.columns.ints
        parts["ms"].append(page.when[rows] / 1e6)
        parts["seq"].append(rows + page.first_seq)
        parts["price"].append(ints["price"][rows])
        parts["size"].append(ints["size"][rows])
        parts["yes"].append(ints["side"][rows] == 1)
    whole = {name: np.concatenate(part) if part else np.empty(0) for name, part in parts.items()}
    kept = np.sort(np.argsort(-whole["size"], kind="stable")[:TRADES])
    return {name: column[kept].tolist() for name, column in whole.items()}


def _ours(held: list[Page], market: str, span_ns: tuple[int, int]) -> dict[str, dict[str, list[Any]]]:
    fills: list[tuple[Any, ...]] = []
    decisions: list[tuple[Any, ...]] = []
    wanted = mark_codes((Mark.DECISION, Mark.FILL))
    for page in held:
        rows = np.flatnonzero(np.isin(marks_of(page), wanted))
        for row in rows[(page.when[rows] >= span_ns[0]) & (page.when[rows] <= span_ns[1])].tolist():
            payload = page.payloads.at(row)
            place = (int(page.when[row]) / 1e6, page.first_seq + row)
            if page.kind[row] == Kind.DECISION:
                decisions += _decision(payload, market, place)
            else:
                message = decode(payload)
                if isinstance(message, Fill) and message.market == market:
                    fills.append((*place, message.price, message.count, message.side.value == "yes"))
    return {
        "fills": _columns(fills, ("ms", "seq", "price", "size", "yes")),
        "decisions": _columns(decisions, ("ms", "seq", "do", "side", "price", "line")),
    }


def _decision(payload: bytes, market: str, place: tuple[float, int]) -> list[tuple[Any, ...]]:
    try:
        decision = decode_decision(payload)
    except msgspec.DecodeError:
        return []
    action = decision.action
    if getattr(action, "market", "") != market:
        return []
    priced = action if isinstance(action, Place | Amend) else None
    do = type(action).__name__.lower()
    return [(*place, do, str(priced.side) if priced else "", priced.price if priced else None, action_line(action))]


def _columns(rows: list[tuple[Any, ...]], names: tuple[str, ...]) -> dict[str, list[Any]]:
    return {name: [row[place] for row in rows[:OURS]] for place, name in enumerate(names)}
