"""capture.tape.clock: two stamps, and how much the wall clock was set."""

from collections.abc import Iterator

from writing import HandClock

from capture.tape.clock import STEP_NS, Stamper, SystemClock


class StoppedBetween(HandClock):
    """A clock whose reader is stopped for a while after each wall reading that is listed."""

    def __init__(self, pauses: Iterator[int]) -> None:
        super().__init__()
        self.pauses = pauses

    def wall_ns(self) -> int:
        wall = super().wall_ns()
        pause = next(self.pauses, 0)
        self.wall += pause
        self.mono += pause
        return wall


def test_clocks_that_go_together_have_not_moved() -> None:
    clock = HandClock()
    stamper = Stamper(clock)
    for seconds in (0.0, 0.001, 5.0, 86_400.0):
        clock.advance(seconds)
        assert stamper.stamp() == (clock.wall, clock.mono)
    assert stamper.moved_ns == 0


def test_a_wall_clock_set_forward_or_back_has_moved_by_that() -> None:
    for step in (STEP_NS + 1, -STEP_NS - 1, 3 * 3600 * 10**9, -3600 * 10**9):
        clock = HandClock()
        stamper = Stamper(clock)
        clock.advance(1)
        clock.wall += step
        assert stamper.stamp() == (clock.wall, clock.mono)
        assert stamper.moved_ns == step


def test_a_slow_drift_is_no_step() -> None:
    clock = HandClock()
    stamper = Stamper(clock)
    for _ in range(100):
        clock.advance(1)
        clock.wall += STEP_NS
        stamper.stamp()
    assert stamper.moved_ns == 0


def test_steps_add_up_until_they_are_told() -> None:
    clock = HandClock()
    stamper = Stamper(clock)
    for step in (STEP_NS * 2, STEP_NS * 3):
        clock.wall += step
        stamper.stamp()
    assert stamper.moved_ns == STEP_NS * 5


def test_being_stopped_between_the_two_readings_is_no_step() -> None:
    stamper = Stamper(StoppedBetween(iter([0, 0, 60 * 10**9, 0, 0])))
    for _ in range(4):
        stamper.stamp()
    assert stamper.moved_ns == 0


def test_the_system_clock_reads_ns_since_1970_and_never_goes_back() -> None:
    clock = SystemClock()
    assert clock.wall_ns() > 1_700_000_000 * 10**9
    assert clock.mono_ns() <= clock.mono_ns()
