"""Tests of what falls due when, of the floor that clears plans away, and of the ids."""

import re

from hypothesis import given
from hypothesis import strategies as st

from core.messages.types import Side
from replay.exchange.accounts import Account
from replay.exchange.floor import CROWDED, Floor
from replay.exchange.ids import CountingIds
from replay.exchange.orders import Order, OrderStatus
from replay.exchange.schedule import Due, Schedule, Task
from replay.exchange.settings import EngineOptions


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(Task))))
def test_what_is_due_comes_by_instant_then_by_kind_then_as_planned(plans: list[tuple[int, Task]]) -> None:
    schedule = Schedule()
    for number, (at_ns, task) in enumerate(plans):
        schedule.plan(at_ns, task, market=f"M{number}")
    done: list[Due] = []
    while (due := schedule.due(5)) is not None:
        done.append(due)
    keys = [(due.at_ns, due.task, int(due.market[1:])) for due in done]
    assert keys == sorted((at_ns, task, number) for number, (at_ns, task) in enumerate(plans) if at_ns <= 5)
    assert schedule.next_ns == min((at_ns for at_ns, _ in plans if at_ns > 5), default=None)


def test_pruning_keeps_what_holds_in_order() -> None:
    schedule = Schedule()
    for at_ns in (1, 5, 2, 9, 7, 4):
        schedule.plan(at_ns, Task.OPEN, market=str(at_ns))
    schedule.prune(lambda due: due.at_ns > 1)
    assert len(schedule) == 5
    assert [due.at_ns for due in iter(lambda: schedule.due(10), None)] == [2, 4, 5, 7, 9]


def order(number: int, expiration_ns: int = 1_000) -> Order:
    return Order(
        order_id=f"o{number}",
        account="ann",
        market="M",
        exchange_index=0,
        side=Side.YES,
        price=4200,
        initial_count=100,
        remaining=100,
        created_ns=0,
        expiration_ns=expiration_ns,
    )


def test_plans_of_orders_that_are_over_do_not_pile_up() -> None:
    floor = Floor(CountingIds(1), EngineOptions())
    account = floor.accounts["ann"] = Account("ann", 100)
    for number in range(5 * CROWDED):
        floor.keep(order(number))
        account.resting[f"o{number}"] = None
        floor.expire_later(order(number))
        if number % 100:
            del account.resting[f"o{number}"]
    assert len(account.resting) <= len(floor.schedule) <= 2 * CROWDED + 2 * len(account.resting)
    kept = [due.order_id for due in iter(lambda: floor.schedule.due(1_000), None)]
    assert [order_id for order_id in account.resting if order_id not in kept] == []


def test_an_order_that_is_over_or_never_expires_is_not_planned() -> None:
    floor = Floor(CountingIds(1), EngineOptions())
    floor.expire_later(order(1, 0))
    over = Order(
        order_id="o", account="ann", market="M", exchange_index=0, side=Side.NO, price=1, initial_count=1, remaining=0,
        created_ns=0, status=OrderStatus.EXECUTED, expiration_ns=5,
    )  # fmt: skip
    floor.expire_later(over)
    assert floor.schedule.next_ns is None


def test_ids_look_like_random_uuids_differ_and_can_be_made_again() -> None:
    ids, again, other = CountingIds(1), CountingIds(1), CountingIds(2)
    made = [ids() for _ in range(2_000)]
    assert made == [again() for _ in range(2_000)]
    assert len({*made, *(other() for _ in range(2_000))}) == 4_000
    shape = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
    assert [text for text in made if not shape.fullmatch(text)] == []
