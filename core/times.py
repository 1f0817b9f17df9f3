"""Instants as Unix nanoseconds, and the texts and numbers the exchange writes them in.

Knows calendars only. There is no clock here: what time it is, a record says.
"""

import re
from typing import Final

SECOND_NS: Final = 1_000_000_000
MILLISECOND_NS: Final = 1_000_000

FIRST_NS: Final = 946_684_800 * SECOND_NS
"""2000-01-01T00:00:00Z: no stamp on a tape is earlier."""

END_NS: Final = 4_133_980_800 * SECOND_NS
"""2101-01-01T00:00:00Z: every stamp on a tape is earlier."""

MILLISECONDS_FROM: Final = 10**11
"""An integer stamp below this counts seconds, from here on milliseconds; the name of a field does not tell."""

_SECOND_CACHE: Final = 4096  # different seconds: an hour of stamps, which come nearly in order
_SHOWN: Final = 40  # characters of a refused text that an error names
_MILLIS: Final = {f"{number:03d}": number * MILLISECOND_NS for number in range(1000)}
"""ns of the first three digits of a fraction."""

_MICROS: Final[dict[str, int]] = {"Z": 0} | {
    f"{number:0{width}d}Z": number * 10 ** (6 - width) for width in (1, 2, 3) for number in range(10**width)
}
"""ns of what follows them in a stamp of whole microseconds, as the exchange writes it."""

_SCALE: Final = (10**9, 10**8, 10**7, 10**6, 10**5, 10**4, 1000, 100, 10, 1)  # ns of the last of so many digits

_SECOND: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})")
_ZONED: Final = re.compile(r"(?:\.([0-9]{1,9}))?([+-])([0-9]{2}):([0-9]{2})")  # what follows the seconds


def days_from_civil(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 to a date of the Gregorian calendar; a day beyond its month's end counts on."""
    shifted = year - (1 if month <= 2 else 0)  # years from March, so that the leap day is a year's last
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return shifted * 365 + shifted // 4 - shifted // 100 + shifted // 400 + of_year - 719_468


def _days_in_month(year: int, month: int) -> int:
    following = (year, month + 1) if month < 12 else (year + 1, 1)
    return days_from_civil(*following, 1) - days_from_civil(year, month, 1)


def _second(text: str) -> int:
    """Unix seconds of `2026-08-11T00:16:45`, read as UTC; ValueError when there is no such second."""
    found = _SECOND.fullmatch(text)
    if found is None:
        raise ValueError(f"not a date and time: {text!r}")
    year, month, day, hour, minute, second = map(int, found.groups())
    if not 1 <= month <= 12 or not 1 <= day <= _days_in_month(year, month):
        raise ValueError(f"no such day: {text!r}")
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError(f"no such time of day: {text!r}")
    return ((days_from_civil(year, month, day) * 24 + hour) * 60 + minute) * 60 + second


class _Seconds(dict[str, int]):
    """Unix ns of seconds in UTC, by their text with the point that follows (`2026-08-11T00:16:45.`): those met last."""

    def __missing__(self, text: str) -> int:
        """Raises ValueError outside 2000 to 2100 or when it is no such text."""
        if text[19:] != ".":
            raise ValueError(f"not a time and a point: {text[:_SHOWN]!r}")
        at_ns = _checked(_second(text[:19]) * SECOND_NS, text)
        if len(self) >= _SECOND_CACHE:
            self.clear()
        self[text] = at_ns
        return at_ns


_SECONDS: Final = _Seconds()


def _checked(at_ns: int, text: str) -> int:
    if not FIRST_NS <= at_ns < END_NS:
        raise ValueError(f"not a time from 2000 to 2100: {text[:_SHOWN]!r}")
    return at_ns


def parse_rfc3339(text: str) -> int:
    """Unix ns of `2026-08-11T00:16:45.236Z`: 0 to 9 fraction digits, Z or an offset; ValueError when it is none."""
    try:
        return _SECONDS[text[:20]] + _MILLIS[text[20:23]] + _MICROS[text[23:]]
    except (KeyError, ValueError):
        return _parse_any(text)


def _parse_any(text: str) -> int:
    fraction = text[20:-1]
    if fraction.isdecimal() and text.isascii() and text[19] == "." and text[-1] == "Z" and len(fraction) < 10:
        return _SECONDS[text[:20]] + int(fraction) * _SCALE[len(fraction)]
    if text[19:] == "Z":
        return _SECONDS[f"{text[:19]}."]
    return _parse_zoned(text)


def _parse_zoned(text: str) -> int:
    found = _ZONED.fullmatch(text[19:])
    if found is None or int(found[3]) > 23 or int(found[4]) > 59:
        raise ValueError(f"no date, time, fraction and zone: {text[:_SHOWN]!r}")
    fraction = found[1] or ""
    ahead_s = (int(found[3]) * 60 + int(found[4])) * (-60 if found[2] == "-" else 60)
    within_ns = int(fraction or 0) * _SCALE[len(fraction)]
    return _checked((_second(text[:19]) - ahead_s) * SECOND_NS + within_ns, text)


def from_epoch(value: int) -> int:
    """Unix ns of an integer stamp in seconds or milliseconds, told apart by size; ValueError outside 2000 to 2100."""
    at_ns = value * (SECOND_NS if value < MILLISECONDS_FROM else MILLISECOND_NS)
    if not FIRST_NS <= at_ns < END_NS:
        shown = value if abs(value) < 10**_SHOWN else f"an integer of {value.bit_length()} bits"
        raise ValueError(f"neither seconds nor milliseconds of a time from 2000 to 2100: {shown}")
    return at_ns
