"""capture.tape.background: a thread that repeats, and the order in which segments are sealed."""

import threading
from pathlib import Path

import pytest

from capture.tape.background import SealWorker, Worker
from capture.tape.errors import DiskError, TapeDamaged, TapeError

WAIT_S = 20.0
NOBODY: list[BaseException] = []


def test_a_worker_calls_again_and_again_and_stops() -> None:
    calls: list[int] = []
    thrice = threading.Event()

    def step() -> None:
        calls.append(1)
        if len(calls) == 3:
            thrice.set()

    worker = Worker("test", step, 0.001, NOBODY.append)
    worker.start()
    assert thrice.wait(WAIT_S)
    worker.stop()
    before = len(calls)
    worker.wake()
    assert len(calls) == before


def test_a_worker_without_an_interval_works_when_woken_only() -> None:
    called = threading.Event()
    worker = Worker("test", called.set, None, NOBODY.append)
    worker.start()
    assert not called.is_set()
    worker.wake()
    assert called.wait(WAIT_S)
    worker.stop()


def test_a_worker_that_was_never_started_can_be_stopped() -> None:
    Worker("test", lambda: None, None, NOBODY.append).stop()


def test_what_escapes_from_a_worker_is_told_and_ends_it() -> None:
    told: list[BaseException] = []
    done = threading.Event()

    def note(error: BaseException) -> None:
        told.append(error)
        done.set()

    def fail() -> None:
        raise IndexError("oops")

    worker = Worker("test", fail, 0.001, note)
    worker.start()
    assert done.wait(WAIT_S)
    worker.stop()
    assert isinstance(told[0], IndexError) and worker.fault is told[0] and len(told) == 1


class Sealer:
    """Seals nothing; remembers what it was asked, and fails the numbers in `failing`."""

    def __init__(self) -> None:
        self.sealed: list[int] = []
        self.failing: dict[int, Exception] = {}
        self.asked = threading.Event()

    def __call__(self, _: Path, number: int) -> None:
        self.asked.set()
        if number in self.failing:
            raise self.failing[number]
        self.sealed.append(number)


def test_segments_are_sealed_in_the_order_in_which_they_were_finished(tmp_path: Path) -> None:
    sealer = Sealer()
    worker = SealWorker(tmp_path, sealer)
    for number in range(1, 30):
        worker.submit(number)
    worker.drain()
    worker.stop()
    assert sealer.sealed == list(range(1, 30))


def test_a_segment_is_sealed_without_anyone_waiting_for_it(tmp_path: Path) -> None:
    sealer = Sealer()
    worker = SealWorker(tmp_path, sealer)
    worker.submit(1)
    assert sealer.asked.wait(WAIT_S)
    worker.stop()
    assert sealer.sealed == [1]


def test_one_that_cannot_be_sealed_holds_up_those_behind_it_and_is_tried_again(tmp_path: Path) -> None:
    sealer = Sealer()
    sealer.failing[2] = TapeDamaged("00000002.wal: is odd; look at it")
    worker = SealWorker(tmp_path, sealer)
    for number in (1, 2, 3):
        worker.submit(number)
    with pytest.raises(TapeDamaged, match="is odd"):
        worker.drain()
    assert sealer.sealed == [1]
    sealer.failing.clear()
    worker.drain()
    worker.stop()
    assert (sealer.sealed, worker.problem) == ([1, 2, 3], "")


def test_a_problem_in_the_background_is_shown_until_it_is_gone(tmp_path: Path) -> None:
    sealer = Sealer()
    sealer.failing[1] = DiskError("tape: cannot seal; free some space")
    worker = SealWorker(tmp_path, sealer)
    worker.submit(1)
    assert sealer.asked.wait(WAIT_S)
    worker.stop()
    assert worker.problem == "tape: cannot seal; free some space"
    sealer.failing.clear()
    worker.drain()
    assert worker.problem == ""


def test_an_error_of_the_system_is_told_as_one_of_the_tape(tmp_path: Path) -> None:
    sealer = Sealer()
    sealer.failing[1] = PermissionError(13, "Permission denied")
    worker = SealWorker(tmp_path, sealer)
    worker.submit(1)
    with pytest.raises(TapeError, match="cannot seal hot segment 1: Permission denied"):
        worker.drain()
    worker.stop()


def test_a_bug_in_the_sealer_is_shown_and_raised_to_whoever_waits(tmp_path: Path) -> None:
    sealer = Sealer()
    sealer.failing[1] = ZeroDivisionError("oops")
    worker = SealWorker(tmp_path, sealer)
    worker.submit(1)
    assert sealer.asked.wait(WAIT_S)
    worker.stop()
    assert "stopped by a bug: ZeroDivisionError" in worker.problem
    with pytest.raises(ZeroDivisionError):
        worker.drain()
