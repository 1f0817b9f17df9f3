"""A tape as CSV: a file for each kind of message, with the columns, units and trust of SQL's views.

Knows which views become files and how their values are written as plain text. Must not know how a view is made: what
`tapedeck sql` says of a column is so here. Rows come in the order of the tape, so many records at a time that memory
does not grow with it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow.compute as pc
from pyarrow import csv

from capture.tape.reader import Tape
from replay import query
from replay.books import require_markets
from replay.exports.folder import new_folder
from replay.exports.terms import Choice, Exported
from replay.progress import Progress, silent
from replay.sql.cut import take_all
from replay.sql.session import fill
from replay.sql.source import Source
from replay.sql.views import contracts, dollars

WINDOW: Final = 1 << 18
"""Records that are asked for at a time: some 100 MB of Arrow where all of them are deltas."""

_LEVELS: Final = " union all ".join(
    f"select seq, at_ns, market, '{side}' as side, unnest({side}_price_e4) as price_e4, "
    f"unnest({side}_size_e2) as size_e2 from snapshots where {{where}}"
    for side in ("yes", "no")
)
_SNAPSHOT_LEVELS: Final = (
    f"select seq, at_ns, market, side, {dollars('price_e4')} as price, price_e4, "
    f"{contracts('size_e2')} as size, size_e2 from ({_LEVELS}) order by seq, side desc, price_e4"
)


# Not by strftime's own %n: of nanoseconds, DuckDB 2.0 writes six digits and leaves rubbish where the rest should be.
_ISO: Final = (
    "strftime(make_timestamp(epoch_ns({0}) // 1000), '%Y-%m-%dT%H:%M:%S.%f') || printf('%03dZ', epoch_ns({0}) % 1000)"
)


class File(NamedTuple):
    """A file. sql: what it holds of the rows for which {where} holds. whole: not divided by seq, for it is small."""

    name: str
    sql: str
    whole: bool = False


def _view(name: str, without: str = "tape", *, order: str = "seq", whole: bool = False) -> File:
    return File(name, f"select * exclude ({without}) from {name} where {{where}} order by {order}", whole)


_LISTS: Final = "tape, yes_price_e4, yes_size_e2, no_price_e4, no_size_e2"
BY_SEQ: Final = (
    _view("deltas"),
    _view("snapshots", _LISTS),
    File("snapshot_levels", _SNAPSHOT_LEVELS),
    _view("trades"),
    _view("tickers"),
    _view("lifecycle", whole=True),
    _view("orders", whole=True),
    _view("fills", whole=True),
    _view("positions", whole=True),
)
"""Messages, a row each (a row a level in snapshot_levels)."""

OF_TAPE: Final = (
    _view("gaps", order="number", whole=True),
    _view("connections", order="connection, opened_ns", whole=True),
    _view("markets", order="market", whole=True),
)
"""What is known of the tape: gaps that touch the range, all of its connections, the chosen markets."""


def export_csv(tape: Tape, out: Path, choice: Choice, progress: Progress = silent) -> Exported:
    """Write a new folder of CSV files, whole or not at all; progress in records, each counted once for each file.

    Every file of BY_SEQ and OF_TAPE is there, with its header, also where it has no row. Raises MarketNotFound,
    TapeError, SqlError, TapeDamaged, DiskError.
    """
    require_markets(tape, choice.markets)
    cuts = take_all([tape.path])
    connection = query.connect()
    source = fill(connection, cuts)
    try:
        span = _span(source, cuts[0].name, choice)
        with new_folder(out) as folder:
            return _Tables(connection, choice.markets, span, folder).write(str(out), progress)
    finally:
        source.close()
        connection.close()


def _span(source: Source, name: str, choice: Choice) -> tuple[int, int]:
    """The first and the last record of the range."""
    first = 0 if not choice.from_ns else source.seq_at(name, choice.from_ns - 1) + 1
    last = source.cut(name).last_seq if choice.to_ns is None else source.seq_at(name, choice.to_ns)
    return first, last


class _Tables:
    """Writes the files of one export and counts what is in them."""

    def __init__(
        self, connection: query.Connection, markets: tuple[str, ...], span: tuple[int, int], folder: Path
    ) -> None:
        self._connection = connection
        self._folder = folder
        self._first, self._last = span
        names = ", ".join(map(query.literal, markets))
        self._of_markets = f"market in ({names})" if markets else "true"
        self._touching = f"(len(markets) = 0 or list_has_any(markets, [{names}]))" if markets else "true"
        self._rows: Counter[str] = Counter()
        self._doubted: Counter[str] = Counter()
        self._markets: set[str] = set()

    def write(self, out: str, progress: Progress) -> Exported:
        """Write all of them."""
        span = max(self._last + 1 - self._first, 0)
        for number, file in enumerate(BY_SEQ):
            self._file(file, self._pieces(file, _after(progress, span * number, span * len(BY_SEQ))))
        bounds = f"opened_seq <= {self._last} and coalesce(closed_seq, {self._last}) >= {self._first}"
        for file, where in zip(OF_TAPE, (f"{self._touching} and {bounds}", "true", self._of_markets), strict=True):
            self._file(file, [where])
        files = len(BY_SEQ) + len(OF_TAPE)
        rows, doubted = dict(self._rows), {what: count for what, count in sorted(self._doubted.items()) if count}
        return Exported(out=out, format="csv", files=files, markets=len(self._markets), rows=rows, doubted=doubted)

    def _pieces(self, file: File, reached: Callable[[int], None]) -> Iterator[str]:
        """Conditions for ranges of seq; one, if perhaps of an empty range, is always given. reached: told the records
        up to the end of each, once it is done with."""
        step = self._last + 1 - self._first if file.whole else WINDOW
        for first in range(self._first, max(self._last, self._first) + 1, max(step, 1)):
            last = min(first + step - 1, self._last)
            yield f"{self._of_markets} and seq between {first} and {last}"
            reached(max(last + 1 - self._first, 0))

    def _file(self, file: File, wheres: Iterable[str]) -> None:
        """Write a file of what holds for each condition, in turn."""
        writer = None
        self._rows[file.name] = 0
        try:
            for where in wheres:
                schema, found = self._ask(file.sql.replace("{where}", where))
                if writer is None:
                    writer = csv.CSVWriter(str(self._folder / f"{file.name}.csv"), schema)
                for batch in found:
                    writer.write_batch(batch)
                    self._count(file.name, batch)
        finally:
            if writer is not None:
                writer.close()

    def _ask(self, text: str) -> tuple[Any, Iterator[Any]]:
        """The rows of a query, with times and lists as text."""
        kinds = query.ask(self._connection, f"describe {text}").to_pylist()
        columns = ", ".join(_plain(kind["column_name"], kind["column_type"]) for kind in kinds)
        relation = query.run(self._connection, f"select {columns} from ({text})")
        assert relation is not None, "a select has an answer"
        return query.batches(relation)

    def _count(self, name: str, batch: Any) -> None:
        self._rows[name] += batch.num_rows
        columns = batch.schema.names
        if "market" in columns and name != "markets":
            self._markets.update(filter(None, batch.column("market").unique().to_pylist()))
        if "refused" in columns:
            self._doubted[f"{name} refused"] += batch.num_rows - batch.column("refused").null_count
        if "trusted" in columns:
            self._doubted[f"{name} not trusted"] += pc.sum(pc.invert(batch.column("trusted"))).as_py() or 0


def _after(progress: Progress, before: int, total: int) -> Callable[[int], None]:
    """Progress of a part, of which so much was done before."""
    return lambda done: progress(before + done, total)


def _plain(name: str, kind: str) -> str:
    """A column as CSV can hold it: ISO 8601 to the nanosecond for times, JSON for lists."""
    column = query.identifier(name)
    if kind.startswith("TIMESTAMP"):
        return f"{_ISO.format(column)} as {column}"
    if kind.endswith("[]") or kind.startswith("STRUCT"):
        return f"to_json({column})::varchar as {column}"
    return column
