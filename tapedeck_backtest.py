"""Commands that try strategies on tapes: backtest, sweep.

Knows their options and exit codes (0 done, 1 a strategy or a point failed, 2 unusable input). Heavy imports happen
inside the commands, so that `--help` is quick.
"""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from tapedeck_cast import (
    MOST,
    GroupLimit,
    MaxContracts,
    MaxDayLoss,
    MaxExposure,
    MaxMarkets,
    MaxOrder,
    ParamsFile,
    Set,
    Strategies,
    group_limit_of,
    limits_of,
    specify,
)
from tapedeck_console import Json, answer, progress_bar, span_of
from tapedeck_report import Png, make_report, require_place

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.actions import StrategySpec
    from replay.backtest.setup import Setup
    from replay.backtest.sweep import Task
    from replay.venue.terms import Latency, VenueTerms

app = typer.Typer()

_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")

Tapes = Annotated[
    list[Path], typer.Option("--tape", "-t", metavar="TAPE", help="A tape; repeatable, played in order of time.")
]
Select = Annotated[
    list[str] | None,
    typer.Option("--market", "-m", metavar="PATTERN", help="Select these for strategies that quote what is selected."),
]
Queue = Annotated[str, typer.Option("--queue", metavar="MODEL", help="pessimistic@1, proportional@1, power@1 ...")]
Lag = Annotated[
    str, typer.Option("--latency", metavar="order=50ms,answer=50ms", help="Or `recorded`: drawn from the tape's own.")
]
Fees = Annotated[str, typer.Option("--fees", metavar="TYPE:FACTOR", help="Supposed where the tape does not tell.")]
Ticks = Annotated[str, typer.Option("--ticks", metavar="STRUCTURE", help="Likewise, such as linear_cent.")]
Cash = Annotated[float, typer.Option("--cash", metavar="DOLLARS", help="What the account begins with.")]
Seed = Annotated[int, typer.Option("--seed", help="Of what the venue draws, and of the strategies' dice.")]
OrderLife = Annotated[int, typer.Option("--order-life", min=5, max=3_600, help="Seconds an order lives unrenewed.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", metavar="DIR", help="Keep the result in this new directory.")]
Report = Annotated[Path | None, typer.Option("--report", metavar="FILE.html", help="And the page of it.")]
Grids = Annotated[list[str] | None, typer.Option("--grid", "-g", metavar="K=A,B,C", help="Values to try; repeatable.")]
Points = Annotated[Path | None, typer.Option("--points", metavar="FILE", help="Points to try, as JSON or .toml.")]
HoldOut = Annotated[
    list[str] | None,
    typer.Option(
        "--hold-out", metavar="TAPE|DAY", help="Judge the chosen point by it, such as 2026-08-11; repeatable."
    ),
]
Kept = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Rows and table: made, or gone on with.")]
By = Annotated[
    str, typer.Option("--by", metavar="FIGURE", help="What is to be most: pnl, pnl_trusted, fills, contracts.")
]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=0, max=256, help="Backtests at once; 0 = one a processor.")]
Since = Annotated[str | None, typer.Option("--from", metavar="TIME", help="Begin there; what was before is known.")]
Until = Annotated[str | None, typer.Option("--to", metavar="TIME", help="Stop there, that instant included.")]


@app.command(epilog="Example: tapedeck backtest market-maker --tape monday --market 'KXGOLD15M-*' --out results/first")
def backtest(
    strategies: Strategies,
    *,
    tapes: Tapes, given: Set = None, params: ParamsFile = None, select: Select = None,
    queue: Queue = "proportional@1", latency: Lag = "order=50ms,answer=50ms", fees: Fees = "", ticks: Ticks = "",
    cash: Cash = 10_000.0, seed: Seed = 0, since: Since = None, until: Until = None, max_order: MaxOrder = 10.0,
    max_contracts: MaxContracts = 25.0, max_exposure: MaxExposure = 50.0, max_day_loss: MaxDayLoss = 10.0,
    max_markets: MaxMarkets = 10, order_life: OrderLife = 60, group_limit: GroupLimit = 0.0, out: Out = None,
    report: Report = None, png: Png = None, as_json: Json = False,
) -> None:  # fmt: skip
    """Try strategies on tapes: a simulated venue answers their orders, with queue, latency and fees.

    Everything that the venue supposes is in the result, with all that is needed to repeat it; `tapedeck parity RESULT`
    does that. Fees and ticks come from the tape; where it does not tell them they must be supposed. Exit 1: a strategy
    failed.
    """
    from replay.backtest.run import perform
    from replay.backtest.setup import Setup
    from replay.backtest.shown import result_lines

    limits = limits_of(
        max_order=max_order, max_contracts=max_contracts, max_exposure=max_exposure, max_day_loss=max_day_loss,
        max_markets=max_markets,
    )  # fmt: skip
    from_ns, until_ns = span_of(since, until)
    setup = Setup(
        tapes=tuple(str(tape) for tape in tapes),
        strategies=specify(strategies, given or [], params),
        venue=venue_terms(queue=queue, latency=latency, fees=fees, ticks=ticks, cash=cash),
        seed=seed,
        limits=limits,
        order_life_s=order_life,
        group_limit=group_limit_of(group_limit),
        markets=tuple(select or ()),
        from_ns=from_ns,
        until_ns=until_ns,
    )
    _require_free(out)
    require_place(report, png)
    with progress_bar("backtesting") as progress:
        result = perform(setup, command=("tapedeck", *sys.argv[1:]), progress=progress)
    if out is not None:
        result.write(out)
    if report is not None:
        make_report(result, report, png=png)
    answer(dict(result.manifest), result_lines(result), as_json=as_json)
    raise typer.Exit(1 if result.manifest["faults"] else 0)


@app.command(epilog="Example: tapedeck sweep market-maker -t mon -t tue --grid edge=5,10,20 --hold-out tue --out edges")
def sweep(
    strategies: Strategies,
    *,
    tapes: Tapes, out: Kept,
    grids: Grids = None, points: Points = None, hold_out: HoldOut = None, by: By = "pnl", jobs: Jobs = 0,
    given: Set = None, params: ParamsFile = None, select: Select = None,
    queue: Queue = "proportional@1", latency: Lag = "order=50ms,answer=50ms", fees: Fees = "", ticks: Ticks = "",
    cash: Cash = 10_000.0, seed: Seed = 0, since: Since = None, until: Until = None, max_order: MaxOrder = 10.0,
    max_contracts: MaxContracts = 25.0, max_exposure: MaxExposure = 50.0, max_day_loss: MaxDayLoss = 10.0,
    max_markets: MaxMarkets = 10, order_life: OrderLife = 60, group_limit: GroupLimit = 0.0, as_json: Json = False,
) -> None:  # fmt: skip
    """Many backtests side by side: every point of a grid, each written down when it is done.

    A sweep that was killed goes on where it was: give the same command again. The best point is chosen by the tapes
    or UTC days that are not held out, and shown beside what it did on those that are. Points that failed are tried
    again. Exit 1: a point failed.
    """
    from replay.backtest.setup import Setup
    from replay.backtest.shown import swept_lines
    from replay.backtest.sweep import swept
    from replay.many import cores

    limits = limits_of(
        max_order=max_order, max_contracts=max_contracts, max_exposure=max_exposure, max_day_loss=max_day_loss,
        max_markets=max_markets,
    )  # fmt: skip
    from_ns, until_ns = span_of(since, until)
    setup = Setup(
        tapes=tuple(str(tape) for tape in tapes), strategies=(), seed=seed, limits=limits, order_life_s=order_life,
        venue=venue_terms(queue=queue, latency=latency, fees=fees, ticks=ticks, cash=cash), markets=tuple(select or ()),
        from_ns=from_ns, until_ns=until_ns, group_limit=group_limit_of(group_limit),
    )  # fmt: skip
    fixed = given or []
    tasks = tasks_of(setup, lambda point: specify(strategies, [*fixed, *point], params), grids, points, hold_out)
    with progress_bar("sweeping", "backtests") as progress:
        found = swept(tasks, out, by, jobs or cores(), progress)
    answer(found, swept_lines(found), as_json=as_json)
    raise typer.Exit(1 if found.problems else 0)


def tasks_of(
    setup: "Setup",
    cast: "Callable[[list[str]], tuple[StrategySpec, ...]]",
    grids: list[str] | None,
    listed_in: Path | None,
    hold_out: list[str] | None,
) -> "list[Task]":
    """Every point on every part of the tapes; raises ConfigError. cast: strategies with these settings."""
    import msgspec

    from replay.backtest.points import crossed, grid, listed
    from replay.backtest.sweep import Task

    parts = split(setup, hold_out or [])
    points = crossed(grid(grids or []) if grids else [], listed(listed_in) if listed_in is not None else [])
    tasks = []
    for number, point in enumerate(points):
        made = msgspec.structs.replace(setup, strategies=cast([f"{name}={value}" for name, value in point]))
        tasks += [Task(number, part, point, msgspec.structs.replace(made, **own)) for part, own in parts]
    return tasks


def split(setup: "Setup", hold_out: list[str]) -> "list[tuple[str, dict[str, tuple[str, ...]]]]":
    """What points are chosen by, and what they are judged by, if anything; raises ConfigError."""
    from core.errors import ConfigError
    from replay import open_tape
    from replay.backtest.spans import day_ns, days_of
    from replay.backtest.sweep import PARTS

    named = [str(Path(name)) for name in hold_out]  # as tapes are: a slash at the end is the same place
    tapes = [name for name in named if name in setup.tapes]
    days = [name for name in named if _DAY.fullmatch(name) and name not in tapes]
    strange = [name for name in named if name not in tapes and name not in days]
    if strange:
        raise ConfigError(
            f"--hold-out {strange[0]} is none of the tapes, and no day; the tapes are {', '.join(setup.tapes)}"
        )
    if tapes and days:
        raise ConfigError(f"--hold-out {tapes[0]} and {days[0]}: hold out tapes or days, not both")
    key, held = ("days", days) if days else ("tapes", tapes)
    every = list(setup.tapes)
    if days:
        every = sorted({day for tape in setup.tapes for day in days_of(open_tape(tape))})
        absent = [day for day in days if day_ns(day) >= 0 and day not in every]
        if absent:
            raise ConfigError(f"--hold-out {absent[0]}: the tapes have no frames of that day; they have {_some(every)}")
    rest = [name for name in every if name not in held]
    if not rest:
        raise ConfigError(f"all {key} are held out, so there is nothing to choose by; hold out fewer")
    return [(PARTS[0], {key: tuple(rest)}), *([(PARTS[1], {key: tuple(held)})] if held else [])]


def _some(days: list[str]) -> str:
    return ", ".join(days) if len(days) < 5 else f"{len(days)} from {days[0]} to {days[-1]}"


def venue_terms(*, queue: str, latency: str, fees: str, ticks: str, cash: float) -> "VenueTerms":
    """What the venue is to suppose; raises ConfigError."""
    from core.errors import ConfigError
    from replay.venue.terms import VenueTerms

    if not 0 < cash < MOST:
        raise ConfigError(f"--cash {cash:g}: give dollars above 0 and below {MOST:g}")
    return VenueTerms(queue, latency_of(latency), round(cash * 1_000_000), fees=fees, ticks=ticks)


def latency_of(text: str) -> "Latency":
    """From `order=50ms,answer=50ms,feed=0ms`, any of them, or `recorded`; raises ConfigError."""
    from core.errors import ConfigError
    from replay.venue.terms import Latency
    from replay.when import parse_duration

    if text == "recorded":
        return Latency(is_drawn=True)
    found: dict[str, int] = {}
    for part in text.split(","):
        name, equals, span = part.strip().partition("=")
        try:
            if not equals or name not in ("feed", "order", "answer") or name in found:
                raise ValueError
            found[name] = 0 if span == "0" else parse_duration(span)
        except ValueError:
            raise ConfigError(
                f"--latency {part.strip()!r}: write recorded, or feed=, order= and answer= with spans such as 50ms"
            ) from None
    default = Latency()
    return Latency(
        found.get("feed", default.feed_ns), found.get("order", default.order_ns), found.get("answer", default.answer_ns)
    )


def _require_free(out: Path | None) -> None:
    from core.errors import ConfigError

    if out is not None and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"--out {out}: exists already and is not empty; choose another name or remove it")
