"""The stage that strategies are tried on: what they decide is done at the exchange, faults included, and it replays."""

from collections.abc import Callable
from typing import ClassVar

import msgspec
import pytest
from strategy_run import Cast, Run, decided, replayed
from strategy_stage import Stage

from core.actions import Amend, BookSide, Cancel, Fetch, Outcome, Place, decode_outcome
from core.context import Context
from core.fetched import Fetched
from core.messages.types import Fill
from core.orders import OrderState, OwnOrder
from core.records import Kind
from core.strategy import Params, Strategy
from core.times import SECOND_NS


class OneParams(Params, frozen=True, kw_only=True):
    """market: where to quote."""

    market: str


class One(Strategy):
    """Subscribes to a market, bids a cent there a second later, amends it at 5 s and cancels it at 10 s."""

    Params: ClassVar[type[msgspec.Struct]] = OneParams

    def __init__(self, params: OneParams) -> None:
        super().__init__(params)
        self.orders: list[OwnOrder] = []
        self.fills: list[Fill] = []
        self.heard: list[str] = []

    def on_start(self, ctx: Context) -> None:
        ctx.subscribe(self.params.market)
        ctx.fetch("/exchange/status")
        for name, after_s in (("place", 1), ("amend", 5), ("cancel", 10)):
            ctx.wake(name, after_s * SECOND_NS)

    def on_timer(self, ctx: Context, name: str) -> None:
        orders = ctx.account.orders()
        if name == "place":
            ctx.place(self.params.market, BookSide.BID, 100, 500)
        for order in orders:
            if name == "amend":
                ctx.amend(order, 200, 300)
            elif name == "cancel":
                ctx.cancel(order)

    def on_order(self, _ctx: Context, order: OwnOrder) -> None:
        self.orders.append(order)

    def on_fill(self, _ctx: Context, fill: Fill) -> None:
        self.fills.append(fill)

    def on_rest(self, _ctx: Context, fetched: Fetched) -> None:
        self.heard.append(fetched.why)

    def on_failed(self, _ctx: Context, path: str) -> None:
        self.heard.append(f"failed {path}")


def staged() -> tuple[Stage, list[Cast], One]:
    market = next(m for m in Stage(markets=4).venue.markets() if "BTC" in m)
    casts = [Cast("one", One, {"market": market})]
    stage = Stage(*casts)
    stage.start()
    return stage, casts, stage.run.strategy()


def outcomes(run: Run) -> list[Outcome]:
    found = [decode_outcome(record.payload) for record in run.records if record.kind == Kind.OUTCOME]
    return [outcome for outcome in found if isinstance(outcome, Outcome)]


def test_orders_are_placed_amended_and_cancelled_at_the_exchange_and_all_of_it_replays() -> None:
    stage, casts, one = staged()
    market = one.params.market
    stage.wait(2)
    (resting,) = stage.venue.engine.reads.resting("trader", market)
    assert stage.window(market).size_at(100, bids=True) >= 500
    assert (one.orders[-1].state, one.orders[-1].order_id) == (OrderState.RESTING, resting.order_id)
    stage.wait(4)
    (resting,) = stage.venue.engine.reads.resting("trader", market)
    assert (one.orders[-1].price, one.orders[-1].count) == (200, 300)
    stage.wait(5)
    assert stage.venue.engine.reads.resting("trader", market) == ()
    assert one.orders[-1].state == OrderState.GONE
    assert [type(d.action) for d in stage.run.decisions][2:] == [Place, Amend, Cancel]
    assert {outcome.done for outcome in outcomes(stage.run)} == {"done"}
    assert replayed(stage.records, casts) == decided(stage.records) == stage.run.decisions


def test_others_trade_with_a_strategys_order_and_it_hears_of_it() -> None:
    stage, _, one = staged()
    stage.wait(2)
    market = one.params.market
    for _ in range(8):  # sell through everything that is better than the strategy's bid
        if one.fills:
            break
        taking = {"time_in_force": "immediate_or_cancel", "self_trade_prevention_type": "taker_at_cross"}
        order = {"ticker": market, "side": "ask", "count": "5000.00", "price": "0.0100"}
        stage.rest("POST", "/portfolio/events/orders", order | taking)
        stage.wait(0.1)
    assert sum(fill.count for fill in one.fills) == 500
    assert stage.run.host.trading.holdings.of(market).position == 500


def lose_answer(stage: Stage) -> None:
    stage.lost = lambda method, _path: method == "POST"


def cut_off(stage: Stage) -> None:
    stage.down = True


@pytest.mark.parametrize(("fault", "is_there"), [(lose_answer, True), (cut_off, False)])
def test_of_a_lost_answer_the_exchange_has_done_what_was_asked_and_of_a_lost_request_not(
    fault: Callable[[Stage], None], is_there: bool
) -> None:
    stage, casts, one = staged()
    stage.wait(0.5)
    fault(stage)
    stage.wait(1)
    assert bool(stage.venue.engine.reads.resting("trader", one.params.market)) is is_there
    assert outcomes(stage.run)[-1].done == "failed"
    assert replayed(stage.records, casts) == decided(stage.records)


def test_answers_take_as_long_as_they_are_told_to_and_name_their_decision() -> None:
    stage, _, one = staged()
    stage.wait(0.06)
    assert one.heard[-1] == "decision 2"
    stage.rest_s = 3.0
    stage.wait(3.9)  # the order is placed after one second, and confirmed three seconds later
    assert outcomes(stage.run)[-1].decision == 2
    stage.wait(0.1)
    assert outcomes(stage.run)[-1].decision == 3
    (fetch,) = stage.run.actions(Fetch)
    assert fetch.path == "/exchange/status"


def test_frames_take_as_long_as_they_are_told_to_and_none_overtakes_another() -> None:
    stage, casts, one = staged()
    stage.frame_s = 2.0
    stage.wait(1.2)  # the order is placed and confirmed by REST
    assert one.orders[-1].state is OrderState.RESTING
    assert not stage.window(one.params.market).size_at(100, bids=True)
    stage.frame_s = 0.0
    stage.trade(5)
    stage.wait(1.7)
    assert not stage.window(one.params.market).size_at(100, bids=True)
    stage.wait(0.2)
    assert stage.window(one.params.market).size_at(100, bids=True) >= 500
    assert stage.window(one.params.market).is_trusted
    assert replayed(stage.records, casts) == decided(stage.records)


def test_a_lost_connection_is_followed_by_another_and_books_are_right_again() -> None:
    stage, _, one = staged()
    stage.wait(1)
    stage.drop()
    stage.wait(0.5)
    assert not stage.window(one.params.market).is_trusted
    stage.until(lambda: stage.window(one.params.market).is_trusted, "the book")
    kinds = [record.kind for record in stage.records]
    assert kinds.count(Kind.OPENED) == 2 and kinds.count(Kind.CLOSED) == 1
