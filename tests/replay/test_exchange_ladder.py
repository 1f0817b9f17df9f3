"""Tests of a ladder: best price, time within a price, places kept and lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from core.messages.types import Side
from replay.exchange.ladder import NO_BID, Ladder
from replay.exchange.orders import Order


def order(number: int, price: int, size: int) -> Order:
    return Order(
        order_id=f"o{number}",
        account="ann",
        market="M",
        exchange_index=0,
        side=Side.YES,
        price=price,
        initial_count=size,
        remaining=size,
        created_ns=0,
    )


def filled(*orders: Order) -> Ladder:
    ladder = Ladder()
    for each in orders:
        ladder.add(each)
    return ladder


def test_an_empty_ladder_has_no_best_price_and_no_size() -> None:
    ladder = Ladder()
    assert (ladder.best, ladder.best_size, ladder.levels(), ladder.orders()) == (NO_BID, 0, (), [])


def test_the_best_price_comes_first_and_within_it_the_oldest() -> None:
    ladder = filled(order(1, 4000, 100), order(2, 4200, 100), order(3, 4100, 100), order(4, 4200, 50))
    assert [each.order_id for each in ladder.orders()] == ["o2", "o4", "o3", "o1"]
    assert (ladder.best, ladder.best_size) == (4200, 150)
    assert ladder.levels() == ((4000, 100), (4100, 100), (4200, 150))
    assert ladder.queues[4200].first.order_id == "o2"
    assert ladder.prices_from_best(4100) == [4200, 4100]


def test_a_changed_order_keeps_its_place_and_an_emptied_one_goes() -> None:
    first, second = order(1, 4200, 100), order(2, 4200, 100)
    ladder = filled(first, second)
    smaller = replace(first, remaining=40)
    ladder.change(first, smaller)
    assert [each.remaining for each in ladder.orders()] == [40, 100]
    ladder.change(smaller, replace(first, remaining=0))
    assert [each.order_id for each in ladder.orders()] == ["o2"]
    ladder.change(second, replace(second, remaining=0))
    assert ladder.best == NO_BID


def test_what_is_ahead_of_an_order_is_what_rests_before_it_at_its_price() -> None:
    orders = [order(1, 4200, 100), order(2, 4200, 50), order(3, 4200, 10), order(4, 4300, 999)]
    ladder = filled(*orders)
    assert [ladder.ahead(each) for each in orders] == [0, 100, 150, 0]
    ladder.remove(orders[0])
    assert [ladder.ahead(each) for each in orders] == [0, 0, 50, 0]


def test_an_order_that_is_not_there_cannot_be_removed() -> None:
    with pytest.raises(KeyError):
        filled(order(1, 4200, 100)).remove(order(2, 4200, 100))


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 5)), max_size=60))
def test_levels_and_best_are_those_of_the_orders_that_are_left(steps: list[tuple[int, int]]) -> None:
    ladder, left = Ladder(), dict[int, Order]()
    for number, price in steps:
        if number in left:
            ladder.remove(left.pop(number))
        else:
            left[number] = order(number, price * 100, 10 + number)
            ladder.add(left[number])
    sums: dict[int, int] = {}
    for each in left.values():
        sums[each.price] = sums.get(each.price, 0) + each.remaining
    assert ladder.levels() == tuple(sorted(sums.items()))
    assert ladder.best == max(sums, default=NO_BID)
    assert ladder.orders() == sorted(left.values(), key=lambda each: -each.price)
