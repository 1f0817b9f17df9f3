"""The daemon's status as a value and as a line."""

from typing import Any

import msgspec
import pytest

from capture.status import (
    DaemonStatus,
    DiskStatus,
    GapStatus,
    LinkStatus,
    State,
    TradeStatus,
    final_line,
    format_bytes,
    format_span,
    is_news,
    status_line,
)
from core.times import SECOND_NS

NOW_NS = 1_786_410_000 * SECOND_NS


def status(**changes: object) -> DaemonStatus:
    """A daemon that has been recording for a minute and a half."""
    usual = DaemonStatus(
        at_ns=NOW_NS,
        started_ns=NOW_NS - 90 * SECOND_NS,
        tape="monday",
        environment="demo",
        session="s-1",
        state=State.RECORDING,
        healthy=True,
        frames=1_234,
        frames_per_s=56.4,
        markets=2,
        links=(LinkStatus(slot=0, state="live", up=True),),
        disk=DiskStatus(free_bytes=20_000_000_000, bytes_per_day=1_000_000_000, days=20.0),
    )
    return msgspec.structs.replace(usual, **changes)


def test_a_line_tells_the_state_the_rate_the_markets_the_gaps_the_lag_and_the_disk() -> None:
    assert status_line(status(lag_records=3)) == (
        "recording  56 frames/s  2 markets  1/1 connected  0 gaps  lag 3  disk 20 days"
    )


def test_a_line_names_why_open_gaps_and_a_low_disk() -> None:
    line = status_line(
        status(
            state=State.UNHEALTHY,
            why="connection 1 is lost",
            gaps=3,
            open_gaps=(
                GapStatus(number=3, reason="reconnect", since_ns=NOW_NS),
                GapStatus(number=2, reason="disk_full", since_ns=NOW_NS),
            ),
            disk=DiskStatus(free_bytes=1, days=0.4, low=True),
        )
    )
    assert line.startswith("unhealthy")
    assert "3 gaps, 2 open (disk_full, reconnect)" in line
    assert "disk 0 days LOW" in line
    assert line.endswith("connection 1 is lost")


def test_markets_that_cannot_be_had_are_said() -> None:
    assert "2 markets (1 refused)" in status_line(status(refused=1))


def test_without_a_growth_to_go_by_the_line_says_what_is_free() -> None:
    assert "disk 1.5 GB free" in status_line(status(disk=DiskStatus(free_bytes=1_500_000_000)))


def test_what_an_exchange_sent_cannot_move_the_cursor_or_begin_a_line() -> None:
    line = status_line(status(why="closed: \x1b[2J\nrecording"))
    assert "\x1b" not in line
    assert "\n" not in line
    assert "closed: \\x1b[2J\\nrecording" in line


def test_the_last_line_tells_how_long_and_how_much() -> None:
    assert final_line(status(gaps=1)) == "stopped after 1 min 30 s: 1,234 frames of 2 markets in monday, 1 gap"
    assert final_line(status(why="the key was refused")).endswith("; the key was refused")


def test_figures_that_move_are_no_news_until_a_minute_is_over() -> None:
    before = status()
    assert is_news(None, before)
    assert not is_news(before, status(at_ns=NOW_NS + 59 * SECOND_NS, frames=9_999, frames_per_s=1.0, lag_records=7))
    assert is_news(before, status(at_ns=NOW_NS + 60 * SECOND_NS))


@pytest.mark.parametrize(
    "change",
    [
        {"state": State.UNHEALTHY},
        {"why": "nothing was heard"},
        {"markets": 3},
        {"refused": 1},
        {"gaps": 1},
        {"open_gaps": (GapStatus(number=1, reason="down", since_ns=1),)},
        {"links": (LinkStatus(slot=0, state="waiting", up=False),)},
        {"disk": DiskStatus(low=True)},
        {"disk": DiskStatus(problem="the disk is full")},
        {"key_refused": True},
    ],
)
def test_what_an_operator_would_want_to_know_is_news(change: dict[str, object]) -> None:
    assert is_news(status(disk=DiskStatus()), status(**{"disk": DiskStatus(), **change}))


def test_a_status_is_json_and_back() -> None:
    whole = status(open_gaps=(GapStatus(number=1, reason="down", since_ns=1),))
    assert msgspec.json.decode(msgspec.json.encode(whole), type=DaemonStatus) == whole
    assert whole.up_s == 90.0


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1_500, "1.5 kB"), (2e9, "2.0 GB"), (5e15, "5,000.0 TB")]
)
def test_bytes_are_shown_in_the_unit_that_fits(count: float, text: str) -> None:
    assert format_bytes(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (61, "1 min 1 s"), (93_784, "1 d 2 h"), (86_400, "1 d"), (3_605, "1 h 5 s")]
)
def test_spans_are_shown_in_their_two_largest_units(seconds: float, text: str) -> None:
    assert format_span(seconds) == text


def trading(**changes: Any) -> TradeStatus:
    given: dict[str, Any] = {"orders": 6, "positions": (("M1", -500), ("M2", 1_250)), "day_pnl": -4_850_000, "fills": 3}
    return TradeStatus(**given | changes)


def test_a_line_of_a_run_tells_what_the_strategies_have() -> None:
    line = status_line(status(trading=trading()))
    assert "  today -$4.85  6 orders  3 fills  holds M1 -5, M2 +12.5  " in line
    many = tuple((f"M{n}", 100) for n in range(6))
    words = status_line(
        status(trading=trading(paper=True, positions=many, stale=2, declined=3, lag_records=5_000, day_pnl=20_000))
    )
    assert "PAPER today +$0.02" in words and "M3 +1 and 2 more" in words
    assert "2 too late  3 declined by the exchange  strategies 5,000 records behind" in words
    assert "holds nothing  FAILED a: boom" in status_line(status(trading=trading(positions=(), failed=("a: boom",))))
    assert "today" not in status_line(status())


def test_positions_fills_and_trouble_are_news_and_moving_money_every_ten_seconds() -> None:
    before = status(trading=trading())
    for changes in ({"positions": ()}, {"fills": 4}, {"health": "not started"}, {"failed": ("a: boom",)}):
        assert is_news(before, status(trading=trading(**changes)))
    moved = trading(orders=5, day_pnl=0)
    assert not is_news(before, status(trading=moved))
    later = msgspec.structs.replace(before, at_ns=before.at_ns + 10 * 10**9)
    assert not is_news(before, later)
    assert is_news(before, msgspec.structs.replace(later, trading=moved))


def test_the_last_line_tells_what_is_held_and_not_that_nothing_is_placed_any_more() -> None:
    line = final_line(status(trading=trading(orders=0, health="not started")))
    assert line.endswith("; today -$4.85  0 orders  3 fills  holds M1 -5, M2 +12.5")
