"""What the exchange remembers for REST: the newest of everything, as reads that lag show it, and nothing for ever."""

import json
from dataclasses import dataclass

import pytest

from core.messages.types import Side
from core.times import SECOND_NS
from replay.exchange.happenings import Life, LifecycleChanged, OrderChanged, Traded
from replay.exchange.orders import Order
from replay.exchange.port import RestRequest
from replay.exchange.sandbox import FORGET_AFTER_NS, SandboxOptions, SandboxVenue
from replay.exchange.specs import YES_WINS, MarketSpec
from replay.exchange.trade_log import DAY_NS, TradeLog

START_NS = 1_795_420_800 * SECOND_NS
HOUR_NS = 3_600 * SECOND_NS


@dataclass
class Clock:
    """The exchange's time, as the test sets it."""

    now_ns: int = START_NS

    def __call__(self) -> int:
        return self.now_ns


def order(remaining: int, order_id: str = "o1") -> Order:
    """An order of 5 contracts with so much left."""
    return Order(
        order_id=order_id, account="ann", market="M", exchange_index=0, side=Side.YES, price=4_000, initial_count=500,
        remaining=remaining, created_ns=START_NS,
    )  # fmt: skip


def trade(at_ns: int, count: int) -> Traded:
    return Traded(at_ns, "M", f"t{at_ns}", 4_000, count, Side.YES)


def listed(market: str) -> LifecycleChanged:
    """A market of event E comes to be known."""
    spec = MarketSpec(ticker=market, event_ticker="E", market_id="id", open_ns=START_NS, close_ns=START_NS + HOUR_NS)
    return LifecycleChanged(START_NS, Life.CREATED, spec)


def test_the_volume_of_a_day_counts_a_day_and_no_more() -> None:
    log = TradeLog()
    log.observe(trade(START_NS, 300))
    log.observe(trade(START_NS + HOUR_NS, 50))
    assert log.volume_of_day("M", START_NS + DAY_NS - 1) == 350
    assert log.volume_of_day("M", START_NS + DAY_NS) == 50
    assert log.volume_of_day("other", START_NS) == 0


def test_a_read_that_lags_shows_an_order_as_it_stood_before() -> None:
    clock = Clock()
    log = TradeLog(clock, stale_ns=SECOND_NS)
    log.observe(OrderChanged(START_NS, order(500)))
    assert log.as_read(order(500)) is None
    clock.now_ns += SECOND_NS
    assert log.as_read(order(500)) == order(500)
    log.observe(OrderChanged(clock.now_ns, order(200)))
    assert log.as_read(order(200)) == order(500)
    clock.now_ns += SECOND_NS
    assert log.as_read(order(200)) == order(200)


def test_orders_that_no_read_can_lag_behind_any_more_are_not_kept() -> None:
    clock = Clock()
    log = TradeLog(clock, stale_ns=SECOND_NS)
    for number in range(1_000):
        clock.now_ns += SECOND_NS // 10
        for left in (500, 0):
            log.observe(OrderChanged(clock.now_ns, order(left, f"o{number}")))
    assert len(log._former) <= 11
    assert log._latest == {}


@pytest.mark.parametrize("stale_ns", [0, SECOND_NS])
def test_what_is_forgotten_takes_its_event_along_when_it_was_the_last(stale_ns: int) -> None:
    log = TradeLog(stale_ns=stale_ns)
    log.events["E"] = "S"
    for market in ("M", "N"):
        log.observe(listed(market))
    log.observe(trade(START_NS, 300))
    log.forget("M")
    assert (log.events, log.volume_of_day("M", START_NS), len(log.trades)) == ({"E": "S"}, 0, 1)
    log.forget("N")
    assert log.events == {}


def get(venue: SandboxVenue, path: str) -> tuple[int, dict[str, list[dict[str, str]]]]:
    """Status and body of a read."""
    answer = venue.rest(RestRequest(method="GET", path=f"/trade-api/v2{path}", account="trader"))
    return answer.status, json.loads(answer.body)


def test_a_sandbox_that_runs_for_two_days_holds_no_more_than_one_that_runs_for_one() -> None:
    venue = SandboxVenue(SandboxOptions(markets=10, rate=1, seed=4, start_ns=START_NS))
    held = []
    for hour in range(1, 49):
        while venue.now_ns < START_NS + hour * HOUR_NS:
            venue.step()
            venue.machine.skip(20 * SECOND_NS)
        venue.drain()
        held.append((len(venue.markets()), len(venue.machine.log.events), len(venue.machine.tickers)))
    for kept in zip(*held, strict=True):
        assert max(kept[24:]) <= 1.2 * max(kept[:24]), kept
    assert max(markets for markets, _events, _tickers in held) < 200  # 1,000 were listed
    assert set(venue.machine.tickers) <= set(venue.markets()) == set(venue.engine.reads.markets())


def test_what_a_forgotten_market_paid_is_still_listed_and_the_market_is_not() -> None:
    venue = SandboxVenue(SandboxOptions(markets=1, rate=500, seed=4, start_ns=START_NS))
    market = next(m for m in venue.markets() if not m.startswith("KXMVE"))
    event = venue.engine.reads.market(market).spec.event_ticker
    venue.step(500)
    body = {
        "ticker": market, "side": "bid", "count": "3.00", "price": "0.9990", "time_in_force": "immediate_or_cancel",
        "self_trade_prevention_type": "taker_at_cross", "client_order_id": "c1",
    }  # fmt: skip
    path = "/trade-api/v2/portfolio/events/orders"
    asked = RestRequest(method="POST", path=path, body=json.dumps(body).encode(), account="trader")
    assert venue.rest(asked).status == 201
    venue.act(lambda now_ns: venue.engine.life.determine(market, YES_WINS, now_ns))
    venue.machine.skip(31 * SECOND_NS)
    venue.step()
    (paid,) = get(venue, "/portfolio/settlements")[1]["settlements"]
    assert paid["event_ticker"] == event
    assert get(venue, f"/markets/{market}")[0] == 200
    venue.machine.skip(FORGET_AFTER_NS)
    venue.step(2)
    assert market not in venue.markets()
    assert venue.snapshot(market, yes_price=False) is None
    assert (get(venue, f"/markets/{market}")[0], get(venue, f"/events/{event}")[0]) == (404, 404)
    for listing in ("/portfolio/positions", "/portfolio/fills", "/portfolio/orders", "/events", "/markets"):
        assert get(venue, listing)[0] == 200, listing
    assert get(venue, "/portfolio/settlements")[1]["settlements"] == [paid]
    venue.step(2_000)
