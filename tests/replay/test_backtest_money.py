"""The account of a backtest: netting, settlement, the identity, and what is carried from tape to tape."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.actions import BookSide
from core.money import DOLLAR
from replay.backtest.money import Account, Mark, Unbalanced

BID, ASK = BookSide.BID, BookSide.ASK
START = 1_000_000_000


def by_price(account: Account, prices: dict[str, int]) -> dict[str, Mark]:
    """Marks at these yes prices."""
    found = {}
    for held in account.held():
        price = prices[held.market]
        own = price if held.position > 0 else DOLLAR - price
        found[held.market] = Mark(abs(held.position) * own, price, "bid")
    return found


def test_yes_is_bought_and_sold_and_the_difference_is_won() -> None:
    account = Account(START)
    account.fill("A", BID, 4_000, 200, fee=1_700)
    assert account.cash == START - 800_000 - 1_700
    assert account.check(by_price(account, {"A": 4_500})) == 900_000
    account.fill("A", ASK, 4_600, 200, fee=0)
    assert account.cash == START + 120_000 - 1_700
    assert account.check({}) == 0
    assert account.pnl("A", 0) == 118_300


def test_selling_what_is_not_held_buys_no_which_is_paid_for() -> None:
    account = Account(START)
    account.fill("A", ASK, 3_000, 100, fee=0)
    assert account.cash == START - 700_000
    assert account.check(by_price(account, {"A": 2_500})) == 750_000
    assert account.settle("A", 0) == 1_000_000
    assert account.check({}) == 0
    assert account.pnl("A", 0) == 300_000


def test_a_payout_loses_what_is_less_than_a_cent_and_the_books_know_it() -> None:
    account = Account(START)
    account.fill("A", BID, 5_000, 33, fee=0)
    assert account.settle("A", 3_333) == 100_000  # 0.109989 dollars
    assert account.check({}) == 0
    assert account.pnl("A", 0) == 100_000 - 165_000


@pytest.mark.parametrize("broken", ["cash", "value", "fees", "position"])
def test_whatever_is_wrong_in_the_books_by_a_millionth_raises(broken: str) -> None:
    account = Account(START)
    account.fill("A", BID, 4_000, 100, fee=7)
    marks = by_price(account, {"A": 4_100})
    account.check(marks)
    if broken == "cash":
        account._holdings.cash = account.cash + 1
    elif broken == "fees":
        account.fees += 1
    elif broken == "position":
        account._sums["A"].net += 1
    else:
        marks["A"] = Mark(marks["A"].value, 4_100, "bid")
        account.locked = 1
    with pytest.raises(Unbalanced):
        account.check(marks)


def test_cash_goes_on_to_the_next_tape_and_what_was_still_held_is_carried_at_its_mark() -> None:
    account = Account(START)
    account.fill("A", BID, 4_000, 100, fee=10)
    account.next_tape(by_price(account, {"A": 4_500}))
    assert (account.cash, account.locked) == (START - 400_010, 450_000)
    assert account.held() == ()
    account.fill("A", BID, 2_000, 100, fee=5)  # the same market on another tape: another position
    assert account.holding("A").position == 100
    assert account.check(by_price(account, {"A": 2_000})) == 450_000 + 200_000
    account.next_tape(by_price(account, {"A": 1_000}))
    assert account.locked == 550_000
    assert account.cash + account.check({}) == START + 50_000 - 100_000 - 15


_FILLS = st.lists(
    st.tuples(
        st.sampled_from("ABC"), st.sampled_from((BID, ASK)), st.integers(1, DOLLAR - 1), st.integers(1, 5_000),
        st.integers(0, 100_000), st.sampled_from((None, None, None, 0, DOLLAR, 3_337)),
    ),
    max_size=30,
)  # fmt: skip


@given(_FILLS, st.tuples(*[st.integers(0, DOLLAR)] * 3))
def test_the_identity_holds_after_every_fill_and_settlement(
    fills: list[tuple[object, ...]], prices: tuple[int, ...]
) -> None:
    account, over = Account(START), set()
    at = dict(zip("ABC", prices, strict=True))
    for market, side, price, count, fee, settles in fills:
        if market not in over:
            account.fill(market, side, price, count, fee)  # type: ignore[arg-type]  # as drawn
        if settles is not None:
            account.settle(market, settles)  # type: ignore[arg-type]  # as drawn
            over.add(market)
        value = account.check(by_price(account, at))
        worth = {held.market: by_price(account, at)[held.market].value for held in account.held()}
        won = sum(account.pnl(name, worth.get(name, 0)) for name in "ABC")
        assert account.cash + value == START + won
