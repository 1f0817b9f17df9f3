from core.gaps import (
    MAX_OPEN,
    MAX_OPEN_SEQUENCE,
    RECONNECT,
    RESTART,
    SEQUENCE,
    STALL,
    TERMINAL,
    Gap,
    Gaps,
    OpenGap,
)
from core.records import StoredGap


def opened(gaps: Gaps, reason: str = SEQUENCE, *waiting: str, sid: int = 1, channel: str = "") -> Gap:
    """The last report after a gap of connection 1 was opened."""
    gap = gaps.new(reason, 1, sid, at_ns=10, markets=waiting)
    return gaps.keep(OpenGap(gap, waiting, channel), 20)[-1]


def numbers(reports: tuple[Gap, ...]) -> list[tuple[int, int | None]]:
    return [(report.number, report.until_ns) for report in reports]


def test_gaps_are_numbered_from_one() -> None:
    gaps = Gaps()
    assert gaps.new(STALL, 1, at_ns=1, until_ns=2).number == 1
    assert gaps.new(STALL, 1, at_ns=3, until_ns=4).number == 2
    assert gaps.open_gaps == ()


def test_a_gap_says_what_was_expected_and_what_came() -> None:
    gap = Gaps().new(SEQUENCE, 1, 2, at_ns=1, missing=(41, 44))
    assert (gap.expected, gap.got) == (41, 44)
    assert Gaps().new(STALL, 1, at_ns=1).expected is None


def test_a_gap_is_reported_when_it_opens_and_again_under_its_number_when_it_closes() -> None:
    gaps = Gaps()
    assert numbers((opened(gaps, SEQUENCE, "A"),)) == [(1, None)]
    assert numbers(gaps.snapshot_seen(1, 1, "A", 30)) == [(1, 30)]
    assert gaps.open_gaps == ()


def test_a_gap_lasts_until_every_market_has_its_own_snapshot() -> None:
    gaps = Gaps()
    opened(gaps, SEQUENCE, "A", "B")
    assert gaps.snapshot_seen(1, 1, "B", 30) == ()
    assert gaps.snapshot_seen(1, 1, "B", 31) == ()
    assert numbers(gaps.snapshot_seen(1, 1, "A", 32)) == [(1, 32)]


def test_a_snapshot_on_another_subscription_closes_no_sequence_gap() -> None:
    gaps = Gaps()
    opened(gaps, SEQUENCE, "A")
    assert gaps.snapshot_seen(1, 2, "A", 30) == ()
    assert gaps.snapshot_seen(2, 1, "A", 30) == ()


def test_a_terminal_gap_closes_with_the_snapshots_of_whichever_subscription_comes_next() -> None:
    gaps = Gaps()
    opened(gaps, TERMINAL, "A", "B")
    assert gaps.snapshot_seen(1, 5, "A", 30) == ()
    assert numbers(gaps.snapshot_seen(2, 1, "B", 31)) == [(1, 31)]


def test_a_terminal_gap_without_books_closes_when_its_channel_is_subscribed_again() -> None:
    gaps = Gaps()
    opened(gaps, TERMINAL, channel="trade")
    assert gaps.channel_subscribed(1, "ticker", 30) == ()
    assert gaps.channel_subscribed(2, "trade", 30) == ()
    assert numbers(gaps.channel_subscribed(1, "trade", 31)) == [(1, 31)]


def test_a_gap_that_waits_for_no_channel_does_not_close_with_one_that_has_no_name() -> None:
    gaps = Gaps()
    opened(gaps, SEQUENCE, "A")
    assert gaps.channel_subscribed(1, "", 30) == ()


def test_one_snapshot_closes_all_gaps_that_wait_for_it_alone() -> None:
    gaps = Gaps()
    opened(gaps, SEQUENCE, "A")
    opened(gaps, SEQUENCE, "A", "B")
    opened(gaps, RESTART, "A")
    assert numbers(gaps.snapshot_seen(1, 1, "A", 30)) == [(1, 30), (3, 30)]


def test_markets_that_leave_a_subscription_are_waited_for_no_more() -> None:
    gaps = Gaps()
    opened(gaps, SEQUENCE, "A", "B")
    assert gaps.markets_dropped(1, 2, ["A", "B"], 30) == ()
    assert gaps.markets_dropped(1, 1, ["A"], 30) == ()
    assert numbers(gaps.markets_dropped(1, 1, ["B"], 31)) == [(1, 31)]


def test_the_end_of_a_subscription_closes_its_gaps_and_no_other() -> None:
    gaps = Gaps()
    opened(gaps, SEQUENCE, "A", sid=1)
    opened(gaps, SEQUENCE, "A", sid=2)
    opened(gaps, TERMINAL, "A", sid=1)
    assert numbers(gaps.subscription_over(1, 1, 30)) == [(1, 30)]


def test_the_end_of_a_connection_closes_the_gaps_of_its_subscriptions() -> None:
    gaps = Gaps()
    opened(gaps, SEQUENCE, "A")
    opened(gaps, TERMINAL, "A")
    opened(gaps, RECONNECT, sid=0)
    gaps.stored(StoredGap("disk_full", connection=1), 20, closes=False)
    assert gaps.connection_over(2, 30) == ()
    assert numbers(gaps.connection_over(1, 30)) == [(1, 30), (2, 30)]


def test_a_stored_gap_has_the_bounds_and_the_scope_that_the_recorder_knew() -> None:
    gaps = Gaps()
    stored = StoredGap("down", connection=3, sid=2, markets=("B", "A"), from_ns=5, until_ns=9)
    (whole,) = gaps.stored(stored, 20, closes=True)
    assert (whole.reason, whole.connection, whole.sid, whole.markets) == ("down", 3, 2, ("A", "B"))
    assert (whole.at_ns, whole.until_ns) == (5, 9)


def test_a_stored_gap_without_bounds_has_those_of_its_records() -> None:
    gaps = Gaps()
    (opening,) = gaps.stored(StoredGap("disk_full"), 20, closes=False)
    (closing,) = gaps.stored(StoredGap("disk_full"), 30, closes=True)
    assert (opening.at_ns, opening.until_ns) == (20, None)
    assert (closing.number, closing.at_ns, closing.until_ns) == (opening.number, 20, 30)


def test_a_closing_record_closes_the_latest_gap_of_its_reason() -> None:
    gaps = Gaps()
    for reason in ("disk_full", "disk_full", "refused"):
        gaps.stored(StoredGap(reason), 20, closes=False)
    opened(gaps, SEQUENCE, "A")
    assert numbers(gaps.stored(StoredGap("disk_full"), 30, closes=True)) == [(2, 30)]
    assert numbers(gaps.stored(StoredGap("sequence"), 31, closes=True)) == [(5, 31)]  # the derived one is not meant


def test_a_new_session_closes_everything() -> None:
    gaps = Gaps()
    opened(gaps, SEQUENCE, "A")
    gaps.stored(StoredGap("crash"), 20, closes=False)
    assert numbers(gaps.end_all(40)) == [(1, 40), (2, 40)]
    assert gaps.open_gaps == ()


def test_the_recorder_may_say_after_a_restart_when_its_gap_really_ended() -> None:
    gaps = Gaps()
    gaps.stored(StoredGap("crash", from_ns=10), 20, closes=False)
    gaps.end_all(40)
    assert numbers(gaps.stored(StoredGap("crash", until_ns=38), 41, closes=True)) == [(1, 38)]
    assert numbers(gaps.stored(StoredGap("crash", until_ns=50), 51, closes=True)) == [(2, 50)]


def test_what_a_session_closed_is_forgotten_with_the_next_one() -> None:
    gaps = Gaps()
    gaps.stored(StoredGap("crash"), 20, closes=False)
    gaps.end_all(40)
    gaps.end_all(50)
    assert numbers(gaps.stored(StoredGap("crash"), 60, closes=True)) == [(2, 60)]


def test_open_sequence_gaps_of_a_subscription_are_bounded_by_closing_the_oldest() -> None:
    gaps = Gaps()
    for _ in range(MAX_OPEN_SEQUENCE):
        opened(gaps, SEQUENCE, "A")
    opened(gaps, SEQUENCE, "A", sid=2)
    gap = gaps.new(SEQUENCE, 1, 1, at_ns=10, markets=("A",))
    assert numbers(gaps.keep(OpenGap(gap, ("A",)), 77)) == [(1, 77), (MAX_OPEN_SEQUENCE + 2, None)]
    assert len(gaps.open_gaps) == MAX_OPEN_SEQUENCE + 1


def test_all_open_gaps_are_bounded_by_closing_the_oldest() -> None:
    gaps = Gaps()
    for _ in range(MAX_OPEN + 5):
        gaps.stored(StoredGap("refused"), 20, closes=False)
    assert len(gaps.open_gaps) == MAX_OPEN
    assert gaps.open_gaps[0].gap.number == 6


def test_gaps_made_again_from_what_was_open_go_on_alike() -> None:
    gaps = Gaps()
    opened(gaps, SEQUENCE, "B", "A")
    opened(gaps, TERMINAL, channel="trade")
    gaps.stored(StoredGap("crash"), 20, closes=False)
    gaps.end_all(25)
    opened(gaps, SEQUENCE, "C")
    again = Gaps(gaps.last_number, gaps.open_gaps, gaps.presumed_over)
    for either in (gaps, again):
        assert numbers(either.snapshot_seen(1, 1, "C", 30)) == [(4, 30)]
        assert numbers(either.stored(StoredGap("crash", until_ns=24), 31, closes=True)) == [(3, 24)]
        assert either.new(STALL, 1, at_ns=1).number == 5


def test_what_a_gap_waits_for_is_saved_in_one_order() -> None:
    one, other = Gaps(), Gaps()
    opened(one, SEQUENCE, *"ABCDEFGH")
    opened(other, SEQUENCE, *"HGFEDCBA")
    assert one.open_gaps[0].waiting == other.open_gaps[0].waiting == tuple("ABCDEFGH")


def test_a_sequence_gap_that_a_cut_stored_ends_only_where_the_recorder_says_so() -> None:
    gaps = Gaps()
    gaps.stored(StoredGap("sequence", connection=1, sid=1, markets=("A",)), 20, closes=False)
    assert gaps.snapshot_seen(1, 1, "A", 30) == ()
    assert gaps.subscription_over(1, 1, 31) == ()
    assert gaps.connection_over(1, 32) == ()
    assert numbers(gaps.stored(StoredGap("sequence"), 40, closes=True)) == [(1, 40)]
