"""How far the machine runs ahead: what has paid is doubled, what has not waits until it would."""

from core.ahead import MOST_ROWS
from replay.pace import CELLS_A_STOP, LEAST_AHEAD, ROWS_BROUGHT_BACK, SINGLES, Pace


def test_what_nothing_is_in_the_way_of_runs_ahead_twice_as_far_each_time() -> None:
    pace, rows = Pace(), []
    while pace.rows < MOST_ROWS:
        rows.append(pace.rows)
        pace.went(pace.rows, was_cut=False)
    assert rows == [LEAST_AHEAD * 2**n for n in range(len(rows))]
    pace.went(MOST_ROWS, was_cut=False)
    assert pace.rows == MOST_ROWS


def test_a_stretch_that_is_cut_has_paid_where_stops_would_have_cost_more_than_keeping_the_memory() -> None:
    pace = Pace()
    pace.kept = 100 * CELLS_A_STOP
    pace.went(100, was_cut=True)
    assert pace.rows == 2 * LEAST_AHEAD
    pace.went(99, was_cut=True)
    assert pace.rows == 0


def test_it_begins_again_after_as_many_stops_as_keeping_the_memory_costs() -> None:
    small, large = Pace(), Pace()
    large.kept = 1_000 * CELLS_A_STOP
    assert (small.singles, large.singles) == (SINGLES, 1_000)
    for pace, least in ((small, LEAST_AHEAD), (large, 1_000)):
        pace.disturbed(1)
        assert pace.rows == 0
        pace.resume()
        assert pace.rows == least


def test_a_stop_for_a_timer_does_not_have_it_begin_small() -> None:
    pace = Pace()
    pace.went(LEAST_AHEAD, was_cut=False)
    pace.resume()
    assert pace.rows == 2 * LEAST_AHEAD


def test_who_is_in_the_way_has_it_run_as_far_as_he_lets_it_or_not_at_all() -> None:
    pace = Pace()
    pace.disturbed(LEAST_AHEAD)
    assert pace.rows == 2 * LEAST_AHEAD
    pace.disturbed(LEAST_AHEAD // 2)
    assert pace.rows == LEAST_AHEAD
    pace.disturbed(LEAST_AHEAD // 2 - 1)
    assert pace.rows == 0


def test_a_stretch_that_was_brought_back_has_paid_only_where_it_was_long_for_the_memory_that_was_copied_twice() -> None:
    pace = Pace()
    pace.kept = 100 * CELLS_A_STOP
    pace.disturbed(ROWS_BROUGHT_BACK * 100)
    assert pace.rows == 2 * ROWS_BROUGHT_BACK * 100
    pace.disturbed(ROWS_BROUGHT_BACK * 100 - 1)
    assert pace.rows == 0


def test_before_a_venue_it_begins_again_after_calm_stops_in_a_row() -> None:
    pace = Pace()
    pace.disturbed(1)
    for decided in (*[False] * (SINGLES - 1), True, *[False] * (SINGLES - 1)):
        pace.stopped(decided=decided)
        assert pace.rows == 0
    pace.stopped(decided=False)
    assert pace.rows == LEAST_AHEAD
