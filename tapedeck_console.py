"""What every group of commands needs: options they share, how answers and complaints leave, progress, times.

Knows where text goes: answers to stdout, progress and complaints to stderr. Must not know what a command does.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import msgspec
import typer

from core.printable import printable

if TYPE_CHECKING:
    from capture.status import Watcher
    from replay.progress import Progress

TapePath = Annotated[Path, typer.Argument(metavar="TAPE", help="A tape: the directory that holds tape.json.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
TIMES = "Unix ns, 2026-08-11T00:16:45Z, '2026-08-10 20:16:45 ET' or end; no zone means UTC"
From = Annotated[str | None, typer.Option("--from", metavar="TIME", help=f"Where to begin: {TIMES}.")]
To = Annotated[str | None, typer.Option("--to", metavar="TIME", help="Where to stop, that instant included.")]
Markets = Annotated[list[str] | None, typer.Option("--market", "-m", metavar="MARKET", help="Only this; repeatable.")]


_PLAIN_SECONDS = re.compile(r"\d{1,9}(\.\d{1,3})?")


def complain(sentence: str) -> None:
    """One sentence on stderr."""
    sys.stderr.write(f"tapedeck: {shown(sentence)}\n")


def shown(text: str) -> str:
    """Lines for a terminal: what a tape or the exchange says in them is text there, and no command."""
    return "\n".join(printable(line) for line in text.split("\n"))


def stop(code: int, sentence: str) -> NoReturn:
    """End the program with this exit code and one sentence on stderr."""
    complain(sentence)
    raise SystemExit(code)


def complain_of_glances(slow: Iterable[str]) -> None:
    """Say on stderr which strategies' glances run from Python, in a line each, and why."""
    for told in slow:
        sys.stderr.write(f"tapedeck: a glance could not be compiled, so it is slow; {told}\n")


def answer(value: Any, lines: Iterable[str], *, as_json: bool) -> None:
    """JSON, or lines for people."""
    if as_json:
        typer.echo(msgspec.json.encode(value))
        return
    for line in lines:
        typer.echo(shown(line))


COMPILING = "compiling the frame reader: once after an installation or an update, 10 to 20 s"


@contextmanager
def progress_bar(title: str, unit: str = "records") -> "Iterator[Progress]":
    """A progress bar on stderr while somebody looks at it there; it says so when something is compiled first."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from core.compiled import told_of_compiling

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,.0f} " + unit))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        with told_of_compiling(lambda: bar.console.print(COMPILING)):
            yield lambda done, total: bar.update(task, completed=done, total=total or None)


@contextmanager
def marking(tape: Path) -> "Iterator[Watcher]":
    """Who leaves checkpoints behind while a tape is recorded, so that `info` and `book --at` are quick afterwards."""
    from replay.marking import Marker

    marker = Marker(tape)
    try:
        yield lambda _status: marker.observe()
    finally:
        marker.close()


def mark_tape(tape: Path) -> None:
    """Leave checkpoints on a tape that was made or mended; one that cannot be played is for `verify` to tell of."""
    from capture.tape.errors import TapeError
    from replay import open_tape
    from replay.summary import mark

    with progress_bar("indexing") as progress, suppress(TapeError):
        mark(open_tape(tape), progress)


def time_of(text: str | None) -> int | None:
    """Unix ns, None for no limit."""
    from replay.when import parse_time

    try:
        return None if text is None else parse_time(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def span_of(from_: str | None, to: str | None, end: str = "--to") -> tuple[int | None, int | None]:
    """--from and --to as Unix ns, None for no limit. end: what the option of the second is called."""
    from replay.when import format_time

    from_ns, to_ns = time_of(from_), time_of(to)
    if from_ns is not None and to_ns is not None and from_ns > to_ns:
        raise typer.BadParameter(f"--from {format_time(from_ns)} is later than {end} {format_time(to_ns)}")
    return from_ns, to_ns


def seconds_of(text: str) -> float:
    """A span as people write it: 90, 90s, 10m, 2h, 1d."""
    from replay.when import parse_duration

    try:
        return parse_duration(text + "s" if _PLAIN_SECONDS.fullmatch(text) else text) / 1e9
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
