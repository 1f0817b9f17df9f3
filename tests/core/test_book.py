from deck import OUTAGE, told
from hypothesis import given
from hypothesis import strategies as st
from tapes import needs_tapes

from core.book import NO_BID, Book
from core.levels import DONE, PASSED, TOO_HIGH, TOO_LOW
from core.messages import BookDelta, BookSnapshot, Side
from core.money import MAX_SIZE

prices = st.integers(0, 10_000)
sizes = st.integers(0, 5_000)
changes = st.tuples(st.sampled_from(Side), st.integers(0, 40), st.integers(-300, 300))


def book(yes: tuple[tuple[int, int], ...] = (), no: tuple[tuple[int, int], ...] = ()) -> Book:
    made = Book()
    assert made.snapshot(yes, no)
    return made


def test_a_new_book_is_empty() -> None:
    new = Book()
    assert (new.ladder(Side.YES), new.ladder(Side.NO)) == ((), ())
    assert (new.best(Side.YES), new.best(Side.NO)) == (None, None)


def test_a_snapshot_replaces_both_ladders_and_is_read_best_last() -> None:
    replaced = book(((9_900, 1),), ((50, 2),))
    assert replaced.snapshot(((4_200, 1_350), (4_100, 1_000)), ((5_600, 1_700),))
    assert replaced.ladder(Side.YES) == ((4_100, 1_000), (4_200, 1_350))
    assert replaced.best(Side.YES) == (4_200, 1_350)
    assert replaced.ladder(Side.NO) == ((5_600, 1_700),)
    assert replaced.best(Side.NO) == (5_600, 1_700)


def test_a_snapshot_with_neither_side_empties_the_book() -> None:
    emptied = book(((4_100, 10),), ((5_500, 20),))
    assert emptied.snapshot((), ())
    assert (emptied.ladder(Side.YES), emptied.ladder(Side.NO)) == ((), ())
    assert emptied.best(Side.YES) is None


def test_a_level_of_size_zero_in_a_snapshot_is_no_level() -> None:
    assert book(((4_100, 0), (4_000, 5))).ladder(Side.YES) == ((4_000, 5),)


def test_a_snapshot_with_an_impossible_size_changes_nothing() -> None:
    kept = book(((4_100, 10),))
    assert not kept.snapshot(((1, 1),), ((5_500, -1),))
    assert not kept.snapshot(((1, MAX_SIZE + 1),), ())
    assert kept.ladder(Side.YES) == ((4_100, 10),)


def test_a_delta_adds_to_its_level_or_makes_it() -> None:
    changed = book(((4_100, 10),))
    assert changed.delta(Side.YES, 4_100, 5) == DONE
    assert changed.delta(Side.YES, 4_000, 7) == DONE
    assert changed.delta(Side.NO, 5_500, 1) == DONE
    assert changed.ladder(Side.YES) == ((4_000, 7), (4_100, 15))
    assert changed.ladder(Side.NO) == ((5_500, 1),)


def test_levels_off_the_cent_grid_are_levels_of_their_own() -> None:
    fine = book(((4_100, 10),))
    assert fine.delta(Side.YES, 4_110, 3) == DONE
    assert fine.delta(Side.YES, 4_101, 1) == DONE
    assert fine.ladder(Side.YES) == ((4_100, 10), (4_101, 1), (4_110, 3))


def test_a_level_that_comes_to_zero_goes_and_the_next_one_is_best() -> None:
    emptied = book(((4_000, 5), (4_100, 10)))
    assert emptied.delta(Side.YES, 4_100, -10) == DONE
    assert emptied.best(Side.YES) == (4_000, 5)
    assert emptied.delta(Side.YES, 4_000, -5) == DONE
    assert emptied.best(Side.YES) is None
    assert emptied.yes.best == NO_BID


def test_a_level_that_would_be_negative_is_removed_and_that_is_said() -> None:
    wrong = book(((4_000, 5), (4_100, 10)))
    assert wrong.delta(Side.YES, 4_100, -11) == TOO_LOW
    assert wrong.ladder(Side.YES) == ((4_000, 5),)
    assert wrong.delta(Side.NO, 3_000, -1) == TOO_LOW  # of a level that never was
    assert wrong.ladder(Side.NO) == ()


def test_a_level_that_would_be_absurd_stays_as_it_was_and_that_is_said() -> None:
    full = book(((4_100, MAX_SIZE),))
    assert full.delta(Side.YES, 4_100, 1) == TOO_HIGH
    assert full.ladder(Side.YES) == ((4_100, MAX_SIZE),)


def test_a_crossed_book_is_no_error() -> None:
    crossed = book(((6_000, 1),), ((5_000, 1),))
    assert crossed.delta(Side.NO, 5_500, 1) == DONE
    assert crossed.best(Side.YES) == (6_000, 1)
    assert crossed.best(Side.NO) == (5_500, 1)


@given(st.dictionaries(prices, sizes, max_size=8), st.lists(changes, max_size=60))
def test_a_book_is_the_sum_of_its_changes(start: dict[int, int], told: list[tuple[Side, int, int]]) -> None:
    levels = tuple(start.items())
    tried = book(levels, levels)
    model = {side: {price: size for price, size in levels if size} for side in Side}
    for side, price, change in told:
        size = model[side].pop(price, 0) + change
        if size > 0:
            model[side][price] = size
        assert tried.delta(side, price, change) == (DONE if size >= 0 else TOO_LOW)
        assert tried.ladder(side) == tuple(sorted(model[side].items()))
        assert tried.best(side) == (max(model[side].items()) if model[side] else None)


@given(st.lists(st.tuples(prices, st.integers(-50, 50)), max_size=80))
def test_a_ladder_always_knows_its_best_price(told: list[tuple[int, int]]) -> None:
    tried = Book()
    for price, change in told:
        tried.delta(Side.YES, price, change)
        ladder = tried.yes
        assert ladder.best == max([price for price, _ in ladder.levels()], default=NO_BID)
        assert ladder.top(100) == tuple(reversed(ladder.levels()))


def test_a_change_whose_number_was_passed_changes_nothing() -> None:
    tried = book(((4_100, 10),))
    assert tried.delta(Side.YES, 4_100, 5, seq=7) == DONE
    assert tried.delta(Side.YES, 4_100, 5, seq=7) == PASSED
    assert tried.delta(Side.YES, 4_101, 5, seq=6) == PASSED
    assert tried.ladder(Side.YES) == ((4_100, 15),)


@needs_tapes
def test_real_levels_off_the_cent_grid_keep_to_themselves() -> None:
    told_so_far = [message for _, message in told(OUTAGE)[:8_000] if isinstance(message, BookDelta | BookSnapshot)]
    tried = Book()
    off_grid = 0
    for message in told_so_far:
        if isinstance(message, BookSnapshot):
            assert tried.snapshot(message.yes, message.no)
            continue
        before = dict(tried.ladder(message.side))
        assert tried.delta(message.side, message.price, message.delta) == DONE
        after = dict(tried.ladder(message.side))
        changed = {price for price in before.keys() | after.keys() if before.get(price) != after.get(price)}
        assert changed == {message.price}
        off_grid += message.price % 100 != 0
    assert off_grid > 1_000
