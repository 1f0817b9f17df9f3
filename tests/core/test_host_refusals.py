"""Tests of what the host does not let through: strategies that fail, orders beyond the limits."""

from typing import Any

from port import Listener, Puppet, Run, fill, place, rest, started

from core.actions import HOLD, BookSide, Cancel, RiskLimits
from core.context import Context

DAY_S = 86_400
BID = BookSide.BID


# ------------------------------------------------------------------ strategies that fail


def test_a_hook_that_raises_ends_its_strategy_and_nobody_elses() -> None:
    def explode(ctx: Context) -> None:
        ctx.place("M", BID, 3_000, 100)
        ctx.wake("w", 1)
        raise RuntimeError("boom")

    run = started(Puppet(), Listener())
    mine, others = rest(run, "o"), rest(run, "p", strategy=1)
    reaction = run.do(explode)
    assert [(fault.where, fault.error) for fault in reaction.faults] == [("strategy a", "on_rest: RuntimeError: boom")]
    assert [d.action for d in reaction.decisions[1:]] == [
        Cancel(market="M", client_order_id=mine.client_order_id, order_id="o")
    ]
    late = reaction.decisions[0]
    pulled = run.outcome(late.number, order_id="q", filled=0, remaining=100).decisions
    assert [d.action.order_id for d in pulled if isinstance(d.action, Cancel)] == ["q"]
    assert run.host.next_wake_ns == 0
    assert place(run, strategy=1).refused == ""
    live = run.host.trading.ledger.get(others.client_order_id)
    assert live is not None
    assert not live.wants_cancel
    assert sum(len(later.faults) for later in run.reactions) == 1


def test_markets_that_raise_end_the_strategy_too() -> None:
    class Broken(Listener):
        def markets(self) -> tuple[str, ...]:
            raise KeyError("x")

    broken, sound = Broken(), Listener()
    run = started(broken, sound)
    faults = [fault.error for reaction in run.reactions for fault in reaction.faults]
    assert faults == ["markets: KeyError: 'x'"]
    run.book("M", ((4_000, 100),), ())
    assert ("on_book", "M") in sound.heard
    assert run.book("M", ((4_100, 100),), (), seq=2).faults == []


def test_a_strategy_that_amends_twice_in_a_hook_is_told_no() -> None:
    answers: list[bool] = []
    run = started(Puppet())
    key = rest(run).client_order_id
    order = run.host.trading.ledger.get(key)
    assert order is not None
    run.do(lambda ctx: answers.extend(ctx.amend(order, price, 50) for price in (4_100, 4_200)))
    assert answers == [True, False]
    assert all(not reaction.faults for reaction in run.reactions)


def test_a_hook_within_the_upkeep_cannot_upset_it() -> None:
    class Stubborn(Puppet):
        def on_order(self, ctx: Context, order: Any) -> None:
            if order.asked == "cancel":
                self.heard += [("amended", ctx.renew(other)) for other in ctx.account.orders()]

    stubborn = Stubborn()
    run = started(stubborn)
    rest(run, "o")
    rest(run, "p")
    cancelled = [d.action.order_id for d in run.control(HOLD).decisions if isinstance(d.action, Cancel)]
    assert cancelled == ["o", "p"]
    assert set(stubborn.heard) == {("amended", False)}


# ------------------------------------------------------------------ refusals


def test_refusals_are_decisions_with_their_reason() -> None:
    run = Run(Puppet(), terms={"limits": RiskLimits(order=100)})
    assert place(run).refused == "not started"
    run.go()
    assert place(run, count=101).refused == "order of 1.01, the limit is 1.00"
    assert place(run, price=10_000).refused == "no order: 100 at 10000"
    assert place(run, count=0).refused == "no order: 0 at 4000"
    assert place(run).refused == ""
    assert [d.number for d in run.decisions] == [1, 2, 3, 4, 5]
    assert len(run.host.trading.ledger.live()) == 1


def test_a_loss_halts_for_the_day_even_if_it_is_made_good() -> None:
    run = started(Puppet(), limits=RiskLimits(day_loss=100_000))
    rest(run)
    run.book("M", ((4_000, 100),), ())
    run.frame(fill("stranger"))  # 1.00 at 0.40
    run.book("M", ((2_900, 100),), (), seq=2)
    halted = run.beat()
    assert [type(d.action) for d in halted.decisions] == [Cancel]
    run.book("M", ((4_000, 100),), (), seq=3)
    run.beat()
    assert place(run).refused == "lost 0.110000 today, the limit is 0.100000"
    run.beat(DAY_S)
    assert place(run).refused == ""
