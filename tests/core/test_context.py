"""Tests of what a strategy is given: its commands become decisions, and it sees its own account."""

from typing import Any

from port import Puppet, Run

from core.actions import Amend, BookSide, Done, Place, Subscribe, Unsubscribe
from core.context import Context
from core.times import SECOND_NS
from core.trading import amended


def started(*puppets: Puppet) -> Run:
    run = Run(*puppets, terms={"order_life_s": 30})
    run.answer("/portfolio/balance", {"balance": 5_000, "portfolio_value": 0})
    run.go()
    return run


def seen(run: Run, look: Any, strategy: int = 0) -> Any:
    """What a puppet sees."""
    found: list[Any] = []
    run.do(lambda ctx: found.append(look(ctx)), strategy)
    return found[0]


def rest(run: Run, strategy: int = 0, **more: Any) -> str:
    key: str = seen(run, lambda ctx: ctx.place("M", BookSide.BID, 4_000, 100, **more), strategy)
    run.outcome(run.decisions[-1].number, order_id=f"o{key}", filled=0, remaining=100)
    return key


def test_an_order_ends_by_itself_within_the_runs_order_life() -> None:
    run = started()
    now_s = run.now_ns // SECOND_NS
    for more, expires_s in (({}, 30), ({"life_s": 5}, 5), ({"life_s": 90}, 30)):
        rest(run, **more)
        assert run.actions(Place)[-1].expires_s == now_s + expires_s
        assert run.actions(Place)[-1].post_only
    rest(run, ioc=True)
    assert run.actions(Place)[-1] == Place(
        market="M", client_order_id="td-u-4", side=BookSide.BID, price=4_000, count=100, ioc=True, post_only=False
    )


def test_to_renew_is_to_amend_into_the_same_with_a_later_end() -> None:
    run = started()
    key = rest(run)
    run.beat(10)
    order = seen(run, lambda ctx: ctx.account.order(key))
    assert seen(run, lambda ctx: ctx.renew(order))
    (amend,) = run.actions(Amend)
    assert (amend.price, amend.count, amend.expires_s) == (4_000, 100, run.now_ns // SECOND_NS + 30)
    assert (amend.order_id, amend.client_order_id) == (f"o{key}", key)


def test_an_old_sight_of_an_order_does_not_mislead() -> None:
    run = started()
    key = rest(run)
    old = seen(run, lambda ctx: ctx.account.order(key))
    run.do(lambda ctx: ctx.cancel(old))
    assert not seen(run, lambda ctx: ctx.amend(old, 4_100, 100))
    assert not seen(run, lambda ctx: ctx.renew(old))
    run.outcome(run.decisions[-1].number, remaining=100)
    assert not seen(run, lambda ctx: ctx.renew(old))
    run.do(lambda ctx: ctx.cancel(old))
    assert run.actions(Amend) == []


def test_an_order_whose_place_is_not_answered_can_be_cancelled_but_not_amended() -> None:
    run = started()
    key = seen(run, lambda ctx: ctx.place("M", BookSide.BID, 4_000, 100))
    order = seen(run, lambda ctx: ctx.account.order(key))
    assert not seen(run, lambda ctx: ctx.amend(order, 4_100, 100))
    assert run.do(lambda ctx: ctx.cancel(order)).decisions == []
    pulled = run.outcome(1, Done.DONE, order_id="o", filled=0, remaining=100).decisions
    assert [decision.action.order_id for decision in pulled] == ["o"]  # type: ignore[union-attr]  # it is a Cancel


def test_each_sees_its_own_orders_and_the_accounts_money() -> None:
    run = started(Puppet(), Puppet())
    keys = rest(run), rest(run, 1)
    for strategy in (0, 1):
        orders = seen(run, lambda ctx: ctx.account.orders(), strategy)
        assert [order.client_order_id for order in orders] == [keys[strategy]]
    account = seen(run, lambda ctx: ctx.account)
    assert (account.cash, account.exposure, account.day_pnl) == (50_000_000, 800_000, 0)
    assert (account.position("M"), account.holding("M").cost, account.is_disputed("M")) == (0, 0, False)
    assert account.orders("N") == ()


def test_a_refused_order_has_no_id() -> None:
    run = started()
    assert seen(run, lambda ctx: ctx.place("M", BookSide.BID, 4_000, 1_000_000)) == ""


def test_the_rest_of_the_commands() -> None:
    run = started()

    def all_of_them(ctx: Context) -> None:
        ctx.subscribe("M", "N")
        ctx.unsubscribe("M")

    run.do(all_of_them)
    assert run.actions(Subscribe) == [Subscribe(("M", "N"))]
    assert run.actions(Unsubscribe) == [Unsubscribe(("M",))]


def test_time_dice_and_sight() -> None:
    run = started(Puppet(), Puppet())
    assert seen(run, lambda ctx: ctx.now_ns) == run.now_ns
    assert seen(run, lambda ctx: ctx.market("M").is_trusted) is False
    assert seen(run, lambda ctx: ctx.flaw("M")) == "untrusted"
    assert seen(run, lambda ctx: ctx.health.is_started)
    assert seen(run, lambda ctx: ctx.selected) == ()
    assert seen(run, lambda ctx: ctx.reference.market("M")) is None
    throws = [seen(run, lambda ctx: ctx.dice.bits(), strategy) for strategy in (0, 1)]
    assert throws[0] != throws[1]
    again = started(Puppet(), Puppet())
    assert throws == [seen(again, lambda ctx: ctx.dice.bits(), strategy) for strategy in (0, 1)]


def test_an_amendment_of_what_is_over_or_to_be_cancelled_is_refused_however_it_is_asked_for() -> None:
    run = started()
    key = rest(run)
    order = seen(run, lambda ctx: ctx.account.order(key))
    amend = amended(order, 4_100, 100, 0)

    def cancel_and_amend(ctx: Context) -> None:
        ctx.cancel(order)
        ctx._do(amend)  # what a command comes to, past its own checks

    found = run.do(cancel_and_amend)
    assert [decision.refused for decision in found.decisions if isinstance(decision.action, Amend)] == [
        "nothing to amend, or something else is under way"
    ]
    assert found.faults == []
