"""capture.hook: somebody else's function, and that it can do no harm."""

import threading
from collections.abc import Callable

import pytest
from live import until

from capture.hook import MAX_FAULTS, Hook
from core.engine import Step
from core.records import Kind, Record

STEP = Step(1, None, None, ())


class Noted:
    """A log that keeps what it is given."""

    def __init__(self) -> None:
        self.faults: list[bytes] = []

    def append(self, kind: int, payload: bytes, connection: int = 0) -> int:
        assert (kind, connection) == (Kind.FAULT, 0)
        self.faults.append(payload)
        return 0


def steps(count: int, first: int = 0) -> list[tuple[Record, Step]]:
    return [(Record(seq, 0, 0, 0, Kind.FRAME, b""), STEP) for seq in range(first, first + count)]


def test_every_step_is_handed_over_once_and_in_order_and_stopping_waits_for_the_last() -> None:
    seen: list[int] = []
    hook = Hook(lambda record, _: seen.append(record.seq), Noted())
    hook.put(steps(50))
    hook.start()
    hook.put(steps(50, 50))
    assert hook.stop(5.0)
    assert seen == list(range(100))
    assert (hook.lag, hook.detached) == (0, "")


@pytest.mark.parametrize("error", [ValueError, RecursionError, MemoryError, SystemExit, GeneratorExit, KeyError])
def test_what_it_raises_is_a_fault_and_after_a_few_it_is_called_no_more(error: type[BaseException]) -> None:
    log, seen = Noted(), list[int]()

    def fail(record: Record, _: Step) -> None:
        seen.append(record.seq)
        raise error("no")

    hook = Hook(fail, log)
    hook.put(steps(10))
    hook.start()
    until(lambda: hook.detached, "the end of it")
    assert hook.stop(5.0)
    assert seen == [0, 1, 2]
    assert len(log.faults) == MAX_FAULTS + 1
    assert error.__name__.encode() in log.faults[0]
    assert b"detached: it raised 3 times" in log.faults[-1]
    hook.put(steps(1))


def test_one_that_hangs_is_let_go_when_its_queue_is_full_and_holds_up_nobody() -> None:
    log, release, entered = Noted(), threading.Event(), threading.Event()

    def hang(_record: Record, _step: Step) -> None:
        entered.set()
        release.wait(30)

    hook = Hook(hang, log, capacity=10)
    hook.start()
    hook.put(steps(1))
    assert entered.wait(10)
    hook.put(steps(10))
    assert hook.detached == ""
    hook.put(steps(1))
    assert hook.detached == "it was 10 steps behind"
    assert len(log.faults) == 1
    assert not hook.stop(0.01)
    release.set()
    assert hook.stop(5.0)


def test_a_hook_that_was_never_started_stops() -> None:
    call: Callable[[Record, Step], None] = lambda _record, _step: None  # noqa: E731  # shorter than a function
    assert Hook(call, Noted()).stop(0.0)
