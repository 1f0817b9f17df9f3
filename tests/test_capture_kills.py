"""kill -9 of the recorder under load: what is lost, and that the tape says so."""

import os
import random
import time
from pathlib import Path
from typing import Final

import pytest
from killing import LOSS_NS, Kill, Toll, gaps_on, kill_while_recording, lives_on, texts_sent, toll_of
from recorded_exchange import Recording, frames_on, recorded_exchange

from capture.tape.reader import Ended, Tape
from capture.tape.verify import verify
from replay.exchange.local import LocalExchange
from replay.exchange.outbox import SentFrame

pytestmark = pytest.mark.integration

SPEED: Final = 20.0
"""Makes about 2,000 frames a second of the made-up recording."""

FRAMES_A_KILL: Final = 9_000
RESTART_S: Final = 30.0
"""A restart that waited for somebody to let go of the tape would not end; a slow machine needs some of this."""


LOAD_NS: Final = 250_000_000


def frames_before(kill: Kill, sent: list[SentFrame]) -> int:
    """How many frames were sent in the quarter of a second before a kill."""
    return sum(kill.at_ns - LOAD_NS <= frame.at_ns < kill.at_ns for frame in sent)


def require_bounded(exchange: LocalExchange, tape: Path, kills: list[Kill]) -> Toll:
    """The promises of process death, for all kills; the session after them ended in peace."""
    lives, sessions = lives_on(tape), [texts_sent(session) for session in exchange.sent]
    assert len(lives) == len(sessions) == len(kills) + 1, "one connection in each life"
    toll = Toll()
    for kill, sent, kept in zip(kills, sessions, lives, strict=False):
        assert frames_before(kill, sent), "a kill without load proves nothing: the recording was over"
        toll_of(kill, sent, kept, toll)
        assert toll.ages_ns[-1] <= LOSS_NS + kill.stall_ns, f"{toll}, {kill}"
    assert lives[-1] == [frame.payload for frame in sessions[-1]], "a clean stop loses nothing"
    recovered = 0
    for kill, kept in zip(kills, lives, strict=False):
        recovered += len(kept)
        assert recovered >= kill.frames_on_tape, "what was appended stays"
    return toll


def kill_often(place: Path, times: int, seed: int) -> None:
    """Kill so often, record to a clean stop, and compare."""
    tape, dice, kills = place / "tape", random.Random(seed), list[Kill]()
    with recorded_exchange(place, frames=(times + 2) * FRAMES_A_KILL, speed=SPEED) as exchange:
        for _ in range(times):
            began_s = time.monotonic()
            kills.append(kill_while_recording(exchange, tape, dice))
            assert time.monotonic() - began_s < RESTART_S
        with Recording(exchange, tape, "--all") as recording:
            recording.wait_state("recording")
            assert recording.stop()[0] == 0
        toll = require_bounded(exchange, tape, kills)
        rates = [4 * frames_before(k, texts_sent(s)) for k, s in zip(kills, exchange.sent, strict=False)]
    assert verify(tape, deep=True).whole
    assert Tape.open(tape).ended is Ended.CLEAN_STOP
    gaps = [gap for gap in gaps_on(tape) if gap.reason in ("crash", "down", "torn_tail")]
    assert len(gaps) == times, gaps
    assert all(gap.until_ns is not None for gap in gaps)
    for gap, kill in zip(gaps, kills, strict=True):
        assert gap.until_ns is not None and gap.at_ns <= kill.dead_ns < gap.until_ns, (gap, kill)
    kept, rate = len(frames_on(tape)), f"{min(rates)} to {max(rates)} frames/s"
    cost = f"lost {sum(toll.frames)}, oldest {max(toll.ages_ns) / 1e6:.1f} ms before its kill"
    print(f"{times} kills at {rate}, {kept} frames kept, {cost}")  # noqa: T201  the figures, for -s


def test_killed_recorders_lose_no_more_than_is_promised_and_say_so(tmp_path: Path) -> None:
    kill_often(tmp_path, times=3, seed=int.from_bytes(os.urandom(4)))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_fifty_kills_lose_no_more_than_is_promised_and_say_so(tmp_path: Path) -> None:
    kill_often(tmp_path, times=50, seed=50)
