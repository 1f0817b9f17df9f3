"""Every fault, over a real socket: what the client sees, what the record of frames sent holds, what the log says."""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import websocket
from exchange_client import client
from exchange_venue import MARKETS
from faulted import FIRST, broken, numbers, payloads, reading, trades, wait_for

from replay.exchange.faults import KINDS
from replay.exchange.framing import CLOSE, PING, TEXT


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ("drop@frames=3", [1, 2, 4, 5, 6]),
        ("drop@frames=2,n=3", [1, 5, 6]),
        ("drop@frames=2,times=2", [1, 3, 5, 6]),
        ("drop@frames=1,times=0", []),
        ("drop@now,n=2", [3, 4, 5, 6]),
        ("drop@frames=1,session=2", [1, 2, 3, 4, 5, 6]),
        ("drop@frames=1,channel=ticker", [1, 2, 3, 4, 5, 6]),
        (f"drop@frames=1,market={MARKETS[1]}", [1, 2, 3, 4, 5, 6]),
        ("drop@after=0s", [2, 3, 4, 5, 6]),
        ("repeat@frames=3", [1, 2, 3, 3, 4, 5, 6]),
        ("repeat@frames=3,n=2", [1, 2, 3, 3, 3, 4, 5, 6]),
        ("reorder@frames=3", [1, 2, 4, 3, 5, 6]),
        ("reorder@frames=2,n=3", [1, 3, 4, 5, 2, 6]),
        ("restart@frames=3", [1, 2, 1, 2, 3, 4]),
    ],
)
def test_numbers_are_lost_repeated_and_swapped(fault: str, seen: list[int]) -> None:
    with broken(fault) as (exchange, _), reading(exchange) as reader:
        trades(exchange, 6)
        assert numbers(reader.take(len(seen))) == seen
        assert reader.is_quiet()
        sent = [json.loads(payload) for payload in payloads(exchange)]
        assert [frame["seq"] for frame in sent if frame["type"] == "trade"] == seen


def test_what_was_done_is_written_down_with_its_place() -> None:
    with broken("drop@frames=3,n=2") as (exchange, _), reading(exchange) as reader:
        trades(exchange, 6)
        reader.take(4)
        assert [(done.kind, done.session, done.frame, done.sid, done.seq) for done in exchange.injected] == [
            ("drop", 1, 3, 1, 3),
            ("drop", 1, 4, 1, 4),
        ]
        listed = exchange.control("faults")
        assert [entry["frame"] for entry in listed["injected"]] == [3, 4]


def test_dice_follow_the_seed() -> None:
    def lost(seed: int) -> list[int]:
        with broken("drop@p=0.2", "repeat@p=0.1", seed=seed) as (exchange, _), reading(exchange):
            trades(exchange, 200)
            return [done.frame for done in exchange.injected]

    assert lost(1) == lost(1) != lost(2)
    assert 30 <= len(lost(1)) <= 90


def test_a_delayed_frame_and_what_follows_come_late_and_in_order() -> None:
    with broken("delay@frames=2,for=300ms") as (exchange, _), reading(exchange) as reader:
        started = time.monotonic()
        trades(exchange, 4)
        assert numbers(reader.take(1)) == [1]
        assert time.monotonic() - started < 0.25
        assert numbers(reader.take(3)) == [2, 3, 4]
        assert time.monotonic() - started >= 0.3


def test_one_byte_is_another() -> None:
    with broken("corrupt@frames=2", "corrupt@frames=3,how=utf8") as (exchange, _), reading(exchange) as reader:
        trades(exchange, 3)
        raw = [reader.raw()[1] for _ in range(3)]
        whole = json.loads(raw[0])
        assert len(raw[1]) == len(raw[0])
        assert raw[1] != raw[0].replace(b'"seq":1', b'"seq":2')
        assert raw[2].count(b"\xff") == 1
        assert whole["seq"] == 1
        assert payloads(exchange)[-3:] == raw


def test_a_frame_ends_early() -> None:
    with broken("truncate@frames=1", "truncate@frames=2,bytes=10") as (exchange, _), reading(exchange) as reader:
        trades(exchange, 2)
        half, ten = reader.raw()[1], reader.raw()[1]
        assert half.startswith(b'{"type":"trade"')
        assert 100 < len(half) < 200
        assert ten == b'{"type":"t'


def test_a_field_has_another_value() -> None:
    fault = 'field@frames=2,channel=orderbook_delta,name=delta_fp,value="-9999.00"'
    with broken(fault) as (exchange, _), reading(exchange, "orderbook_delta") as reader:
        exchange.control("publish", count=1)
        frame = reader.next()
        assert (frame["seq"], frame["msg"]["delta_fp"], frame["msg"]["side"]) == (2, "-9999.00", "yes")


def test_frames_that_do_not_belong_come_between() -> None:
    faults = ("oversize@frames=1,bytes=300000", "unknown@frames=2,type=weather", "malformed@frames=3")
    with broken(*faults) as (exchange, _), reading(exchange) as reader:
        trades(exchange, 3)
        raw = [reader.raw()[1] for _ in range(6)]
        assert len(raw[0]) == 300_000
        assert json.loads(raw[2])["type"] == "weather"
        with pytest.raises(json.JSONDecodeError):
            json.loads(raw[4])
        assert numbers([json.loads(payload) for payload in raw[1::2]]) == [1, 2, 3]


@pytest.mark.parametrize("fault", ["half@frames=2", "giant@frames=2"])
def test_a_frame_breaks_off_and_then_there_is_silence(fault: str) -> None:
    with broken(fault, ping_every_s=0.05) as (exchange, _), reading(exchange) as reader:
        trades(exchange, 3)
        assert reader.next()["seq"] == 1
        reader.socket.settimeout(0.4)
        with pytest.raises(websocket.WebSocketTimeoutException):
            reader.raw()
        assert [json.loads(payload)["seq"] for payload in payloads(exchange)[1:]] == [1]


def test_a_stall_holds_data_and_replies_but_no_pings() -> None:
    with broken("stall@frames=1,for=500ms", ping_every_s=0.05) as (exchange, _), reading(exchange) as reader:
        trades(exchange, 3)
        assert reader.next()["seq"] == 1
        started = time.monotonic()
        reader.command("list_subscriptions")
        pings = 0
        while reader.socket.recv_data(control_frame=True)[0] == PING:
            pings += 1
        assert time.monotonic() - started > 0.4
        assert pings >= 5
        assert [reader.next()["type"] for _ in range(2)] == ["trade", "ok"]


def test_a_stall_without_an_end_ends_with_the_session_or_when_cleared() -> None:
    with broken() as (exchange, _), reading(exchange) as reader:
        exchange.control("inject", fault="stall@now")
        trades(exchange, 2)
        reader.socket.settimeout(0.2)
        with pytest.raises(websocket.WebSocketTimeoutException):
            reader.raw()
        exchange.control("clear")
        reader.socket.settimeout(10)
        assert numbers(reader.take(2)) == [1, 2]


def test_one_market_is_mute_and_its_numbers_never_were() -> None:
    with broken(f"mute@now,market={FIRST},for=300ms") as (exchange, _), client(exchange) as reader:
        reader.command("subscribe", channels=["trade"])
        reader.until("subscribed")
        trades(exchange, 2)
        exchange.control("publish", kind="trade", market=MARKETS[1])
        frame = reader.next()
        assert (frame["seq"], frame["msg"]["market_ticker"]) == (1, MARKETS[1])
        heard = exchange.sent[0].frames

        def is_heard() -> bool:
            trades(exchange, 1)
            return exchange.sent[0].frames > heard

        wait_for(is_heard)
        assert reader.next()["seq"] == 2


def test_pings_can_stop() -> None:
    with broken("noping@commands=1,for=400ms,pongs=no", ping_every_s=0.05) as (exchange, _), client(exchange) as reader:
        reader.command("list_subscriptions")
        reader.socket.ping(b"anybody?")
        started = time.monotonic()
        frames = []
        while (frame := reader.socket.recv_data(control_frame=True))[0] != PING or time.monotonic() - started < 0.2:
            frames.append(frame)
        assert time.monotonic() - started >= 0.35
        assert [opcode for opcode, _ in frames if opcode != PING] == [TEXT]


@pytest.mark.parametrize("trigger", ["frames=2", "commands=1", "after=50ms", "now"])
def test_tcp_is_reset(trigger: str) -> None:
    with broken() as (exchange, _), reading(exchange) as reader:
        exchange.control("inject", fault=f"reset@{trigger}")
        trades(exchange, 2)
        reader.command("list_subscriptions")
        with pytest.raises(ConnectionResetError):
            while True:
                reader.raw()
        assert exchange.injected[-1].kind == "reset"


def test_what_was_sent_before_a_reset_arrives() -> None:
    with broken("reset@frames=500") as (exchange, _), reading(exchange) as reader:
        trades(exchange, 600)
        assert numbers(reader.take(500)) == list(range(1, 501))
        with pytest.raises(ConnectionResetError):
            reader.raw()
        wait_for(lambda: not exchange.sent[0].is_open)
        assert exchange.sent[0].frames == 501


def test_tcp_is_closed_without_a_close_frame() -> None:
    with broken("hangup@frames=2") as (exchange, _), reading(exchange) as reader:
        trades(exchange, 3)
        assert numbers(reader.take(2)) == [1, 2]
        with pytest.raises(websocket.WebSocketConnectionClosedException):
            reader.raw()


OTHER_CODES = (*range(1_001, 1_006), *range(1_007, 1_015), 3_000)


@pytest.mark.parametrize(
    "code",
    [0, 1_000, 1_006, 1_015, 4_999, *(pytest.param(code, marks=pytest.mark.slow) for code in OTHER_CODES)],
)
def test_a_close_frame_has_any_code(code: int) -> None:
    with broken(f"close@frames=1,code={code},reason=why not") as (exchange, _), reading(exchange) as reader:
        trades(exchange, 2)
        assert reader.socket.sock is not None
        raw = _raw_frames(reader.socket.sock)
        assert next(raw)[0] == TEXT
        assert next(raw) == (CLOSE, code.to_bytes(2, "big") + b"why not" if code else b"")


def _raw_frames(connection: socket.socket) -> Iterator[tuple[int, bytes]]:
    """Frames as they are on the wire: a client library refuses close codes that no server may send."""
    with connection.makefile("rb") as file:
        while head := file.read(2):
            size = head[1] if head[1] < 126 else int.from_bytes(file.read(2 if head[1] == 126 else 8), "big")
            yield head[0] & 0xF, file.read(size)


@pytest.mark.parametrize(("code", "text"), [(10, "Channel error"), (25, "Subscription buffer overflow")])
def test_a_terminal_error_ends_one_subscription_and_the_socket_lives_on(code: int, text: str) -> None:
    with broken(f"error@frames=2,code={code}") as (exchange, _), reading(exchange) as reader:
        trades(exchange, 4)
        assert numbers(reader.take(2)) == [1, 2]
        error = reader.next()
        assert (error["type"], error["sid"], error["seq"]) == ("error", 1, 3)
        assert error["msg"] == {"code": code, "msg": text}
        assert "id" not in error
        reader.command("subscribe", channels=["trade"])
        assert reader.next()["msg"] == {"channel": "trade", "sid": 2}
        trades(exchange, 1)
        assert [(frame["sid"], frame["seq"]) for frame in reader.take(1)] == [(2, 1)]


def test_an_error_by_time_takes_the_subscription_of_its_channel() -> None:
    with broken() as (exchange, _), client(exchange) as reader:
        reader.command("subscribe", channels=["ticker", "trade"])
        reader.take(2)
        exchange.control("inject", fault="error@now,code=25,channel=ticker")
        error = reader.next()
        assert error["sid"] == 1
        assert "seq" not in error


def test_a_command_is_overtaken_by_the_next() -> None:
    with broken("swap@commands=1") as (exchange, _), client(exchange) as reader:
        first = reader.command("subscribe", channels=["trade"])
        second = reader.command("subscribe", channels=["ticker"])
        assert [(frame["id"], frame["msg"]["sid"]) for frame in reader.take(2)] == [(second, 1), (first, 2)]


def test_a_command_that_nobody_overtakes_is_answered_in_the_end() -> None:
    with broken("swap@commands=1,for=50ms") as (exchange, _), client(exchange) as reader:
        number = reader.command("subscribe", channels=["trade"])
        assert reader.next()["id"] == number


def test_an_answer_is_lost_and_what_was_asked_is_done() -> None:
    with broken("unanswered@commands=1") as (exchange, _), client(exchange) as reader:
        reader.command("subscribe", channels=["trade"])
        reader.command("list_subscriptions")
        assert reader.next()["msg"] == [{"channel": "trade", "sid": 1}]
        trades(exchange, 1)
        assert reader.next()["seq"] == 1


def test_frames_of_a_dead_subscription_go_on_for_a_while() -> None:
    with broken("late@unsubscribe,n=2") as (exchange, _), reading(exchange) as reader:
        trades(exchange, 1)
        reader.next()
        reader.command("unsubscribe", sids=[1])
        assert reader.next()["type"] == "unsubscribed"
        reader.command("subscribe", channels=["trade"])
        reader.next()
        trades(exchange, 4)
        frames = [(frame["sid"], frame["seq"]) for frame in reader.take(6)]
        assert [seq for sid, seq in frames if sid == 1] == [3, 4]
        assert [seq for sid, seq in frames if sid == 2] == [1, 2, 3, 4]
        assert reader.is_quiet()


def test_every_kind_is_shown_by_a_test() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_exchange_*fault*"))
    assert [kind for kind in KINDS if f"{kind}@" not in text] == []
