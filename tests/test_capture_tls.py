"""`tapedeck capture` over TLS, by REST and WebSocket: a process, and a certificate that it trusts or not."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from certificates import issue
from recorded_exchange import PATIENCE_S, ROOT, Recording, frames_on, recorded_exchange, url_of
from scripted_server import Peer, serving

from capture.tape.verify import verify
from replay.exchange.framing import TEXT
from replay.exchange.local import LocalExchange

pytestmark = pytest.mark.integration

AUTHORITY = issue("an authority")


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[LocalExchange]:
    """It speaks TLS alone, with a certificate of AUTHORITY."""
    issue("exchange", AUTHORITY, hosts=("127.0.0.1", "localhost")).context(tmp_path, "exchange")
    with recorded_exchange(tmp_path, tls=(tmp_path / "exchange.pem", tmp_path / "exchange-key.pem")) as running:
        assert url_of(running).startswith("https://")
        yield running


def test_what_comes_through_tls_is_on_the_tape_byte_for_byte(exchange: LocalExchange, tmp_path: Path) -> None:
    tape = tmp_path / "tape"
    with Recording(exchange, tape, "--all", "--ca-file", str(AUTHORITY.save(tmp_path, "ca"))) as recording:
        recording.wait_state("recording")
        assert exchange.wait_played(PATIENCE_S)
        code, last = recording.stop()
    sent = [frame.payload for session in exchange.sent for frame in session.kept if frame.opcode == TEXT]
    assert (code, last["gaps"]) == (0, 0)
    assert frames_on(tape) == sent
    assert len(sent) >= 600
    assert verify(tape, deep=True).whole


@pytest.mark.parametrize("trusted", ["the system's authorities", "another authority"])
def test_a_certificate_that_is_not_trusted_is_refused_in_a_sentence_and_no_session_begins(
    exchange: LocalExchange, tmp_path: Path, trusted: str
) -> None:
    other = issue("another authority").save(tmp_path, "other")
    options = () if trusted.startswith("the") else ("--ca-file", str(other))
    with Recording(exchange, tmp_path / "tape", "--all", *options) as recording:
        code, _, err = recording.ended()
    assert code != 0
    (line,) = err.splitlines()
    assert line.startswith("tapedeck: ")
    assert "127.0.0.1: its certificate is refused" in line
    assert "--ca-file" in line
    assert exchange.sent == ()


def test_after_a_refused_certificate_nothing_is_tried_in_the_clear(exchange: LocalExchange, tmp_path: Path) -> None:
    first_bytes = []
    context = issue("nobody's", hosts=("127.0.0.1",)).context(tmp_path, "nobodys")

    def shake_hands(peer: Peer) -> None:
        first_bytes.append(peer.socket.recv(1, socket.MSG_PEEK))
        peer.socket = context.wrap_socket(peer.socket, server_side=True)

    with serving(shake_hands) as server:
        url = server.url().replace("ws://", "https://").removesuffix("/trade-api/ws/v2")
        command = [sys.executable, "-m", "tapedeck", "capture", "--env", url, "--all", "--out", str(tmp_path / "tape")]
        environ = os.environ | exchange.environ()
        ran = subprocess.run(
            command, check=False, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=PATIENCE_S
        )
    assert ran.returncode != 0
    assert "its certificate is refused" in ran.stderr
    assert set(first_bytes) == {b"\x16"}, "a TLS handshake, RFC 8446, 5.1"
