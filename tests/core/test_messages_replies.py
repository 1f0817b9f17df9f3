"""Replies to our commands, quote requests and reference feeds."""

from typing import Any

import pytest
from wire import frame, say

from core.messages import (
    Communication,
    ErrorReply,
    Malformed,
    Ok,
    Reference,
    Subscribed,
    SubscriptionList,
    Unsubscribed,
    decode,
    type_of,
)
from core.messages.feeds import COMMUNICATIONS, REFERENCES

MS = 1_000_000  # ns


def test_a_subscribed_reply_carries_the_sid_of_the_new_subscription() -> None:
    payload = frame("subscribed", {"channel": "trade", "sid": 2}, id=1, sending_ts_ms=1795420800123)
    assert decode(payload) == Subscribed(id=1, sid=2, sending_ms=1795420800123, channel="trade")


@pytest.mark.parametrize(
    ("msg", "reason"),
    [
        ({"channel": "trade"}, "sid: missing"),
        ({"sid": 2}, "channel: missing"),
        ({"channel": "trade", "sid": 0}, "sid: not a number"),
        ({"channel": "trade", "sid": "2"}, "sid: not a number"),
        ({"channel": "", "sid": 2}, "channel: not a name"),
        (None, "msg: missing"),
        ([], "msg: not an object"),
    ],
)
def test_a_subscribed_reply_without_channel_or_sid_is_malformed(msg: Any, reason: str) -> None:
    assert decode(frame("subscribed", msg, id=1)) == Malformed(reason)


def test_an_ok_names_the_markets_after_the_update() -> None:
    payload = frame("ok", {"market_tickers": ["A", "B"], "market_ids": ["1", "2"]}, id=9, sid=1, seq=5)
    assert decode(payload) == Ok(id=9, sid=1, seq=5, markets=("A", "B"))


@pytest.mark.parametrize("msg", [{}, None, {"index_ids": ["BRTI"]}, {"underlying_tickers": []}, {"market_ids": ["1"]}])
def test_an_ok_may_name_no_markets(msg: Any) -> None:
    assert decode(frame("ok", msg, id=9, sid=1, seq=5)) == Ok(id=9, sid=1, seq=5)


def test_an_ok_with_no_markets_left_is_not_an_ok_that_names_none() -> None:
    assert decode(frame("ok", {"market_tickers": []}, id=9, sid=1, seq=5)) == Ok(id=9, sid=1, seq=5, markets=())


@pytest.mark.parametrize("msg", [None, {}])
def test_an_ok_of_early_2026_names_its_markets_beside_msg(msg: Any) -> None:
    payload = frame("ok", msg, id=9, sid=1, seq=5, market_tickers=["A"])
    assert decode(payload) == Ok(id=9, sid=1, seq=5, markets=("A",))


def test_an_ok_with_a_list_answers_list_subscriptions() -> None:
    payload = frame("ok", [{"channel": "orderbook_delta", "sid": 1}, {"channel": "trade", "sid": 2}], id=12)
    assert decode(payload) == SubscriptionList(id=12, subscriptions=(("orderbook_delta", 1), ("trade", 2)))
    assert decode(frame("ok", [], id=12)) == SubscriptionList(id=12)


def test_a_list_of_subscriptions_names_what_is_new_in_it_once() -> None:
    entries = [{"channel": "trade", "sid": sid, "shard": 0} for sid in (1, 2)]
    message = decode(frame("ok", entries, id=12, later=1))
    assert isinstance(message, SubscriptionList)
    assert message.unknown_fields == ("later", "msg.shard")


@pytest.mark.parametrize(
    ("msg", "reason"),
    [
        ([1], "msg: not a list of subscriptions"),
        ([{"channel": "trade"}], "sid: missing"),
        ({"market_tickers": "A"}, "market_tickers: not a list of names"),
        ({"market_tickers": [1]}, "market_tickers: not a list of names"),
        ("done", "msg: not an object"),
        (False, "msg: not an object"),
    ],
)
def test_an_ok_of_another_form_is_malformed(msg: Any, reason: str) -> None:
    assert decode(frame("ok", msg, id=9)) == Malformed(reason)


def test_an_unsubscribed_reply_needs_its_sid_alone() -> None:
    assert decode(frame("unsubscribed", id=8, sid=1, seq=7)) == Unsubscribed(id=8, sid=1, seq=7)
    assert decode(frame("unsubscribed", {"sid": 1}, sid=1)) == Unsubscribed(sid=1)
    assert decode(frame("unsubscribed", id=8)) == Malformed("sid: missing")


@pytest.mark.parametrize(
    ("head", "msg", "expected"),
    [
        ({"id": 1}, {"code": 8, "msg": "Unknown channel name"}, ErrorReply(id=1, code=8, text="Unknown channel name")),
        ({"sid": 1, "seq": 4312}, {"code": 25}, ErrorReply(sid=1, seq=4312, code=25)),
        ({"id": 9}, {"code": 26, "market_tickers": ["A", "B"]}, ErrorReply(id=9, code=26, markets=("A", "B"))),
        ({"id": 9}, {"code": 16, "market_ticker": "A"}, ErrorReply(id=9, code=16, markets=("A",))),
        ({"sid": 3}, {"code": 13, "msg": "x", "service": "y"}, ErrorReply(sid=3, code=13, text="x")),
    ],
)
def test_an_error_tells_its_code_scope_and_markets(
    head: dict[str, int], msg: dict[str, Any], expected: ErrorReply
) -> None:
    assert decode(frame("error", msg, **head)) == expected


@pytest.mark.parametrize(
    ("msg", "reason"),
    [
        ({"msg": "no code"}, "code: missing"),
        ({"code": "8"}, "code: not a number"),
        ({"code": 8.0}, "code: not a number"),
        ({"code": True}, "code: not a number"),
        ({"code": 8, "msg": 5}, "msg: not a text"),
        ("broken", "msg: not an object"),
        (None, "msg: missing"),
    ],
)
def test_an_error_without_a_code_is_malformed(msg: Any, reason: str) -> None:
    assert decode(frame("error", msg, id=1)) == Malformed(reason)


@pytest.mark.parametrize("kind", COMMUNICATIONS)
def test_a_quote_request_is_kept_by_name_and_market(kind: str) -> None:
    message = say(kind, {"id": "rfq_01", "creator_id": "p"}, market_ticker="A", created_ts="2026-11-23T12:00:05.120Z")
    assert message == Communication(sid=4, seq=9, type=kind, market="A")
    assert type_of(message) == kind
    assert say(kind, {"rfqs": [], "legs": [], "quotes": []}) == Communication(sid=4, seq=9, type=kind)


def test_a_benchmark_value_is_read_out_of_the_frame_within_the_frame() -> None:
    msg = {"index_id": "BRTI", "received_at": 1795435201100, "avg_60s_data": {"value": "1"}}
    expected = Reference(
        sid=4, seq=9, type="cfbenchmarks_value", name="BRTI", value="91234.56", exchange_ns=1_795_435_201_100 * MS
    )
    assert say("cfbenchmarks_value", msg, data='{"type":"value","id":"BRTI","value":"91234.56"}') == expected


@pytest.mark.parametrize("data", ["", "{", "[]", "5", '{"value":5}', "{}", "[" * 100_000, '{"value":null}'])
def test_a_benchmark_frame_of_another_form_has_no_value(data: str) -> None:
    message = say("cfbenchmarks_value", {"index_id": "BRTI"}, data=data)
    assert message == Reference(sid=4, seq=9, type="cfbenchmarks_value", name="BRTI")


def test_the_other_reference_feeds_tell_a_value_or_the_names_there_are() -> None:
    pyth = {"underlying_ticker": "Metal.XAU/USD", "value_usd": "4012.55000000", "source_ts_ms": 1795435201000}
    message = say("pyth_value", pyth, received_at=1795435201050)
    assert (message.name, message.value, message.exchange_ns) == (
        "Metal.XAU/USD",
        "4012.55000000",
        1_795_435_201_000 * MS,
    )
    assert say("cfbenchmarks_value_indexlist", {"index_ids": ["BRTI", "ETHUSD_RTI"]}).value == "BRTI,ETHUSD_RTI"
    assert say("pyth_value_underlying_list", {"underlying_tickers": ["a"]}).value == "a"


@pytest.mark.parametrize("kind", REFERENCES)
def test_every_reference_type_is_known(kind: str) -> None:
    message = say(kind, {"index_id": "BRTI", "value_usd": "1.5"})
    assert (type_of(message), message.value, message.unknown_fields) == (kind, "1.5", ())
