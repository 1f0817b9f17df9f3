"""A connection to tapes: their records as `internal.rows`, the functions, the views and the macros over them.

Knows how a connection is put together and what becomes of the cut it reads. Must not know who asks, nor how answers are
shown.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa

from capture.tape.errors import TapeError
from core.records import Kind
from replay import query
from replay.sql.cut import NO_ROWS, Cut, take_all
from replay.sql.functions import add_all
from replay.sql.macros import MACROS, Macro
from replay.sql.rare import BEHIND, RARE
from replay.sql.source import Source, hot_name, rows_of
from replay.sql.views import MARKET_DATA, View

VIEWS: Final = (*MARKET_DATA, *RARE)

_YES_SCALE: Final = re.compile(rb'use_yes_price"\s*:\s*true')
_AS_WRITTEN: Final = "(select *, price as own_price, no_price as own_no_price from internal.rows)"
_CONVERTED: Final = """(
    select r.*, if(scale.m.yes_price and side = 2, 10000 - price, price) as own_price,
        if(scale.m.yes_price, [10000 - p for p in no_price], no_price) as own_no_price
    from internal.rows r asof left join (select name as tape, unnest(_scales(name)) as m from internal.tapes) scale
    on scale.tape = r.tape and scale.m.connection = r.connection and scale.m.sid = r.sid and r.seq >= scale.m.seq
)"""
_TAPES: Final = pa.schema(
    [
        *((name, pa.string()) for name in ("name", "path", "environment", "ended")),
        *((name, pa.int64()) for name in ("records", "segments", "unsealed", "first_at_ns", "last_at_ns")),
    ]
)


def connect(*tapes: str | Path) -> query.Connection:
    """A DuckDB connection with the views and macros of docs/SQL.md over one or more tapes, as they are now.

    What is recorded later is not seen: connect again. Raises TapeError (no tape, of a newer format, damaged).
    """
    if not tapes:
        raise TapeError("name a tape, at least one")
    cuts = take_all([Path(tape) for tape in tapes])
    connection = query.connect()
    fill(connection, cuts)
    return connection


def fill(connection: query.Connection, cuts: Sequence[Cut]) -> Source:
    """Put the views over these cuts into a connection, in place of those over others; what its functions read."""
    source = Source(list(cuts))
    connection.execute("create schema if not exists internal")  # what views are made of is not listed beside them
    for number, cut in enumerate(cuts):
        create_table(connection, f"internal.{hot_name(number)}", cut.hot)
    # Views are made over no files at all: over real ones DuckDB would open them for each view.
    create_table(connection, "internal.none", NO_ROWS)
    connection.execute("create or replace view internal.rows as select '' as tape, * from internal.none")
    create_table(connection, "internal.tapes", pa.Table.from_pylist([_about(cut) for cut in cuts], schema=_TAPES))
    add_all(connection, source)
    own_prices = _CONVERTED if any(_has_yes_scale(cut, source) for cut in cuts) else _AS_WRITTEN
    for name, text in BEHIND:
        connection.execute(f"create or replace view internal.{name} as select * from {text}")
    for view in VIEWS:
        create_view(connection, view, own_prices)
    for macro in MACROS:
        create_macro(connection, macro)
    create_table(connection, "help", pa.Table.from_pylist(_help()))
    rows = " union all by name ".join(
        f"select {query.literal(cut.name)} as tape, * from ({rows_of(cut, f'internal.{hot_name(number)}')})"
        for number, cut in enumerate(cuts)
    )
    connection.execute(f"create or replace view internal.rows as {rows}")
    return source


def create_table(connection: query.Connection, name: str, rows: pa.Table) -> None:
    """Create a table of these rows: unlike Arrow's own, which a connection holds, its cursors see it too."""
    connection.register("_given", rows)
    connection.execute(f"create or replace table {name} as from _given")
    connection.unregister("_given")


def create_view(connection: query.Connection, view: View, own_prices: str) -> None:
    """Create a view."""
    columns = ", ".join(f"{column.sql} as {query.identifier(column.name)}" for column in view.columns)
    text = view.source.replace("{own_prices}", own_prices)
    connection.execute(f"create or replace view {view.name} as select {columns} from {text}")


def create_macro(connection: query.Connection, macro: Macro) -> None:
    """Create a macro."""
    kind = "" if macro.scalar else "table"
    connection.execute(f"create or replace macro {macro.name}({macro.parameters}) as {kind} ({macro.query})")


def _help() -> list[dict[str, str]]:
    """What there is to ask: a row for each column of each view, and for each macro."""
    columns = [
        {"name": view.name, "column": column.name, "says": column.says} for view in VIEWS for column in view.columns
    ]
    return columns + [{"name": f"{m.name}({m.parameters})", "column": "", "says": m.says} for m in MACROS]


def _about(cut: Cut) -> dict[str, object]:
    sealed, stamps = cut.tape.segments[: len(cut.files)], cut.hot.column("at_ns")
    first = [entry.first_ns for entry in sealed[:1]] or stamps[:1].to_pylist() or [None]
    last = stamps[-1:].to_pylist() or [entry.last_ns for entry in sealed[-1:]] or [None]
    return {
        "name": cut.name,
        "path": str(cut.path),
        "environment": cut.tape.environment,
        "ended": str(cut.tape.ended),
        "records": cut.last_seq + 1,
        "segments": len(cut.files),
        "unsealed": cut.hot.num_rows,
        "first_at_ns": first[0],
        "last_at_ns": last[0],
    }


def _has_yes_scale(cut: Cut, source: Source) -> bool:
    """Whether a subscription may write no-side prices on the yes scale: our own commands, or a cut's state, say so."""
    said = source.ask(cut.name, f"select payload from {{rows}} where kind in ({int(Kind.SENT)}, {int(Kind.SESSION)})")
    return any(_YES_SCALE.search(payload or b"") for payload in said.column("payload").to_pylist())
