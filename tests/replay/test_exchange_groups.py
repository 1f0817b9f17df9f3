"""Tests of order groups: the counter of 15 seconds, what triggers, what a triggered group refuses."""

import pytest
from matched import ASK, BID, Exchange

from core.times import SECOND_NS
from replay.exchange import refusals
from replay.exchange.engine import EngineOptions
from replay.exchange.groups import WINDOW_NS, Group
from replay.exchange.happenings import BookChanged, GroupChanged, GroupEvent, OrderChanged
from replay.exchange.orders import Amendment, NewOrder, Order, OrderStatus, Refusal
from replay.exchange.views import GroupView


def view(answer: GroupView | Refusal) -> GroupView:
    assert isinstance(answer, GroupView)
    return answer


def create(exchange: Exchange, limit: int | None, account: str = "ann") -> str:
    return view(exchange.engine.groups.create(account, limit, exchange.now_ns)).group_id


def grouped(exchange: Exchange, group_id: str, price: int, count: int) -> Order:
    return exchange.place("ann", NewOrder(market="M", side=BID, price=price, count=count, group_id=group_id))


def events(exchange: Exchange) -> list[tuple[GroupEvent, int | None]]:
    return [
        (told.event, told.contracts_limit) for told in exchange.told(GroupChanged) if isinstance(told, GroupChanged)
    ]


def test_a_match_counts_for_15_seconds() -> None:
    group = Group("g", "ann", 300)
    group.count(100, 0)
    group.count(150, 5 * SECOND_NS)
    assert group.matched(WINDOW_NS - 1) == 250
    assert group.matched(WINDOW_NS) == 150
    assert group.matched(WINDOW_NS + 5 * SECOND_NS) == 0


def test_a_group_whose_limit_is_hit_loses_all_its_orders_and_refuses_new_ones() -> None:
    exchange = Exchange()
    group_id = create(exchange, 500)
    best, other = grouped(exchange, group_id, 4300, 300), grouped(exchange, group_id, 4200, 900)
    exchange.take("bob", ASK, 4300, 300)
    assert exchange.now(other).status is OrderStatus.RESTING
    exchange.take("bob", ASK, 4200, 200)
    assert exchange.now(best).status is OrderStatus.EXECUTED
    assert (exchange.now(other).status, exchange.now(other).fill_count) == (OrderStatus.CANCELED, 200)
    order = NewOrder(market="M", side=BID, price=4200, count=100, group_id=group_id)
    assert exchange.engine.place("ann", order, exchange.now_ns) == refusals.GROUP_TRIGGERED
    assert events(exchange) == [(GroupEvent.CREATED, 500), (GroupEvent.TRIGGERED, None)]


def test_what_was_matched_longer_ago_does_not_trigger() -> None:
    exchange = Exchange()
    group_id = create(exchange, 500)
    order = grouped(exchange, group_id, 4300, 900)
    for _ in range(3):
        exchange.take("bob", ASK, 4300, 250)
        exchange.later(15)
    assert exchange.now(order).status is OrderStatus.RESTING


def test_a_taker_whose_group_triggers_fills_as_it_can_and_does_not_rest() -> None:
    exchange = Exchange()
    group_id = create(exchange, 100)
    exchange.ask("bob", 4300, 200)
    order = grouped(exchange, group_id, 4300, 500)
    assert (order.status, order.fill_count, order.remaining) == (OrderStatus.CANCELED, 200, 0)
    assert exchange.yes() == {}


def test_a_reset_group_counts_from_0_and_takes_orders() -> None:
    exchange = Exchange()
    group_id = create(exchange, 100)
    exchange.engine.groups.trigger("ann", group_id, exchange.now_ns)
    reset = view(exchange.engine.groups.reset("ann", group_id, exchange.now_ns))
    assert (reset.is_triggered, reset.matched) == (False, 0)
    order = grouped(exchange, group_id, 4300, 500)
    assert view(exchange.engine.groups.of("ann")[0]).orders == (order,)
    assert [event for event, _ in events(exchange)] == [GroupEvent.CREATED, GroupEvent.TRIGGERED, GroupEvent.RESET]


def test_triggering_by_hand_tells_of_the_orders_as_the_owners_doing() -> None:
    exchange = Exchange()
    group_id = create(exchange, None)
    grouped(exchange, group_id, 4300, 500)
    exchange.engine.drain()
    exchange.engine.groups.trigger("ann", group_id, exchange.now_ns)
    delta, order, group = exchange.told(BookChanged, OrderChanged, GroupChanged)
    assert isinstance(delta, BookChanged) and isinstance(order, OrderChanged) and isinstance(group, GroupChanged)
    assert (delta.owner, order.order.status, group.event) == ("ann", OrderStatus.CANCELED, GroupEvent.TRIGGERED)
    exchange.engine.groups.trigger("ann", group_id, exchange.now_ns)
    assert exchange.told() == []


@pytest.mark.parametrize(("limit", "triggers"), [(301, False), (300, True), (100, True)])
def test_a_limit_set_to_what_is_matched_triggers_at_once(limit: int, triggers: bool) -> None:
    exchange = Exchange()
    group_id = create(exchange, 1_000)
    order = grouped(exchange, group_id, 4300, 900)
    exchange.take("bob", ASK, 4300, 300)
    assert view(exchange.engine.groups.set_limit("ann", group_id, limit, exchange.now_ns)).is_triggered is triggers
    assert (exchange.now(order).status is OrderStatus.CANCELED) is triggers


def test_a_deleted_group_takes_its_orders_along() -> None:
    exchange = Exchange()
    group_id = create(exchange, 1_000)
    order = grouped(exchange, group_id, 4300, 900)
    assert view(exchange.engine.groups.delete("ann", group_id, exchange.now_ns)).orders == ()
    assert exchange.now(order).status is OrderStatus.CANCELED
    assert exchange.engine.groups.of("ann") == ()
    assert events(exchange)[-1] == (GroupEvent.DELETED, None)


def test_an_order_that_moves_while_its_group_triggers_ends_once() -> None:
    exchange = Exchange()
    group_id = create(exchange, 100)
    order = grouped(exchange, group_id, 4200, 500)
    exchange.ask("bob", 4300, 200)
    moved = Amendment(order_id=order.order_id, market="M", side=BID, price=4300, count=500)
    exchange.engine.amend("ann", moved, exchange.now_ns)
    assert (exchange.now(order).status, exchange.now(order).fill_count) == (OrderStatus.CANCELED, 200)
    assert exchange.yes() == {}


@pytest.mark.parametrize("group_id", ["none", "bob's"])
def test_a_group_that_is_not_the_accounts_is_not_found(group_id: str) -> None:
    exchange = Exchange()
    name = create(exchange, 100, "bob") if group_id == "bob's" else group_id
    groups, now_ns = exchange.engine.groups, exchange.now_ns
    answers = [
        groups.trigger("ann", name, now_ns),
        groups.reset("ann", name, now_ns),
        groups.set_limit("ann", name, 100, now_ns),
        groups.delete("ann", name, now_ns),
    ]
    assert answers == [refusals.NOT_FOUND] * 4


def test_limits_must_be_positive_and_groups_few_enough() -> None:
    exchange = Exchange(options=EngineOptions(order_groups=1))
    groups = exchange.engine.groups
    refusal = refusals.invalid("contracts_limit must be positive")
    assert groups.create("ann", 0, exchange.now_ns) == refusal
    group_id = create(exchange, None)
    assert groups.set_limit("ann", group_id, 0, exchange.now_ns) == refusal
    assert groups.create("ann", None, exchange.now_ns) == refusals.TOO_MANY_GROUPS
