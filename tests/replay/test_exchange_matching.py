"""Tests of matching: price, then time, as a search of all orders would have it; self-trades; what a trade tells."""

from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matched import ASK, BID, DOLLARS, FOK, GTC, IOC, Exchange

from core.messages.types import Side
from core.money import DOLLAR
from replay.exchange.happenings import (
    BookChanged,
    Filled,
    Happening,
    OrderChanged,
    PositionChanged,
    TickerChanged,
    Traded,
)
from replay.exchange.orders import (
    Amendment,
    BookSide,
    NewOrder,
    Order,
    OrderStatus,
    Placed,
    Reason,
    Reduced,
    SelfTrade,
    TimeInForce,
)


@dataclass(slots=True)
class SlowOrder:
    number: int
    side: Side
    own_price: int
    size: int


@dataclass(slots=True)
class SlowEngine:
    """Price-time priority by brute force: one list in order of arrival, searched for the best each time. No money."""

    resting: list[SlowOrder] = field(default_factory=list)
    trades: list[tuple[int, int, int, int]] = field(default_factory=list)  # maker, taker, yes price, size

    def place(self, taker: SlowOrder, *, rests: bool) -> None:
        while taker.size:
            met = [order for order in self.resting if order.side is not taker.side]
            met = [order for order in met if order.own_price + taker.own_price >= DOLLAR]
            if not met:
                break
            maker = max(met, key=lambda order: order.own_price)  # of equal ones max gives the first
            count = min(taker.size, maker.size)
            price = maker.own_price if maker.side is Side.YES else DOLLAR - maker.own_price
            self.trades.append((maker.number, taker.number, price, count))
            taker.size -= count
            maker.size -= count
            self.resting = [order for order in self.resting if order.size]
        if taker.size and rests:
            self.resting.append(taker)

    def take_off(self, number: int) -> SlowOrder | None:
        found = [order for order in self.resting if order.number == number]
        self.resting = [order for order in self.resting if order.number != number]
        return found[0] if found else None

    def shrink(self, number: int, size: int) -> None:
        for order in self.resting:
            if order.number == number:
                order.size = size

    def levels(self, side: Side) -> dict[int, int]:
        sums: Counter[int] = Counter()
        for order in self.resting:
            if order.side is side:
                sums[order.own_price] += order.size
        return dict(sums)


SLOW_STEPS: st.SearchStrategy[list[tuple[str, int, BookSide, int, int]]] = st.lists(
    st.tuples(
        st.sampled_from(("rest", "rest", "take", "cancel", "decrease", "amend")),
        st.integers(0, 30),
        st.sampled_from(BookSide),
        st.integers(7, 13).map(lambda step: step * 500),
        st.integers(1, 5).map(lambda contracts: contracts * 100),
    ),
    max_size=50,
)


@given(steps=SLOW_STEPS)
@settings(max_examples=200, deadline=None)
def test_price_then_time_decides_as_in_a_search_of_all_orders(
    steps: list[tuple[str, int, BookSide, int, int]],
) -> None:
    """Each order has an account of its own, so that no two are kept from trading with each other."""
    exchange, slow = Exchange("none"), SlowEngine()
    orders: list[Order] = []
    for what, which, side, price, count in steps:
        order = orders[which % len(orders)] if orders else None
        if what in ("rest", "take"):
            number = len(orders)
            exchange.fund(f"account {number}", 1_000 * DOLLARS)
            new = NewOrder(
                market="M", side=side, price=price, count=count, time_in_force=GTC if what == "rest" else IOC
            )
            placed = exchange.place(f"account {number}", new)
            orders.append(placed)
            slow.place(SlowOrder(number, placed.side, placed.own_price, count), rests=what == "rest")
        elif order is not None and exchange.now(order).status is OrderStatus.RESTING:
            change(exchange, slow, what, (which % len(orders), exchange.now(order)), price=price, count=count)
    numbers = {order.order_id: number for number, order in enumerate(orders)}
    assert trades_of(exchange.told(), numbers) == slow.trades
    assert (exchange.yes(), exchange.no()) == (slow.levels(Side.YES), slow.levels(Side.NO))


def change(
    exchange: Exchange, slow: SlowEngine, what: str, which: tuple[int, Order], *, price: int, count: int
) -> None:
    """Cancel, decrease or amend one order in both engines."""
    number, order = which
    engine, now_ns = exchange.engine, exchange.now_ns
    if what == "cancel":
        assert isinstance(engine.cancel(order.account, order.order_id, now_ns), Reduced)
        slow.take_off(number)
    elif what == "decrease" and count < order.remaining:
        assert isinstance(engine.decrease(order.account, order.order_id, now_ns, to=count), Reduced)
        slow.shrink(number, count)
    elif what == "amend":
        amendment = Amendment(
            order_id=order.order_id, market="M", side=order.book_side, price=price, count=order.fill_count + count
        )
        answer = engine.amend(order.account, amendment, now_ns)
        assert isinstance(answer, Placed)
        if price == order.price and count <= order.remaining:
            slow.shrink(number, count)
        else:
            slow.take_off(number)
            own_price = price if order.side is Side.YES else DOLLAR - price
            slow.place(SlowOrder(number, order.side, own_price, count), rests=True)


def trades_of(happenings: list[Happening], numbers: dict[str, int]) -> list[tuple[int, int, int, int]]:
    """Maker, taker, yes price and size of each trade, from the two fills that follow it."""
    fills = [happening for happening in happenings if isinstance(happening, Filled)]
    pairs = zip(fills[::2], fills[1::2], strict=True)
    return [
        (numbers[maker.order_id], numbers[taker.order_id], maker.price, maker.count)
        for maker, taker in pairs
        if (maker.trade_id, maker.price, maker.count, maker.is_taker, taker.is_taker)
        == (taker.trade_id, taker.price, taker.count, False, True)
    ]


def test_the_resting_price_is_the_price_of_the_trade() -> None:
    exchange = Exchange()
    exchange.ask("ann", 5200, 100)
    taker = exchange.take("bob", BID, 9900, 100)
    assert (taker.status, taker.taker_fill_cost) == (OrderStatus.EXECUTED, 520_000)
    assert exchange.position("bob") == 100
    assert exchange.position("ann") == -100


def test_an_ask_rests_as_a_no_bid_and_is_taken_from_there() -> None:
    exchange = Exchange()
    exchange.ask("ann", 4400, 500)
    assert (exchange.yes(), exchange.no()) == ({}, {5600: 500})
    exchange.engine.drain()
    exchange.take("bob", BID, 4400, 200)
    (delta,) = exchange.told(BookChanged)
    assert isinstance(delta, BookChanged)
    assert (delta.side, delta.price, delta.delta, delta.owner) == (Side.NO, 5600, -200, "bob")


def test_a_sweep_tells_one_delta_for_each_order_it_meets_and_all_share_a_clock() -> None:
    exchange = Exchange()
    for price, count in ((5000, 100), (5000, 200), (5100, 300)):
        exchange.ask("ann", price, count)
    exchange.engine.drain()
    exchange.bid("bob", 5100, 700)
    told = exchange.told()
    deltas = [happening for happening in told if isinstance(happening, BookChanged)]
    assert [(delta.side, delta.price, delta.delta) for delta in deltas] == [
        (Side.NO, 5000, -100),
        (Side.NO, 5000, -200),
        (Side.NO, 4900, -300),
        (Side.YES, 5100, 100),
    ]
    assert len({delta.clock for delta in deltas}) == 1
    assert [type(happening) for happening in told[4:]] == [
        *(Traded, Filled, Filled) * 3,
        *(OrderChanged,) * 4,
        *(PositionChanged,) * 2,
        TickerChanged,
    ]


def test_a_trade_tells_the_public_the_takers_outcome_and_both_sides_their_fill() -> None:
    exchange = Exchange()
    exchange.bid("ann", 4200, 200)
    exchange.engine.drain()
    exchange.take("bob", ASK, 4200, 200)
    trade, maker, taker = exchange.told(Traded, Filled)
    assert isinstance(trade, Traded) and isinstance(maker, Filled) and isinstance(taker, Filled)
    assert (trade.price, trade.count, trade.taker) == (4200, 200, Side.NO)
    assert (maker.account, maker.side, maker.is_taker, maker.post_position) == ("ann", Side.YES, False, 200)
    assert (taker.account, taker.side, taker.is_taker, taker.post_position) == ("bob", Side.NO, True, -200)
    assert trade.trade_id == maker.trade_id == taker.trade_id


def test_the_ticker_tells_best_prices_sizes_and_sums() -> None:
    exchange = Exchange()
    exchange.bid("ann", 4200, 1_150)
    exchange.ask("ann", 4400, 2_400)
    exchange.take("bob", BID, 4400, 200)
    ticker = exchange.told(TickerChanged)[-1]
    assert isinstance(ticker, TickerChanged)
    assert (ticker.yes_bid, ticker.yes_bid_size, ticker.yes_ask, ticker.yes_ask_size) == (4200, 1_150, 4400, 2_200)
    assert (ticker.price, ticker.last_trade_size, ticker.volume, ticker.open_interest) == (4400, 200, 200, 200)


def test_an_empty_side_is_told_as_bid_0_and_ask_one_dollar() -> None:
    exchange = Exchange()
    order = exchange.bid("ann", 4200, 100)
    exchange.engine.cancel("ann", order.order_id, exchange.now_ns)
    ticker = exchange.told(TickerChanged)[-1]
    assert isinstance(ticker, TickerChanged)
    assert (ticker.yes_bid, ticker.yes_ask, ticker.yes_bid_size, ticker.yes_ask_size) == (0, DOLLAR, 0, 0)


@pytest.mark.parametrize("time_in_force", [GTC, IOC])
def test_taker_at_cross_ends_the_incoming_order_where_it_meets_an_own_one(time_in_force: TimeInForce) -> None:
    exchange = Exchange()
    exchange.ask("bob", 4800, 100)
    own = exchange.ask("ann", 4900, 100)
    exchange.ask("cy", 5000, 100)
    order = NewOrder(market="M", side=BID, price=5000, count=300, time_in_force=time_in_force)
    placed = exchange.place("ann", order)
    assert (placed.status, placed.fill_count, placed.remaining) == (OrderStatus.CANCELED, 100, 0)
    assert placed.reason is Reason.SELF_TRADE_CANCEL
    assert exchange.now(own).status is OrderStatus.RESTING
    assert exchange.yes() == {}


def test_maker_takes_the_resting_own_order_off_and_matching_goes_on() -> None:
    exchange = Exchange()
    exchange.ask("bob", 4800, 100)
    own = exchange.ask("ann", 4900, 100)
    exchange.ask("cy", 5000, 100)
    order = NewOrder(market="M", side=BID, price=5000, count=300, self_trade=SelfTrade.MAKER)
    placed = exchange.place("ann", order)
    assert (placed.status, placed.fill_count, placed.remaining) == (OrderStatus.RESTING, 200, 100)
    gone = exchange.now(own)
    assert (gone.status, gone.reason) == (OrderStatus.CANCELED, Reason.SELF_TRADE_CANCEL)
    assert (exchange.yes(), exchange.no()) == ({5000: 100}, {})


@pytest.mark.parametrize(("rule", "fills"), [(SelfTrade.TAKER_AT_CROSS, False), (SelfTrade.MAKER, True)])
def test_a_fill_or_kill_order_counts_what_self_trade_prevention_leaves_it(rule: SelfTrade, fills: bool) -> None:
    exchange = Exchange()
    exchange.ask("ann", 4900, 100)
    exchange.ask("bob", 5000, 200)
    order = NewOrder(market="M", side=BID, price=5000, count=200, time_in_force=FOK, self_trade=rule)
    answer = exchange.engine.place("ann", order, exchange.now_ns)
    assert isinstance(answer, Placed) is fills
    assert exchange.no() == ({} if fills else {5100: 100, 5000: 200})
