"""Faults of HTTP, over a real socket: refused upgrades and requests, answers that are not true, a wrong clock."""

import time
from typing import Any

import pytest
import requests
import websocket
from exchange_client import Client, client, get, signed
from faulted import broken, wait_for

from replay.exchange.port import RestAnswer


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        ("http@upgrade,status=401", 401, b"INCORRECT_API_KEY_SIGNATURE"),
        ("http@upgrade,status=403", 403, b"forbidden"),
        ("http@upgrade,status=429,retry=3", 429, b'{"error":"too many requests"}'),
        ("http@upgrade,status=500", 500, b"internal_server_error"),
        ("http@upgrade,status=502", 502, b"<html>"),
        ("http@upgrade,status=503,body=come back later", 503, b"come back later"),
    ],
)
def test_an_upgrade_is_refused_and_the_next_is_not(fault: str, status: int, body: bytes) -> None:
    with broken(fault) as (exchange, _):
        with pytest.raises(websocket.WebSocketBadStatusException) as refused:
            Client(exchange)
        assert refused.value.status_code == status
        assert body in (refused.value.resp_body or b"")
        assert (refused.value.resp_headers or {}).get("retry-after") == ("3" if "retry" in fault else None)
        with client(exchange) as reader:
            assert reader.is_quiet()


def test_the_second_upgrade_from_now_is_the_one_refused() -> None:
    with broken("http@upgrade=2") as (exchange, _):
        with client(exchange):
            pass
        with pytest.raises(websocket.WebSocketBadStatusException):
            Client(exchange)


def test_an_upgrade_is_never_answered() -> None:
    with broken("hang@upgrade") as (exchange, _):
        with pytest.raises(websocket.WebSocketTimeoutException):
            websocket.create_connection(exchange.ws_url, 0.2)
        assert [done.kind for done in exchange.injected] == ["hang"]


def test_a_rest_request_is_refused_by_its_path() -> None:
    with broken("http@rest=/markets,status=500,times=2") as (exchange, venue):
        venue.answers["GET", "/trade-api/v2/exchange/status"] = RestAnswer(200, b"{}")
        venue.answers["GET", "/trade-api/v2/markets"] = RestAnswer(200, b'{"markets":[]}')
        statuses = [get(exchange, path).status_code for path in ("/exchange/status", *["/markets"] * 3)]
        assert statuses == [200, 500, 500, 200]


def test_a_cursor_is_one_that_the_exchange_never_gave() -> None:
    with broken("cursor@rest=/markets") as (exchange, venue):
        venue.answers["GET", "/trade-api/v2/markets"] = RestAnswer(200, b'{"markets":[],"cursor":""}')
        cursors = [get(exchange, "/markets?limit=1").json()["cursor"] for _ in range(2)]
        assert cursors == ["bm90IGEgY3Vyc29y", ""]


def test_reads_after_a_write_are_answered_as_before_it() -> None:
    with broken("stale@rest=/portfolio,for=300ms") as (exchange, venue):
        order = "/trade-api/v2/portfolio/orders/abc"
        venue.answers["GET", order] = RestAnswer(200, b'{"order":{"status":"resting"}}')
        venue.answers["DELETE", order] = RestAnswer(200, b"{}")
        original = venue.rest

        def rest(request: Any) -> RestAnswer:
            answer = original(request)
            if request.method == "DELETE":
                venue.answers["GET", order] = RestAnswer(200, b'{"order":{"status":"canceled"}}')
            return answer

        venue.rest = rest  # type: ignore[method-assign]  # the test's venue, with a memory
        headers = signed(exchange, "DELETE", order)
        assert requests.delete(exchange.rest_url + "/portfolio/orders/abc", headers=headers, timeout=10).ok
        started = time.monotonic()
        assert get(exchange, "/portfolio/orders/abc").json()["order"]["status"] == "resting"
        wait_for(lambda: get(exchange, "/portfolio/orders/abc").json()["order"]["status"] == "canceled")
        assert time.monotonic() - started > 0.2


def test_the_clock_jumps_and_comes_back() -> None:
    with broken("clock@now,by=-60s,for=400ms") as (exchange, venue):
        venue.answers["GET", "/trade-api/v2/exchange/status"] = RestAnswer(200, b"{}")
        refused = get(exchange, "/exchange/status")
        assert refused.json()["error"]["code"] == "header_timestamp_expired"
        assert get(exchange, "/exchange/status", skew_s=-60).status_code == 200
        wait_for(lambda: get(exchange, "/exchange/status").status_code == 200)
