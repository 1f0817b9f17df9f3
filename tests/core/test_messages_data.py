"""Market data: every field of every type in our units, in each dialect that was ever sent."""

from typing import Any

import pytest
from wire import DELTA, SNAPSHOT, TICKER, TRADE, delta, frame, say, snapshot, ticker, trade, without

from core.messages import (
    BookDelta,
    BookSnapshot,
    EventFeeUpdate,
    EventLifecycle,
    Malformed,
    MarketLifecycle,
    PriceRange,
    Side,
    Ticker,
    Trade,
    decode,
)

MS = 1_000_000  # ns
TS_MS = 1_795_435_201_502

LIFE: dict[str, Any] = {"market_ticker": "KXA-26-T50", "event_type": "created"}


def test_a_delta_of_today_is_read_whole() -> None:
    payload = frame(
        "orderbook_delta",
        DELTA | {"clock": 4410031, "client_order_id": "mine", "subaccount": 0},
        sid=2,
        seq=17,
        sending_ts_ms=1795435201503,
    )
    assert decode(payload) == BookDelta(
        sid=2,
        seq=17,
        sending_ms=1795435201503,
        market="KXA-26-T50",
        side=Side.YES,
        price=4200,
        delta=-200,
        exchange_ns=1_795_435_201_502_314_000,
        market_id="0b9f-11",
        clock=4410031,
        client_order_id="mine",
    )


@pytest.mark.parametrize(
    "numbers",
    [
        {"price_dollars": "0.4200", "delta_fp": "-2.00"},
        {"price_dollars": "0.4200", "delta_fp": "-2.00", "price": 42, "delta": -2},
        {"price_dollars": "0.4200", "delta": -2},
        {"price": 42, "delta": -2},
        {"price": 42, "delta": -2, "price_dollars": "", "delta_fp": None},
    ],
)
def test_a_delta_says_the_same_in_every_dialect(numbers: dict[str, Any]) -> None:
    message = say("orderbook_delta", without(DELTA, "price_dollars", "delta_fp"), **numbers)
    assert (message.price, message.delta, message.unknown_fields) == (4200, -200, ())


def test_of_two_dialects_in_one_frame_the_text_decides() -> None:
    message = say("orderbook_delta", DELTA, price_dollars="0.4210", price=42, delta_fp="-2.50", delta=-2)
    assert (message.price, message.delta) == (4210, -250)


def test_a_delta_without_microseconds_takes_the_milliseconds_and_without_those_has_no_time() -> None:
    assert say("orderbook_delta", without(DELTA, "ts")).exchange_ns == TS_MS * MS
    assert say("orderbook_delta", without(DELTA, "ts", "ts_ms")).exchange_ns == 0


@pytest.mark.parametrize(
    "levels",
    [
        {"yes_dollars_fp": [["0.4100", "10.00"], ["0.4200", "13.00"]], "no_dollars_fp": [["0.5600", "17.00"]]},
        {"yes_dollars": [["0.4100", 10], ["0.4200", 13]], "no_dollars": [["0.5600", 17]]},
        {"yes": [[41, 10], [42, 13]], "no": [[56, 17]]},
        {
            "yes": [[41, 10], [42, 13]],
            "yes_dollars": [["0.4100", 10], ["0.4200", 13]],
            "yes_dollars_fp": [["0.4100", "10.00"], ["0.4200", "13.00"]],
            "no": [[56, 17]],
            "no_dollars": [["0.5600", 17]],
        },
    ],
)
def test_a_snapshot_says_the_same_in_every_dialect(levels: dict[str, Any]) -> None:
    message = say("orderbook_snapshot", {"market_ticker": "A", "market_id": "b", "clock": 7}, **levels)
    assert message == BookSnapshot(
        sid=4, seq=9, market="A", yes=((4100, 1000), (4200, 1300)), no=((5600, 1700),), market_id="b", clock=7
    )


def test_a_side_that_a_snapshot_leaves_out_is_empty() -> None:
    message = decode(frame("orderbook_snapshot", {"market_ticker": "A"}, sid=1, seq=2, id=11))
    assert message == BookSnapshot(sid=1, seq=2, id=11, market="A")


def test_a_ticker_of_today_is_read_whole() -> None:
    sizes = {"yes_bid_size_fp": "11.50", "yes_ask_size_fp": "22.00", "last_trade_size_fp": "2.01"}
    more = {"open_interest_fp": "20422.00", "dollar_open_interest": -1, "ts": 1795435201, "market_id": "b"}
    message = decode(ticker(**sizes, **more, time="2026-11-23T12:00:01.502999Z"))
    assert message == Ticker(
        sid=3,
        market="KXA-26-T50",
        price=4300,
        yes_bid=4200,
        yes_ask=4400,
        yes_bid_size=1150,
        yes_ask_size=2200,
        last_trade_size=201,
        volume=3_389_600,
        open_interest=2_042_200,
        dollar_volume=16_948,
        dollar_open_interest=-1,
        exchange_ns=1_795_435_201_502_999_000,
        market_id="b",
    )


def test_a_ticker_in_cents_says_what_it_says_and_none_for_the_rest() -> None:
    cents = {"price": 43, "yes_bid": 42, "yes_ask": 44, "volume": 33896, "open_interest": 20422, "Clock": 13281241747}
    assert say("ticker", {"market_ticker": "A", "ts": 1771675201}, **cents) == Ticker(
        sid=4,
        seq=9,
        market="A",
        price=4300,
        yes_bid=4200,
        yes_ask=4400,
        volume=3_389_600,
        open_interest=2_042_200,
        exchange_ns=1_771_675_201_000 * MS,
    )


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        ({"price_dollars": ""}, None),
        ({"price_dollars": "", "price": 0}, None),
        ({"price": 0}, None),
        ({"price_dollars": None, "price": 43}, 4300),
        ({"price_dollars": "0.0000"}, 0),
        ({}, None),
    ],
)
def test_a_market_without_trades_has_no_last_price(price: dict[str, Any], expected: int | None) -> None:
    message = say("ticker", without(TICKER, "price_dollars"), **price)
    assert (message.price, message.unknown_fields) == (expected, ())


def test_the_empty_sides_of_a_ticker_are_prices() -> None:
    message = say("ticker", TICKER, yes_bid_dollars="0.0000", yes_ask_dollars="1.0000", yes_bid=0, yes_ask=100)
    assert (message.yes_bid, message.yes_ask) == (0, 10_000)


def test_a_trade_of_today_is_read_whole() -> None:
    assert decode(trade(is_block_trade=True)) == Trade(
        sid=1,
        seq=3,
        market="KXA-26-T50",
        trade_id="c0ffee00-1111",
        price=4200,
        count=250,
        taker=Side.NO,
        is_block=True,
        exchange_ns=TS_MS * MS,
    )


def test_a_trade_in_cents_is_read_by_its_old_names() -> None:
    old = {"yes_price": 42, "no_price": 58, "count": 2, "taker_side": "yes", "ts": 1771675201}
    message = say("trade", {"market_ticker": "A", "trade_id": "t"}, **old)
    assert message == Trade(
        sid=4,
        seq=9,
        market="A",
        trade_id="t",
        price=4200,
        count=200,
        taker=Side.YES,
        exchange_ns=1_771_675_201_000 * MS,
    )


def test_a_created_market_tells_its_event_times_and_price_steps() -> None:
    message = say(
        "market_lifecycle_v2",
        LIFE,
        open_ts=1795420800,
        close_ts=1795507200,
        additional_metadata={"event_ticker": "KXA-26", "floor_strike": 50.5, "custom_strike": {"a": "b"}},
        price_level_structure="tapered_deci_cent",
        price_ranges=[{"start": "0.0000", "end": "0.1000", "step": "0.0010"}],
    )
    assert message == MarketLifecycle(
        sid=4,
        seq=9,
        market="KXA-26-T50",
        event="created",
        event_ticker="KXA-26",
        open_ns=1_795_420_800_000 * MS,
        close_ns=1_795_507_200_000 * MS,
        price_level_structure="tapered_deci_cent",
        price_ranges=(PriceRange(0, 1000, 10),),
    )


def test_lifecycle_fields_are_read_by_presence_whatever_the_event() -> None:
    fields = {"determination_ts": 1795511000, "settled_ts": 1795511060, "result": "yes", "settlement_value": "1.0000"}
    message = say("multivariate_market_lifecycle", LIFE, event_type="new", is_deactivated=False, **fields)
    assert message == MarketLifecycle(
        sid=4,
        seq=9,
        market="KXA-26-T50",
        event="new",
        multivariate=True,
        determined_ns=1_795_511_000_000 * MS,
        settled_ns=1_795_511_060_000 * MS,
        is_deactivated=False,
        result="yes",
        settlement_value=10_000,
    )


def test_an_event_is_read_whole() -> None:
    fields = {"title": "T", "series_ticker": "KXA", "collateral_return_type": "MECNET", "strike_date": 1795507200}
    assert say("event_lifecycle", {"event_ticker": "KXA-26", "sub_title": "s"}, **fields) == EventLifecycle(
        sid=4,
        seq=9,
        event_ticker="KXA-26",
        series_ticker="KXA",
        title="T",
        collateral_return_type="MECNET",
        strike_ns=1_795_507_200_000 * MS,
    )


@pytest.mark.parametrize(
    ("written", "text"), [("0.50", "0.50"), ("2", "2"), ("null", None), ('"0.25"', "0.25"), ("-1.5", "-1.5")]
)
def test_a_fee_multiplier_keeps_its_decimals_and_null_clears_it(written: str, text: str | None) -> None:
    msg = f'{{"event_ticker":"KXA-26","fee_type_override":null,"fee_multiplier_override":{written}}}'
    payload = f'{{"type":"event_fee_update","sid":7,"seq":1,"msg":{msg}}}'.encode()
    assert decode(payload) == EventFeeUpdate(sid=7, seq=1, event_ticker="KXA-26", multiplier=text)


@pytest.mark.parametrize(
    ("kind", "msg", "name"),
    [
        ("orderbook_delta", DELTA, "market_ticker"),
        ("orderbook_delta", DELTA, "price_dollars"),
        ("orderbook_delta", DELTA, "delta_fp"),
        ("orderbook_delta", DELTA, "side"),
        ("orderbook_snapshot", SNAPSHOT, "market_ticker"),
        ("ticker", TICKER, "market_ticker"),
        ("trade", TRADE, "trade_id"),
        ("trade", TRADE, "yes_price_dollars"),
        ("trade", TRADE, "count_fp"),
        ("market_lifecycle_v2", LIFE, "event_type"),
    ],
)
def test_a_message_without_what_it_is_about_is_malformed(kind: str, msg: dict[str, Any], name: str) -> None:
    assert say(kind, without(msg, name)) == Malformed(f"{name}: missing")


@pytest.mark.parametrize("kind", ["orderbook_delta", "orderbook_snapshot"])
def test_a_book_frame_without_its_place_in_the_sequence_is_malformed(kind: str) -> None:
    msg = SNAPSHOT if kind == "orderbook_snapshot" else DELTA
    assert decode(frame(kind, msg, sid=2)) == Malformed("seq: missing")
    assert decode(frame(kind, msg, seq=2)) == Malformed("sid: missing")
    assert decode(frame(kind, msg, sid=2, seq=0)) == Malformed("seq: missing")


def test_the_helpers_make_frames_that_are_taken() -> None:
    for payload in (delta(), snapshot(), ticker(), trade()):
        assert not isinstance(decode(payload), Malformed)
