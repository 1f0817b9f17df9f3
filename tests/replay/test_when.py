"""Times and durations as people write them: every form, every refusal, and back."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.when import format_duration, format_time, parse_duration, parse_time

SECOND = 1_000_000_000
AT = 1_786_407_405 * SECOND  # 2026-08-11T00:16:45Z


def test_an_integer_is_unix_nanoseconds() -> None:
    assert parse_time("1786407405236000001") == AT + 236_000_001
    assert parse_time("0") == 0


@pytest.mark.parametrize(
    "text",
    [
        "2026-08-11T00:16:45Z",
        "2026-08-11T00:16:45",
        "2026-08-11 00:16:45",
        " 2026-08-11 00:16:45 UTC ",
        "2026-08-11T00:16:45.000000000+00:00",
        "2026-08-10 20:16:45 ET",
        "2026-08-10T20:16:45 et",
        "2026-08-10 20:16:45 EDT",
        "2026-08-10 19:16:45 EST",
        "2026-08-11T05:46:45+05:30",
        "2026-08-10T17:46:45-0630",
    ],
)
def test_the_same_instant_in_every_form(text: str) -> None:
    assert parse_time(text) == AT


def test_a_time_without_a_zone_is_utc_and_missing_parts_are_zero() -> None:
    assert parse_time("2026-08-11 00:16") == AT - 45 * SECOND
    assert parse_time("2026-08-11") == AT - (16 * 60 + 45) * SECOND


def test_nanoseconds_survive() -> None:
    assert parse_time("2026-08-11T00:16:45.123456789Z") == AT + 123_456_789
    assert parse_time("2026-08-11T00:16:45.2Z") == AT + 200_000_000


def test_end_is_not_an_instant_yet() -> None:
    assert parse_time("end") is None
    assert parse_time("END") is None


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "-5", "1.5", "2026-13-01", "2026-08-11T25:00", "2026-08-11 10:00 CET", "10:00", "٢٠٢٦-08-11"],
)
def test_what_is_no_time_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_time(text)
    assert repr(text.strip()) in str(caught.value)


@pytest.mark.parametrize("text", ["99999999999999999999", "1969-12-31T23:59:59Z", "2300-01-01", "0001-01-01 00:00 ET"])
def test_a_time_past_what_nanoseconds_hold_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_time(text)


def test_an_hour_that_happens_twice_in_new_york_must_say_which() -> None:
    with pytest.raises(ValueError, match="write EDT or EST"):
        parse_time("2026-11-01 01:30:00 ET")
    first, second = parse_time("2026-11-01 01:30:00 EDT"), parse_time("2026-11-01 01:30:00 EST")
    assert first is not None
    assert second is not None
    assert second - first == 3_600 * SECOND


def test_an_hour_that_new_york_skips_is_refused() -> None:
    with pytest.raises(ValueError, match="does not exist"):
        parse_time("2026-03-08 02:30:00 ET")


def test_winter_time_is_five_hours_behind() -> None:
    assert parse_time("2026-01-10 12:00 ET") == parse_time("2026-01-10 17:00Z")


def test_a_shown_time_names_its_zone_and_keeps_every_digit() -> None:
    assert format_time(AT) == "2026-08-11T00:16:45.000Z"
    assert format_time(AT + 236_000_000) == "2026-08-11T00:16:45.236Z"
    assert format_time(AT + 236_100_000) == "2026-08-11T00:16:45.236100Z"
    assert format_time(AT + 1) == "2026-08-11T00:16:45.000000001Z"


@given(st.integers(0, (1 << 63) - 1))
def test_a_shown_time_reads_back_as_itself(at_ns: int) -> None:
    assert parse_time(format_time(at_ns)) == at_ns


@given(st.integers(0, 6_000_000_000_000_000), st.integers(-14 * 60, 14 * 60))
def test_any_offset_is_read_as_the_standard_library_reads_it(micros: int, minutes: int) -> None:
    local = (datetime(1971, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)).replace(tzinfo=None)
    sign = "-" if minutes < 0 else "+"
    offset = f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
    expected = (local.replace(tzinfo=UTC) - timedelta(minutes=minutes)) - datetime(1970, 1, 1, tzinfo=UTC)
    assert parse_time(f"{local.isoformat()}{offset}") == expected // timedelta(microseconds=1) * 1_000


def test_durations_are_a_number_and_a_unit() -> None:
    assert parse_duration("100ms") == 100_000_000
    assert parse_duration("1.5 s") == 1_500_000_000
    assert parse_duration("2m") == 120 * SECOND
    assert parse_duration("1h") == 3_600 * SECOND
    assert parse_duration("250us") == 250_000
    assert parse_duration("7ns") == 7


@pytest.mark.parametrize("text", ["", "100", "0ms", "0.5ns", "-1s", "1 parsec", "1e3ms", "9999999999999d"])
def test_what_is_no_duration_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_duration(text)
    assert repr(text) in str(caught.value)


def test_spans_are_shown_in_the_unit_that_fits() -> None:
    assert format_duration(0) == "0 ms"
    assert format_duration(1_500) == "2 us"
    assert format_duration(340_000_000) == "340 ms"
    assert format_duration(11_500_000_000) == "11.5 s"
    assert format_duration(200 * SECOND) == "3 min 20 s"
    assert format_duration((2 * 60 + 5) * 60 * SECOND) == "2 h 05 min"
