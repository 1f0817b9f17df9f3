"""The command line: puts the groups of commands together and turns errors into one sentence.

Knows which file holds which group, the exit codes (0 fine, 1 the answer is no, 2 unusable input), and how the parts of
the demonstration are wired.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import tapedeck_backtest
import tapedeck_cast
import tapedeck_exchange
import tapedeck_fixtures
import tapedeck_live
import tapedeck_report
import tapedeck_run
import tapedeck_sql
import tapedeck_strategies
import tapedeck_tapes
import tapedeck_upkeep
import tapedeck_view
from core.errors import TapedeckError
from tapedeck_console import Json, answer, stop

if TYPE_CHECKING:
    from capture.trading.fold import TradingStatus
    from replay.demo import Demo
    from replay.exchange.local import LocalExchange

DEMO_PARAMETERS = (
    "scanner.top=4", "market-maker.max_markets=4", "market-maker.half_spread=30", "market-maker.edge=5",
    "market-maker.tolerance=0", "market-maker.size=300", "market-maker.pace_ms=200",
)  # fmt: skip
"""Livelier than the defaults: a demonstration has seconds."""

app = typer.Typer(
    name="tapedeck",
    help="Records the Kalshi exchange and plays it back: the same tape gives the same state, every time.",
    epilog="New here? `tapedeck demo` needs no account and takes less than a minute.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def main() -> None:
    """The `tapedeck` program: runs one command and exits with its code."""
    try:
        app()
    except (TapedeckError, OSError) as error:
        stop(2, str(error))
    except LookupError as error:
        from replay.books import MarketNotFound

        if not isinstance(error, MarketNotFound):
            raise
        stop(1, str(error))


@app.command(epilog="Example: tapedeck demo --out demo")
def demo(
    *,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="Keep the tape and a recording in this new directory."),
    ] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", min=1.0, max=600.0, help="How long to record; the connection is cut half way.")
    ] = 10.0,
    as_json: Json = False,
) -> None:
    """See it work: no account, nothing leaves this machine, under a minute.

    Starts a sandbox exchange with made-up traders, runs Scanner and Market Maker on it over real sockets while the
    connection is cut once, compares the tape with what the exchange sent, verifies it, replays it, proves that every
    decision is the same in the replay and the account as the exchange has it, and shows a market with the fills.
    """
    import tempfile

    from replay import render

    def say(line: str) -> None:
        typer.echo(line, err=as_json)

    with tempfile.TemporaryDirectory(prefix="tapedeck-demo-") as spare:
        found = _demonstrate(out or Path(spare), seconds, say)
    answer(found, render.demo_lines(found), as_json=as_json)
    raise typer.Exit(0 if found.holds else 1)


def _demonstrate(place: Path, seconds: float, say: Callable[[str], None]) -> "Demo":
    from replay.demo import Account, Traded, make_room, prove
    from replay.exchange.local import LocalExchange
    from replay.exchange.options import ServerOptions
    from replay.exchange.sandbox import SandboxOptions, SandboxVenue

    began_s = time.perf_counter()
    tape = make_room(place)
    say("Everything is made up and stays on this machine: a sandbox exchange, its traders, its key.")
    venue = SandboxVenue(SandboxOptions(markets=8, rate=1_000, seed=20_260_921))
    options = ServerOptions(keep_frames=True, faults=(f"close@after={seconds / 2:g}s,code=1001",))
    with LocalExchange(venue, options) as exchange:
        say(f"1. started   an exchange at {exchange.rest_url} with {len(venue.markets())} markets")
        trading = _trade(exchange, tape, seconds, say)
        theirs = exchange.control("totals")
        run = Traded(
            sent=tuple(frame.payload for session in exchange.sent for frame in session.kept if frame.opcode == 1),
            ours=Account(cash=trading.cash, fees=trading.fees, positions=dict(trading.positions)),
            theirs=Account(
                cash=theirs["balance"],
                fees=theirs["fees_paid"],
                positions=theirs["positions"],
                resting=len(theirs["resting"]),
            ),
            pnl=trading.day_pnl,
        )
    return prove(place, run, began_s, say)


def _trade(exchange: "LocalExchange", tape: Path, seconds: float, say: Callable[[str], None]) -> "TradingStatus":
    """A run of Scanner and Market Maker, as `tapedeck run` makes it."""
    from capture.auth import Credentials
    from capture.environments import environment
    from capture.reporting import Reporter
    from capture.trading.desk import TradeOptions
    from core.actions import RunTerms

    specs = tapedeck_cast.specify(["scanner", "market-maker"], list(DEMO_PARAMETERS), None)
    unheard = os.open(os.devnull, os.O_WRONLY)
    try:
        reporter = Reporter(unheard)
        daemon, desk = tapedeck_run.make_daemon(
            TradeOptions(RunTerms(strategies=specs)),
            tapedeck_run.capture_options(environment(exchange.rest_url), tape, paper=False, for_s=seconds),
            Credentials.load(exchange.environ()),
            reporter,
        )
        status = daemon.run()
        reporter.close()
    finally:
        os.close(unheard)
    trading = desk.status()
    say(
        f"2. traded    {status.frames:,} frames in {seconds:g} s, recorded while Scanner and Market Maker took "
        f"{trading.decisions} decisions; tape sealed"
    )
    return trading


for group in (
    tapedeck_live, tapedeck_run, tapedeck_backtest, tapedeck_report, tapedeck_exchange, tapedeck_tapes,
    tapedeck_fixtures, tapedeck_sql, tapedeck_strategies, tapedeck_upkeep, tapedeck_view,
):  # fmt: skip
    app.registered_commands += group.app.registered_commands


if __name__ == "__main__":
    main()
