"""The cookbook of docs/SQL.md asked of a sealed tape, of the same frames as packed lines of JSON, and of SQLite.

The frames are the recordings joined and repeated (made ones with --quick). A fresh connection each time, files in the
page cache. The lines are asked by DuckDB's own reader of JSON, several files at once; SQLite has the columns that the
questions need, indexes over them and the levels of snapshots in a table of their own; loading it is told apart. All
three must give the same answers. Then `book_at` at random instants of the longest tape.
"""

import json
import random
import sqlite3
import statistics
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

import duckdb

from benchmarks import workload
from benchmarks.measure import QUICK, REPETITIONS, ratio, show
from benchmarks.questions import Known, Question, Row, Rows, plain, questions, same
from benchmarks.rooms import ROOT
from replay import query
from replay.sql import connect

SIZES: Final = (5_000,) if QUICK else (1_000_000, 10_000_000)
INSTANTS: Final = 3 if QUICK else 20
GOAL: Final = 30.0
"""How many times quicker than packed lines an answer about the longest tape is to be; there is none against SQLite."""

BOOK_LIMIT_S: Final = 1.0
"""A book anywhere in the longest tape."""

PACKED: Final = """
    create view lines as select n as seq, recv_ns as at_ns, conn as connection, frame.type as type, frame.msg as msg
    from read_ndjson([{files}], columns = {{n: 'bigint', recv_ns: 'bigint', conn: 'integer', frame: 'struct(
        type varchar, msg struct(market_ticker varchar, side varchar, taker_side varchar, ts varchar, ts_ms bigint,
        time varchar, price_dollars decimal(9, 4), yes_price_dollars decimal(9, 4), delta_fp decimal(18, 2),
        count_fp decimal(18, 2), yes_dollars_fp varchar[][], no_dollars_fp varchar[][]))'}});
    create view frames as select seq, at_ns, connection, type, msg.market_ticker as market,
        coalesce(msg.side, msg.taker_side) as side,
        (case type when 'orderbook_delta' then msg.price_dollars when 'trade' then msg.yes_price_dollars end
            * 10000)::int as price,
        (case type when 'orderbook_delta' then msg.delta_fp when 'trade' then msg.count_fp end * 100)::bigint as size,
        case when msg.ts like '%T%' then epoch_us(msg.ts::timestamp) when msg.time is not null
            then epoch_us(msg.time::timestamp) else msg.ts_ms * 1000 end as us,
        msg.yes_dollars_fp as yes_levels, msg.no_dollars_fp as no_levels
    from lines;
"""


class Input(NamedTuple):
    """The same frames thrice. about: how many, CPU seconds of making the tape and the table."""

    tape: Path
    lines: tuple[Path, ...]
    table: Path
    about: dict[str, Any]


class Took(NamedTuple):
    """One answer: seconds by the wall, CPU seconds of all threads, and what it was."""

    wall_s: float
    cpu_s: float
    rows: Rows


def prepared(place: Path, frames: int) -> Input | None:
    """The recordings repeated, made when they are not there; None without recordings."""
    source = workload.synthetic(place) if QUICK else workload.real(place)
    if source is None:
        return None
    where = place / f"repeated-{frames}"
    if not (where / "about.json").exists():
        command = [sys.executable, "-m", "benchmarks.repeated", str(where), str(source.tape), str(frames)]
        subprocess.run(command, cwd=ROOT, check=True)
    about = json.loads((where / "about.json").read_text(encoding="utf-8"))
    return Input(where / "tape", tuple(sorted((where / "lines").iterdir())), where / "frames.sqlite", about)


def by_tape(made: Input, question: Question, known: Known) -> Callable[[], Rows]:
    """Ask the tape; the answer as whole numbers."""
    given = {"market": known.market, "at": known.at_ns}
    values = {name: value for name, value in given.items() if f"${name}" in question.query}
    with connect(made.tape) as connection:
        table = connection.sql(question.query, params=values).to_arrow_table()
    return partial(plain, table, question.columns)


def by_packed(made: Input, question: Question, known: Known) -> Callable[[], Rows]:
    """Ask the lines."""
    with duckdb.connect() as connection:
        connection.execute(PACKED.format(files=", ".join(query.literal(str(path)) for path in made.lines)))
        return partial(_as_is, question.packed(lambda text: connection.execute(text).fetchall(), known))


def by_sqlite(made: Input, question: Question, known: Known) -> Callable[[], Rows]:
    """Ask the table."""
    with closing(sqlite3.connect(made.table)) as connection:
        return partial(_as_is, question.sqlite(partial(_asked, connection), known))


def _asked(connection: sqlite3.Connection, text: str) -> Rows:
    return connection.execute(text.replace("//", "/")).fetchall()


def _as_is(rows: Rows) -> Rows:
    return rows


WAYS: Final = {"tape": by_tape, "packed": by_packed, "SQLite": by_sqlite}


def took(work: Callable[[], Callable[[], Rows]]) -> Took:
    """Have an answer made; its form for comparison is not timed."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    rows = work()
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    return Took(wall_s, cpu_s, same(rows()))


def subject(made: Input) -> Known:
    """The busiest market with trades, an instant in the middle of its deltas, the end of the tape."""
    with connect(made.tape) as connection:
        ((market,),) = connection.execute("select market from markets order by trades desc, market limit 1").fetchall()
        changes = connection.execute("select at_ns from deltas where market = ? order by seq", [market]).fetchall()
        (at_ns,) = changes[len(changes) // 2]
        ((end_ns,),) = connection.execute("select last_ns from tapes").fetchall()
    return Known(market, at_ns, end_ns)


def ask(made: Input) -> None:
    """Print how long each question takes of each of the three, and which miss the goal."""
    known, frames, table = subject(made), made.about["frames"], list[list[str]]()
    reached = []
    for question in questions():
        runs: dict[str, list[Took]] = {way: [] for way in WAYS}
        for _ in range(REPETITIONS):
            for way, work in WAYS.items():
                runs[way].append(took(partial(work, made, question, known)))
        answers = [run.rows for each in runs.values() for run in each]
        assert all(rows == answers[0] for rows in answers), f"{question.name}: the answers differ"
        wall = {way: statistics.median(run.wall_s for run in each) for way, each in runs.items()}
        cpu = {way: statistics.median(run.cpu_s for run in each) for way, each in runs.items()}
        reached.append(cpu["packed"] / cpu["tape"])
        table.append(
            [
                question.name,
                *(_spread([run.wall_s for run in runs[way]]) for way in WAYS),
                *(ratio(wall[way], wall["tape"]) for way in ("packed", "SQLite")),
                *(ratio(cpu[way], cpu["tape"]) for way in ("packed", "SQLite")),
                f"{len(answers[0]):,}",
                sha256(repr(answers[0]).encode()).hexdigest()[:8],
            ]
        )
    header = (
        f"ms, {frames:,} frames", "tape", "JSON, gzip", "SQLite", "gzip/tape", "SQLite/tape", "gzip/tape, CPU",
        "SQLite/tape, CPU", "rows", "of all three",
    )  # fmt: skip
    show("The cookbook", header, table, _notes(made))
    if frames == SIZES[-1] and not QUICK:
        below = [f"{row[0]} {value:.1f}x" for row, value in zip(table, reached, strict=True) if value < GOAL]
        text = f"goal: {GOAL:g}x against packed lines, by CPU; missed by {', '.join(below) or 'none'}"
        print(textwrap.indent(textwrap.fill(text, 110), "  "))


def _spread(seconds: list[float]) -> str:
    middle, least, most = statistics.median(seconds) * 1e3, min(seconds) * 1e3, max(seconds) * 1e3
    return f"{middle:,.0f} ({least:,.0f}-{most:,.0f})"


def _notes(made: Input) -> list[str]:
    sizes = {
        "tape": sum(path.stat().st_size for path in made.tape.rglob("*.parquet")),
        "gzip": sum(path.stat().st_size for path in made.lines),
        "SQLite": made.table.stat().st_size,
    }
    frames, made_s, loaded_s = made.about["frames"], made.about["import_cpu_s"], made.about["sqlite_cpu_s"]
    return [
        f"DuckDB {duckdb.__version__}, SQLite {sqlite3.sqlite_version}; medians of {REPETITIONS}, least and most",
        "bytes a frame: " + ", ".join(f"{name} {size / frames:.1f}" for name, size in sizes.items()),
        f"CPU s that are not counted: making the tape {made_s:.1f}, loading SQLite from the lines {loaded_s:.1f}",
    ]


def books(made: Input) -> None:
    """Print how long `book_at` takes at random instants, of a random market each, by a fresh connection and by one."""
    dice = random.Random(0)
    with connect(made.tape) as connection:
        markets = connection.execute("select market, first_ns, last_ns from markets order by market").fetchall()
        asked = [_instant(dice, dice.choice(markets)) for _ in range(INSTANTS)]
        kept = [took(partial(_book, connection, *at)) for at in asked]
    fresh = [took(partial(_fresh_book, made, *at)) for at in asked]
    assert [run.rows for run in fresh] == [run.rows for run in kept]
    rows = []
    for name, runs in (("a new connection each", fresh), ("one connection", kept)):
        wall, cpu = [run.wall_s for run in runs], [run.cpu_s for run in runs]
        cells = (statistics.median(wall), max(wall), statistics.median(cpu), max(cpu))
        rows.append([name, *(f"{value * 1e3:,.0f}" for value in cells)])
    header = (f"ms, {made.about['frames']:,} frames", "median", "most", "CPU, median", "CPU, most")
    worst = max(run.wall_s for run in fresh)
    notes = [f"{INSTANTS} instants, {len(markets)} markets; goal: {BOOK_LIMIT_S:g} s at most, {worst:.2f} s measured"]
    show("book_at anywhere", header, rows, notes)


def _instant(dice: random.Random, market: Row) -> tuple[str, int]:
    return market[0], dice.randrange(market[1], market[2] + 1)


def _book(connection: query.Connection, market: str, at_ns: int) -> Callable[[], Rows]:
    rows = connection.execute("from book_at(?, ?)", [market, at_ns]).fetchall()
    return partial(_as_is, rows)


def _fresh_book(made: Input, market: str, at_ns: int) -> Callable[[], Rows]:
    with connect(made.tape) as connection:
        return _book(connection, market, at_ns)


def main() -> None:
    """Ask all sizes."""
    with workload.inputs() as place:
        found = [made for frames in SIZES if (made := prepared(place, frames)) is not None]
        for made in found:
            ask(made)
        if found:
            books(found[-1])
        else:
            print("no recordings lie beside the project: nothing to ask")


if __name__ == "__main__":
    main()
