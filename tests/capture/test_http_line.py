"""capture.http_line under capture.rest: an attempt ends when it should, and goes to whom it should."""

import socket
import threading
from pathlib import Path

import pytest
from asking import HEAD, Asker, raised
from certificates import issue
from http_server import OK, HttpServer, reply

from capture.environments import environment
from capture.rest import RestClient, RestOptions
from core.errors import ConfigError, ExchangeError


def test_a_connection_serves_one_request_after_another() -> None:
    peers = []

    def answers(peer: socket.socket) -> None:
        peers.append(peer.getpeername())
        content = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
        peer.sendall(content)
        while peer.recv(65_536):
            peer.sendall(content)

    with HttpServer(answers) as server:
        asker = Asker(server.url)
        assert [asker.get() for _ in range(3)] == [b"{}"] * 3
        asker.client.close()
    assert len(peers) == 1


def test_a_certificate_is_verified_and_a_refused_one_is_not_tried_again(tmp_path: Path) -> None:
    authority = issue("authority")
    tls = issue("server", authority, hosts=("127.0.0.1",)).context(tmp_path, "server")
    with HttpServer(tls=tls) as server:
        trusting = Asker(server.url, RestOptions(ca_file=authority.save(tmp_path, "authority")))
        assert trusting.get() == OK
        asker = Asker(server.url, RestOptions(max_tries=4))
        with pytest.raises(ExchangeError, match="its certificate is refused"):
            asker.get()
    assert len(asker.calls) == 1
    assert len(server.asked) == 1


def test_a_server_of_another_name_is_refused(tmp_path: Path) -> None:
    authority = issue("authority")
    tls = issue("server", authority, hosts=("example.org",)).context(tmp_path, "server")
    options = RestOptions(ca_file=authority.save(tmp_path, "authority"))
    with HttpServer(tls=tls) as server, pytest.raises(ExchangeError, match="certificate is refused"):
        Asker(server.url, options).get()
    assert server.asked == []


def test_authorities_that_cannot_be_read_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give a PEM file"):
        Asker("https://127.0.0.1:1", RestOptions(ca_file=tmp_path / "none"))


def test_the_keys_of_the_connection_are_never_written_down(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    with pytest.raises(ConfigError, match="SSLKEYLOGFILE is set"):
        Asker("https://127.0.0.1:1")
    assert not (tmp_path / "keys").exists()


def test_bundles_of_the_environment_are_not_trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    authority = issue("authority")
    tls = issue("server", authority, hosts=("127.0.0.1",)).context(tmp_path, "server")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "WEBSOCKET_CLIENT_CA_BUNDLE"):
        monkeypatch.setenv(name, str(authority.save(tmp_path, "authority")))
    with HttpServer(tls=tls) as server, pytest.raises(ExchangeError, match="certificate is refused"):
        Asker(server.url).get()


@pytest.mark.parametrize(
    ("head", "bit"),
    [
        (HEAD + b"Content-Length: 1000000\r\n\r\n", b"x"),
        (HEAD + b"\r\n", b"x"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (HEAD, b"X"),
        (b"", b""),
    ],
    ids=["a length", "no length", "chunks", "a header", "nothing"],
)
@pytest.mark.parametrize("is_secure", [False, True])
def test_an_attempt_ends_at_its_deadline_however_slowly_the_answer_dribbles(
    head: bytes, bit: bytes, is_secure: bool, tmp_path: Path
) -> None:
    authority = issue("authority")
    tls = issue("server", authority, hosts=("127.0.0.1",)).context(tmp_path, "server") if is_secure else None
    ca_file = authority.save(tmp_path, "authority") if is_secure else None

    def dribble(peer: socket.socket) -> None:
        peer.sendall(head)
        for _ in range(200):  # for longer than anybody should wait, but not for ever
            if server.over.wait(0.02):
                return
            peer.sendall(bit)

    with HttpServer(dribble, tls=tls) as server:
        asker = Asker(server.url, RestOptions(timeout_s=0.4, max_tries=1, ca_file=ca_file))
        with pytest.raises(ExchangeError, match=r"no answer within 0\.4 s"):
            asker.get()
    (call,) = asker.calls
    assert call.took_ns < 3 * 10**9
    assert "no answer within" in call.error


def test_a_connection_that_is_accepted_and_never_secured_ends_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        asker = Asker(f"https://127.0.0.1:{mute.getsockname()[1]}", RestOptions(timeout_s=0.3, max_tries=1))
        with pytest.raises(ExchangeError, match=r"no connection: no answer within 0\.3 s"):
            asker.get()


@pytest.mark.parametrize("is_asking", [True, False], ids=["for an answer", "to ask again"])
def test_whoever_waits_is_woken_by_an_abort(is_asking: bool) -> None:
    came, answered = threading.Event(), threading.Event()

    def answer(peer: socket.socket) -> None:
        came.set()
        if is_asking:
            server.over.wait(60)
        reply(503, b"", Retry_After="60")(peer)

    with HttpServer(answer) as server:
        client = RestClient(environment(server.url), None, lambda _: answered.set(), RestOptions(timeout_s=60))
        told: list[BaseException] = []
        thread = threading.Thread(target=lambda: told.append(raised(lambda: client.call("GET", "/markets"))))
        thread.start()
        assert (came if is_asking else answered).wait(10)
        client.abort()
        thread.join(5)
        assert not thread.is_alive()
        assert isinstance(told[0], ExchangeError) and "given up" in str(told[0])
        with pytest.raises(ExchangeError, match="given up"):
            client.call("GET", "/markets")
