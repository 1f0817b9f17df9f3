"""capture.wire: frames in and out, and every way in which a connection ends."""

import base64
import dataclasses
import struct
import threading
import time

import msgspec
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
    running,
    serving,
)

from capture.wire import Cause, Wire, WireEnd, WireRefused
from core.records import Kind, Refused


def refused(payload: bytes) -> tuple[str, int, bytes]:
    found = msgspec.json.decode(payload, type=Refused)
    return found.reason, found.size, base64.b64decode(found.head_base64)


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
            peer.released.wait(QUICK.silent_s / 4)
        peer.send(closing(1000))

    end, taken = played(script)
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
        assert run.end() == WireEnd(Cause.STOPPED, 0, "stopped")


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
