"""What goes wrong on the WebSocket: error replies, broken frames, absurd values, names nobody knows."""

import json
from pathlib import Path
from typing import Any

import pytest
from exchange_venue import MARKETS
from feed import Feed
from hypothesis import given, settings
from hypothesis import strategies as st
from live import live, until
from recordings import frames_of
from refused_link import refused
from scripted_server import refused as refused_of
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
    raw_delta,
    snapshot,
    ticker,
    trade,
)

from capture.limits import WireLimits
from core.messages import (
    BookDelta,
    ErrorReply,
    Malformed,
    Subscribed,
    Ticker,
    Trade,
    Unknown,
    decode,
)
from core.records import Kind

MS = 1_000_000  # ns


REPLACEMENTS: st.SearchStrategy[object] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(), st.just([])
)


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


# --- what becomes of it: the store, and a deck at an exchange that errs


@pytest.mark.parametrize("price", ["-0.4200", "-0.0001", "1.0001", "42"])
def test_a_price_below_zero_or_over_a_dollar_reaches_no_book(price: str) -> None:
    for payload in (delta(price_dollars=price), trade(yes_price_dollars=price), ticker(yes_bid_dollars=price)):
        assert isinstance(decode(payload), Malformed)
    assert isinstance(decode(snapshot(yes_dollars_fp=[[price, "1.00"]])), Malformed)


def test_zero_is_a_price_at_the_edge_and_a_size_that_is_no_level() -> None:
    feed = Feed()
    feed.snapshot(yes_dollars_fp=[["0.0000", "1.00"], ["0.4100", "0.00"]])
    assert feed.view.yes == ((0, 100),)
    feed.delta(2, "0.4200", "0.00")
    feed.delta(3, "0.0000", "-1.00")
    assert (feed.view.yes, feed.view.yes_bid, feed.view.trusted) == ((), None, True)


@pytest.mark.integration
def test_frames_that_say_nothing_are_counted_and_cost_neither_a_book_nor_the_connection(tmp_path: Path) -> None:
    with live(tmp_path) as found:
        for fault, reason in (
            ("malformed", "not-json"),
            ("truncate", "not-json"),
            ("corrupt,how=utf8", "not-utf-8"),
            ('field,name=price_dollars,value="-0.4200"', "price_dollars: not a price"),
            ("field,name=market_ticker,value=null", "market_ticker: missing"),
        ):
            name, _, more = fault.partition(",")
            before = found.deck.status().counts.malformed.get(reason, 0)
            found.inject(f"{name}@frames=1,channel=orderbook_delta" + (more and f",{more}"))
            found.say(count=2)
            until(lambda: found.deck.status().counts.malformed.get(reason, 0) > before, reason)  # noqa: B023  # done before the next
            found.wait_right()
        found.wait_healthy()
        assert found.deck.status().slots[0].link.connected == 1


@pytest.mark.integration
@pytest.mark.parametrize(("fault", "reason"), [("giant", "oversize"), ("half", "incomplete")])
def test_a_message_too_large_or_never_finished_is_kept_by_its_head_and_costs_the_connection(
    tmp_path: Path, fault: str, reason: str
) -> None:
    limits = WireLimits(connect_s=5.0, silent_s=0.6, message_s=0.6, close_s=0.5, poll_s=0.02)
    with live(tmp_path, limits=limits, server={"ping_every_s": 0.1}) as found:
        found.inject(f"{fault}@frames=1,channel=orderbook_delta")
        found.say()
        until(lambda: found.kinds(Kind.REFUSED), "the refusal")
        until(lambda: found.deck.status().slots[0].link.connection >= 2, "the second connection")
        found.wait_right()
        found.wait_healthy()
        assert [refused_of(record.payload)[0] for record in found.kinds(Kind.REFUSED)][:1] == [reason]


@pytest.mark.integration
def test_an_exchange_that_lets_in_and_drops_at_once_is_called_upon_less_and_less_often(tmp_path: Path) -> None:
    with refused(tmp_path, "close@after=10ms,code=1001,times=6") as (link, dice):
        until(lambda: link.status.connected == 7, "the connection that lasts")
        assert dice.ceilings == [1, 2, 4, 8, 16, 32]


@pytest.mark.integration
def test_a_channel_that_is_refused_or_ends_costs_no_other_and_is_said(tmp_path: Path) -> None:
    with live(tmp_path, channels=("orderbook_delta", "trade", "market_halo"), wait=False) as found:
        until(lambda: found.deck.view(MARKETS[0]).trusted, "the books")
        found.inject("error@now,code=25,channel=trade")
        until(lambda: found.deck.status().gaps == 1, "the end of the trades")

        def states() -> dict[str, tuple[bool, str]]:
            return {s.channel: (s.is_live, s.given_up[:7]) for s in found.deck.status().slots[0].talk.subscriptions}

        wanted = {"orderbook_delta": (True, ""), "trade": (True, ""), "market_halo": (False, "error 8")}
        until(lambda: states() == wanted, "the trades again, and the verdict on the unknown channel")
        assert found.deck.status().slots[0].link.connected == 1
