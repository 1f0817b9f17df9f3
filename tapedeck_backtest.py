"""Commands that try strategies on tapes: backtest.

Knows their options and exit codes (0 done, 1 a strategy failed, 2 unusable input). Heavy imports happen inside the
commands, so that `--help` is quick.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tapedeck_cast import (
    MOST,
    MaxContracts,
    MaxDayLoss,
    MaxExposure,
    MaxMarkets,
    MaxOrder,
    ParamsFile,
    Set,
    Strategies,
    limits_of,
    specify,
)
from tapedeck_console import Json, answer, progress_bar, time_of

if TYPE_CHECKING:
    from replay.venue.terms import Latency, VenueTerms

app = typer.Typer()

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
Until = Annotated[str | None, typer.Option("--to", metavar="TIME", help="Stop there, that instant included.")]


@app.command(epilog="Example: tapedeck backtest market-maker --tape monday --market 'KXGOLD15M-*' --out results/first")
def backtest(
    strategies: Strategies,
    *,
    tapes: Tapes, given: Set = None, params: ParamsFile = None, select: Select = None,
    queue: Queue = "power@1", latency: Lag = "order=50ms,answer=50ms", fees: Fees = "", ticks: Ticks = "",
    cash: Cash = 10_000.0, seed: Seed = 0, until: Until = None, max_order: MaxOrder = 10.0,
    max_contracts: MaxContracts = 25.0, max_exposure: MaxExposure = 50.0, max_day_loss: MaxDayLoss = 10.0,
    max_markets: MaxMarkets = 10, order_life: OrderLife = 60, out: Out = None, as_json: Json = False,
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
    setup = Setup(
        tapes=tuple(str(tape) for tape in tapes),
        strategies=specify(strategies, given or [], params),
        venue=venue_terms(queue=queue, latency=latency, fees=fees, ticks=ticks, cash=cash),
        seed=seed,
        limits=limits,
        order_life_s=order_life,
        markets=tuple(select or ()),
        until_ns=time_of(until),
    )
    _require_free(out)
    with progress_bar("backtesting") as progress:
        result = perform(setup, command=("tapedeck", *sys.argv[1:]), progress=progress)
    if out is not None:
        result.write(out)
    answer(dict(result.manifest), result_lines(result), as_json=as_json)
    raise typer.Exit(1 if result.manifest["faults"] else 0)


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
