"""What is published of recorded frames, and books written as a tape writes them."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.messages import BookDelta, BookSnapshot, Malformed, decode
from core.money import DOLLAR, format_price
from core.views import MarketView
from replay.exchange.frames import is_reply, open_numbers, publication
from replay.exchange.notation import Notation, snapshot
from replay.exchange.port import BOOK, COMBO_LIFECYCLE, COMMUNICATIONS, LIFECYCLE, ORDERS, POSITIONS, TICKER, TRADE
from replay.exchange.scales import mirrored

DELTA = (
    b'{"type":"orderbook_delta","sid":7,"seq":1234,"msg":{"market_ticker":"KXTEST-A","market_id":"u-1",'
    b'"price_dollars":"0.4800","delta_fp":"-2.50","side":"no","ts":"2026-08-11T00:16:45.23692Z","ts_ms":1786407405236}}\n'
)
SNAPSHOT = (
    b'{"type":"orderbook_snapshot","sid":7,"seq":5,"msg":{"market_ticker":"KXTEST-A","market_id":"u-1",'
    b'"yes_dollars_fp":[["0.4100","10.00"],["0.4200","13.50"]],"no_dollars_fp":[["0.5500","20.00"],["0.5560","17.00"]]}}\n'
)
TICKER_FRAME = (
    b'{"type":"ticker","sid":3,"msg":{"market_ticker":"KXTEST-A","yes_bid_dollars":"0.4100","ts":1795435201}}\n'
)


SETTLED = {"market_ticker": "KXA-1", "settled_ts": 1795435201, "event_type": "settled"}


def frame(kind: str, *, end: bytes = b"\n", **members: Any) -> bytes:
    return json.dumps({"type": kind, **members}, separators=(",", ":")).encode() + end


def rendered(payload: bytes, sid: int = 1, seq: int = 2, *, told: str = "") -> bytes:
    found = publication(payload, decode(payload), channel=told)
    assert found is not None
    return found.template.render(sid, seq)


@pytest.mark.parametrize("payload", [DELTA, SNAPSHOT, DELTA.rstrip(), DELTA.rstrip() + b"\r\n"])
def test_only_sid_and_seq_of_a_frame_are_open(payload: bytes) -> None:
    message = decode(payload)
    assert not isinstance(message, Malformed)
    assert rendered(payload, message.sid, message.seq) == payload
    assert rendered(payload, 1, 99) == payload.replace(b'"sid":7', b'"sid":1').replace(
        b'"seq":%d' % message.seq, b'"seq":99'
    )


def test_a_frame_without_seq_gets_none() -> None:
    assert rendered(TICKER_FRAME, 8, 99) == TICKER_FRAME.replace(b'"sid":3', b'"sid":8')
    found = publication(TICKER_FRAME, decode(TICKER_FRAME))
    assert found is not None and found.template.between is None


def test_the_answer_to_get_snapshot_is_published_as_a_plain_snapshot() -> None:
    answered = SNAPSHOT.replace(b'"sid"', b'"id":11,"sid"', 1)
    assert rendered(answered, 7, 5) == SNAPSHOT
    assert not is_reply(decode(answered))  # type: ignore[arg-type]  # it is not Malformed


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ('{"sid":7,"type":"trade","seq":8,"msg":{}}', '{"sid":1,"type":"trade","seq":2,"msg":{}}'),
        ('{ "type": "trade", "sid" : 7, "seq" : 8 }', '{ "type": "trade", "sid" : 1, "seq" : 2 }'),
        ('{"msg":{"sid":5,"seq":6},"sid":7,"seq":8}', '{"msg":{"sid":5,"seq":6},"sid":1,"seq":2}'),
        ('{"type":"trade","seq":8,"msg":{},"sid":7}', '{"type":"trade","sid":1,"msg":{},"seq":2}'),
        ('{"sid":7,"seq":8,"msg":{"a":"\\"sid\\":9"}}', '{"sid":1,"seq":2,"msg":{"a":"\\"sid\\":9"}}'),
        ('{"type":"trade","sid":7,"seq":8,"sid":9}', '{"type":"trade","sid":7,"sid":1,"seq":2}'),
        ('{"type":"trade","sid":7,"msg":{},"id":4,"seq":8}', '{"type":"trade","sid":1,"msg":{},"seq":2}'),
        ('{"id":4,"type":"trade","sid":7,"seq":8}', '{"type":"trade","sid":1,"seq":2}'),
        ('{"type":"trade","sid":7,"seq":8,"id":4}', '{"type":"trade","sid":1,"seq":2}'),
        ('{"type":"trade","n":"é","sid":7,"seq":8}', '{"type":"trade","n":"é","sid":1,"seq":2}'),
    ],
)
def test_numbers_are_found_wherever_they_are(payload: str, expected: str) -> None:
    template = open_numbers(payload.encode(), answers=4 if '"id"' in payload else 0)
    assert template is not None and template.render(1, 2).decode() == expected


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"not json",
        b'{"type":"trade","sid":7,"seq":8',
        b'[{"sid":7}]',
        b'{"type":"trade","sid":"7","seq":8}',
        b'{"type":"trade","sid":0}',
        b'{"type":"trade"}',
        b'{"type":"trade","sid":7,"seq":8} trailing',
        b'{"type":"trade","sid":7,' + b'"a":[' * 100_000,
        b"{}",
    ],
)
def test_what_has_no_sid_cannot_be_numbered(payload: bytes) -> None:
    assert publication(payload, decode(payload), channel=TRADE) is None


@given(st.dictionaries(st.sampled_from(["sid", "seq", "id", "type", "msg", "x"]), st.integers(1, 999)), st.binary())
def test_the_scanner_agrees_with_a_parser_and_never_raises(members: dict[str, int], noise: bytes) -> None:
    payload = json.dumps(members).encode()
    template = open_numbers(payload, answers=members.get("id", 0))
    assert (template is None) == ("sid" not in members)
    if template is not None:
        expected = {name: value for name, value in members.items() if name != "id"} | {"sid": 70_001}
        if "seq" in members:
            expected["seq"] = 70_002
        assert json.loads(template.render(70_001, 70_002)) == expected
    open_numbers(payload[:7] + noise)


@pytest.mark.parametrize(
    ("payload", "channel", "market"),
    [
        (DELTA, BOOK, "KXTEST-A"),
        (SNAPSHOT, BOOK, "KXTEST-A"),
        (TICKER_FRAME, TICKER, "KXTEST-A"),
        (frame("market_lifecycle_v2", sid=4, seq=1, msg=SETTLED), LIFECYCLE, ""),
        (frame("multivariate_market_lifecycle", sid=4, seq=1, msg=SETTLED), COMBO_LIFECYCLE, ""),
        (frame("event_lifecycle", sid=4, seq=1, msg={"event_ticker": "KXA"}), LIFECYCLE, ""),
        (frame("event_lifecycle", sid=4, seq=1, msg={"event_ticker": "KXMVEA"}), COMBO_LIFECYCLE, ""),
        (frame("event_fee_update", sid=4, seq=1, msg={"event_ticker": "KXA"}), LIFECYCLE, ""),
        (frame("market_position", sid=4, msg={"market_ticker": "KXA-1", "position_fp": "1.00"}), POSITIONS, "KXA-1"),
        (frame("rfq_created", sid=4, seq=1, msg={"market_ticker": "KXA-1"}), COMMUNICATIONS, ""),
        (frame("cfbenchmarks_value", sid=4, seq=1, msg={"index_id": "BRTI"}), "cfbenchmarks_value", ""),
    ],
)
def test_a_frame_goes_to_the_channel_of_its_type(payload: bytes, channel: str, market: str) -> None:
    found = publication(payload, decode(payload))
    assert found is not None
    assert (found.channel, found.market) == (channel, market)


def test_a_type_nobody_knows_goes_to_the_channel_that_its_sid_has_on_tape() -> None:
    payload = frame("novelty", sid=4, seq=9, msg={"market_ticker": "KXA-1"})
    assert publication(payload, decode(payload)) is None
    found = publication(payload, decode(payload), channel=TRADE)
    assert found is not None
    assert (found.channel, found.market, found.template.render(4, 9)) == (TRADE, "", payload)


def test_a_frame_that_cannot_be_read_is_published_if_it_has_a_sid() -> None:
    payload = frame("orderbook_delta", sid=4, seq=9, msg={"market_ticker": "KXA-1", "price_dollars": "", "side": "up"})
    assert isinstance(decode(payload), Malformed)
    found = publication(payload, decode(payload))
    assert found is not None
    assert (found.channel, found.market, found.template.render(4, 9)) == (BOOK, "KXA-1", payload)


def test_broken_utf8_is_kept_byte_for_byte() -> None:
    payload = b'{"type":"user_order","sid":4,"msg":{"ticker":"\xff\xfe"}}'
    found = publication(payload, decode(payload))
    assert found is not None and found.channel == ORDERS
    assert found.template.render(4, 0) == payload


@pytest.mark.parametrize(
    "payload",
    [
        frame("subscribed", id=1, msg={"channel": "trade", "sid": 2}),
        frame("ok", id=1, sid=2, seq=4, msg={"market_tickers": ["KXA-1"]}),
        frame("ok", id=1, msg=[{"channel": "trade", "sid": 2}]),
        frame("unsubscribed", id=1, sid=2, seq=9),
        frame("error", id=1, msg={"code": 8, "msg": "Unknown channel name"}),
        frame("error", sid=1, seq=4, msg={"code": 25, "msg": "Subscription buffer overflow"}),
        frame("cfbenchmarks_value_indexlist", id=3, sid=1, seq=2, msg={}),
    ],
)
def test_replies_to_the_recorder_are_not_for_others(payload: bytes) -> None:
    message = decode(payload)
    assert not isinstance(message, Malformed) and is_reply(message)


def test_the_other_scale_is_written_where_no_side_prices_are() -> None:
    on_no = publication(DELTA, decode(DELTA))
    assert on_no is not None and on_no.yes_template is not None
    assert on_no.template.render(7, 1234) == DELTA
    assert on_no.yes_template.render(7, 1234) == DELTA.replace(b"0.4800", b"0.5200")
    yes_side = DELTA.replace(b'"no"', b'"yes"')
    plain = publication(yes_side, decode(yes_side))
    assert plain is not None and plain.yes_template is None


def test_a_tape_on_the_yes_scale_is_served_on_both() -> None:
    found = publication(SNAPSHOT, decode(SNAPSHOT), yes_price=True)
    assert found is not None and found.yes_template is not None
    assert found.yes_template.render(7, 5) == SNAPSHOT
    turned = decode(found.template.render(7, 5))
    assert isinstance(turned, BookSnapshot)
    assert turned.yes == ((4100, 1000), (4200, 1350))
    assert turned.no == ((4500, 2000), (4440, 1700))


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("delta", '"price":48,"delta":2,"side":"no"', '"price":52,'),
        ("delta", '"price":48,"price_dollars":"0.4800","delta":2,"side":"no"', '"price":52,"price_dollars":"0.5200",'),
        ("snapshot", '"yes":[[41,1]],"no":[[55,20],[56,17]]', '"yes":[[41,1]],"no":[[45,20],[44,17]]'),
        ("snapshot", '"no":[[56,1]],"no_dollars":[["0.5600",1]]', '"no":[[44,1]],"no_dollars":[["0.4400",1]]'),
        ("snapshot", '"no_dollars":[["0.5600",1]],"yes_dollars":[["0.4100",1]]', '"yes_dollars":[["0.4100",1]]'),
        ("snapshot", '"no_dollars_fp": [ [ "1.0000" , "1.00" ] ]', '[ [ "0.0000" , "1.00" ] ]'),
    ],
)
def test_every_era_has_its_own_way_to_turn_a_price(kind: str, body: str, expected: str) -> None:
    head = f'{{"type":"orderbook_{kind}","sid":1,"seq":1,"msg":{{"market_ticker":"A",'
    payload = f"{head}{body}}}}}".encode()
    message = decode(payload)
    assert not isinstance(message, Malformed)
    turned = mirrored(payload, message)
    assert turned is not None and expected.encode() in turned
    assert mirrored(turned, message) == payload


@given(st.integers(0, DOLLAR))
def test_turning_twice_gives_the_price_back(price: int) -> None:
    payload = DELTA.replace(b"0.4800", format_price(price).encode())
    message = decode(payload)
    assert isinstance(message, BookDelta)
    turned = mirrored(payload, message)
    assert turned is not None and mirrored(turned, message) == payload
    other = decode(turned)
    assert isinstance(other, BookDelta) and other.price == DOLLAR - price


VIEW = MarketView(market="KXTEST-A", yes=((4100, 1000), (4200, 1300)), no=((5600, 1700),), trusted=True, clock=77)


def body_of(view: MarketView, notation: Notation, **options: Any) -> dict[str, Any]:
    rendered = snapshot(view, notation, **options).render(3, 9)
    body: dict[str, Any] = json.loads(rendered)
    assert {name: body[name] for name in ("type", "sid", "seq")} == {"type": "orderbook_snapshot", "sid": 3, "seq": 9}
    msg: dict[str, Any] = body["msg"]
    return msg


def test_a_book_of_today_has_its_clock_and_fixed_point_levels() -> None:
    assert body_of(VIEW, Notation(), market_id="u-1") == {
        "market_ticker": "KXTEST-A",
        "market_id": "u-1",
        "clock": 77,
        "yes_dollars_fp": [["0.4100", "10.00"], ["0.4200", "13.00"]],
        "no_dollars_fp": [["0.5600", "17.00"]],
    }


def test_a_book_looks_like_the_tape_it_comes_from() -> None:
    before_october = Notation.of(DELTA)
    assert body_of(VIEW, before_october) == {
        "market_ticker": "KXTEST-A",
        "yes_dollars_fp": [["0.4100", "10.00"], ["0.4200", "13.00"]],
        "no_dollars_fp": [["0.5600", "17.00"]],
    }
    assert snapshot(VIEW, before_october).after.endswith(b"}}\n")
    assert snapshot(VIEW, Notation.of(DELTA.strip())).after.endswith(b"}}")


def test_books_of_early_2026_have_all_three_notations_and_those_before_fewer() -> None:
    overlap = Notation.of(b'{"msg":{"price":42,"price_dollars":"0.4200","delta":-2,"delta_fp":"-2.00","side":"yes"}}')
    assert list(body_of(VIEW, overlap)) == [
        *("market_ticker", "yes", "yes_dollars", "yes_dollars_fp", "no", "no_dollars", "no_dollars_fp"),
    ]
    autumn = Notation.of(b'{"msg":{"yes":[[41,10]],"yes_dollars":[["0.4100",10]]}}')
    assert body_of(VIEW, autumn) == {
        "market_ticker": "KXTEST-A",
        "yes": [[41, 10], [42, 13]],
        "yes_dollars": [["0.4100", 10], ["0.4200", 13]],
        "no": [[56, 17]],
        "no_dollars": [["0.5600", 17]],
    }
    old = Notation.of(b'{"msg":{"price":42,"delta":-2,"side":"yes"}}')
    assert body_of(VIEW, old)["no"] == [[56, 17]] and "no_dollars" not in body_of(VIEW, old)


def test_levels_that_cents_cannot_say_are_not_rounded() -> None:
    fine = msgspec.structs.replace(VIEW, yes=((4150, 1025),))
    old = Notation.of(b'{"msg":{"price":42,"delta":-2,"side":"yes"}}')
    assert body_of(fine, old)["yes_dollars_fp"] == [["0.4150", "10.25"]]


def test_an_empty_side_is_left_out_and_the_no_side_follows_the_scale() -> None:
    empty = MarketView(market="KXTEST-A", trusted=True)
    assert body_of(empty, Notation()) == {"market_ticker": "KXTEST-A"}
    assert body_of(VIEW, Notation(), yes_price=True)["no_dollars_fp"] == [["0.4400", "17.00"]]


@pytest.mark.parametrize("payload", [DELTA, SNAPSHOT])
def test_a_written_book_is_read_as_the_same_book(payload: bytes) -> None:
    message = decode(snapshot(VIEW, Notation.of(payload), market_id="u-1").render(1, 1))
    assert isinstance(message, BookSnapshot)
    assert (message.yes, message.no) == (VIEW.yes, VIEW.no)
