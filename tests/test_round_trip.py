"""Serve a recording and receive it: the same data frames, in order, byte for byte but for sid, seq and id.

By a plain client here, and by the daemon that records, whose tape is then compared with the one that was served.
"""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from imported import RECORDINGS, tape_of
from listener import Listener, subscribe
from tapes import needs_tapes
from waiting import wait_for_condition
from writing import session

from capture.auth import Credentials
from capture.deck import Deck
from capture.environments import environment
from capture.tape.reader import Ended, Tape
from capture.tape.writer import TapeWriter
from core.engine import Engine
from core.messages import decode
from core.messages.types import Base, ErrorReply, Ok, Subscribed, SubscriptionList, Unsubscribed
from core.records import Kind
from replay.exchange.local import LocalExchange
from replay.exchange.options import ServerOptions
from replay.exchange.playhead import MAX
from replay.exchange.port import BOOK, TICKER, TRADE
from replay.exchange.taped import TapedVenue

ROOT: Final = Path(__file__).resolve().parents[1]

NUMBERS: Final = re.compile(rb'"(?:sid|seq|id)":[0-9]+,?')
"""What a server gives its own of; in these recordings nothing else is written like this."""

REPLY: Final = re.compile(rb'\{"type":"(?:subscribed|ok|error|unsubscribed)"')
PATIENCE_S: Final = 200.0
LONG_S: Final = 1_200.0
"""The longest recording at its own pace, and some."""

SECOND: Final = 1_000_000_000
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


@contextmanager
def recording(exchange: LocalExchange, path: Path, markets: tuple[str, ...]) -> Iterator[Deck]:
    """The live deck recording these markets of an exchange, with its own times and limits."""
    writer = TapeWriter.create(path, "demo", session())
    place = environment(exchange.rest_url.removesuffix("/trade-api/v2"))
    deck = Deck(writer, place, Credentials.load(exchange.environ()))
    try:
        deck.want(markets)
        deck.start()
        yield deck
    finally:
        deck.stop()
        writer.close()


class Counted:
    """How many data frames a growing tape holds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._next_seq = 0
        self.frames = 0

    def __call__(self) -> int:
        for record in Tape.open(self._path).records(self._next_seq):
            self._next_seq = record.seq + 1
            self.frames += record.kind == Kind.FRAME and REPLY.match(record.payload) is None
        return self.frames


def gaps_of(tape: Tape) -> list[str]:
    """The reasons of all gaps."""
    engine, reasons = Engine(), dict[int, str]()
    for record in tape.records():
        reasons |= {gap.number: gap.reason for gap in engine.step(record).gaps}
    return list(reasons.values())


def peak_ns(tape: Tape) -> int:
    """The beginning of the second in which most frames were received (Unix ns)."""
    seconds = Counter(record.at_ns // SECOND for record in tape.records() if record.kind == Kind.FRAME)
    return max(seconds, key=lambda second: seconds[second]) * SECOND


def assert_recorded_again(name: str, path: Path, speed: float) -> None:
    """Serve a recording, record it, and compare the two tapes."""
    tape = tape_of(name)
    venue = TapedVenue.of(tape, speed=speed, settle_s=1.0)
    with (
        LocalExchange(venue, ServerOptions(dialect=venue.dialect)) as exchange,
        recording(exchange, path, venue.markets()),
    ):
        assert exchange.wait_played(PATIENCE_S)
        counted, published = Counted(path), venue.projector.published
        wait_for_condition(lambda: counted() >= published, what=f"{published} frames on the second tape")
    second = Tape.open(path)
    expected, got = list(data_frames(tape)), list(data_frames(second))
    assert len(got) == len(expected)
    assert got == expected
    assert gaps_of(second) == ["reconnect"] * DISCONNECTS.get(name, 0)


@needs_tapes
@pytest.mark.integration
@EACH
def test_a_served_recording_is_recorded_again_without_losing_a_frame(name: str, tmp_path: Path) -> None:
    assert_recorded_again(name, tmp_path / "second", MAX)


@needs_tapes
@pytest.mark.integration
@pytest.mark.slow
def test_the_busiest_recording_is_recorded_at_ten_times_its_speed_with_no_gap(tmp_path: Path) -> None:
    assert_recorded_again("gold15m/102115-15", tmp_path / "second", 10.0)


def assert_the_daemon_records_again(name: str, path: Path, speed: float) -> None:
    """Serve a recording, record it by a process of its own that is told to end, and compare the two tapes."""
    tape = tape_of(name)
    venue = TapedVenue.of(tape, speed=speed, settle_s=1.0)
    with LocalExchange(venue, ServerOptions(dialect=venue.dialect)) as exchange:
        command = [sys.executable, "-m", "tapedeck", "capture", "--env", exchange.rest_url, "--all", "--out", str(path)]
        with subprocess.Popen(
            command, cwd=ROOT, env=os.environ | exchange.environ(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as daemon:
            try:
                assert exchange.wait_played(PATIENCE_S if speed == MAX else LONG_S)
                counted, published = Counted(path), venue.projector.published
                wait_for_condition(lambda: counted() >= published, what=f"{published} frames on the second tape")
                daemon.send_signal(signal.SIGTERM)
                said = daemon.communicate(timeout=30)[0].decode()
            finally:
                daemon.kill()
    assert (daemon.returncode, "Traceback" in said) == (0, False)
    second = Tape.open(path)
    assert list(data_frames(second)) == list(data_frames(tape))
    assert gaps_of(second) == ["reconnect"] * DISCONNECTS.get(name, 0)
    assert second.ended is Ended.CLEAN_STOP


@needs_tapes
@pytest.mark.integration
@pytest.mark.parametrize("name", ["btc15m/short-30s", pytest.param("btc15m/outage-22s", marks=pytest.mark.slow)])
def test_the_daemon_records_a_served_recording_again_and_ends_when_told_to(name: str, tmp_path: Path) -> None:
    assert_the_daemon_records_again(name, tmp_path / "second", MAX)


@needs_tapes
@pytest.mark.integration
@pytest.mark.soak
@pytest.mark.timeout(1_500)
@pytest.mark.parametrize("name", RECORDINGS)
def test_the_daemon_records_a_whole_recording_at_its_own_pace(name: str, tmp_path: Path) -> None:
    """A quarter of an hour each, through the disconnects that were recorded."""
    assert_the_daemon_records_again(name, tmp_path / "second", 1.0)


@needs_tapes
@pytest.mark.integration
@pytest.mark.slow
def test_the_busiest_second_is_recorded_at_its_own_pace_with_no_gap(tmp_path: Path) -> None:
    tape, path = tape_of("gold15m/102115-15"), tmp_path / "second"
    at_ns = peak_ns(tape)
    venue = TapedVenue.of(tape, start="paused")
    with LocalExchange(venue, ServerOptions(dialect=venue.dialect)) as exchange:
        begun = exchange.control("seek", time=str(at_ns - SECOND))["next_seq"]
        with recording(exchange, path, venue.markets()) as deck:
            wait_for_condition(lambda: deck.status().healthy, what="the snapshot of the place that was moved to")
            exchange.control("resume")
            wait_for_condition(lambda: exchange.control("status")["now_ns"] > at_ns + 2 * SECOND, what="the peak")
            paused = exchange.control("pause")
            counted = Counted(path)
            wait_for_condition(lambda: counted() > paused["published"], what="the frames up to the pause")
    second = Tape.open(path)
    first, *got = data_frames(second)
    assert first.startswith(b'{"type":"orderbook_snapshot"')
    records = tape.records(begun, paused["next_seq"] - 1)
    assert got == [without_numbers(record.payload) for record in records if record.kind == Kind.FRAME]
    assert len(got) > 1_500  # the busiest second alone
    assert gaps_of(second) == []
