"""Questions to tapes in SQL: sql.

Knows the command's options and how an answer leaves. Heavy imports happen inside the commands: `--help` is quick.
"""

import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tapedeck_console import Json, complain, shown

if TYPE_CHECKING:
    from replay.query import Relation

app = typer.Typer()


class As(StrEnum):
    """How `sql` answers."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


@app.command(epilog="Example: tapedeck sql monday \"from trades where market = 'KXBTC15M-26MAY110145-45'\" --as csv")
def sql(
    words: Annotated[
        list[str],
        typer.Argument(metavar="TAPE... [QUERY]", help="Tapes, also as a pattern in quotes, then the query."),
    ],
    *,
    as_: Annotated[
        As | None, typer.Option("--as", help="table, csv, json or parquet. [default: by --out's name, else table]")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="The file to make.")] = None,
    rows: Annotated[int, typer.Option("--rows", min=1, metavar="N", help="Rows that a table shows.")] = 40,
    as_json: Json = False,
) -> None:
    """Ask tapes anything, in DuckDB's SQL.

    Tapes that are being recorded are asked as they are at this moment. Views and macros (`docs/SQL.md` has their
    columns and units): records, frames, messages, deltas, snapshots, trades, tickers, lifecycle, orders, fills,
    positions, rest, connections, gaps, decisions, markets, sessions, tapes; book_at(ticker, t), bbo(ticker),
    ohlc(ticker, every), depth(ticker, every), spread(ticker, every), lag(every). Without a QUERY there is a shell
    on a terminal, with completion and history; else it is read from standard input.
    """
    from replay.sql import connect
    from replay.sql.asking import ask, split, strangers

    tapes, statement = split(words)
    if as_json and as_ not in (None, As.JSON):
        raise typer.BadParameter(f"--json and --as {as_} are two things; give one")
    if statement is None and sys.stdin.isatty() and sys.stdout.isatty():
        _shell(tapes, rows)
        return
    if statement is None:
        statement = sys.stdin.read()
    with connect(*tapes) as connection:
        relation = ask(connection, statement)
        if relation is not None:
            _answer(relation, As.JSON if as_json else as_, out, rows)
            for sentence in strangers(connection, statement):
                complain(sentence)


def _shell(tapes: list[Path], rows: int) -> None:
    from replay.sql.shell import Shell, edited, history_file

    def show(relation: "Relation", form: str) -> None:
        _answer(relation, As(form), None, rows)

    def say(text: str) -> None:
        typer.echo(shown(text))

    with Shell(tapes, show=show, say=say) as shell, edited(shell.candidates, history_file()) as read:
        shell.run(read)


def _answer(relation: "Relation", as_: As | None, out: Path | None, rows: int) -> None:
    from replay.query import batches
    from replay.sql import output

    form = output.Format(as_) if as_ else output.format_of(out) if out else output.Format.TABLE
    if form is None:  # a table would leave out all rows but the first few
        raise typer.BadParameter(f"{out}: the name says no form; end it with .csv, .json or .parquet, or give --as")
    schema, found = batches(relation)
    names = list(schema.names)
    pieces: Iterable[str]
    match form:
        case output.Format.PARQUET:
            if out is None:
                raise typer.BadParameter("--as parquet needs --out FILE")
            output.write_parquet(found, schema, out)
            return
        case output.Format.CSV:
            pieces = output.as_csv(found, names)
        case output.Format.JSON:
            pieces = output.as_json(found, names)
        case output.Format.TABLE:
            pieces = (line + "\n" for line in output.table(found, names, rows))
    if out is not None:
        output.write_text(pieces, out)
        return
    for piece in pieces:
        sys.stdout.write(piece)
