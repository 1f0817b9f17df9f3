"""Times: stamps become Unix nanoseconds exactly or are refused."""

import re
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.times import _SECONDS, END_NS, FIRST_NS, SECOND_NS, days_from_civil, from_epoch, parse_rfc3339

NOON = 1_795_435_200 * SECOND_NS  # 2026-11-23T12:00:00Z
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "at_ns"),
    [
        ("2026-11-23T12:00:00Z", NOON),
        ("2026-11-23T12:00:00.5Z", NOON + 500_000_000),
        ("2026-11-23T12:00:00.502Z", NOON + 502_000_000),
        ("2026-11-23T12:00:00.5020Z", NOON + 502_000_000),
        ("2026-11-23T12:00:00.97871Z", NOON + 978_710_000),
        ("2026-11-23T12:00:00.000001Z", NOON + 1000),
        ("2026-11-23T12:00:00.123456789Z", NOON + 123_456_789),
        ("2026-11-23T12:00:00+00:00", NOON),
        ("2026-11-23T07:00:00-05:00", NOON),
        ("2026-11-23T17:30:00.250+05:30", NOON + 250_000_000),
        ("2000-01-01T00:00:00Z", FIRST_NS),
        ("2100-12-31T23:59:59.999999999Z", END_NS - 1),
        ("2024-02-29T00:00:00Z", 1_709_164_800 * SECOND_NS),
    ],
)
def test_a_stamp_is_read_to_the_nanosecond(text: str, at_ns: int) -> None:
    assert parse_rfc3339(text) == at_ns


@pytest.mark.parametrize(
    "text",
    [
        "", "Z", "2026", "2026-11-23", "2026-11-23T12:00:00", "2026-11-23 12:00:00Z", "2026-11-23t12:00:00z",
        "2026-11-23T12:00Z", "2026-11-23T12:00:00.Z", "2026-11-23T12:00:00.1234567890Z", "2026-11-23T12:00:00,5Z",
        "2026-11-23T12:00:00.5", "2026-11-23T12:00:00.5z", "2026-11-23T12:00:00.-5Z", "2026-11-23T12:00:00.5Z ",
        "2026-11-23T12:00:00.5\u066521Z", "2026-11-23T12:00:00.123\u0665Z", "2026-11-23T12:00:00.1234",
        "2026-11-23T12:00:00.123", "2026-11-23T12:00:00.1+3Z", "2026-11-23T12:00:00.123Z4",
        "2026-11-23T12:00:00.123 4Z",
        "2026-02-30T00:00:00.123Z",
        "2026-11-23T12:00:00.\u0665Z", "\uff12026-11-23T12:00:00Z", "2026-11-23T12:00:00.1_0Z", "2026-11-23T12:00:00\n",
        "2026-11-23T12:00:00+24:00", "2026-11-23T12:00:00+05:60", "2026-11-23T12:00:00+0500", "2026-11-23T12:00:00+05",
        "2026-02-29T00:00:00Z", "2026-02-30T00:00:00.5Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
        "2026-04-31T00:00:00Z", "2026-11-00T00:00:00Z", "2026-11-23T24:00:00Z", "2026-11-23T12:60:00Z",
        "2026-11-23T12:00:60Z", "0001-01-01T00:00:00Z", "0000-00-00T00:00:00Z", "1999-12-31T23:59:59.999Z",
        "2101-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2000-01-01T00:00:00+00:01", "2100-12-31T23:59:59-00:01",
        "1795435201", "1795435201502", "9" * 100_000,
    ],
    ids=lambda text: ascii(text[:30]),
)  # fmt: skip
def test_a_text_that_is_no_stamp_from_2000_to_2100_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no") as caught:
        parse_rfc3339(text)
    assert len(str(caught.value)) < 200


@settings(deadline=None, max_examples=300)
@given(
    st.datetimes(datetime(2000, 1, 2), datetime(2100, 12, 30)),  # noqa: DTZ001  # the zone is drawn beside it
    st.integers(-23 * 60, 23 * 60),
)
def test_a_stamp_means_what_the_standard_library_reads_in_it(naive: datetime, offset_min: int) -> None:
    stamp = naive.replace(tzinfo=timezone(timedelta(minutes=offset_min)))
    text = stamp.isoformat()
    expected = (stamp - EPOCH) // timedelta(microseconds=1) * 1000
    assert parse_rfc3339(text) == expected
    if not offset_min:
        assert parse_rfc3339(text.replace("+00:00", "Z")) == expected


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet="0123456789_+ Z\u0661", max_size=11), st.sampled_from(["", "Z"]))
def test_a_fraction_is_up_to_nine_plain_digits_whatever_was_read_before(fraction: str, end: str) -> None:
    assert parse_rfc3339("2026-11-23T12:00:00.123Z") == NOON + 123_000_000
    text = f"2026-11-23T12:00:00.{fraction}{end}"
    if re.fullmatch(r"[0-9]{1,9}Z", fraction + end):
        assert parse_rfc3339(text) == NOON + int((fraction + end)[:-1].ljust(9, "0"))
    elif not re.fullmatch(r"[0-9]{1,9}[+][0-9]{2}:[0-9]{2}", fraction + end):
        with pytest.raises(ValueError, match="no"):
            parse_rfc3339(text)


def test_remembered_seconds_are_bounded() -> None:
    for minute in range(200):
        for second in range(60):
            at_ns = parse_rfc3339(f"2026-11-23T{12 + minute // 60}:{minute % 60:02d}:{second:02d}.000Z")
            assert at_ns == NOON + (minute * 60 + second) * SECOND_NS
            assert len(_SECONDS) <= 4096


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet="0123456789-:.TZ+ ", max_size=40))
def test_any_text_is_a_stamp_or_refused(text: str) -> None:
    try:
        at_ns = parse_rfc3339(text)
    except ValueError:
        return
    assert FIRST_NS <= at_ns < END_NS


def test_an_integer_counts_seconds_or_milliseconds_by_its_size() -> None:
    assert from_epoch(1_795_435_200) == NOON
    assert from_epoch(1_795_435_200_502) == NOON + 502_000_000
    assert from_epoch(946_684_800) == FIRST_NS
    assert from_epoch(4_133_980_799_999) == END_NS - 1_000_000
    assert from_epoch(2_147_483_648) == 2_147_483_648 * SECOND_NS  # past 2038


@pytest.mark.parametrize(
    "value",
    [0, 1, -1, -1_795_435_200, 946_684_799, 4_133_980_800, 99_999_999_999, 10**11, 4_133_980_800_000,
     1_795_435_200_502_000, NOON, 10**5000, -(10**5000)],
    ids=lambda value: f"{value.bit_length()} bits",
)  # fmt: skip
def test_an_integer_that_means_no_time_from_2000_to_2100_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="from 2000 to 2100"):
        from_epoch(value)


@settings(deadline=None, max_examples=200)
@given(st.dates())
def test_days_count_from_1970(day: date) -> None:
    assert days_from_civil(day.year, day.month, day.day) == day.toordinal() - 719_163
