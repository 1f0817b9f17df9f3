"""Tests of placing, cancelling, amending and decreasing: what is refused in which words, who keeps the place."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from matched import ASK, BID, DOLLARS, FOK, GTC, IOC, Exchange
from msgspec.structs import replace

from core.times import SECOND_NS
from replay.exchange import refusals
from replay.exchange.engine import EngineOptions
from replay.exchange.happenings import BookChanged, OrderChanged, TickerChanged
from replay.exchange.orders import (
    NewOrder,
    Order,
    OrderStatus,
    Placed,
    Reason,
    Reduced,
    Refusal,
)
from replay.exchange.views import Pause

ORDER = NewOrder(market="M", side=BID, price=4200, count=500)


@dataclass(frozen=True, slots=True)
class Case:
    """An order that is refused, after `before`, in these words."""

    name: str
    order: NewOrder
    status: int
    code: str
    message: str
    details: str = ""
    before: Callable[[Exchange], object] = lambda exchange: exchange


def place_named(exchange: Exchange) -> None:
    """An order with a client_order_id that is over already."""
    placed = exchange.place("ann", replace(ORDER, client_order_id="mine"))
    exchange.engine.cancel("ann", placed.order_id, exchange.now_ns)


REFUSED = [
    Case("unknown market", replace(ORDER, market="X"), 404, "not_found", "not found"),
    Case("off the grid", replace(ORDER, price=4250), 400, "invalid_price", "invalid price"),
    Case("price 0", replace(ORDER, price=0), 400, "invalid_price", "invalid price"),
    Case("a dollar", replace(ORDER, price=10_000), 400, "invalid_price", "invalid price"),
    Case("no size", replace(ORDER, count=0), 400, "invalid_order_size", "invalid order size"),
    Case("size below 0", replace(ORDER, count=-100), 400, "invalid_order_size", "invalid order size"),
    Case("size beyond all", replace(ORDER, count=10**16), 400, "invalid_order_size", "invalid order size"),
    Case("balance", replace(ORDER, count=10**8), 400, "insufficient_balance", "insufficient balance"),
    Case(
        "post only",
        replace(ORDER, post_only=True),
        400,
        "invalid_order",
        "invalid order",
        "post only cross",
        lambda exchange: exchange.ask("bob", 4200, 100),
    ),
    Case(
        "client_order_id of an order that is over",
        replace(ORDER, client_order_id="mine"),
        409,
        "order_already_exists",
        "order already exists",
        "",
        place_named,
    ),
    Case(
        "trading pause",
        ORDER,
        409,
        "trading_is_paused",
        "trading is paused",
        "",
        lambda exchange: exchange.engine.life.pause(Pause.TRADING, exchange.now_ns),
    ),
    Case(
        "exchange pause",
        ORDER,
        409,
        "exchange_is_paused",
        "exchange is paused",
        "",
        lambda exchange: exchange.engine.life.pause(Pause.EXCHANGE, exchange.now_ns),
    ),
    Case(
        "closed",
        ORDER,
        409,
        "MARKET_INACTIVE",
        "market inactive",
        "",
        lambda exchange: exchange.engine.life.move_close("M", exchange.now_ns, exchange.now_ns),
    ),
    Case(
        "fill or kill",
        replace(ORDER, time_in_force=FOK),
        409,
        "fill_or_kill_insufficient_resting_volume",
        "fill or kill insufficient resting volume",
        "",
        lambda exchange: exchange.ask("bob", 4200, 499),
    ),
    Case(
        "reduce_only",
        replace(ORDER, reduce_only=True),
        400,
        "invalid_parameters",
        "invalid parameters",
        "reduce_only requires immediate_or_cancel",
    ),
    Case(
        "expiry of IOC",
        replace(ORDER, time_in_force=IOC, expiration_ns=10**19),
        400,
        "invalid_parameters",
        "invalid parameters",
        "expiration_time requires good_till_canceled",
    ),
    Case(
        "expiry in the past",
        replace(ORDER, expiration_ns=1),
        400,
        "invalid_parameters",
        "invalid parameters",
        "expiration_time must be in the future",
    ),
    Case("group", replace(ORDER, group_id="none"), 404, "not_found", "not found"),
    Case(
        "subaccount",
        replace(ORDER, subaccount=3),
        400,
        "invalid_parameters",
        "invalid parameters",
        "unknown subaccount",
    ),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_an_order_is_refused_in_the_exchanges_words_and_leaves_no_trace(case: Case) -> None:
    exchange = Exchange()
    case.before(exchange)
    exchange.engine.drain()
    book = exchange.engine.reads.book("M")
    refusal = exchange.engine.place("ann", case.order, exchange.now_ns)
    assert refusal == Refusal(case.status, case.code, case.message, case.details)
    assert (exchange.told(), exchange.engine.reads.book("M")) == ([], book)


def test_a_refused_order_does_not_use_up_its_client_order_id() -> None:
    exchange = Exchange()
    order = replace(ORDER, client_order_id="mine")
    assert exchange.engine.place("ann", replace(order, price=4250), exchange.now_ns) == refusals.INVALID_PRICE
    exchange.place("ann", order)
    exchange.place("bob", order)


def test_more_than_the_open_orders_an_account_may_have_are_refused() -> None:
    exchange = Exchange(options=EngineOptions(open_orders=2))
    orders = [exchange.bid("ann", 4200, 100) for _ in range(2)]
    assert exchange.engine.place("ann", ORDER, exchange.now_ns) == refusals.TOO_MANY_ORDERS
    exchange.engine.cancel("ann", orders[0].order_id, exchange.now_ns)
    exchange.place("ann", ORDER)


def test_an_order_at_rest_is_told_to_its_owner_and_to_the_book() -> None:
    exchange = Exchange()
    placed = exchange.place("ann", replace(ORDER, side=ASK, client_order_id="mine"))
    delta, order, ticker = exchange.told()
    assert isinstance(delta, BookChanged) and isinstance(order, OrderChanged) and isinstance(ticker, TickerChanged)
    assert (delta.price, delta.delta, delta.owner, delta.client_order_id) == (5800, 500, "ann", "mine")
    assert order.order == placed == exchange.now(placed)
    assert (placed.status, placed.reason, placed.updated_ns) == (OrderStatus.RESTING, Reason.NONE, placed.created_ns)
    assert ticker.yes_ask == 4200


def test_an_ioc_order_that_meets_nothing_is_accepted_and_over() -> None:
    exchange = Exchange()
    placed = exchange.place("ann", replace(ORDER, time_in_force=IOC))
    assert (placed.status, placed.fill_count, placed.remaining) == (OrderStatus.CANCELED, 0, 0)
    assert [type(happening) for happening in exchange.told()] == [OrderChanged]


def test_reduce_only_takes_no_more_than_is_held() -> None:
    exchange = Exchange()
    exchange.ask("bob", 5000, 300)
    exchange.bid("bob", 4000, 900)
    exchange.take("ann", BID, 5000, 300)
    order = NewOrder(market="M", side=ASK, price=4000, count=500, time_in_force=IOC, reduce_only=True)
    placed = exchange.place("ann", order)
    assert (placed.fill_count, placed.status, placed.reason) == (300, OrderStatus.CANCELED, Reason.REDUCE_ONLY_CANCEL)
    assert exchange.position("ann") == 0
    again = exchange.place("ann", order)
    assert (again.fill_count, again.status, again.reason) == (0, OrderStatus.CANCELED, Reason.REDUCE_ONLY_CANCEL)


def test_an_order_expires_at_its_time_and_says_so() -> None:
    exchange = Exchange()
    order = exchange.place("ann", replace(ORDER, expiration_ns=exchange.now_ns + 5 * SECOND_NS, client_order_id="mine"))
    exchange.later(4)
    assert exchange.now(order).status is OrderStatus.RESTING
    exchange.engine.drain()
    exchange.later(6)
    delta, told, _ = exchange.told()
    assert isinstance(delta, BookChanged) and isinstance(told, OrderChanged)
    assert (told.order.reason, told.at_ns) == (Reason.EXPIRY_CANCEL, order.expiration_ns)
    assert (delta.owner, delta.client_order_id) == ("", "")


def cancel(exchange: Exchange, order: Order) -> Reduced | Refusal:
    return exchange.engine.cancel(order.account, order.order_id, exchange.now_ns)


def test_cancelled_executed_and_unknown_orders_are_not_found_all_alike() -> None:
    exchange = Exchange()
    cancelled, executed = exchange.bid("ann", 4200, 100), exchange.bid("ann", 4300, 100)
    answer = cancel(exchange, cancelled)
    assert isinstance(answer, Reduced)
    assert (answer.reduced_by, answer.order.status, answer.order.remaining) == (100, OrderStatus.CANCELED, 0)
    exchange.take("bob", ASK, 4300, 100)
    unknown = replace(cancelled, order_id="none")
    foreign = replace(exchange.bid("cy", 100, 100), account="ann")
    for order in (cancelled, executed, unknown, foreign):
        assert cancel(exchange, order) == Refusal(404, "not_found", "not found")


@pytest.mark.parametrize(
    ("pause", "code"), [(Pause.TRADING, ""), (Pause.EXCHANGE, "exchange_is_paused"), (Pause.NONE, "")]
)
def test_cancels_are_taken_in_a_trading_pause_and_not_in_an_exchange_pause(pause: Pause, code: str) -> None:
    exchange = Exchange()
    order, other = exchange.bid("ann", 4200, 100), exchange.bid("ann", 4300, 100)
    exchange.engine.life.pause(pause, exchange.now_ns)
    answers = [
        cancel(exchange, order),
        exchange.engine.decrease("ann", other.order_id, exchange.now_ns, by=10),
        exchange.engine.cancel_all("ann", exchange.now_ns),
    ]
    assert [answer.code if isinstance(answer, Refusal) else "" for answer in answers] == [code] * 3


def test_after_the_close_even_a_cancel_is_refused() -> None:
    exchange = Exchange()
    order = exchange.bid("ann", 4200, 100)
    exchange.later(86_400)
    assert cancel(exchange, order) == refusals.MARKET_INACTIVE
    assert exchange.engine.decrease("ann", order.order_id, exchange.now_ns, by=1) == refusals.MARKET_INACTIVE
    assert exchange.engine.cancel_all("ann", exchange.now_ns) == ()


def test_cancel_all_takes_every_order_of_the_account_in_every_market() -> None:
    exchange = Exchange()
    exchange.open("N")
    orders = [exchange.bid("ann", 4200, 100), exchange.ask("ann", 4400, 100), exchange.bid("ann", 100, 100, "N")]
    exchange.bid("bob", 4200, 700)
    over = exchange.engine.cancel_all("ann", exchange.now_ns)
    assert isinstance(over, tuple)
    assert [order.order_id for order in over] == [order.order_id for order in orders]
    assert (exchange.yes(), exchange.no(), exchange.yes("N")) == ({4200: 700}, {}, {})


def test_batches_answer_item_by_item() -> None:
    exchange = Exchange()
    orders = [ORDER, replace(ORDER, price=1), replace(ORDER, side=ASK, price=9000)]
    first, second, third = exchange.engine.place_batch("ann", orders, exchange.now_ns)
    assert isinstance(first, Placed) and isinstance(third, Placed)
    assert second == refusals.INVALID_PRICE
    ids = [first.order.order_id, "none", third.order.order_id]
    answers = exchange.engine.cancel_batch("ann", ids, exchange.now_ns)
    assert [type(answer) for answer in answers] == [Reduced, Refusal, Reduced]


def test_orders_that_are_over_are_forgotten_beyond_the_limit_and_resting_ones_never() -> None:
    exchange = Exchange(options=EngineOptions(finished_kept=3))
    resting = exchange.bid("ann", 100, 100)
    over = [exchange.take("ann", BID, 200, 100) for _ in range(5)]
    assert exchange.engine.reads.orders("ann") == (resting, *over[2:])
    assert exchange.engine.reads.order("ann", over[0].order_id) is None


def test_an_account_that_was_never_funded_is_the_callers_mistake() -> None:
    with pytest.raises(KeyError, match="nobody"):
        Exchange().engine.place("nobody", ORDER, 0)


def test_good_till_cancelled_is_what_an_order_is_unless_it_says_otherwise() -> None:
    assert (ORDER.time_in_force, ORDER.post_only, ORDER.expiration_ns) == (GTC, False, 0)
    assert Exchange().place("ann", ORDER).taker_fill_cost == 0 * DOLLARS
