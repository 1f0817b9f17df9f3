"""Numbers, times and real frames: what arrives on the WebSocket is read exactly, in every dialect of its day.

At the end the helpers that other tests rely on: generators of every message, built and recorded sessions, waiting.
"""

import json
import random
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from fixture_tapes import FIXTURES, fixture_tape
from frame_schemas import BY_EVENT_TYPE, TYPES, faults_of, kind_of, load
from generated import KINDS, made_frame, made_frames
from recordings import frames_of
from sample_tapes import Script
from tapes import TAPES, but_the_longest, needs_tapes
from waiting import wait_for_condition
from wire import examples, frame, needs_protocol, odd_frames

from capture.tape.verify import verify
from core.engine import Engine
from core.messages import BookDelta, BookSnapshot, Malformed, Message, Side, Ticker, Trade, Unknown, decode, type_of
from core.money import format_price, format_size, parse_price, parse_size
from core.records import Kind
from core.times import parse_rfc3339
from replay import Player

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
RECORDINGS = sorted(
    path.relative_to(TAPES).as_posix()
    for pattern in ("gold15m/*/*.gz", "btc15m/*.gz", "hourly-btc/*.jsonl")
    for path in TAPES.glob(pattern)
)


def exact(text: str | None, units: int) -> int | None:
    """A decimal text in units, by exact arithmetic; None for no text."""
    if not text:
        return None
    value = Decimal(text) * units
    assert value == int(value)
    return int(value)


def price(msg: dict[str, Any], name: str) -> int | None:
    return exact(msg.get(name), 10_000)


def size(msg: dict[str, Any], name: str) -> int | None:
    return exact(msg.get(name), 100)


def instant(msg: dict[str, Any], name: str) -> int:
    """Unix ns, from the text `name` if there is one, else from ts_ms."""
    if name not in msg:
        return int(msg["ts_ms"]) * 1_000_000
    return (datetime.fromisoformat(msg[name]) - EPOCH) // timedelta(microseconds=1) * 1000


def levels(pairs: list[list[str]]) -> tuple[tuple[int, int], ...]:
    return tuple((int(Decimal(p) * 10_000), int(Decimal(s) * 100)) for p, s in pairs)


def second_opinion(value: dict[str, Any]) -> dict[str, Any] | None:
    """What a market data frame of today's dialect says, worked out with the standard library; None for others."""
    msg = value.get("msg", {})
    match value["type"]:
        case "orderbook_delta":
            return {
                "market": msg["market_ticker"],
                "market_id": msg["market_id"],
                "side": Side(msg["side"]),
                "price": price(msg, "price_dollars"),
                "delta": size(msg, "delta_fp"),
                "exchange_ns": instant(msg, "ts"),
            }
        case "orderbook_snapshot":
            return {
                "market": msg["market_ticker"],
                "yes": levels(msg.get("yes_dollars_fp", [])),
                "no": levels(msg.get("no_dollars_fp", [])),
            }
        case "trade":
            return {
                "market": msg["market_ticker"],
                "trade_id": msg["trade_id"],
                "price": price(msg, "yes_price_dollars"),
                "count": size(msg, "count_fp"),
                "taker": Side(msg.get("taker_outcome_side", msg["taker_side"])),
                "exchange_ns": instant(msg, "none") if "ts_ms" in msg else msg["ts"] * 10**9,
            }
        case "ticker":
            sizes = ("yes_bid_size", "yes_ask_size", "last_trade_size", "volume", "open_interest")
            return {
                "market": msg["market_ticker"],
                "price": price(msg, "price_dollars"),
                "yes_bid": price(msg, "yes_bid_dollars"),
                "yes_ask": price(msg, "yes_ask_dollars"),
                **{name: size(msg, f"{name}_fp") for name in sizes},
                "dollar_volume": msg["dollar_volume"],
                "exchange_ns": instant(msg, "time"),
            }
    return None


def compare(payload: bytes) -> Message:
    """The message of a frame, after holding it against the second opinion."""
    value = json.loads(payload)
    message = decode(payload)
    assert not isinstance(message, Malformed | Unknown), payload
    assert message.unknown_fields == (), payload
    assert type_of(message) == value["type"]
    sid = value["msg"]["sid"] if value["type"] == "subscribed" else value.get("sid", 0)
    assert (message.sid, message.seq, message.id) == (sid, value.get("seq", 0), value.get("id", 0))
    opinion = second_opinion(value)
    if opinion is not None:
        assert {name: getattr(message, name) for name in opinion} == opinion, payload
    return message


@needs_tapes
@pytest.mark.parametrize("name", but_the_longest(RECORDINGS))
def test_every_recorded_frame_is_read_as_exact_arithmetic_reads_it(name: str) -> None:
    frames = frames_of(TAPES / name)
    read = Counter(type_of(compare(payload)) for payload in frames)
    assert read.total() == len(frames)
    assert read["orderbook_delta"] > 0


@needs_tapes
def test_every_frame_of_the_other_channels_is_known() -> None:
    read = Counter(type_of(compare(payload)) for payload in odd_frames())
    assert {"user_order", "rfq_created", "market_lifecycle_v2", "event_lifecycle", "ok", "error"} <= read.keys()


@needs_tapes
def test_a_quarter_of_the_bitcoin_deltas_lie_off_the_cent_grid_and_stay_there() -> None:
    deltas = [decode(payload) for payload in frames_of(TAPES / "btc15m" / "outage-22s.jsonl.gz")]
    prices = [message.price for message in deltas if isinstance(message, BookDelta)]
    assert 0.2 < sum(value % 100 != 0 for value in prices) / len(prices) < 0.3


@needs_tapes
def test_prices_sizes_and_times_of_a_recording_come_back_as_their_texts() -> None:
    for payload in frames_of(TAPES / "btc15m" / "short-30s.jsonl.gz"):
        msg = json.loads(payload)["msg"]
        if "delta_fp" in msg:
            assert format_price(parse_price(msg["price_dollars"])) == msg["price_dollars"]
            assert format_size(parse_size(msg["delta_fp"])) == msg["delta_fp"]
            assert parse_rfc3339(msg["ts"]) // 1_000_000 == msg["ts_ms"]


@needs_protocol
@pytest.mark.parametrize("name", sorted(examples()))
def test_every_example_of_the_protocol_is_known_in_every_era(name: str) -> None:
    message = decode(json.dumps(examples()[name]).encode())
    assert not isinstance(message, Malformed | Unknown)
    assert message.unknown_fields == ()
    assert type_of(message) == examples()[name]["type"]


@needs_protocol
@pytest.mark.parametrize("name", sorted(name for name in examples() if name.startswith("L_")))
def test_the_integers_of_an_old_example_say_what_its_texts_say(name: str) -> None:
    old = examples()[name]
    integers = {key: value for key, value in old["msg"].items() if not key.endswith(("_dollars", "_fp"))}
    assert integers != old["msg"]
    assert decode(json.dumps(old | {"msg": integers}).encode()) == decode(json.dumps(old).encode())


CENTS: dict[str, dict[str, Any]] = {
    "orderbook_delta": {"market_ticker": "A", "price": 42, "delta": -2, "side": "yes"},
    "orderbook_snapshot": {"market_ticker": "A", "yes": [[41, 10]], "no": [[55, 20]]},
    "ticker": {"market_ticker": "A", "price": 43, "yes_bid": 42, "yes_ask": 44, "volume": 7},
    "trade": {"market_ticker": "A", "trade_id": "t", "yes_price": 42, "no_price": 58, "count": 2, "taker_side": "no"},
}
DOLLARS: dict[str, dict[str, Any]] = {
    "orderbook_delta": {"market_ticker": "A", "price_dollars": "0.4200", "delta_fp": "-2.00", "side": "yes"},
    "orderbook_snapshot": {
        "market_ticker": "A",
        "yes_dollars_fp": [["0.4100", "10.00"]],
        "no_dollars_fp": [["0.5500", "20.00"]],
    },
    "ticker": {
        "market_ticker": "A",
        "price_dollars": "0.4300",
        "yes_bid_dollars": "0.4200",
        "yes_ask_dollars": "0.4400",
        "volume_fp": "7.00",
    },
    "trade": {
        "market_ticker": "A",
        "trade_id": "t",
        "yes_price_dollars": "0.4200",
        "no_price_dollars": "0.5800",
        "count_fp": "2.00",
        "taker_side": "no",
    },
}


@pytest.mark.parametrize("kind", sorted(CENTS))
def test_cents_and_dollars_meet_in_the_same_message(kind: str) -> None:
    both = [CENTS[kind], DOLLARS[kind], CENTS[kind] | DOLLARS[kind], DOLLARS[kind] | CENTS[kind]]
    messages = [decode(frame(kind, msg, sid=1, seq=1)) for msg in both]
    assert isinstance(messages[0], BookDelta | BookSnapshot | Ticker | Trade)
    assert messages == [messages[0]] * 4


def test_nothing_between_two_units_is_rounded() -> None:
    msg = DOLLARS["orderbook_delta"]
    for name, value in (("price_dollars", "0.42001"), ("delta_fp", "-2.001"), ("price_dollars", "0.4200000001")):
        message = decode(
            json.dumps({"type": "orderbook_delta", "sid": 1, "seq": 1, "msg": msg | {name: value}}).encode()
        )
        assert isinstance(message, Malformed)


# ------------------------------------------------------------------ what tests are made of: frames, sessions, waiting


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_message_has_a_generator_whose_frames_decode_and_fit_the_schema(kind: str) -> None:
    dice = random.Random(kind)
    made = [made_frame(kind, dice) for _ in range(20)]
    for payload in made:
        value = load(payload)
        assert (faults_of(value), kind_of(value)) == ([], kind)
        compare(payload)
    assert len(set(made)) > 1 or "list" in kind or kind.endswith(("activated", "fee_update"))


def test_there_is_a_generator_of_every_type_and_turn_that_has_a_schema() -> None:
    turns = {f"{kind}/{event}" for kind, events in BY_EVENT_TYPE.items() for event in events}
    assert {*KINDS} == ({*TYPES} - {*BY_EVENT_TYPE}) | turns


def test_the_same_seed_makes_the_same_frames_and_another_one_others() -> None:
    first, again, other = (list(islice(made_frames(seed), 300)) for seed in (4, 4, 5))
    assert first == again != other
    assert {kind for kind, _ in first} == {*KINDS}
    numbers: dict[int, list[int]] = {}
    for _, payload in first:
        value = load(payload)
        if "seq" in value and "id" not in value:
            numbers.setdefault(value["sid"], []).append(value["seq"])
    assert all(seqs == list(range(1, len(seqs) + 1)) for seqs in numbers.values())


def test_a_session_is_built_line_by_line_and_reads_back_as_a_tape_that_replays(tmp_path: Path) -> None:
    script = Script().session().opened().subscribed().subscribed(2, "trade")
    script.snapshot("KXTEST-A", [("0.4000", "9.00")], [("0.5000", "9.00")])
    script.delta("KXTEST-A", "yes", "0.4000", "1.50").trade("KXTEST-A", "0.4000", "2.00").ping().stop()
    tape = script.tape(tmp_path / "tape")
    assert list(tape.records()) == script.records
    assert verify(tape.path, deep=True).whole
    player = Player(tape)
    player.advance()
    view = player.store.view("KXTEST-A")
    assert (view.trusted, view.yes, view.traded_size) == (True, ((4_000, 1_050),), 200)
    assert script.numbers == {(1, 1): 2, (1, 2): 1}


def test_a_gap_is_built_by_leaving_numbers_out() -> None:
    script = Script().session().opened().subscribed()
    script.snapshot("KXTEST-A", [("0.4000", "9.00")], []).skip(1).delta("KXTEST-A", "yes", "0.4000", "1.50")
    engine = Engine()
    gaps = [gap for record in script.records for gap in engine.step(record).gaps]
    assert [(gap.reason, gap.expected, gap.got) for gap in gaps] == [("sequence", 2, 3)]


@pytest.mark.parametrize("name", sorted(about.parent.name for about in FIXTURES.glob("*/about.json")))
def test_the_sessions_that_were_recorded_hold_only_messages_that_are_known(name: str, tmp_path: Path) -> None:
    frames = [record.payload for record in fixture_tape(name, tmp_path).records() if record.kind == Kind.FRAME]
    kinds = Counter(type_of(compare(payload)) for payload in frames)
    assert kinds["orderbook_delta"] and kinds["orderbook_snapshot"]
    assert [fault for payload in frames if name == "sandbox-1" for fault in faults_of(load(payload))] == []


def test_a_condition_is_waited_for_until_it_holds_and_not_looked_at_again() -> None:
    looks = iter([False, False, True])
    wait_for_condition(lambda: next(looks))
    assert list(looks) == []


def test_a_condition_is_seen_whichever_thread_makes_it_true() -> None:
    done = threading.Event()
    worker = threading.Thread(target=done.set)
    worker.start()
    wait_for_condition(done.is_set)
    worker.join()


def test_a_condition_that_never_holds_fails_by_its_name_and_one_that_raises_fails_at_once() -> None:
    with pytest.raises(AssertionError, match=r"the moon did not come true within 0\.01 s"):
        wait_for_condition(lambda: False, 0.01, "the moon")
    with pytest.raises(ZeroDivisionError):
        wait_for_condition(lambda: bool(1 // 0))
