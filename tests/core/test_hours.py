"""When a pause is scheduled, on New York's clock, whatever the season."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.answers import Hours, Schedule, Window
from core.hours import HOUR_NS, Pause, eastern_offset_ns, is_pause_scheduled, next_pause

NEW_YORK = ZoneInfo("America/New_York")
SECOND_NS = 10**9


def eastern(text: str) -> int:
    """Unix ns of a time on New York's clock."""
    return int(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp()) * SECOND_NS


@given(st.integers(min_value=1_199_145_600, max_value=4_102_444_800))
def test_the_offset_is_that_of_the_time_zone_database(at_s: int) -> None:
    offset = datetime.fromtimestamp(at_s, UTC).astimezone(NEW_YORK).utcoffset()
    assert offset is not None
    assert eastern_offset_ns(at_s * SECOND_NS) == int(offset.total_seconds()) * SECOND_NS


@pytest.mark.parametrize(
    ("at", "paused"),
    [
        ("2026-11-26T02:59:59", False),
        ("2026-11-26T03:00:00", True),
        ("2026-11-26T04:59:59", True),
        ("2026-11-26T05:00:00", False),
        ("2026-07-16T03:30:00", True),  # daylight time
        ("2026-11-25T03:30:00", False),  # a Wednesday
    ],
)
@pytest.mark.parametrize("schedule", [None, Schedule()])
def test_the_weekly_maintenance_is_known_without_a_schedule(at: str, paused: bool, schedule: Schedule | None) -> None:
    assert is_pause_scheduled(schedule, eastern(at)) is paused


def test_a_window_of_the_schedule_is_a_pause() -> None:
    at_ns = eastern("2026-11-24T12:00:00")
    schedule = Schedule(maintenance=(Window(at_ns, at_ns + HOUR_NS),))
    assert is_pause_scheduled(schedule, at_ns)
    assert not is_pause_scheduled(schedule, at_ns + HOUR_NS)
    assert next_pause(schedule, at_ns - HOUR_NS) == Pause(at_ns, at_ns + HOUR_NS)


def test_the_time_between_regular_hours_is_a_pause() -> None:
    every_day = tuple(Hours(weekday, 8 * 60, 3 * 60) for weekday in range(7))  # 08:00 to 03:00 the next day
    schedule = Schedule(hours=every_day)
    assert is_pause_scheduled(schedule, eastern("2026-11-24T05:00:00"))
    assert not is_pause_scheduled(schedule, eastern("2026-11-24T02:00:00"))
    assert not is_pause_scheduled(schedule, eastern("2026-11-24T23:30:00"))


def test_hours_count_while_they_are_in_force() -> None:
    until_ns = eastern("2026-11-25T00:00:00")
    short = tuple(Hours(weekday, 8 * 60, 20 * 60, 0, until_ns) for weekday in range(7))
    whole = tuple(Hours(weekday, 0, 0, until_ns, 0) for weekday in range(7))
    schedule = Schedule(hours=short + whole)
    assert is_pause_scheduled(schedule, eastern("2026-11-24T22:00:00"))
    assert not is_pause_scheduled(schedule, eastern("2026-11-25T22:00:00"))
    assert not is_pause_scheduled(Schedule(hours=whole), eastern("2026-11-24T22:00:00"))


def test_hours_around_the_clock_are_no_pause() -> None:
    schedule = Schedule(hours=tuple(Hours(weekday, 0, 0) for weekday in range(7)))
    assert not is_pause_scheduled(schedule, eastern("2026-11-24T00:00:00"))
    assert not is_pause_scheduled(schedule, eastern("2026-03-08T12:00:00"))  # a day of 23 hours


def test_the_next_pause_is_the_one_that_is_on() -> None:
    at_ns = eastern("2026-11-26T04:00:00")
    found = next_pause(None, at_ns)
    assert found == Pause(eastern("2026-11-26T03:00:00"), eastern("2026-11-26T05:00:00"))
    assert next_pause(None, found.until_ns) == Pause(eastern("2026-12-03T03:00:00"), eastern("2026-12-03T05:00:00"))
