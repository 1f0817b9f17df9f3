"""Times and durations as people write them, in and out of Unix nanoseconds.

Knows the forms that every command accepts (`FORMS`) and the one form in which times are shown. Must not know tapes.
A time without a zone is UTC. `ET` is the exchange's own zone, New York with its summer time.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

FORMS: Final = "Unix nanoseconds, 2026-08-11T00:16:45.236Z, '2026-08-10 20:16:45 ET' (no zone = UTC), or end"

_MAX_NS: Final = (1 << 63) - 1
_EASTERN: Final = "America/New_York"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIXED: Final = {
    "": UTC,
    "Z": UTC,
    "UTC": UTC,
    "GMT": UTC,
    "EST": timezone(timedelta(hours=-5)),
    "EDT": timezone(timedelta(hours=-4)),
}
_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)? ?(Z|UTC|GMT|E[SD]?T|[+-]\d\d:?\d\d)?",
    re.ASCII | re.IGNORECASE,
)
_DURATION: Final = re.compile(r"(\d+)(?:\.(\d{1,9}))? ?(ns|us|ms|s|m|h|d)", re.ASCII)
_UNITS: Final = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60 * 1_000_000_000,
    "h": 3_600 * 1_000_000_000,
    "d": 86_400 * 1_000_000_000,
}


def parse_time(text: str) -> int | None:
    """Unix ns of a time in one of FORMS; None for `end`. Raises ValueError naming the text and the forms."""
    text = text.strip()
    if text.lower() == "end":
        return None
    if text.isascii() and text.isdigit():
        return _bounded(text, int(text))
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a time; write {FORMS}")
    day, minute, second, fraction, zone = match.groups()
    try:
        local = datetime.fromisoformat(f"{day}T{minute or '00:00'}:{second or '00'}")
        aware = _in_zone(text, local, (zone or "").upper())
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r} is not a time: {error}") from error
    since = aware - _EPOCH
    seconds = since.days * 86_400 + since.seconds
    return _bounded(text, seconds * 1_000_000_000 + int((fraction or "").ljust(9, "0")))


def _bounded(text: str, at_ns: int) -> int:
    if not 0 <= at_ns <= _MAX_NS:
        raise ValueError(f"{text!r} is outside the years 1970 to 2262 that Unix nanoseconds can hold")
    return at_ns


def _in_zone(text: str, local: datetime, zone: str) -> datetime:
    if zone == "ET":
        return _eastern(text, local)
    fixed: tzinfo | None = _FIXED.get(zone)
    if fixed is None:
        hours, minutes = int(zone[1:3]), int(zone[-2:])
        if hours > 23 or minutes > 59:
            raise ValueError(f"no zone is {zone} away from UTC")
        away = timedelta(hours=hours, minutes=minutes)
        fixed = timezone(-away if zone[0] == "-" else away)
    return local.replace(tzinfo=fixed)


def _eastern(text: str, local: datetime) -> datetime:
    first = local.replace(tzinfo=ZoneInfo(_EASTERN), fold=0)
    if first.utcoffset() == first.replace(fold=1).utcoffset():
        return first.astimezone(UTC)
    if first.astimezone(UTC).astimezone(first.tzinfo).replace(tzinfo=None) == local:
        raise ValueError(f"{text} happens twice, write EDT or EST instead of ET")
    raise ValueError(f"{text} does not exist, clocks in New York skip that hour")


def format_time(at_ns: int) -> str:
    """`2026-08-11T00:16:45.236Z`: UTC, with as many digits as the value needs (3, 6 or 9)."""
    seconds, nanos = divmod(at_ns, 1_000_000_000)
    digits = f"{nanos:09d}"
    while len(digits) > 3 and digits.endswith("000"):
        digits = digits[:-3]
    return f"{(_EPOCH + timedelta(seconds=seconds)).replace(tzinfo=None).isoformat()}.{digits}Z"


def parse_duration(text: str) -> int:
    """Nanoseconds of `100ms`, `1.5s`, `1m` and so on; ValueError when it is none, or zero."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a duration; write a number and a unit of ns, us, ms, s, m, h, d: 100ms")
    whole, fraction, unit = match.groups()
    fraction = fraction or ""
    scale: int = 10 ** len(fraction)
    scaled, excess = divmod(int(whole + fraction) * _UNITS[unit], scale)
    if excess or not 0 < scaled <= _MAX_NS:
        raise ValueError(f"{text!r} is not a whole number of nanoseconds above zero")
    return scaled


def format_duration(span_ns: int) -> str:
    """A span for people: `340 ms`, `11.5 s`, `3 min 20 s`, `2 h 05 min`."""
    if span_ns < 1_000_000_000:
        return f"{span_ns / 1e6:.0f} ms" if span_ns >= 1_000_000 or not span_ns else f"{span_ns / 1e3:.0f} us"
    seconds = span_ns / 1e9
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest_s = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest_s:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
