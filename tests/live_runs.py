"""Whole live runs: a sandbox exchange, the recorder, Scanner and Market Maker over real sockets, and what came of it.

Everything is what `tapedeck run` has. A run ends when so many frames have come. Faults are chosen by the run's seed.
"""

import os
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import tapedeck_cast
import tapedeck_run
from capture.auth import Credentials
from capture.environments import environment
from capture.reporting import Reporter
from capture.status import DaemonStatus
from capture.tape.reader import Tape
from capture.trading.desk import TradeOptions
from capture.trading.fold import TradingStatus
from core.actions import Decision, RiskLimits, RunTerms, decode_decision, decode_outcome
from core.records import Kind
from replay.exchange.local import LocalExchange
from replay.exchange.options import ServerOptions
from replay.exchange.sandbox import SandboxOptions, SandboxVenue

SLUGGISH: Final = f"{Path(__file__).with_name('sluggish.py')}:Sluggish"
"""A strategy that hangs, before the Market Maker in each turn."""

LIMITS: Final = RiskLimits(order=500, market=1_000, exposure=60_000_000, day_loss=100_000_000, markets=6)

FAULTS: Final = (
    "close@after={s}s,code=1001",
    "reset@after={s}s",
    "drop@frames={n},n=3",
    "repeat@frames={n},n=2",
    "reorder@frames={n},n=2",
    "corrupt@frames={n}",
    "truncate@frames={n}",
    "malformed@frames={n}",
    "unknown@frames={n}",
    "restart@frames={n}",
    "stall@after={s}s,for=2s",
    "unanswered@commands=2",
    "http@rest=/trade-api/v2/portfolio/events/orders,status=503,times=3",
    "http@rest=/trade-api/v2/portfolio/events/orders,status=429,times=2",
    "http@rest=/trade-api/v2/markets,status=502,times=2",
    "stale@rest,for=500ms,times=5",
)
"""What may go wrong; {s} a second and {n} a frame of the run."""


@dataclass(frozen=True, slots=True)
class Lived:
    """What came of a run. account: the exchange's own view at the end, with what rests."""

    tape: Path
    status: DaemonStatus
    trading: TradingStatus
    account: dict[str, Any]
    faults: tuple[str, ...]

    def decisions(self) -> list[Decision]:
        """Every decision on the tape."""
        return [decode_decision(record.payload) for record in self._of(Kind.DECISION)]

    def outcomes(self) -> list[Any]:
        """Every outcome on the tape."""
        return [decode_outcome(record.payload) for record in self._of(Kind.OUTCOME)]

    def _of(self, kind: Kind) -> list[Any]:
        return [record for record in Tape.open(self.tape).records() if record.kind == kind]


def faults_of(seed: int) -> tuple[str, ...]:
    """Four things that go wrong in the run of this seed."""
    dice = random.Random(seed)
    chosen = dice.sample(FAULTS, 4)
    return tuple(text.format(s=dice.randint(2, 5), n=dice.randint(500, 6_000)) for text in chosen)


def specs(*, slow: str = "") -> Any:
    """Scanner and Market Maker, quick enough that some seconds hold many decisions; slow: one more strategy."""
    names = ["scanner", *([slow] if slow else []), "market-maker"]
    given = [
        "scanner.top=4",
        "market-maker.max_markets=4",
        "market-maker.size=300",
        "market-maker.max_position=900",
        "market-maker.half_spread=100",
        "market-maker.pace_ms=200",
    ]
    return tapedeck_cast.specify(names, given, None)


def live_run(
    root: Path, seed: int, *, frames: int, faults: tuple[str, ...] = (), rate: float = 2_500, slow: str = "",
    most_s: float = 120.0, strategies: Callable[[tuple[str, ...]], Any] | None = None,
) -> Lived:  # fmt: skip
    """Run until so many frames have come, on a fresh sandbox; most_s: at the latest after that.

    slow: one more strategy beside Scanner and Market Maker. strategies: given the markets, other specifications.
    """
    venue = SandboxVenue(SandboxOptions(markets=8, rate=rate, seed=seed))
    chosen = specs(slow=slow) if strategies is None else strategies(venue.markets())
    tape = root / f"run-{seed}"
    unheard = os.open(os.devnull, os.O_WRONLY)
    try:
        with LocalExchange(venue, ServerOptions(faults=faults)) as exchange:
            place = environment(exchange.rest_url.removesuffix("/trade-api/v2"))
            terms = RunTerms(strategies=chosen, limits=LIMITS, order_life_s=10)
            reporter = Reporter(unheard)

            told: list[DaemonStatus] = []

            def enough(status: DaemonStatus) -> None:
                if status.frames >= frames and not told:
                    told.append(status)
                    os.kill(os.getpid(), signal.SIGTERM)

            daemon, desk = tapedeck_run.make_daemon(
                TradeOptions(terms),
                tapedeck_run.capture_options(place, tape, paper=False, for_s=most_s),
                Credentials.load(exchange.environ()),
                reporter,
                [enough],
            )
            status = daemon.run()
            reporter.close()
            account = dict(exchange.control("totals"))
        return Lived(tape, status, desk.status(), account, faults)
    finally:
        os.close(unheard)
