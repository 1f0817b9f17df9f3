"""Backtests of runs that truly traded: a small version of what docs/BACKTESTS.md tells, and runs over real sockets."""

import re
from pathlib import Path
from typing import Any

import pytest
from live_runs import live_run

import tapedeck_cast
from core.times import SECOND_NS
from replay import open_tape
from replay.purge import find
from replay.truth import TRIALS, WAYS, Score, Trial, best, judged, measured, table
from replay.venue.queues import MODELS
from replay.venue.terms import DEFAULT_QUEUE, Latency

DOCS = Path(__file__).resolve().parents[2] / "docs" / "BACKTESTS.md"
QUICK = Trial("quick", params={"every_s": 15, "life_s": 14})


def whole(found: list[dict[str, Score]], model: str) -> Score:
    """All runs as one."""
    made = [one[model] for one in found]
    return Score(sum(one.true for one in made), sum(one.told for one in made), sum(one.both for one in made))


def claimed(model: str, column: int) -> float:
    """What the first table of the docs says of a model, in percent."""
    row = next(line for line in DOCS.read_text().splitlines() if line.startswith(f"| {model} |"))
    number = re.match(r"\s*([\d.]+)", row.split("|")[column + 1])
    assert number is not None, row
    return float(number[1])


@pytest.fixture(scope="module")
def found() -> list[dict[str, Score]]:
    """Two seeds, a minute each."""
    return measured((1, 2), 60 * SECOND_NS, QUICK)


def test_the_default_model_tells_nearly_all_that_was_so_and_hardly_anything_else(found: list[dict[str, Score]]) -> None:
    made = whole(found, DEFAULT_QUEUE)
    assert made.true > 50_00
    assert 100 * made.predicted > claimed(DEFAULT_QUEUE, 1) - 5
    assert 100 * made.false < claimed(DEFAULT_QUEUE, 2) + 5
    for one in found:
        assert all(score.true == one[DEFAULT_QUEUE].true for score in one.values())
        assert one[DEFAULT_QUEUE].price == 0.0, "what rests is filled at its own price"


def test_models_keep_their_order_and_the_optimist_tells_what_is_false(found: list[dict[str, Score]]) -> None:
    told = [whole(found, model).told for model in MODELS]
    assert told == sorted(told)
    assert whole(found, "optimistic@1").false > whole(found, DEFAULT_QUEUE).false
    assert len(table(found)) == 2 + len(MODELS)


@pytest.mark.slow
@pytest.mark.parametrize("trial", TRIALS, ids=["any", "late", "early", "maker"])
def test_the_default_is_the_best_or_nearly_over_more_runs(trial: Trial) -> None:
    found = measured(range(1, 9), 300 * SECOND_NS, trial)
    wrong = {model: whole(found, model).wrong for model in MODELS}
    assert wrong[DEFAULT_QUEUE] < min(wrong.values()) + 0.02
    assert wrong["optimistic@1"] > wrong[DEFAULT_QUEUE]
    assert best(found) != "optimistic@1"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_run_over_real_sockets_is_told_as_well(tmp_path: Path, seed: int) -> None:
    """The daemon of `tapedeck run`, and the Market Maker; latencies are those of its own requests."""

    def strategies(markets: tuple[str, ...]) -> Any:
        given = {"markets": ",".join(markets[:6]), "max_markets": 6, "size": 300, "half_spread": 20, "edge": 0}
        words = [f"market-maker.{name}={value}" for name, value in given.items()]
        return tapedeck_cast.specify(["market-maker"], [*words, "market-maker.pace_ms=200"], None)

    lived = live_run(tmp_path, seed, frames=8_000, rate=400, most_s=40, strategies=strategies)
    tape = open_tape(lived.tape)
    purge = find(tape)
    assert purge.orders > 10
    assert (purge.excess, purge.missed, purge.taken) == (0, 0, 0)
    found = judged(tape, Latency(0, WAYS.order_ns, WAYS.answer_ns, is_drawn=True), seed)[DEFAULT_QUEUE]
    assert found.true > 20_00
    assert found.predicted > 0.9
    assert found.false < 0.1
