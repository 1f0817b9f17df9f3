"""capture.rest: what leaves, what comes back, what is tried again, and what never shows."""

import base64
import socket
import time
import traceback
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path

import pytest
from asking import ACCESS_KEY, FAST, HEAD, PRIVATE_KEY, Asker, raised
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from http_server import OK, HttpServer, raw, reply

from capture.rest import RestOptions
from core.errors import AuthError, ExchangeError


def test_a_request_is_signed_over_the_path_without_its_query_and_written_down_without_its_headers() -> None:
    with HttpServer() as server:
        asker = Asker(server.url)
        answer = asker.client.call("GET", "/markets/A%20B", params=[("limit", "5"), ("x", "a b")], why="to see")
    (asked,) = server.asked
    assert answer == OK
    assert asked.target == "/trade-api/v2/markets/A%20B?limit=5&x=a+b"
    stamp = asked.headers["kalshi-access-timestamp"]
    PRIVATE_KEY.public_key().verify(
        base64.b64decode(asked.headers["kalshi-access-signature"]),
        f"{stamp}GET/trade-api/v2/markets/A%20B".encode(),
        padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO),
        hashes.SHA256(),
    )
    (call,) = asker.calls
    assert (call.method, call.path, call.status, call.answer, call.why) == (
        "GET",
        asked.target,
        200,
        OK.decode(),
        "to see",
    )
    assert call.took_ns > 0
    assert ACCESS_KEY not in repr(call) and asked.headers["kalshi-access-signature"] not in repr(call)


def test_a_body_is_sent_as_json_and_written_down() -> None:
    with HttpServer(reply(201)) as server:
        asker = Asker(server.url)
        asker.post()
    assert server.asked[0].headers["content-type"] == "application/json"
    assert server.asked[0].body == b'{"count":"1.00"}'
    assert asker.calls[0].body == '{"count":"1.00"}'


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 522])
def test_a_read_is_tried_again_with_a_fresh_signature_and_every_attempt_is_on_record(status: int) -> None:
    with HttpServer(reply(status, b"<html>"), reply()) as server:
        asker = Asker(server.url)
        assert asker.get() == OK
    assert [call.status for call in asker.calls] == [status, 200]
    signatures = {asked.headers["kalshi-access-signature"] for asked in server.asked}
    assert len(signatures) == 2


def test_a_read_is_given_up_in_the_end() -> None:
    with HttpServer(reply(502, b"")) as server:
        asker = Asker(server.url)
        with pytest.raises(ExchangeError, match=r"GET /trade-api/v2/markets: .*HTTP 502") as failed:
            asker.get()
    assert failed.value.status == 502
    assert len(server.asked) == FAST.max_tries


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_an_order_is_never_sent_twice_when_it_may_have_arrived(status: int) -> None:
    with HttpServer(reply(status), reply()) as server, pytest.raises(ExchangeError):
        Asker(server.url).post()
    assert len(server.asked) == 1


def test_an_order_whose_answer_is_cut_off_is_not_sent_again() -> None:
    with HttpServer(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"), reply()) as server:
        asker = Asker(server.url)
        with pytest.raises(ExchangeError, match="cut short"):
            asker.post()
    assert len(server.asked) == 1
    assert asker.calls[0].error


def test_an_order_that_was_refused_for_haste_is_sent_again() -> None:
    with HttpServer(reply(429, b'{"error":"too many requests"}'), reply(201)) as server:
        asker = Asker(server.url)
        asker.post()
    assert [call.status for call in asker.calls] == [429, 201]


def test_nobody_listening_is_no_answer_however_often() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        asker = Asker(f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(ExchangeError, match=r"no connection: .*Connection refused; check the network"):
            asker.post()
    assert [call.status for call in asker.calls] == [0] * FAST.max_tries


def test_a_read_whose_connection_broke_is_tried_again() -> None:
    with HttpServer(raw(b""), reply()) as server:
        assert Asker(server.url).get() == OK
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"error":{"code":"not_found","message":"not found"}}', "not_found"),
        (b'{"code":"bad_request","message":"m","details":"d"}', "bad_request"),
        (b'{"msg":"Parameter validation failed"}', ""),
    ],
)
def test_a_refusal_says_what_the_exchange_said_and_is_not_tried_again(body: bytes, code: str) -> None:
    with HttpServer(reply(400, body)) as server, pytest.raises(ExchangeError) as failed:
        Asker(server.url).get()
    assert (failed.value.status, failed.value.code) == (400, code)
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_an_error_of_its_own_and_never_a_loop(status: int) -> None:
    with (
        HttpServer(reply(status, b'{"error":{"code":"authentication_error","message":"x"}}')) as server,
        pytest.raises(AuthError, match=r"authentication_error.*check the key"),
    ):
        Asker(server.url).get()
    assert len(server.asked) == 1


def test_a_clock_that_is_wrong_is_named_when_it_explains_the_refusal() -> None:
    date = formatdate(4_000_000_000, usegmt=True)
    with HttpServer(reply(401, b"{}", Date=date)) as server:
        asker = Asker(server.url)
        with pytest.raises(AuthError, match=r"this clock is \d+ s behind: set it right"):
            asker.get()
    assert asker.client.clock_offset_ns is not None and asker.client.clock_offset_ns > 10**18
    assert asker.calls[0].date == date


def test_a_date_from_a_cache_says_nothing_of_the_clock() -> None:
    with HttpServer(reply(Date=formatdate(4_000_000_000, usegmt=True), Age="12")) as server:
        asker = Asker(server.url)
        asker.get()
    assert asker.client.clock_offset_ns is None
    assert asker.calls[0].age_s == 12


def test_a_redirect_is_not_followed() -> None:
    with (
        HttpServer() as other,
        HttpServer(reply(302, b"", Location=other.url)) as server,
        pytest.raises(ExchangeError, match="redirect"),
    ):
        Asker(server.url).get()
    assert other.asked == []


def test_an_answer_is_asked_for_again_when_the_exchange_wants_and_no_sooner() -> None:
    with HttpServer(reply(429, b"{}", Retry_After="1"), reply()) as server:
        asker = Asker(server.url)
        began_ns = time.monotonic_ns()
        assert asker.get() == OK
        assert time.monotonic_ns() - began_ns >= 10**9


@pytest.mark.parametrize("later", ["3600", formatdate(4_000_000_000, usegmt=True)])
def test_an_exchange_that_wants_an_hour_is_not_asked_again(later: str) -> None:
    with HttpServer(reply(503, b"{}", Retry_After=later)) as server:
        with pytest.raises(ExchangeError, match=r"HTTP 503; it asks to wait \d+ s"):
            Asker(server.url).get()
        assert len(server.asked) == 1


@pytest.mark.parametrize("later", ["0", "soon", "-5", formatdate(0, usegmt=True)])
def test_a_wait_that_is_none_is_passed_over(later: str) -> None:
    with HttpServer(reply(503, b"{}", Retry_After=later), reply()) as server:
        assert Asker(server.url).get() == OK


@pytest.mark.parametrize(("status", "is_answer"), [(503, True), (500, True), (404, False)])
def test_a_body_may_be_an_answer_although_its_status_says_error(status: int, is_answer: bool) -> None:
    with HttpServer(reply(status, b'{"exchange_active":false}')) as server:
        asker = Asker(server.url, RestOptions(max_tries=1))

        def ask() -> bytes:
            return asker.client.call("GET", "/exchange/status", also=lambda body: b"exchange_active" in body)

        if is_answer:
            assert ask() == b'{"exchange_active":false}'
        else:
            with pytest.raises(ExchangeError):
                ask()


def test_of_a_refusal_no_more_is_read_than_a_sentence_needs() -> None:
    with (
        HttpServer(reply(403, b"x" * 10_000_000)) as server,
        pytest.raises(AuthError, match="refused the key"),
    ):
        Asker(server.url).get()


def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with HttpServer() as proxy, HttpServer() as server:
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("NO_PROXY", "")
        assert Asker(server.url).get() == OK
    assert proxy.asked == []


def test_a_netrc_adds_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with HttpServer() as server:
        Asker(server.url).get()
    assert "authorization" not in server.asked[0].headers


def test_an_answer_that_is_too_large_is_cut_off() -> None:
    with (
        HttpServer(reply(200, b"x" * 200_000)) as server,
        pytest.raises(ExchangeError, match="more than 100000 bytes"),
    ):
        Asker(server.url, RestOptions(max_body_bytes=100_000, max_tries=1)).get()


def test_an_answer_that_is_no_text_is_written_down_all_the_same() -> None:
    with HttpServer(reply(200, b"\xff\xfe")) as server:
        asker = Asker(server.url)
        assert asker.get() == b"\xff\xfe"
    assert (asker.calls[0].answer, asker.calls[0].answer_base64) == ("", "//4=")


@pytest.mark.parametrize(
    "answer",
    [
        reply(401, b"{}"),
        reply(500, b"x"),
        reply(302, b"", Location="http://x"),
        reply(200, b"x" * 100_000, Set_Cookie="session=canary-cookie"),
        raw(b""),
        raw(b"garbage\r\n"),
        raw(HEAD + b"Content-Length: 9\r\nSet-Cookie: session=canary-cookie\r\n\r\n"),
        raw(HEAD + b"X: y\r\n" * 200),
    ],
)
def test_no_failure_shows_a_secret(answer: Callable[[socket.socket], None]) -> None:
    with HttpServer(answer) as server:
        asker = Asker(server.url, RestOptions(max_tries=1, timeout_s=5, max_body_bytes=1_000))
        error = raised(asker.get)
    shown = "".join(traceback.format_exception(error)) + repr(error) + repr(asker.calls) + repr(vars(error))
    signature = server.asked[0].headers["kalshi-access-signature"]
    assert ACCESS_KEY not in shown
    assert signature not in shown
    assert "canary-cookie" not in shown
