"""One side of a market: when an order is touched, and what a refusal leads to."""

import msgspec
import pytest

from core.actions import BookSide
from core.orders import OrderState, OwnOrder
from core.times import SECOND_NS
from core.window import Now, Window
from strategies.flanks import ANSWER_NS, RETRY_NS, Do, Flank, is_answered, meets_own, needs, others
from strategies.quoting import Quote, Top

NOW_NS = 1_000 * SECOND_NS
ORDER = OwnOrder(
    client_order_id="a", strategy="m", market="M", side=BookSide.BID, price=4_000, count=500, order_id="1",
    state=OrderState.RESTING, expires_ns=NOW_NS + 60 * SECOND_NS, asked_ns=NOW_NS,
)  # fmt: skip


def order(**changes: object) -> OwnOrder:
    return msgspec.structs.replace(ORDER, **changes)


@pytest.mark.parametrize(
    ("price", "size", "what"),
    [
        (4_000, 500, Do.NOTHING),
        (4_010, 500, Do.NOTHING),  # it rests a tick further than wanted
        (4_011, 500, Do.AMEND),
        (3_999, 500, Do.AMEND),  # nearer than wanted
        (4_000, 499, Do.AMEND),
        (4_000, 999, Do.NOTHING),
        (4_000, 1_000, Do.AMEND),
    ],
)
def test_an_order_is_amended_only_when_price_or_size_must_change(price: int, size: int, what: Do) -> None:
    assert needs(ORDER, Quote(price, size), 10, NOW_NS) is what
    mirrored = order(side=BookSide.ASK, price=6_000)
    assert needs(mirrored, Quote(10_000 - price, size), 10, NOW_NS) is what


@pytest.mark.parametrize(("after_s", "what"), [(29, Do.NOTHING), (31, Do.RENEW)])
def test_an_order_is_renewed_when_half_its_life_is_over(after_s: int, what: Do) -> None:
    assert needs(ORDER, Quote(4_000, 500), 0, NOW_NS + after_s * SECOND_NS) is what


def test_an_order_that_would_never_end_by_itself_gets_an_end() -> None:
    assert needs(order(expires_ns=0), Quote(4_000, 500), 0, NOW_NS) is Do.RENEW


@pytest.mark.parametrize(
    "changes",
    [{"state": OrderState.PENDING}, {"state": OrderState.UNKNOWN}, {"asked": "amend"}, {"wants_cancel": True}],
)
def test_an_order_in_doubt_or_under_way_is_left_alone(changes: dict[str, object]) -> None:
    assert needs(order(**changes), Quote(5_000, 100), 0, NOW_NS) is Do.NOTHING


def test_an_amendment_that_came_through_is_no_refusal() -> None:
    flank = Flank()
    flank.amending(order(asked="amend", new_price=4_100, new_count=500, new_expires_ns=9))
    assert not flank.hear(order(asked="amend", new_price=4_100, new_count=500, new_expires_ns=9), NOW_NS)
    assert not flank.hear(order(price=4_100, expires_ns=9), NOW_NS)
    assert flank.not_before_ns == 0


def test_an_amendment_that_left_the_order_as_it_was_is_a_refusal_and_is_told_once() -> None:
    flank = Flank()
    flank.amending(order(asked="amend", new_price=4_100, new_count=500, new_expires_ns=9))
    assert flank.hear(ORDER, NOW_NS)
    assert flank.not_before_ns == NOW_NS + RETRY_NS
    assert not flank.hear(ORDER, NOW_NS)


def test_after_each_refusal_a_side_waits_twice_as_long_up_to_a_minute_until_an_order_rests() -> None:
    flank, waits = Flank(), []
    refused = order(state=OrderState.GONE, why="invalid_order", order_id="")
    for _ in range(9):
        flank.hear(refused, NOW_NS)
        waits.append((flank.not_before_ns - NOW_NS) // SECOND_NS)
    assert waits == [1, 2, 4, 8, 16, 32, 64, 64, 64]
    flank.hear(ORDER, NOW_NS)
    flank.hear(refused, NOW_NS)
    assert flank.not_before_ns == NOW_NS + RETRY_NS


@pytest.mark.parametrize(
    "changes",
    [{"why": "canceled"}, {"why": "expired"}, {"why": "Trade", "filled": 500}, {"asked": "cancel", "why": ""}],
)
def test_an_end_that_was_wanted_is_no_refusal(changes: dict[str, object]) -> None:
    flank = Flank()
    flank.hear(order(state=OrderState.GONE, **changes), NOW_NS)
    assert flank.not_before_ns == 0


def test_an_answer_is_waited_for_but_not_for_ever() -> None:
    asked = order(asked="amend", asked_ns=NOW_NS)
    assert is_answered([ORDER], NOW_NS)
    assert not is_answered([ORDER, asked], NOW_NS + ANSWER_NS - 1)
    assert is_answered([asked], NOW_NS + ANSWER_NS)


def test_no_price_meets_an_order_of_ours_on_the_other_side() -> None:
    ask = order(side=BookSide.ASK, price=4_500, new_price=4_300)
    assert [meets_own([ask], BookSide.BID, price) for price in (4_290, 4_300, 4_400)] == [False, True, True]
    assert [meets_own([ORDER], BookSide.ASK, price) for price in (4_010, 4_000)] == [False, True]
    assert not meets_own([ORDER], BookSide.BID, 4_500)


def test_of_an_unknown_market_there_are_no_others() -> None:
    assert others(Window("M", None, Now(NOW_NS)), "ws", ()) == Top(None, 0, None, 0)
