"""Four questions to a sealed tape by DuckDB, to the same frames in packed JSON by DuckDB, and to SQLite with an index.

A fresh connection each time, files in the page cache. All three must give the same rows. SQLite's table has one row for
a level of a snapshot and an index over market, type and number; making it is not timed.
"""

import json
import sqlite3
import statistics
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Final

import duckdb

from benchmarks.measure import REPETITIONS, ratio, seconds, show
from benchmarks.prepare import units
from benchmarks.workload import Workload, inputs, synthetic

Answer = list[tuple[Any, ...]]

ROUNDS: Final = max(REPETITIONS, 3)
MINUTE_US: Final = 60_000_000

LAST_TRADE: Final = """
    select market, arg_max(price, seq), arg_max(size, seq) from frames where type = 'trade'
    group by market order by market
"""
CANDLES: Final = """
    select us // 60000000 as minute, arg_min(price, seq), max(price), min(price), arg_max(price, seq)
    from frames where type = 'trade' and market = $market group by minute order by minute
"""
BOOK: Final = """
    with start as (
        select max(seq) as seq from frames where type = 'orderbook_snapshot' and market = $market and seq <= $seq
    ), shown as (
        select * from frames where type = 'orderbook_snapshot' and market = $market and seq = (select seq from start)
    ), levels as (
        select 1 as side, unnest(yes_price) as price, unnest(yes_size) as size from shown
        union all select 2, unnest(no_price), unnest(no_size) from shown
        union all select side, price, size from frames where type = 'orderbook_delta' and market = $market
            and seq > (select seq from start) and seq <= $seq
    )
    select side, price, sum(size)::bigint as size from levels
    group by side, price having sum(size) > 0 order by side, price
"""
COUNTS: Final = "select type, count(*) from frames where type is not null group by type order by type"

TAPE: Final = """
    select type, market, side, price, size, exchange_seq as seq, exchange_us as us,
        yes_price, yes_size, no_price, no_size
    from '{tape}/data/*/*.parquet'
"""
PACKED: Final = """
    select type, seq, msg.market_ticker as market, if(msg.side = 'yes', 1, 2) as side, msg.ts_ms * 1000 as us,
        (coalesce(msg.price_dollars, msg.yes_price_dollars) * 10000)::int as price,
        (coalesce(msg.delta_fp, msg.count_fp) * 100)::bigint as size,
        [(level[1]::decimal(9, 4) * 10000)::int for level in msg.yes_dollars_fp] as yes_price,
        [(level[2]::decimal(18, 2) * 100)::bigint for level in msg.yes_dollars_fp] as yes_size,
        [(level[1]::decimal(9, 4) * 10000)::int for level in msg.no_dollars_fp] as no_price,
        [(level[2]::decimal(18, 2) * 100)::bigint for level in msg.no_dollars_fp] as no_size
    from read_ndjson('{packed}', columns = {{type: 'varchar', seq: 'bigint', msg: 'struct(
        market_ticker varchar, side varchar, ts_ms bigint, price_dollars decimal(9, 4), yes_price_dollars decimal(9, 4),
        delta_fp decimal(18, 2), count_fp decimal(18, 2), yes_dollars_fp varchar[][], no_dollars_fp varchar[][])'}})
"""

SQLITE: Final = {
    LAST_TRADE: "select market, price, size from (select market, price, size, max(seq) from frames where type = 'trade'"
    " group by market) order by market",
    CANDLES: "select distinct us / 60000000 as minute, first_value(price) over up, max(price) over minute,"
    " min(price) over minute, first_value(price) over down from frames where type = 'trade' and market = :market"
    " window minute as (partition by us / 60000000), up as (partition by us / 60000000 order by seq),"
    " down as (partition by us / 60000000 order by seq desc) order by minute",
    BOOK: "with start as (select max(seq) as seq from frames where type = 'orderbook_snapshot' and market = :market"
    " and seq <= :seq) select side, price, sum(size) from ("
    " select side, price, size from frames where market = :market and type = 'orderbook_snapshot'"
    " and seq = (select seq from start) union all"
    " select side, price, size from frames where market = :market and type = 'orderbook_delta'"
    " and seq > (select seq from start) and seq <= :seq"
    ") group by side, price having sum(size) > 0 order by side, price",
    COUNTS: "select type, count(distinct number) from frames group by type order by type",
}
QUESTIONS: Final = {
    "last trade of each market": (LAST_TRADE, ()),
    "1-minute candles of a market": (CANDLES, ("market",)),
    "book of a market at an instant": (BOOK, ("market", "seq")),
    "frames by type": (COUNTS, ()),
}


def by_duckdb(source: str, query: str, values: dict[str, Any]) -> Answer:
    """Ask files."""
    with duckdb.connect() as connection:
        connection.execute(f"create view frames as {source}")
        return connection.execute(query, values or None).fetchall()


def by_sqlite(path: Path, query: str, values: dict[str, Any]) -> Answer:
    """Ask the table."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(SQLITE[query], values).fetchall()


def fill(path: Path, lines: Path) -> None:
    """Make the table of the frames, when it is not there."""
    if path.exists():
        return
    with closing(sqlite3.connect(path)) as connection, lines.open("rb") as frames:
        connection.execute("create table frames (number, type, market, seq, us, side, price, size, raw)")
        for number, line in enumerate(frames):
            rows = [(number, *row, line) for row in rows_of(json.loads(line))]
            connection.executemany("insert into frames values (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        connection.execute("create index by_market on frames (market, type, seq)")
        connection.execute("create index by_type on frames (type)")
        connection.commit()


def rows_of(frame: dict[str, Any]) -> Answer:
    """A frame as rows of the table: type, market, seq, us, side, price, size."""
    kind, msg = frame["type"], frame["msg"]
    market, seq = msg.get("market_ticker"), frame.get("seq")
    us = msg["ts_ms"] * 1000 if "ts_ms" in msg else None
    if kind == "orderbook_delta":
        side = 1 if msg["side"] == "yes" else 2
        return [(kind, market, seq, us, side, units(msg["price_dollars"], 4), units(msg["delta_fp"], 2))]
    if kind == "trade":
        return [(kind, market, seq, us, None, units(msg["yes_price_dollars"], 4), units(msg["count_fp"], 2))]
    if kind == "orderbook_snapshot":
        return [
            (kind, market, seq, us, side, units(price, 4), units(size, 2))
            for side, key in ((1, "yes_dollars_fp"), (2, "no_dollars_fp"))
            for price, size in msg.get(key, ())
        ]
    return [(kind, market, seq, us, None, None, None)]


def ask(workload: Workload) -> None:
    """Print how long each question takes of each of the three."""
    table = workload.place / "frames.sqlite"
    fill(table, workload.place / "frames.jsonl")
    tape, packed = TAPE.format(tape=workload.tape), PACKED.format(packed=workload.place / "frames.jsonl.gz")
    known = {"market": workload.markets[0], "seq": workload.frames // 2}
    rows = []
    for name, (query, wanted) in QUESTIONS.items():
        values = {key: known[key] for key in wanted}
        cases: dict[str, Callable[[], Answer]] = {
            "tape": partial(by_duckdb, tape, query, values),
            "gzip": partial(by_duckdb, packed, query, values),
            "sqlite": partial(by_sqlite, table, query, values),
        }
        answers = [run() for run in cases.values()]
        assert answers[0] and answers[0] == answers[1] == answers[2], f"{name}: the answers differ"
        took: dict[str, list[float]] = {case: [] for case in cases}
        for _ in range(ROUNDS):
            for case, run in cases.items():
                took[case].append(seconds(run))
        medians = {case: statistics.median(values) for case, values in took.items()}
        cells = [f"{medians[case] * 1e3:.1f}" for case in cases]
        rows.append([name, *cells, *(ratio(medians[case], medians["tape"]) for case in ("gzip", "sqlite"))])
    sizes = [sum(path.stat().st_size for path in workload.tape.rglob("*.parquet"))]
    sizes += [path.stat().st_size for path in (workload.place / "frames.jsonl.gz", table)]
    per_frame = [f"{size / workload.frames:.1f}" for size in sizes]
    rows.append(["bytes a frame", *per_frame, *(ratio(size, sizes[0]) for size in sizes[1:])])
    header = (f"ms, {workload.frames:,} frames", "tape", "JSON, gzip", "SQLite", "gzip/tape", "SQLite/tape")
    notes = [f"DuckDB {duckdb.__version__}, SQLite {sqlite3.sqlite_version}; medians of {ROUNDS}, taking turns"]
    show("Queries", header, rows, [*notes, "all three give the same rows; the tape also keeps the times of receipt"])


def main() -> None:
    """Ask the synthetic frames."""
    with inputs() as place:
        ask(synthetic(place))


if __name__ == "__main__":
    main()
