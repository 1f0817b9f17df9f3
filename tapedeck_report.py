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
    from replay.report.parts import Page
    from replay.report.shown import Written

app = typer.Typer()

ResultPath = Annotated[Path, typer.Argument(metavar="RESULT", help="What `tapedeck backtest --out` left behind.")]
Out = Annotated[Path, typer.Option("--out", "-o", metavar="FILE.html", help="The page; one that is there is replaced.")]
Tapes = Annotated[
    list[Path] | None,
    typer.Option("--tape", "-t", metavar="TAPE", help="Where the tapes are now, in the result's order; repeatable."),
]


Png = Annotated[Path | None, typer.Option("--png", metavar="DIR", help="And its charts as PNG files [extra: png].")]


@app.command(epilog="Example: tapedeck report results/first --out first.html")
def report(result: ResultPath, *, out: Out, tapes: Tapes = None, png: Png = None, as_json: Json = False) -> None:
    """Make one HTML page of a backtest's result: charts, tables and what is to be doubted; it works offline.

    Prices, books and regimes are read from the tapes. Where those are not at hand, the page says what it leaves out.
    """
    from replay.backtest.result import Result
    from replay.report.shown import written_lines

    written = make_report(Result.read(result), out, tapes, png)
    answer(written, written_lines(written), as_json=as_json)


def make_report(
    result: "Result", out: Path, tapes: "Sequence[Path] | None" = None, png: Path | None = None
) -> "Written":
    """The page of a result, and its charts as pictures where a directory is given.

    tapes: where they are now, None = where they were. Raises ConfigError, OSError.
    """
    from replay.report.html import write_report
    from replay.report.shown import tapes_of, written
    from strategies.regime import Detector

    places = tapes_of(result, tapes)
    require_place(out, png)
    with progress_bar("drawing") as progress:
        page = write_report(result, out, places, Detector, progress)
    return written(page, out, [] if png is None else _pictures(page, png))


def _pictures(page: "Page", png: Path) -> list[Path]:
    from replay.report.pictures import write_pictures

    return write_pictures(page, png)


def require_place(out: Path | None, png: Path | None = None) -> None:
    """Raises ConfigError where a page cannot be written to that path, or pictures into that directory; None = none."""
    from core.errors import ConfigError

    if out is None:
        if png is not None:
            raise ConfigError("--png is of a page: name that by --report, too")
        return
    if png is not None:
        from replay.report.pictures import require_matplotlib

        require_matplotlib()
        if png.exists() and not png.is_dir():
            raise ConfigError(f"{png}: is no directory; name one for the pictures")

    if out.is_dir():
        raise ConfigError(f"{out}: is a directory; name a file, such as {out / 'report.html'}")
    if not out.absolute().parent.is_dir():
        raise ConfigError(f"{out}: there is no directory {out.parent}; make it first")
