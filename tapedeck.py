"""The command line: puts the groups of commands together and turns errors into one sentence.

Knows which file holds which group, and the exit codes: 0 fine, 1 the answer is no, 2 unusable input.
"""

from pathlib import Path
from typing import Annotated

import typer

import tapedeck_exchange
import tapedeck_live
import tapedeck_tapes
import tapedeck_upkeep
from core.errors import TapedeckError
from tapedeck_console import Json, answer, stop

app = typer.Typer(
    name="tapedeck",
    help="Records the Kalshi exchange and plays it back: the same tape gives the same state, every time.",
    epilog="New here? `tapedeck demo` needs no account and takes less than a minute.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def main() -> None:
    """The `tapedeck` program: runs one command and exits with its code."""
    try:
        app()
    except (TapedeckError, OSError) as error:
        stop(2, str(error))
    except LookupError as error:
        from replay.books import MarketNotFound

        if not isinstance(error, MarketNotFound):
            raise
        stop(1, str(error))


@app.command(epilog="Example: tapedeck demo --out demo")
def demo(
    *,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="Keep the recording and the tape in this new directory."),
    ] = None,
    as_json: Json = False,
) -> None:
    """See it work: no account, no network, under a minute.

    Makes a recording from a seed, imports it, verifies it deeply, replays it by both paths and shows a book.
    """
    import tempfile

    from replay import render
    from replay.demo import demonstrate

    def say(line: str) -> None:
        typer.echo(line, err=as_json)

    with tempfile.TemporaryDirectory(prefix="tapedeck-demo-") as spare:
        found = demonstrate(out or Path(spare), say)
    answer(found, render.demo_lines(found), as_json=as_json)
    raise typer.Exit(0 if found.whole and found.equal else 1)


for group in (tapedeck_live, tapedeck_exchange, tapedeck_tapes, tapedeck_upkeep):
    app.registered_commands += group.app.registered_commands


if __name__ == "__main__":
    main()
