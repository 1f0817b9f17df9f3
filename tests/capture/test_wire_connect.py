"""capture.wire: the way to a connection, everything that can go wrong on it, and that no secret comes out."""

import contextlib
import dataclasses
import functools
import itertools
import queue
import socket
import ssl
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import websocket
from certificates import issue
from scripted_server import (
    PATIENCE_S,
    PATIENT,
    QUICK,
    TEXT,
    Peer,
    Script,
    Taken,
    closing,
    frame,
    refused,
    running,
    serving,
)

from capture.wire import Cause, Wire, WireLimits, WireRefused
from core.errors import ConfigError
from core.records import Kind

SECRETS: Final = {
    "KALSHI-ACCESS-KEY": "11111111-2222-3333-4444-555555555555",
    "KALSHI-ACCESS-TIMESTAMP": "1795435200000",
    "KALSHI-ACCESS-SIGNATURE": "Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5",
}
COOKIE: Final = "session=cookiecanary"
AUTHORITY: Final = issue("authority")


def attempt(url: str, limits: WireLimits = QUICK) -> WireRefused:
    """The refusal of an attempt that sends the secrets, after a search for them in all that a traceback can show."""
    wire = Wire(url, lambda: dict(SECRETS), Taken(), limits)
    with pytest.raises(WireRefused) as refused:
        wire.connect()
    error = refused.value
    assert error.__context__ is None
    assert error.__cause__ is None
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    ours = [found for found in told.stack if "tests" not in Path(found.filename).parts]
    assert ours
    shown = "".join([str(error), repr(error), repr(vars(error)), *(repr(found.locals) for found in ours)])
    words = [*SECRETS.values(), "cookiecanary"]
    assert [word for word in words if word in shown and word != SECRETS["KALSHI-ACCESS-TIMESTAMP"]] == []
    return error


def refusal(script: Script, limits: WireLimits = QUICK) -> WireRefused:
    with serving(script) as server:
        return attempt(server.url(), limits)


def test_the_request_carries_the_headers_and_nothing_of_a_browser() -> None:
    with serving(lambda peer: peer.upgrade(closing(1000))) as server:
        wire = Wire(server.url(), lambda: dict(SECRETS), Taken(), PATIENT)
        wire.connect()
        assert wire.run().cause == Cause.CLOSED
        peer = server.peers[0]
    assert peer.request.startswith(b"GET /trade-api/ws/v2 HTTP/1.1\r\n")
    assert {name: peer.header(name) for name in SECRETS} == SECRETS
    assert peer.header("Host") == f"127.0.0.1:{server.port}"
    assert peer.header("Origin") == peer.header("Cookie") == peer.header("Sec-WebSocket-Extensions") == ""


def test_every_attempt_has_headers_of_its_own() -> None:
    numbers = itertools.count(1)
    with serving(lambda peer: peer.refuse("503 No"), lambda peer: peer.upgrade(closing(1000))) as server:
        wire = Wire(server.url(), lambda: {"Number": str(next(numbers))}, Taken(), PATIENT)
        with pytest.raises(WireRefused):
            wire.connect()
        for _ in range(2):
            wire.connect()
            assert wire.run().cause == Cause.CLOSED
        assert [peer.header("Number") for peer in server.peers] == ["1", "2", "3"]


def test_headers_that_cannot_be_made_leave_nothing_open() -> None:
    def broken() -> dict[str, str]:
        raise RuntimeError("no key")

    gone: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    with serving(lambda peer: gone.put(peer.gone())) as server:
        wire = Wire(server.url(), broken, Taken(), PATIENT)
        with pytest.raises(RuntimeError, match="no key"):
            wire.connect()
        assert gone.get(timeout=PATIENCE_S) == b""


def test_an_upgrade_that_is_not_answered_is_given_up_in_time() -> None:
    started_s = time.monotonic()
    limits = dataclasses.replace(QUICK, connect_s=0.4)
    assert refusal(Peer.hold, limits).detail == "no answer within 0.4 s"
    assert time.monotonic() - started_s < 2.0


def test_an_upgrade_answered_a_byte_at_a_time_is_given_up_in_time() -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.dribble(peer.answer(), 0.05)

    started_s = time.monotonic()
    limits = dataclasses.replace(QUICK, connect_s=0.5)
    assert refusal(script, limits).detail == "no answer within 0.5 s"
    assert time.monotonic() - started_s < 2.0


def test_a_header_without_end_is_given_up() -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 101 Switching Protocols\r\n")
        while True:
            peer.send(b"X-Filler: " + b"f" * 1_000 + b"\r\n")

    assert refusal(script, PATIENT).detail == "the answer to the upgrade has more than 64 KiB"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 502, 503])
def test_a_refusal_has_the_status_and_the_exchanges_words(status: int) -> None:
    body = b'{"error":{"code":"authentication_error","message":"authentication_error","details":"NOT_FOUND"}}'
    headers = ("Retry-After: 30", "Date: Thu, 26 Nov 2026 19:00:00 GMT", f"Set-Cookie: {COOKIE}")
    error = refusal(lambda peer: peer.refuse(f"{status} No", body, headers))
    assert (error.status, error.detail) == (status, "authentication_error: NOT_FOUND")
    assert (error.retry_after_s, error.date) == (30, "Thu, 26 Nov 2026 19:00:00 GMT")


def test_an_answer_that_repeats_what_was_sent_is_not_repeated() -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        request = peer.request.decode()
        body = f'{{"error":{{"code":"bad","message":"{SECRETS["KALSHI-ACCESS-KEY"]}","details":"{request[-60:-4]}"}}}}'
        head = f"HTTP/1.1 401 {SECRETS['KALSHI-ACCESS-SIGNATURE']}\r\nSet-Cookie: {COOKIE}\r\n"
        peer.send(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())

    assert refusal(script).status == 401


@pytest.mark.parametrize("size", [10_000_000_000, 70_000])
def test_a_body_without_end_is_not_read_to_its_end(size: int) -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(f"HTTP/1.1 401 No\r\nContent-Length: {size}\r\n\r\n".encode())
        for _ in range(min(size, 10_000_000) // 10_000):
            peer.send(b"b" * 10_000)

    error = refusal(script, PATIENT)
    assert (error.status, error.detail) == (401, "the answer to the upgrade has more than 64 KiB")


def test_a_redirect_is_not_followed() -> None:
    with serving(Peer.hold) as elsewhere:
        location = f"Location: {elsewhere.url()}"
        for status in (301, 302, 303, 307, 308):
            error = refusal(functools.partial(Peer.refuse, status=f"{status} There", body=b"", more=(location,)))
            assert (error.status, error.detail) == (status, "the upgrade was redirected, which is not followed")
        assert elsewhere.peers == []


@pytest.mark.parametrize("name", ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"])
def test_a_proxy_of_the_environment_is_not_used(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Peer.hold) as proxy, serving(lambda peer: peer.upgrade(closing(1000))) as server:
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        with running(server, PATIENT) as run:
            assert run.end().cause == Cause.CLOSED
        assert proxy.peers == []


def test_cookies_are_not_kept() -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        answer = peer.answer().replace(b"Upgrade: websocket", f"Set-Cookie: {COOKIE}; Domain=127.0.0.1".encode())
        peer.send(answer.replace(b"Connection:", b"Upgrade: websocket\r\nConnection:") + closing(1000))

    with serving(script) as server:
        for _ in range(2):
            with running(server, PATIENT) as run:
                assert run.end().cause == Cause.CLOSED
        assert [peer.header("Cookie") for peer in server.peers] == ["", ""]


NO_WEBSOCKET: Final = {
    "nothing": (b"", 0, "the peer hung up during the upgrade"),
    "part of a line": (b"HTTP/1.1 10", 0, "the peer hung up during the upgrade"),
    "ssh": (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", 0, "what answers there is no WebSocket"),
    "zeros": (b"\0" * 100 + b"\r\n\r\n", 0, "what answers there is no WebSocket"),
    "no utf8": (b"HTTP/1.1 101 \xff\xfe\r\n\r\n", 101, "what answers there is no WebSocket"),
    "no upgrade": (b"HTTP/1.1 101 Yes\r\n\r\n", 101, "what answers there is no WebSocket"),
    "a page": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "the upgrade was refused"),
    "a bad length": (b"HTTP/1.1 500 No\r\nContent-Length: many\r\n\r\n", 500, "the upgrade was refused"),
    "a status of words": (b"HTTP/1.1 yes OK\r\n\r\n", 0, "what answers there is no WebSocket"),
    "the wrong key": (
        b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: no\r\n\r\n",
        101,
        "what answers there is no WebSocket",
    ),
}


@pytest.mark.parametrize("name", NO_WEBSOCKET)
def test_what_is_no_websocket_is_told_from_an_exchange(name: str) -> None:
    answer, status, detail = NO_WEBSOCKET[name]

    def script(peer: Peer) -> None:
        peer.read_request()
        peer.send(answer)

    error = refusal(script, PATIENT)
    assert (error.status, error.detail) == (status, detail)


def test_a_reset_during_the_upgrade_is_told() -> None:
    def script(peer: Peer) -> None:
        peer.read_request()
        peer.reset()

    assert refusal(script).detail == "the upgrade was cut: Connection reset by peer"


def test_nobody_there_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert attempt(f"ws://127.0.0.1:{port}/").detail == f"127.0.0.1:{port}: Connection refused"


@contextlib.contextmanager
def secured(tmp_path: Path, script: Script, *hosts: str) -> Iterator[str]:
    """The URL of a server whose certificate, of our authority, is for `hosts`."""
    certificate = issue("server", AUTHORITY, hosts=hosts)
    with serving(script, tls=certificate.context(tmp_path, "server")) as server:
        yield server.url()


def test_over_tls_frames_come_and_go_when_the_certificate_is_right(tmp_path: Path) -> None:
    def script(peer: Peer) -> None:
        peer.upgrade(frame(TEXT, b"in the same write"))
        peer.send(frame(TEXT, b"l" * 300_000))
        _, text = peer.frame()
        peer.send(frame(TEXT, text), closing(1000))

    taken = Taken()
    with secured(tmp_path, script, "127.0.0.1") as url:
        limits = dataclasses.replace(PATIENT, ca_file=AUTHORITY.save(tmp_path, "ca"))
        wire = Wire(url, lambda: dict(SECRETS), taken, limits)
        wire.connect()
        wire.send(b"s" * 200_000)
        assert wire.run().cause == Cause.CLOSED
    assert [len(text) for text in taken.of(Kind.FRAME)] == [17, 300_000, 200_000]


@pytest.mark.parametrize("hosts", [("exchange.example",), ("localhost",)])
def test_over_tls_a_certificate_for_another_host_is_refused_before_anything_is_sent(
    tmp_path: Path, hosts: tuple[str, ...]
) -> None:
    requests: list[bytes] = []
    with secured(tmp_path, lambda peer: requests.append(peer.gone()), *hosts) as url:
        error = attempt(url, dataclasses.replace(PATIENT, ca_file=AUTHORITY.save(tmp_path, "ca")))
        assert error.is_untrusted
        assert "its certificate is refused" in error.detail
        assert attempt(url).is_untrusted  # the system's authorities do not know ours
    assert requests == []


@pytest.mark.parametrize("end", ["hang up", "say goodbye", "reset"])
def test_over_tls_an_end_without_a_close_frame_is_a_reset(tmp_path: Path, end: str) -> None:
    def script(peer: Peer) -> None:
        peer.upgrade(frame(TEXT, b"whole"), frame(TEXT, b"h" * 100)[:50])
        peer.frame()
        if end == "reset":
            peer.reset()
        elif end == "say goodbye" and isinstance(peer.socket, ssl.SSLSocket):
            peer.socket.unwrap()

    taken = Taken()
    with secured(tmp_path, script, "127.0.0.1") as url:
        wire = Wire(url, dict, taken, dataclasses.replace(PATIENT, ca_file=AUTHORITY.save(tmp_path, "ca")))
        wire.connect()
        wire.send(b"go")
        assert wire.run().cause == Cause.RESET
    assert taken.of(Kind.FRAME) == [b"whole"]
    assert refused(taken.of(Kind.REFUSED)[0]) == ("incomplete", 100, b"h" * 48)


def test_keys_of_the_connection_are_never_written_down(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    with pytest.raises(ConfigError, match="SSLKEYLOGFILE is set"):
        Wire("wss://127.0.0.1/", dict, Taken())


def test_the_librarys_trace_which_prints_signatures_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    websocket.enableTrace(True)
    try:
        with pytest.raises(ConfigError, match="enableTrace"):
            Wire("ws://127.0.0.1:1/", lambda: dict(SECRETS), Taken()).connect()
    finally:
        websocket.enableTrace(False)
    assert "Y2FuYXJ5" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ws://exchange.example/", "would send signatures in the clear; use wss://exchange.example"),
        ("ws://192.168.0.1/", "in the clear"),
        ("http://127.0.0.1/", "begins with ws:// or wss://"),
        ("wss:///path", "begins with ws:// or wss://"),
    ],
)
def test_a_url_that_will_not_do_is_refused(url: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Wire(url, dict, Taken())
