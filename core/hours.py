"""When the exchange means to be paused: its schedule, on New York's clock.

Knows the calendar rule of United States daylight saving time and the weekly maintenance. There is no clock here: the
instant is told.
"""

from typing import Final

import msgspec

from core.answers.types import Schedule, Window
from core.times import SECOND_NS, days_from_civil

HOUR_NS: Final = 3_600 * SECOND_NS
DAY_NS: Final = 24 * HOUR_NS
MINUTE_NS: Final = 60 * SECOND_NS

THURSDAY: Final = 3
MAINTENANCE_MIN: Final = (3 * 60, 5 * 60)
"""Thursday 03:00 to 05:00 Eastern: the documented weekly maintenance (protocol 16.2)."""

_EPOCH_WEEKDAY: Final = 3  # 1970-01-01 was a Thursday, counted from Monday
_LOOK_DAYS: Final = 9  # a weekly rule shows itself within


class Pause(msgspec.Struct, frozen=True, order=True):
    """A scheduled pause, Unix ns."""

    from_ns: int
    until_ns: int


def is_pause_scheduled(schedule: Schedule | None, now_ns: int) -> bool:
    """Whether the schedule has the exchange paused at this instant; None = the documented weekly maintenance alone."""
    return any(pause.from_ns <= now_ns < pause.until_ns for pause in _pauses(schedule, now_ns))


def next_pause(schedule: Schedule | None, now_ns: int) -> Pause | None:
    """The pause that is on, or the next one within a week; None when there is none."""
    return min((pause for pause in _pauses(schedule, now_ns) if pause.until_ns > now_ns), default=None)


def eastern_offset_ns(at_ns: int) -> int:
    """What to add to UTC for New York's time: -4 h from the second Sunday of March, 02:00, to the first of November."""
    year = _year_of(at_ns // DAY_NS)
    # 02:00 standard time is 07:00 UTC, 02:00 daylight time is 06:00 UTC
    begins_ns = _nth_sunday(year, 3, 2) * DAY_NS + 7 * HOUR_NS
    ends_ns = _nth_sunday(year, 11, 1) * DAY_NS + 6 * HOUR_NS
    return (-4 if begins_ns <= at_ns < ends_ns else -5) * HOUR_NS


def _pauses(schedule: Schedule | None, now_ns: int) -> list[Pause]:
    first_day = (now_ns + eastern_offset_ns(now_ns)) // DAY_NS - 1
    found = [
        _span(day, *MAINTENANCE_MIN) for day in range(first_day, first_day + _LOOK_DAYS) if _weekday(day) == THURSDAY
    ]
    if schedule is None:
        return found
    found += [Pause(window.from_ns, window.until_ns) for window in schedule.maintenance]
    return found + (_closed(schedule, first_day) if schedule.hours else [])


def _closed(schedule: Schedule, first_day: int) -> list[Pause]:
    """The times between the regular hours, over the days from that one on."""
    opened: list[Window] = []
    for day in range(first_day, first_day + _LOOK_DAYS):
        for hours in schedule.hours:
            if hours.weekday == _weekday(day):
                close_min = hours.close_min if hours.close_min > hours.open_min else hours.close_min + 1_440
                span = _span(day, hours.open_min, close_min)
                if span.from_ns < hours.from_ns or (hours.until_ns and span.from_ns >= hours.until_ns):
                    continue  # in force at another time
                opened.append(Window(span.from_ns, span.until_ns))
    opened.sort(key=lambda window: window.from_ns)
    found, until_ns = [], opened[0].until_ns if opened else 0
    for window in opened[1:]:
        if window.from_ns > until_ns:
            found.append(Pause(until_ns, window.from_ns))
        until_ns = max(until_ns, window.until_ns)
    return found


def _span(day: int, from_min: int, until_min: int) -> Pause:
    return Pause(_instant(day, from_min), _instant(day, until_min))


def _instant(day: int, minute: int) -> int:
    """Unix ns of a minute of a day on New York's clock."""
    local_ns = day * DAY_NS + minute * MINUTE_NS
    return local_ns - eastern_offset_ns(local_ns + 5 * HOUR_NS)


def _weekday(day: int) -> int:
    return (day + _EPOCH_WEEKDAY) % 7


def _nth_sunday(year: int, month: int, n: int) -> int:
    first = days_from_civil(year, month, 1)
    return first + (6 - _weekday(first)) % 7 + 7 * (n - 1)


def _year_of(day: int) -> int:
    year = 1970 + day // 366
    while days_from_civil(year + 1, 1, 1) <= day:
        year += 1
    return year
