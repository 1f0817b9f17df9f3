"""The alarm: one TICK for each timer, never early, and none while the strategies have not come to the last one."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from live import until
from lives import CALM
from writing import ENOSPC, FaultyDisk, session

from capture.tape.reader import Tape
from capture.tape.writer import TapeWriter
from capture.trading.alarm import Alarm
from core.actions import decode_tick
from core.records import Kind, Record

MS = 1_000_000


class Ringing:
    """An alarm with a tape on the real clock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.disk = FaultyDisk()
        self.writer = TapeWriter.create(path, "demo", session(), options=CALM, disk=self.disk)
        self.alarm = Alarm(self.writer)
        self.alarm.start()

    def set_in(self, span_ns: int, stepped: int) -> int:
        """A timer that is due so long after now; when that is by the wall clock."""
        now_ns, mono_ns = time.time_ns(), time.monotonic_ns()
        self.alarm.set(now_ns + span_ns, now_ns, mono_ns, stepped)
        return now_ns + span_ns

    def ticks(self) -> list[Record]:
        return [record for record in Tape.open(self.path).records() if record.kind == Kind.TICK]


@pytest.fixture
def ringing(tmp_path: Path) -> Iterator[Ringing]:
    made = Ringing(tmp_path / "tape")
    yield made
    assert made.alarm.stop(5.0)
    made.writer.close()


def test_each_timer_has_one_tick_and_none_is_early(ringing: Ringing) -> None:
    stepped = ringing.writer.head_seq
    for number in range(1, 6):
        due_ns = ringing.set_in(number * 3 * MS, stepped)
        until(lambda n=number: len(ringing.ticks()) == n, "a tick")  # type: ignore[misc]  # a default that binds
        tick = ringing.ticks()[-1]
        assert decode_tick(tick.payload).due_ns == due_ns <= tick.at_ns
        stepped = tick.seq
    ringing.set_in(-MS, stepped)  # one that is due already
    until(lambda: len(ringing.ticks()) == 6, "the tick of what is due")


def test_a_timer_that_is_set_anew_rings_once(ringing: Ringing) -> None:
    stepped = ringing.writer.head_seq
    ringing.set_in(3_600_000 * MS, stepped)
    due_ns = ringing.set_in(2 * MS, stepped)
    until(ringing.ticks, "the tick")
    ringing.alarm.set(0, 0, 0, ringing.writer.head_seq)
    assert ringing.alarm.stop(5.0)
    assert [decode_tick(tick.payload).due_ns for tick in ringing.ticks()] == [due_ns]


def test_no_tick_comes_while_the_last_one_was_not_stepped(ringing: Ringing) -> None:
    before = ringing.writer.head_seq
    ringing.set_in(0, before)
    until(ringing.ticks, "the first tick")
    for _ in range(3):
        ringing.set_in(0, before)  # batches from before the tick
    due_ns = ringing.set_in(0, ringing.ticks()[0].seq)
    until(lambda: len(ringing.ticks()) > 1, "the second tick")
    assert [decode_tick(tick.payload).due_ns for tick in ringing.ticks()][1:] == [due_ns]


def test_a_full_disk_costs_a_tick_and_not_the_alarm(ringing: Ringing) -> None:
    ringing.disk.faults["write"] = [ENOSPC]
    ringing.set_in(0, ringing.writer.head_seq)
    until(lambda: ringing.disk.calls.count("write") and not ringing.disk.faults["write"], "the refusal")
    ringing.set_in(0, ringing.writer.head_seq)
    until(ringing.ticks, "the tick")
