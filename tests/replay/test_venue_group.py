"""The order group of a backtest's run: what it matches within 15 seconds, and what becomes of its orders then."""

import json
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trials import made_tape, perform, setup
from venues import LIMITS, Day, backtest, bid

from core.actions import RunTerms
from core.errors import ConfigError
from replay.backtest.proof import repeat
from replay.backtest.setup import setup_of

OTHER: Final = "KXTEST-B"
BEST: Final = 5_000  # ten contracts are offered there and at 51, as in `Day`
WINDOW_MS: Final = 15_000
WAY_MS: Final = 5
TRIPPED: Final = "refused:order_group_triggered"


def fused(limit: int, **more: Any) -> RunTerms:
    """The terms of a run with that group."""
    return msgspec.structs.replace(LIMITS, group_limit=limit, **more)


def long_day(until_ms: int) -> Day:
    """Two markets, and a record each second, so that time passes."""
    day = Day()
    day.snapshot(OTHER, [("0.4000", "10.00")], [("0.5000", "10.00")])
    for at_ms in range(1_000, until_ms + 1, 1_000):
        day.at(at_ms).ping()
    return day


def test_what_takes_up_to_the_limit_ends_the_orders_of_all_markets_and_the_next_is_refused() -> None:
    deeds = {
        100: bid(3_000, 200), 110: bid(3_000, 200, market=OTHER), 200: bid(BEST, 300, ioc=True),
        300: bid(BEST, 200, ioc=True), 400: bid(3_000, 100), 20_000: bid(BEST, 100, ioc=True),
    }  # fmt: skip
    found = backtest(long_day(21_000), deeds, run_terms=fused(500))
    assert [fill[:3] for fill in found.fills] == [(205, BEST, 300), (305, BEST, 200)]
    assert found.ends == [
        (205, "executed"), (305, "canceled"), (305, "canceled"), (305, "executed"), (405, TRIPPED), (20_005, TRIPPED),
    ]  # fmt: skip
    states = {why for _, state, _, why in found.orders if state == "gone"}
    assert "order_group_triggered" in " ".join(states), "the strategy is told as the exchange words it"
    assert found.venue is not None
    assert not found.venue.exchange.orders, "nothing is left that could fill"


def test_without_a_group_and_below_its_limit_nothing_ends() -> None:
    deeds = {100: bid(3_000, 200), 200: bid(BEST, 300, ioc=True), 300: bid(BEST, 200, ioc=True)}
    for limit in (0, 501):
        found = backtest(long_day(1_000), deeds, run_terms=fused(limit))
        assert [end for _, end in found.ends] == ["executed", "executed"], limit


@pytest.mark.parametrize(("later_ms", "trips"), [(WINDOW_MS - 1, True), (WINDOW_MS, False)])
def test_what_was_matched_15_seconds_ago_counts_no_more(later_ms: int, trips: bool) -> None:
    deeds = {
        100: bid(3_000, 200, life_s=60), 200: bid(BEST, 300, ioc=True), 200 + later_ms: bid(BEST, 200, ioc=True),
        20_000: bid(BEST, 100, ioc=True),
    }  # fmt: skip
    found = backtest(long_day(21_000), deeds, run_terms=fused(500))
    ends = [end for _, end in found.ends]
    assert (TRIPPED in ends, "canceled" in ends) == (trips, trips)
    assert len(found.fills) == (2 if trips else 3)


def test_a_trade_that_reaches_the_limit_by_one_order_fills_none_behind_it() -> None:
    day = Day().at(1_000).traded("0.4000", "14.00", "no").at(2_000).ping()
    deeds = {100: bid(4_000, 200), 110: bid(4_000, 100), 120: bid(3_900, 100)}
    free = backtest(day, deeds)
    assert sum(fill[2] for fill in free.fills) == 300, "both at 40 would be met"
    found = backtest(day, deeds, run_terms=fused(200))
    assert [fill[:3] for fill in found.fills] == [(1_000, 4_000, 200)]
    assert sorted(end for _, end in found.ends) == ["canceled", "canceled", "executed"]


def test_an_order_that_is_on_its_way_when_the_group_trips_is_refused() -> None:
    deeds = {100: bid(BEST, 500, ioc=True), 102: bid(3_000, 100)}
    found = backtest(long_day(1_000), deeds, run_terms=fused(500))
    assert found.ends == [(105, "executed"), (107, TRIPPED)]


def test_a_session_begins_with_a_group_of_its_own() -> None:
    day = long_day(1_000)
    day.stop().session().opened().subscribed(1).book()
    day.at(3_000).ping()
    deeds = {100: bid(BEST, 500, ioc=True), 200: bid(3_000, 100)}  # the next run's actor does them at its start again
    found = backtest(day, deeds, run_terms=fused(500))
    assert [end for _, end in found.ends] == ["executed", TRIPPED] * 2
    assert [fill[2] for fill in found.fills] == [500, 500]


# ------------------------------------------------------------------ against a plain list

STEPS = st.lists(
    st.tuples(st.sampled_from((1, 10, 2_000, 7_500, 14_999, 15_000)), st.integers(1, 6)), min_size=1, max_size=9
)
GIVEN: Final = given(limit=st.integers(1, 12), steps=STEPS)


@settings(max_examples=8, deadline=None)
@GIVEN
def test_the_group_trips_as_a_plain_list_of_matches_does(limit: int, steps: list[tuple[int, int]]) -> None:
    compare(limit, steps)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@GIVEN
def test_and_by_many_more_of_them(limit: int, steps: list[tuple[int, int]]) -> None:
    compare(limit, steps)


def compare(limit: int, steps: list[tuple[int, int]]) -> None:
    """Have both do it: takers some time after one another, each of some contracts, while a bid rests in each market."""
    deeds: dict[int, Any] = {10: bid(3_000, 100, life_s=600), 20: bid(3_000, 100, market=OTHER, life_s=600)}
    matches: list[tuple[int, int]] = []
    offered, tripped_ms = 20, 0
    expected = []
    at_ms = 100
    for after_ms, count in steps:
        at_ms += after_ms
        deeds[at_ms] = bid(5_100, 100 * count, ioc=True)
        if tripped_ms:
            expected.append((at_ms + WAY_MS, TRIPPED))
            continue
        got = min(count, offered)
        offered -= got
        if got:
            matches.append((at_ms, got))
        expected.append((at_ms + WAY_MS, "executed" if got == count else "canceled"))
        if got and sum(size for then, size in matches if at_ms - then < WINDOW_MS) >= limit:
            tripped_ms = at_ms
            expected += [(at_ms + WAY_MS, "canceled")] * 2
    day = long_day(at_ms + 2_000)
    found = backtest(day, deeds, run_terms=fused(100 * limit, order_life_s=3_600))
    assert sorted(found.ends) == sorted(expected)


# ------------------------------------------------------------------ results


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_tape(tmp_path_factory.mktemp("fused"), frames=2_000)


def test_a_result_holds_its_group_limit_and_is_repeated_with_it(tape: Path, tmp_path: Path) -> None:
    plain, fused_ = perform(setup(tape)), perform(setup(tape, group_limit=100))
    assert TRIPPED not in plain.tables["orders"].column("end").to_pylist()
    assert TRIPPED in fused_.tables["orders"].column("end").to_pylist()
    assert fused_.orders_hash != plain.orders_hash
    manifest = json.loads(json.dumps(fused_.manifest))
    assert setup_of(manifest) == setup(tape, group_limit=100)
    assert "group_limit" not in plain.manifest["hold"], "results without are as they were"
    assert setup_of(json.loads(json.dumps(plain.manifest))) == setup(tape)
    assert perform(setup(tape, group_limit=100), path="bytes").orders_hash == fused_.orders_hash
    fused_.write(tmp_path / "result")
    assert repeat(tmp_path / "result").equal


def test_a_limit_below_nothing_is_refused(tape: Path) -> None:
    with pytest.raises(ConfigError, match="a group limit of -1 contracts cannot be"):
        perform(setup(tape, group_limit=-100))
