"""Tests of the run's limits against the worst that orders and positions can come to."""

from typing import Any

import pytest

from core.actions import Amend, BookSide, Done, Outcome, Place, RiskLimits
from core.holdings import Execution, Holding, Holdings
from core.orders import Ledger
from core.risk import Risk

BID, ASK = BookSide.BID, BookSide.ASK


class Case:
    """Limits: 10 contracts an order, 25 a market, $10 of exposure, $1 a day, 2 markets. worth: of each position."""

    def __init__(self, **limits: int) -> None:
        self.ledger, self.holdings, self.worth = Ledger(), Holdings(), 0
        found = RiskLimits(**({"exposure": 10_000_000, "day_loss": 1_000_000, "markets": 2} | limits))
        self.risk = Risk(found, self.ledger, self.holdings, self.value, 0)
        self.number = 0

    def value(self, _held: Holding) -> int:
        return self.worth

    def place(self, side: BookSide, price: int, count: int, market: str = "M") -> str:
        """Ask, and if it is not refused have it rest."""
        key = f"k{self.number}"
        action = Place(market=market, client_order_id=key, side=side, price=price, count=count)
        refused = self.risk.refuse(action)
        if not refused:
            self.ledger.asked(self.number, action, "s", 0)
            self.ledger.outcome(Outcome(self.number, Done.DONE, order_id=key, filled=0, remaining=count), 0)
        self.number += 1
        return refused

    def amend(self, key: str, price: int, count: int, side: BookSide = BID) -> str:
        return self.risk.refuse(
            Amend(market="M", client_order_id=key, order_id=key, side=side, price=price, count=count)
        )

    def held(self, side: BookSide, price: int, count: int, market: str = "M") -> None:
        self.number += 1
        self.holdings.execute(Execution(f"f{self.number}", market, side, price, count, 0))


def test_an_order_may_be_so_large() -> None:
    case = Case()
    assert case.place(BID, 1_000, 1_001) == "order of 10.01, the limit is 10.00"
    assert case.place(BID, 1_000, 1_000) == ""
    assert case.amend("k1", 1_000, 1_001) == "order of 10.01, the limit is 10.00"


def test_all_orders_of_a_side_may_fill() -> None:
    case = Case()
    assert [case.place(BID, 100, 1_000), case.place(BID, 100, 1_000)] == ["", ""]
    assert case.place(BID, 100, 501) == "M: position could come to 25.01, the limit is 25.00"
    assert case.place(BID, 100, 500) == ""
    assert case.place(ASK, 9_900, 1_000) == ""  # the other side's do not help, nor hinder
    assert case.place(BID, 100, 1) != ""


@pytest.mark.parametrize(
    ("held", "side", "allowed"),
    [
        ((BID, 2_000), BID, 500), ((BID, 2_000), ASK, 1_000), ((ASK, 2_000), ASK, 500), ((ASK, 2_000), BID, 1_000),
        ((BID, 3_000), ASK, 1_000), ((BID, 3_000), BID, 0),
    ],
)  # fmt: skip
def test_what_is_held_counts(held: tuple[BookSide, int], side: BookSide, allowed: int) -> None:
    case = Case(exposure=10**9)
    case.held(held[0], 5_000, held[1])
    assert case.place(side, 5_000, allowed + 1) != ""
    if allowed:
        assert case.place(side, 5_000, allowed) == ""


def test_a_limit_cannot_be_jumped_over_from_the_other_side() -> None:
    case = Case(exposure=10**9, order=10_000)
    case.held(ASK, 5_000, 3_000)  # more than allowed, by an earlier session's limits
    assert case.place(BID, 5_000, 5_501) == "M: position could come to 25.01, the limit is 25.00"
    assert case.place(BID, 5_000, 5_500) == ""


def test_fills_that_were_announced_count_until_they_come() -> None:
    case = Case(exposure=10**9)
    assert case.place(BID, 5_000, 1_000) == ""
    case.ledger.asked(9, Place(market="M", client_order_id="x", side=BID, price=1, count=1_000), "s", 0)
    case.ledger.outcome(Outcome(9, Done.DONE, order_id="x", filled=1_000, remaining=0), 0)  # gone, its fills to come
    assert case.place(BID, 5_000, 501) != ""
    assert case.risk.exposure() == 5_000 * 1_000 + 1 * 1_000


def test_exposure_is_what_positions_cost_and_orders_would() -> None:
    case = Case(order=10_000, market=10_000)
    case.held(BID, 4_000, 1_000)
    assert case.place(ASK, 4_000, 500) == ""
    assert case.risk.exposure() == 4_000_000 + 3_000_000
    assert case.place(BID, 3_000, 1_001) == "exposure could come to 10.003000, the limit is 10.000000"
    assert case.place(BID, 3_000, 1_000) == ""


def test_what_only_closes_is_never_too_dear() -> None:
    case = Case(exposure=1, market=10_000)
    case.held(BID, 4_000, 500)
    assert case.place(ASK, 1_000, 300) == ""
    assert case.place(ASK, 1_000, 201).startswith("exposure could come to")
    assert case.place(ASK, 1_000, 200) == ""


def test_so_many_markets() -> None:
    case = Case()
    assert case.place(BID, 100, 1, "A") == ""
    case.held(BID, 100, 1, "B")
    assert case.place(BID, 100, 1, "C") == "C would be market 3, the limit is 2"
    assert [case.place(BID, 100, 1, market) for market in "AB"] == ["", ""]


def test_an_amendment_counts_the_order_once_and_both_its_forms() -> None:
    case = Case(order=10_000, market=10_000)
    assert case.place(BID, 4_000, 1_000) == ""
    assert case.amend("k0", 4_000, 2_500) == ""
    assert case.amend("k0", 4_000, 2_501).startswith("exposure")
    assert case.amend("k0", 9_000, 1_112).startswith("exposure")
    assert case.amend("k0", 4_000, 1_000) == ""
    case.ledger.asked(
        7, Amend(market="M", client_order_id="k0", order_id="k0", side=BID, price=1_000, count=2_000), "s", 0
    )
    assert case.risk.exposure() == 4_000 * 2_000


def test_to_amend_an_order_down_is_always_allowed() -> None:
    case = Case(exposure=4_000_000)
    assert case.place(BID, 4_000, 1_000) == ""
    case.held(BID, 4_000, 2_000)  # by somebody else's order: both limits are broken now
    assert case.amend("k0", 4_000, 999) == ""
    assert case.amend("k0", 3_000, 999) == ""
    assert case.amend("k0", 4_000, 1_001) != ""
    assert case.place(BID, 4_000, 1) != ""


def test_losses_halt_and_a_new_day_forgets_them() -> None:
    case = Case()
    case.held(BID, 5_000, 200)
    case.worth = 1
    assert case.risk.halt() == ""
    assert case.risk.day_pnl == 1 - 1_000_000
    case.worth = 0
    halted = "lost 1.000000 today, the limit is 1.000000"
    assert case.risk.halt() == halted
    case.worth = 900_000
    assert (case.risk.halt(), case.risk.day_pnl) == (halted, -100_000)
    case.risk.new_day()
    assert (case.risk.halt(), case.risk.day_pnl) == ("", 0)
    case.worth = 0
    assert case.risk.day_pnl == -900_000


def test_earlier_sessions_of_the_day_count() -> None:
    case = Case()
    risk = Risk(RiskLimits(day_loss=100), case.ledger, case.holdings, case.value, -100)
    assert risk.realized == -100
    assert risk.halt() != ""


@pytest.mark.parametrize("state", [{"done": Done.FAILED}, {"done": Done.DONE, "order_id": "x"}])
def test_whatever_may_be_alive_counts(state: dict[str, Any]) -> None:
    case = Case()
    case.ledger.asked(9, Place(market="M", client_order_id="x", side=ASK, price=9_000, count=1_000), "s", 0)
    case.ledger.outcome(Outcome(9, **state), 0)
    assert case.risk.exposure() == 1_000 * 1_000
