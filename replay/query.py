"""The one door to DuckDB: connections in memory, functions of ours in them, and its errors as one of ours.

Knows DuckDB's ways. Must not know tapes or views. A connection is closed when the process ends, if nobody did before:
DuckDB complains of functions that outlive it.
"""

import atexit
import contextlib
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from inspect import Parameter, Signature
from typing import Any, Final, TypeAlias, TypeVar

import duckdb

from core.errors import TapedeckError

Connection: TypeAlias = duckdb.DuckDBPyConnection
Relation: TypeAlias = duckdb.DuckDBPyRelation
T = TypeVar("T")

VERSION: Final = duckdb.__version__

_CONFIG: Final[dict[str, str | bool | int | float | list[str]]] = {
    "autoinstall_known_extensions": "false",  # a query never goes to the network by itself
    "autoload_known_extensions": "false",
}
BATCH_ROWS: Final = 65_536
"""Rows of an answer that are in memory at once on their way out."""

_UDF_FAILED: Final = "Python exception occurred while executing the UDF: "

_open: "weakref.WeakSet[Connection]" = weakref.WeakSet()


class SqlError(TapedeckError):
    """DuckDB refused a statement or stopped half way; the text is its own."""


def connect() -> Connection:
    """A new database in memory."""
    connection = duckdb.connect(":memory:", config=_CONFIG)
    _open.add(connection)
    return connection


@atexit.register
def _close_all() -> None:
    for connection in list(_open):
        connection.close()


def add_function(connection: Any, name: str, function: Callable[..., Any], kinds: Sequence[str]) -> None:
    """Let SQL call a function of Arrow arrays, of equal length, nulls included. kinds: of its arguments and its result.

    The same arguments give the same result. A ValueError in it becomes the statement's error. connection: a Connection,
    but the library's types of this method do not know the words that it takes.
    """

    def _called(*columns: Any) -> Any:
        return function(*columns)

    names = [Parameter(f"column_{number}", Parameter.POSITIONAL_OR_KEYWORD) for number in range(len(kinds) - 1)]
    _called.__signature__ = Signature(names)  # type: ignore[attr-defined]  # what DuckDB counts the arguments by
    with contextlib.suppress(duckdb.InvalidInputException):  # there was none yet
        connection.remove_function(name)
    connection.create_function(  # the library's own words for its arguments
        name, _called, list(kinds[:-1]), kinds[-1], type="arrow", null_handling="special"
    )


def ask(connection: Connection, query: str, values: Sequence[Any] | Mapping[str, Any] | None = None) -> Any:
    """The answer as an Arrow table. Raises SqlError."""
    try:
        return connection.sql(query, params=values).to_arrow_table()
    except duckdb.Error as error:
        raise SqlError(words(error)) from error


def run(connection: Connection, query: str) -> Relation | None:
    """Run statements; the last one's answer, None when it has none. Raises SqlError. Ctrl-C ends it."""
    with ThreadPoolExecutor(1) as worker:
        try:
            return _wait(worker.submit(connection.sql, query))
        except duckdb.Error as error:
            raise SqlError(words(error)) from error


def batches(relation: Relation) -> tuple[Any, Iterator[Any]]:
    """An answer's Arrow schema, and its rows as record batches, made while they are read.

    Raises SqlError, also while they are read. Ctrl-C ends it.
    """
    with ThreadPoolExecutor(1) as worker:
        try:
            reader = _wait(worker.submit(relation.to_arrow_reader, BATCH_ROWS))
        except duckdb.Error as error:
            raise SqlError(words(error)) from error
    return reader.schema, _read(reader)


def _read(reader: Any) -> Iterator[Any]:
    with ThreadPoolExecutor(1) as worker:
        while True:
            try:
                batch = _wait(worker.submit(next, reader, None))
            except (duckdb.Error, OSError) as error:  # Arrow's reader gives DuckDB's error as an OSError
                raise SqlError(words(error)) from error
            if batch is None:
                return
            try:
                yield batch
            except GeneratorExit:  # nobody wants the rest; DuckDB would go on looking for it before it lets go
                _interrupt()
                raise


def _wait(work: "Future[T]") -> T:
    """What a thread gives. Where DuckDB works in the main thread itself Python learns of Ctrl-C only afterwards."""
    try:
        return work.result()
    except KeyboardInterrupt:
        _interrupt()
        wait([work])
        raise


def _interrupt() -> None:
    """End what runs in this process: a relation does not tell its connection."""
    for connection in list(_open):
        connection.interrupt()


def words(error: Exception) -> str:
    """What DuckDB says of an error; of a function of ours, what that said."""
    text = str(error)
    if _UDF_FAILED in text:
        said = text.partition(_UDF_FAILED)[2].strip().partition("\n")[0]
        return said.removeprefix("ValueError: ")
    return text.strip()


def literal(text: str) -> str:
    """A text as SQL writes it, whatever is in it."""
    return "'" + text.replace("'", "''") + "'"


def path_literal(path: str) -> str:
    """The name of one file as SQL writes it: what DuckDB takes for a pattern stands for itself."""
    return literal("".join(f"[{letter}]" if letter in "*?[" else letter for letter in path))


def identifier(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'
