"""Serve a recording and receive it: the same data frames, in order, byte for byte but for sid, seq and id.

By a plain client here, and by the daemon that records, whose tape is then compared with the one that was served.
"""

import re
from collections.abc import Iterator
from typing import Final

import pytest
from imported import RECORDINGS, tape_of
from listener import Listener, subscribe
from tapes import needs_tapes

from capture.tape.reader import Tape
from core.messages import decode
from core.messages.types import Base, ErrorReply, Ok, Subscribed, SubscriptionList, Unsubscribed
from core.records import Kind
from replay.exchange.local import LocalExchange
from replay.exchange.playhead import MAX
from replay.exchange.port import BOOK, TICKER, TRADE
from replay.exchange.taped import TapedVenue

NUMBERS: Final = re.compile(rb'"(?:sid|seq|id)":[0-9]+,?')
"""What a server gives its own of; in these recordings nothing else is written like this."""

PATIENCE_S: Final = 200.0
BIG: Final = ("gold15m/102000-00", "gold15m/102115-15", "btc15m/outage-22s")
DISCONNECTS: Final = {"gold15m/102030-30": 1, "btc15m/outage-22s": 2}

EACH: Final = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in BIG else []) for name in RECORDINGS]
)


def without_numbers(payload: bytes) -> bytes:
    return NUMBERS.sub(b"", payload)


def data_frames(tape: Tape) -> Iterator[bytes]:
    """The frames of a tape that are no replies, without their numbers."""
    replies = (Subscribed, Ok, SubscriptionList, Unsubscribed, ErrorReply)
    for record in tape.records():
        if record.kind == Kind.FRAME and not isinstance(decode(record.payload), replies):
            yield without_numbers(record.payload)


def numbers(frames: list[bytes]) -> list[tuple[int, int]]:
    """(sid, seq) of the numbered frames, replies included."""
    found = [decode(frame) for frame in frames]
    return [(message.sid, message.seq) for message in found if isinstance(message, Base) and message.seq]


def assert_counted_without_a_hole(frames: list[bytes]) -> None:
    """Every subscription of one connection counts 1, 2, 3 ..."""
    last: dict[int, int] = {}
    for sid, seq in numbers(frames):
        assert seq == last.get(sid, 0) + 1
        last[sid] = seq


def assert_received(listener: Listener, tape: Tape) -> None:
    expected, got = list(data_frames(tape)), [without_numbers(frame) for frame in listener.data()]
    assert len(got) == len(expected)
    assert got == expected
    begun = 0
    for ended in [*(frames for _, frames in listener.closes), len(listener.frames)]:
        assert_counted_without_a_hole(listener.frames[begun:ended])
        begun = ended


@needs_tapes
@pytest.mark.integration
@EACH
def test_a_plain_client_receives_a_served_recording_byte_for_byte(name: str) -> None:
    tape = tape_of(name)
    venue = TapedVenue.of(tape, speed=MAX)
    with (
        LocalExchange(venue) as exchange,
        Listener(exchange, subscribe([BOOK, TICKER, TRADE], venue.markets())) as listener,
    ):
        assert exchange.wait_played(PATIENCE_S)
        published = venue.projector.published
        assert listener.wait(lambda listener: listener.data_frames >= published, PATIENCE_S)
        assert_received(listener, tape)
        assert len(listener.closes) == DISCONNECTS.get(name, 0)
