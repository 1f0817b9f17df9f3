"""A made recording as a tape, and backtests of it, for tests."""

from pathlib import Path
from typing import Any, Final

from core.actions import StrategySpec
from replay.backtest.run import perform, strategy
from replay.backtest.setup import Setup
from replay.importer import import_recording
from replay.synthetic import Plan, write_recording
from replay.venue.terms import VenueTerms

STRATEGIES: Final = Path(__file__).with_name("trial_strategies.py")
VENUE: Final = VenueTerms(fees="quadratic_with_maker_fees:1", ticks="linear_cent")


def made_tape(place: Path, *, frames: int = 4_000, markets: int = 3, seed: int = 5, **more: Any) -> Path:
    """A tape of a made recording."""
    recording, tape = place / f"recording-{seed}.jsonl", place / f"tape-{seed}"
    write_recording(recording, Plan(frames=frames, markets=markets, seed=seed, **more))
    import_recording([recording], tape)
    return tape


def joiner(**params: Any) -> StrategySpec:
    """The strategy that trades."""
    return strategy(f"{STRATEGIES}:Joiner", **params)


def setup(*tapes: Path, **more: Any) -> Setup:
    """A backtest of it."""
    return Setup(tapes=tuple(map(str, tapes)), **{"strategies": (joiner(),), "venue": VENUE, **more})


__all__ = ["STRATEGIES", "VENUE", "joiner", "made_tape", "perform", "setup", "strategy"]
