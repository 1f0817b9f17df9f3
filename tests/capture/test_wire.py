"""capture.wire: frames in and out, and every way in which a connection ends."""

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

from capture.wire import Cause, Wire, WireEnd, WireRefused
from core.records import Kind


def test_frames_of_every_kind_are_taken_in_order_as_they_came() -> None:
    long = b"z" * 70_000

    def script(peer: Peer) -> None:
        peer.upgrade(frame(TEXT, b"in the same write"))
        peer.send(frame(TEXT, b'{"a":1}\n'), frame(BINARY, b"\x00\xff"), frame(PING, b"heartbeat"), frame(PONG, b"x"))
        peer.send(frame(TEXT, b""), frame(TEXT, b"y" * 126), frame(TEXT, long), closing(1000, b"bye"))

    end, taken = played(script)
    assert end == WireEnd(Cause.CLOSED, 1000, "bye")
    assert taken.items == [
        (Kind.FRAME, b"in the same write"),
        (Kind.FRAME, b'{"a":1}\n'),
        (Kind.FRAME_BINARY, b"\x00\xff"),
        (Kind.FRAME_PING, b"heartbeat"),
        (Kind.SENT_PONG, b"heartbeat"),
        (Kind.FRAME_PONG, b"x"),
        (Kind.FRAME, b""),
        (Kind.FRAME, b"y" * 126),
        (Kind.FRAME, long),
        (Kind.FRAME_CLOSE, b"\x03\xe8bye"),
        (Kind.SENT_CLOSE, b"\x03\xe8"),
    ]


def test_a_burst_that_fills_many_reads_is_taken_whole_and_in_order() -> None:
    """Hundreds of frames come in one read, and the last of a read is cut somewhere."""
    texts = [b"%d " % number + b"x" * (number % 300) for number in range(10_000)]
    ping = 7_000
    sent = [frame(TEXT, text) for text in texts]
    sent.insert(ping, frame(PING, b"now"))
    end, taken = played(lambda peer: peer.upgrade(*sent, closing(1000)))
    assert end.cause == Cause.CLOSED
    assert taken.of(Kind.FRAME) == texts
    assert taken.items[ping] == (Kind.FRAME_PING, b"now")


def test_a_ping_is_answered_with_its_own_payload() -> None:
    seen: list[tuple[int, bytes]] = []

    def script(peer: Peer) -> None:
        peer.upgrade(frame(PING, b"heartbeat"), frame(PING, b""), frame(PING, b"p" * 125))
        seen.extend(peer.frame() for _ in range(3))
        peer.send(closing(1001))
        seen.append(peer.frame())

    assert played(script)[0] == WireEnd(Cause.CLOSED, 1001)
    assert seen == [(PONG, b"heartbeat"), (PONG, b""), (PONG, b"p" * 125), (CLOSE, b"\x03\xe9")]


def test_bytes_that_are_no_utf8_are_taken_as_they_came() -> None:
    end, taken = played(lambda peer: peer.upgrade(frame(TEXT, b"\xff\xfe\xce"), closing(1000)))
    assert taken.of(Kind.FRAME) == [b"\xff\xfe\xce"]
    assert end.cause == Cause.CLOSED


@pytest.mark.parametrize("code", [*range(1000, 1004), *range(1007, 1015), 3000, 3999, 4000, 4999])
def test_a_close_frame_ends_it_though_tcp_stays_open(code: int) -> None:
    def script(peer: Peer) -> None:
        peer.upgrade(closing(code, b"weil's so ist"))
        assert peer.frame() == (CLOSE, struct.pack("!H", code))
        peer.hold()

    end, taken = played(script, PATIENT)
    assert end == WireEnd(Cause.CLOSED, code, "weil's so ist")
    assert taken.items == [
        (Kind.FRAME_CLOSE, struct.pack("!H", code) + b"weil's so ist"),
        (Kind.SENT_CLOSE, struct.pack("!H", code)),
    ]


@pytest.mark.parametrize(
    ("payload", "code", "answer"),
    [
        (b"", 1005, b""),
        (b"\x03", 1005, b"\x03\xea"),  # one byte is no code
        (struct.pack("!H", 1004) + b"x", 1004, b"\x03\xea"),  # these three may not be sent
        (struct.pack("!H", 1005), 1005, b"\x03\xea"),
        (struct.pack("!H", 1015), 1015, b"\x03\xea"),
        (struct.pack("!H", 999), 999, b"\x03\xea"),
        (struct.pack("!H", 2999), 2999, b"\x03\xea"),
        (struct.pack("!H", 5000), 5000, b"\x03\xea"),
        (b"\x03\xe8\xff\xfe", 1000, b"\x03\xe8"),  # a reason that is no UTF-8
    ],
)
def test_a_close_frame_against_the_rules_is_a_close_all_the_same(payload: bytes, code: int, answer: bytes) -> None:
    end, taken = played(lambda peer: peer.upgrade_and_hold(frame(CLOSE, payload)), PATIENT)
    assert (end.cause, end.code) == (Cause.CLOSED, code)
    assert taken.items == [(Kind.FRAME_CLOSE, payload), (Kind.SENT_CLOSE, answer)]


def test_what_comes_behind_a_close_frame_is_noted_and_not_taken() -> None:
    end, taken = played(lambda peer: peer.upgrade(closing(1000), frame(TEXT, b"late")))
    assert end.cause == Cause.CLOSED
    assert taken.of(Kind.FRAME) == []
    assert refused(taken.of(Kind.REFUSED)[0]) == ("incomplete", 6, frame(TEXT, b"late"))


def test_a_message_in_parts_is_taken_whole_and_control_frames_between_them_at_their_place() -> None:
    def script(peer: Peer) -> None:
        peer.upgrade(frame(TEXT, b"one ", fin=False), frame(CONT, b"two ", fin=False), frame(PING, b"now"))
        peer.send(frame(CONT, b"three"), frame(BINARY, b"", fin=False), frame(CONT, b"\x01"), frame(TEXT, b"next"))
        peer.send(closing(1000))

    _, taken = played(script)
    assert taken.items[:5] == [
        (Kind.FRAME_PING, b"now"),
        (Kind.SENT_PONG, b"now"),
        (Kind.FRAME, b"one two three"),
        (Kind.FRAME_BINARY, b"\x01"),
        (Kind.FRAME, b"next"),
    ]


def test_a_masked_frame_and_one_with_a_longer_length_than_needed_are_taken() -> None:
    odd = b"\x81\x7e\x00\x03abc" + b"\x81\x7f" + struct.pack("!Q", 2) + b"de"
    _, taken = played(lambda peer: peer.upgrade(frame(TEXT, b"masked", mask=b"\1\2\3\4"), odd, closing(1000)))
    assert taken.of(Kind.FRAME) == [b"masked", b"abc", b"de"]


def test_what_is_sent_is_taken_first_and_arrives_whole() -> None:
    def script(peer: Peer) -> None:
        peer.upgrade()
        got = [peer.frame() for _ in range(3)]
        peer.send(*(frame(TEXT, payload) for _, payload in got), closing(1000))

    with serving(script) as server, running(server, PATIENT) as run:
        texts = [b'{"id":1}', b"", b"s" * 100_000]
        for text in texts:
            run.wire.send(text)
        assert run.end().cause == Cause.CLOSED
    assert run.taken.items[:1] == [(Kind.SENT, texts[0])]
    assert run.taken.of(Kind.SENT) == run.taken.of(Kind.FRAME) == texts


def test_many_threads_send_whole_frames_in_the_order_of_the_tape() -> None:
    threads, each = 8, 100
    got: list[bytes] = []

    def script(peer: Peer) -> None:
        peer.upgrade()
        got.extend(peer.frame()[1] for _ in range(threads * each))
        peer.send(closing(1000))

    with serving(script) as server, running(server, PATIENT) as run:

        def send(number: int) -> None:
            for count in range(each):
                run.wire.send(f"{number}:{count}:".encode() + b"." * (count * 7))

        senders = [threading.Thread(target=send, args=(number,)) for number in range(threads)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        assert run.end().cause == Cause.CLOSED
    assert got == run.taken.of(Kind.SENT)
    assert len(set(got)) == threads * each


def test_a_peer_that_takes_nothing_ends_the_connection_and_every_sender_is_told() -> None:
    limits = dataclasses.replace(PATIENT, send_s=0.2)
    with serving(lambda peer: peer.upgrade_and_hold()) as server, running(server, limits) as run:
        with pytest.raises(WireRefused, match="could not be sent"):
            for _ in range(1_000):
                run.wire.send(b"w" * 100_000)
        assert run.end() == WireEnd(Cause.SEND, 0, "a frame could not be sent: the peer took nothing for 0.2 s")
        with pytest.raises(WireRefused):
            run.wire.send(b"more")


def test_nothing_is_sent_or_taken_before_a_connection_and_after_it() -> None:
    with serving(lambda peer: peer.upgrade(closing(1000))) as server, running(server) as run:
        run.end()
        taken = list(run.taken.items)
        with pytest.raises(WireRefused, match="not open"):
            run.wire.send(b"late")
        run.wire.close()
        assert run.taken.items == taken


def test_close_says_goodbye_and_takes_what_still_comes() -> None:
    def script(peer: Peer) -> None:
        peer.upgrade(frame(TEXT, b"before"))
        assert peer.frame() == (CLOSE, b"\x03\xe8done")
        peer.send(frame(TEXT, b"under way"), frame(PING, b"late"), closing(1000, b"done"))
        assert peer.gone() == b""

    with serving(script) as server, running(server, PATIENT) as run:
        run.taken.wait_for(1)
        run.wire.close(1000, "done")
        assert run.end() == WireEnd(Cause.STOPPED, 1000, "done")
    assert run.taken.items == [
        (Kind.FRAME, b"before"),
        (Kind.SENT_CLOSE, b"\x03\xe8done"),
        (Kind.FRAME, b"under way"),
        (Kind.FRAME_PING, b"late"),
        (Kind.FRAME_CLOSE, b"\x03\xe8done"),
    ]


def test_close_waits_for_a_silent_peer_no_longer_than_it_must() -> None:
    with serving(lambda peer: peer.upgrade_and_hold()) as server, running(server, QUICK) as run:
        run.wire.close()
        assert run.end() == WireEnd(Cause.STOPPED)


def test_close_does_not_wait_for_a_sender_that_is_stuck() -> None:
    limits = dataclasses.replace(PATIENT, close_s=0.2)
    refusals: list[WireRefused] = []

    def send() -> None:
        try:
            run.wire.send(b"s" * (32 << 20))
        except WireRefused as error:
            refusals.append(error)

    with serving(Peer.upgrade_and_hold) as server, running(server, limits) as run:
        sender = threading.Thread(target=send)
        sender.start()
        run.taken.wait_for(1)
        started_s = time.monotonic()
        run.wire.close()
        assert run.end() == WireEnd(Cause.STOPPED)
        sender.join(PATIENCE_S)
        assert time.monotonic() - started_s < PATIENT.send_s / 2
    assert len(refusals) == 1


def test_an_exception_of_the_taker_frees_a_sender_that_is_stuck() -> None:
    refusals: list[WireRefused] = []
    sending = threading.Event()

    def taken(kind: Kind, payload: bytes) -> None:
        if kind == Kind.SENT:
            sending.set()
        else:
            raise RuntimeError(f"no room for {payload!r}")

    def script(peer: Peer) -> None:
        peer.upgrade()
        assert sending.wait(PATIENCE_S)
        peer.send(frame(TEXT, b"a"))
        peer.hold()

    def send() -> None:
        try:
            wire.send(b"s" * (32 << 20))
        except WireRefused as error:
            refusals.append(error)

    with serving(script) as server:
        wire = Wire(server.url(), dict, taken, PATIENT)
        wire.connect()
        sender = threading.Thread(target=send)
        sender.start()
        started_s = time.monotonic()
        with pytest.raises(RuntimeError, match="no room for b'a'"):
            wire.run()
        sender.join(PATIENCE_S)
        assert time.monotonic() - started_s < PATIENT.send_s / 2
    assert len(refusals) == 1


def test_an_ipv6_address_in_the_url_is_no_other_case() -> None:
    with serving(lambda peer: peer.upgrade(closing(1000)), host="::1") as server:
        with running(server, PATIENT, host="[::1]") as run:
            assert run.end().cause == Cause.CLOSED
        assert server.peers[0].header("Host") == f"[::1]:{server.port}"


def test_an_exception_of_the_taker_ends_the_connection_and_comes_out() -> None:
    def broken(kind: Kind, payload: bytes) -> None:
        raise RuntimeError(f"no room for {kind.name} {payload!r}")

    def script(peer: Peer) -> None:
        peer.upgrade(frame(TEXT, b"a"))
        assert peer.gone() == b""

    with serving(script) as server:
        wire = Wire(server.url(), dict, broken, PATIENT)
        wire.connect()
        with pytest.raises(RuntimeError, match="no room for FRAME"):
            wire.run()
