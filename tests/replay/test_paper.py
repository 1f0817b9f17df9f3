"""The paper venue "touch", by made-up books and trades: it fills late, dearly, and never more than was there."""

from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st
from sample_tapes import SECOND, START_NS, Script

from core.actions import Action, Amend, BookSide, Cancel, Decision, Done, Fetch, Outcome, PaperFill, Place
from core.engine import Engine
from core.fees import fee_step, trade_fee
from replay.paper import TERMS, PaperVenue

M: Final = "KXTEST-A"
BID, ASK = BookSide.BID, BookSide.ASK


class Stage:
    """A market bid at 0.40 (10 contracts) and offered at 0.44 (10), 0.45 (5) and 0.50, and the venue beside it."""

    def __init__(self) -> None:
        self.script = Script().session().opened().subscribed(1).subscribed(2, "trade")
        self.script.snapshot(M, [("0.4000", "10.00")], [("0.5600", "10.00"), ("0.5500", "5.00"), ("0.5000", "9.00")])
        self.engine = Engine()
        self.venue = PaperVenue()
        self._stepped = self._count = 0
        self.go()

    def go(self) -> tuple[tuple[PaperFill, ...], tuple[str, ...]]:
        """What the records since the last call made of the orders: fills, and those that ended."""
        for record in self.script.records[self._stepped :]:
            self.venue.saw(self.engine.step(record), self.engine)
        self._stepped = len(self.script.records)
        event = self.venue.events()
        return ((), ()) if event is None else (event.fills, event.ended)

    def do(self, action: Action) -> Outcome | None:
        self._count += 1
        return self.venue.act(Decision(self._count, 0, 0, "a", action))

    def place(self, key: str, side: BookSide, price: int, count: int, **more: Any) -> Outcome:
        outcome = self.do(Place(market=M, client_order_id=key, side=side, price=price, count=count, **more))
        assert outcome is not None
        return outcome

    def trade(self, price: str, count: str) -> tuple[PaperFill, ...]:
        self.script.trade(M, price, count)
        return self.go()[0]


def fee(price: int, count: int, *, taker: bool) -> int:
    return trade_fee(TERMS, price, count, fee_step(START_NS), taker=taker)


def test_nobody_fills_a_resting_order_at_its_own_price() -> None:
    stage = Stage()
    outcome = stage.place("a", BID, 4_000, 300)
    assert (outcome.done, outcome.status, outcome.filled, outcome.remaining) == (Done.DONE, 201, 0, 300)
    assert stage.trade("0.4000", "50.00") == ()
    assert stage.place("b", ASK, 4_400, 300).done is Done.DONE
    assert stage.trade("0.4400", "50.00") == ()


def test_a_trade_through_the_price_fills_at_the_price_for_no_more_than_was_traded() -> None:
    stage = Stage()
    stage.place("a", BID, 4_000, 300)
    stage.place("b", BID, 4_000, 300)
    assert stage.trade("0.3900", "4.00") == (
        PaperFill("a", "paper-1", 4_000, 300, fee(4_000, 300, taker=False)),
        PaperFill("b", "paper-2", 4_000, 100, fee(4_000, 100, taker=False)),
    )
    assert [f.count for f in stage.trade("0.3900", "9.00")] == [200]
    assert stage.trade("0.3900", "9.00") == ()


def test_a_trade_before_the_order_does_not_fill_it() -> None:
    stage = Stage()
    stage.trade("0.3900", "9.00")
    stage.place("a", BID, 4_000, 100)
    assert stage.go() == ((), ())


def test_a_post_only_order_that_would_cross_is_refused_and_so_is_an_amendment() -> None:
    stage = Stage()
    refused = stage.place("a", BID, 4_400, 100)
    assert (refused.done, refused.code, refused.reason) == (Done.REFUSED, "invalid_order", "post only cross")
    stage.place("b", BID, 4_300, 100)
    amend = Amend(market=M, client_order_id="b", order_id="b", side=BID, price=4_400, count=100)
    assert (outcome := stage.do(amend)) is not None and outcome.done is Done.REFUSED
    assert [f.price for f in stage.trade("0.4200", "1.00")] == [4_300], "it rests as it was"


def test_a_taker_takes_what_is_shown_up_to_its_limit_and_pays_for_it() -> None:
    stage = Stage()
    outcome = stage.place("a", BID, 4_500, 2_000, post_only=False)
    assert (outcome.filled, outcome.remaining) == (1_500, 500)
    assert stage.go()[0] == (
        PaperFill("a", "paper-1", 4_400, 1_000, fee(4_400, 1_000, taker=True), is_taker=True),
        PaperFill("a", "paper-2", 4_500, 500, fee(4_500, 500, taker=True), is_taker=True),
    )
    rest = stage.place("b", ASK, 3_900, 2_000, post_only=False, ioc=True)
    assert (rest.filled, rest.remaining) == (1_000, 0)
    assert [(f.client_order_id, f.price) for f in stage.go()[0]] == [("b", 4_000)]
    assert [f.client_order_id for f in stage.trade("0.9000", "99.00")] == [], "what an ioc left does not rest"


def test_all_or_nothing_and_reduce_only_are_kept_to() -> None:
    stage = Stage()
    killed = stage.place("a", BID, 4_400, 1_001, post_only=False, ioc=True, fok=True)
    assert (killed.done, killed.status, killed.code) == (Done.REFUSED, 409, "fill_or_kill_insufficient_resting_volume")
    flat = stage.place("b", ASK, 4_000, 100, post_only=False, ioc=True, reduce_only=True)
    assert (flat.done, flat.filled, flat.remaining) == (Done.DONE, 0, 0)
    assert stage.place("c", BID, 4_400, 300, post_only=False, ioc=True, fok=True).filled == 300
    assert stage.place("d", BID, 4_400, 100, post_only=False, ioc=True, reduce_only=True).filled == 0
    assert stage.place("e", ASK, 4_000, 500, post_only=False, ioc=True, reduce_only=True).filled == 300


def test_a_book_that_comes_to_cross_fills_for_no_more_than_it_offers() -> None:
    stage = Stage()
    stage.place("a", BID, 4_300, 300)
    stage.place("b", BID, 4_300, 300)
    stage.script.delta(M, "no", "0.5800", "4.00")  # offered at 0.42
    assert [(f.client_order_id, f.price, f.count, f.is_taker) for f in stage.go()[0]] == [
        ("a", 4_300, 300, False),
        ("b", 4_300, 100, False),
    ]


def test_orders_end_at_their_expiration_and_are_not_filled_by_what_comes_after() -> None:
    stage = Stage()
    stage.place("a", BID, 4_000, 100, expires_s=START_NS // SECOND + 5)
    stage.script.wait(4 * SECOND)
    assert stage.trade("0.4100", "1.00") == ()
    stage.script.wait(SECOND)
    stage.script.trade(M, "0.3900", "9.00")
    assert stage.go() == ((), ("a",))
    cancel = Cancel(market=M, client_order_id="a", order_id="a")
    assert (outcome := stage.do(cancel)) is not None and (outcome.done, outcome.status) == (Done.REFUSED, 404)


def test_a_cancelled_order_is_not_filled_and_an_amended_one_as_it_is_now() -> None:
    stage = Stage()
    stage.place("a", BID, 4_000, 100)
    stage.place("b", BID, 4_000, 200)
    assert stage.do(Cancel(market=M, client_order_id="a", order_id="a")) == Outcome(
        1 + 2, Done.DONE, 200, order_id="a", remaining=100
    )
    stage.trade("0.3900", "0.50")
    amend = Amend(market=M, client_order_id="b", order_id="b", side=BID, price=4_100, count=150)
    assert (outcome := stage.do(amend)) is not None and (outcome.filled, outcome.remaining) == (50, 100)
    assert [(f.client_order_id, f.price, f.count) for f in stage.trade("0.4000", "9.00")] == [("b", 4_100, 100)]


def test_what_is_no_order_is_not_the_venues() -> None:
    assert Stage().do(Fetch("/markets")) is None


def test_in_a_book_that_cannot_be_trusted_nothing_is_taken() -> None:
    stage = Stage()
    stage.script.skip().delta(M, "no", "0.5600", "1.00")
    stage.go()
    assert stage.place("a", BID, 4_500, 100, post_only=False).filled == 0


@settings(max_examples=40, deadline=None)
@given(
    orders=st.lists(st.tuples(st.integers(3_500, 4_300), st.integers(1, 900)), min_size=1, max_size=6),
    trades=st.lists(st.tuples(st.integers(30, 43), st.integers(1, 12)), max_size=8),
)
def test_never_is_more_filled_than_asked_for_or_traded(
    orders: list[tuple[int, int]], trades: list[tuple[int, int]]
) -> None:
    stage = Stage()
    for number, (price, count) in enumerate(orders):
        stage.place(f"{number}", BID, price, count)
    filled: dict[str, int] = {}
    for cents, contracts in trades:
        fills = stage.trade(f"0.{cents}00", f"{contracts}.00")
        assert sum(fill.count for fill in fills) <= contracts * 100
        for fill in fills:
            assert fill.price == orders[int(fill.client_order_id)][0] > cents * 100
            filled[fill.client_order_id] = filled.get(fill.client_order_id, 0) + fill.count
    assert all(count <= orders[int(key)][1] for key, count in filled.items())
