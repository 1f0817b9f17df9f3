"""capture.sockets: addresses, deadlines, certificates, and a stream that several threads use at once."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates import issue
from scripted_server import PATIENCE_S, Peer, serving

from capture.sockets import AddressInfo, Deadline, DialError, Stream, Target, dial, since_boot_s, tls_context
from core.errors import ConfigError


def soon(wait_s: float = 10.0) -> Deadline:
    return Deadline(wait_s, lambda: False)


def info(port: int, host: str = "127.0.0.1") -> AddressInfo:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))


@contextlib.contextmanager
def silent_port() -> Iterator[int]:
    """A port that answers no connection attempt: its backlog is full."""
    with socket.socket() as listener, contextlib.ExitStack() as fillers:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port: int = listener.getsockname()[1]
        for _ in range(4):
            filler = fillers.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        yield port


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def fixed(*addresses: AddressInfo) -> Any:
    """A resolver that knows these addresses."""

    def resolve(*_: object) -> Iterable[AddressInfo]:
        return list(addresses)

    return resolve


def greet(peer: Peer) -> None:
    peer.send(b"hello")
    peer.gone()


def heard(stream: Stream) -> bytes:
    while (data := stream.read(1.0)) is None:
        pass
    stream.close()
    return data


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_connection_is_made_to_either_family(host: str) -> None:
    with serving(greet, host=host) as server:
        assert heard(dial(Target(host, server.port, None), soon())) == b"hello"


def test_an_address_that_refuses_is_followed_by_the_next_at_once() -> None:
    with serving(greet) as server:
        started_s = since_boot_s()
        resolve = fixed(info(closed_port(), "::1"), info(closed_port()), info(server.port))
        assert heard(dial(Target("two.example", server.port, None), soon(), resolve=resolve)) == b"hello"
        assert since_boot_s() - started_s < 1.0


def test_an_address_that_says_nothing_is_passed_by_within_two_seconds() -> None:
    with silent_port() as silent, serving(greet) as server:
        started_s = since_boot_s()
        resolve = fixed(info(silent), info(silent), info(server.port))
        assert heard(dial(Target("slow.example", server.port, None), soon(), resolve=resolve)) == b"hello"
        assert since_boot_s() - started_s < 2.0


def test_a_slow_address_is_still_waited_for_after_the_others_have_failed() -> None:
    with silent_port() as silent:
        resolve = fixed(info(silent), info(closed_port()))
        started_s = since_boot_s()
        with pytest.raises(DialError, match=r"no answer within 0\.6 s"):
            dial(Target("slow.example", 1, None), soon(0.6), resolve=resolve)
        assert 0.6 <= since_boot_s() - started_s < 2.0


def test_when_every_address_refuses_the_reason_is_told() -> None:
    port = closed_port()
    with pytest.raises(DialError, match=f"^127.0.0.1:{port}: Connection refused$"):
        dial(Target("127.0.0.1", port, None), soon())


def test_in_the_clear_only_this_machine_is_reached_whatever_a_name_resolves_to() -> None:
    asked: list[AddressInfo] = [info(80, "192.0.2.1"), info(80, "2001:db8::1")]
    with pytest.raises(DialError, match="no address that may be used"):
        dial(Target("localhost", 80, None), soon(), resolve=fixed(*asked))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "Name or service not known"),
        (UnicodeError("label too long"), "not a host name"),
    ],
)
def test_a_name_that_does_not_resolve_is_told(error: Exception, words: str) -> None:
    def resolve(*_: object) -> Iterable[AddressInfo]:
        raise error

    with pytest.raises(DialError, match=f"^gone.example: cannot be resolved: {words}$"):
        dial(Target("gone.example", 443, None), soon(), resolve=resolve)


def test_a_resolver_that_hangs_is_given_up_in_time_and_asked_only_once() -> None:
    release = threading.Event()
    asked: list[object] = []

    def resolve(*question: object) -> Iterable[AddressInfo]:
        asked.append(question)
        assert release.wait(PATIENCE_S)
        return []

    for _ in range(3):
        with pytest.raises(DialError, match=r"no answer within 0\.2 s"):
            dial(Target("slow.example", 443, None), soon(0.2), resolve=resolve)
    assert len(asked) == 1
    release.set()


def test_every_attempt_resolves_anew() -> None:
    with serving(greet) as server:
        answers = iter([[info(closed_port())], [info(server.port)]])

        def resolve(*_: object) -> Iterable[AddressInfo]:
            return next(answers)

        target = Target("moved.example", 443, None)
        with pytest.raises(DialError, match="refused"):
            dial(target, soon(), resolve=resolve)
        assert heard(dial(target, soon(), resolve=resolve)) == b"hello"


@pytest.mark.parametrize("place", ["resolving", "connecting", "securing"])
def test_an_attempt_that_is_stopped_ends_at_once(place: str) -> None:
    stopped, release, there = threading.Event(), threading.Event(), threading.Event()

    def hang(*_: object) -> Iterable[AddressInfo]:
        there.set()
        assert release.wait(PATIENCE_S)
        return []

    def say_nothing(peer: Peer) -> None:
        there.set()
        peer.hold()

    errors: list[DialError] = []

    def attempt(target: Target, resolve: Any) -> None:
        try:
            dial(target, Deadline(PATIENCE_S, stopped.is_set), resolve=resolve)
        except DialError as error:
            errors.append(error)

    with silent_port() as silent, serving(say_nothing) as server:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if place == "securing" else None
        resolve = {"resolving": hang, "connecting": fixed(info(silent)), "securing": fixed(info(server.port))}[place]
        thread = threading.Thread(target=attempt, args=(Target("a.example", 1, tls), resolve))
        thread.start()
        if place != "connecting":
            assert there.wait(PATIENCE_S)
        stopped.set()
        started_s = since_boot_s()
        thread.join(PATIENCE_S)
        assert since_boot_s() - started_s < 1.0  # half a second is promised
        release.set()
    assert [str(error) for error in errors] == ["the attempt was stopped"]


@pytest.mark.parametrize("offset", [0, 1, 5, 40])
def test_a_tls_handshake_dribbled_is_given_up_in_time(offset: int) -> None:
    def script(peer: Peer) -> None:
        peer.dribble(b"\x16\x03\x03\x40\x00" + b"\2" * 4_000, 0.02 if offset == 0 else 0.001 * offset)

    with serving(script) as server:
        started_s = since_boot_s()
        with pytest.raises(DialError):
            dial(Target("127.0.0.1", server.port, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)), soon(0.5))
        assert since_boot_s() - started_s < 1.5


AUTHORITY = issue("authority")
STRANGER = issue("another authority")


@pytest.mark.parametrize("trust", ["authority", "system"])
@pytest.mark.parametrize("kind", ["good", "wrong host", "expired", "self-signed", "unknown authority"])
def test_only_the_right_certificate_of_a_trusted_authority_is_taken(tmp_path: Path, kind: str, trust: str) -> None:
    certificate = {
        "good": lambda: issue("good", AUTHORITY, hosts=("127.0.0.1", "localhost")),
        "wrong host": lambda: issue("wrong", AUTHORITY, hosts=("exchange.example",)),
        "expired": lambda: issue("old", AUTHORITY, hosts=("127.0.0.1",), days=-1),
        "self-signed": lambda: issue("self", hosts=("127.0.0.1",)),
        "unknown authority": lambda: issue("strange", STRANGER, hosts=("127.0.0.1",)),
    }[kind]()
    ca_file = AUTHORITY.save(tmp_path, "ca") if trust == "authority" else None
    with serving(greet, tls=certificate.context(tmp_path, "server")) as server:
        target = Target("127.0.0.1", server.port, tls_context(ca_file, {}))
        if (kind, trust) == ("good", "authority"):
            assert heard(dial(target, soon())) == b"hello"
            return
        with pytest.raises(
            DialError, match=r"^127\.0\.0\.1: its certificate is refused: .*; check host, clock"
        ) as error:
            dial(target, soon())
        assert error.value.is_untrusted


def test_a_peer_that_speaks_no_tls_is_no_untrusted_one(tmp_path: Path) -> None:
    with serving(lambda peer: peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server:
        target = Target("127.0.0.1", server.port, tls_context(AUTHORITY.save(tmp_path, "ca"), {}))
        with pytest.raises(DialError, match="no TLS connection") as error:
            dial(target, soon())
        assert not error.value.is_untrusted


def test_the_context_always_verifies_and_writes_no_keys_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    for ca_file in (None, AUTHORITY.save(tmp_path, "ca")):
        context = tls_context(ca_file, {})
        assert context.verify_mode == ssl.CERT_REQUIRED
        assert context.check_hostname
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
        assert context.keylog_filename is None
    with pytest.raises(ConfigError, match="SSLKEYLOGFILE is set"):
        tls_context(None)


def test_a_file_of_authorities_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("nothing")
    for name, words in (("empty", "holds no certificates"), ("missing", "cannot be read: No such file")):
        with pytest.raises(ConfigError, match=words):
            tls_context(tmp_path / name, {})


@pytest.mark.parametrize("is_secure", [False, True])
def test_a_stream_is_read_while_many_bytes_are_written(tmp_path: Path, is_secure: bool) -> None:
    """The two directions of a TLS connection are used by two threads at once, with every byte accounted for."""
    size, block = 4 << 20, bytes(range(256)) * 256

    def echo(peer: Peer) -> None:
        left = size
        while left:
            got = peer.socket.recv(1 << 16)
            left -= len(got)
            peer.send(got)

    tls = issue("echo", AUTHORITY, hosts=("127.0.0.1",)).context(tmp_path, "echo") if is_secure else None
    client = tls_context(AUTHORITY.save(tmp_path, "ca"), {}) if is_secure else None
    with serving(echo, tls=tls) as server:
        stream = dial(Target("127.0.0.1", server.port, client), soon())

        def write() -> None:
            for _ in range(size // len(block)):
                stream.write(block, PATIENCE_S)

        writer = threading.Thread(target=write)
        writer.start()
        got = bytearray()
        until_s = time.monotonic() + PATIENCE_S
        while len(got) < size and time.monotonic() < until_s:
            got += stream.read(0.1) or b""
        writer.join()
        stream.close()
    assert got == block * (size // len(block))


def test_nothing_within_the_wait_is_not_the_end() -> None:
    with serving(Peer.hold) as server:
        stream = dial(Target("127.0.0.1", server.port, None), soon())
        assert stream.read(0.01) is None
        server.released.set()
        assert heard(stream) == b""


def test_a_cut_frees_reader_and_writer_at_once_and_shows_no_ciphertext(tmp_path: Path) -> None:
    """After a cut a TLS stream ends; what is still encrypted in the socket must never come out as if it were data."""

    def flood(peer: Peer) -> None:
        while True:
            peer.send(b"\0" * 4_096)

    tls = issue("flood", AUTHORITY, hosts=("127.0.0.1",)).context(tmp_path, "flood")
    with serving(flood, tls=tls) as server:
        client = tls_context(AUTHORITY.save(tmp_path, "ca"), {})
        stream = dial(Target("127.0.0.1", server.port, client), soon())
        assert heard_once(stream)
        faults: list[OSError] = []

        def write() -> None:
            try:
                while True:
                    stream.write(b"\1" * 1_000_000, PATIENCE_S)
            except OSError as error:
                faults.append(error)

        writer = threading.Thread(target=write)
        writer.start()
        stream.cut()
        writer.join(PATIENCE_S)
        assert len(faults) == 1
        rest = bytearray()
        with contextlib.suppress(OSError):
            while data := stream.read(1.0):
                rest += data
        assert not rest.strip(b"\0")
        stream.cut()
        stream.close()
        stream.cut()


def heard_once(stream: Stream) -> bytes:
    while not (data := stream.read(1.0)):
        assert data is None
    return data
