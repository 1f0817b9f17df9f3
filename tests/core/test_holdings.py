"""Tests of what the account has: money to the last unit, whichever way a position is opened and closed."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.actions import BookSide
from core.fees import CENT
from core.holdings import Execution, Holding, Holdings
from core.messages.types import Side
from core.money import DOLLAR
from replay.exchange.accounts import Holding as ExchangeHolding

BID, ASK = BookSide.BID, BookSide.ASK


def holdings(*fills: tuple[BookSide, int, int], cash: int = 0, fee: int = 0) -> Holdings:
    """After fills of market M: side, price, count."""
    found = Holdings()
    found.start(cash)
    for number, (side, price, count) in enumerate(fills):
        assert found.execute(Execution(f"f{number}", "M", side, price, count, fee))
    return found


@pytest.mark.parametrize(
    ("fills", "position", "cost", "cash"),
    [
        ([(BID, 4_000, 100)], 100, 400_000, -400_000),
        ([(ASK, 4_000, 100)], -100, 600_000, -600_000),  # buying no costs the rest of the dollar
        ([(BID, 4_000, 100), (ASK, 4_500, 100)], 0, 0, 50_000),
        ([(ASK, 4_500, 100), (BID, 4_000, 100)], 0, 0, 50_000),
        ([(BID, 4_000, 100), (BID, 5_000, 100), (ASK, 5_000, 100)], 100, 450_000, -400_000),
        ([(BID, 4_000, 100), (ASK, 5_000, 300)], -200, 1_000_000, -400_000 + 500_000 - 1_000_000),
        ([(ASK, 4_000, 100), (BID, 3_000, 300)], 200, 600_000, -600_000 + 700_000 - 600_000),
    ],
)
def test_a_position_and_its_money(fills: list[Any], position: int, cost: int, cash: int) -> None:
    found = holdings(*fills)
    held = found.of("M")
    assert (held.position, held.cost, found.cash) == (position, cost, cash)
    assert held.side == ("yes" if position > 0 else "no" if position < 0 else "")
    assert found.realized == cash + cost


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(BookSide), st.integers(1, 9_999), st.integers(1, 500)), max_size=12))
def test_it_is_the_exchanges_arithmetic(fills: list[tuple[BookSide, int, int]]) -> None:
    exchange, cash = ExchangeHolding("M"), 0
    for side, price, count in fills:
        own = (Side.YES, price) if side is BID else (Side.NO, DOLLAR - price)
        cash += exchange.trade(*own, count)
    found = holdings(*fills)
    held = found.of("M")
    assert (held.position, held.cost, found.cash) == (exchange.position, exchange.cost, cash)
    assert found.realized == exchange.realized_pnl


def test_fees_are_paid_and_counted() -> None:
    found = holdings((BID, 4_000, 100), (ASK, 4_000, 100), cash=1_000_000, fee=7)
    assert (found.fees, found.cash, found.realized, found.of("M").fees) == (14, 999_986, -14, 14)
    assert found.execute(Execution("x", "M", BID, 4_000, 100, None))
    assert (found.fees, found.unpriced, found.fills) == (14, 1, 3)


def test_without_a_balance_there_is_no_cash() -> None:
    found = Holdings()
    found.execute(Execution("f", "M", BID, 4_000, 100, 0))
    assert found.cash is None
    assert found.realized == 0


def test_a_fill_counts_once() -> None:
    found = holdings((BID, 4_000, 100))
    assert not found.execute(Execution("f0", "M", BID, 4_000, 100, 0))
    assert found.know("g")
    assert not found.know("g")
    assert not found.execute(Execution("g", "M", BID, 4_000, 100, 0))
    assert (found.of("M").position, found.fills) == (100, 1)


def test_a_position_told_otherwise_is_disputed_until_told_alike() -> None:
    found = Holdings()
    found.execute(Execution("2", "M", BID, 4_000, 100, 0, after=200))
    assert list(found.disputed) == ["M"]
    found.execute(Execution("3", "M", BID, 4_000, 50, 0))  # by REST: says nothing of the position
    assert list(found.disputed) == ["M"]
    found.execute(Execution("1", "M", BID, 4_000, 50, 0, after=100))
    assert found.told("M", 200)
    assert not found.disputed


@pytest.mark.parametrize(("cost", "counted"), [(300_000, 300_000), (None, 100 * DOLLAR)])
def test_a_position_by_rest_wins_and_loses_nothing(cost: int | None, counted: int) -> None:
    found = Holdings()
    found.hold("M", -100, cost)
    assert found.of("M") == Holding("M", -100, counted, 0, -counted)
    assert found.realized == 0
    found.hold("M", -100, 5)  # as we have it: the cost by our own fills is the better one
    assert found.of("M").cost == counted


@pytest.mark.parametrize(
    ("side", "value", "paid"),
    [(BID, DOLLAR, 1_000_000), (BID, 0, 0), (ASK, DOLLAR, 0), (ASK, 0, 1_000_000), (BID, 3_333, 330_000),
     (ASK, 3_333, 660_000)],
)  # fmt: skip
def test_a_settlement_pays_by_whole_cents(side: BookSide, value: int, paid: int) -> None:
    found = holdings((side, 5_000, 100))
    found.disputed["M"] = None
    assert found.settle("M", value) == paid
    assert paid % CENT == 0
    assert (found.cash, found.realized, found.of("M").position) == (paid - 500_000, paid - 500_000, 0)
    assert found.settle("M", value) == 0
    assert not found.disputed


def test_all_are_listed_by_name() -> None:
    found = Holdings()
    for market in ("B", "A"):
        found.execute(Execution(market, market, BID, 1, 1, 0))
    assert [held.market for held in found.all()] == ["A", "B"]
