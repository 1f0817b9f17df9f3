"""Hostile frames: no bytes make decoding raise, differ between its two ways, grow without bound or take long."""

import json
import string
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire import DELTA, SNAPSHOT, TICKER, TRADE, delta, examples, frame, raw_delta, snapshot, ticker, trade

from core.messages import BookDelta, BookSnapshot, Malformed, Message, Side, Trade, Unknown, decode
from core.messages.decoding import decode_any
from core.messages.fields import MAX_UNKNOWN_FIELDS, MAX_UNKNOWN_NAME
from core.messages.hot import decode_hot, delta_numbers
from core.messages.market import MAX_LEVELS
from core.messages.strict import MAX_DEPTH

KINDS = ("orderbook_delta", "orderbook_snapshot", "ticker", "trade", "subscribed", "ok", "unsubscribed", "error")
HOT = [delta(clock=7), snapshot(market_id="m", clock=0), ticker(), trade()]
FRAMES = [*HOT, *(json.dumps(value).encode() for value in examples().values())]
NAMES = sorted({*DELTA, *SNAPSHOT, *TICKER, *TRADE, "clock", "client_order_id", "price", "delta", "new", "Ä"})
PIECES = [b'"', b"{", b"]", b"\\", b",", b"1e9", b"null", b"\xed\xa0\x80", b"\\ud800"]
REASON_LETTERS = frozenset(string.ascii_letters + string.digits + "_:- ")

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=12)
    | st.sampled_from(["", "0.4200", "-2.00", "1.0001", "yes", "no", "2026-11-23T12:00:01.5Z", "NaN", "0", "-0.00"])
    | st.sampled_from(
        ["2026-11-23T12:00:01.502314Z", "2026-11-23T12:00:01.5_2314Z", "2026-11-23T12:00:01.502314+01:00"]
    )
    | st.sampled_from(
        ["2026-11-23T12:00:01.\u0665\u0660\u0662Z", "2026-11-23T12:00:01.5023141Z", "2026-11-23t12:00:01z"]
    )
    | st.sampled_from(["1_0.00", "+1.00", "\u0661.00", "01.00", "-1.50", "--1.00", "1.5", ".50", "9999999999999.99"])
    | st.sampled_from([0, 1, -1, 1795435201, 1795435201502, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**15, 10**30])
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner))


def outcome(read: Callable[[bytes], Message | Malformed], payload: bytes) -> Message | Malformed | None:
    try:
        return read(payload)
    except (ValueError, KeyError, RecursionError):
        return None


def check(payload: bytes) -> Message | Malformed:
    """What a frame says, after checking all that must hold of any bytes."""
    message = decode(payload)
    thorough = decode_any(payload)
    hot = outcome(decode_hot, payload)
    assert message == thorough
    assert hot is None or (hot == thorough and type(hot) is type(thorough))
    if isinstance(hot, BookDelta):
        side = 1 if hot.side is Side.YES else 2
        numbers = (hot.market, hot.sid, hot.seq, side, hot.price, hot.delta, hot.clock)
        assert delta_numbers(payload) == numbers
    else:
        assert delta_numbers(payload) is None
    if isinstance(message, Malformed):
        assert len(message.reason) < 64
        assert REASON_LETTERS.issuperset(message.reason)
    else:
        assert message.sid < 2**31
        assert 0 <= message.seq < 2**63
        assert list(message.unknown_fields) == sorted(set(message.unknown_fields))
        assert len(message.unknown_fields) <= MAX_UNKNOWN_FIELDS
    return message


@pytest.mark.parametrize("payload", HOT)
def test_the_frames_of_a_tape_go_the_fast_way(payload: bytes) -> None:
    assert decode_hot(payload) == decode_any(payload)


@settings(deadline=None, max_examples=120)
@given(st.data())
def test_a_frame_with_members_changed_is_read_alike_both_ways_and_never_raises(data: st.DataObject) -> None:
    value = json.loads(data.draw(st.sampled_from(FRAMES)))
    target = data.draw(st.sampled_from([value, value.get("msg", value)]))
    if isinstance(target, dict) and target:
        changes = data.draw(
            st.dictionaries(st.sampled_from(sorted({*target, *NAMES, "sid", "seq"})), values, max_size=3)
        )
        target.update(changes)
        for name in data.draw(st.lists(st.sampled_from(sorted(target)), max_size=2)):
            target.pop(name, None)
    check(json.dumps(value, ensure_ascii=data.draw(st.booleans())).encode("utf-8", "surrogatepass"))


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(FRAMES), st.data())
def test_a_frame_with_bytes_changed_never_raises(payload: bytes, data: st.DataObject) -> None:
    mutable = bytearray(payload)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(mutable)))
        length = data.draw(st.integers(0, 8))
        mutable[start : start + length] = data.draw(st.binary(max_size=8) | st.sampled_from(PIECES))
    check(bytes(mutable))


@settings(deadline=None, max_examples=80)
@given(st.binary(max_size=200) | values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_read_or_refused(payload: bytes) -> None:
    check(payload)


@settings(deadline=None, max_examples=80)
@given(st.sampled_from(KINDS), values, st.sampled_from(["sid", "seq", "id", "sending_ts_ms"]), values)
def test_any_msg_and_head_are_read_or_refused(kind: str, msg: Any, name: str, value: Any) -> None:
    check(json.dumps({"type": kind, "sid": 1, "seq": 1, "msg": msg, name: value}).encode())


def test_the_empty_frame_and_every_cut_of_a_frame_are_refused() -> None:
    for payload in HOT:
        whole = payload.strip()
        for end in range(len(whole)):
            assert check(whole[:end]) == Malformed("not-json")


@pytest.mark.parametrize(
    ("payload", "alike"),
    [
        (raw_delta(b'"price_dollars":"0.9000"'), delta()),
        (raw_delta(b'"price_dollars":5'), delta()),
        (raw_delta(b'"unheard_of":5,"unheard_of":6'), delta(unheard_of=6)),
        (delta().replace(b'"seq":17', b'"seq":"x","seq":16,"seq":17'), delta()),
        (b'{"type":"ticker",' + delta()[1:], delta()),
        (delta().strip()[:-1] + b',"type":"trade"}', frame("trade", DELTA, sid=2, seq=17)),
        (b'{"type":"orderbook_delta","sid":2,"seq":17,"msg":{"junk":1},' + delta().partition(b'"seq":17,')[2], delta()),
        (delta().strip()[:-1] + b',"msg":{}}', frame("orderbook_delta", {}, sid=2, seq=17)),
    ],
)
def test_of_repeated_keys_the_last_wins(payload: bytes, alike: bytes) -> None:
    assert decode(payload) == decode(alike)


def test_spaces_and_line_ends_around_a_frame_do_not_matter() -> None:
    assert decode(b" \r\n\t" + delta() + b"\r\n ") == decode(delta())


def test_key_order_and_escapes_do_not_matter() -> None:
    value = json.loads(delta())
    backwards = {name: value[name] for name in reversed(value)}
    assert decode(json.dumps(backwards).encode()) == decode(delta())
    assert decode(delta().replace(b'"side"', b'"s\\u0069de"').replace(b'"yes"', b'"\\u0079es"')) == decode(delta())


@pytest.mark.parametrize("name", ["KX\0A", "KX\u0410", "kxa", "K" * 300, "=cmd()", "../../etc", 'a"b\\c', "🙂"])
def test_a_ticker_is_an_opaque_key(name: str) -> None:
    for payload in (delta(market_ticker=name), snapshot(market_ticker=name), trade(market_ticker=name)):
        message = decode(payload)
        assert isinstance(message, BookDelta | BookSnapshot | Trade)
        assert message.market == name


def test_unknown_fields_are_named_sorted_with_their_place() -> None:
    payload = frame("orderbook_delta", DELTA | {"zeta": 1, "alpha": None}, sid=1, seq=1, later={"a": 1})
    message = check(payload)
    assert not isinstance(message, Malformed)
    assert message.unknown_fields == ("later", "msg.alpha", "msg.zeta")


def test_names_the_server_makes_up_are_kept_short_and_few() -> None:
    many = {f"{number:05d}" + "x" * 1000: 0 for number in range(1000)}
    message = check(frame("ticker", TICKER | many, sid=1))
    assert not isinstance(message, Malformed)
    assert len(message.unknown_fields) == MAX_UNKNOWN_FIELDS
    assert max(map(len, message.unknown_fields)) == len("msg.") + MAX_UNKNOWN_NAME
    unknown = check(frame("y" * 1000, sid=1, seq=3))
    assert unknown == Unknown(sid=1, seq=3, type="y" * MAX_UNKNOWN_NAME)


def test_no_value_that_was_sent_shows_in_a_reason() -> None:
    reasons = {check(delta(price_dollars=f"secret{number}")) for number in range(5)}
    assert reasons == {Malformed("price_dollars: not a price")}


def nested(depth: int) -> bytes:
    return b'{"type":"unheard_of","seq":3,"deep":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def test_the_limit_of_nesting_is_ours() -> None:
    assert check(nested(MAX_DEPTH)) == Unknown(seq=3, type="unheard_of")
    for depth in (MAX_DEPTH + 1, 990, 1000, 100_000):
        assert check(nested(depth)) == Malformed("too-deep")
    for depth in (900, 100_000):  # before the type, where the fast way must step over it
        hidden = b'{"deep":' + b"[" * depth + b"]" * depth + b"," + delta()[1:]
        assert check(hidden) == Malformed("too-deep")


def test_brackets_in_texts_are_no_nesting() -> None:
    for text in ("[" * 1000, '"[' * 1000, "\\[" * 1000, '\\"[{' * 1000):
        message = check(frame("ticker", TICKER | {"market_id": text}, sid=1))
        assert not isinstance(message, Malformed)
        assert message.market_id == text  # type: ignore[union-attr]  # a ticker is what was written


def test_the_same_frame_says_the_same_however_deep_the_caller_stands() -> None:
    payloads = [nested(depth) for depth in (10, MAX_DEPTH, MAX_DEPTH + 1, 500, 900)]
    payloads.append(frame("cfbenchmarks_value", {"data": '{"x":' + "[" * 700 + "]" * 700 + ',"value":"1"}'}, sid=1))
    shallow = [decode(payload) for payload in payloads]

    def deeper(steps: int) -> list[Message | Malformed]:
        return deeper(steps - 1) if steps else [decode(payload) for payload in payloads]

    assert deeper(sys.getrecursionlimit() // 2) == shallow


MEGABYTES = [
    pytest.param(b"{" + b",".join(b'"k%d":1' % n for n in range(300_000)) + b"}", id="keys"),
    pytest.param(b'{"type":"ok","msg":{' + b",".join(b'"k%d":1' % n for n in range(300_000)) + b"}}", id="members"),
    pytest.param(b"[" * 3_000_000, id="openings"),
    pytest.param(b"[" * 100 + b'"' + b'\\"' * 1_500_000, id="escaped quotes"),
    pytest.param(b"[" * 100 + b'"' * 3_000_000, id="quotes"),
    pytest.param(b"[" * 100 + b'"' + b"\\" * 2_999_999, id="backslashes"),
    pytest.param(b"[" + b",".join([b"[]"] * 500_000) + b"]", id="lists"),
    pytest.param(b"1" * 3_000_000, id="digits"),
    pytest.param(b"[" + b",".join([b"9" * 4300] * 700) + b"]", id="long integers"),
    pytest.param(snapshot(yes_dollars_fp=[["0.4200", "1.00"]] * 200_000), id="levels"),
    pytest.param(delta(delta_fp="1" * 3_000_000), id="size"),
    pytest.param(delta(ts="2" * 3_000_000), id="time"),
]


@pytest.mark.parametrize("payload", MEGABYTES)
def test_megabytes_of_nonsense_are_only_nonsense(payload: bytes) -> None:
    message = decode(payload)
    assert isinstance(message, Malformed) or message.unknown_fields


@pytest.mark.performance
@pytest.mark.parametrize("payload", MEGABYTES)
def test_megabytes_of_nonsense_take_bounded_time(payload: bytes) -> None:
    started = time.process_time()
    decode(payload)
    assert time.process_time() - started < 2.0  # 3 MB; a tenth to a quarter of a second is usual


def test_a_snapshot_has_no_more_levels_than_there_are_prices() -> None:
    levels = [[f"{price / 10_000:.4f}", "1.00"] for price in range(MAX_LEVELS)]
    message = check(snapshot(yes_dollars_fp=levels))
    assert not isinstance(message, Malformed)
    assert check(snapshot(yes_dollars_fp=[*levels, levels[0]])) == Malformed("yes_dollars_fp: too many levels")
