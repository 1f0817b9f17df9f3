"""Markets that live on while a backtest runs: closing earlier or later, pauses, other ticks, results by REST alone."""

from typing import Any, Final

import msgspec
import pytest
from sample_tapes import SECOND, START_NS
from venues import MARKET, TERMS, Day, Told, amend, answered, ask, backtest, bid, ms

from replay.venue import told

SOON: Final = 20_000
EVENT: Final = MARKET.rpartition("-")[0]
INACTIVE: Final = "refused:MARKET_INACTIVE"


def at_s(seconds: int) -> int:
    """An instant of the tape in Unix seconds."""
    return START_NS // SECOND + seconds


def by_rest(day: Day, status: str, **more: Any) -> Day:
    """REST tells of the market."""
    body = {"ticker": MARKET, "event_ticker": EVENT, "status": status, "price_level_structure": "linear_cent", **more}
    return answered(day, f"/markets/{MARKET}", {"market": body})


def rested(found: Told) -> list[float]:
    """When (ms) orders came to rest."""
    return [ms(one.at_ns) for one in found.of(told.Rested)]


# ------------------------------------------------------------------ closing


def test_a_market_closes_at_its_time_without_a_message() -> None:
    day = Day().at(50).life("created", open_ts=at_s(-100), close_ts=at_s(3)).at(4_000)
    day.traded("0.3900", "1.00", "no").at(SOON).ping()
    found = backtest(day, {100: bid(4_000, 300), 5_000: bid(4_000, 100)})
    assert found.ends == [(3_000, "canceled"), (5_005, INACTIVE)]
    assert found.fills == [], "what trades after the close is not ours"


def test_a_close_that_is_moved_forward_ends_orders_then() -> None:
    day = Day().at(50).life("created", open_ts=at_s(-100), close_ts=at_s(15))
    day.at(1_000).life("close_date_updated", close_ts=at_s(2)).at(3_000).traded("0.3900", "1.00", "no").at(SOON).ping()
    found = backtest(day, {100: bid(4_000, 300), 3_500: bid(4_000, 100)})
    assert found.ends == [(2_000, "canceled"), (3_505, INACTIVE)]


def test_a_close_that_is_moved_back_lets_orders_live_on() -> None:
    day = Day().at(50).life("created", open_ts=at_s(-100), close_ts=at_s(2))
    day.at(1_000).life("close_date_updated", close_ts=at_s(6)).at(4_000).traded("0.3900", "1.00", "no").at(SOON).ping()
    found = backtest(day, {100: bid(4_000, 300)})
    assert [fill[:3] for fill in found.fills] == [(4_000, 4_000, 100)]
    assert found.ends == [(6_000, "canceled")]


def test_a_market_that_had_closed_is_opened_again_without_the_orders_it_had() -> None:
    day = Day().at(50).life("created", open_ts=at_s(-100), close_ts=at_s(2))
    day.at(3_000).life("close_date_updated", close_ts=at_s(10)).at(3_100).life("activated", is_deactivated=False)
    day.at(4_000).traded("0.3900", "9.00", "no").at(SOON).ping()
    found = backtest(day, {100: bid(4_000, 300), 2_500: bid(4_000, 100), 3_500: bid(4_000, 100)})
    assert found.ends == [(2_000, "canceled"), (2_505, INACTIVE), (4_000, "executed")]
    assert rested(found) == [105, 3_505]


def test_rest_alone_can_tell_of_the_close() -> None:
    day = by_rest(Day().at(50), "active", close_time="2099-01-01T00:00:00Z")
    found = backtest(by_rest(day.at(2_000), "closed").at(SOON).ping(), {100: bid(4_000, 300), 3_000: bid(4_000, 100)})
    assert found.ends == [(2_000, "canceled"), (3_005, INACTIVE)]


# ------------------------------------------------------------------ pauses of a market


def test_a_market_that_is_deactivated_takes_nothing_and_comes_back_empty() -> None:
    day = Day().at(200).life("deactivated", is_deactivated=True).at(300).traded("0.3900", "1.00", "no")
    day.at(500).life("activated", is_deactivated=False).at(SOON).ping()
    found = backtest(day, {100: bid(4_000, 300), 350: bid(4_000, 100), 600: bid(4_000, 100)})
    assert found.fills == []
    assert found.ends == [(200, "canceled"), (355, INACTIVE)]
    assert rested(found) == [105, 605]


def test_a_market_that_rest_calls_inactive_takes_nothing_either() -> None:
    day = by_rest(Day().at(200), "inactive")
    found = backtest(by_rest(day.at(500), "active").at(SOON).ping(), {100: bid(4_000, 300), 600: bid(4_000, 100)})
    assert found.ends == [(200, "canceled")]
    assert rested(found) == [105, 605]


# ------------------------------------------------------------------ ticks


def test_ticks_that_change_hold_from_then_on_and_leave_what_rests() -> None:
    levels = [{"start": "0.0000", "end": "1.0000", "step": "0.0010"}]
    day = Day().at(50).life("created", open_ts=at_s(-100), close_ts=at_s(900), price_level_structure="linear_cent",
                            price_ranges=[{"start": "0.0000", "end": "1.0000", "step": "0.0100"}])  # fmt: skip
    day.at(200).life("price_level_structure_updated", price_level_structure="deci_cent", price_ranges=levels)
    day.at(400).life("price_level_structure_updated", price_level_structure="linear_cent",
                     price_ranges=[{"start": "0.0000", "end": "1.0000", "step": "0.0100"}])  # fmt: skip
    day.at(600).traded("0.3900", "99.00", "no").at(SOON).ping()
    deeds = {100: bid(4_010, 100), 300: bid(4_010, 200), 500: bid(4_020, 100), 510: amend(1, 4_030, 200)}
    terms = msgspec.structs.replace(TERMS, ticks="")
    found = backtest(day, deeds, terms)
    assert found.ends == [(105, "refused:invalid_price"), (505, "refused:invalid_price"), (600, "executed")]
    assert [fill[:3] for fill in found.fills] == [(600, 4_010, 200)]
    assert found.of(told.Amended) == [], "nor can it be moved to where no order may be"


# ------------------------------------------------------------------ results


def test_a_result_that_rest_alone_tells_is_paid_when_it_calls_the_market_finalized() -> None:
    day = by_rest(Day().at(1_000), "determined", result="no", settlement_value_dollars="0.0000")
    day = by_rest(day.at(2_000), "finalized", result="no", settlement_value_dollars="0.0000").at(SOON).ping()
    found = backtest(day, {100: ask(4_000, 300, ioc=True), 200: bid(3_900, 100), 1_500: bid(4_000, 100)})
    assert [(ms(one.at_ns), one.price) for one in found.of(told.Determined)][:1] == [(1_000, 0)]
    paid = found.of(told.Settled)
    assert [(ms(p.at_ns), p.price, p.position, p.money) for p in paid] == [(2_000, 0, -300, 3_000_000)]
    assert found.ends == [(105, "executed"), (1_000, "canceled"), (1_505, INACTIVE)]


def test_a_result_that_is_changed_before_it_is_paid_pays_as_it_is_then() -> None:
    day = by_rest(Day().at(1_000), "determined", result="no", settlement_value_dollars="0.0000")
    day = by_rest(day.at(1_500), "amended", result="yes", settlement_value_dollars="1.0000")
    day = by_rest(day.at(2_000), "finalized", result="yes", settlement_value_dollars="1.0000").at(SOON).ping()
    found = backtest(day, {100: ask(4_000, 300, ioc=True)})
    assert [one.price for one in found.of(told.Determined)][:2] == [0, 10_000]
    assert [(ms(p.at_ns), p.money) for p in found.of(told.Settled)] == [(2_000, 0)]


def test_a_scalar_result_pays_its_value() -> None:
    day = by_rest(Day().at(1_000), "finalized", result="scalar", settlement_value_dollars="0.3700").at(SOON).ping()
    found = backtest(day, {100: bid(5_000, 300, ioc=True)})
    assert [(p.price, p.money) for p in found.of(told.Settled)] == [(3_700, 1_110_000)]


def test_finalized_without_a_result_pays_nothing_and_takes_nothing() -> None:
    day = by_rest(Day().at(1_000), "finalized").at(SOON).ping()
    found = backtest(day, {100: bid(5_000, 300, ioc=True), 1_500: bid(4_000, 100)})
    assert found.of(told.Settled) == []
    assert found.ends == [(105, "executed"), (1_505, INACTIVE)]


@pytest.mark.parametrize("path", ["bytes", "columns"])
def test_what_lifecycle_messages_told_last_is_not_undone_by_an_older_answer(path: str) -> None:
    """REST may answer from a cache: an answer of the same moment that calls the market active does not open it."""
    day = Day().at(50).life("created", open_ts=at_s(-100), close_ts=at_s(900))
    day.at(1_000).life("deactivated", is_deactivated=True)
    day = by_rest(day.at(2_000), "active").at(SOON).ping()
    found = backtest(day, {2_500: bid(4_000, 100)}, path=path)
    assert found.ends == [(2_505, INACTIVE)]
