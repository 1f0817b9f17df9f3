"""Tests of what REST is asked about the account, and what its answers mend."""

from typing import Any

from core.actions import BookSide, Done, Fetch, Outcome, Place
from core.answers.types import FillAnswer, OrderAnswer, Page, PositionAnswer
from core.fetched import Fetched
from core.holdings import Holdings
from core.inquiry import SKEW_NS, STUCK_NS, Inquiry
from core.messages.types import Fill, Side
from core.orders import EXPIRY_GRACE_NS, LAG_NS, Ledger, OrderState
from core.times import SECOND_NS

BEGUN_NS = 10_000 * SECOND_NS
WHOLE = ("limit", "1000")


class Case:
    """A run that began at BEGUN_NS, with an order k (o on the exchange) of 10 contracts, placed then."""

    def __init__(self, **place: Any) -> None:
        self.ledger, self.holdings = Ledger(), Holdings()
        self.inquiry = Inquiry(self.ledger, self.holdings)
        self.inquiry.begun_ns = self.now_ns = BEGUN_NS
        action = Place(
            market="M", client_order_id="k", side=BookSide.BID, price=4_000, count=1_000,
            **({"expires_s": BEGUN_NS // SECOND_NS + 60} | place),
        )  # fmt: skip
        self.ledger.asked(1, action, "s", BEGUN_NS)

    def acked(self, done: Done = Done.DONE, **more: Any) -> "Case":
        self.ledger.outcome(Outcome(1, done, **more), self.now_ns)
        return self

    def answer(self, path: str, items: tuple[Any, ...], *params: tuple[str, str], **more: Any) -> list[str]:
        """Whose orders, and which trades, are news."""
        page = Page(items, more.get("cursor", ""))
        fetched = Fetched(path, params, page, "decision 1", more.get("asked_ns", self.now_ns))
        news = self.inquiry.answer(fetched)
        orders = [found.order.client_order_id for found in news if found.order is not None]
        return orders + [found.fill.trade_id for found in news if found.fill is not None]

    def asked(self, seconds: int = 0) -> list[str]:
        """What is asked by then."""
        for _ in range(seconds):
            self.now_ns += SECOND_NS
            self.inquiry.beat(self.now_ns)
        return [f"{f.path}?{'&'.join('='.join(p) for p in f.params if p != WHOLE)}" for f in self.inquiry.take()]

    @property
    def state(self) -> OrderState:
        found = self.ledger.get("k")
        assert found is not None
        return found.state


def fill(trade_id: str = "t", count: int = 400, created_ns: int = BEGUN_NS, order_id: str = "o") -> FillAnswer:
    return FillAnswer(
        trade_id=trade_id, order_id=order_id, market="M", side=Side.YES, price=4_000, count=count, created_ns=created_ns
    )


def order(status: str, filled: int = 0, key: str = "k") -> OrderAnswer:
    return OrderAnswer(
        order_id="o" if key == "k" else key, market="M", status=status, side=Side.YES, price=4_000, client_order_id=key,
        fill_count=filled,
    )  # fmt: skip


def test_a_fill_counts_once_by_frame_and_by_rest() -> None:
    case = Case().acked(order_id="o", filled=0, remaining=1_000)
    frame = Fill(market="M", trade_id="t", order_id="o", client_order_id="k", side=Side.YES, price=4_000, count=400)
    assert case.inquiry.fill(frame).order is not None
    assert case.answer("/portfolio/fills", (fill(), fill("u", 100)), WHOLE) == ["k", "u"]
    assert case.holdings.of("M").position == 500


def test_fills_of_before_the_run_are_held_already() -> None:
    case = Case()
    old = BEGUN_NS - SKEW_NS
    assert case.answer("/portfolio/fills", (fill("a", created_ns=old - 1), fill("b", created_ns=old)), WHOLE) == ["b"]
    assert case.answer("/portfolio/fills", (fill("a", created_ns=0),), WHOLE) == []  # known by now
    assert case.answer("/portfolio/fills", (fill("c", created_ns=0),), WHOLE) == ["c"]
    assert case.holdings.of("M").position == 800


def test_fills_that_were_announced_are_asked_for_by_order() -> None:
    case = Case().acked(order_id="o", filled=400, remaining=600)
    assert case.asked(2) == []
    assert case.asked(1) == ["/portfolio/fills?order_id=o"]
    assert case.asked(2) == ["/portfolio/fills?order_id=o"]
    case.answer("/portfolio/fills", (fill(),), ("order_id", "o"))
    assert case.asked(5) == []


def test_of_an_order_that_is_over_its_count_is_asked_too() -> None:
    case = Case().acked(order_id="o", filled=400, remaining=0)
    assert case.asked(3) == ["/portfolio/orders/o?", "/portfolio/fills?order_id=o"]
    case.inquiry.answer(Fetched("/portfolio/orders/o", (), order("canceled"), "", 0))
    assert case.asked(5) == []


def test_resting_orders_that_a_whole_listing_lacks_are_asked_about() -> None:
    case = Case().acked(order_id="o", filled=0, remaining=1_000)
    resting = (("status", "resting"), WHOLE)
    late = BEGUN_NS + LAG_NS + 1
    case.answer("/portfolio/orders", (), *resting, asked_ns=late - 1)  # perhaps from before it was placed
    case.answer("/portfolio/orders", (), *resting, asked_ns=late, cursor="more")
    case.answer("/portfolio/orders", (), ("ticker", "N"), *resting, asked_ns=late)
    case.answer("/portfolio/orders", (order("resting"),), *resting, asked_ns=late)
    assert case.asked() == ["/portfolio/orders?status=resting&cursor=more"]
    case.answer("/portfolio/orders", (order("resting", key="x"),), *resting, asked_ns=late)
    assert case.asked() == ["/portfolio/orders/o?"]
    assert case.state is OrderState.RESTING


def test_an_order_without_an_answer_is_over_when_it_cannot_arrive_any_more() -> None:
    case = Case().acked(Done.FAILED)
    assert case.asked(3) == ["/portfolio/orders?ticker=M"]
    past = BEGUN_NS + 60 * SECOND_NS + EXPIRY_GRACE_NS
    for items, params, more in (
        ((), (("ticker", "M"),), {"asked_ns": past}),
        ((), (("ticker", "M"), ("status", "resting")), {"asked_ns": past + 1}),
        ((), (("ticker", "M"),), {"asked_ns": past + 1, "cursor": "more"}),
        ((), (("ticker", "N"),), {"asked_ns": past + 1}),
    ):
        assert case.answer("/portfolio/orders", items, *params, **more) == []
    assert case.answer("/portfolio/orders", (order("resting", key="x"),), ("ticker", "M"), asked_ns=past + 1) == ["k"]
    assert case.state is OrderState.GONE


def test_without_an_expiry_it_is_given_half_a_minute() -> None:
    case = Case(expires_s=0, ioc=True).acked(Done.FAILED)
    assert case.answer("/portfolio/orders", (), ("ticker", "M"), asked_ns=BEGUN_NS + STUCK_NS - 1) == []
    assert case.answer("/portfolio/orders", (), ("ticker", "M"), asked_ns=BEGUN_NS + STUCK_NS) == ["k"]


def test_an_order_that_a_listing_has_is_found() -> None:
    case = Case().acked(Done.FAILED)
    past = BEGUN_NS + 60 * SECOND_NS + EXPIRY_GRACE_NS + 1
    assert case.answer("/portfolio/orders", (order("canceled", 300),), ("ticker", "M"), asked_ns=past) == ["k"]
    found = case.ledger.get("k")
    assert found is not None
    assert (found.why, found.filled, found.unseen) == ("canceled", 300, 300)


# ------------------------------------------------------------------ positions in dispute


def disputed() -> Case:
    case = Case().acked(order_id="o", filled=0, remaining=1_000)
    case.holdings.told("M", 700)
    return case


def told(case: Case, position: int | None, after_ns: int = 0) -> int:
    """What is held after REST told that (None = its listing has none)."""
    items = () if position is None else (PositionAnswer(market="M", position=position, exposure=5),)
    case.answer("/portfolio/positions", items, ("ticker", "M"), WHOLE, asked_ns=BEGUN_NS + after_ns)
    return case.holdings.of("M").position


def test_a_disputed_position_is_asked_for_with_its_fills() -> None:
    case = disputed()
    assert case.asked(3) == ["/portfolio/fills?ticker=M", "/portfolio/positions?ticker=M"]


def test_a_position_is_believed_when_told_twice_further_apart_than_reads_lag() -> None:
    case = disputed()
    assert [told(case, 700), told(case, 700, LAG_NS - 1), told(case, 600, LAG_NS)] == [0, 0, 0]
    assert [told(case, 700, LAG_NS), told(case, 700, 2 * LAG_NS)] == [0, 700]
    assert not case.holdings.disputed


def test_a_fill_between_makes_a_position_old() -> None:
    case = disputed()
    told(case, 700)
    case.answer("/portfolio/fills", (fill(count=700),), ("ticker", "M"))
    assert told(case, 700, LAG_NS) == 700
    assert not case.holdings.disputed
    assert case.holdings.of("M").cost == 2_800_000  # by the fill, not as told


def test_a_market_that_the_listing_lacks_holds_nothing() -> None:
    case = disputed()
    assert told(case, None) == 0
    assert not case.holdings.disputed


def test_a_position_nobody_disputes_is_left_alone() -> None:
    case = Case()
    assert told(case, 700) == told(case, 700, 9 * LAG_NS) == 0


# ------------------------------------------------------------------ pages


def test_further_pages_are_asked_for_until_they_are_older_than_the_run() -> None:
    case = Case()
    case.answer("/portfolio/fills", (fill("a"),), ("min_ts", "5"), ("cursor", "one"), cursor="two")
    assert case.asked() == ["/portfolio/fills?min_ts=5&cursor=two"]
    case.answer("/portfolio/fills", (fill("b", created_ns=BEGUN_NS - SKEW_NS - 1),), cursor="three")
    assert case.asked() == []


def test_pages_that_others_asked_for_are_their_concern() -> None:
    case = Case()
    case.inquiry.answer(Fetched("/portfolio/fills", (), Page((fill(),), "more"), "startup", 0))
    case.inquiry.begun_ns = 0
    case.answer("/portfolio/fills", (), cursor="more")
    assert case.asked() == []


def test_a_catch_up_asks_for_orders_and_fills() -> None:
    case = Case()
    case.inquiry.catch_up(77, BEGUN_NS)
    assert case.inquiry.take() == (
        Fetch("/portfolio/orders", (("status", "resting"), WHOLE)),
        Fetch("/portfolio/fills", (("min_ts", "77"), WHOLE)),
    )
