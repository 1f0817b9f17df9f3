"""Requests leave no faster than the account's budget, and what is urgent does not wait behind what is not."""

import pytest

from capture.buckets import Buckets
from core.answers import Costs, Limits

SECOND_NS = 10**9
START_NS = 10**15
MARKETS = ("GET", "/markets")
CREATE = ("POST", "/portfolio/events/orders")
CANCEL = ("DELETE", "/portfolio/events/orders/5d1f3c34")


def sent(buckets: Buckets, request: tuple[str, str], seconds: float, *, urgent: bool = False) -> int:
    """How many of these leave within so many seconds when asked for as fast as allowed."""
    now_ns, until_ns, count = START_NS, START_NS + int(seconds * SECOND_NS), 0
    while now_ns < until_ns:
        delay_ns = buckets.reserve(*request, now_ns, urgent=urgent)
        count += not delay_ns
        now_ns += delay_ns
    return count


def test_reads_leave_at_the_rate_of_the_smallest_tier_until_the_account_says_otherwise() -> None:
    assert sent(Buckets(), MARKETS, 10) == pytest.approx(220, abs=2)  # a bucket of 200, and 200 a second, at 10 each


def test_the_accounts_own_budget_is_kept_to() -> None:
    buckets = Buckets()
    buckets.learn_limits(Limits("prime", 4_000, 4_000, 4_000, 4_000))
    assert sent(buckets, MARKETS, 10) == pytest.approx(4_400, abs=2)


def test_a_share_is_a_share_of_rate_and_bucket() -> None:
    assert sent(Buckets(0.5), MARKETS, 10) == pytest.approx(110, abs=2)


@pytest.mark.parametrize("share", [0.0, -1.0, 1.5])
def test_a_share_outside_of_everything_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        Buckets(share)


def test_a_cancel_leaves_at_once_however_many_reads_and_orders_have_left() -> None:
    buckets = Buckets()
    sent(buckets, MARKETS, 1)
    sent(buckets, CREATE, 1)
    now_ns = START_NS + SECOND_NS
    while not buckets.reserve(*CREATE, now_ns):
        pass
    assert buckets.reserve(*CANCEL, now_ns, urgent=True) == 0


def test_a_batch_costs_as_much_as_its_items() -> None:
    buckets = Buckets()
    assert buckets.reserve(*CREATE, START_NS, items=8) == 0
    assert buckets.reserve(*CREATE, START_NS) > 0


def test_a_batch_that_no_bucket_holds_is_let_go_when_the_bucket_is_full() -> None:
    buckets = Buckets()
    assert buckets.reserve(*CREATE, START_NS, items=1_000) == 0
    assert 0 < buckets.reserve(*CREATE, START_NS, items=1_000) <= SECOND_NS


def test_the_balance_is_asked_for_once_a_second() -> None:
    assert sent(Buckets(), ("GET", "/portfolio/balance"), 5) == 5


def test_costs_are_known_and_learnt() -> None:
    buckets = Buckets()
    assert (buckets.cost(*CANCEL), buckets.cost(*CREATE), buckets.cost("GET", "/portfolio/orders/1")) == (2, 10, 2)
    buckets.learn_costs(Costs(7, (("GET", "/trade-api/v2/series/{ticker}/x", 150),)))
    assert (buckets.cost("GET", "/series/KX/x"), buckets.cost(*MARKETS), buckets.cost(*CANCEL)) == (150, 7, 2)


@pytest.mark.parametrize(
    ("listed", "asked", "is_meant"),
    [
        ("/x/:order_id", "/x/5d1f", True),
        ("/x/:order_id", "/x/5d1f/amend", False),
        ("/x/:order_id/amend", "/x/5d1f/amend", True),
        ("/x/{order_id}", "/x/5d1f", True),
        ("/x/*endpoint", "/x/a/b", True),
        ("/x/*endpoint", "/x", False),
        ("/x.y", "/xzy", False),
    ],
)
def test_a_path_with_parameters_means_every_path_that_fits(listed: str, asked: str, is_meant: bool) -> None:
    buckets = Buckets()
    buckets.learn_costs(Costs(10, (("GET", f"/trade-api/v2{listed}", 150),)))
    assert buckets.cost("GET", asked) == (150 if is_meant else 10)


def test_a_path_that_is_listed_for_itself_is_meant_before_one_with_parameters() -> None:
    buckets = Buckets()
    assert buckets.cost("GET", "/portfolio/orders/queue_positions") == 10
    buckets.learn_costs(Costs(10, (("GET", "/x/:id", 2), ("GET", "/x/batched", 30))))
    assert (buckets.cost("GET", "/x/batched"), buckets.cost("GET", "/x/other")) == (30, 2)


def test_after_a_refusal_the_bucket_is_taken_to_be_empty() -> None:
    buckets = Buckets()
    buckets.refused("GET", START_NS)
    assert buckets.reserve(*MARKETS, START_NS) == pytest.approx(SECOND_NS / 20, rel=0.01)
    assert buckets.reserve(*CREATE, START_NS) == 0
