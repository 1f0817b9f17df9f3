"""Scores and choices: what counts for how much, ties, and that a choice stays until something is really better."""

import pytest

from core.times import SECOND_NS
from strategies.ranking import FULL_DEPTH, WHOLE, Figures, Rules, choose, logarithmic, score, unfit

GOOD = {
    "bid": 4_000,
    "ask": 4_100,
    "depth": 50_000,
    "volume": 1_000_000,
    "activity": 20_000,
    "left_ns": 3_600 * SECOND_NS,
}


def figures(**changes: int | None) -> Figures:
    return Figures(**GOOD | changes)  # type: ignore[arg-type]  # bid and ask alone may be None


@pytest.mark.parametrize(
    ("changes", "rules", "why"),
    [
        ({}, Rules(), ""),
        ({"bid": None}, Rules(), "one-sided"),
        ({"ask": None}, Rules(), "one-sided"),
        ({"ask": 4_000}, Rules(), "crossed"),
        ({"ask": 5_001}, Rules(max_spread=1_000), "spread"),
        ({}, Rules(min_spread=101), "spread"),
        ({}, Rules(min_depth=50_001), "depth"),
        ({}, Rules(min_volume=1_000_001), "volume"),
        ({}, Rules(min_left_s=3_601), "time to close"),
        ({}, Rules(max_left_s=3_599), "time to close"),
        ({"left_ns": 0}, Rules(min_left_s=3_601), ""),  # when it closes is not known
        ({"left_ns": 1}, Rules(min_left_s=1), "time to close"),
    ],
)
def test_a_market_is_ranked_unless_a_rule_forbids_it(changes: dict[str, int | None], rules: Rules, why: str) -> None:
    assert unfit(figures(**changes), rules) == why


@pytest.mark.parametrize(
    ("rule", "less", "more"),
    [
        ("weight_spread", {"ask": 4_050}, {"ask": 4_300}),
        ("weight_depth", {"depth": 1_000}, {"depth": 9_000}),
        ("weight_volume", {"volume": 1_000}, {"volume": 9_000}),
        ("weight_activity", {"activity": 1_000}, {"activity": 9_000}),
        ("weight_close", {"left_ns": SECOND_NS * 60}, {"left_ns": SECOND_NS * 86_400}),
    ],
)
def test_each_part_counts_for_and_with_a_negative_weight_against(
    rule: str, less: dict[str, int], more: dict[str, int]
) -> None:
    liked, disliked = Rules(**{rule: 7}), Rules(**{rule: -7})
    assert 0 <= score(figures(**less), liked) < score(figures(**more), liked) <= WHOLE
    assert score(figures(**less), liked) + score(figures(**less), disliked) == WHOLE
    assert score(figures(**less), Rules()) == 0


def test_a_score_is_the_mean_of_its_parts_by_their_weights() -> None:
    deep = figures(depth=FULL_DEPTH, ask=4_000 + 250)
    assert score(deep, Rules(weight_depth=10)) == WHOLE
    assert score(deep, Rules(weight_spread=10)) == 250
    assert score(deep, Rules(weight_depth=10, weight_spread=20)) == (10 * WHOLE + 20 * 250) // 30


def test_the_logarithm_never_falls_and_ends_at_the_whole() -> None:
    values = [logarithmic(value, 5_000) for value in range(-5, 6_000)]
    assert values == sorted(values)
    assert (values[0], logarithmic(0, 5_000), logarithmic(5_000, 5_000), values[-1]) == (0, 0, WHOLE, WHOLE)


def test_the_best_are_chosen_and_ties_go_by_name() -> None:
    assert choose({"C": 5, "A": 5, "B": 9, "D": 1}, (), 3, 0) == ("B", "A", "C")


def test_a_choice_stays_until_another_is_better_by_more_than_the_margin() -> None:
    selected = ("A", "B")
    assert choose({"A": 100, "B": 90, "C": 190}, selected, 2, 100) == selected
    assert choose({"A": 100, "B": 90, "C": 191}, selected, 2, 100) == ("C", "A")


def test_the_order_of_a_choice_stays_until_one_is_overtaken_by_more_than_the_margin() -> None:
    assert choose({"A": 50, "B": 60}, ("A", "B"), 2, 10) == ("A", "B")
    assert choose({"A": 49, "B": 60}, ("A", "B"), 2, 10) == ("B", "A")


def test_what_has_no_score_any_more_leaves_at_once_and_a_free_place_is_taken() -> None:
    assert choose({"A": 10, "C": 1}, ("B", "A"), 2, 100) == ("A", "C")
    assert choose({}, ("A",), 2, 100) == ()
    assert choose({"A": 10, "B": 5}, ("A",), 2, 100) == ("A", "B")
