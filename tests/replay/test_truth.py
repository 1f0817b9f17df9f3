"""Queue models against orders that truly rested: a small run of what docs/BACKTESTS.md tells of fifty seeds."""

import pytest

from core.times import SECOND_NS
from replay.truth import COUNT, LiveMaker, Quote, scores, table
from replay.venue.queues import MODELS


@pytest.fixture(scope="module")
def quotes() -> list[Quote]:
    """Two seeds, five minutes each."""
    return [quote for seed in (1, 2) for quote in LiveMaker(seed).run(300 * SECOND_NS)]


def test_the_pessimist_tells_no_more_than_is_true_and_the_optimist_no_less(quotes: list[Quote]) -> None:
    assert sum(quote.filled.get("", 0) for quote in quotes) > 10 * COUNT
    for quote in quotes:
        true = quote.filled.get("", 0)
        assert quote.filled.get("pessimistic@1", 0) <= true <= quote.filled.get("optimistic@1", 0)
        assert true <= COUNT


def test_honest_models_tell_nearly_all_and_only_the_optimist_tells_much_that_is_false(quotes: list[Quote]) -> None:
    found = scores(quotes)
    assert list(found) == list(MODELS)
    for model, score in found.items():
        assert score.predicted > 0.95
        assert score.false < 0.02 or model == "optimistic@1"
    assert found["optimistic@1"].false > found["proportional@1"].false
    assert len(table(found)) == 2 + len(MODELS)


def test_the_same_seed_gives_the_same_orders_and_fills(quotes: list[Quote]) -> None:
    again = LiveMaker(1).run(300 * SECOND_NS)
    assert again == quotes[: len(again)]
