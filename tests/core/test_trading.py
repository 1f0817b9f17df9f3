"""Tests of the run's side of the exchange: what is paid, what it is worth, what is cancelled again, and paper."""

from typing import Any

import pytest
from port import START_NS, Puppet, Run

from core.actions import BookSide, Cancel, Done, Fetch, PaperEvent, PaperFill, Place, RiskLimits
from core.messages.types import Fill, MarketLifecycle, Side, UserOrder
from core.orders import OrderState, OwnOrder
from core.records import Kind
from core.times import SECOND_NS
from core.trading import client_order_id, nonce_of


def started(**terms: Any) -> Run:
    run = Run(Puppet(), terms=terms)
    run.answer("/portfolio/balance", {"balance": 10_000, "portfolio_value": 0})
    run.go()
    return run


def place(run: Run, count: int = 100, price: int = 4_000) -> tuple[int, str]:
    """The number of the decision and the order's name."""
    decision = run.do(lambda ctx: ctx.place("M", BookSide.BID, price, count)).decisions[-1]
    assert isinstance(decision.action, Place)
    assert not decision.refused
    return decision.number, decision.action.client_order_id


def rest(run: Run, order_id: str = "o") -> OwnOrder:
    number, key = place(run)
    run.outcome(number, order_id=order_id, filled=0, remaining=100)
    return order(run, key)


def order(run: Run, key: str) -> OwnOrder:
    found = run.host.trading.ledger.get(key)
    assert found is not None
    return found


def fill(run: Run, count: int, trade_id: str = "t", order_id: str = "x", **more: Any) -> None:
    run.frame(
        Fill(market="M", trade_id=trade_id, order_id=order_id, side=Side.YES, price=4_000, count=count, fee=0, **more)
    )


def life(run: Run, event: str, **more: Any) -> None:
    run.frame(MarketLifecycle(sid=7, market="M", event=event, **more))


def cash(run: Run) -> int | None:
    return run.host.trading.holdings.cash


# ------------------------------------------------------------------ settlement and worth


@pytest.mark.parametrize(
    ("result", "value", "paid"), [("yes", None, 1_000_000), ("no", 0, 0), ("scalar", 2_500, 250_000)]
)
def test_a_settled_market_pays_by_what_was_determined(result: str, value: int | None, paid: int) -> None:
    run = started()
    key = rest(run).client_order_id
    fill(run, 100)
    life(run, "determined", determined_ns=5, result=result, settlement_value=value)
    assert cash(run) == 100_000_000 - 400_000
    assert run.host.trading.risk.day_pnl == paid - 400_000
    life(run, "settled", settled_ns=6)  # says nothing else (protocol 8.8)
    life(run, "settled", settled_ns=6)
    assert cash(run) == 100_000_000 - 400_000 + paid
    assert run.host.trading.holdings.realized == paid - 400_000
    assert (order(run, key).state, order(run, key).why) == (OrderState.GONE, "settled")


def test_a_position_is_worth_what_is_bid_and_its_cost_where_nothing_is_known() -> None:
    run = started()
    trading = run.host.trading
    fill(run, 100)
    assert trading.risk.day_pnl == 0  # no book was ever seen
    run.book("M", ((3_000, 5),), ((5_000, 5),))
    assert trading.risk.day_pnl == -100_000
    run.book("M", (), ((5_000, 5),), seq=2)
    assert trading.risk.day_pnl == -400_000  # nobody bids
    run.frame(Fill(market="M", trade_id="u", order_id="y", side=Side.NO, price=4_500, count=300, fee=0))
    assert trading.holdings.of("M").position == -200
    assert trading.risk.day_pnl == 50_000 + 2 * (500_000 - 550_000)
    run.book("M", (), (), seq=3)
    assert trading.risk.day_pnl == 50_000 - 1_100_000
    life(run, "close_date_updated", close_ns=run.now_ns + 1)
    run.beat()
    assert trading.risk.day_pnl == 50_000  # over, and nobody knows how


# ------------------------------------------------------------------ cancelling until it is so


def test_a_cancel_that_failed_is_asked_again_after_a_second() -> None:
    run = started()
    key = rest(run).client_order_id
    number = run.do(lambda ctx: ctx.cancel(order(run, key))).decisions[-1].number
    assert run.outcome(number, Done.FAILED).decisions == []
    assert run.beat(0.5).decisions == []
    again = run.beat(0.5).decisions
    assert [decision.action for decision in again] == [Cancel(market="M", client_order_id=key, order_id="o")]
    assert [decision.strategy for decision in again] == [""]


def test_a_cancel_that_found_nothing_is_asked_about() -> None:
    run = started()
    key = rest(run).client_order_id
    number = run.do(lambda ctx: ctx.cancel(order(run, key))).decisions[-1].number
    run.outcome(number, Done.REFUSED, status=404)
    assert [run.beat().decisions for _ in range(2)] == [[], []]
    (asked,) = run.beat().decisions
    assert asked.action == Fetch("/portfolio/orders/o")
    assert order(run, key).remaining == 100


def test_a_place_nobody_answers_is_looked_for_and_cancelled() -> None:
    run = started()
    _, key = place(run)
    run.beat(31)
    assert order(run, key).state is OrderState.UNKNOWN
    asked = [*run.beat(2).decisions, *run.beat(2).decisions]
    assert asked[0].action == Fetch("/portfolio/orders", (("ticker", "M"), ("limit", "1000")))
    found = {
        "order_id": "o", "client_order_id": key, "ticker": "M", "status": "resting", "side": "yes",
        "yes_price_dollars": "0.4000", "initial_count_fp": "1.00", "fill_count_fp": "0.00",
        "remaining_count_fp": "1.00",
    }  # fmt: skip
    reaction = run.answer("/portfolio/orders?ticker=M&limit=1000", {"orders": [found], "cursor": ""})
    assert [decision.action for decision in reaction.decisions] == [
        Cancel(market="M", client_order_id=key, order_id="o")
    ]


# ------------------------------------------------------------------ the beginning


def listed(key: str, filled: int = 0) -> dict[str, str]:
    return {
        "order_id": f"o-{key}", "client_order_id": key, "ticker": "M", "status": "resting", "side": "yes",
        "yes_price_dollars": "0.4000", "initial_count_fp": "1.00", "fill_count_fp": f"0.{filled:02}",
        "remaining_count_fp": f"0.{100 - filled:02}" if filled else "1.00",
    }  # fmt: skip


def test_what_is_there_at_the_beginning() -> None:
    run = Run(Puppet())
    run.answer("/portfolio/balance", {"balance": 5, "portfolio_value": 0})
    positions = {"ticker": "M", "position_fp": "-2.00", "market_exposure_dollars": "1.200000"}
    run.answer("/portfolio/positions", {"market_positions": [positions], "cursor": ""})
    run.answer("/portfolio/orders?status=resting", {"orders": [listed("a"), listed("b"), listed("c")], "cursor": ""})
    run.frame(UserOrder(market="M", order_id="o-b", client_order_id="b", status="canceled", side=Side.YES, price=4_000))
    run.frame(
        UserOrder(
            market="M",
            order_id="o-a",
            client_order_id="a",
            status="resting",
            side=Side.YES,
            price=4_000,
            fill_count=40,
            remaining_count=60,
        )
    )
    run.go("a", "b", "unheard of")
    trading = run.host.trading
    assert [(o.client_order_id, o.filled, o.seen, o.remaining) for o in trading.ledger.live()] == [("a", 40, 40, 60)]
    assert (trading.holdings.cash, trading.holdings.of("M").position, trading.holdings.of("M").cost) == (
        50_000, -200, 1_200_000,
    )  # fmt: skip
    run.answer("/portfolio/balance", {"balance": 7, "portfolio_value": 0})
    assert trading.holdings.cash == 50_000  # from now on the fills tell


def test_a_fill_between_reading_and_beginning_is_not_counted_but_questioned() -> None:
    run = Run(Puppet())
    fill(run, 100, post_position=100)
    run.go()
    assert run.host.trading.holdings.of("M").position == 0
    assert list(run.host.trading.holdings.disputed) == ["M"]
    fill(run, 100, post_position=100)  # the same
    assert run.host.trading.holdings.fills == 0


def test_orders_ids_name_their_session() -> None:
    assert client_order_id("abc", 7) == "td-abc-7"
    assert [nonce_of(key) for key in ("td-abc-7", "td-abc-x", "xx-abc-7", "td-7", "")] == ["abc", "", "", "", ""]


# ------------------------------------------------------------------ paper


def test_on_paper_only_the_venue_tells() -> None:
    run = Run(Puppet(), terms={"paper": "queue", "paper_cash": 5_000_000})
    run.answer("/portfolio/balance", {"balance": 1, "portfolio_value": 0})
    run.go()
    fill(run, 100)
    assert (cash(run), run.host.trading.holdings.fills) == (5_000_000, 0)
    number, key = place(run)
    run.outcome(number, order_id="p", filled=0, remaining=100)
    run.put(Kind.OUTCOME, PaperEvent((PaperFill(key, "t", 4_000, 40, fee=3), PaperFill("stranger", "u", 1, 1))))
    assert (cash(run), order(run, key).remaining) == (5_000_000 - 160_003, 60)
    run.do(lambda ctx: ctx.cancel(order(run, key)))
    run.outcome(run.decisions[-1].number)
    assert (order(run, key).state, order(run, key).filled) == (OrderState.GONE, 40)
    run.closed()
    run.opened(2)
    run.subscribed("fill", 2, 2)
    run.beat(200)
    assert run.actions(Fetch) == []


def test_on_paper_orders_end_when_the_venue_or_the_clock_says_so() -> None:
    run = Run(Puppet(), terms={"paper": "queue"})
    run.go()
    keys = []
    for _ in range(2):
        number, key = place(run)
        run.outcome(number, order_id=key, filled=0, remaining=100)
        keys.append(key)
    run.put(Kind.OUTCOME, PaperEvent(ended=(keys[0], "stranger")))
    assert [order(run, key).is_live for key in keys] == [False, True]
    run.beat(66)
    assert order(run, keys[1]).why == "expired"


def test_a_day_loss_is_that_of_the_day_alone() -> None:
    run = started(limits=RiskLimits(day_loss=200_000))
    run.book("M", ((3_000, 5),), ())
    fill(run, 100)
    run.beat()
    assert run.host.trading.risk.day_pnl == -100_000
    run.beat(86_400 - (START_NS // SECOND_NS) % 86_400)
    assert (run.host.trading.risk.day_pnl, run.host.health.halted) == (0, "")
    run.book("M", ((1_500, 5),), (), seq=2)
    run.beat()
    assert run.host.trading.risk.day_pnl == -150_000
