"""capture.wire: abort, from any thread and in every state, is over at once."""

import dataclasses
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from certificates import issue
from scripted_server import PATIENCE_S, PATIENT, PING, TEXT, Peer, Taken, frame, refused, running, serving

from capture.sockets import since_boot_s
from capture.wire import Cause, Wire, WireEnd, WireRefused
from core.records import Kind

AT_ONCE_S: Final = 1.0
"""Half a second is promised; the rest is for a busy machine."""


def aborted(wire: Wire, waiting: threading.Thread) -> float:
    """Seconds from the abort until the thread has ended."""
    started_s = since_boot_s()
    wire.abort()
    waiting.join(PATIENCE_S)
    assert not waiting.is_alive()
    return since_boot_s() - started_s


@pytest.mark.parametrize("place", ["connecting", "securing", "upgrading", "reading the answer"])
def test_while_connecting(place: str) -> None:
    there = threading.Event()

    def script(peer: Peer) -> None:
        if place != "securing":
            peer.read_request()
        if place == "reading the answer":
            peer.send(b"HTTP/1.1 101 Swi")
        there.set()
        peer.hold()

    refusals: list[WireRefused] = []

    def connect() -> None:
        try:
            wire.connect()
        except WireRefused as error:
            refusals.append(error)

    with serving(script) as server, socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        url = server.url().replace("ws:", "wss:") if place == "securing" else server.url()
        if place == "connecting":
            url = f"ws://127.0.0.1:{full.getsockname()[1]}/"
            there.set()
        wire = Wire(url, dict, Taken(), PATIENT)
        thread = threading.Thread(target=connect)
        thread.start()
        assert there.wait(PATIENCE_S)
        assert aborted(wire, thread) < AT_ONCE_S
        for filler in fillers:
            filler.close()
    assert len(refusals) == 1
    assert refusals[0].status in {0, 101}


def test_before_connecting_it_stays_stopped() -> None:
    with serving(Peer.upgrade_and_hold) as server:
        wire = Wire(server.url(), dict, Taken(), PATIENT)
        wire.abort()
        for _ in range(2):
            with pytest.raises(WireRefused, match="the attempt was stopped"):
                wire.connect()
        assert server.peers == []


def flood(peer: Peer) -> None:
    peer.upgrade()
    while True:
        peer.send(frame(TEXT, b"f" * 250) * 100)


STATES: Final[dict[str, Callable[[Peer], object]]] = {
    "silent": Peer.upgrade_and_hold,
    "in mid-frame": lambda peer: peer.upgrade_and_hold(frame(TEXT, b"m" * 1_000)[:500]),
    "flooded": flood,
    "pinged": lambda peer: peer.upgrade_and_hold(frame(PING, b"p" * 100) * 100_000),
}


@pytest.mark.parametrize("state", STATES)
def test_while_running(state: str) -> None:
    with serving(STATES[state]) as server, running(server, PATIENT) as run:
        if state in ("flooded", "pinged"):
            run.taken.wait_for(1_000)
        started_s = since_boot_s()
        run.wire.abort()
        assert run.end() == WireEnd(Cause.STOPPED)
        assert since_boot_s() - started_s < AT_ONCE_S


def test_what_was_half_read_is_noted() -> None:
    half = frame(TEXT, b"m" * 1_000)[:500]
    with serving(lambda peer: peer.upgrade_and_hold(frame(TEXT, b"whole") + half)) as server:
        with running(server, PATIENT) as run:
            run.taken.wait_for(1)
            run.wire.abort()
            assert run.end() == WireEnd(Cause.STOPPED)
        assert run.taken.items[0] == (Kind.FRAME, b"whole")
        assert refused(run.taken.items[1][1]) == ("incomplete", 1_000, b"m" * 496)


@pytest.mark.parametrize("is_secure", [False, True])
def test_while_sending_to_a_peer_that_takes_nothing(tmp_path: Path, is_secure: bool) -> None:
    authority = issue("authority")
    tls = issue("server", authority, hosts=("127.0.0.1",)).context(tmp_path, "server") if is_secure else None
    limits = dataclasses.replace(PATIENT, ca_file=authority.save(tmp_path, "ca"))
    refusals: list[WireRefused] = []

    def send() -> None:
        try:
            run.wire.send(b"s" * (32 << 20))
        except WireRefused as error:
            refusals.append(error)

    with serving(Peer.upgrade_and_hold, tls=tls) as server, running(server, limits) as run:
        sender = threading.Thread(target=send)
        sender.start()
        run.taken.wait_for(1)  # what follows is more than the kernel's buffers hold
        assert aborted(run.wire, sender) < AT_ONCE_S
        assert run.end() == WireEnd(Cause.STOPPED)
    assert len(refusals) == 1


def test_many_times_from_many_threads() -> None:
    with serving(Peer.upgrade_and_hold) as server, running(server, PATIENT) as run:
        threads = [threading.Thread(target=run.wire.abort) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert run.end() == WireEnd(Cause.STOPPED)
        run.wire.abort()


def test_a_stop_while_the_taker_is_busy_waits_for_it_and_no_longer() -> None:
    busy, free = threading.Event(), threading.Event()

    def then(_kind: Kind, _payload: bytes) -> None:
        busy.set()
        assert free.wait(PATIENCE_S)

    with serving(flood) as server, running(server, PATIENT, then=then) as run:
        assert busy.wait(PATIENCE_S)
        run.wire.abort()
        free.set()
        assert run.end(AT_ONCE_S * 2) == WireEnd(Cause.STOPPED)
