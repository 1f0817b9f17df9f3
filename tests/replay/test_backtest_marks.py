"""What an open position is worth: the worse side of the book, and what stands in for it."""

from typing import Any

import pytest
from sample_tapes import START_NS

from core.gaps import SEQUENCE, Gap
from core.holdings import Holding
from core.messages.types import BookSnapshot, MarketLifecycle, Side, Trade
from core.money import DOLLAR
from core.store import MarketStateStore
from core.window import Window
from replay.backtest.marks import mark, mid, result
from replay.backtest.money import Mark

YES, NO = Holding("A", 200, 900_000), Holding("A", -200, 900_000)


def seen(*messages: Any, doubt: bool = False) -> Window:
    """The market A after these messages."""
    store = MarketStateStore()
    for number, message in enumerate(messages):
        store.apply(message, START_NS + number, connection=1)
    if doubt:
        store.distrust(Gap(1, SEQUENCE, 1, 1, 5, 7, START_NS, None, ()))
    return store.window("A", START_NS)


def book(yes: tuple[tuple[int, int], ...], no: tuple[tuple[int, int], ...]) -> BookSnapshot:
    return BookSnapshot(sid=1, seq=1, market="A", yes=yes, no=no)


def trade(price: int) -> Trade:
    return Trade(sid=2, seq=1, market="A", trade_id="t", price=price, count=100, taker=Side.YES)


BOTH = book(((4_000, 100),), ((5_500, 100),))  # 0.40 bid, 0.45 offered


@pytest.mark.parametrize(
    ("held", "window", "last", "expected"),
    [
        (YES, seen(BOTH), None, Mark(800_000, 4_000, "bid")),
        (NO, seen(BOTH), None, Mark(1_100_000, 4_500, "ask")),
        (YES, seen(book((), ((5_500, 100),))), None, Mark(0, 0, "nobody")),
        (NO, seen(book(((4_000, 100),), ())), None, Mark(0, DOLLAR, "nobody")),
        (YES, seen(BOTH, trade(4_200), doubt=True), None, Mark(840_000, 4_200, "last trade")),
        (NO, seen(book((), ()), trade(9_900)), None, Mark(20_000, 9_900, "last trade")),
        (YES, seen(BOTH, doubt=True), Mark(1, 4_100, "bid"), Mark(820_000, 4_100, "last book")),
        (YES, seen(), None, Mark(900_000, None, "cost")),
        (NO, seen(), Mark(5, None, "cost"), Mark(900_000, None, "cost")),
        (YES, seen(BOTH, MarketLifecycle(market="A", event="determined", result="no")), None, Mark(0, 0, "result")),
    ],
)
def test_a_position_is_worth_what_its_worse_side_pays_or_what_stands_in_for_it(
    held: Holding, window: Window, last: Mark | None, expected: Mark
) -> None:
    assert mark(held, window, last) == expected


def test_the_middle_needs_two_sides_and_trust() -> None:
    assert mid(seen(BOTH)) == 4_250.0
    assert mid(seen(book(((4_000, 100),), ((5_501, 100),)))) == 4_249.5
    assert mid(seen(BOTH, doubt=True)) is None
    assert mid(seen(book((), ((5_500, 100),)))) is None
    assert mid(seen()) is None


def test_a_result_is_what_the_tape_says_of_it() -> None:
    def life(**told: Any) -> int | None:
        return result(seen(MarketLifecycle(market="A", event="determined", **told)).lifecycle)

    assert (life(result="yes"), life(result="no"), life(result="scalar")) == (DOLLAR, 0, None)
    assert life(result="scalar", settlement_value=3_337) == 3_337
    assert result(seen().lifecycle) is None
