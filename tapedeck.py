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
    rich_markup_mode="markdown",
)

TapePath = Annotated[Path, typer.Argument(metavar="TAPE", help="A tape: the directory that holds tape.json.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
_TIMES = "Unix ns, 2026-08-11T00:16:45Z, '2026-08-10 20:16:45 ET' or end; no zone means UTC"
From = Annotated[str | None, typer.Option("--from", metavar="TIME", help=f"Where to begin: {_TIMES}.")]
To = Annotated[str | None, typer.Option("--to", metavar="TIME", help="Where to stop, that instant included.")]
Markets = Annotated[list[str] | None, typer.Option("--market", "-m", metavar="MARKET", help="Only this; repeatable.")]


class ReplayPath(StrEnum):
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
        from replay.books import MarketNotFound

        if not isinstance(error, MarketNotFound):
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
        yield lambda _done, _total: None
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


def _span(from_: str | None, to: str | None) -> tuple[int | None, int | None]:
    from replay.when import format_time

    from_ns, to_ns = _time(from_), _time(to)
    if from_ns is not None and to_ns is not None and from_ns > to_ns:
        raise typer.BadParameter(f"--from {format_time(from_ns)} is later than --to {format_time(to_ns)}")
    return from_ns, to_ns


@app.command("import", epilog="Example: tapedeck import recording.jsonl.gz --out monday")
def import_(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Recordings, or directories of them.")],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="TAPE", help="The tape to make; must not exist yet.")],
    filtered: Annotated[
        bool,
        typer.Option(
            "--filtered", help="The recording keeps some markets of a larger subscription: claim no gap from seq."
        ),
    ] = False,
    torn_tail: Annotated[
        bool, typer.Option("--torn-tail", help="Accept a file that ends in half a line; the loss is noted as a gap.")
    ] = False,
    environment: Annotated[
        str, typer.Option("--env", metavar="NAME", help="What was recorded: prod, demo or a URL.")
    ] = "unknown",
    as_json: Json = False,
) -> None:
    """Turn a recording that another tool made into a tape.

    Every byte is kept; the kind of recording is recognised by itself. Files may be packed (gzip, bzip2, xz, zstd);
    directories are searched. A line is one of: {"recv_ms", "event": FRAME}, {"recv_ns", "conn", "raw": TEXT},
    {"recv_ts_ns", "raw": TEXT}, or a FRAME alone.
    """
    from replay import render
    from replay.importer import ImportOptions, import_recording

    with _bar("importing", "bytes") as progress:
        options = ImportOptions(environment=environment, filtered=filtered, torn_tail=torn_tail, progress=progress)
        report = import_recording(files, out, options)
    _answer(report, render.import_lines(report), as_json=as_json)


@app.command(epilog="Example: tapedeck info monday --json")
def info(tape: TapePath, *, as_json: Json = False) -> None:
    """What is in a tape: counts, markets, every gap and silence.

    One pass over the tape. Times are the tape's own, in UTC. `--json` lists all connections, gaps and silences.
    """
    from replay import open_tape, render
    from replay.summary import summarize

    with _bar("reading") as progress:
        found = summarize(open_tape(tape), progress)
    _answer(found, render.info_lines(found), as_json=as_json)


@app.command(epilog="Example: tapedeck verify monday --deep")
def verify(
    tape: TapePath,
    *,
    deep: Annotated[
        bool, typer.Option("--deep", help="Also decode every frame again and compare all columns.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Is the tape whole, and if not, where is the damage?

    Exit 0: whole. Exit 1: something is altered, cut, missing, swapped or doubled, or nothing proves that the recorder
    stopped where the tape ends.
    """
    from capture.tape.verify import verify as run_verify
    from replay import render

    with _bar("verifying") as progress:
        report = run_verify(tape, deep, progress)
    _answer(report, render.verify_lines(report), as_json=as_json)
    raise typer.Exit(0 if report.whole else 1)


@app.command(epilog="Example: tapedeck recover monday")
def recover(tape: TapePath, *, as_json: Json = False) -> None:
    """Repair a tape after a crash; the loss goes on record as a gap.

    Seals what lies in the hot log and keeps everything before the damage. What it takes out of the tape is kept in
    the folder quarantine/ in the tape. Running it twice does no harm.
    """
    from capture.tape.recovery import recover as run_recover
    from replay import render

    report = run_recover(tape)
    _answer(report, render.recovery_lines(report), as_json=as_json)
    raise typer.Exit(1 if report.problems else 0)


@app.command(epilog="Example: tapedeck rebuild monday")
def rebuild(tape: TapePath, *, as_json: Json = False) -> None:
    """Decode a tape again with today's decoder.

    The typed columns are made anew; the raw records and the state that they lead to stay the same.
    """
    from replay import render
    from replay.rebuild import rebuild as run_rebuild

    with _bar("rebuilding", "segments") as progress:
        report = run_rebuild(tape, progress)
    _answer(report, render.rebuild_lines(report), as_json=as_json)


@app.command(epilog="Example: tapedeck replay monday --path both")
def replay(
    tape: TapePath,
    *,
    path: Annotated[
        ReplayPath, typer.Option(help="Decode the bytes, read the typed columns, or both and compare.")
    ] = ReplayPath.COLUMNS,
    from_: From = None,
    to: To = None,
    as_json: Json = False,
) -> None:
    """Play a tape: digests of state and decisions, gaps, speed.

    The same tape gives the same digests on every run and by either path. `--path both` plays the two side by side
    and exits with 1 and the place if their states ever differ. With `--from` the state still comes from everything
    before; counts are those of the stretch.
    """
    from replay import open_tape, render
    from replay.run import Span, compare, run

    span = Span(*_span(from_, to))
    opened = open_tape(tape)
    with _bar("replaying") as progress:
        if path is not ReplayPath.BOTH:
            result = run(opened, path, span, progress)
        else:
            comparison = compare(opened, span, progress)
    if path is not ReplayPath.BOTH:
        _answer(result, render.run_lines(result), as_json=as_json)
        return
    _answer(comparison.as_json(), render.comparison_lines(comparison), as_json=as_json)
    raise typer.Exit(0 if comparison.equal else 1)


@app.command(epilog="Example: tapedeck book monday KXBTC15M-26MAY110145-45 --at '2026-05-11 01:35 ET'")
def book(
    tape: TapePath,
    market: Annotated[str | None, typer.Argument(metavar="[MARKET]", help="The market's ticker.")] = None,
    *,
    at: Annotated[str, typer.Option("--at", metavar="TIME", help=f"The instant: {_TIMES}.")] = "end",
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
    """A market's book at an instant, or books on a grid.

    Every record received by the instant is in it. A book is trusted while nothing is known to be missing from it.
    """
    if every is None:
        if market is None:
            raise typer.BadParameter("give a MARKET, or --every SPAN and --out F.parquet")
        _book_at(tape, market, at, as_json)
    else:
        if at != "end" or out is None:
            raise typer.BadParameter("--every goes with --out F.parquet, and with --from and --to instead of --at")
        wanted = tuple(dict.fromkeys([*([market] if market else []), *(markets or [])]))
        _grid(tape, out, (every, wanted, *_span(from_, to)), as_json)


def _book_at(tape: Path, market: str, at: str, as_json: bool) -> None:
    from replay import open_tape, render
    from replay.books import book_at

    found = book_at(open_tape(tape), market, _time(at))
    _answer(found, render.book_lines(found), as_json=as_json)


def _grid(tape: Path, out: Path, choice: tuple[str, tuple[str, ...], int | None, int | None], as_json: bool) -> None:
    from replay import open_tape, render
    from replay.books import Grid, book_every
    from replay.when import parse_duration

    every, markets, from_ns, to_ns = choice
    try:
        grid = Grid(every_ns=parse_duration(every), from_ns=from_ns, to_ns=to_ns, markets=markets)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    with _bar("writing") as progress:
        report = book_every(open_tape(tape), grid, out, progress)
    _answer(report, render.grid_lines(report), as_json=as_json)


@app.command(epilog="Example: tapedeck cut monday --from '2026-08-10 20:16 ET' --to '2026-08-10 20:17 ET' --out cut")
def cut(
    tape: TapePath,
    *,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="TAPE", help="The tape to make; must not exist yet.")],
    from_: From = None,
    to: To = None,
    markets: Markets = None,
    as_json: Json = False,
) -> None:
    """Make a smaller tape of a stretch of time or some markets.

    It begins with the state before it, so its books equal the original's at every instant inside it.
    """
    from replay import open_tape, render
    from replay.cut import Selection
    from replay.cut import cut as run_cut

    selection = Selection(*_span(from_, to), tuple(dict.fromkeys(markets or ())))
    with _bar("cutting") as progress:
        report = run_cut(open_tape(tape), out, selection, progress)
    _answer(report, render.cut_lines(report), as_json=as_json)


@app.command(epilog="Example: tapedeck export monday --to jsonl --out monday.jsonl")
def export(
    tape: TapePath,
    *,
    to: Annotated[Format, typer.Option("--to", help="The format.")] = Format.JSONL,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="The file to make; - is standard output.")
    ] = Path("-"),
    as_json: Json = False,
) -> None:
    """Write a tape's frames out as lines.

    What was imported comes out byte for byte as it went in (unpacked, if it was packed).
    """
    from replay import open_tape, render
    from replay.exporter import STDOUT, export_jsonl

    assert to is Format.JSONL
    if out == STDOUT:
        if as_json:
            raise typer.BadParameter("--json needs --out FILE: standard output holds the lines themselves")
        export_jsonl(open_tape(tape), out)
        return
    with _bar("exporting") as progress:
        report = export_jsonl(open_tape(tape), out, progress)
    _answer(report, render.export_lines(report), as_json=as_json)


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
    _answer(found, render.demo_lines(found), as_json=as_json)
    raise typer.Exit(0 if found.whole and found.equal else 1)


if __name__ == "__main__":
    main()
