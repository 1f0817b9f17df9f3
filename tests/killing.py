"""Killing a recorder again and again, and what the exchange sent compared with what is on the tape afterwards.

Knows the exchange's own notes of what it wrote to each socket. Must not know how a tape is stored.
"""

import random
import signal
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from recorded_exchange import Recording, frames_on

from capture.tape.reader import Tape
from core.engine import Engine
from core.gaps import Gap
from core.records import Kind
from replay.exchange.framing import TEXT
from replay.exchange.local import LocalExchange, SentSession
from replay.exchange.outbox import SentFrame

LOSS_NS: Final = 50_000_000
"""What the death of the recorder may cost: the frames of the last 50 ms."""

TICK_S: Final = 0.002


class Metronome:
    """How long this machine let its processes stand still lately: a thread that wants to wake every 2 ms.

    A recorder that is given no processor cannot read, and no promise covers that; `stall_ns` tells how long it was.
    """

    def __init__(self) -> None:
        self._over = threading.Event()
        self._worst_ns = 0
        self._last_ns = time.monotonic_ns()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Metronome":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(TICK_S):
            now_ns = time.monotonic_ns()
            self._worst_ns = max(self._worst_ns, now_ns - self._last_ns)
            self._last_ns = now_ns

    def stall_ns(self) -> int:
        """The longest standstill since the last call."""
        worst_ns = max(self._worst_ns, time.monotonic_ns() - self._last_ns)
        self._worst_ns = 0
        return worst_ns


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill: when, how many text frames the tape held right after, and the machine's worst standstill.

    at_ns, dead_ns: Unix ns before the signal was sent and after the process was gone; in between it may still append.
    """

    at_ns: int
    dead_ns: int
    frames_on_tape: int
    stall_ns: int


@dataclass(slots=True)
class Toll:
    """What all kills cost: the age in ns of the oldest frame lost by each, and the number of frames lost."""

    ages_ns: list[int] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)


def kill_while_recording(exchange: LocalExchange, tape: Path, dice: random.Random) -> Kill:
    """Record, and kill -9 the recorder at an instant of the dice while frames arrive."""
    pause = threading.Event()  # never set: the instant is random, nothing is waited for
    with Recording(exchange, tape, "--all") as recording:
        recording.wait_state("recording")
        with Metronome() as metronome:
            pause.wait(dice.uniform(0.05, 1.2))
            at_ns = time.time_ns()
            recording.send(signal.SIGKILL)
            assert recording.ended()[0] == -signal.SIGKILL
            dead_ns = time.time_ns()
            stall_ns = metronome.stall_ns()
    exchange.control("pause")  # reading a tape that grows takes ever longer, and the recording must last for every kill
    frames_on_tape = len(frames_on(tape))
    exchange.control("resume")
    return Kill(at_ns, dead_ns, frames_on_tape, stall_ns)


def texts_sent(session: SentSession) -> list[SentFrame]:
    """The text frames that a session was sent, in order."""
    return [frame for frame in session.kept if frame.opcode == TEXT]


def lives_on(tape: Path) -> list[list[bytes]]:
    """The text frames on a tape, by connection that brought any, in order."""
    lives: dict[tuple[int, int], list[bytes]] = {}
    session = 0
    for record in Tape.open(tape).records():
        session += record.kind == Kind.SESSION
        if record.kind == Kind.FRAME:
            lives.setdefault((session, record.connection), []).append(record.payload)
    return list(lives.values())


def gaps_on(tape: Path) -> list[Gap]:
    """Every gap that the engine derives from a tape, as it was when it closed; those that never did are open."""
    engine, found = Engine(), dict[int, Gap]()
    for record in Tape.open(tape).records():
        for gap in engine.step(record).gaps:
            found[gap.number] = gap
    return list(found.values())


def toll_of(kill: Kill, sent: list[SentFrame], kept: list[bytes], toll: Toll) -> None:
    """Require that what was kept is an exact prefix of what was sent, and enter what is missing of it.

    Frames written after the kill went to nobody: they belong to the time without a recorder.
    """
    assert kept == [frame.payload for frame in sent[: len(kept)]], "altered, doubled, reordered or missing inside"
    lost = [frame for frame in sent[len(kept) :] if frame.at_ns < kill.at_ns]
    toll.frames.append(len(lost))
    toll.ages_ns.append(kill.at_ns - lost[0].at_ns if lost else 0)
