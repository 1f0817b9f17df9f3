"""What queue models say of cancelled contracts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError
from replay.venue.queues import MODELS, gone_ahead, queue_model
from replay.venue.terms import DEFAULT_QUEUE, QUEUES


@st.composite
def _levels(draw: st.DrawFn) -> tuple[int, int, int]:
    others = draw(st.integers(0, 100_000))
    return draw(st.integers(0, others)), others, draw(st.integers(0, others))


def test_every_model_that_terms_name_is_there_and_no_other() -> None:
    assert sorted(MODELS) == sorted(QUEUES)
    assert DEFAULT_QUEUE in MODELS


@given(_levels())
def test_each_model_says_at_least_as_much_as_the_one_before_and_only_what_can_be(level: tuple[int, int, int]) -> None:
    ahead, others, cancelled = level
    told = [gone_ahead(model, ahead, others, cancelled) for model in MODELS.values()]
    assert told == sorted(told)
    for gone in told:
        assert 0 <= gone <= min(ahead, cancelled)
        assert cancelled - gone <= others - ahead  # no more were cancelled behind than stood there


@pytest.mark.parametrize(
    ("name", "gone"),
    [("pessimistic@1", 0), ("power@1", 225), ("proportional@1", 450), ("optimistic@1", 900)],
)
def test_half_of_a_level_is_ahead_of_us(name: str, gone: int) -> None:
    assert gone_ahead(queue_model(name), 5_000, 10_000, 900) == gone


@pytest.mark.parametrize("name", list(MODELS))
def test_what_cannot_have_been_behind_was_ahead(name: str) -> None:
    assert gone_ahead(queue_model(name), 900, 1_000, 1_000) == 900
    assert gone_ahead(queue_model(name), 900, 1_000, 300) >= 200


def test_a_model_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(ConfigError, match="'lucky@1' is none of pessimistic@1, power@1"):
        queue_model("lucky@1")
