"""Tests of money and positions: what trades bring and cost, what orders must be backed by."""

import pytest
from matched import ASK, BID, DOLLARS, FREE, IOC, Exchange

from core.fees import FeeTerms, FeeType
from core.messages.types import Side
from replay.exchange.accounts import Account, Holding
from replay.exchange.happenings import PositionChanged
from replay.exchange.orders import NewOrder, Refusal


def test_buying_and_selling_again_books_average_cost_and_profit() -> None:
    holding = Holding("M")
    assert holding.trade(Side.YES, 4000, 200) == -800_000
    assert holding.trade(Side.YES, 5000, 200) == -1_000_000
    assert (holding.position, holding.cost) == (400, 1_800_000)
    assert holding.trade(Side.NO, 4000, 100) == 600_000  # one yes contract sold at 0.60
    assert (holding.position, holding.cost, holding.realized_pnl) == (300, 1_350_000, 150_000)
    assert (holding.volume, holding.traded) == (500, 2_200_000)


def test_selling_below_flat_becomes_long_no() -> None:
    holding = Holding("M")
    holding.trade(Side.YES, 4000, 100)
    assert holding.trade(Side.NO, 3000, 300) == 700_000 - 600_000
    assert (holding.position, holding.cost, holding.realized_pnl) == (-200, 600_000, 300_000)


def test_fees_of_a_fill_that_turns_a_position_belong_to_it_by_the_share_that_opens() -> None:
    holding = Holding("M")
    holding.pay_fee(900, 200, 300)
    assert (holding.fees_paid, holding.position_fees) == (900, 600)


def test_fees_and_profit_outlive_the_holding_they_came_of() -> None:
    account = Account("ann", 1)
    for market in ("M", "N"):
        account.holding(market).trade(Side.YES, 4000, 100)
        account.holding(market).trade(Side.NO, 5000, 100)
        account.holding(market).pay_fee(900, 0, 100)
        account.forget(market)
    assert (account.past_fees, account.past_pnl, account.holdings) == (1_800, 200_000, {})


@pytest.mark.parametrize(
    ("position", "value", "paid", "pnl"),
    [(300, 10_000, 3_000_000, 1_800_000), (300, 0, 0, -1_200_000), (-300, 10_000, 0, -1_200_000)],
)
def test_settling_pays_what_the_held_outcome_is_worth(position: int, value: int, paid: int, pnl: int) -> None:
    holding = Holding("M")
    holding.trade(Side.YES if position > 0 else Side.NO, 4000, 300)
    payout = holding.settle(value, 10_000)
    assert (payout.paid, payout.kept, holding.realized_pnl) == (paid, 0, pnl)
    assert (holding.position, holding.cost) == (0, 0)


def test_payouts_below_a_cent_are_rounded_down() -> None:
    holding = Holding("M")
    holding.trade(Side.NO, 4000, 7)
    payout = holding.settle(6_667, 10_000)
    assert (payout.paid, payout.kept, holding.realized_pnl) == (20_000, 3_331, 20_000 - 28_000)


def refused(exchange: Exchange, account: str, order: NewOrder) -> str:
    answer = exchange.engine.place(account, order, exchange.now_ns)
    return answer.code if isinstance(answer, Refusal) else ""


def test_both_directions_are_backed_in_full_and_do_not_net_against_each_other() -> None:
    exchange = Exchange("ann", dollars=10)
    exchange.bid("ann", 4200, 1_000)
    assert exchange.available("ann") == 5_800_000
    exchange.ask("ann", 4400, 1_000)
    assert exchange.available("ann") == 200_000
    assert refused(exchange, "ann", NewOrder(market="M", side=BID, price=2100, count=100)) == "insufficient_balance"
    assert refused(exchange, "ann", NewOrder(market="M", side=BID, price=2000, count=100)) == ""
    assert exchange.balance("ann") == 10 * DOLLARS


def test_what_is_held_backs_the_orders_that_would_sell_it() -> None:
    exchange = Exchange("ann", "bob", dollars=100)
    exchange.ask("bob", 5000, 1_000)
    exchange.take("ann", BID, 5000, 1_000)
    before = exchange.available("ann")
    exchange.ask("ann", 9000, 600)
    exchange.ask("ann", 8000, 400)
    assert exchange.available("ann") == before
    exchange.ask("ann", 9500, 200)
    assert exchange.available("ann") == before - 2 * 50_000


def test_the_best_priced_orders_are_backed_first() -> None:
    exchange = Exchange("ann", "bob", dollars=100)
    exchange.ask("ann", 9500, 200)
    exchange.ask("ann", 8000, 200)
    assert exchange.engine.reads.balance("ann").reserved == 2 * 50_000 + 2 * 200_000
    exchange.ask("bob", 5000, 200)
    exchange.take("ann", BID, 5000, 200)
    assert exchange.engine.reads.balance("ann").reserved == 2 * 50_000


def test_an_order_that_takes_must_afford_its_fee_and_one_that_rests_need_not() -> None:
    exchange = Exchange("ann", "bob", fees=FeeTerms(), dollars=1)
    exchange.ask("ann", 5000, 100)
    exchange.engine.fund("bob", -490_000)
    assert refused(exchange, "bob", NewOrder(market="M", side=BID, price=5000, count=100)) == "insufficient_balance"
    assert refused(exchange, "bob", NewOrder(market="M", side=BID, price=4900, count=100)) == ""


def test_cancelling_gives_back_what_backed_the_order() -> None:
    exchange = Exchange("ann", dollars=1)
    order = exchange.bid("ann", 9900, 101)
    assert exchange.available("ann") == 100
    exchange.engine.cancel("ann", order.order_id, exchange.now_ns)
    assert exchange.available("ann") == DOLLARS


def test_a_refused_order_changes_nothing() -> None:
    exchange = Exchange("ann", dollars=1)
    order = NewOrder(market="M", side=ASK, price=4400, count=200, time_in_force=IOC)
    assert refused(exchange, "ann", order) == "insufficient_balance"
    assert (exchange.balance("ann"), exchange.available("ann"), exchange.told()) == (DOLLARS, DOLLARS, [])


def test_positions_are_told_with_cost_profit_fees_and_volume() -> None:
    exchange = Exchange("ann", "bob", fees=FeeTerms(FeeType.WITH_MAKER_FEES))
    exchange.ask("ann", 4400, 500)
    exchange.take("bob", BID, 4400, 500)
    exchange.take("bob", ASK, 100, 500)
    maker = next(told for told in exchange.told(PositionChanged) if isinstance(told, PositionChanged))
    assert (maker.account, maker.position, maker.cost, maker.volume) == ("ann", -500, 2_800_000, 500)
    assert (maker.fees_paid, maker.position_fee_cost) == (21_600, 21_600)  # 0.02156 of fees, rounded to 0.0001


def test_only_the_fees_of_what_is_still_held_belong_to_a_position() -> None:
    exchange = Exchange("ann", "bob", fees=FeeTerms())
    exchange.ask("ann", 5000, 1_000)
    exchange.bid("ann", 4000, 5_000)
    held = []
    for side, price, count in ((BID, 5000, 1_000), (ASK, 4000, 500), (ASK, 4000, 1_000)):
        exchange.take("bob", side, price, count)
        (holding,) = exchange.engine.reads.holdings("bob")
        held.append((holding.position, holding.fees_paid, holding.position_fee_cost))
    assert held == [(1_000, 175_000, 175_000), (500, 259_000, 87_500), (-500, 427_000, 84_000)]


def test_one_account_can_trade_in_many_markets_and_sees_its_portfolio_at_last_prices() -> None:
    exchange = Exchange("ann", "bob", fees=FREE)
    exchange.open("N")
    exchange.ask("ann", 4400, 500)
    exchange.take("bob", BID, 4400, 500)
    exchange.bid("ann", 3000, 100, market="N")
    view = exchange.engine.reads.balance("ann")
    assert (view.portfolio, view.reserved) == (2_800_000, 300_000)
    assert [held.market for held in exchange.engine.reads.holdings("ann")] == ["M", "N"]
