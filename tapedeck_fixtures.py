"""Commands that make fixtures of tapes: cut, shrink.

Knows their options and exit codes (0 fine, 1 the answer is no, 2 unusable input). Heavy imports happen inside the
commands, so that `--help` is quick.
"""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tapedeck_console import From, Json, Markets, TapePath, To, answer, progress_bar, seconds_of, span_of

if TYPE_CHECKING:
    from capture.tape.reader import Tape

app = typer.Typer()

Around = Annotated[int | None, typer.Option("--around", min=0, metavar="SEQ", help="A stretch around this record.")]
Connections = Annotated[
    list[int] | None, typer.Option("--connection", min=1, metavar="N", help="Only this connection; repeatable.")
]
Proves = Annotated[
    str | None, typer.Option("--proves", metavar="TEXT", help="Make a fixture: a tape and an about.json.")
]
Scrub = Annotated[
    bool | None,
    typer.Option("--scrub/--no-scrub", help="Pseudonyms for ids, keys, accounts. [default: in a fixture]"),
]
ScrubSizes = Annotated[
    bool, typer.Option("--scrub-sizes", help="With --scrub: sizes and money times a number of the key's.")
]
KeyFile = Annotated[
    Path | None, typer.Option("--key-file", metavar="FILE", help="Keep the pseudonyms' key here, or take it.")
]
SpanText = Annotated[str | None, typer.Option(metavar="SPAN", help="With --around: 500ms, 5s, 2m. [default: 5s]")]


@app.command(
    epilog="Example: tapedeck cut monday --around 48211 --proves 'a lost delta heals' --out fixtures/lost-delta"
)
def cut(
    tape: TapePath,
    *,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT", help="What to make; must not exist yet.")],
    from_: From = None,
    to: To = None,
    around: Around = None,
    before: SpanText = None,
    after: SpanText = None,
    markets: Markets = None,
    connections: Connections = None,
    proves: Proves = None,
    scrub: Scrub = None,
    scrub_sizes: ScrubSizes = False,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Make a smaller tape of a stretch of time, some markets or connections, or what is around a record.

    It begins with the state before it, so its books equal the original's at every instant inside it. Scrubbed, it has
    another id, key and account number wherever one stood, each of the same shape and always the same for the same; the
    key that made them is thrown away unless --key-file keeps it. docs/FIXTURES.md has an example.
    """
    from replay import open_tape, render
    from replay.cut import Selection
    from replay.fixture.about import Origin
    from replay.fixture.making import Privacy, cut_fixture, cut_private, key_of

    opened = open_tape(tape)
    span = _span(opened, around, before, after, span_of(from_, to))
    selection = Selection(*span, tuple(dict.fromkeys(markets or ())), tuple(dict.fromkeys(connections or ())))
    wants_scrub = proves is not None if scrub is None else scrub
    if key_file is not None and not wants_scrub:
        raise typer.BadParameter("--key-file goes with --scrub")
    if scrub_sizes and not wants_scrub:
        raise typer.BadParameter("--scrub-sizes goes with --scrub")
    privacy = Privacy(scrub=wants_scrub, key=b"" if key_file is None else key_of(key_file), sizes=scrub_sizes)
    with progress_bar("cutting") as progress:
        if proves is None:
            report = cut_private(opened, out, selection, privacy, progress)
        else:
            origin = Origin(origin="recorded", source=f"cut from {tape.name}", proves=proves, command=_command())
            report = cut_fixture(opened, out, selection, origin, privacy=privacy, progress=progress)
    answer(report, render.cut_lines(report), as_json=as_json)


@app.command(
    epilog="Example: tapedeck shrink incident/tape --check 'python check.py {tape}' --out small --test test_small.py"
)
def shrink(
    tape: TapePath,
    *,
    check: Annotated[
        str,
        typer.Option("--check", metavar="CMD", help="A shell command with {tape} in it; fails = does not exit with 0."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="The fixture to make; must not exist yet.")],
    match: Annotated[
        str, typer.Option("--match", metavar="REGEX", help="Its output must hold this, or it is another failure.")
    ] = "",
    test: Annotated[
        Path | None, typer.Option("--test", metavar="FILE", help="Write a pytest that holds what was found.")
    ] = None,
    proves: Annotated[str, typer.Option("--proves", metavar="TEXT", help="What the fixture shows.")] = "",
    tries: Annotated[
        int, typer.Option("--tries", min=1, max=1_000_000, help="Run the check so often at most.")
    ] = 10_000,
    for_: Annotated[str | None, typer.Option("--for", metavar="SPAN", help="Stop after this: 90s, 10m, 2h.")] = None,
    as_json: Json = False,
) -> None:
    """Find the smallest tape on which a check still fails, and make a fixture of it.

    Sessions, connections, markets, kinds of records and at last single records are left out while CMD goes on to end
    with the same exit code as on the whole tape. Frames keep their bytes. A shrink that was killed goes on where it
    was: give the same command again. Exit 1: the check does not fail on TAPE. docs/FIXTURES.md has an example.
    """
    from replay import open_tape, render
    from replay.fixture.check import Check
    from replay.fixture.shrink import Limits, shrink

    hunted = Check(check, match, str(Path.cwd()))
    limits = Limits(tries, None if for_ is None else seconds_of(for_))
    with progress_bar("shrinking", "parts are out") as progress:
        report = shrink(
            open_tape(tape), out, hunted, proves=proves, command=_command(), limits=limits, test=test, progress=progress
        )
    answer(report, render.shrink_lines(report), as_json=as_json)
    raise typer.Exit(0 if report.fails else 1)


def _span(
    tape: "Tape", around: int | None, before: str | None, after: str | None, span: tuple[int | None, int | None]
) -> tuple[int | None, int | None]:
    """The stretch of time that is wanted, by whichever options say it."""
    from replay.cut import around as around_record
    from replay.when import parse_duration

    if around is None:
        if before is not None or after is not None:
            raise typer.BadParameter("--before and --after go with --around SEQ")
        return span
    if span != (None, None):
        raise typer.BadParameter("--around goes without --from and --to")
    try:
        return around_record(tape, around, parse_duration(before or "5s"), parse_duration(after or "5s"))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _command() -> str:
    """What was typed, without the directories; a check stays as it is, for it is run again."""
    return shlex.join(
        ["tapedeck", *(Path(word).name if "/" in word and " " not in word else word for word in sys.argv[1:])]
    )
