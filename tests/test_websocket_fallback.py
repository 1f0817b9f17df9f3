"""When the WebSocket fails: Scanner and Market Maker go on by REST, and back, without a hole or a jump between.

The Market Maker's part is without REST unless it is told to quote by it; the Scanner always has REST behind it.
"""

from collections.abc import Callable

import pytest
from maker_stage import ASK, BID, SEED, Booth
from strategy_run import Cast, decided, replayed
from strategy_stage import Stage

from core.actions import Fetch, Say, Subscribe
from strategies.scanner import Scanner
from strategies.sights import Source


class Watch:
    """A Scanner at a sandbox with books. best: its ranked quotes by market."""

    def __init__(self, **params: str) -> None:
        self.casts = [Cast("scan", Scanner, {"max_spread": "10000", "min_close_s": "0", "stale_s": "10"} | params)]
        self.stage = Stage(*self.casts, seed=SEED)
        self.stage.start()
        self.stage.wait(8)

    def sources(self) -> set[Source]:
        """Where its figures come from now."""
        return {quote.source for quote in self.stage.run.strategy().quotes(self.stage.now_ns) if quote.bid is not None}


def lost(stage: Stage) -> None:
    """The connection fails, and no other can be made."""
    stage.drop(stays_away=True)


def hung(stage: Stage) -> None:
    """The connection is up and brings nothing, not even pings."""
    stage.hung = True


def muted(stage: Stage) -> None:
    """The connection lives, but of the markets nothing comes."""
    stage.muted.update(dict.fromkeys(stage.venue.markets()))


FAULTS: dict[str, Callable[[Stage], None]] = {"connection failure": lost, "unhealthy": hung, "stale data": muted}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_scanner_goes_on_by_rest(fault: str) -> None:
    watch = Watch()
    assert watch.sources() == {Source.WEBSOCKET}
    FAULTS[fault](watch.stage)
    watch.stage.until(lambda: watch.sources() == {Source.REST}, "figures by REST", 60)


def test_a_scanner_that_is_told_not_to_use_the_websocket_subscribes_to_nothing() -> None:
    watch = Watch(use_websocket="false")
    assert watch.sources() == {Source.REST}
    assert watch.stage.run.actions(Subscribe) == []


def test_the_scanner_steps_back_to_the_websocket_and_never_is_without_figures() -> None:
    watch = Watch(stale_s="60")
    names = {quote.market for quote in watch.stage.run.strategy().quotes(watch.stage.now_ns)}
    watch.stage.drop()
    seen = set[Source]()
    for _ in range(100):
        watch.stage.wait(0.2)
        quotes = watch.stage.run.strategy().quotes(watch.stage.now_ns)
        assert {quote.market for quote in quotes if quote.bid is not None} == names
        seen |= watch.sources()
    assert watch.sources() == {Source.WEBSOCKET}
    assert Source.WEBSOCKET in seen
    assert replayed(watch.stage.records, watch.casts) == decided(watch.stage.records)


@pytest.mark.parametrize("fault", FAULTS)
def test_the_market_maker_goes_on_by_rest_if_it_may_and_never_by_what_is_old(fault: str) -> None:
    booth = Booth(rest_quotes=True, stale_s=10)
    booth.stage.wait(2)
    FAULTS[fault](booth.stage)
    booth.move(4_100, 4_500)
    booth.stage.wait(45)
    assert booth.why == ""
    assert booth.resting() == {"bid": (4_000, 500), "ask": (4_600, 500)}  # twice as wide, around the price of now
    assert {order.price for order in booth.stage.run.host.trading.ledger.live()} == {4_000, 4_600}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_market_maker_pulls_its_quotes_where_it_may_not(fault: str) -> None:
    booth = Booth(stale_s=10)
    booth.stage.wait(11)
    FAULTS[fault](booth.stage)
    booth.move(4_100, 4_500)
    booth.stage.wait(20)
    assert booth.resting() == {}
    assert booth.why in ("not connected", "untrusted", "silent", "frozen: silent", "stale")
    assert f"quotes pulled: {booth.why}" in booth.said()


def test_a_market_maker_without_websocket_subscribes_to_nothing_and_hears_of_its_fills() -> None:
    booth = Booth(use_websocket=False)
    assert booth.since(0, Subscribe) == []
    booth.gone(booth.others[0])
    booth.other(ASK, 3_900, 200, ioc=True)
    booth.others[0] = booth.other(BID, 4_000)
    booth.stage.wait(4)
    assert booth.stage.run.host.trading.holdings.of(booth.market).position == 200
    assert booth.resting() == {"bid": (3_880, 500), "ask": (4_480, 500)}


def test_the_market_maker_passes_from_one_source_to_the_other_with_the_same_two_orders() -> None:
    booth = Booth(rest_quotes=True)
    booth.stage.reconnect_s = 10.0
    booth.stage.wait(12)
    booth.stage.drop()
    booth.stage.wait(5)
    by_rest = {order.client_order_id for order in booth.stage.run.host.trading.ledger.live()}
    assert booth.resting() == {"bid": (3_900, 500), "ask": (4_500, 500)}
    booth.stage.wait(10)
    assert booth.resting() == {"bid": (4_050, 500), "ask": (4_350, 500)}
    assert {order.client_order_id for order in booth.stage.run.host.trading.ledger.live()} == by_rest
    assert len(booth.since(0, Say)) <= 4
    assert replayed(booth.stage.records, booth.casts) == decided(booth.stage.records)


def test_rest_that_fails_too_leaves_nothing_to_quote_by() -> None:
    booth = Booth(rest_quotes=True)
    booth.stage.wait(2)
    booth.stage.refuses = lambda method, _path: method == "GET"
    booth.stage.drop(stays_away=True)
    booth.stage.wait(10)
    assert (booth.why, booth.resting()) == ("untrusted, and no book by REST", {})
    assert sum(action.path.endswith("/orderbook") for action in booth.since(0, Fetch)) <= 6
