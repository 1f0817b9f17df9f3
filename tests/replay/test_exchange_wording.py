"""What happened, in the exchange's words: each frame against what the documents print of it."""

import json
from typing import Any

import pytest

from core.fees import FeeOverride, FeeType
from core.messages.types import Side
from core.ticks import ranges_of
from replay.exchange.happenings import (
    BookChanged,
    BookCleared,
    EventCreated,
    EventFeesChanged,
    Filled,
    GroupChanged,
    GroupEvent,
    Happening,
    Life,
    LifecycleChanged,
    OrderChanged,
    PositionChanged,
    Settled,
    TickerChanged,
    Traded,
)
from replay.exchange.orders import Order, OrderStatus, Reason
from replay.exchange.port import COMBO_LIFECYCLE, LIFECYCLE, Publication, Template
from replay.exchange.specs import YES_WINS, BookView, EventSpec, MarketSpec, MarketTexts, Outcome, Result
from replay.exchange.wording import publications, snapshot

NS = 1_795_435_201_640 * 1_000_000
MARKET = "KXDEMO-26NOV23-T50"
MARKET_ID = "0b9f6a52-6c1e-4d53-9a0e-0d6a6c1f7a11"
ORDER_ID = "5d1f3c34-8b7e-4f0b-9a52-2f2d0b6f9c01"
TRADE_ID = "c0ffee00-1111-4222-8333-444455556666"


def told(happening: Happening) -> Publication:
    """The one publication that tells of it."""
    (found,) = publications(happening)
    return found


def frame(template: Template | None, seq: int = 4) -> dict[str, Any]:
    """A template as a client reads it."""
    assert template is not None
    found: dict[str, Any] = json.loads(template.render(1, seq))
    return found


def msg(happening: Happening) -> dict[str, Any]:
    """What the frame that tells of it says."""
    found: dict[str, Any] = frame(told(happening).template)["msg"]
    return found


def market(ticker: str = MARKET) -> MarketSpec:
    """A market as listed."""
    return MarketSpec(
        ticker=ticker,
        event_ticker=ticker.rpartition("-")[0],
        market_id=MARKET_ID,
        open_ns=1_795_420_800 * 10**9,
        close_ns=1_795_507_200 * 10**9,
        price_ranges=ranges_of("linear_cent", ()),
        expected_expiration_ns=1_795_510_800 * 10**9,
        texts=MarketTexts(name="50 or above", title="T", strike_type="greater_or_equal", floor_strike="50"),
    )


def order(**changed: Any) -> Order:
    """A resting ask of 5 at 0.44, which is a bid for no at 0.56."""
    given: dict[str, Any] = {
        "order_id": ORDER_ID,
        "account": "trader",
        "market": MARKET,
        "exchange_index": 0,
        "side": Side.NO,
        "price": 4_400,
        "initial_count": 500,
        "remaining": 500,
        "created_ns": NS,
        "client_order_id": "tapedeck-000001",
    }
    return Order(**given | changed)


def test_a_frame_ends_with_a_newline_and_has_its_members_in_order() -> None:
    payload = told(BookChanged(NS, MARKET, MARKET_ID, 9, Side.YES, 4_200, -200)).template.render(1, 3)
    assert payload.endswith(b"}\n")
    assert list(json.loads(payload)) == ["type", "sid", "seq", "msg", "sending_ts_ms"]


def test_a_delta_says_what_changed_on_its_own_scale_and_names_its_owner_to_the_owner_only() -> None:
    change = BookChanged(NS, MARKET, MARKET_ID, 4_410_032, Side.NO, 5_600, 500, "trader", "tapedeck-000001")
    found = told(change)
    public = {
        "market_ticker": MARKET,
        "market_id": MARKET_ID,
        "clock": 4_410_032,
        "price_dollars": "0.5600",
        "delta_fp": "5.00",
        "side": "no",
        "ts": "2026-11-23T12:00:01.640Z",
        "ts_ms": 1_795_435_201_640,
    }
    own = {"client_order_id": "tapedeck-000001", "subaccount": 0}
    turned = {"price_dollars": "0.4400"}
    assert (found.channel, found.market, found.account, found.owner) == ("orderbook_delta", MARKET, "", "trader")
    assert frame(found.template)["msg"] == public
    assert frame(found.yes_template)["msg"] == public | turned
    assert frame(found.owner_template)["msg"] == public | own
    assert frame(found.owner_yes_template)["msg"] == public | own | turned


def test_a_yes_delta_is_the_same_on_both_scales_and_one_of_nobody_has_no_owner() -> None:
    found = told(BookChanged(NS, MARKET, MARKET_ID, 9, Side.YES, 4_200, -200))
    assert (found.yes_template, found.owner, found.owner_template, found.owner_yes_template) == (None, "", None, None)
    assert frame(found.template)["msg"]["delta_fp"] == "-2.00"


@pytest.mark.parametrize(
    ("book", "yes_price", "sides"),
    [
        (((4_100, 1_000), (4_200, 1_350)), False, {"yes_dollars_fp": [["0.4100", "10.00"], ["0.4200", "13.50"]]}),
        ((), False, {}),
    ],
)
def test_a_snapshot_has_the_best_last_and_no_side_that_is_empty(
    book: tuple[tuple[int, int], ...], yes_price: bool, sides: dict[str, Any]
) -> None:
    found = frame(snapshot(BookView(MARKET, 7, book, ()), MARKET_ID, NS, yes_price=yes_price))
    assert found["msg"] == {"market_ticker": MARKET, "market_id": MARKET_ID, "clock": 7, **sides}


def test_a_snapshot_on_the_yes_scale_turns_the_no_side_only() -> None:
    book = BookView(MARKET, 7, ((4_200, 100),), ((5_500, 2_000), (5_600, 1_700)))
    found = frame(snapshot(book, MARKET_ID, NS, yes_price=True))["msg"]
    assert found["yes_dollars_fp"] == [["0.4200", "1.00"]]
    assert found["no_dollars_fp"] == [["0.4500", "20.00"], ["0.4400", "17.00"]]


def test_a_cleared_book_is_told_as_an_empty_snapshot() -> None:
    found = frame(told(BookCleared(NS, MARKET, MARKET_ID, 12)).template)
    assert found["type"] == "orderbook_snapshot"
    assert found["msg"] == {"market_ticker": MARKET, "market_id": MARKET_ID, "clock": 12}


def test_a_ticker_has_no_seq_and_whole_dollars() -> None:
    summary = TickerChanged(
        at_ns=NS, market=MARKET, market_id=MARKET_ID, price=4_300, yes_bid=4_200, yes_ask=4_400, yes_bid_size=1_150,
        yes_ask_size=2_200, last_trade_size=200, volume=3_389_600, open_interest=2_042_200, dollar_volume=16_948,
        dollar_open_interest=10_211,
    )  # fmt: skip
    found = frame(told(summary).template)
    assert "seq" not in found
    assert found["msg"] == {
        "market_id": MARKET_ID, "market_ticker": MARKET, "price_dollars": "0.4300", "yes_bid_dollars": "0.4200",
        "yes_ask_dollars": "0.4400", "volume_fp": "33896.00", "open_interest_fp": "20422.00", "dollar_volume": 16_948,
        "dollar_open_interest": 10_211, "yes_bid_size_fp": "11.50", "yes_ask_size_fp": "22.00",
        "last_trade_size_fp": "2.00", "ts": 1_795_435_201, "ts_ms": 1_795_435_201_640,
        "time": "2026-11-23T12:00:01.640Z",
    }  # fmt: skip


def test_a_trade_names_the_taker_in_all_three_ways() -> None:
    assert msg(Traded(NS, MARKET, TRADE_ID, 4_200, 200, Side.NO)) == {
        "trade_id": TRADE_ID, "market_ticker": MARKET, "yes_price_dollars": "0.4200", "no_price_dollars": "0.5800",
        "count_fp": "2.00", "taker_side": "no", "taker_outcome_side": "no", "taker_book_side": "ask",
        "is_block_trade": False, "ts": 1_795_435_201, "ts_ms": 1_795_435_201_640,
    }  # fmt: skip


def test_a_fill_is_private_and_has_the_yes_price_and_the_position_after_it() -> None:
    fill = Filled(
        at_ns=NS, account="trader", market=MARKET, exchange_index=2, trade_id=TRADE_ID, order_id=ORDER_ID,
        client_order_id="tapedeck-000001", side=Side.NO, price=4_400, count=500, fee=17_500, is_taker=True,
        post_position=-500,
    )  # fmt: skip
    found = told(fill)
    assert (found.channel, found.account, found.market) == ("fill", "trader", MARKET)
    assert frame(found.template)["msg"] == {
        "trade_id": TRADE_ID, "order_id": ORDER_ID, "client_order_id": "tapedeck-000001", "market_ticker": MARKET,
        "exchange_index": 2, "is_taker": True, "side": "no", "yes_price_dollars": "0.4400", "count_fp": "5.00",
        "fee_cost": "0.017500", "action": "buy", "ts": 1_795_435_201, "ts_ms": 1_795_435_201_640,
        "post_position_fp": "-5.00", "purchased_side": "no", "outcome_side": "no", "book_side": "ask", "subaccount": 0,
    }  # fmt: skip


def test_a_new_order_says_nothing_of_an_update_and_a_cancelled_one_why() -> None:
    new = msg(OrderChanged(NS, order()))
    assert (new["ticker"], new["status"], new["is_yes"], new["book_side"]) == (MARKET, "resting", False, "ask")
    assert (new["yes_price_dollars"], new["initial_count_fp"], new["fill_count_fp"]) == ("0.4400", "5.00", "0.00")
    assert not {"last_update_reason", "last_update_time", "expiration_time", "order_group_id"} & new.keys()
    over = order(
        remaining=0, fill_count=200, status=OrderStatus.CANCELED, reason=Reason.DECREASE, updated_ns=NS + 10**9,
        maker_fill_cost=1_120_000, expiration_ns=NS + 2 * 10**9, group_id="og",
    )  # fmt: skip
    old = msg(OrderChanged(NS + 10**9, over))
    assert (old["status"], old["remaining_count_fp"], old["maker_fill_cost_dollars"]) == (
        "canceled",
        "0.00",
        "1.120000",
    )
    assert (old["last_update_reason"], old["last_updated_ts_ms"]) == ("Decrease", 1_795_435_202_640)
    assert (old["expiration_ts_ms"], old["order_group_id"]) == (1_795_435_203_640, "og")
    assert (old["created_time"], old["last_update_time"]) == ("2026-11-23T12:00:01.640Z", "2026-11-23T12:00:02.640Z")


def test_a_position_has_six_decimals_and_no_time() -> None:
    held = PositionChanged(
        at_ns=NS, account="trader", market=MARKET, position=-500, cost=2_800_000, realized_pnl=-1, fees_paid=17_500,
        position_fee_cost=17_500, volume=500,
    )  # fmt: skip
    found = msg(held)
    assert (found["position_fp"], found["position_cost_dollars"], found["realized_pnl_dollars"]) == (
        "-5.00", "2.800000", "-0.000001",
    )  # fmt: skip
    assert not [name for name in found if name.startswith("ts")]


def test_a_payout_has_no_frame() -> None:
    paid = Settled(
        at_ns=NS, account="trader", market=MARKET, outcome=YES_WINS, yes_count=1, yes_cost=1, no_count=0, no_cost=0,
        revenue=1, fees_paid=0,
    )  # fmt: skip
    assert publications(paid) == ()


def test_a_market_is_created_with_all_that_is_known_of_it() -> None:
    found = msg(LifecycleChanged(NS, Life.CREATED, market()))
    assert list(found)[-1] == "event_type"
    assert (found["open_ts"], found["close_ts"], found["exchange_index"]) == (1_795_420_800, 1_795_507_200, 0)
    assert found["price_ranges"] == [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}]
    metadata = found["additional_metadata"]
    assert (metadata["event_ticker"], metadata["floor_strike"]) == ("KXDEMO-26NOV23", 50)
    assert (metadata["expected_expiration_ts"], metadata["strike_type"]) == (1_795_510_800, "greater_or_equal")


@pytest.mark.parametrize(
    ("event", "outcome", "fields"),
    [
        (Life.ACTIVATED, None, {"is_deactivated": False}),
        (Life.DEACTIVATED, None, {"is_deactivated": True}),
        (Life.CLOSE_DATE_UPDATED, None, {"close_ts": 1_795_507_200}),
        (
            Life.DETERMINED,
            Outcome(Result.SCALAR, 2_500),
            {"determination_ts": 1_795_435_201, "result": "scalar", "settlement_value": "0.2500"},
        ),
        (Life.SETTLED, YES_WINS, {"settled_ts": 1_795_435_201}),
    ],
)
def test_a_turn_of_a_life_has_its_own_fields_only(event: Life, outcome: Outcome | None, fields: dict[str, Any]) -> None:
    assert msg(LifecycleChanged(NS, event, market(), outcome)) == {
        "market_ticker": MARKET, **fields, "event_type": event.value,
    }  # fmt: skip


def test_combos_have_a_channel_of_their_own_and_fewer_turns() -> None:
    combo = market("KXMVEDEMO-S1-A")
    found = told(LifecycleChanged(NS, Life.CREATED, combo))
    assert (found.channel, frame(found.template)["type"]) == (COMBO_LIFECYCLE, "multivariate_market_lifecycle")
    assert "price_ranges" not in frame(found.template)["msg"]
    for event in (Life.METADATA_UPDATED, Life.PRICE_LEVELS_UPDATED):
        assert publications(LifecycleChanged(NS, event, combo)) == ()
        assert told(LifecycleChanged(NS, event, market())).channel == LIFECYCLE
    assert publications(EventFeesChanged(NS, "KXMVEDEMO-S1", FeeOverride())) == ()


def test_an_event_is_told_by_its_title_and_its_strike_in_seconds() -> None:
    spec = EventSpec(event_ticker="KXDEMO-26NOV23", series_ticker="KXDEMO", title="T", strike_ns=1_795_507_200 * 10**9)
    found = msg(EventCreated(NS, spec))
    assert found == {
        "event_ticker": "KXDEMO-26NOV23", "exchange_index": 0, "title": "T", "subtitle": "",
        "collateral_return_type": "", "series_ticker": "KXDEMO", "strike_date": 1_795_507_200,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("override", "text"),
    [
        (FeeOverride(FeeType.WITH_MAKER_FEES, 5_000), b'"quadratic_with_maker_fees","fee_multiplier_override":0.5}'),
        (FeeOverride(FeeType.QUADRATIC, 10_000), b'"quadratic","fee_multiplier_override":1}'),
        (FeeOverride(), b'null,"fee_multiplier_override":null}'),
    ],
)
def test_a_fee_override_is_a_number_or_null(override: FeeOverride, text: bytes) -> None:
    payload = told(EventFeesChanged(NS, "KXDEMO-26NOV23", override)).template.render(7, 1)
    assert b'"fee_type_override":' + text in payload


def test_a_group_tells_its_limit_when_it_has_a_new_one_only() -> None:
    created = msg(GroupChanged(NS, "trader", "og", GroupEvent.CREATED, 15_000))
    assert created == {
        "event_type": "created", "order_group_id": "og", "contracts_limit_fp": "150.00", "ts_ms": 1_795_435_201_640,
    }  # fmt: skip
    found = told(GroupChanged(NS, "trader", "og", GroupEvent.TRIGGERED))
    assert (found.account, found.market) == ("trader", "")
    assert "contracts_limit_fp" not in frame(found.template)["msg"]
