"""capture.wire: what is refused, and how a connection ends that nobody closes."""

import dataclasses
import struct
import threading
import time

import pytest
from scripted_server import (
    BINARY,
    CLOSE,
    CONT,
    PATIENCE_S,
    PATIENT,
    PING,
    PONG,
    QUICK,
    TEXT,
    Peer,
    closing,
    frame,
    played,
    refused,
    running,
    serving,
)

from capture.wire import Cause, WireEnd
from core.records import Kind


@pytest.mark.parametrize(
    ("wrong", "reason", "head"),
    [
        (frame(TEXT, b"squeezed", rsv=4), "rsv is not implemented, yet", b"squeezed"),  # compression, unasked
        (frame(TEXT, b"squeezed", rsv=1), "rsv is not implemented, yet", b"squeezed"),
        (frame(3, b"what"), "Invalid opcode 3", b"what"),
        (frame(CONT, b"part"), "a part without a beginning", b"part"),
        (frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), "a message in another", b"b"),
        (frame(PING, b"p", fin=False), "Invalid ping frame.", b"p"),
        (frame(PONG, b"p", fin=False), "a control frame in parts", b"p"),
        (frame(PING, b"p" * 126), "control", b"p" * 126),
        (frame(CLOSE, b"p" * 200), "control", b"p" * 200),
    ],
)
def test_what_is_no_websocket_is_refused_with_1002_and_kept(wrong: bytes, reason: str, head: bytes) -> None:
    seen: list[tuple[int, bytes]] = []

    def script(peer: Peer) -> None:
        peer.upgrade(frame(TEXT, b"good"), wrong)
        seen.append(peer.frame())

    end, taken = played(script, PATIENT)
    assert (end.cause, end.code) == (Cause.PROTOCOL, 1002)
    assert taken.items[0] == (Kind.FRAME, b"good")
    assert refused(taken.items[1][1]) == (reason, len(head), head)
    assert taken.items[2:] == [(Kind.SENT_CLOSE, b"\x03\xea")]
    assert seen == [(CLOSE, b"\x03\xea")]


def test_a_frame_of_2_to_the_62_bytes_is_refused_at_its_header() -> None:
    seen: list[tuple[int, bytes]] = []

    def script(peer: Peer) -> None:
        peer.upgrade(b"\x81\x7f" + struct.pack("!Q", 1 << 62) + b"the first bytes")
        seen.append(peer.frame())

    end, taken = played(script, PATIENT)
    assert end.cause == Cause.OVERSIZE
    assert end.code == 1009
    assert refused(taken.items[0][1]) == ("oversize", 1 << 62, b"the first bytes")
    assert seen == [(CLOSE, struct.pack("!H", 1009))]


def test_a_message_of_exactly_the_limit_is_taken_and_one_byte_more_is_not() -> None:
    limit = PATIENT.max_message_bytes
    assert limit == 8 << 20

    def script(peer: Peer) -> None:
        peer.upgrade(frame(TEXT, b"a" * limit), frame(TEXT, b"b" * (limit + 1)))
        peer.hold()

    end, taken = played(script, PATIENT)
    assert [len(payload) for payload in taken.of(Kind.FRAME)] == [limit]
    assert end.cause == Cause.OVERSIZE
    assert refused(taken.of(Kind.REFUSED)[0])[:2] == ("oversize", limit + 1)


def test_a_small_limit_holds_for_small_messages_too() -> None:
    limits = dataclasses.replace(PATIENT, max_message_bytes=1_000)
    end, taken = played(
        lambda peer: peer.upgrade_and_hold(frame(TEXT, b"a" * 1_000), frame(TEXT, b"b" * 1_001)), limits
    )
    assert [len(payload) for payload in taken.of(Kind.FRAME)] == [1_000]
    assert end == WireEnd(Cause.OVERSIZE, 1009, "a message of 1001 bytes, at most 1000 are taken")
    assert refused(taken.of(Kind.REFUSED)[0]) == ("oversize", 1_001, b"b" * 1_001)


def test_parts_without_end_are_refused_at_the_limit() -> None:
    def script(peer: Peer) -> None:
        peer.upgrade(frame(TEXT, b"s" * 1_000, fin=False))
        while True:
            peer.send(frame(CONT, b"c" * 1_000, fin=False) * 100)

    end, taken = played(script, PATIENT)
    assert end.cause == Cause.OVERSIZE
    reason, size, head = refused(taken.items[0][1])
    assert (reason, head) == ("oversize", (b"s" * 1_000 + b"c" * 24))
    assert PATIENT.max_message_bytes < size <= PATIENT.max_message_bytes + 1_000


def test_empty_parts_without_end_are_refused_in_time() -> None:
    def script(peer: Peer) -> None:
        peer.upgrade(frame(TEXT, b"", fin=False))
        while True:
            peer.send(frame(CONT, b"", fin=False) * 100)

    end, _ = played(script)
    assert end == WireEnd(Cause.SLOW, 0, "a message was not complete after 0.8 s")


def test_a_frame_byte_by_byte_is_taken_and_one_that_takes_too_long_is_not() -> None:
    def script(peer: Peer) -> None:
        peer.upgrade()
        peer.dribble(frame(TEXT, b"in time"), 0.001)
        peer.dribble(frame(TEXT, b"x" * 10_000), 0.02)

    end, taken = played(script)
    assert taken.of(Kind.FRAME) == [b"in time"]
    assert end.cause == Cause.SLOW
    reason, size, head = refused(taken.of(Kind.REFUSED)[0])
    assert (reason, size) == ("incomplete", 10_000)
    assert set(head) == set(b"x")


@pytest.mark.parametrize("answers", [True, False])
def test_half_a_frame_and_then_silence_ends_it_and_the_half_is_kept(answers: bool) -> None:
    half = frame(TEXT, b"n" * 1_000)[:500]

    def script(peer: Peer) -> None:
        peer.upgrade(frame(TEXT, b"whole"), frame(PING, b"") if answers else b"", half)
        peer.hold()

    end, taken = played(script)
    assert end == WireEnd(Cause.SILENT, 0, "no byte for 0.4 s")
    assert taken.items[0] == (Kind.FRAME, b"whole")
    assert refused(taken.of(Kind.REFUSED)[0]) == ("incomplete", 1_000, b"n" * 496)


def test_silence_without_any_byte_ends_it() -> None:
    started_s = time.monotonic()
    end, taken = played(lambda peer: peer.upgrade_and_hold())
    assert end.cause == Cause.SILENT
    assert taken.items == []
    assert time.monotonic() - started_s >= QUICK.silent_s


def test_a_byte_now_and_then_is_no_silence() -> None:
    def script(peer: Peer) -> None:
        peer.upgrade()
        for _ in range(8):
            peer.send(frame(PING, b"heartbeat"))
            peer.released.wait(0.2)
        peer.send(closing(1000))

    end, taken = played(script, dataclasses.replace(QUICK, silent_s=1.0))
    assert end.cause == Cause.CLOSED
    assert len(taken.of(Kind.SENT_PONG)) == 8


def test_who_was_kept_from_reading_does_not_take_the_peer_for_silent() -> None:
    sent = threading.Event()

    def script(peer: Peer) -> None:
        peer.upgrade(frame(TEXT, b"first"))
        peer.released.wait(2 * QUICK.silent_s)
        peer.send(frame(TEXT, b"second"), closing(1000))
        sent.set()

    def slow(_: Kind, payload: bytes) -> None:
        if payload == b"first":
            assert sent.wait(PATIENCE_S)

    with serving(script) as server, running(server, QUICK, then=slow) as run:
        assert run.end().cause == Cause.CLOSED
        assert run.taken.of(Kind.FRAME) == [b"first", b"second"]


def test_a_reset_in_mid_frame_leaves_the_part_as_refused() -> None:
    def script(peer: Peer) -> None:
        peer.upgrade(frame(TEXT, b"whole"), frame(TEXT, b"r" * 300)[:100], frame(PING)[:0])
        peer.frame()
        peer.reset()

    with serving(script) as server, running(server, PATIENT) as run:
        run.taken.wait_for(1)
        run.wire.send(b"now")
        end = run.end()
    assert end.cause == Cause.RESET
    assert run.taken.items[0] == (Kind.FRAME, b"whole")
    assert refused(run.taken.of(Kind.REFUSED)[0]) == ("incomplete", 300, b"r" * 96)


def test_a_hang_up_at_every_byte_takes_what_was_whole_and_keeps_the_rest() -> None:
    frames = [frame(TEXT, b'{"n":1}'), frame(BINARY, b"b" * 200), frame(TEXT, b"t")]
    exchange = b"".join(frames)
    ends = [len(b"".join(frames[:count])) for count in range(4)]
    cuts = iter(range(len(exchange) + 1))

    def script(peer: Peer) -> None:
        peer.upgrade(exchange[: next(cuts)])

    with serving(script) as server:
        for cut in range(len(exchange) + 1):
            with running(server, PATIENT) as run:
                end = run.end()
            whole = sum(mark <= cut for mark in ends) - 1
            assert end == WireEnd(Cause.RESET, 0, "the peer hung up without a close frame")
            kinds = [kind for kind, _ in run.taken.items]
            assert kinds == [Kind.FRAME, Kind.FRAME_BINARY, Kind.FRAME][:whole] + [Kind.REFUSED] * (cut not in ends)
