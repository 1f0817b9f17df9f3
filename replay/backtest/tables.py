"""The tables of a backtest's result: their columns, types and units, one Parquet file each in a result directory.

Units: `_ns` Unix ns of the tape's clock (`now_ns`), prices 1/10,000 dollar on the yes scale, counts 1/100 contract,
money 1/1,000,000 dollar. Null = not known or does not apply; never 0 in its place. Rows are in the order of happening.
`tape`: number of the tape, from 0, in the order in which the result names them.
"""

from typing import Final

import pyarrow as pa

_TEXT: Final = pa.dictionary(pa.int32(), pa.string())


def _schema(*needed: tuple[str, pa.DataType], maybe: tuple[tuple[str, pa.DataType], ...] = ()) -> pa.Schema:
    fields = [pa.field(name, kind, nullable=False) for name, kind in needed]
    return pa.schema([*fields, *(pa.field(name, kind) for name, kind in maybe)])


I64: Final = pa.int64()

DECISIONS: Final = _schema(
    ("tape", pa.int32()),
    ("session", pa.int32()),  # of the tape, from 0
    ("number", I64),  # within the session, from 1
    ("cause", I64),  # seq of the tape's record because of which it was taken
    ("at_ns", I64),
    ("strategy", _TEXT),
    ("do", _TEXT),  # place, amend, cancel, subscribe, ...
    ("market", _TEXT),  # "" = none
    ("action", pa.string()),  # JSON, as in DECISION records
    ("refused", pa.string()),  # by the run's own limits; "" = was sent
)

ORDERS: Final = _schema(
    ("tape", pa.int32()),
    ("client_order_id", pa.string()),
    ("strategy", _TEXT),
    ("market", _TEXT),
    ("side", _TEXT),  # bid (buys yes), ask (buys no)
    ("price", pa.int32()),  # as last amended
    ("count", I64),  # as last amended
    ("post_only", pa.bool_()),
    ("ioc", pa.bool_()),
    ("decided_ns", I64),
    ("filled", I64),
    ("amendments", pa.int32()),
    ("fees", I64),
    ("end", pa.string()),  # executed, canceled, expired, refused:<code>, settled; resting = the tape ended first
    ("trusted", pa.bool_()),  # the book was, at arrival
    maybe=(
        ("arrived_ns", I64),  # at the venue
        ("answered_ns", I64),  # the strategy heard of it
        ("ended_ns", I64),
        ("ahead", I64),  # contracts of others ahead of it when it came to rest
    ),
)

FILLS: Final = _schema(
    ("tape", pa.int32()),
    ("at_ns", I64),  # at the venue
    ("told_ns", I64),  # the strategy heard of it
    ("seq", I64),  # of the tape's record that led to it
    ("trade_id", pa.string()),
    ("client_order_id", pa.string()),
    ("strategy", _TEXT),
    ("market", _TEXT),
    ("side", _TEXT),
    ("price", pa.int32()),
    ("count", I64),
    ("fee", I64),
    ("is_taker", pa.bool_()),
    ("position", I64),  # after it; + yes, - no
    ("cash", I64),  # after it, over all markets
    ("why", _TEXT),  # what led to it: trade, through, crossed, gap, took
    ("trusted", pa.bool_()),  # the book was, and nothing was known to be missing
    maybe=(
        ("rested_ns", I64),  # how long its order had rested
        ("mid", pa.float64()),  # mid price at the fill, price units; null = a side was empty
        ("mark_1s", pa.float64()),  # mid price so long after it
        ("mark_10s", pa.float64()),
        ("mark_60s", pa.float64()),
        ("settlement", pa.int32()),  # what a yes contract paid, where the tape says so
    ),
)

EQUITY: Final = _schema(
    ("tape", pa.int32()),
    ("at_ns", I64),
    ("cash", I64),
    ("value", I64),  # of all positions, as `Marks` says
    ("fees", I64),  # so far
    ("equity", I64),  # cash + value
    ("exposure", I64),  # money that could be lost by what is held and what rests
    ("orders", pa.int32()),  # resting
    ("trusted", pa.bool_()),  # every market held or quoted was
)
"""A row at every fill, settlement and change of trust, and one a second of the tape while anything is held or rests."""

POSITIONS: Final = _schema(
    ("tape", pa.int32()),
    ("at_ns", I64),
    ("market", _TEXT),
    ("position", I64),
    ("cost", I64),
    ("value", I64),
)
"""A row for each change of a position, and each settlement."""

SPANS: Final = _schema(
    ("tape", pa.int32()),
    ("from_ns", I64),
    ("until_ns", I64),
    ("reason", _TEXT),  # as gaps are named, or "no_snapshot"
    ("market", _TEXT),  # "" = all
)
"""Spans in which a book was not to be trusted, of markets that were quoted, held or asked for."""

MARKETS: Final = _schema(
    ("tape", pa.int32()),
    ("market", _TEXT),
    ("orders", I64),
    ("fills", I64),
    ("bought", I64),  # yes contracts
    ("sold", I64),
    ("fees", I64),
    ("pnl", I64),  # fees included; what is still held counted at its mark
    ("pnl_trusted", I64),
    ("pnl_untrusted", I64),  # the two add up to pnl
    ("position", I64),  # at the end of the tape, after settlement
    ("mark_by", _TEXT),  # settled, or how an open position was marked; "flat" = nothing was held
    ("fee_terms", pa.string()),  # fee_type:multiplier, told by the tape or supposed; several, one after the other
    maybe=(
        ("mark", pa.float64()),  # price units, of an open position
        ("settlement", pa.int32()),
        ("settled_ns", I64),
    ),
)

TABLES: Final = {
    "decisions": DECISIONS,
    "orders": ORDERS,
    "fills": FILLS,
    "equity": EQUITY,
    "positions": POSITIONS,
    "spans": SPANS,
    "markets": MARKETS,
}
