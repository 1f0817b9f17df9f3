"""core.backoff: how long to wait, with dice that are given."""

import pytest

from core.backoff import Backoff


class Loaded:
    """Dice that always show the same part of what they might."""

    def __init__(self, part: float) -> None:
        self.part = part

    def uniform(self, a: float, b: float, /) -> float:
        return a + (b - a) * self.part


def test_the_longest_wait_doubles_up_to_a_minute() -> None:
    backoff = Backoff(Loaded(1.0))
    assert [backoff.next_s() for _ in range(9)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert backoff.tries == 9


@pytest.mark.parametrize("part", [0.0, 0.3])
def test_the_wait_is_anywhere_below_that(part: float) -> None:
    backoff = Backoff(Loaded(part))
    assert [backoff.next_s() for _ in range(3)] == [part, part * 2, part * 4]


def test_a_wait_can_be_asked_to_be_longer() -> None:
    backoff = Backoff(Loaded(0.5), base_s=0.1, cap_s=0.4)
    assert backoff.next_s(at_least_s=30.0) == 30.0
    assert backoff.next_s() == 0.1


def test_only_what_lasted_a_minute_begins_the_count_anew() -> None:
    backoff = Backoff(Loaded(1.0))
    for _ in range(3):
        backoff.next_s()
    backoff.lasted(59.9)
    assert backoff.ceiling_s == 8
    backoff.lasted(60.0)
    assert (backoff.ceiling_s, backoff.tries) == (1, 0)


def test_ten_thousand_tries_cost_no_more_than_one() -> None:
    backoff = Backoff(Loaded(1.0))
    assert max(backoff.next_s() for _ in range(10_000)) == 60
