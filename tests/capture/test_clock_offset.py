"""capture.clock_offset: how far apart two clocks are, by a header that names whole seconds."""

from email.utils import formatdate

import pytest

from capture.clock_offset import ClockOffset

SECOND_NS = 10**9
NOW_NS = 1_795_435_200 * SECOND_NS


@pytest.mark.parametrize("ahead_s", [-30, 0, 1, 3_600])
def test_the_offset_is_exact_to_half_a_second(ahead_s: int) -> None:
    clock = ClockOffset()
    clock.observe(formatdate(NOW_NS // SECOND_NS + ahead_s, usegmt=True), 0, NOW_NS, NOW_NS + SECOND_NS)
    assert clock.offset_ns == ahead_s * SECOND_NS  # half a second is cut off, and half of the way is behind us


@pytest.mark.parametrize("date", ["", "yesterday", "Thu, 99 Nov 2026 20:00:00 GMT"])
def test_what_is_no_date_says_nothing(date: str) -> None:
    clock = ClockOffset()
    clock.observe(date, 0, NOW_NS, NOW_NS)
    assert clock.offset_ns is None


def test_an_answer_out_of_a_cache_says_nothing() -> None:
    clock = ClockOffset()
    clock.observe(formatdate(0, usegmt=True), 7, NOW_NS, NOW_NS)
    assert clock.offset_ns is None
