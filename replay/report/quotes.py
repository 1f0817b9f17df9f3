"""The best own bid and offer that rested in a market over time, from its orders and what was decided of them.

Knows the tables of a result. Must not know the book.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from replay.report import source
from replay.report.thinning import Array

BID: Final = "bid"


class Quotes(NamedTuple):
    """The best resting price from each time on; NaN = nothing rests."""

    times: Array
    prices: Array


class _Priced(msgspec.Struct):
    """What is needed of a place or amend decision."""

    do: str = ""
    client_order_id: str = ""
    price: int = 0


def price_paths(decisions: pa.Table) -> dict[str, list[tuple[int, int]]]:
    """(decided at, price) of each order's placing and amendments that were sent, by its id."""
    paths: dict[str, list[tuple[int, int]]] = defaultdict(list)
    decoder = msgspec.json.Decoder(_Priced)
    columns = (source.texts(decisions, name) for name in ("do", "refused", "action"))
    for do, refused, action, at_ns in zip(*columns, source.ints(decisions, "at_ns").tolist(), strict=True):
        if do in ("place", "amend") and not refused:
            found = decoder.decode(action)
            paths[found.client_order_id].append((at_ns, found.price))
    return paths


def resting(orders: pa.Table, paths: Mapping[str, list[tuple[int, int]]], until_ns: int) -> dict[str, Quotes]:
    """The best own price by side ("bid", "ask").

    An amended price counts from its decision on, later by as long as the order took to arrive: when the venue did it
    is in no table. orders: of one market in one tape; until_ns: its end, for what still rests.
    """
    changes: dict[str, list[tuple[int, str, float]]] = {BID: [], "ask": []}
    for side, key, price, arrived_ns, decided_ns, ended_ns in _rested(orders, until_ns):
        way_ns = arrived_ns - decided_ns
        path = [(at_ns + way_ns, at) for at_ns, at in paths.get(key, ()) if at_ns + way_ns < ended_ns]
        for at_ns, at in path or [(arrived_ns, price)]:
            changes[side].append((at_ns, key, at))
        changes[side].append((ended_ns, key, float("nan")))
    return {side: _best(sorted(found, key=lambda change: change[0]), side == BID) for side, found in changes.items()}


def _rested(orders: pa.Table, until_ns: int) -> Iterator[tuple[str, str, int, int, int, int]]:
    ended = source.ints(orders, "ended_ns", until_ns).tolist()
    arrived, decided = source.ints(orders, "arrived_ns").tolist(), source.ints(orders, "decided_ns").tolist()
    sides, keys = source.texts(orders, "side"), source.texts(orders, "client_order_id")
    prices, iocs = source.ints(orders, "price").tolist(), source.flags(orders, "ioc").tolist()
    rows = zip(sides, keys, prices, arrived, decided, ended, iocs, strict=True)
    for side, key, price, arrived_ns, decided_ns, ended_ns, ioc in rows:
        if arrived_ns and ended_ns > arrived_ns and not ioc:
            yield side, key, price, arrived_ns, decided_ns, ended_ns


def _best(changes: list[tuple[int, str, float]], is_bid: bool) -> Quotes:
    """Few orders of a side rest at once, so the best of them is looked for anew at each change."""
    prices: dict[str, float] = {}
    times: list[int] = []
    best: list[float] = []
    for at_ns, key, price in changes:
        if np.isnan(price):
            prices.pop(key, None)
        else:
            prices[key] = price
        found = (max(prices.values()) if is_bid else min(prices.values())) if prices else float("nan")
        if times and times[-1] == at_ns:
            best[-1] = found
        else:
            times.append(at_ns)
            best.append(found)
    return Quotes(np.array(times, np.int64), np.array(best, np.float64))
