"""Tests of strategies at work: hooks, timers, and exceptions that are not theirs. The rest is in test_host.py."""

from collections.abc import Callable
from typing import Any

import pytest

from core.context import Context
from core.seats import MAX_TIMERS, Seat, Seats, directly
from core.strategy import Strategy


class Deadline(Exception):  # noqa: N818  what the caller of the host raises
    """Not the strategy's failure."""


class Noting(Strategy):
    def __init__(self, params: Any, notes: list[Any]) -> None:
        super().__init__(params)
        self.notes = notes

    def on_timer(self, _ctx: Context, name: str) -> None:
        self.notes.append((self.params, name))
        if name == "late":
            raise Deadline
        if name == "bad":
            raise ValueError("x" * 1_000)


def seats(notes: list[Any], run: Callable[..., None] = directly) -> Seats:
    found = Seats(run, (Deadline,), lambda seat: notes.append(f"{seat.name} failed"))
    for number, name in enumerate("ab"):
        found.add(Seat(number, name, Noting(name, notes), None))  # type: ignore[arg-type]  # nobody looks
    return found


def test_hooks_run_within_what_the_caller_wants_around_them() -> None:
    notes: list[Any] = []

    def run(hook: Callable[..., None], *arguments: Any) -> None:
        notes.append(hook.__name__)
        hook(*arguments)

    found = seats(notes, run)
    found.tell("on_timer", "x")
    found.tell("on_start")  # nobody overrides it
    assert notes == ["on_timer", ("a", "x"), "on_timer", ("b", "x")]


def test_an_exception_of_the_callers_passes_through() -> None:
    notes: list[Any] = []
    found = seats(notes)
    with pytest.raises(Deadline):
        found.tell("on_timer", "late")
    assert found.faults == []
    assert found.seats[0].failed == ""


def test_a_failure_is_told_in_a_few_words_and_once() -> None:
    notes: list[Any] = []
    found = seats(notes)
    found.wake(0, "t", 5)
    found.call(found.named("a"), "on_timer", "bad")
    found.call(found.named("a"), "on_timer", "bad")
    assert notes == [("a", "bad"), "a failed"]
    assert [(fault.where, len(fault.error)) for fault in found.faults] == [("strategy a", 300)]
    assert found.next_wake_ns == 0
    assert found.named("c") is None
    found.call(None, "on_timer", "x")


def test_timers_of_all_go_off_in_the_order_of_their_times() -> None:
    notes: list[Any] = []
    found = seats(notes)
    for number, name, at_ns in ((1, "x", 5), (0, "y", 6), (0, "x", 5), (0, "z", 7)):
        found.wake(number, name, at_ns)
    assert found.next_wake_ns == 5
    found.tick(6)
    assert notes == [("a", "x"), ("b", "x"), ("a", "y")]
    assert found.next_wake_ns == 7


def test_timers_without_end_are_refused() -> None:
    found = seats([])
    for number in range(MAX_TIMERS):
        found.wake(0, f"{number}", 1)
    found.wake(0, "0", 2)
    with pytest.raises(ValueError, match=f"{MAX_TIMERS} timers are set"):
        found.wake(0, "one more", 1)
