"""The book of a market at an instant, and on a grid of instants.

Knows how to reach an instant and how a grid is written as Parquet. Must not know how books are kept or shown.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from capture.tape.errors import TapeError, disk_error
from capture.tape.reader import Tape
from core.messages.types import Level
from core.records import Kind
from core.views import MarketView
from replay.player import Player
from replay.progress import Progress, silent

GRID_ROWS: Final = 8_192
"""Rows held before they are written: some 20 MB of Python lists with the deepest books on record."""

_DOLLARS: Final = pa.decimal128(9, 4)
_CONTRACTS: Final = pa.decimal128(18, 2)
GRID_SCHEMA: Final = pa.schema(
    [
        pa.field("time", pa.timestamp("ns"), nullable=False),
        pa.field("at_ns", pa.int64(), nullable=False),
        pa.field("market", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("trusted", pa.bool_(), nullable=False),
        pa.field("book_ns", pa.int64()),
        pa.field("yes_bid", _DOLLARS),
        pa.field("yes_bid_e4", pa.int32()),
        pa.field("yes_bid_size", _CONTRACTS),
        pa.field("yes_bid_size_e2", pa.int64()),
        pa.field("yes_ask", _DOLLARS),
        pa.field("yes_ask_e4", pa.int32()),
        pa.field("yes_ask_size", _CONTRACTS),
        pa.field("yes_ask_size_e2", pa.int64()),
        pa.field("yes_price_e4", pa.list_(pa.int32()), nullable=False),
        pa.field("yes_size_e2", pa.list_(pa.int64()), nullable=False),
        pa.field("no_price_e4", pa.list_(pa.int32()), nullable=False),
        pa.field("no_size_e2", pa.list_(pa.int64()), nullable=False),
    ]
)
"""Names and units are those of SQL's views (docs/SQL.md). book_ns: when the book last changed, null = never."""

_SCALES: Final = {_DOLLARS: 4, _CONTRACTS: 2}
_TOLD: Final = tuple(field.name for field in GRID_SCHEMA if field.type not in _SCALES and field.name != "time")
"""What a row is kept as before it is written; the other columns are made of these."""


class MarketNotFound(LookupError):  # noqa: N818  # reads as what happened
    """The tape holds nothing of that market; the text names the nearest names."""


class BookAt(msgspec.Struct, frozen=True):
    """A market's book at an instant: every record received by `at_ns` (Unix ns, `now_ns`) is in it.

    yes, no: bids as (price_1e4, size_1e2), ascending. trusted: nothing is known to be missing from it.
    book_ns: when it last changed, 0 = never.
    """

    at_ns: int
    market: str
    trusted: bool
    yes: tuple[Level, ...]
    no: tuple[Level, ...]
    book_ns: int = 0


def book_at(tape: Tape, market: str, at_ns: int | None) -> BookAt:
    """The book of a market at an instant (Unix ns), None = at the end of the tape.

    Raises MarketNotFound, TapeDamaged.
    """
    player = Player(tape, "columns", start="checkpoint")
    player.advance(until_ns=at_ns)
    if market not in player.store.markets():
        require_markets(tape, (market,))
    view = player.store.view(market)
    when_ns = player.now_ns if at_ns is None else at_ns
    return BookAt(when_ns, market, view.trusted, view.yes, view.no, view.book_ns)


def markets_of(tape: Tape) -> list[str]:
    """Every market that a frame of the tape names, sorted."""
    found: set[str] = set()
    for table in tape.tables(columns=["market"]):
        found.update(name for name in table.column("market").unique().to_pylist() if name)
    return sorted(found)


def require_markets(tape: Tape, markets: Sequence[str]) -> None:
    """Raises MarketNotFound for the first of these that the tape does not hold."""
    if not markets:
        return
    known = markets_of(tape)
    for market in markets:
        if market not in known:
            raise MarketNotFound(f"{tape.path}: no market {market} on this tape{near_to(market, known)}")


def near_to(market: str, known: Sequence[str]) -> str:
    """The end of a sentence that says that a market is not there: which are called much like it."""
    near = get_close_matches(market.upper(), known, n=3, cutoff=0.5)
    if near:
        return f"; near it: {', '.join(near)}"
    return f"; there {'is 1 market' if len(known) == 1 else f'are {len(known):,} markets'}, see `tapedeck info`"


class Grid(msgspec.Struct, frozen=True, kw_only=True):
    """Which books to write: at each multiple of `every_ns` (Unix ns) between two instants (None = all there is).

    markets: empty = every market, from its first frame on.
    """

    every_ns: int
    from_ns: int | None = None
    to_ns: int | None = None
    markets: tuple[str, ...] = ()


class GridReport(msgspec.Struct, frozen=True):
    """What was written: `first_ns` and `last_ns` are the first and last instant (Unix ns), 0 when there is none."""

    out: str
    rows: int
    instants: int
    markets: int
    first_ns: int
    last_ns: int


def book_every(tape: Tape, grid: Grid, out: Path, progress: Progress = silent) -> GridReport:
    """Write the books of a grid to a new Parquet file (columns: GRID_SCHEMA), whole or not at all; progress in records.

    A row holds every record received by its instant. A book that cannot be trusted is written as it was left, with
    trusted false and the time of its last change. Raises MarketNotFound, TapeError when `out` exists, DiskError,
    TapeDamaged.
    """
    if out.exists():
        raise TapeError(f"{out}: exists already; choose another name or remove it")
    require_markets(tape, grid.markets)
    aside = out.with_name(out.name + ".partial")
    try:
        with pq.ParquetWriter(str(aside), GRID_SCHEMA, compression="zstd") as writer:
            report = _write(writer, _Walk(tape, grid), str(out), progress)
        aside.rename(out)
    except OSError as error:
        raise disk_error(error, out, "write the grid") from error
    finally:
        aside.unlink(missing_ok=True)
    return report


def _write(writer: Any, walk: "_Walk", out: str, progress: Progress) -> GridReport:
    rows: list[_Row] = []
    total = instants = first_ns = last_ns = 0
    for at_ns in walk.instants():
        instants += 1
        first_ns, last_ns = first_ns or at_ns, at_ns
        for market in walk.known:
            rows.append((at_ns, market, *walk.columns(market)))
            if len(rows) >= GRID_ROWS:
                total += _flush(writer, rows)
                progress(walk.player.position, walk.player.tape.head_seq + 1)
    total += _flush(writer, rows)
    return GridReport(out, total, instants, len(walk.known), first_ns, last_ns)


_Row = tuple[Any, ...]


def _flush(writer: Any, rows: list[_Row]) -> int:
    count = len(rows)
    if count:
        told = dict(zip(_TOLD, zip(*rows, strict=True), strict=True))
        arrays = [_array(field, told) for field in GRID_SCHEMA]
        writer.write_table(pa.Table.from_arrays(arrays, schema=GRID_SCHEMA))
        rows.clear()
    return count


def _array(field: Any, told: dict[str, tuple[Any, ...]]) -> Any:
    """A column: as it is told, or as a decimal of the whole numbers that are."""
    scale = _SCALES.get(field.type)
    if scale is None:
        return pa.array(told["at_ns" if field.name == "time" else field.name], field.type)
    values = told[f"{field.name}_e{scale}"]
    return pa.array([None if value is None else Decimal(value).scaleb(-scale) for value in values], field.type)


class _Walk:
    """Goes from instant to instant and keeps the columns of each book until its market is heard of again."""

    def __init__(self, tape: Tape, grid: Grid) -> None:
        self.player = Player(tape, "columns", start="beginning" if grid.from_ns is None else "checkpoint")
        self.known: dict[str, None] = dict.fromkeys(grid.markets)  # in the order in which they were met
        self._grid = grid
        self._columns: dict[str, _Row] = {}

    def instants(self) -> Iterator[int]:
        """Each instant of the grid, with the player just there."""
        every_ns, to_ns = self._grid.every_ns, self._grid.to_ns
        start_ns = self._grid.from_ns
        if start_ns is None:
            self._play(until_seq=0)
            start_ns = self.player.now_ns
        else:
            self._play(until_ns=start_ns)
            self._meet_all()
        at_ns = -(-start_ns // every_ns) * every_ns
        while to_ns is None or at_ns <= to_ns:
            self._play(until_ns=at_ns)
            if self.player.finished and at_ns > self.player.now_ns:
                return
            yield at_ns
            at_ns += every_ns

    def columns(self, market: str) -> _Row:
        """The columns of a market's book, in the order of _TOLD."""
        row = self._columns.get(market)
        if row is None:
            row = self._columns[market] = _columns(self.player.store.view(market))
        return row

    def _play(self, until_ns: int | None = None, until_seq: int | None = None) -> None:
        everything = not self._grid.markets
        for record, step in self.player.play(until_ns, until_seq):
            if step.gaps:
                self._columns.clear()
            if record.kind == Kind.SESSION:
                self._columns.clear()
                self._meet_all()
            market = getattr(step.message, "market", "")
            if market:
                self._columns.pop(market, None)
                if everything:
                    self.known[market] = None

    def _meet_all(self) -> None:
        """A checkpoint, or the session of a cut, starts with markets that no frame has named yet."""
        if not self._grid.markets:
            self.known.update(dict.fromkeys(self.player.store.markets()))


def _columns(view: MarketView) -> _Row:
    bid, ask = view.yes_bid or (None, None), view.yes_ask or (None, None)
    return (
        view.trusted,
        view.book_ns or None,
        *bid,
        *ask,
        [price for price, _ in view.yes],
        [size for _, size in view.yes],
        [price for price, _ in view.no],
        [size for _, size in view.no],
    )
