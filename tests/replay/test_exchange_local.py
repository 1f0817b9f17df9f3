"""A local exchange as a context manager: starts, answers a client that is not ours, stops, and leaves nothing."""

import json
import socket
import stat
import threading
import time

import pytest
import requests
import websocket
from exchange_client import Client, client, get
from exchange_venue import MARKETS, ScriptedVenue

from core.errors import ConfigError, ExchangeError
from replay.exchange.local import LocalExchange
from replay.exchange.options import ServerOptions
from replay.exchange.port import Audience, RestAnswer


def test_a_client_subscribes_and_gets_what_is_published() -> None:
    with LocalExchange(ScriptedVenue()) as exchange, client(exchange) as reader:
        reader.command("subscribe", channels=["orderbook_delta"], market_ticker=MARKETS[0])
        assert [frame["type"] for frame in reader.take(2)] == ["subscribed", "orderbook_snapshot"]
        exchange.control("publish", count=3)
        assert [(frame["sid"], frame["seq"]) for frame in reader.take(3)] == [(1, 2), (1, 3), (1, 4)]


def test_what_was_sent_is_kept_byte_for_byte() -> None:
    with LocalExchange(ScriptedVenue(), ServerOptions(keep_frames=True)) as exchange, client(exchange) as reader:
        reader.command("subscribe", channels=["trade"])
        received = [reader.raw()[1]]
        exchange.control("publish", kind="trade", count=2)
        received += [reader.raw()[1] for _ in range(2)]
        (sent,) = exchange.sent
        assert [frame.payload for frame in sent.kept] == received
        assert all(payload.endswith(b"\n") for payload in received)
        assert (sent.frames, sent.is_open) == (3, True)


def test_the_key_is_private_and_gone_afterwards() -> None:
    with LocalExchange(ScriptedVenue()) as exchange:
        path = exchange.private_key_path
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert exchange.environ() == {
            "KALSHI_ACCESS_KEY": exchange.access_key,
            "KALSHI_PRIVATE_KEY_PATH": str(path),
        }
    assert not path.parent.exists()


def test_it_stops_at_once_whatever_its_clients_do() -> None:
    exchange = LocalExchange(ScriptedVenue(), ServerOptions(keep_frames=True))
    with exchange:
        deaf = Client(exchange)
        deaf.command("subscribe", channels=["trade"])
        deaf.next()
        polite = Client(exchange)
        started = time.monotonic()
    assert time.monotonic() - started < 2
    assert polite.raw() == (websocket.ABNF.OPCODE_CLOSE, (1_001).to_bytes(2, "big"))
    assert [session.is_open for session in exchange.sent] == [False, False]
    assert not any(thread.name == "local-exchange" for thread in threading.enumerate() if thread.is_alive())
    for connection in (deaf, polite):
        connection.close()


def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(ConfigError, match=f"port {port} .*choose another"),
            LocalExchange(ScriptedVenue(), ServerOptions(port=port)),
        ):
            pass


def test_it_listens_on_this_machine_only() -> None:
    with pytest.raises(ConfigError, match=r"127.0.0.1.*not on '0.0.0.0'"):
        ServerOptions(host="0.0.0.0")


def test_outside_of_its_block_it_says_that_it_does_not_run() -> None:
    with pytest.raises(ExchangeError, match="not running"):
        LocalExchange(ScriptedVenue()).rest_url.strip()


def test_a_venue_that_fails_is_heard_of() -> None:
    async def fail(_venue: ScriptedVenue, _audience: Audience) -> None:
        raise RuntimeError("the tape ends in the middle")

    with pytest.raises(RuntimeError, match="in the middle"), LocalExchange(ScriptedVenue(script=fail)):
        pass


def test_a_venue_that_is_through_leaves_the_exchange_open() -> None:
    async def nothing(_venue: ScriptedVenue, _audience: Audience) -> None:
        return

    venue = ScriptedVenue(script=nothing)
    venue.answers["GET", "/trade-api/v2/markets"] = RestAnswer(200, b'{"markets":[],"cursor":""}')
    with LocalExchange(venue) as exchange:
        assert exchange.wait_played(10)
        assert get(exchange, "/markets", is_signed=False).json() == {"markets": [], "cursor": ""}


def test_controls_are_for_scripts_on_this_machine() -> None:
    with LocalExchange(ScriptedVenue()) as exchange:
        url = f"http://127.0.0.1:{exchange.port}/tapedeck/"
        assert requests.post(url + "stats", timeout=10).json()["sessions"] == []
        assert requests.post(url + "publish", data=json.dumps({"count": 2}), timeout=10).json() == {"clock": 2}
        foreign = requests.post(url + "stats", headers={"Host": "evil.example:80"}, timeout=10)
        page = requests.post(url + "stats", headers={"Origin": "https://evil.example"}, timeout=10)
        assert [foreign.status_code, page.status_code] == [403, 403]
        unknown = requests.post(url + "nothing", timeout=10)
        assert unknown.status_code == 400
        assert "there are clear, disconnect, " in unknown.json()["error"]
        with pytest.raises(ConfigError, match="cannot publish a joke"):
            exchange.control("publish", kind="joke")
