"""The command line: wires the parts together, shows what they answer, turns errors into one sentence.

Knows options, exit codes (0 fine, 1 the answer is no, 2 unusable input) and where text goes: answers to stdout,
progress and complaints to stderr. Heavy imports happen inside the commands, so that `--help` is quick.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import msgspec
import typer

from capture.tape.errors import TapeError

if TYPE_CHECKING:
    from replay.progress import Progress

app = typer.Typer(
    name="tapedeck",
    help="Records the Kalshi exchange and plays it back: the same tape gives the same state, every time.",
    epilog="New here? `tapedeck demo` needs no account and takes less than a minute.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

TapePath = Annotated[Path, typer.Argument(metavar="TAPE", help="A tape: the directory that holds tape.json.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
_TIMES = "Unix ns, 2026-08-11T00:16:45Z, '2026-08-10 20:16:45 ET' or end; no zone means UTC"
From = Annotated[str | None, typer.Option("--from", metavar="TIME", help=f"Where to begin: {_TIMES}.")]
To = Annotated[str | None, typer.Option("--to", metavar="TIME", help="Where to stop, that instant included.")]
Markets = Annotated[list[str] | None, typer.Option("--market", "-m", metavar="MARKET", help="Only this; repeatable.")]


class Path3(StrEnum):
    """How `replay` reads a tape."""

    BYTES = "bytes"
    COLUMNS = "columns"
    BOTH = "both"


class Format(StrEnum):
    """What `export` writes."""

    JSONL = "jsonl"


def main() -> None:
    """The `tapedeck` program: runs one command and exits with its code."""
    try:
        app()
    except (TapeError, OSError) as error:
        _stop(2, str(error))
    except LookupError as error:
        if type(error).__name__ != "MarketNotFound":  # importing the class would load the readers
            raise
        _stop(1, str(error))


def _stop(code: int, sentence: str) -> NoReturn:
    sys.stderr.write(f"tapedeck: {sentence}\n")
    raise SystemExit(code)


def _answer(value: Any, lines: Iterable[str], *, as_json: bool) -> None:
    """One JSON object, or lines for people."""
    if as_json:
        typer.echo(msgspec.json.encode(value))
        return
    for line in lines:
        typer.echo(line)


@contextmanager
def _bar(title: str, unit: str = "records") -> "Iterator[Progress]":
    """A progress bar on stderr while somebody looks at it there."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,.0f} " + unit))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)


def _time(text: str | None) -> int | None:
    """Unix ns, None for no limit."""
    from replay.when import parse_time

    try:
        return None if text is None else parse_time(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


@app.command("import", epilog="Example: tapedeck import recording.jsonl.gz --out tapes/monday")
def import_(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Recordings, in the order of time.")],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="TAPE", help="The tape to make; must not exist yet.")],
    filtered: Annotated[
        bool,
        typer.Option(
            "--filtered", help="The recording keeps some markets of a larger subscription: claim no gap from seq."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Turn another recorder's frames into a tape, every byte kept; the kind of recording is recognised by itself."""


@app.command(epilog="Example: tapedeck info tapes/monday --json")
def info(tape: TapePath, *, as_json: Json = False) -> None:
    """What is in a tape: frames, markets, connections, and every gap and silence with its time."""
    from replay import open_tape, render
    from replay.summary import summarize

    with _bar("reading") as progress:
        found = summarize(open_tape(tape), progress)
    _answer(found, render.info_lines(found), as_json=as_json)


@app.command(epilog="Example: tapedeck verify tapes/monday --deep")
def verify(
    tape: TapePath,
    *,
    deep: Annotated[
        bool, typer.Option("--deep", help="Also decode every frame again and compare all columns.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Is the tape whole? Exit 0: yes. Exit 1: something is altered, cut, missing or of unproven end; it says where."""


@app.command(epilog="Example: tapedeck recover tapes/monday")
def recover(tape: TapePath, *, as_json: Json = False) -> None:
    """Seal what a crash left behind, keep everything before the damage, and put the loss on the tape as a gap."""


@app.command(epilog="Example: tapedeck rebuild tapes/monday")
def rebuild(tape: TapePath, *, as_json: Json = False) -> None:
    """Decode a tape again with today's decoder; its raw records and the state they lead to stay the same."""
    from replay.rebuild import rebuild as run_rebuild

    with _bar("rebuilding", "segments") as progress:
        report = run_rebuild(tape, progress)
    saved = f"{report.bytes_before:,} bytes before, {report.bytes_after:,} after"
    lines = [f"{tape}: {report.segments} segments decoded again, {report.replaced} came out different; {saved}"]
    _answer(report, lines, as_json=as_json)


@app.command(epilog="Example: tapedeck replay tapes/monday --path both")
def replay(
    tape: TapePath,
    *,
    path: Annotated[
        Path3, typer.Option(help="Decode the bytes, read the typed columns, or both and compare.")
    ] = Path3.COLUMNS,
    from_: From = None,
    to: To = None,
    as_json: Json = False,
) -> None:
    """Play a tape as fast as it goes: digests of the state and of the decisions, gaps, rejections, speed."""
    from replay import open_tape, render
    from replay.run import Span, compare, run

    span = Span(_time(from_), _time(to))
    opened = open_tape(tape)
    with _bar("replaying") as progress:
        if path is not Path3.BOTH:
            result = run(opened, path, span, progress)
        else:
            comparison = compare(opened, span, progress)
    if path is not Path3.BOTH:
        _answer(result, render.run_lines(result), as_json=as_json)
        return
    _answer(comparison.as_json(), render.comparison_lines(comparison), as_json=as_json)
    raise typer.Exit(0 if comparison.equal else 1)


@app.command(epilog="Example: tapedeck book tapes/monday KXBTC15M-26MAY110145-45 --at '2026-05-11 01:35 ET'")
def book(
    tape: TapePath,
    market: Annotated[str | None, typer.Argument(metavar="[MARKET]", help="The market's ticker.")] = None,
    *,
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help=f"The instant: {_TIMES}.")] = None,
    every: Annotated[
        str | None, typer.Option("--every", metavar="SPAN", help="Write a grid of books instead: 100ms, 1s, 5m.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="F.parquet", help="With --every: the file.")
    ] = None,
    from_: From = None,
    to: To = None,
    markets: Markets = None,
    as_json: Json = False,
) -> None:
    """A market's book at an instant (every record received by then is in it), or all books on a grid of instants."""
    wanted = [*([market] if market else []), *(markets or [])]
    if every is not None:
        _grid(tape, wanted, every, out, (_time(from_), _time(to)), as_json)
        return
