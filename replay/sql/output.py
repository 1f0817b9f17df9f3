"""Answers as text and files: a table for people, CSV, JSON, Parquet.

Knows how a value is written. Must not know what was asked. What a tape holds comes from elsewhere, so that control
characters never reach a terminal.
"""

import base64
import csv
import io
from collections.abc import Iterable, Iterator
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from capture.tape.errors import TapeError, disk_error
from core.printable import printable
from replay.when import format_time

CELL: Final = 60
"""Letters of a value that a table shows."""

PLACES: Final = 6
"""Digits that a table shows of a float, behind its point or, of a small one, in all; the other forms have them all."""

_PLAN: Final = ["explain_key", "explain_value"]

SMALL: Final = 1e-3

_UNITS: Final = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


class Format(StrEnum):
    """How an answer leaves."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def format_of(out: Path) -> Format | None:
    """What a file's name says it is to be; None when it says nothing."""
    suffix = out.suffix.removeprefix(".").lower()
    return Format(suffix) if suffix in set(Format) - {Format.TABLE} else None


def table(batches: Iterable[Any], names: list[str], rows: int) -> Iterator[str]:
    """Aligned lines of at most so many rows, and how many there are in all; a plan of EXPLAIN as it is drawn."""
    if names == _PLAN:
        for batch in batches:
            for plan in batch.column(1).to_pylist():
                yield from map(printable, plan.rstrip().split("\n"))
        return
    shown: list[list[Any]] = []
    total = 0
    for batch in batches:
        wanted = batch.slice(0, max(rows - len(shown), 0))
        shown += [list(row) for row in zip(*[_values(column) for column in wanted.columns], strict=True)]
        total += batch.num_rows
    cells = [[_cell(value) for value in row] for row in shown]
    right = [all(isinstance(row[at], int | float | Decimal | None) for row in shown) for at in range(len(names))]
    widths = [max([len(name), *(len(row[at]) for row in cells)]) for at, name in enumerate(names)]

    def _line(row: list[str]) -> str:
        padded = zip(row, widths, right, strict=True)
        return "  ".join(text.rjust(width) if is_right else text.ljust(width) for text, width, is_right in padded)

    yield _line([printable(name) for name in names]).rstrip()
    yield "  ".join("-" * width for width in widths)
    for row in cells:
        yield _line(row).rstrip()
    more = total - len(shown)
    yield f"({total:,} row{'' if total == 1 else 's'}{f', {more:,} of them not shown' if more else ''})"


def as_csv(batches: Iterable[Any], names: list[str]) -> Iterator[str]:
    """CSV with a header (RFC 4180): null is empty, times are ISO 8601 in UTC, lists and structs JSON."""
    yield _csv_lines([names])
    for batch in batches:
        yield _csv_lines(zip(*[[_text(value) for value in _values(column)] for column in batch.columns], strict=True))


def as_json(batches: Iterable[Any], names: list[str]) -> Iterator[str]:
    """One array, an object a line: decimals are numbers, times ISO 8601 in UTC, bytes text where they are UTF-8."""
    lead = "["
    for batch in batches:
        for row in zip(*[_values(column) for column in batch.columns], strict=True):
            body = _JSON.encode({name: _json_value(value) for name, value in zip(names, row, strict=True)})
            yield f"{lead}\n{body.decode()}"
            lead = ","
    yield "\n]\n" if lead == "," else "[]\n"


def write_parquet(batches: Iterable[Any], schema: Any, out: Path) -> int:
    """A new Parquet file of the answer, whole or not at all; how many rows. Raises TapeError, DiskError."""
    rows = 0
    with aside(out) as path, pq.ParquetWriter(str(path), schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def write_text(pieces: Iterable[str], out: Path) -> None:
    """A new file of these pieces, whole or not at all. Raises TapeError, DiskError."""
    with aside(out) as path, path.open("w", encoding="utf-8", newline="") as file:
        for piece in pieces:
            file.write(piece)


class aside:  # noqa: N801  # reads as what it does: `with aside(out) as path`
    """A path beside a new file; it takes its place once everything went well. Raises TapeError, DiskError."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._path = out.with_name(out.name + ".partial")

    def __enter__(self) -> Path:
        if self._out.exists():
            raise TapeError(f"{self._out}: exists already; choose another name or remove it")
        return self._path

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        try:
            if kind is None:
                self._path.rename(self._out)
            elif isinstance(error, OSError):
                raise disk_error(error, self._out, "write the answer") from error
        finally:
            self._path.unlink(missing_ok=True)


def _values(column: Any) -> list[Any]:
    if not pa.types.is_timestamp(column.type):
        return list(column.to_pylist())
    scale = _UNITS[column.type.unit]
    return [None if value is None else _moment(value * scale) for value in column.cast(pa.int64()).to_pylist()]


def _moment(at_ns: int) -> str:
    try:
        return format_time(at_ns)
    except OverflowError:  # infinity, in DuckDB's way
        return "infinity" if at_ns > 0 else "-infinity"


def _csv_lines(rows: Iterable[Iterable[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, float):
        value = round(value, PLACES) if abs(value) > SMALL else float(f"{value:.{PLACES}g}")
    text = printable(_text(value) if value is not None else "")
    return text if len(text) <= CELL else text[: CELL - 1] + "…"


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case bytes():
            return str(_json_value(value))
        case list() | dict():
            return _JSON.encode(_json_value(value)).decode()
        case _:
            return str(value)


def _json_value(value: Any) -> Any:
    match value:
        case bytes():
            try:
                return value.decode()
            except UnicodeDecodeError:
                return "base64:" + base64.b64encode(value).decode()
        case list():
            return [_json_value(item) for item in value]
        case dict():
            return {str(key): _json_value(item) for key, item in value.items()}
        case _:
            return value


_JSON: Final = msgspec.json.Encoder(decimal_format="number", enc_hook=str)
