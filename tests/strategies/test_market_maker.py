"""The Market Maker and its orders: limits, answers in any order, refusals, itself, and how much it does and says."""

from collections import Counter
from itertools import pairwise

import pytest
from maker_stage import ASK, BID, Booth
from strategy_run import Cast, decided, replayed
from strategy_stage import Stage

from core.actions import Amend, Cancel, Place, RiskLimits, Say
from core.errors import ConfigError
from core.records import Kind
from core.strategy import read_params
from core.times import SECOND_NS
from strategies.market_maker import MakerParams, MarketMaker


def writes_by_second(booth: Booth) -> Counter[int]:
    """Orders placed and changed, by second."""
    times = {record.seq: record.at_ns for record in booth.stage.records}
    found = [d for d in booth.stage.run.decisions if isinstance(d.action, Place | Amend)]
    return Counter(times[decision.cause] // SECOND_NS for decision in found)


@pytest.mark.parametrize("wrong", [{"size": "0"}, {"half_spread": "-1"}, {"pace_ms": "1"}, {"sise": "5"}])
def test_parameters_out_of_their_limits_are_refused_by_name(wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        read_params(MarketMaker, wrong)
    assert read_params(MarketMaker, {}) == MakerParams()


def test_the_runs_limits_hold_where_they_are_less_than_its_own() -> None:
    booth = Booth(limits=RiskLimits(order=200, market=300), skew=0)
    booth.stage.wait(2)
    assert {size for _, size in booth.resting().values()} == {200}
    booth.other(ASK, 4_050, 200, ioc=True)
    booth.stage.wait(3)
    assert booth.resting()["bid"][1] == 100
    booth.other(ASK, booth.resting()["bid"][0], 100, ioc=True)
    booth.stage.wait(3)
    assert set(booth.resting()) == {"ask"}
    assert not any(decision.refused for decision in booth.stage.run.decisions)


def test_no_more_markets_are_quoted_than_the_run_allows() -> None:
    names = [market for market in Stage(busy_steps=0).venue.markets() if "BTC" in market]
    stage = Stage(Cast("maker", MarketMaker, {"markets": names}), busy_steps=0)
    stage.start(limits=RiskLimits(markets=2))
    assert stage.run.strategy().markets() == tuple(names[:2])


def test_an_order_that_a_limit_refuses_is_not_asked_for_at_every_look() -> None:
    booth = Booth(start=False)
    booth.stage.start(limits=RiskLimits(exposure=1_000))
    booth.stage.wait(25)
    refused = [decision for decision in booth.stage.run.decisions if decision.refused]
    assert 2 <= len(refused) <= 6  # of two sides, every ten seconds


def test_a_fill_that_comes_before_the_answer_to_the_order_counts_once() -> None:
    booth = Booth(start=False)
    booth.stage.start()
    booth.stage.rest_s = 5.0
    booth.stage.until(lambda: len(booth.resting()) == 2, "orders at the exchange")
    assert booth.own(BID).order_id  # by its frame; the answer is on its way
    booth.other(ASK, booth.resting()["bid"][0], 300, ioc=True)
    booth.stage.wait(20)
    holdings = booth.stage.run.host.trading.holdings
    assert (holdings.of(booth.market).position, holdings.fills) == (300, 1)
    assert len(booth.stage.run.host.trading.ledger.live()) == 2


def test_a_fill_that_is_told_twice_counts_once() -> None:
    booth = Booth()
    booth.stage.wait(2)
    booth.other(ASK, 4_050, 300, ioc=True)
    fill = next(r for r in booth.stage.records if r.kind == Kind.FRAME and b'"type":"fill"' in r.payload)
    booth.stage.put(Kind.FRAME, fill.payload, fill.connection)
    booth.stage.wait(2)
    assert booth.stage.run.host.trading.holdings.of(booth.market).position == 300
    assert booth.why == ""


def test_a_cancel_that_finds_nothing_is_cleared_up_and_the_side_quoted_again() -> None:
    booth = Booth()
    booth.stage.wait(2)
    booth.stage.drops = lambda frame: b"user_order" in frame or b'"fill"' in frame
    booth.other(ASK, 4_050, 500, ioc=True)  # the bid is filled, and nobody tells
    booth.stage.drops = lambda _frame: False
    booth.stage.drop()
    booth.stage.until(lambda: booth.stage.run.host.trading.holdings.of(booth.market).position == 500, "the fill")
    booth.stage.until(lambda: len(booth.resting()) == 2, "both sides")
    assert len(booth.stage.run.host.trading.ledger.live()) == 2
    assert len(booth.since(0, Cancel)) <= 6


def test_an_order_whose_placement_was_not_answered_is_found_and_replaced() -> None:
    booth = Booth()
    booth.stage.wait(2)
    booth.stage.lost = lambda method, path: method == "POST" and path.endswith("/orders")
    booth.stage.drop()
    booth.stage.until(lambda: bool(booth.resting()), "an order nobody confirmed")
    booth.stage.lost = lambda _method, _path: False
    booth.stage.wait(15)
    assert booth.resting() == {"bid": (4_050, 500), "ask": (4_350, 500)}
    assert len(booth.stage.run.host.trading.ledger.live()) == 2


def test_reads_that_lag_behind_writes_bring_no_order_back_and_lose_none() -> None:
    booth = Booth()
    booth.stage.venue.machine.log._stale_ns = SECOND_NS
    booth.stage.wait(2)
    for _ in range(3):
        booth.stage.drop()
        booth.stage.wait(8)
    assert len(booth.resting()) == 2
    assert {order.order_id for order in booth.stage.run.host.trading.ledger.live()} == {
        order.order_id for order in booth.stage.venue.machine.engine.reads.resting("trader")
    }


def test_an_order_whose_amendment_is_refused_does_not_stay_where_nobody_wants_it() -> None:
    booth = Booth()
    booth.stage.wait(2)
    booth.stage.refuses = lambda _method, path: path.endswith("/amend")
    count = booth.decided
    booth.move(4_100, 4_500)
    booth.stage.wait(5)
    assert booth.resting() == {"bid": (4_150, 500), "ask": (4_450, 500)}
    assert Counter(type(action) for action in booth.since(count))[Amend] <= 6


def test_an_exchange_that_refuses_every_order_is_asked_less_and_less_often() -> None:
    booth = Booth(start=False)
    booth.stage.refuses = lambda method, _path: method == "POST"
    booth.stage.start()
    booth.stage.wait(120)
    assert len(booth.since(0, Place)) <= 2 * 8


def test_it_never_trades_with_itself_when_prices_jump_over_its_own_orders() -> None:
    booth = Booth(half_spread=20)
    booth.stage.wait(2)
    booth.stage.rest_s = 0.3
    for turn in range(6):  # a crowd on one side and then on the other: the fair price jumps, and nobody trades
        crowd = booth.other(BID, 4_000, 200_000) if turn % 2 else booth.other(ASK, 4_400, 200_000)
        booth.stage.wait(4)
        bid, ask = booth.own(BID).price, booth.own(ASK).price
        assert (bid > 4_300) if turn % 2 else (ask < 4_100)
        booth.gone(crowd)
        booth.stage.wait(4)
    assert booth.stage.run.host.trading.holdings.fills == 0
    assert not any(b"SelfTradeCancel" in record.payload for record in booth.stage.records)
    outcomes = [record.payload for record in booth.stage.records if record.kind == Kind.OUTCOME]
    assert not any(b'"refused"' in outcome for outcome in outcomes)


def test_its_own_orders_do_not_move_the_fair_price() -> None:
    booth = Booth()
    booth.stage.wait(2)
    count = booth.decided
    booth.stage.wait(20)
    assert booth.since(count) == []  # its quotes are the best prices now, and the fair price is where it was


def test_writes_are_bounded_however_wildly_prices_move() -> None:
    booth = Booth(writes_per_s=3, pace_ms=50)
    booth.stage.wait(2)
    for turn in range(100):
        booth.move(*((4_000, 4_400) if turn % 2 else (4_140, 4_540)))
        booth.stage.wait(0.2)
    by_second = writes_by_second(booth)
    assert max(by_second.values()) <= 3 + 3 + 1  # a second's worth may be saved up, and both sides go together
    assert sum(by_second.values()) / 20 <= 3.5
    assert sum(by_second.values()) > 30


def test_it_says_no_more_than_somebody_can_read() -> None:
    booth = Booth(pace_ms=50)
    booth.stage.wait(15)
    for _ in range(60):
        booth.gone(booth.others[1])
        booth.stage.wait(0.5)
        booth.others[1] = booth.other(ASK, 4_400)
        booth.stage.wait(1.5)
    assert 4 <= len(booth.since(0, Say)) <= 40


def test_it_leaves_a_book_alone_in_which_only_its_own_orders_are_left() -> None:
    booth = Booth()
    booth.stage.wait(2)
    for order_id in booth.others:
        booth.gone(order_id)
    booth.stage.wait(3)
    assert booth.resting() == {}
    count = booth.decided
    booth.stage.wait(20)
    assert booth.since(count) == []


@pytest.mark.parametrize(
    ("bid", "ask", "rests"),
    [(10, 20, {"ask"}), (9_980, 9_990, {"bid"}), (5_000, 5_010, {"bid", "ask"})],
)
def test_at_the_edges_it_quotes_the_side_that_there_is(bid: int, ask: int, rests: set[str]) -> None:
    booth = Booth(start=False)
    booth.move(bid, ask)
    booth.stage.start()
    booth.stage.wait(4)
    assert set(booth.resting()) == rests
    assert all(price % 10 == 0 for price, _ in booth.resting().values())


def test_a_fraction_of_a_fill_is_topped_up_only_when_half_is_gone() -> None:
    booth = Booth(skew=0)
    booth.stage.wait(2)
    booth.other(ASK, 4_050, 133, ioc=True)
    booth.stage.wait(2)
    assert booth.resting()["bid"] == (4_050, 367)
    booth.other(ASK, 4_050, 200, ioc=True)
    booth.stage.wait(2)
    assert booth.resting()["bid"] == (4_050, 500)


def test_a_busy_market_with_faults_replays_to_the_same_decisions_and_keeps_its_limits() -> None:
    booth = Booth(rest_quotes=True, stale_s=10)
    for turn, _ in pairwise(range(8)):
        booth.stage.trade(10)
        booth.stage.wait(3)
        if turn % 3 == 2:
            booth.stage.drop()
    records = booth.stage.records
    assert replayed(records, booth.casts) == decided(records)
    position = booth.stage.run.host.trading.holdings.of(booth.market).position
    assert abs(position) <= MakerParams().max_position
