"""Tests of the life of markets: listing, opening, pausing, closing, determination, payout; and what is told of it."""

import pytest
from matched import ASK, BID, DOLLARS, START_NS, Exchange
from msgspec.structs import replace

from core.fees import FeeOverride
from core.messages.types import PriceRange
from core.times import SECOND_NS
from replay.exchange import refusals
from replay.exchange.happenings import (
    BookChanged,
    BookCleared,
    EventCreated,
    Happening,
    Life,
    LifecycleChanged,
    OrderChanged,
    PositionChanged,
    Settled,
    TickerChanged,
)
from replay.exchange.orders import NewOrder, OrderStatus, Placed, Reason
from replay.exchange.specs import NO_WINS, YES_WINS, EventSpec, MarketSpec, MarketStatus, MarketTexts, Outcome, Result
from replay.exchange.views import Pause

SPEC = MarketSpec(
    ticker="L",
    event_ticker="E",
    market_id="id-L",
    open_ns=START_NS + 10 * SECOND_NS,
    close_ns=START_NS + 100 * SECOND_NS,
    settlement_timer_ns=60 * SECOND_NS,
)
ORDER = NewOrder(market="L", side=BID, price=4200, count=100)


def listed(*, at_s: int = 0) -> Exchange:
    exchange = Exchange()
    exchange.engine.life.add_market(SPEC, exchange.now_ns)
    exchange.later(at_s)
    exchange.engine.drain()
    return exchange


def status(exchange: Exchange, market: str = "L") -> MarketStatus:
    return exchange.engine.reads.market(market).status


def lives(happenings: list[Happening]) -> list[Life]:
    return [happening.event for happening in happenings if isinstance(happening, LifecycleChanged)]


def test_an_event_and_a_market_are_told_when_they_are_listed_with_all_their_facts() -> None:
    exchange = Exchange()
    event = EventSpec(event_ticker="F", series_ticker="S", title="of F")
    exchange.engine.life.add_event(event, exchange.now_ns)
    exchange.engine.life.add_market(replace(SPEC, event_ticker="F"), exchange.now_ns)
    created, told = exchange.told()
    assert isinstance(created, EventCreated) and isinstance(told, LifecycleChanged)
    assert (created.event, told.event, told.spec.event_ticker) == (event, Life.CREATED, "F")
    assert told.spec.price_ranges == (PriceRange(0, 10_000, 100),)
    assert exchange.engine.reads.event("F") == event


def test_a_market_opens_and_closes_by_time_without_a_word_of_life() -> None:
    exchange = listed()
    seen = []
    for _ in range(12):
        seen.append(status(exchange))
        exchange.later(10)
    assert seen == [MarketStatus.INITIALIZED, *[MarketStatus.ACTIVE] * 9, *[MarketStatus.CLOSED] * 2]
    assert exchange.told() == []


@pytest.mark.parametrize("at_s", [0, 9, 100, 500])
def test_outside_its_hours_a_market_takes_no_orders(at_s: int) -> None:
    exchange = listed(at_s=at_s)
    assert exchange.engine.place("ann", ORDER, exchange.now_ns) == refusals.MARKET_INACTIVE


def test_a_command_first_does_what_is_due_by_its_time() -> None:
    exchange = listed()
    assert isinstance(exchange.engine.place("ann", ORDER, SPEC.open_ns), Placed)
    assert exchange.engine.next_due_ns == SPEC.close_ns
    assert exchange.engine.place("ann", ORDER, SPEC.close_ns) == refusals.MARKET_INACTIVE
    assert exchange.engine.reads.resting("ann") == ()


def test_a_time_before_the_last_one_counts_as_the_last_one() -> None:
    exchange = listed(at_s=20)
    answer = exchange.engine.place("ann", ORDER, 5)
    assert isinstance(answer, Placed)
    assert answer.at_ns == exchange.engine.now_ns == exchange.now_ns


def test_at_the_close_orders_that_expire_then_go_first_and_the_rest_of_the_book_at_once() -> None:
    exchange = listed(at_s=20)
    expiring = exchange.place("ann", replace(ORDER, price=4100, expiration_ns=SPEC.close_ns))
    resting = exchange.place("ann", ORDER)
    exchange.engine.drain()
    exchange.later(80)
    told = exchange.told(BookChanged, BookCleared, OrderChanged)
    assert [type(happening) for happening in told] == [BookChanged, OrderChanged, BookCleared, OrderChanged]
    assert exchange.now(expiring).reason is Reason.EXPIRY_CANCEL
    assert exchange.now(resting).reason is Reason.CLOSE_CANCEL
    assert isinstance(told[2], BookCleared)
    assert told[2].clock == exchange.engine.reads.book("L").clock
    assert exchange.available("ann") == 1_000 * DOLLARS


def test_deactivation_stops_trading_and_reactivation_cancels_all_that_rests() -> None:
    exchange = listed(at_s=20)
    order = exchange.place("ann", ORDER)
    timid = exchange.place("ann", replace(ORDER, cancel_on_pause=True))
    exchange.engine.life.deactivate("L", exchange.now_ns)
    assert status(exchange) is MarketStatus.INACTIVE
    assert exchange.engine.place("ann", ORDER, exchange.now_ns) == refusals.MARKET_INACTIVE
    assert (exchange.now(order).status, exchange.now(timid).reason) == (OrderStatus.RESTING, Reason.HALT_CANCEL)
    exchange.engine.life.activate("L", exchange.now_ns)
    assert (status(exchange), exchange.now(order).reason) == (MarketStatus.ACTIVE, Reason.HALT_CANCEL)
    assert lives(exchange.told()) == [Life.DEACTIVATED, Life.ACTIVATED]


def test_a_close_can_be_moved_on_and_the_old_one_does_nothing() -> None:
    exchange = listed(at_s=20)
    exchange.engine.life.move_close("L", SPEC.close_ns + 50 * SECOND_NS, exchange.now_ns)
    exchange.later(100)
    assert status(exchange) is MarketStatus.ACTIVE
    exchange.later(30)
    assert status(exchange) is MarketStatus.CLOSED
    assert lives(exchange.told()) == [Life.CLOSE_DATE_UPDATED]


def test_a_closed_market_opens_again_by_moving_its_close_and_activating_it() -> None:
    exchange = listed(at_s=120)
    with pytest.raises(ValueError, match="move its close first"):
        exchange.engine.life.activate("L", exchange.now_ns)
    exchange.engine.life.move_close("L", exchange.now_ns + 50 * SECOND_NS, exchange.now_ns)
    assert status(exchange) is MarketStatus.CLOSED
    exchange.engine.life.activate("L", exchange.now_ns)
    assert exchange.place("ann", ORDER).status is OrderStatus.RESTING
    assert lives(exchange.told()) == [Life.CLOSE_DATE_UPDATED, Life.ACTIVATED]


@pytest.mark.parametrize(
    ("outcome", "ann", "bob"),
    [
        (YES_WINS, 0, 5 * DOLLARS),
        (NO_WINS, 5 * DOLLARS, 0),
        (Outcome(Result.SCALAR, 2_500), 3_750_000, 1_250_000),
    ],
    ids=["yes", "no", "scalar"],
)
def test_a_determined_market_pays_after_its_timer(outcome: Outcome, ann: int, bob: int) -> None:
    exchange = listed(at_s=20)
    exchange.ask("ann", 4400, 500, market="L")
    exchange.bid("bob", 4400, 500, market="L")
    exchange.later(100)
    before = (exchange.balance("ann"), exchange.balance("bob"))
    exchange.engine.drain()
    exchange.engine.life.determine("L", outcome, exchange.now_ns)
    assert status(exchange) is MarketStatus.DETERMINED
    exchange.later(59)
    assert (exchange.balance("ann"), exchange.balance("bob")) == before
    exchange.later(1)
    assert (exchange.balance("ann"), exchange.balance("bob")) == (before[0] + ann, before[1] + bob)
    assert status(exchange) is MarketStatus.FINALIZED
    told = exchange.told()
    assert lives(told) == [Life.DETERMINED, Life.SETTLED]
    assert [happening.outcome for happening in told if isinstance(happening, LifecycleChanged)] == [outcome] * 2
    paid = [happening for happening in told if isinstance(happening, Settled)]
    assert [(each.account, each.yes_count, each.no_count, each.revenue) for each in paid] == [
        ("ann", 0, 500, ann),
        ("bob", 500, 0, bob),
    ]
    assert [(each.yes_cost, each.no_cost) for each in paid] == [(0, 2_800_000), (2_200_000, 0)]
    positions = [happening for happening in told if isinstance(happening, PositionChanged)]
    assert [(each.position, each.realized_pnl) for each in positions] == [(0, ann - 2_800_000), (0, bob - 2_200_000)]
    assert exchange.missing == 0


def test_a_finalized_market_can_be_forgotten_and_others_live_on() -> None:
    exchange = listed(at_s=20)
    executed = exchange.ask("ann", 4400, 500, market="L")
    exchange.bid("bob", 4400, 500, market="L")
    life = exchange.engine.life
    life.determine("L", YES_WINS, exchange.now_ns)
    with pytest.raises(ValueError, match="must be finalized"):
        life.forget("L", exchange.now_ns)
    exchange.later(60)
    earned = exchange.engine.reads.balance("bob")
    life.forget("L", exchange.now_ns)
    assert exchange.engine.reads.balance("bob") == earned
    assert earned.realized_pnl == 2_800_000
    exchange.later(86_400)  # its planned close comes and finds nothing
    assert exchange.engine.reads.markets() == ("M",)
    assert exchange.engine.reads.holdings("bob") == ()
    assert exchange.engine.cancel("ann", executed.order_id, exchange.now_ns) == refusals.MARKET_INACTIVE
    assert exchange.missing == 0


def test_determining_an_open_market_closes_it_first() -> None:
    exchange = listed(at_s=20)
    order = exchange.place("ann", ORDER)
    exchange.engine.life.determine("L", NO_WINS, exchange.now_ns)
    assert exchange.now(order).reason is Reason.CLOSE_CANCEL
    assert lives(exchange.told()) == [Life.CLOSE_DATE_UPDATED, Life.DETERMINED]
    assert exchange.engine.reads.market("L").spec.close_ns == exchange.now_ns


def test_new_price_levels_hold_for_new_orders_and_leave_resting_ones() -> None:
    exchange = listed(at_s=20)
    resting = exchange.place("ann", ORDER)
    for structure, price, valid in (("deci_cent", 4210, True), ("linear_cent", 4210, False)):
        spec = replace(SPEC, price_level_structure=structure)
        exchange.engine.life.change_price_levels("L", spec, exchange.now_ns)
        answer = exchange.engine.place("ann", replace(ORDER, price=price), exchange.now_ns)
        assert isinstance(answer, Placed) is valid
    assert exchange.now(resting).status is OrderStatus.RESTING
    told = [happening for happening in exchange.told() if isinstance(happening, LifecycleChanged)]
    assert [happening.event for happening in told] == [Life.PRICE_LEVELS_UPDATED] * 2
    assert [happening.spec.price_ranges for happening in told] == [
        (PriceRange(0, 10_000, 10),),
        (PriceRange(0, 10_000, 100),),
    ]


def test_new_texts_are_told_as_metadata() -> None:
    exchange = listed(at_s=20)
    texts = MarketTexts(yes_sub_title="Above 51", floor_strike="51")
    exchange.engine.life.change_texts("L", texts, exchange.now_ns)
    (told,) = exchange.told(LifecycleChanged)
    assert isinstance(told, LifecycleChanged)
    assert (told.event, told.spec.texts) == (Life.METADATA_UPDATED, texts)


def test_a_pause_of_one_shard_leaves_the_others_alone() -> None:
    exchange = listed(at_s=20)
    life = exchange.engine.life
    life.add_market(replace(SPEC, ticker="C", exchange_index=2), exchange.now_ns)
    life.pause(Pause.TRADING, exchange.now_ns, exchange_index=2)
    assert isinstance(exchange.engine.place("ann", ORDER, exchange.now_ns), Placed)
    elsewhere = replace(ORDER, market="C")
    assert exchange.engine.place("ann", elsewhere, exchange.now_ns) == refusals.TRADING_PAUSED
    assert (exchange.engine.reads.pause(0), exchange.engine.reads.pause(2)) == (Pause.NONE, Pause.TRADING)
    life.pause(Pause.NONE, exchange.now_ns, exchange_index=2)
    assert isinstance(exchange.engine.place("ann", elsewhere, exchange.now_ns), Placed)


def test_a_pause_takes_the_orders_that_asked_for_it_and_leaves_the_book() -> None:
    exchange = listed(at_s=20)
    timid, bold = exchange.place("ann", replace(ORDER, cancel_on_pause=True)), exchange.place("ann", ORDER)
    exchange.engine.drain()
    exchange.engine.life.pause(Pause.EXCHANGE, exchange.now_ns)
    assert exchange.now(timid).reason is Reason.HALT_CANCEL
    assert exchange.now(bold).status is OrderStatus.RESTING
    assert [type(happening) for happening in exchange.told()] == [BookChanged, OrderChanged, TickerChanged]


def test_clocks_rise_with_each_action_that_changes_a_book_and_count_for_the_whole_exchange() -> None:
    exchange = listed(at_s=20)
    clocks = []
    for market in ("L", "M", "L"):
        exchange.place("ann", replace(ORDER, market=market))
        clocks.append(exchange.engine.reads.book(market).clock)
    exchange.take("bob", ASK, 9900, 100)
    assert clocks == [1, 2, 3]
    assert exchange.engine.reads.book("M").clock == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda life, now: life.add_event(EventSpec(event_ticker="E", series_ticker="S"), now), "E is listed already"),
        (lambda life, now: life.add_market(SPEC, now), "L is listed already"),
        (lambda life, now: life.add_market(replace(SPEC, ticker="N", event_ticker="X"), now), "X, which is not"),
        (lambda life, now: life.add_market(replace(SPEC, ticker="N", close_ns=1), now), "not after it opens"),
        (lambda life, now: life.deactivate("X", now), "X is not listed"),
        (lambda life, now: life.deactivate("L", now), "L is initialized: it must be active"),
        (lambda life, now: life.determine("L", YES_WINS, now), "L is initialized"),
        (lambda life, now: life.override_fees("X", FeeOverride(), now), "X is not listed"),
    ],
)
def test_what_the_caller_should_have_known_is_an_error(change: object, words: str) -> None:
    exchange = listed()
    assert callable(change)
    with pytest.raises(ValueError, match=words):
        change(exchange.engine.life, exchange.now_ns)
    assert exchange.told() == []
