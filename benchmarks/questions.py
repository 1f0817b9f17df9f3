"""The questions of docs/SQL.md's cookbook, and the same asked of lines of JSON and of SQLite.

Both of these are asked in SQL too: of `frames` and `levels`, a view over the packed lines in the one, tables with
indexes in the other. Where SQL cannot keep a book, a loop over the rows of its market does, the same for both. Answers
are compared as whole numbers; what frames alone do not tell (titles, trust of candles) is left out of that.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.measure import quantile
from benchmarks.prepare import units

Row = tuple[Any, ...]
Rows = list[Row]
Ask = Callable[[str], Rows]
"""Rows of a query; "//" divides whole numbers."""

MINUTE_NS: Final = 60 * 10**9
NEAR_E4: Final = 500
DOLLAR_E4: Final = 10_000
DEPTH_NS: Final = 10 * 10**9

_COOKBOOK: Final = (Path(__file__).resolve().parents[1] / "docs" / "SQL.md").read_text(encoding="utf-8")
_ENTRY: Final = re.compile(r"^(\d+)\. (.*?)(?=^\d+\. |\Z)", re.MULTILINE | re.DOTALL)
_SQL: Final = re.compile(r"```sql\n(.*?)\n```", re.DOTALL)


class Known(NamedTuple):
    """What the questions are about: a market, an instant within its life, the end of the tape."""

    market: str
    at_ns: int
    end_ns: int


class Question(NamedTuple):
    """One. query: ours. columns: of its answer, those that are compared. packed, sqlite: the same by others."""

    name: str
    query: str
    columns: tuple[str, ...]
    packed: Callable[[Ask, Known], Rows]
    sqlite: Callable[[Ask, Known], Rows]


def cookbook() -> dict[str, str]:
    """Queries by number; "10a" and "10b" where a question has two."""
    found = {}
    for number, text in _ENTRY.findall(_COOKBOOK.partition("\n## Cookbook\n")[2]):
        queries = _SQL.findall(text)
        for letter, query in zip("ab", queries, strict=False):
            found[number + (letter if len(queries) > 1 else "")] = query
    return found


def both(text: str) -> tuple[Callable[[Ask, Known], Rows], Callable[[Ask, Known], Rows]]:
    """One text for both."""

    def _ask(ask: Ask, known: Known) -> Rows:
        return ask(_filled(text, known))

    return _ask, _ask


def each(packed: str, sqlite: str) -> tuple[Callable[[Ask, Known], Rows], Callable[[Ask, Known], Rows]]:
    """A text for each."""
    return both(packed)[0], both(sqlite)[0]


def loop(made: Callable[[Rows, Known], Rows]) -> tuple[Callable[[Ask, Known], Rows], Callable[[Ask, Known], Rows]]:
    """A loop for both."""
    return lambda ask, known: made(from_packed(ask, known), known), lambda ask, known: made(
        from_sqlite(ask, known), known
    )


def _filled(text: str, known: Known) -> str:
    return text.replace("$market", f"'{known.market}'").replace("$at", str(known.at_ns))


MARKETS: Final = """
    select market, count(*) as frames, count(*) filter (where type = 'trade'),
        coalesce(sum(size) filter (where type = 'trade'), 0), min(at_ns), max(at_ns)
    from frames where market is not null group by market
"""
LAST: Final = """
    select market, max(seq), arg_max(price, seq), arg_max(size, seq) from frames where type = 'trade' group by market
"""
LAST_SQLITE: Final = """
    select market, seq, price, size from (
        select market, max(seq) as seq, price, size from frames where type = 'trade' group by market
    )
"""
CANDLES: Final = """
    select at_ns // 60000000000 * 60000000000, arg_min(price, seq), max(price), min(price), arg_max(price, seq),
        sum(size), count(*)
    from frames where type = 'trade' and market = $market group by 1
"""
CANDLES_SQLITE: Final = """
    select distinct at_ns // 60000000000 * 60000000000, first_value(price) over up, max(price) over whole,
        min(price) over whole, first_value(price) over down, sum(size) over whole, count(*) over whole
    from frames where type = 'trade' and market = $market
    window whole as (partition by at_ns // 60000000000),
        up as (partition by at_ns // 60000000000 order by seq),
        down as (partition by at_ns // 60000000000 order by seq desc)
"""
BOOK: Final = """
    with start as (
        select max(seq) as seq from frames where market = $market and type = 'orderbook_snapshot' and at_ns <= $at
    ) select side, price, sum(size) from (
        select side, price, size from levels where seq = (select seq from start) union all
        select side, price, size from frames where market = $market and type = 'orderbook_delta'
            and seq > (select seq from start) and at_ns <= $at
    ) changes group by side, price having sum(size) > 0
"""
TAKERS: Final = """
    select at_ns // 60000000000 * 60000000000, sum(size) filter (where side = 'yes'),
        sum(size) filter (where side = 'no')
    from frames where type = 'trade' and market = $market group by 1
"""
LARGEST: Final = """
    select at_ns, market, side, price, size, price * size from frames where type = 'trade'
    order by size desc, seq limit 20
"""
UNTRUSTED: Final = """
    with begun as (
        select market, connection, min(seq) as first from frames where type = 'orderbook_snapshot' group by 1, 2
    )
    select f.market, count(*), count(*) filter (where b.first is null or f.seq < b.first)
    from frames f left join begun b on b.market = f.market and b.connection = f.connection
    where f.type = 'orderbook_delta' group by f.market
"""
LATE: Final = """
    select at_ns // 60000000000 * 60000000000, count(*), quantile_cont((at_ns - us * 1000) / 1e6, 0.5),
        quantile_cont((at_ns - us * 1000) / 1e6, 0.99), max((at_ns - us * 1000) / 1e6)
    from frames where us is not null group by 1
"""
BUSIEST: Final = """
    select at_ns // 1000000000 * 1000000000 as second, count(*) as frames from frames where type is not null
    group by second order by frames desc, second limit 10
"""
MOVED: Final = """
    select side, price, count(*), sum(abs(size)) as moved from frames
    where type = 'orderbook_delta' and market = $market group by side, price order by moved desc limit 20
"""
NONE: Final = "select seq from frames where type = 'decision'"


class Move(NamedTuple):
    """The top of a market's book just after a record, until the next one. what: its type."""

    seq: int
    at_ns: int
    until_ns: int
    what: str
    top: tuple[int | None, int | None, int | None, int | None]
    trusted: bool
    book: tuple[dict[int, int], dict[int, int]]
    row: Row


def from_packed(ask: Ask, known: Known) -> Rows:
    """What bears upon a market's book, and its trades, by one reading of the lines; levels of snapshots last."""
    text = (
        "select seq, at_ns, coalesce(type, 'connected'), side, price, size, us, yes_levels, no_levels from frames"
        " where type is null or (market = $market and type in ('orderbook_delta', 'orderbook_snapshot', 'trade'))"
        " order by seq"
    )
    rows = ask(_filled(text, known))
    return [(*row, _levels("yes", yes) + _levels("no", no)) for *row, yes, no in rows]


def _levels(side: str, pairs: list[list[str]] | None) -> Rows:
    return [(side, units(price, 4), units(size, 2)) for price, size in pairs or ()]


def from_sqlite(ask: Ask, known: Known) -> Rows:
    """The same by indexes."""
    text = (
        "select seq, at_ns, type, side, price, size, us from frames where market = $market and type in"
        " ('orderbook_delta', 'orderbook_snapshot', 'trade') union all"
        " select seq, at_ns, 'connected', null, null, null, null from frames where type is null order by seq"
    )
    shown: dict[int, Rows] = {}
    levels = "select f.seq, l.side, l.price, l.size from frames f join levels l on l.seq = f.seq where market = $market"
    for seq, *level in ask(_filled(f"{levels} and type = 'orderbook_snapshot'", known)):
        shown.setdefault(seq, []).append(tuple(level))
    return [(*row, shown.get(row[0], ())) for row in ask(_filled(text, known))]


def walk(rows: Rows, known: Known) -> Iterator[Move]:
    """A market's book from record to record: its own, and connections that are opened, which end what was known."""
    yes: dict[int, int] = {}
    no: dict[int, int] = {}
    trusted = begun = False
    top: tuple[int | None, int | None, int | None, int | None] = (None, None, None, None)
    ends = [row[1] for row in rows[1:]] + [known.end_ns]
    for row, until_ns in zip(rows, ends, strict=True):
        seq, at_ns, what, side, price, size, _, levels = row
        if what == "connected":
            trusted = False
        elif what == "orderbook_snapshot":
            yes.clear()
            no.clear()
            for of, level, held in levels:
                (yes if of == "yes" else no)[level] = held
            trusted = begun = True
            top = _top(yes, no)
        elif what == "orderbook_delta":
            held_of = yes if side == "yes" else no
            after = held_of.get(price, 0) + size
            if after:
                held_of[price] = after
            else:
                del held_of[price]
            top = _top(yes, no)
        if begun:
            yield Move(seq, at_ns, until_ns, what, top, trusted, (yes, no), row)


def _top(yes: dict[int, int], no: dict[int, int]) -> tuple[int | None, int | None, int | None, int | None]:
    bid, other = max(yes, default=None), max(no, default=None)
    return (
        bid, None if bid is None else yes[bid], None if other is None else DOLLAR_E4 - other,
        None if other is None else no[other],
    )  # fmt: skip


def changes(rows: Rows, known: Known) -> Iterator[Move]:
    """Where the top of the book or the trust in it changed."""
    last = None
    for move in walk(rows, known):
        if (move.top, move.trusted) != last:
            last = move.top, move.trusted
            yield move


def book(rows: Rows, known: Known) -> Rows:
    """Question 4."""
    for move in walk(rows, known):
        if move.until_ns > known.at_ns:
            sides = zip(("yes", "no"), move.book, strict=True)
            return [(side, *level) for side, held in sides for level in held.items()]
    return []


def best_prices(rows: Rows, known: Known) -> Rows:
    """Question 5."""
    return [
        (move.at_ns, *move.top, _spread(move.top))
        for move in changes(rows, known)
        if move.trusted
    ]  # fmt: skip


def _spread(top: Row) -> int | None:
    return None if top[0] is None or top[2] is None else top[2] - top[0]


class Span:
    """What a minute's averages are made of."""

    def __init__(self) -> None:
        self.ns = self.quoted_ns = self.spreads = self.mids = 0
        self.widths: list[int] = []

    def add(self, ns: int, top: Row) -> None:
        """The top of the book was this for so long."""
        self.ns += ns
        width = _spread(top)
        if width is not None:
            self.quoted_ns += ns
            self.spreads += width * ns
            self.mids += (top[0] + top[2]) * ns
            self.widths.append(width)

    def row(self, at_ns: int) -> Row:
        """As the macro has it."""
        quoted = self.quoted_ns or None
        return (
            at_ns,
            quoted and self.spreads / quoted / 1e4,
            min(self.widths, default=None),
            max(self.widths, default=None),
            quoted and self.mids / quoted / 2e4,
            self.quoted_ns / self.ns if self.ns else None,
        )


def spreads(rows: Rows, known: Known) -> Rows:
    """Question 6."""
    spans: dict[int, Span] = {}
    moves = [(move.at_ns, move.top) for move in changes(rows, known)]
    ends = [at_ns for at_ns, _ in moves[1:]] + [known.end_ns]
    for (at_ns, top), until_ns in zip(moves, ends, strict=True):
        for number in range(at_ns // MINUTE_NS, max(at_ns, until_ns - 1) // MINUTE_NS + 1):
            begin_ns = number * MINUTE_NS
            ns = max(min(until_ns, begin_ns + MINUTE_NS) - max(at_ns, begin_ns), 0)
            spans.setdefault(begin_ns, Span()).add(ns, top)
    return [span.row(at_ns) for at_ns, span in spans.items()]


def depths(rows: Rows, known: Known) -> Rows:
    """Question 7."""
    found: Rows = []
    for move in walk(rows, known):
        first_ns = -(-move.at_ns // DEPTH_NS) * DEPTH_NS
        for at_ns in range(first_ns, move.until_ns, DEPTH_NS) if move.trusted else ():
            (bid_near, bid), (ask_near, other) = map(_near, move.book)
            found.append((at_ns, bid_near, ask_near, bid, other))
    return found


def _near(side: dict[int, int]) -> tuple[int, int]:
    least = max(side, default=0) - NEAR_E4
    return sum(size for price, size in side.items() if price >= least), sum(side.values())


def trades_and_tops(rows: Rows, known: Known) -> Rows:
    """Question 13: before the first change of the book in the same millisecond."""
    found: Rows = []
    before: dict[int, Any] = {}
    top: Any = (None, None, None, None)
    for move in walk(rows, known):
        _, at_ns, what, side, price, size, us, _ = move.row
        if what == "orderbook_delta" and us is not None:
            before.setdefault(us // 1000, top)
        elif what == "trade":
            bid, _, ask, _ = top if us is None else before.get(us // 1000, top)
            found.append((at_ns, side, price, size, bid, ask))
        top = move.top
    return found


def late(ask: Ask, _: Known) -> Rows:
    """Question 11, where SQL has no quantiles."""
    rows = ask("select at_ns // 60000000000, at_ns - us * 1000 from frames where us is not null order by 1, 2")
    found: Rows = []
    for minute, group in groupby(rows, key=lambda row: row[0]):
        lags = [lag / 1e6 for _, lag in group]
        found.append((minute * MINUTE_NS, len(lags), quantile(lags, 0.5), quantile(lags, 0.99), lags[-1]))
    return found


def questions() -> list[Question]:
    """All of the cookbook that frames can answer; 10a, the list of gaps, is what a recorder knows beside them."""
    text = cookbook()

    def _make(number: str, name: str, columns: str, others: tuple[Any, Any]) -> Question:
        return Question(f"{number} {name}", text[number], tuple(columns.split()), *others)

    return [
        _make("1", "markets", "market frames trades traded first last", both(MARKETS)),
        _make("2", "last trades", "market seq price count", each(LAST, LAST_SQLITE)),
        _make("3", "candles", "time open high low close volume trades", each(CANDLES, CANDLES_SQLITE)),
        _make("4", "book at an instant", "side price size", (loop(book)[0], both(BOOK)[1])),
        _make("5", "best prices", "time bid bid_size ask ask_size spread", loop(best_prices)),
        _make("6", "spread by minute", "time spread least_spread most_spread mid quoted", loop(spreads)),
        _make("7", "depth", "time bid_near ask_near bid_depth ask_depth", loop(depths)),
        _make("8", "takers by minute", "minute bought_yes bought_no", both(TAKERS)),
        _make("9", "largest trades", "time market taker price count dollars", both(LARGEST)),
        _make("10b", "trust by market", "market changes untrusted", both(UNTRUSTED)),
        _make("11", "lag by minute", "time frames p50_ms p99_ms most_ms", (both(LATE)[0], late)),
        _make("12", "busiest seconds", "second frames", both(BUSIEST)),
        _make("13", "trades and best prices", "time taker price count bid ask", loop(trades_and_tops)),
        _make("14", "prices that move", "side price changes moved", both(MOVED)),
        _make("15a", "decisions", "time", both(NONE)),
        _make("15b", "fills", "market", both(NONE)),
    ]


def plain(table: Any, columns: Iterable[str]) -> Rows:
    """Columns of an answer as whole numbers: times in ns, decimals in their least unit, floats to six places."""
    return list(zip(*[_plain(table.column(name)) for name in columns], strict=True))


def _plain(column: Any) -> list[Any]:
    kind = str(column.type)
    if kind.startswith("timestamp"):
        scale = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}[column.type.unit]
        return [None if value is None else value * scale for value in column.cast("int64").to_pylist()]
    if kind.startswith("decimal"):
        return [
            None if value is None else int(Decimal(value).scaleb(column.type.scale)) for value in column.to_pylist()
        ]
    return list(column.to_pylist())


def same(rows: Rows) -> Rows:
    """Rows in one order, floats to six places."""
    return sorted((tuple(_rounded(value) for value in row) for row in rows), key=repr)


def _rounded(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value
