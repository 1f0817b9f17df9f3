"""Messages about ourselves: every field in our units, in each dialect that was ever sent."""

from typing import Any

import msgspec
import pytest
from wire import say, without

from core.messages import Fill, Malformed, MarketPosition, OrderGroupUpdate, Side, UserOrder

MS = 1_000_000  # ns
TS_MS = 1_795_435_201_502

FILL: dict[str, Any] = {
    "trade_id": "c0ffee00-1111",
    "order_id": "5d1f3c34",
    "client_order_id": "tapedeck-000001",
    "market_ticker": "KXA-26-T50",
    "exchange_index": 0,
    "is_taker": False,
    "side": "no",
    "yes_price_dollars": "0.4400",
    "count_fp": "5.00",
    "fee_cost": "0.017500",
    "action": "buy",
    "ts": 1795435201,
    "ts_ms": TS_MS,
    "post_position_fp": "-5.00",
    "purchased_side": "no",
    "outcome_side": "no",
    "book_side": "ask",
    "subaccount": 3,
}
POSITION: dict[str, Any] = {
    "user_id": "a3a1f2d4",
    "market_ticker": "KXA-26-T50",
    "position_fp": "-5.00",
    "position_cost_dollars": "2.800000",
    "realized_pnl_dollars": "-0.100000",
    "fees_paid_dollars": "0.017500",
    "position_fee_cost_dollars": "0.000001",
    "volume_fp": "5.00",
    "subaccount": 1,
}
ORDER: dict[str, Any] = {
    "order_id": "5d1f3c34",
    "user_id": "a3a1f2d4",
    "ticker": "KXA-26-T50",
    "exchange_index": 0,
    "status": "canceled",
    "side": "no",
    "is_yes": False,
    "outcome_side": "no",
    "book_side": "ask",
    "yes_price_dollars": "0.4400",
    "fill_count_fp": "2.00",
    "remaining_count_fp": "0.50",
    "initial_count_fp": "5.00",
    "taker_fill_cost_dollars": "0.300000",
    "maker_fill_cost_dollars": "1.120000",
    "taker_fees_dollars": "0.020000",
    "maker_fees_dollars": "0.010000",
    "client_order_id": "tapedeck-000001",
    "order_group_id": "og_1",
    "self_trade_prevention_type": "taker_at_cross",
    "created_time": "2026-11-23T12:00:01.640001Z",
    "created_ts_ms": 1795435201640,
    "last_updated_ts_ms": 1795435380001,
    "expiration_ts_ms": 1795521600000,
    "last_update_reason": "Decrease",
    "subaccount_number": 2,
}


def test_a_fill_of_today_is_read_whole() -> None:
    assert say("fill", FILL) == Fill(
        sid=4,
        seq=9,
        market="KXA-26-T50",
        trade_id="c0ffee00-1111",
        order_id="5d1f3c34",
        side=Side.NO,
        price=4400,
        count=500,
        client_order_id="tapedeck-000001",
        fee=17_500,
        post_position=-500,
        exchange_ns=TS_MS * MS,
        subaccount=3,
    )


def test_a_fill_in_cents_says_the_same() -> None:
    names = ("yes_price_dollars", "count_fp", "post_position_fp")
    assert say("fill", without(FILL, *names), yes_price=44, count=5, post_position=-5) == say("fill", FILL)


@pytest.mark.parametrize(
    ("direction", "side"),
    [
        ({"side": "yes", "action": "buy"}, Side.YES),
        ({"side": "yes", "action": "sell"}, Side.NO),
        ({"side": "no", "action": "sell_to_close"}, Side.YES),
        ({"side": "yes", "action": "sell", "purchased_side": "no"}, Side.NO),
        ({"side": "yes", "action": "sell", "outcome_side": "no", "purchased_side": "yes"}, Side.NO),
        ({"outcome_side": "yes"}, Side.YES),
    ],
)
def test_the_side_of_a_fill_is_the_outcome_bought(direction: dict[str, str], side: Side) -> None:
    message = say("fill", without(FILL, "side", "action", "purchased_side", "outcome_side"), **direction)
    assert (message.side, message.unknown_fields) == (side, ())


def test_a_position_in_dollars_is_read_whole() -> None:
    assert say("market_position", POSITION) == MarketPosition(
        sid=4,
        seq=9,
        market="KXA-26-T50",
        position=-500,
        position_cost=2_800_000,
        realized_pnl=-100_000,
        fees_paid=17_500,
        position_fee_cost=1,
        volume=500,
        subaccount=1,
    )


def test_a_position_in_centicents_says_the_same() -> None:
    old = {"position": -5, "position_cost": 28_000, "realized_pnl": -1000, "fees_paid": 175, "volume": 5}
    message = say("market_position", {"user_id": "u", "market_ticker": "KXA-26-T50", "subaccount": 1}, **old)
    assert message == msgspec.structs.replace(say("market_position", POSITION), position_fee_cost=None)


def test_an_order_is_read_whole_and_its_times_as_fine_as_they_come() -> None:
    assert say("user_order", ORDER) == UserOrder(
        sid=4,
        seq=9,
        market="KXA-26-T50",
        order_id="5d1f3c34",
        status="canceled",
        side=Side.NO,
        price=4400,
        initial_count=500,
        fill_count=200,
        remaining_count=50,
        client_order_id="tapedeck-000001",
        taker_fill_cost=300_000,
        maker_fill_cost=1_120_000,
        taker_fees=20_000,
        maker_fees=10_000,
        created_ns=1_795_435_201_640_001_000,
        updated_ns=1_795_435_380_001 * MS,
        expiration_ns=1_795_521_600_000 * MS,
        update_reason="Decrease",
        order_group_id="og_1",
        subaccount=2,
    )


def test_an_order_that_leaves_out_its_zeros_has_zeros() -> None:
    names = [name for name in ORDER if name.endswith(("_cost_dollars", "_fees_dollars"))]
    message = say("user_order", without(ORDER, *names, "created_time"), created_ts_ms=None, outcome_side=None)
    assert (message.taker_fees, message.maker_fill_cost, message.created_ns) == (0, 0, 0)
    assert (message.side, message.unknown_fields) == (Side.NO, ())


def test_an_order_group_tells_its_limit_or_none() -> None:
    group = {"event_type": "created", "order_group_id": "og_1", "ts_ms": TS_MS}
    expected = OrderGroupUpdate(sid=4, seq=9, order_group_id="og_1", event="created", exchange_ns=TS_MS * MS)
    assert say("order_group_updates", group) == expected
    assert say("order_group_updates", group, contracts_limit_fp="150.00").contracts_limit == 15_000


@pytest.mark.parametrize(
    ("kind", "msg", "name"),
    [
        ("fill", FILL, "order_id"),
        ("fill", FILL, "yes_price_dollars"),
        ("fill", FILL, "count_fp"),
        ("market_position", POSITION, "position_fp"),
        ("user_order", ORDER, "ticker"),
        ("user_order", ORDER, "status"),
    ],
)
def test_a_message_without_what_it_is_about_is_malformed(kind: str, msg: dict[str, Any], name: str) -> None:
    assert say(kind, without(msg, name)) == Malformed(f"{name}: missing")
