"""Commands on tapes that exist: import, info, verify, recover, rebuild, replay, book, export.

Knows their options and exit codes (0 fine, 1 the answer is no, 2 unusable input). Heavy imports happen inside the
commands, so that `--help` is quick.
"""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tapedeck_console import (
    TIMES,
    From,
    Json,
    Markets,
    TapePath,
    To,
    answer,
    complain,
    complain_of_glances,
    mark_tape,
    progress_bar,
    span_of,
    time_of,
)

if TYPE_CHECKING:
    from replay.many import Terms

app = typer.Typer()


class ReplayPath(StrEnum):
    """How `replay` reads a tape."""

    BYTES = "bytes"
    COLUMNS = "columns"
    BOTH = "both"


class Format(StrEnum):
    """What `export` writes: lines into a file, the others into a folder."""

    JSONL = "jsonl"
    CSV = "csv"
    HFTBACKTEST = "hftbacktest"
    NAUTILUS = "nautilus"


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
    {"recv_ts_ns", "raw": TEXT}, or a FRAME alone. Beside them, a file may be a REST answer with the time of its fetch:
    {"fetched_at_ms", "url", "status", "response": BODY}.
    """
    from replay import render
    from replay.importer import ImportOptions, import_recording

    with progress_bar("importing", "bytes") as progress:
        options = ImportOptions(environment=environment, filtered=filtered, torn_tail=torn_tail, progress=progress)
        report = import_recording(files, out, options)
    mark_tape(out)
    answer(report, render.import_lines(report), as_json=as_json)


@app.command(epilog="Example: tapedeck info monday --json")
def info(tape: TapePath, *, as_json: Json = False) -> None:
    """What is in a tape: counts, markets, every gap and silence.

    Reads what no checkpoint knows of yet: on a long tape the end. Times are the tape's own, in UTC. `--json` lists all
    connections, gaps and silences. Whether all of the tape is whole is for `verify` to say.
    """
    from replay import open_tape, render
    from replay.summary import summarize

    with progress_bar("reading") as progress:
        found = summarize(open_tape(tape), progress)
    answer(found, render.info_lines(found), as_json=as_json)


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

    with progress_bar("verifying") as progress:
        report = run_verify(tape, deep, progress)
    answer(report, render.verify_lines(report), as_json=as_json)
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
    mark_tape(tape)
    answer(report, render.recovery_lines(report), as_json=as_json)
    raise typer.Exit(1 if report.problems else 0)


@app.command(epilog="Example: tapedeck rebuild monday")
def rebuild(tape: TapePath, *, as_json: Json = False) -> None:
    """Decode a tape again with today's decoder.

    The typed columns are made anew; the raw records and the state that they lead to stay the same.
    """
    from replay import render
    from replay.rebuild import rebuild as run_rebuild

    with progress_bar("rebuilding", "segments") as progress:
        report = run_rebuild(tape, progress)
    mark_tape(tape)
    answer(report, render.rebuild_lines(report), as_json=as_json)


@app.command(epilog="Example: tapedeck replay monday --path both")
def replay(
    tapes: Annotated[list[Path], typer.Argument(metavar="TAPE...", help="A tape, or several to play side by side.")],
    *,
    path: Annotated[
        ReplayPath, typer.Option(help="Decode the bytes, read the typed columns, or both and compare.")
    ] = ReplayPath.COLUMNS,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", "-j", min=1, metavar="N", help="Tapes at a time, some 400 MB each. [default: one a core]"
        ),
    ] = None,
    strategies: Annotated[
        bool, typer.Option("--strategies/--no-strategies", help="Run the strategies that ran live again, or do not.")
    ] = True,
    from_: From = None,
    to: To = None,
    as_json: Json = False,
) -> None:
    """Play a tape, or several side by side: digests of state and decisions, gaps, speed.

    The same tape gives the same digests on every run and by either path. `--path both` plays the two side by side
    and exits with 1 and the place if their states or decisions ever differ. With `--from` the state still comes from
    everything before; counts are those of the stretch, and no strategy runs. `tapedeck parity` compares with what was
    decided live. Several tapes: an answer for each in their order, with `--json` as one array; a tape that cannot be
    played leads to exit 2 once the others are done.
    """
    from replay import render
    from replay.many import Terms, exit_code, plain, play, slow_glances
    from replay.run import Span

    terms = Terms(path=path.value, span=Span(*span_of(from_, to)), strategies=strategies)
    if len(tapes) > 1:
        _replay_all(tapes, terms, jobs, as_json=as_json)
        return
    with progress_bar("replaying") as progress:
        result = play(tapes[0], terms, progress)
    complain_of_glances(slow_glances(result))
    answer(plain(result), render.result_lines(result), as_json=as_json)
    raise typer.Exit(exit_code([result]))


def _replay_all(tapes: list[Path], terms: "Terms", jobs: int | None, *, as_json: bool) -> None:
    from replay import render
    from replay.many import Unplayed, cores, exit_code, plain, play_all, slow_glances

    with progress_bar("replaying", f"% of {len(tapes)} tapes") as progress:
        results = play_all(tapes, terms, jobs or cores(), progress)
    answer([plain(result) for result in results], render.results_lines(results), as_json=as_json)
    for result in results:
        complain_of_glances(slow_glances(result))
        if isinstance(result, Unplayed):
            complain(result.problem)
    raise typer.Exit(exit_code(results))


@app.command(epilog="Example: tapedeck book monday KXBTC15M-26MAY110145-45 --at '2026-05-11 01:35 ET'")
def book(
    tape: TapePath,
    market: Annotated[str | None, typer.Argument(metavar="[MARKET]", help="The market's ticker.")] = None,
    *,
    at: Annotated[str, typer.Option("--at", metavar="TIME", help=f"The instant: {TIMES}.")] = "end",
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
        _grid(tape, out, (every, wanted, *span_of(from_, to)), as_json)


def _book_at(tape: Path, market: str, at: str, as_json: bool) -> None:
    from replay import open_tape, render
    from replay.books import book_at

    found = book_at(open_tape(tape), market, time_of(at))
    answer(found, render.book_lines(found), as_json=as_json)


def _grid(tape: Path, out: Path, choice: tuple[str, tuple[str, ...], int | None, int | None], as_json: bool) -> None:
    from replay import open_tape, render
    from replay.books import Grid, book_every
    from replay.when import parse_duration

    every, markets, from_ns, to_ns = choice
    try:
        grid = Grid(every_ns=parse_duration(every), from_ns=from_ns, to_ns=to_ns, markets=markets)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    with progress_bar("writing") as progress:
        report = book_every(open_tape(tape), grid, out, progress)
    answer(report, render.grid_lines(report), as_json=as_json)


@app.command(epilog="Example: tapedeck export monday --to csv --out monday-csv")
def export(
    tape: TapePath,
    *,
    to: Annotated[Format, typer.Option("--to", help="The format.")] = Format.JSONL,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="PATH", help="The file, or folder, to make; - is standard output.")
    ] = Path("-"),
    markets: Markets = None,
    from_: From = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="Where to stop, that instant included.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a tape out for other tools.

    jsonl: its frames as lines; what was imported comes out byte for byte as it went in (unpacked, if it was packed).
    csv: a file for each kind of message. hftbacktest: an array of events for each market. nautilus: a
    ParquetDataCatalog, for which nautilus_trader has to be installed. What the last three hold, in which units, and
    what becomes of gaps: docs/EXPORTS.md. They take a part of a tape; of jsonl, `tapedeck cut` makes the part first.
    """
    if to is Format.JSONL:
        if markets or from_ or until:
            raise typer.BadParameter("--to jsonl writes whole tapes; cut the part first: tapedeck cut")
        _export_lines(tape, out, as_json=as_json)
        return
    from replay import open_tape, render
    from replay.exports.terms import Choice
    from replay.exports.writing import export_to

    if out == Path("-"):
        raise typer.BadParameter(f"--to {to} makes a folder, give it a name: --out DIR")
    from_ns, to_ns = span_of(from_, until, "--until")
    choice = Choice(from_ns=from_ns, to_ns=to_ns, markets=tuple(dict.fromkeys(markets or ())))
    with progress_bar("exporting") as progress:
        report = export_to(to.value, open_tape(tape), out, choice, progress)
    answer(report, render.exported_lines(report), as_json=as_json)


def _export_lines(tape: Path, out: Path, *, as_json: bool) -> None:
    from replay import open_tape, render
    from replay.exporter import STDOUT, export_jsonl

    if out == STDOUT:
        if as_json:
            raise typer.BadParameter("--json needs --out FILE: standard output holds the lines themselves")
        export_jsonl(open_tape(tape), out)
        return
    with progress_bar("exporting") as progress:
        report = export_jsonl(open_tape(tape), out, progress)
    answer(report, render.export_lines(report), as_json=as_json)
