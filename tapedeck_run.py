"""Commands that trade: run, cancel-all.

Knows their options and exit codes (0 fine, 1 a strategy failed or an order may still rest, 2 unusable input), and how a
run is wired: recorder, strategies, venue. Heavy imports happen inside the commands.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tapedeck_cast import (
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
    require_numbers,
    specify,
)
from tapedeck_console import answer, marking, seconds_of, stop

if TYPE_CHECKING:
    from capture.daemon import CaptureOptions, Daemon
    from capture.environments import Environment
    from capture.reporting import Reporter
    from capture.status import Watcher
    from capture.trading.desk import TradeOptions, TradingDesk
    from core.actions import RiskLimits, RunTerms, StrategySpec
    from core.strategy import Strategy

app = typer.Typer()

_STDOUT = 1


Env = Annotated[str, typer.Option("--env", metavar="demo|prod|URL", help="Which exchange; a URL for a local one.")]
Out = Annotated[Path, typer.Option("--out", "-o", metavar="TAPE", help="The tape: made, or gone on with.")]
Paper = Annotated[bool, typer.Option("--paper", help="No real orders: a pessimistic fill model answers them.")]
LiveOrders = Annotated[bool, typer.Option("--live-orders", help="With --env prod: really trade real money.")]
Adopt = Annotated[bool, typer.Option("--adopt", help="Take over resting orders of earlier sessions of this tape.")]
Ignore = Annotated[bool, typer.Option("--ignore", help="Leave resting orders alone that are not this run's.")]
OrderLife = Annotated[int, typer.Option("--order-life", min=5, max=3_600, help="Seconds an order lives unrenewed.")]
MaxLag = Annotated[int, typer.Option("--max-lag-ms", min=10, help="An order older than its cause by this is not sent.")]
For = Annotated[
    float | None, typer.Option("--for", metavar="SPAN", parser=seconds_of, help="Stop after 90s, 10m, 2h or 1d.")
]
CaFile = Annotated[Path | None, typer.Option("--ca-file", metavar="FILE", help="Trust these authorities instead.")]
JsonLines = Annotated[bool, typer.Option("--json", help="Print JSON objects, one a line, instead of text.")]


@app.command(epilog="Example: tapedeck run scanner market-maker --paper --set scanner.series=KXBTC15M --out tapes/run")
def run(
    strategies: Strategies,
    *,
    out: Out,
    environment: Env = "demo",
    given: Set = None,
    params: ParamsFile = None,
    paper: Paper = False,
    live_orders: LiveOrders = False,
    adopt: Adopt = False,
    ignore: Ignore = False,
    max_order: MaxOrder = 10.0,
    max_contracts: MaxContracts = 25.0,
    max_exposure: MaxExposure = 50.0,
    max_day_loss: MaxDayLoss = 10.0,
    max_markets: MaxMarkets = 10,
    order_life: OrderLife = 60,
    group_limit: GroupLimit = 0.0,
    max_lag_ms: MaxLag = 1_000,
    for_s: For = None,
    ca_file: CaFile = None,
    as_json: JsonLines = False,
) -> None:
    """Run strategies live, on record; `tapedeck parity` proves afterwards that the tape decides the same.

    The key comes from KALSHI_ACCESS_KEY and KALSHI_PRIVATE_KEY_PATH. Orders do not outlive the bot: each ends by itself
    within --order-life unless it is renewed, and the first Ctrl-C or SIGTERM cancels those of this run, and no others,
    and sees that none rests. Exit 1: a strategy failed, or an order may still rest. Exit 2: it could not begin.
    """
    from capture.environments import environment as find_environment
    from core.actions import RunTerms

    place = find_environment(environment)
    _require_permission(place, paper=paper, live_orders=live_orders, group_limit=group_limit)
    require_numbers(for_s or 0.0)
    limits = limits_of(
        max_order=max_order, max_contracts=max_contracts, max_exposure=max_exposure, max_day_loss=max_day_loss,
        max_markets=max_markets,
    )  # fmt: skip
    specs = specify(strategies, given or [], params)
    terms = RunTerms(
        strategies=specs, limits=limits, paper="touch" if paper else "", order_life_s=order_life, max_lag_ms=max_lag_ms,
        group_limit=group_limit_of(group_limit),
    )  # fmt: skip
    _trade(place, out, terms, adopt=adopt, ignore=ignore, for_s=for_s or 0.0, ca_file=ca_file, as_json=as_json)


def _require_permission(place: "Environment", *, paper: bool, live_orders: bool, group_limit: float) -> None:
    from core.errors import ConfigError

    if place.is_production and not paper and not live_orders:
        raise ConfigError(f"--env {place.name} trades real money; say --live-orders if that is meant, or --paper")
    if live_orders and (paper or not place.is_production):
        raise ConfigError("--live-orders is for a production environment without --paper; leave it away here")
    if paper and group_limit:
        raise ConfigError("--group-limit needs the exchange's order groups, which --paper has not; leave one away")


def _trade(
    place: "Environment", out: Path, terms: "RunTerms", *, adopt: bool, ignore: bool, for_s: float,
    ca_file: Path | None, as_json: bool,
) -> None:  # fmt: skip
    from capture.auth import Credentials
    from capture.reporting import Reporter
    from capture.startup import no_core_dumps
    from capture.trading.desk import TradeOptions

    no_core_dumps()
    credentials = Credentials.load(os.environ)
    options = TradeOptions(terms, adopt=adopt, ignore=ignore)
    reporter = Reporter(_STDOUT, as_json=as_json)
    try:
        capture = capture_options(place, out, paper=bool(terms.paper), for_s=for_s, ca_file=ca_file)
        with marking(out) as marker:
            daemon = make_daemon(options, capture, credentials, reporter, [marker])[0]
            for line in (*limit_lines(place, terms), *impurity_lines(terms)):
                reporter.note(line)
            status = daemon.run()
    finally:
        reporter.close()
    if status.exit_code:
        stop(status.exit_code, status.why or "a strategy failed, or an order may still rest; see above")


def capture_options(
    place: "Environment", out: Path, *, paper: bool, for_s: float, ca_file: Path | None = None
) -> "CaptureOptions":
    """What a run records: what its strategies ask for, the account's own channels, lifecycle."""
    from capture.daemon import CaptureOptions
    from capture.selection import PUBLIC_CHANNELS, Selection
    from capture.trading.desk import PRIVATE

    channels = PUBLIC_CHANNELS if paper else (*PUBLIC_CHANNELS, *PRIVATE)
    return CaptureOptions(
        environment=place, tape=out, selection=Selection(), channels=channels, for_s=for_s, ca_file=ca_file
    )


def make_daemon(
    options: "TradeOptions",
    capture: "CaptureOptions",
    credentials: Any,
    reporter: "Reporter",
    watchers: "Sequence[Watcher]" = (),
) -> "tuple[Daemon, TradingDesk]":
    """A recorder with strategies beside it."""
    from capture.daemon import Daemon
    from capture.trading.desk import TradingDesk
    from core.engine import Engine
    from core.host import Host
    from replay.paper import PaperVenue

    load = loader(options.terms)
    paper = PaperVenue() if options.terms.paper else None
    desk = TradingDesk(options, capture.tape, lambda: Host(Engine(), load), paper)
    return Daemon(capture, credentials, reporter, watchers, companion=desk), desk


def loader(terms: "RunTerms") -> Any:
    """What makes the strategies; each is made once before anything starts, so that one that cannot be is told early."""
    from replay.loading import load

    made: dict[str, Strategy] = {spec.name: load(spec) for spec in terms.strategies}

    def take(spec: "StrategySpec") -> "Strategy":
        return made.pop(spec.name) if spec.name in made else load(spec)

    return take


def limit_lines(place: "Environment", terms: "RunTerms") -> list[str]:
    """What may be done, and what may be lost, in words."""
    limits: RiskLimits = terms.limits
    kind = "no real orders: paper fills" if terms.paper else "REAL MONEY" if place.is_production else "no real money"
    names = ", ".join(spec.name for spec in terms.strategies)
    size = f"{limits.order / 100:g} contracts an order, {limits.market / 100:g} in a market, {limits.markets} markets"
    risk = f"${limits.exposure / 1e6:g}"
    group = (
        f"order group: all orders end, and none is taken, once {terms.group_limit / 100:g} contracts match within 15 s"
    )
    return [
        f"{names} on {place.name} ({kind})",
        f"limits: {size}, {risk} at risk, nothing placed after ${limits.day_loss / 1e6:g} lost in a day",
        f"worst case: {risk} lost, if every order fills and every market goes the other way",
        f"orders end by themselves {terms.order_life_s} s after they were last renewed",
        *([group] if terms.group_limit else []),
    ]


def impurity_lines(terms: "RunTerms") -> list[str]:
    """What in the strategies' source their replay may not be able to repeat; nothing is refused for it."""
    from replay.lint import lint
    from replay.loading import find

    return [
        f"{spec.name} may decide differently in a replay: {finding.path}:{finding.line} {finding.what}"
        for spec in terms.strategies
        for finding in lint(find(spec.path))
    ]


@app.command("cancel-all", epilog="Example: tapedeck cancel-all --env demo --tape tapes/run")
def cancel_all(
    *,
    environment: Annotated[str, typer.Option("--env", metavar="demo|prod|URL", help="Which exchange.")],
    tape: Annotated[
        Path | None, typer.Option("--tape", metavar="TAPE", help="Orders of the runs on this tape only.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--everything", help="Every order of the account, whoever placed it.")
    ] = False,
    ca_file: CaFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """Cancel resting orders and see that they are gone; needs no running program and records nothing.

    Without --tape and --everything: the orders that any run of tapedeck placed. Exit 1: some may still rest. Exit 2:
    nothing was tried.
    """
    from capture.auth import Credentials
    from capture.environments import environment as find_environment
    from capture.trading.sweep import cancel_resting, sweep_lines
    from core.errors import ConfigError, ExchangeError

    place = find_environment(environment)
    if everything and tape is not None:
        raise ConfigError("--everything and --tape contradict each other; give one of them")
    credentials = Credentials.load(os.environ)
    try:
        found = cancel_resting(place, credentials, tape=tape, everything=everything, ca_file=ca_file)
    except ExchangeError as error:
        stop(1, f"orders may still rest, for they could not be listed: {error}")
    answer(found, sweep_lines(found), as_json=as_json)
    raise typer.Exit(1 if found.left else 0)
