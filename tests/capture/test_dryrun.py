"""What a dry run says before anything is recorded."""

from capture.dryrun import BYTES_PER_FRAME, SURE_RECORDS, estimate, estimate_lines
from capture.roster import Listed

BUSY = Listed("KXA-1-T5", volume_24h=8_640_000, status="active")  # 86,400 contracts: one a second
QUIET = Listed("KXA-1-T6", status="initialized")


def test_frames_follow_from_the_volume_and_bytes_from_the_frames() -> None:
    found = estimate([QUIET, BUSY], free_bytes=10**9)
    assert found.markets == ("KXA-1-T5", "KXA-1-T6")
    assert found.volume_24h == 86_400
    assert found.frames_per_s == 2.02
    assert found.bytes_per_day == int(2.02 * 86_400 * BYTES_PER_FRAME)
    assert found.days == 10**9 / found.bytes_per_day
    assert (found.opening_later, found.without_volume) == (1, 1)


def test_a_tape_that_holds_enough_is_the_better_measure() -> None:
    assert not estimate([BUSY], free_bytes=1, sealed_bytes=9, sealed_records=SURE_RECORDS - 1).measured
    found = estimate([BUSY], free_bytes=1, sealed_bytes=9 * SURE_RECORDS, sealed_records=SURE_RECORDS)
    assert found.measured
    assert found.bytes_per_frame == 9.0
    assert "on this tape so far" in found.rests_on


def test_the_lines_say_that_it_is_an_estimate_and_from_what() -> None:
    text = "\n".join(estimate_lines(estimate([BUSY, QUIET], free_bytes=10**9)))
    for words in (
        "markets: 2, 1 of them open later",
        "KXA-1-T5",
        "2.0 frames a second",
        "0.001 GB a day; 1.0 GB are free, so it is full in 819 days",
        "estimate",
        "volume of the last 24 h",
        "1 markets had no volume",
    ):
        assert words in text


def test_only_the_busiest_markets_are_listed_by_name() -> None:
    markets = [Listed(f"KXA-1-T{n:02}", volume_24h=n) for n in range(1, 31)]
    lines = list(estimate_lines(estimate(markets, free_bytes=1)))
    assert lines[1] == "  KXA-1-T30"
    assert lines[21] == "  and 10 more (--json names all)"


def test_nothing_to_record_never_fills_a_disk() -> None:
    found = estimate([], free_bytes=1)
    assert found.days is None
    assert "never at that rate" in "\n".join(estimate_lines(found))
