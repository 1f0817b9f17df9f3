"""Tests of changing resting orders: amendments and decreases, and who keeps the place in the queue."""

import pytest
from matched import ASK, BID, Exchange
from msgspec.structs import replace

from core.times import SECOND_NS
from replay.exchange import refusals
from replay.exchange.orders import (
    Amendment,
    BookSide,
    NewOrder,
    Order,
    OrderStatus,
    Placed,
    Reason,
    Reduced,
    Refusal,
)

ORDER = NewOrder(market="M", side=BID, price=4200, count=500)


def amendment(order: Order, **changes: object) -> Amendment:
    same = Amendment(
        order_id=order.order_id, market="M", side=order.book_side, price=order.price, count=order.initial_count
    )
    return replace(same, **changes)


def queue(exchange: Exchange, *orders: Order) -> list[int]:
    return [exchange.engine.reads.queue_position(exchange.now(order)) for order in orders]


@pytest.mark.parametrize(
    ("changes", "places"),
    [
        ({"price": 4300}, [0, 0]),
        ({"count": 600}, [500, 0]),
        ({"count": 400}, [0, 400]),
        ({"expiration_ns": 10**19}, [0, 500]),
        ({}, [0, 500]),
    ],
    ids=["price", "larger", "smaller", "expiry", "nothing"],
)
def test_a_new_price_or_a_greater_count_loses_the_place(changes: dict[str, int], places: list[int]) -> None:
    exchange = Exchange()
    order, other = exchange.bid("ann", 4200, 500), exchange.bid("bob", 4200, 500)
    answer = exchange.engine.amend("ann", amendment(order, **changes), exchange.now_ns)
    assert isinstance(answer, Placed)
    assert answer.order == exchange.now(order)
    assert answer.order.reason is Reason.AMEND
    assert queue(exchange, order, other) == places


def test_a_decrease_keeps_the_place_and_ends_the_order_when_nothing_is_left() -> None:
    exchange = Exchange()
    order, other = exchange.bid("ann", 4200, 500), exchange.bid("bob", 4200, 500)
    answer = exchange.engine.decrease("ann", order.order_id, exchange.now_ns, by=200)
    assert isinstance(answer, Reduced)
    assert (answer.reduced_by, answer.order.remaining, answer.order.reason) == (200, 300, Reason.DECREASE)
    assert queue(exchange, order, other) == [0, 300]
    exchange.engine.decrease("ann", order.order_id, exchange.now_ns, to=100)
    assert exchange.yes() == {4200: 600}
    exchange.engine.decrease("ann", order.order_id, exchange.now_ns, by=900)
    assert exchange.now(order).status is OrderStatus.CANCELED


@pytest.mark.parametrize(
    ("by", "to", "code"),
    [
        (None, None, "invalid_parameters"),
        (100, 100, "invalid_parameters"),
        (0, None, "invalid_order_size"),
        (-5, None, "invalid_order_size"),
        (None, 500, "invalid_order_size"),
        (None, -1, "invalid_order_size"),
    ],
)
def test_a_decrease_that_would_not_make_it_smaller_is_refused(by: int | None, to: int | None, code: str) -> None:
    exchange = Exchange()
    order = exchange.bid("ann", 4200, 500)
    answer = exchange.engine.decrease("ann", order.order_id, exchange.now_ns, by=by, to=to)
    assert isinstance(answer, Refusal)
    assert answer.code == code
    assert exchange.now(order) == order


def test_an_amended_order_that_crosses_takes_and_the_rest_of_it_rests() -> None:
    exchange = Exchange()
    exchange.ask("bob", 5000, 200)
    order = exchange.bid("ann", 4200, 500)
    answer = exchange.engine.amend("ann", amendment(order, price=5000), exchange.now_ns)
    assert isinstance(answer, Placed)
    assert (answer.fill_count, answer.fill_value, answer.order.remaining) == (200, 1_000_000, 300)
    assert (answer.order.reason, answer.order.order_id) == (Reason.TRADE, order.order_id)
    assert exchange.yes() == {5000: 300}


def test_the_count_of_an_amendment_includes_what_is_filled() -> None:
    exchange = Exchange()
    order = exchange.bid("ann", 4200, 500)
    exchange.take("bob", ASK, 4200, 300)
    answer = exchange.engine.amend("ann", amendment(order, count=400), exchange.now_ns)
    assert isinstance(answer, Placed)
    assert (answer.order.fill_count, answer.order.remaining, answer.order.initial_count) == (300, 100, 400)
    assert exchange.engine.amend("ann", amendment(order, count=300), exchange.now_ns) == refusals.INVALID_SIZE


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"market": "N"}, Refusal(400, "order_ticker_mismatch", "order ticker mismatch")),
        ({"side": BookSide.ASK}, Refusal(400, "order_side_mismatch", "order side mismatch")),
        ({"client_order_id": "x"}, Refusal(400, "order_client_order_id_mismatch", "order client order id mismatch")),
        ({"price": 4250}, refusals.INVALID_PRICE),
        ({"count": 0}, refusals.INVALID_SIZE),
        ({"count": 10**8}, refusals.INSUFFICIENT_BALANCE),
        ({"price": 5000}, refusals.POST_ONLY_CROSS),
        ({"new_client_order_id": "used"}, refusals.ORDER_EXISTS),
        ({"expiration_ns": 1}, refusals.invalid("expiration_time must be in the future")),
        ({"order_id": "none"}, refusals.NOT_FOUND),
    ],
    ids=lambda value: "".join(value) if isinstance(value, dict) else "",
)
def test_a_refused_amendment_leaves_the_order_where_it_was(changes: dict[str, object], refusal: Refusal) -> None:
    exchange = Exchange()
    exchange.place("ann", replace(ORDER, price=100, client_order_id="used"))
    exchange.ask("bob", 5000, 200)
    order = exchange.place("ann", replace(ORDER, client_order_id="mine", post_only=True))
    before = (exchange.engine.reads.book("M"), exchange.available("ann"))
    exchange.engine.drain()
    assert exchange.engine.amend("ann", amendment(order, **changes), exchange.now_ns) == refusal
    assert (exchange.engine.reads.book("M"), exchange.available("ann")) == before
    assert (exchange.now(order), exchange.told()) == (order, [])


def test_an_amendment_may_rename_the_order_and_both_names_are_used_up() -> None:
    exchange = Exchange()
    order = exchange.place("ann", replace(ORDER, client_order_id="old"))
    renamed = amendment(order, client_order_id="old", new_client_order_id="new")
    assert isinstance(exchange.engine.amend("ann", renamed, exchange.now_ns), Placed)
    assert exchange.now(order).client_order_id == "new"
    for name in ("old", "new"):
        answer = exchange.engine.place("ann", replace(ORDER, client_order_id=name), exchange.now_ns)
        assert answer == refusals.ORDER_EXISTS


def test_an_expiry_can_be_moved_and_removed() -> None:
    exchange = Exchange()
    first, second = (
        exchange.place("ann", replace(ORDER, expiration_ns=exchange.now_ns + 5 * SECOND_NS)) for _ in range(2)
    )
    later_ns = exchange.now_ns + 9 * SECOND_NS
    exchange.engine.amend("ann", amendment(first, expiration_ns=later_ns), exchange.now_ns)
    exchange.engine.amend("ann", amendment(second, expiration_ns=0), exchange.now_ns)
    exchange.later(8)
    assert exchange.now(first).status is OrderStatus.RESTING
    exchange.later(2)
    assert (exchange.now(first).reason, exchange.now(second).status) == (Reason.EXPIRY_CANCEL, OrderStatus.RESTING)
