"""Decisions are numbered, name their cause, are refused with a reason; a cancel is kept until it can be asked for."""

from port import Listener, Puppet, Run, place, rest, started

from core.actions import BookSide, Cancel, Say, Select
from core.context import Context


def test_decisions_count_through_the_session_and_name_their_cause_and_place() -> None:
    run = started(Puppet(), Puppet())

    def say_both(ctx: Context) -> None:
        ctx.say("one")
        ctx.say("two")

    first = run.do(say_both).decisions
    cause = run.seq - 1
    second = run.do(lambda ctx: ctx.say("three"), 1).decisions
    assert [(d.number, d.cause, d.ordinal, d.strategy) for d in (*first, *second)] == [
        (1, cause, 0, "a"),
        (2, cause, 1, "a"),
        (3, cause + 1, 0, "b"),
    ]
    assert first[0].action == Say("one")


def test_an_order_has_the_number_of_its_decision_in_its_id() -> None:
    run = started(Puppet())
    decision = place(run)
    assert decision.action.client_order_id.endswith(f"-{decision.number}")  # type: ignore[union-attr]  # a Place


def test_what_is_refused_is_a_decision_with_the_reason_and_no_order() -> None:
    run = Run(Puppet())
    assert place(run).refused == "not started"
    run.go()
    assert place(run, count=0).refused == "no order: 0 at 4000"
    assert place(run, price=10_000).refused == "no order: 100 at 10000"
    assert run.host.trading.ledger.live() == ()
    assert not place(run).refused


def test_a_cancel_is_asked_for_by_the_host_once_the_order_is_known() -> None:
    run = started(Puppet())
    placed = place(run)

    def cancel_it(ctx: Context) -> None:
        for order in ctx.account.orders():
            ctx.cancel(order)

    assert run.do(cancel_it).decisions == []
    asked = run.outcome(placed.number, order_id="o", filled=0, remaining=100).decisions
    assert [(decision.strategy, type(decision.action)) for decision in asked] == [("", Cancel)]


def test_what_one_strategy_selects_the_others_see_and_hear_of_and_it_does_not() -> None:
    class Follower(Puppet):
        def on_selected(self, ctx: Context, markets: tuple[str, ...]) -> None:
            self.heard.append((markets, ctx.selected))

    chooser, follower = Follower(), Follower()
    run = started(chooser, follower)
    decision = run.do(lambda ctx: ctx.select("M", "N")).decisions[0]
    assert decision.action == Select(("M", "N"))
    assert follower.heard[0] == (("M", "N"), ("M", "N")) and chooser.heard == []


def test_an_order_that_is_being_cancelled_is_not_amended() -> None:
    run = started(Puppet())
    rest(run)

    def both(ctx: Context) -> None:
        order = ctx.account.orders()[0]
        ctx.cancel(order)
        assert not ctx.amend(order, 4_100, 100)
        assert ctx.place("M", BookSide.ASK, 6_000, 100)

    assert [type(decision.action).__name__ for decision in run.do(both).decisions] == ["Place", "Cancel"]


def test_orders_of_earlier_sessions_go_to_the_strategy_that_listens_to_orders() -> None:
    run = Run(Puppet(), Listener())
    run.answer(
        "/portfolio/orders?status=resting&limit=1000",
        {
            "orders": [
                {
                    "order_id": "o", "client_order_id": "td-earlier-1", "ticker": "M", "status": "resting",
                    "outcome_side": "yes", "yes_price_dollars": "0.4000", "remaining_count_fp": "1.00",
                    "initial_count_fp": "1.00", "fill_count_fp": "0.00",
                }
            ],
            "cursor": "",
        },
    )  # fmt: skip
    run.go("td-earlier-1")
    assert [(order.strategy, order.remaining) for order in run.host.trading.ledger.live()] == [("b", 100)]
