"""capture.wire: however the bytes are cut into pieces, what is taken is the same."""

import itertools
import struct
from collections.abc import Iterable
from typing import cast

from hypothesis import given
from hypothesis import strategies as st
from scripted_server import BINARY, CONT, PATIENT, PING, PONG, TEXT, Taken, closing, frame, refused

from capture.sockets import Stream
from capture.wire import Cause, Wire, WireEnd, _Frames
from core.records import Kind

Items = list[tuple[Kind, bytes]]


class Pieces:
    """A connection that gives these pieces, one to a read, and then hangs up. What is written goes nowhere."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.pieces = iter(pieces)

    def read(self, _wait_s: float) -> bytes:
        return next((piece for piece in self.pieces if piece), b"")

    def write(self, _data: bytes, _wait_s: float) -> None: ...

    def cut(self) -> None: ...

    def close(self) -> None: ...


def taken_of(pieces: Iterable[bytes]) -> tuple[WireEnd, Items]:
    """What a Wire takes of a connection that brings these pieces."""
    taken = Taken()
    wire = Wire("ws://127.0.0.1:1/", dict, taken, PATIENT)
    stream = cast(Stream, Pieces(pieces))
    wire._stream = stream
    wire._frames = _Frames(stream, b"", PATIENT, lambda: False)
    end = wire.run()
    # Of what is refused only so much is kept as had come, and behind a close frame nothing is waited for: both differ.
    return end, [
        (kind, repr(refused(payload)[:2]).encode() if kind == Kind.REFUSED else payload)
        for kind, payload in taken.items
        if kind != Kind.REFUSED or end.cause != Cause.CLOSED
    ]


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    marks = [0, *sorted(place for place in places if place < len(data)), len(data)]
    return [data[begin:end] for begin, end in itertools.pairwise(marks)]


PAYLOADS = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([0, 1, 125, 126, 127, 128, 255, 256, 65_535, 65_536]).map(lambda size: b"\x81" * size),
)
CONTROLS = st.tuples(st.sampled_from([PING, PONG]), st.binary(max_size=125))
MASKS = st.one_of(st.just(b""), st.binary(min_size=4, max_size=4))


@st.composite
def exchanges(draw: st.DrawFn) -> tuple[bytes, Items]:
    """The bytes of a good connection up to its close frame, and what is to be taken of them."""
    data, items = bytearray(), list[tuple[Kind, bytes]]()

    def control() -> None:
        opcode, payload = draw(CONTROLS)
        data.extend(frame(opcode, payload, mask=draw(MASKS)))
        if opcode == PONG:
            items.append((Kind.FRAME_PONG, payload))
        else:
            items.extend([(Kind.FRAME_PING, payload), (Kind.SENT_PONG, payload)])

    for _ in range(draw(st.integers(0, 8))):
        opcode = draw(st.sampled_from([TEXT, TEXT, TEXT, BINARY, PING]))
        if opcode == PING:
            control()
            continue
        payload = draw(PAYLOADS)
        parts = cut(payload, draw(st.lists(st.integers(0, 100), max_size=3)))
        for number, part in enumerate(parts):
            is_last = number == len(parts) - 1
            data += frame(CONT if number else opcode, part, fin=is_last, mask=draw(MASKS))
            if not is_last and draw(st.booleans()):
                control()
        items.append((Kind.FRAME if opcode == TEXT else Kind.FRAME_BINARY, payload))
    data += closing(1000)
    items += [(Kind.FRAME_CLOSE, b"\x03\xe8"), (Kind.SENT_CLOSE, b"\x03\xe8")]
    return bytes(data), items


@given(exchanges(), st.lists(st.integers(0, 2_000), max_size=40))
def test_a_good_connection_is_taken_whole_however_it_is_cut(exchange: tuple[bytes, Items], places: list[int]) -> None:
    data, items = exchange
    assert taken_of(cut(data, places)) == (WireEnd(Cause.CLOSED, 1000), items)


@given(exchanges(), st.integers(0, 2_000))
def test_a_connection_that_ends_anywhere_gives_a_beginning_of_what_it_would_have(
    exchange: tuple[bytes, Items], until: int
) -> None:
    data, items = exchange
    end, taken = taken_of([data[:until]])
    whole = [item for item in taken if item[0] != Kind.REFUSED]
    assert whole == items[: len(whole)]
    assert taken[len(whole) :] == [item for item in taken if item[0] == Kind.REFUSED]
    assert (end.cause == Cause.CLOSED) == (until >= len(data))


@given(exchanges(), st.binary(max_size=300), st.lists(st.integers(0, 3_000), max_size=40), st.integers(0, 2_000))
def test_whatever_comes_it_is_taken_or_refused_the_same_way_however_it_is_cut(
    exchange: tuple[bytes, Items], noise: bytes, places: list[int], at: int
) -> None:
    data = exchange[0][:at] + noise + exchange[0][at:]
    assert taken_of(cut(data, places)) == taken_of([data])


def test_every_way_to_cut_a_small_exchange_in_two_or_into_bytes() -> None:
    frames = [
        frame(TEXT, b'{"a":1}\n'),
        frame(PING, b"heartbeat"),
        frame(TEXT, b"t" * 130),
        frame(BINARY, b"b", mask=b"key!"),
        frame(TEXT, b"one", fin=False),
        frame(CONT, b"two"),
        b"\x81\x7f" + struct.pack("!Q", 3) + b"abc",
        closing(1001),
    ]
    data = b"".join(frames)
    whole = taken_of([data])
    assert [kind for kind, _ in whole[1]].count(Kind.FRAME) == 4
    for place in range(len(data)):
        assert taken_of([data[:place], data[place:]]) == whole
    for size in range(1, 8):
        assert taken_of(data[at : at + size] for at in range(0, len(data), size)) == whole
