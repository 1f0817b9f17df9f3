"""What a cut carries over from before its first record: connections and store, as JSON in its SESSION.

Knows how to reduce it to the markets and the connections that the cut keeps. Must not know tapes.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from core.gaps import OpenGap
from core.session import SavedConnections
from core.store import SavedStore


class Base(msgspec.Struct):
    """State to go on from: everything that a SESSION resets."""

    connections: SavedConnections
    store: SavedStore


def to_json(base: Base, markets: Iterable[str] = (), connections: Iterable[int] = ()) -> Any:
    """JSON-able and canonical; of these markets and connections only when any are named.

    A book that a connection kept which is not named has no owner any more, as if that one had ended.
    """
    kept, heard = set(markets), set(connections)
    whole = msgspec.to_builtins(base, str_keys=True, order="deterministic")
    if not kept and not heard:
        return whole
    reduced = from_json(whole)
    if kept:
        reduced = _reduced(reduced, kept)
    if heard:
        reduced = _heard(reduced, heard)
    return msgspec.to_builtins(reduced, str_keys=True, order="deterministic")


def from_json(value: Any) -> Base:
    """The base that `to_json` gave; msgspec.ValidationError when it is none."""
    return msgspec.convert(value, Base, str_keys=True)


def _reduced(base: Base, kept: set[str]) -> Base:
    store, connections = base.store, base.connections
    store.markets = tuple(entry for entry in store.markets if entry.view.market in kept)
    trade_ids = {trade.trade_id for entry in store.markets for trade in entry.view.trades}
    store.trade_ids = tuple(trade_id for trade_id in store.trade_ids if trade_id in trade_ids)
    for connection in connections.connections:
        for subscription in connection.subscriptions.values():
            subscription.markets = {m: has_book for m, has_book in subscription.markets.items() if m in kept}
    connections.open_gaps = tuple(
        _reduced_gap(entry, kept)
        for entry in connections.open_gaps
        if not entry.gap.markets or kept.intersection(entry.waiting or entry.gap.markets)
    )
    return base


def _heard(base: Base, kept: set[int]) -> Base:
    store, connections = base.store, base.connections
    for entry in store.markets:
        if entry.view.owner is not None and entry.view.owner[0] not in kept:
            entry.view = msgspec.structs.replace(entry.view, owner=None, trusted=False)
    connections.connections = tuple(entry for entry in connections.connections if entry.number in kept)
    connections.open_gaps = tuple(
        entry for entry in connections.open_gaps if entry.gap.connection in kept or not entry.gap.connection
    )
    return base


def _reduced_gap(entry: OpenGap, kept: set[str]) -> OpenGap:
    markets = tuple(market for market in entry.gap.markets if market in kept)
    waiting = tuple(market for market in entry.waiting if market in kept)
    return msgspec.structs.replace(entry, gap=msgspec.structs.replace(entry.gap, markets=markets), waiting=waiting)
