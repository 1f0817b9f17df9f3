"""Commands on what strategies decide: parity, causality.

Knows their options and exit codes (0 fine, 1 the answer is no, 2 unusable input). Heavy imports happen inside the
commands, so that `--help` is quick.
"""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from tapedeck_console import Json, TapePath, answer, complain_of_glances, progress_bar

if TYPE_CHECKING:
    from core.actions import StrategySpec

app = typer.Typer()


class ParityPath(StrEnum):
    """How `parity` reads a tape."""

    BYTES = "bytes"
    COLUMNS = "columns"
    BOTH = "both"


StrategyPath = Annotated[
    str | None,
    typer.Option("--strategy", "-S", metavar="PATH", help="package.module:Class or file.py:Class; default: who ran."),
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the strategy; repeatable.")
]


@app.command(epilog="Example: tapedeck parity monday")
def parity(
    tape: TapePath,
    *,
    path: Annotated[
        ParityPath, typer.Option(help="Decode the bytes, read the typed columns, or one here and one there.")
    ] = ParityPath.BOTH,
    as_json: Json = False,
) -> None:
    """Did the live run and its replay decide the same?

    Replays the tape with the strategies that ran, in two processes at the same time under different PYTHONHASHSEED, and
    compares each decision with the recorded one, up to the last PROGRESS of each session. Exit 1: they part; the answer
    is the first place where, with its record, both decisions and the market as the replay saw it.

    Of a backtest's RESULT directory: it is made again by both paths, and every table is compared.
    """
    from capture.tape.thrift import give_back
    from replay.backtest.result import is_result

    if is_result(tape):
        _repeat(tape, as_json=as_json)
    from replay import open_tape, verdicts
    from replay.twofold import prove

    give_back()

    with progress_bar("replaying") as progress:
        found = prove(open_tape(tape), path.value, progress)
    answer(found, verdicts.parity_lines(found), as_json=as_json)
    raise typer.Exit(0 if found.equal else 1)


@app.command(epilog="Example: tapedeck causality monday --strategy mine.py:Maker --set size=5")
def causality(
    tape: TapePath,
    *,
    strategy: StrategyPath = None,
    settings: Settings = None,
    places: Annotated[int, typer.Option("--places", min=1, max=1_000, help="How many places to cut at.")] = 8,
    seed: Annotated[int, typer.Option("--seed", help="Which places, and which false futures.")] = 20_260_811,
    as_json: Json = False,
) -> None:
    """Does any decision depend on what comes after it?

    At places all over the tape everything that follows is cut off, and then replaced (other prices, another order,
    garbage): what was decided up to there must stay as it was. Exit 1: something changed, or a strategy looked
    elsewhere than at what it was given. Without `--strategy` the strategies of the tape's own sessions are run.
    Of a backtest's RESULT directory: what was decided and what happened at the venue, on each of its tapes.
    """
    from capture.tape.thrift import give_back
    from replay import open_tape, verdicts
    from replay.backtest.result import is_result
    from replay.causality import examine
    from replay.hosted import AROUND

    give_back()
    if is_result(tape):
        if strategy is not None or settings:
            raise typer.BadParameter("--strategy and --set go with a tape; a result names its own")
        _foresee(tape, places, seed, as_json=as_json)
    specs = _specified(strategy, settings or [])
    with progress_bar("replaying", "trials") as progress:
        found = examine(open_tape(tape), specs, places=places, seed=seed, progress=progress, **AROUND)
    complain_of_glances(found.slow_glances)
    answer(found, verdicts.causality_lines(found), as_json=as_json)
    raise typer.Exit(0 if found.causal else 1)


def _foresee(result: Path, places: int, seed: int, *, as_json: bool) -> NoReturn:
    from replay import verdicts
    from replay.backtest.foresight import examine_result
    from replay.hosted import AROUND

    with progress_bar("replaying", "tapes") as progress:
        found = examine_result(result, places=places, seed=seed, progress=progress, **AROUND)
    complain_of_glances(dict.fromkeys(slow for one in found.tapes for slow in one.slow_glances))
    answer(found, verdicts.foresight_lines(found), as_json=as_json)
    raise typer.Exit(0 if found.causal else 1)


def _repeat(result: Path, *, as_json: bool) -> NoReturn:
    from replay.backtest.proof import repeat
    from replay.backtest.shown import repetition_lines

    with progress_bar("backtesting") as progress:
        found = repeat(result, progress)
    answer(found, repetition_lines(found), as_json=as_json)
    raise typer.Exit(0 if found.equal else 1)


def _specified(strategy: str | None, settings: list[str]) -> "tuple[StrategySpec, ...]":
    """The strategy that the options name, none = the tape's own."""
    from replay.loading import specify

    pairs = [setting.partition("=") for setting in settings]
    wrong = [setting for setting, pair in zip(settings, pairs, strict=True) if not pair[1]]
    if wrong:
        raise typer.BadParameter(f"--set {wrong[0]}: write NAME=VALUE")
    if strategy is None:
        if settings:
            raise typer.BadParameter("--set goes with --strategy: those that ran keep their own parameters")
        return ()
    return (specify(strategy.rpartition(":")[2], strategy, {name: value for name, _, value in pairs}),)
