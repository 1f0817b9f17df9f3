"""What goes wrong on the WebSocket: error replies, broken frames, absurd values, names nobody knows."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import frames_of
from tapes import TAPES, needs_tapes
from wire import (
    DELTA,
    SNAPSHOT,
    TICKER,
    TRADE,
    delta,
    examples,
    frame,
    needs_protocol,
    odd_frames,
    snapshot,
    ticker,
    trade,
)

from core.messages import (
    BookDelta,
    BookSnapshot,
    ErrorReply,
    Malformed,
    Subscribed,
    Ticker,
    Trade,
    Unknown,
    decode,
)

MS = 1_000_000  # ns
HEAD = b'{"type":"orderbook_delta","sid":2,"seq":17,"msg":'


REPLACEMENTS: st.SearchStrategy[object] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(), st.just([])
)


def raw_delta(member: bytes) -> bytes:
    """A delta with one more member of `msg`, its bytes as given."""
    return delta().strip().replace(b'"msg":{', b'"msg":{' + member + b",")


# --- error replies


@needs_tapes
def test_the_recorded_errors_are_read() -> None:
    errors = [decode(payload) for payload in frames_of(TAPES / "hourly-btc" / "kalshi_ws_frames.jsonl")]
    found = [(error.id, error.code, error.text) for error in errors if isinstance(error, ErrorReply)]
    assert found == [(number, 8, "Unknown channel name") for number in (1, 1, 99)]


@needs_tapes
def test_an_error_about_a_subscription_has_its_sid_and_no_id() -> None:
    errors = [decode(payload) for payload in odd_frames() if b'"error"' in payload]
    assert errors == [ErrorReply(sid=3, code=13, text="Unsupported action")]


@needs_protocol
def test_the_example_errors_tell_command_subscription_and_markets_apart() -> None:
    shown = {name: decode(json.dumps(value).encode()) for name, value in examples().items() if "err" in name}
    assert shown["r_err_chan"] == ErrorReply(id=1, code=8, text="Unknown channel name")
    assert shown["r_err_term"] == ErrorReply(sid=1, seq=4312, code=25, text="Subscription buffer overflow")
    market = ("KXDEMO-26NOV23-T70",)
    text = "Subscription market limit exceeded"
    assert shown["r_err_mkt"] == ErrorReply(id=9, sid=1, seq=6, code=26, text=text, markets=market)


def test_one_good_and_one_bad_channel_answer_with_a_subscribed_and_an_error() -> None:
    good = decode(frame("subscribed", {"channel": "trade", "sid": 2}, id=1))
    bad = decode(frame("error", {"code": 8, "msg": "Unknown channel name"}, id=1))
    assert isinstance(good, Subscribed)
    assert isinstance(bad, ErrorReply)
    assert good.id == bad.id == 1


@pytest.mark.parametrize("code", [1, 10, 17, 25, 28, 99, -1, 10**6])
def test_every_code_is_taken_retired_and_future_ones_too(code: int) -> None:
    assert decode(frame("error", {"code": code, "msg": "x"}, id=1)) == ErrorReply(id=1, code=code, text="x")


# --- what is no message at all (J2, J5, J6, J8, J10, J11)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "not-json"),
        (b"   \n", "not-json"),
        (b"{", "not-json"),
        (b"\xef\xbb\xbf" + delta(), "not-json"),
        (delta() + b"x", "not-json"),
        (delta() + delta(), "not-json"),
        (delta() + b"\0", "not-json"),
        (delta()[:-20], "not-json"),
        (delta().replace(b'"seq":17', b'"seq":017'), "not-json"),
        (delta().replace(b'"seq":17,', b'"seq":17,,'), "not-json"),
        (delta().strip()[:-1] + b",}", "not-json"),
        (b"{'type':'ticker'}", "not-json"),
        (raw_delta(b'"x":NaN'), "not-json"),
        (raw_delta(b'"x":Infinity'), "not-json"),
        (raw_delta(b'"x":"\n"'), "not-json"),
        (raw_delta(b'"x":"\0"'), "not-json"),
        (raw_delta(b'"x":"\\ud800"'), "not-json"),
        (raw_delta(b'"x":"\xed\xa0\x80"'), "not-utf-8"),
        (raw_delta(b'"x":"\xff"'), "not-utf-8"),
        (raw_delta(b'"\xff":1'), "not-utf-8"),
        (delta(market_ticker="KXA").replace(b'"KXA"', b'"K\xc3"'), "not-utf-8"),
        (raw_delta(b'"x":' + b"9" * 5000), "number-too-long"),
        (b"[" * 1000 + b"]" * 1000, "too-deep"),
        (b"[" * 100_000 + b"]" * 100_000, "too-deep"),
        (raw_delta(b'"x":' + b'{"a":' * 1000 + b"1" + b"}" * 1000), "too-deep"),
        (b"[]", "not-an-object"),
        (b"[" + delta() + b"]", "not-an-object"),
        (b"5", "not-an-object"),
        (b"null", "not-an-object"),
        (b'"ticker"', "not-an-object"),
        (b"{}", "no-type"),
        (b'{"type":null}', "no-type"),
        (b'{"type":5}', "no-type"),
        (b'{"type":""}', "no-type"),
        (b'{"type":["ticker"]}', "no-type"),
        (b'{"Type":"ticker"}', "no-type"),
        (b'{"type":"ticker"}', "msg: missing"),
        (b'{"type":"ticker","msg":null}', "msg: missing"),
        (b'{"type":"ticker","msg":[]}', "msg: not an object"),
        (b'{"type":"ticker","msg":"x"}', "msg: not an object"),
    ],
    ids=lambda value: ascii(value[:24]) if isinstance(value, bytes) else value,
)
def test_a_frame_that_is_no_message_is_refused_with_a_reason_that_can_be_counted(payload: bytes, reason: str) -> None:
    assert decode(payload) == Malformed(reason)


def test_spaces_and_line_ends_around_a_frame_do_not_matter() -> None:
    assert decode(b" \r\n\t" + delta() + b"\r\n ") == decode(delta())


def test_key_order_and_escapes_do_not_matter() -> None:
    value = json.loads(delta())
    backwards = {name: value[name] for name in reversed(value)}
    assert decode(json.dumps(backwards).encode()) == decode(delta())
    assert decode(delta().replace(b'"side"', b'"s\\u0069de"').replace(b'"yes"', b'"\\u0079es"')) == decode(delta())


# --- of repeated keys the last wins (J1)


@pytest.mark.parametrize(
    ("payload", "alike"),
    [
        (raw_delta(b'"price_dollars":"0.9000"'), delta()),
        (raw_delta(b'"price_dollars":5'), delta()),
        (raw_delta(b'"unheard_of":5,"unheard_of":6'), delta(unheard_of=6)),
        (delta().replace(b'"seq":17', b'"seq":"x","seq":16,"seq":17'), delta()),
        (b'{"type":"ticker",' + delta()[1:], delta()),
        (delta().strip()[:-1] + b',"type":"trade"}', frame("trade", DELTA, sid=2, seq=17)),
        (HEAD + b'{"junk":1},' + delta().partition(b'"seq":17,')[2], delta()),
        (delta().strip()[:-1] + b',"msg":{}}', frame("orderbook_delta", {}, sid=2, seq=17)),
    ],
)
def test_of_repeated_keys_the_last_wins(payload: bytes, alike: bytes) -> None:
    assert decode(payload) == decode(alike)


# --- numbers (J2, J3, J4, J9, X7)


@pytest.mark.parametrize(
    "value",
    [
        "1.0001", "-0.4200", "2", "42", "0.42001", "NaN", "nan", "Infinity", "-Infinity", "1e-1", "0x1", "4" * 400,
        "0." + "4" * 400, " 0.42", "0.42 ", "+0.42", "0,42", "abc", "0.4 2", 42, 0.42, True, [], {}, ["0.4200"],
        10**400,
    ],
    ids=lambda value: ascii(value)[:20] if isinstance(value, str) else type(value).__name__,
)  # fmt: skip
@pytest.mark.parametrize(
    ("kind", "msg", "name"),
    [
        ("orderbook_delta", DELTA, "price_dollars"),
        ("trade", TRADE, "yes_price_dollars"),
        ("ticker", TICKER, "yes_bid_dollars"),
        ("ticker", TICKER, "price_dollars"),
    ],
)
def test_what_is_no_price_from_0_to_1_dollar_is_refused(kind: str, msg: dict[str, Any], name: str, value: Any) -> None:
    assert decode(frame(kind, msg | {name: value}, sid=1, seq=1)) == Malformed(f"{name}: not a price")


@pytest.mark.parametrize("written", [b"1e400", b"0.42", b"-0.0", b"1E5", b"4.2e-1"])
def test_a_number_with_a_point_or_exponent_is_never_a_price_size_or_count(written: bytes) -> None:
    for name in (b"price_dollars", b"delta_fp"):
        message = decode(raw_delta(b'"%s":%s' % (name, written)).replace(b'"%s":"' % name, b'"was":"'))
        assert message in (Malformed("price_dollars: not a price"), Malformed("delta_fp: not a size"))
    assert decode(delta().replace(b'"seq":17', b'"seq":' + written)) == Malformed("seq: not a number")


@pytest.mark.parametrize("value", ["-1.00", "NaN", "1e3", "0.001", "9" * 400, 5, None, 0.5, [], "--1", "1_0", "abc"])
def test_what_is_no_size_is_refused(value: Any) -> None:
    reason = "count_fp: missing" if value is None else "count_fp: not a size"
    assert decode(trade(count_fp=value)) == Malformed(reason)
    if value is not None:
        assert decode(ticker(volume_fp=value)) == Malformed("volume_fp: not a size")
        assert decode(snapshot(yes_dollars_fp=[["0.4100", value]])) == Malformed("yes_dollars_fp: not a level")


@pytest.mark.parametrize(
    "levels", ["0.41", {}, [["0.4100"]], [["0.4100", "1.00", "2.00"]], [["0.4100", 1]], [[41, 1]], ["0.4100"], [None]]
)
def test_what_is_no_list_of_levels_is_refused(levels: Any) -> None:
    message = decode(snapshot(yes_dollars_fp=levels))
    assert message in (Malformed("yes_dollars_fp: not a level"), Malformed("yes_dollars_fp: not a list of levels"))


@pytest.mark.parametrize(
    "changes", [{"price": 101}, {"price": -1}, {"price": 42.5}, {"price": "42"}, {"price": True}, {"price": 10**30}]
)
def test_what_is_no_price_in_cents_is_refused(changes: dict[str, Any]) -> None:
    old = {"market_ticker": "A", "delta": -2, "side": "yes"}
    assert decode(frame("orderbook_delta", old | changes, sid=1, seq=1)) == Malformed("price: not a price")


@pytest.mark.parametrize("changes", [{"delta": 2.0}, {"delta": "2"}, {"delta": 10**14}, {"delta": True}])
def test_what_is_no_count_of_contracts_is_refused(changes: dict[str, Any]) -> None:
    old = {"market_ticker": "A", "price": 42, "side": "yes"}
    assert decode(frame("orderbook_delta", old | changes, sid=1, seq=1)) == Malformed("delta: not a size")


@pytest.mark.parametrize("value", [2**53 + 1, 2**63 - 1])
def test_integers_beyond_2_to_the_53_are_exact(value: int) -> None:
    message = decode(delta(clock=value).replace(b'"seq":17', b'"seq":%d' % value))
    assert isinstance(message, BookDelta)
    assert (message.seq, message.clock) == (value, value)


@pytest.mark.parametrize("value", [2**63, 2**64 + 1, -1, 10**400, "17", 17.0, True, [], {}])
@pytest.mark.parametrize("name", ["sid", "seq", "id"])
def test_a_number_of_the_frame_beyond_64_bits_or_of_another_kind_is_refused(name: str, value: Any) -> None:
    payload = json.dumps(json.loads(delta()) | {name: value}).encode()
    assert decode(payload) == Malformed(f"{name}: not a number")


# --- names and missing or changed fields (X5, X6, J7, J12)


@pytest.mark.parametrize("name", ["KX\0A", "KX\u0410", "kxa", "K" * 300, "=cmd()", "../../etc", 'a"b\\c', "🙂"])
def test_a_ticker_is_an_opaque_key(name: str) -> None:
    for payload in (delta(market_ticker=name), snapshot(market_ticker=name), trade(market_ticker=name)):
        message = decode(payload)
        assert isinstance(message, BookDelta | BookSnapshot | Trade)
        assert message.market == name


@pytest.mark.parametrize("name", ["", None, 5, ["KXA"], "K" * 1025])
def test_what_is_no_name_is_refused(name: Any) -> None:
    reason = "market_ticker: missing" if name is None else "market_ticker: not a name"
    assert decode(delta(market_ticker=name)) == Malformed(reason)


@pytest.mark.parametrize("side", ["YES", "maybe", "", 1, True, ["yes"]])
def test_what_is_no_side_is_refused(side: Any) -> None:
    assert decode(delta(side=side)) == Malformed("side: not a side")
    assert decode(trade(taker_outcome_side=side)) == Malformed("taker_outcome_side: not a side")


@pytest.mark.parametrize(
    ("payload", "name"),
    [
        (delta(price_dollar="0.42"), "msg.price_dollar"),
        (ticker(bid=1), "msg.bid"),
        (trade(count_dollars="1"), "msg.count_dollars"),
    ],
)
def test_a_field_nobody_knows_is_named_and_the_message_read(payload: bytes, name: str) -> None:
    message = decode(payload)
    assert isinstance(message, BookDelta | Ticker | Trade)
    assert message.unknown_fields == (name,)


def test_a_renamed_field_is_a_missing_one() -> None:
    msg = {("px" if name == "price_dollars" else name): value for name, value in DELTA.items()}
    assert decode(frame("orderbook_delta", msg, sid=1, seq=1)) == Malformed("price_dollars: missing")


@pytest.mark.parametrize("msg", [None, {}, [], 5, {"market_ticker": "A", "deep": {"a": [1]}}])
def test_a_type_nobody_knows_is_kept_with_its_place_in_the_sequence(msg: Any) -> None:
    assert decode(frame("market_halo", msg, sid=4, seq=17)) == Unknown(type="market_halo", sid=4, seq=17)


def test_a_type_nobody_knows_with_absurd_numbers_has_none() -> None:
    payload = frame("market_halo", sid=-1, seq="x", id=2**70, sending_ts_ms=1.5)
    assert decode(payload) == Unknown(type="market_halo")


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_a_frame_with_any_one_field_replaced_is_read_or_refused(data: st.DataObject) -> None:
    kind, msg = data.draw(
        st.sampled_from(
            [("orderbook_delta", DELTA), ("orderbook_snapshot", SNAPSHOT), ("ticker", TICKER), ("trade", TRADE)]
        )
    )
    name = data.draw(st.sampled_from(sorted(msg)))
    value = data.draw(REPLACEMENTS)
    message = decode(frame(kind, msg | {name: value}, sid=1, seq=1))
    if isinstance(message, Malformed):
        assert message.reason.startswith(f"{name}: ")


# --- times (X8)


@pytest.mark.parametrize(
    ("stamps", "exchange_ns", "unknown"),
    [
        ({"ts": "2026-11-23T12:00:01.5Z"}, 1_795_435_201_500 * MS, ()),
        ({"ts": "2026-11-23T13:00:01.5+01:00"}, 1_795_435_201_500 * MS, ()),
        ({"ts_ms": 1795435201502}, 1_795_435_201_502 * MS, ()),
        ({"ts": 1795435201}, 1_795_435_201_000 * MS, ()),
        ({"ts_ms": 1795435201}, 1_795_435_201_000 * MS, ()),
        ({"ts": 2147483648}, 2_147_483_648_000 * MS, ()),
        ({}, 0, ()),
        ({"ts": None, "ts_ms": None}, 0, ()),
        ({"ts": "", "ts_ms": 0}, 0, ()),
        ({"ts": "0001-01-01T00:00:00Z"}, 0, ("bad:ts",)),
        ({"ts": "0000-00-00T00:00:00Z", "ts_ms": 1795435201502}, 1_795_435_201_502 * MS, ("bad:ts",)),
        ({"ts": "2026-11-23T12:00:01Z", "ts_ms": 1795435201502999}, 1_795_435_201_000 * MS, ("bad:ts_ms",)),
        ({"ts": "yesterday", "ts_ms": -5}, 0, ("bad:ts", "bad:ts_ms")),
        ({"ts": [], "ts_ms": {}}, 0, ("bad:ts", "bad:ts_ms")),
        ({"ts": True, "ts_ms": 17.5}, 0, ("bad:ts", "bad:ts_ms")),
        ({"ts": "1795435201", "ts_ms": "1795435201502"}, 0, ("bad:ts", "bad:ts_ms")),
        ({"ts_ms": 10**30}, 0, ("bad:ts_ms",)),
    ],
)
def test_a_bad_time_is_none_and_flagged_and_spoils_nothing_else(
    stamps: dict[str, Any], exchange_ns: int, unknown: tuple[str, ...]
) -> None:
    msg = {name: value for name, value in DELTA.items() if name not in ("ts", "ts_ms")}
    message = decode(frame("orderbook_delta", msg | stamps, sid=1, seq=1))
    assert isinstance(message, BookDelta)
    assert (message.exchange_ns, message.unknown_fields, message.price) == (exchange_ns, unknown, 4200)


@pytest.mark.parametrize("value", ["1795435201503", -1, 2**70, 1.5, True, [], {}])
def test_a_bad_sending_time_is_none_and_flagged(value: Any) -> None:
    message = decode(json.dumps(json.loads(delta()) | {"sending_ts_ms": value}).encode())
    assert isinstance(message, BookDelta)
    assert (message.sending_ms, message.unknown_fields) == (0, ("bad:sending_ts_ms",))
