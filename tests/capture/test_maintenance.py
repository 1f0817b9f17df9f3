"""Pauses of the exchange as gaps of their own reason."""

import pytest

from capture.maintenance import ACTIVE_NS, PAUSED_NS, Answer, Pause
from core.records import Kind, StoredGap
from core.times import SECOND_NS

NOW_NS = 1_786_410_000 * SECOND_NS
ACTIVE = Answer(True, True, is_scheduled=False)
SILENT = Answer(None, None, is_scheduled=False)


def test_an_active_exchange_is_no_gap_and_is_asked_every_half_minute() -> None:
    pause = Pause()
    assert pause.observe(ACTIVE, NOW_NS) is None
    assert pause.observe(ACTIVE, NOW_NS + ACTIVE_NS) is None
    assert pause.next_ns(NOW_NS) == NOW_NS + ACTIVE_NS
    assert not pause.is_on


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (Answer(False, False, is_scheduled=True), "the exchange is paused, as scheduled"),
        (Answer(True, False, is_scheduled=True), "trading is paused, as scheduled"),
        (Answer(False, True, is_scheduled=False), "the exchange is paused, outside its schedule"),
    ],
)
def test_a_pause_is_one_gap_from_the_last_active_answer_to_the_next(answer: Answer, detail: str) -> None:
    pause = Pause()
    pause.observe(ACTIVE, NOW_NS)
    assert pause.observe(answer, NOW_NS + 30) == (
        Kind.GAP_OPEN,
        StoredGap("maintenance", from_ns=NOW_NS, detail=detail),
    )
    assert pause.is_on
    assert pause.next_ns(NOW_NS) == NOW_NS + PAUSED_NS
    assert pause.observe(answer, NOW_NS + 40) is None
    assert pause.observe(ACTIVE, NOW_NS + 50) == (Kind.GAP_CLOSE, StoredGap("maintenance", until_ns=NOW_NS + 50))
    assert not pause.is_on


def test_no_answer_outside_the_schedule_is_no_pause() -> None:
    pause = Pause()
    assert pause.observe(SILENT, NOW_NS) is None
    assert not pause.is_on


def test_no_answer_within_the_schedule_is_a_pause_that_only_an_answer_ends() -> None:
    pause = Pause()
    opened = pause.observe(Answer(None, None, is_scheduled=True), NOW_NS)
    assert opened == (Kind.GAP_OPEN, StoredGap("maintenance", from_ns=NOW_NS, detail="no answer, as scheduled"))
    assert pause.observe(SILENT, NOW_NS + 1) is None, "the schedule is over, but nobody says that it is active"
    assert pause.is_on
    assert pause.observe(ACTIVE, NOW_NS + 2) is not None


def test_an_active_exchange_within_a_scheduled_pause_is_active() -> None:
    pause = Pause()
    assert pause.observe(Answer(True, True, is_scheduled=True), NOW_NS) is None


def test_an_answer_that_says_nothing_of_trading_is_taken_for_active() -> None:
    pause = Pause()
    assert pause.observe(Answer(True, None, is_scheduled=False), NOW_NS) is None
