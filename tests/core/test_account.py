from typing import Any

from core.account import MAX_ORDERS, MAX_SUBACCOUNTS, Account, SavedAccount
from core.changes import Rejected
from core.market import MarketState
from core.messages import Fill, MarketPosition, Side, UserOrder
from core.rings import Pool


def fill(trade_id: str = "t1", order_id: str = "o1", **fields: Any) -> Fill:
    return Fill(market="M", trade_id=trade_id, order_id=order_id, side=Side.YES, price=4_000, count=5, **fields)


def order(status: str = "resting", order_id: str = "o1", **fields: Any) -> UserOrder:
    return UserOrder(market="M", order_id=order_id, status=status, side=Side.YES, price=4_000, **fields)


def new() -> tuple[Account, MarketState]:
    return Account(SavedAccount(), 0), MarketState("M")


def test_a_fill_says_what_we_hold_after_it() -> None:
    account, state = new()
    assert account.fill(state, fill(post_position=-500), Pool()) is None
    assert state.view().position == -500
    assert state.view().fills == (fill(post_position=-500),)


def test_a_fill_that_says_nothing_of_the_position_leaves_it_unknown() -> None:
    account, state = new()
    account.fill(state, fill(), Pool())
    assert state.view().position is None


def test_a_fill_that_comes_again_is_refused() -> None:
    account, state = new()
    pool = Pool()
    account.fill(state, fill(post_position=5), pool)
    assert account.fill(state, fill(post_position=99), pool) is Rejected.DUPLICATE_FILL
    assert state.view().position == 5


def test_two_of_our_orders_may_share_a_trade() -> None:
    account, state = new()
    pool = Pool()
    assert account.fill(state, fill("t1", "o1"), pool) is None
    assert account.fill(state, fill("t1", "o2"), pool) is None
    assert len(state.view().fills) == 2


def test_the_exchange_says_what_we_hold() -> None:
    account, state = new()
    report = MarketPosition(market="M", position=-300, realized_pnl=5)
    assert account.position(state, report) is None
    assert (state.view().position, state.view().position_report) == (-300, report)


def test_positions_of_subaccounts_add_up_and_are_bounded() -> None:
    account, state = new()
    for subaccount in range(MAX_SUBACCOUNTS):
        assert account.position(state, MarketPosition(market="M", position=1, subaccount=subaccount)) is None
    assert state.view().position == MAX_SUBACCOUNTS
    one_more = MarketPosition(market="M", position=1, subaccount=MAX_SUBACCOUNTS)
    assert account.position(state, one_more) is Rejected.TOO_MANY_SUBACCOUNTS
    assert account.position(state, MarketPosition(market="M", position=3, subaccount=0)) is None


def test_a_position_of_zero_is_known() -> None:
    account, state = new()
    account.position(state, MarketPosition(market="M", position=0))
    assert state.view().position == 0


def test_an_order_works_until_it_is_over() -> None:
    account, state = new()
    account.order(state, order())
    account.order(state, order(fill_count=2, remaining_count=3))
    assert [working.fill_count for working in state.view().orders] == [2]
    assert account.working == 1
    assert account.order(state, order("executed", fill_count=5)) is None
    assert state.view().orders == ()
    assert account.working == 0


def test_an_order_that_is_over_does_not_come_back() -> None:
    account, state = new()
    account.order(state, order("canceled"))
    assert account.order(state, order()) is Rejected.FINISHED_ORDER
    assert account.order(state, order("canceled")) is Rejected.FINISHED_ORDER
    assert state.view().orders == ()


def test_what_an_order_has_filled_never_goes_back() -> None:
    account, state = new()
    account.order(state, order(fill_count=3))
    assert account.order(state, order(fill_count=2)) is Rejected.OLD_ORDER
    assert [working.fill_count for working in state.view().orders] == [3]


def test_a_status_nobody_knows_is_taken_for_a_working_order() -> None:
    account, state = new()
    account.order(state, order("unknown"))
    assert [working.status for working in state.view().orders] == ["unknown"]


def test_working_orders_are_bounded() -> None:
    account, state = Account(SavedAccount(), MAX_ORDERS - 1), MarketState("M")
    assert account.order(state, order(order_id="a")) is None
    assert account.order(state, order(order_id="b")) is Rejected.TOO_MANY_ORDERS
    assert account.order(state, order(order_id="a", fill_count=1)) is None
    assert account.order(state, order("canceled", order_id="a")) is None
    assert account.order(state, order(order_id="b")) is None


def test_what_is_remembered_survives_a_save() -> None:
    account, state = new()
    account.fill(state, fill(), Pool())
    account.order(state, order("canceled"))
    again = Account(account.save(), 0)
    assert again.fill(state, fill(), Pool()) is Rejected.DUPLICATE_FILL
    assert again.order(state, order()) is Rejected.FINISHED_ORDER
    assert again.save() == account.save()
