from itertools import permutations
from typing import Any

import pytest

from core.lifecycle import Lifecycle, Phase, advance, phase_at
from core.messages import MarketLifecycle, PriceRange


def said(event: str, **fields: Any) -> MarketLifecycle:
    return MarketLifecycle(market="M", event=event, **fields)


def after(*messages: MarketLifecycle) -> Lifecycle:
    life = Lifecycle()
    for message in messages:
        life = advance(life, message)
    return life


CREATED = said("created", event_ticker="E", open_ns=100, close_ns=900, price_level_structure="linear_cent")
ACTIVATED = said("activated", is_deactivated=False)
DEACTIVATED = said("deactivated", is_deactivated=True)
DETERMINED = said("determined", determined_ns=950, result="yes", settlement_value=10_000)
SETTLED = said("settled", settled_ns=990)


def test_a_market_lives_through_its_phases() -> None:
    phases = [
        after(*told).phase
        for told in (
            (),
            (CREATED,),
            (CREATED, ACTIVATED),
            (CREATED, ACTIVATED, DEACTIVATED),
            (CREATED, DETERMINED),
            (CREATED, DETERMINED, SETTLED),
        )
    ]
    assert phases == [
        Phase.UNKNOWN,
        Phase.INITIALIZED,
        Phase.ACTIVE,
        Phase.INACTIVE,
        Phase.DETERMINED,
        Phase.SETTLED,
    ]


@pytest.mark.parametrize("told", list(permutations((CREATED, ACTIVATED, DETERMINED, SETTLED))))
def test_the_end_is_the_same_in_whatever_order_the_messages_come(told: tuple[MarketLifecycle, ...]) -> None:
    life = after(*told)
    assert life.phase is Phase.SETTLED
    assert (life.open_ns, life.close_ns, life.determined_ns, life.settled_ns) == (100, 900, 950, 990)
    assert (life.result, life.settlement_value, life.event_ticker) == ("yes", 10_000, "E")


def test_saying_it_twice_changes_nothing() -> None:
    assert after(CREATED, CREATED, ACTIVATED, ACTIVATED, SETTLED, SETTLED) == after(CREATED, ACTIVATED, SETTLED)


def test_a_determined_market_does_not_trade_again() -> None:
    assert after(DETERMINED, ACTIVATED).phase is Phase.DETERMINED


def test_a_market_may_be_paused_and_reopened() -> None:
    reopened = after(CREATED, DEACTIVATED, said("close_date_updated", close_ns=2_000), ACTIVATED)
    assert reopened.phase is Phase.ACTIVE
    assert reopened.close_ns == 2_000


def test_fields_count_by_presence_whatever_the_event_is_called() -> None:
    assert after(said("activated", open_ns=5, close_ns=6)).open_ns == 5
    assert after(said("something_new", settled_ns=7)).phase is Phase.SETTLED
    assert after(said("something_new", is_deactivated=True)).phase is Phase.INACTIVE
    assert after(said("something_new")).phase is Phase.UNKNOWN


def test_names_without_fields_count_too() -> None:
    assert after(said("deactivated")).phase is Phase.INACTIVE
    assert after(said("activated")).phase is Phase.ACTIVE
    assert after(said("determined")).phase is Phase.DETERMINED
    assert after(said("settled")).phase is Phase.SETTLED


def test_a_created_message_that_comes_late_does_not_take_a_market_back() -> None:
    assert after(ACTIVATED, CREATED).phase is Phase.ACTIVE


def test_the_price_structure_can_change_while_a_market_lives() -> None:
    ranges = (PriceRange(0, 10_000, 10),)
    life = after(CREATED, said("price_level_structure_updated", price_level_structure="deci_cent", price_ranges=ranges))
    assert (life.price_level_structure, life.price_ranges) == ("deci_cent", ranges)


def test_a_settlement_value_of_zero_is_a_value() -> None:
    life = after(said("determined", determined_ns=1, result="no", settlement_value=0))
    assert life.settlement_value == 0
    assert advance(life, SETTLED).settlement_value == 0


def test_opening_and_closing_follow_from_the_clock() -> None:
    assert phase_at(after(CREATED), 99) is Phase.INITIALIZED
    assert phase_at(after(CREATED), 100) is Phase.ACTIVE
    assert phase_at(after(CREATED, ACTIVATED), 899) is Phase.ACTIVE
    assert phase_at(after(CREATED, ACTIVATED), 900) is Phase.CLOSED
    assert phase_at(after(CREATED, DEACTIVATED), 900) is Phase.CLOSED
    assert phase_at(after(CREATED, DETERMINED), 100) is Phase.DETERMINED
    assert phase_at(after(CREATED, SETTLED), 5_000) is Phase.SETTLED
    assert phase_at(Lifecycle(), 5_000) is Phase.UNKNOWN
