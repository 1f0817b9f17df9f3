"""Tests of the ledger: acks, frames, fills and reads in every order, twice, late or never."""

from typing import Any

import pytest

from core.actions import Amend, BookSide, Cancel, Done, Outcome, Place
from core.answers.types import OrderAnswer
from core.messages.types import Fill, Side, UserOrder
from core.orders import EXPIRY_GRACE_NS, LAG_NS, MAX_GONE, Ledger, OrderState, OwnOrder
from core.times import SECOND_NS

NOW_NS = 1_000 * SECOND_NS
PLACE = Place(market="M", client_order_id="k", side=BookSide.BID, price=4_000, count=1_000, expires_s=1_060)
CANCEL = Cancel(market="M", client_order_id="k", order_id="o")


def amend(price: int = 4_100, count: int = 2_000) -> Amend:
    return Amend(
        market="M", client_order_id="k", order_id="o", side=BookSide.BID, price=price, count=count, expires_s=1_090
    )


class Book(Ledger):
    """A ledger of one order, k."""

    def __init__(self, place: Place = PLACE) -> None:
        super().__init__()
        self.number = 0
        self.ask(place)

    @property
    def order(self) -> OwnOrder:
        found = self.get("k")
        assert found is not None
        return found

    def ask(self, action: Place | Amend | Cancel) -> int:
        self.number += 1
        self.asked(self.number, action, "s", NOW_NS)
        return self.number

    def answered(self, done: Done = Done.DONE, number: int = 0, **more: Any) -> OwnOrder | None:
        return self.outcome(Outcome(number or self.number, done, **more), NOW_NS)

    def shows(self) -> tuple[str, int, int, int]:
        order = self.order
        return order.state.value, order.filled, order.remaining, order.unseen


def resting() -> Book:
    book = Book()
    book.answered(order_id="o", filled=0, remaining=1_000)
    return book


def frame(status: str = "resting", filled: int = 0, **more: Any) -> UserOrder:
    plain: dict[str, Any] = {"order_id": "o", "client_order_id": "k"}
    return UserOrder(market="M", status=status, side=Side.YES, price=4_000, fill_count=filled, **(plain | more))


def fill(count: int, key: str = "k", order_id: str = "o") -> Fill:
    return Fill(market="M", trade_id="t", order_id=order_id, side=Side.YES, price=1, count=count, client_order_id=key)


def listed(status: str = "resting", filled: int = 0, key: str = "k") -> OrderAnswer:
    return OrderAnswer(
        order_id="o", market="M", status=status, side=Side.YES, price=4_000, client_order_id=key, fill_count=filled,
        remaining_count=1_000 - filled,
    )  # fmt: skip


# ------------------------------------------------------------------ placing


@pytest.mark.parametrize(
    ("answer", "shows"),
    [
        ({"order_id": "o", "filled": 0, "remaining": 1_000}, ("resting", 0, 1_000, 0)),
        ({"order_id": "o", "filled": 300, "remaining": 700}, ("resting", 300, 700, 300)),
        ({"order_id": "o", "filled": 1_000, "remaining": 0}, ("gone", 1_000, 0, 1_000)),
        ({"order_id": "o", "filled": 300, "remaining": 0}, ("gone", 300, 0, 300)),  # met an own order
        ({"order_id": "o"}, ("resting", 0, 1_000, 0)),
        ({"done": Done.REFUSED, "status": 400, "code": "invalid_order"}, ("gone", 0, 0, 0)),
        ({"done": Done.REFUSED, "status": 409, "code": "order_already_exists"}, ("unknown", 0, 1_000, 0)),
        ({"done": Done.FAILED}, ("unknown", 0, 1_000, 0)),
    ],
)
def test_the_answer_to_a_place(answer: dict[str, Any], shows: tuple[str, int, int, int]) -> None:
    book = Book()
    assert book.shows() == ("pending", 0, 1_000, 0)
    book.answered(**answer)
    assert book.shows() == shows
    assert book.order.wants_cancel is (shows[0] == "unknown")
    assert not book.order.asked


def test_what_a_refused_order_was_refused_for() -> None:
    book = Book()
    book.answered(Done.REFUSED, code="invalid_order")
    assert book.order.why == "invalid_order"


@pytest.mark.parametrize("done", [Done.FAILED, Done.REFUSED])
def test_a_frame_before_its_ack_tells_more(done: Done) -> None:
    book = Book()
    book.told(frame(filled=200))
    book.answered(done)
    assert book.shows() == ("resting", 200, 800, 200)
    assert not book.order.wants_cancel


@pytest.mark.parametrize(
    ("answer", "shows"),
    [
        ({"filled": 300, "remaining": 700}, ("gone", 300, 0, 300)),
        ({"filled": 0, "remaining": 0}, ("gone", 0, 0, 0)),
        ({}, ("unknown", 0, 1_000, 0)),
    ],
)
def test_an_order_that_may_not_rest_is_over_with_its_answer(answer: dict[str, Any], shows: object) -> None:
    book = Book(Place(market="M", client_order_id="k", side=BookSide.BID, price=4_000, count=1_000, ioc=True))
    book.answered(order_id="o", **answer)
    assert book.shows() == shows


def test_an_end_before_the_ack_stays_the_end() -> None:
    book = Book()
    book.told(frame("canceled", 200, update_reason="ExpiryCancel"))
    book.answered(order_id="o", filled=0, remaining=1_000)
    assert book.shows() == ("gone", 200, 0, 200)
    assert book.order.why == "ExpiryCancel"


# ------------------------------------------------------------------ fills


def test_fills_announced_and_come_are_told_apart() -> None:
    book = resting()
    book.told(frame(filled=300))
    assert book.shows() == ("resting", 300, 700, 300)
    book.filled(fill(200))
    assert book.shows() == ("resting", 300, 700, 100)
    book.filled(fill(200))
    assert book.shows() == ("resting", 400, 600, 0)
    book.filled(fill(600))
    assert book.shows() == ("gone", 1_000, 0, 0)
    assert book.live() == book.unsettled() == ()


def test_a_fill_by_rest_before_the_ack_is_credited_with_it() -> None:
    book = Book()
    assert book.filled(fill(300, key="")) is None  # whose is it?
    book.answered(order_id="o", filled=300, remaining=700)
    assert book.shows() == ("resting", 300, 700, 0)
    assert book.filled(fill(100, key="")) is not None
    assert book.shows() == ("resting", 400, 600, 0)


def test_a_fill_tells_the_order_id() -> None:
    book = Book()
    book.filled(fill(300))
    book.answered(Done.FAILED)
    assert (book.order.order_id, book.shows()) == ("o", ("unknown", 300, 700, 0))


def test_late_fills_settle_an_order_that_is_over() -> None:
    book = resting()
    book.told(frame("canceled", 300))
    assert [order.client_order_id for order in book.unsettled()] == ["k"]
    book.filled(fill(300))
    assert book.unsettled() == ()
    assert book.shows() == ("gone", 300, 0, 0)


def test_what_an_order_that_is_over_filled_is_final() -> None:
    book = resting()
    book.told(frame(filled=500))  # more than there was, say
    book.told(frame("canceled", 300))
    assert book.shows() == ("gone", 300, 0, 300)
    book.listed(listed("canceled", 200), NOW_NS)
    assert book.shows() == ("gone", 200, 0, 200)


# ------------------------------------------------------------------ cancelling


@pytest.mark.parametrize(
    ("answer", "shows", "wants"),
    [
        ({"remaining": 700}, ("gone", 300, 0, 300), False),  # reduced by
        ({}, ("unknown", 0, 1_000, 0), False),  # over, but with how much filled?
        ({"done": Done.REFUSED, "status": 404}, ("unknown", 0, 1_000, 0), False),
        ({"done": Done.REFUSED, "status": 409}, ("resting", 0, 1_000, 0), True),
        ({"done": Done.FAILED}, ("resting", 0, 1_000, 0), True),
        ({"done": Done.FAILED, "status": 404}, ("resting", 0, 1_000, 0), True),
    ],
)
def test_the_answer_to_a_cancel(answer: dict[str, Any], shows: object, *, wants: bool) -> None:
    book = resting()
    book.want_cancel("k")
    book.ask(CANCEL)
    book.answered(**answer)
    assert book.shows() == shows
    assert book.order.wants_cancel is wants


def test_after_a_404_only_what_is_newer_is_believed() -> None:
    book = resting()
    book.ask(CANCEL)
    book.answered(Done.REFUSED, status=404)
    assert book.told(frame()) is None  # late
    assert book.listed(listed(), NOW_NS + LAG_NS - 1) is None  # stale
    assert book.order.state is OrderState.UNKNOWN
    book.listed(listed(), NOW_NS + LAG_NS)
    assert (book.order.state, book.order.wants_cancel) == (OrderState.RESTING, True)
    book.listed(listed("executed", 1_000), 0)  # however stale: nothing comes back
    assert book.shows() == ("gone", 1_000, 0, 1_000)


# ------------------------------------------------------------------ amending


def test_both_forms_count_while_an_amendment_is_under_way() -> None:
    book = resting()
    book.ask(amend(count=500))
    assert book.order.remaining == 1_000
    book.answered(order_id="o", remaining=500)
    assert (book.order.price, book.order.count, book.order.remaining) == (4_100, 500, 500)
    assert book.order.expires_ns == 1_090 * SECOND_NS
    book.ask(amend(count=2_000))
    assert book.order.remaining == 2_000
    book.filled(fill(500))  # all of the old form
    assert book.order.is_live
    book.answered(Done.REFUSED, status=400)
    assert book.shows() == ("gone", 500, 0, 0)


@pytest.mark.parametrize("count", [500, 2_000])
def test_an_amendment_without_an_answer_leaves_both_forms_until_it_is_over(count: int) -> None:
    book = resting()
    book.ask(amend(count=count))
    book.answered(Done.FAILED)
    assert (book.order.remaining, book.order.new_price) == (max(count, 1_000), 4_100)
    assert book.order.wants_cancel
    book.ask(CANCEL)
    book.answered(remaining=400)  # of which form?
    assert book.order.state is OrderState.UNKNOWN
    assert book.order.remaining == max(count, 1_000)
    book.told(frame("canceled", 100))
    assert book.shows() == ("gone", 100, 0, 100)


def test_frames_do_not_say_which_form_stands() -> None:
    book = resting()
    book.ask(amend(price=4_000, count=2_000))
    book.told(frame(remaining_count=1_000))  # of the form before, late
    assert book.order.remaining == 2_000
    book.answered(order_id="o", remaining=2_000)
    assert book.order.count == 2_000


@pytest.mark.parametrize(
    ("answer", "state"),
    [({"done": Done.REFUSED, "status": 404}, "unknown"), ({"remaining": 0}, "gone"), ({"filled": 2_000}, "gone")],
)
def test_an_amendment_may_end_an_order(answer: dict[str, Any], state: str) -> None:
    book = resting()
    book.ask(amend())
    book.answered(**answer)
    assert book.order.state == state


# ------------------------------------------------------------------ never answered, expired, forgotten


def test_what_is_never_answered_has_failed() -> None:
    book = Book()
    assert book.stuck(NOW_NS + 10, 10) == ()
    (order,) = book.stuck(NOW_NS + 11, 10)
    assert (order.state, order.wants_cancel, order.asked) == (OrderState.UNKNOWN, True, "")
    assert book.answered(order_id="o", remaining=1_000) is None  # too late: something else may be under way
    book.listed(listed(key="k"), 0)
    assert book.order.state is OrderState.RESTING
    first = book.ask(amend())
    book.stuck(NOW_NS + 11, 10)
    book.ask(amend(price=4_200))
    book.answered(number=first, order_id="o", remaining=5)
    assert book.order.asked == "amend"


@pytest.mark.parametrize(("for_certain", "state"), [(True, "gone"), (False, "unknown")])
def test_an_order_nothing_was_heard_of_after_its_expiry(state: str, *, for_certain: bool) -> None:
    book = resting()
    last_ns = 1_060 * SECOND_NS + EXPIRY_GRACE_NS
    assert book.expire(last_ns, for_certain=for_certain) == ()
    (order,) = book.expire(last_ns + 1, for_certain=for_certain)
    assert order.state == state
    assert order.remaining == (0 if for_certain else 1_000)
    assert book.expire(last_ns + 2, for_certain=for_certain) == ()


def test_an_amendment_under_way_may_have_prolonged_it() -> None:
    book = resting()
    book.ask(amend())
    assert book.expire(1_070 * SECOND_NS, for_certain=True) == ()
    assert len(book.expire(1_096 * SECOND_NS, for_certain=True)) == 1


def test_an_adopted_order_starts_with_what_it_had() -> None:
    ledger = Ledger()
    order = ledger.adopt(listed(filled=300), "s", NOW_NS)
    assert (order.filled, order.seen, order.remaining, order.count) == (300, 300, 700, 1_000)
    assert ledger.told(frame("canceled", 300)) is not None
    assert ledger.unsettled() == ()


def test_news_that_is_none_is_none() -> None:
    book = resting()
    assert book.told(frame()) is None
    assert book.listed(listed(), NOW_NS) is None
    assert book.told(frame(client_order_id="x", order_id="y")) is None
    assert book.listed(OrderAnswer(order_id="y", market="M", status="x", side=Side.YES, price=1), 0) is None
    assert book.end("x", "y") is None
    assert book.answered(number=99) is None
    book.told(frame("canceled"))
    assert book.told(frame("canceled")) is None
    assert book.told(frame(filled=5)) is None


def test_the_long_gone_are_forgotten() -> None:
    ledger = Ledger()
    for number in range(MAX_GONE + 1):
        place = Place(market="M", client_order_id=f"k{number}", side=BookSide.BID, price=1, count=1)
        ledger.asked(number, place, "s", NOW_NS)
        ledger.outcome(Outcome(number, Done.DONE, order_id=f"o{number}", filled=1, remaining=0), NOW_NS)
    assert ledger.get("k0") is None
    assert ledger.get("k1") is not None
    assert len(ledger.unsettled()) == MAX_GONE


def test_what_lives_by_market_and_strategy() -> None:
    book = resting()
    assert len(book.live("M", "s")) == len(book.live()) == 1
    assert book.live("N") == book.live("M", "t") == ()
    assert book.of_decision(99) is None
