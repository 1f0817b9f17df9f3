"""A backtest with the machine ahead of its strategies: it decides, and happens, as record by record."""

import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imported import tape_of
from seers import KINDS, compare, needs_numba, play, ran, spec
from tapes import needs_tapes
from trials import made_tape
from venues import Joiner
from ways_played import counted
from wild import wild

from capture.tape.reader import Tape
from core.actions import RiskLimits, RunTerms, StrategySpec
from core.cells import NEVER
from core.copies import machine
from replay.venue.terms import QUEUES, Latency, VenueTerms
from replay.venue.told import Filled

pytestmark = needs_numba

MILLI = 1_000_000
SEEDS = st.integers(0, 2**32)
RUN_TERMS = RunTerms(limits=RiskLimits(100_000, 1_000_000, 10**12, 10**12, 100))
DEEDS = ("place", "place", "place", "amend", "cancel", "cancel", "wake", "account", "freeze", "depth", "select")


@pytest.fixture(autouse=True, scope="module")
def _compiled() -> None:
    machine(is_compiled=True)


def terms_of(dice: random.Random) -> VenueTerms:
    """Any venue."""
    feed, order, answer = (dice.choice((0, 1, 3 * MILLI, 40 * MILLI, 700 * MILLI)) for _ in range(3))
    if not order and not answer:
        answer = 1
    latency = Latency(feed, order, answer, is_drawn=dice.randrange(2) == 0)
    return VenueTerms(
        dice.choice(QUEUES), latency, cash=dice.choice((1_000_000, 10**10)), fees="quadratic:1", ticks="linear_cent"
    )


def cast_of(dice: random.Random) -> tuple[StrategySpec, ...]:
    """One strategy or two, of any kind, that trade."""
    kinds = [KINDS[dice.choice(sorted(KINDS))] for _ in range(dice.choice((1, 1, 2)))]
    return tuple(
        spec(f"seer-{n}", kind, seed=dice.randrange(2**32), every=dice.choice((1, 3, 15)), deeds=DEEDS)
        for n, kind in enumerate(kinds)
    )


@given(SEEDS)
@settings(max_examples=8, deadline=None)
def test_a_backtest_decides_sees_and_happens_the_same_with_the_machine_ahead(seed: int) -> None:
    dice = random.Random(seed)
    script = wild(seed, dice.choice((20, 60)), sessions=dice.choice((1, 1, 2)))
    casts, venue = cast_of(dice), terms_of(dice)
    told: list[list[Any]] = [[], [], []]
    with tempfile.TemporaryDirectory() as path:
        tape = script.tape(Path(path) / "tape", segment_records=dice.choice((40, 1_000_000)))
        around: list[dict[str, Any]] = [
            {"venue": venue, "seed": seed, "run_terms": RUN_TERMS, "listener": heard.append} for heard in told
        ]
        expected = play(tape, "bytes", casts, **around[0])
        compare(expected, play(tape, "columns", casts, **around[1]))
        least, singles, cells = dice.choice((1, 2, 8, 512)), dice.choice((1, 3, 20)), dice.choice((1, 64, NEVER))
        compare(expected, ran(tape, casts, least=least, singles=singles, cells=cells, **around[2]))
    assert told[0] == told[1] == told[2]


@needs_tapes
@pytest.mark.parametrize("every", [60, pytest.param(3, marks=pytest.mark.slow)])
def test_a_real_recording_is_backtested_the_same(every: int) -> None:
    tape = tape_of("gold15m/101900-00")
    cast = (StrategySpec("joiner", "Joiner", {"every": every}),)
    latency = Latency(order_ns=30 * MILLI, answer_ns=20 * MILLI)
    venue = VenueTerms("power@1", latency, fees="quadratic:1", ticks="deci_cent")
    told: list[list[Any]] = [[], []]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(KINDS, "Joiner", Joiner)  # it notes what it sees, as seers do
        around: list[dict[str, Any]] = [
            {"venue": venue, "run_terms": RUN_TERMS, "listener": heard.append} for heard in told
        ]
        expected = play(tape, "bytes", cast, **around[0])
        with counted() as counts:
            compare(expected, ran(tape, cast, least=64, singles=32, **around[1]))
    assert told[0] == told[1]
    kinds = {type(happening).__name__ for happening in told[0]}
    assert kinds >= {"Arrived", "Rested", "Filled", "Amended", "Ended", "Answered"}
    assert {h.why for h in told[0] if isinstance(h, Filled)} >= {"took", "trade"}
    assert min(counts["ahead"], counts["singly"]) > 2, counts


def test_the_machine_does_not_run_ahead_again_and_again_of_one_who_looks_at_much(tmp_path: Path) -> None:
    """Whoever looks at the depth of a book at every record has everything brought back each time."""
    tape = Tape.open(made_tape(tmp_path, frames=3_000, markets=1))
    looker = spec("looker", KINDS["Everyone"], seed=1, every=1, deeds=("depth",))
    venue = VenueTerms(fees="quadratic:1", ticks="linear_cent")
    with counted() as counts:
        ran(tape, (looker,), least=64, singles=32, cells=1, venue=venue, run_terms=RUN_TERMS)
    assert counts["ahead"] < counts["singly"] // 8, counts
