import threading
from collections.abc import Iterator

import pytest

from capture.tape.ahead import Ahead


class Items:
    """Counts what it makes, and remembers which threads made it; fails in place of `bad`."""

    def __init__(self, count: int, bad: int = -1) -> None:
        self.count = count
        self.bad = bad
        self.made: list[str] = []

    def __iter__(self) -> Iterator[int]:
        for number in range(self.count):
            self.made.append(threading.current_thread().name)
            if number == self.bad:
                raise ValueError(f"item {number}")
            yield number


def test_items_come_in_order_whether_or_not_they_were_begun() -> None:
    ahead = Ahead(iter(Items(4)))
    found = []
    for number in range(4):
        if number % 2:
            ahead.begin()
        found.append(ahead.take())
    assert [*found, ahead.take()] == [0, 1, 2, 3, None]


def test_nothing_is_made_before_it_is_asked_for_or_begun_and_then_one_item_only() -> None:
    items = Items(5)
    ahead = Ahead(iter(items))
    assert items.made == []
    assert ahead.take() == 0
    ahead.begin()
    ahead.close()
    assert items.made == [threading.current_thread().name, "tape-ahead"]


def test_an_item_that_was_begun_and_waited_for_is_not_lost() -> None:
    ahead = Ahead(iter(Items(2)))
    ahead.begin()
    ahead.close()
    assert (ahead.take(), ahead.take(), ahead.take()) == (0, 1, None)


def test_what_making_an_item_raised_is_raised_where_the_item_is_taken() -> None:
    ahead = Ahead(iter(Items(3, bad=1)))
    assert ahead.take() == 0
    ahead.begin()
    with pytest.raises(ValueError, match="item 1"):
        ahead.take()
    assert ahead.take() is None


def test_the_end_may_be_begun_too() -> None:
    ahead = Ahead(iter(Items(0)))
    ahead.begin()
    assert ahead.take() is None


def test_no_thread_is_left_behind() -> None:
    ahead = Ahead(iter(Items(3)))
    before = threading.active_count()
    ahead.begin()
    ahead.close()
    assert threading.active_count() == before


def test_what_is_made_is_finished_before_the_interpreter_ends_whoever_began_it() -> None:
    made: list[bool] = []

    def items() -> Iterator[int]:
        made.append(threading.current_thread().daemon)
        yield 1

    ahead = Ahead(items())
    beginner = threading.Thread(target=ahead.begin, daemon=True)
    beginner.start()
    beginner.join()
    assert ahead.take() == 1
    assert made == [False]
