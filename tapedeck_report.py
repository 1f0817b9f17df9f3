"""Commands that show: report.

Knows their options and exit codes (0 done, 2 unusable input). Heavy imports happen inside the commands, so that
`--help` is quick.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tapedeck_console import Json, answer, progress_bar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replay.backtest.result import Result
    from replay.report.shown import Written

app = typer.Typer()

ResultPath = Annotated[Path, typer.Argument(metavar="RESULT", help="What `tapedeck backtest --out` left behind.")]
Out = Annotated[Path, typer.Option("--out", "-o", metavar="FILE.html", help="The page; one that is there is replaced.")]
Tapes = Annotated[
    list[Path] | None,
    typer.Option("--tape", "-t", metavar="TAPE", help="Where the tapes are now, in the result's order; repeatable."),
]


@app.command(epilog="Example: tapedeck report results/first --out first.html")
def report(result: ResultPath, *, out: Out, tapes: Tapes = None, as_json: Json = False) -> None:
    """Make one HTML page of a backtest's result: charts, tables and what is to be doubted; it works offline.

    Prices, books and regimes are read from the tapes. Where those are not at hand, the page says what it leaves out.
    """
    from replay.backtest.result import Result
    from replay.report.shown import written_lines

    written = make_report(Result.read(result), out, tapes)
    answer(written, written_lines(written), as_json=as_json)


def make_report(result: "Result", out: Path, tapes: "Sequence[Path] | None" = None) -> "Written":
    """The page of a result; tapes: where they are now, None = where they were. Raises ConfigError, OSError."""
    from replay.report.html import write_report
    from replay.report.shown import tapes_of, written
    from strategies.regime import Detector

    places = tapes_of(result, tapes)
    require_place(out)
    with progress_bar("drawing") as progress:
        page = write_report(result, out, places, Detector, progress)
    return written(page, out)


def require_place(out: Path) -> None:
    """Raises ConfigError where a page cannot be written to that path."""
    from core.errors import ConfigError

    if out.is_dir():
        raise ConfigError(f"{out}: is a directory; name a file, such as {out / 'report.html'}")
    if not out.absolute().parent.is_dir():
        raise ConfigError(f"{out}: there is no directory {out.parent}; make it first")
