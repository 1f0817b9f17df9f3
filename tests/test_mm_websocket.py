"""The Market Maker by WebSocket, and by REST where there is none: prices, positions, fills, health, its orders."""

from maker_stage import ASK, BID, SEED, Booth
from strategy_run import Cast, decided, replayed
from strategy_stage import Stage

from core.actions import Amend, Cancel, Fetch, Place
from core.context import Context
from core.records import Kind
from core.strategy import Strategy
from core.times import SECOND_NS
from strategies.regime import Regime


def test_prices_come_by_websocket_and_quotes_follow_them() -> None:
    booth = Booth()
    booth.stage.wait(2)
    assert booth.resting() == {"bid": (4_050, 500), "ask": (4_350, 500)}
    booth.move(4_200, 4_600)
    booth.stage.wait(3)
    assert booth.resting() == {"bid": (4_250, 500), "ask": (4_550, 500)}
    asked = [action.path for action in booth.since(0, Fetch)]
    assert not any(path.endswith("/orderbook") for path in asked)  # nothing but facts was asked by REST


def test_a_fill_by_websocket_moves_the_quotes_against_the_position() -> None:
    booth = Booth()
    booth.stage.wait(2)
    booth.other(ASK, 4_050, 300, ioc=True)
    booth.stage.wait(2)
    assert booth.stage.run.host.trading.holdings.of(booth.market).position == 300
    # 300 of 2,000 held: the fair price is lower by 15 hundredths of 200; the bid is topped up as half of it is gone
    assert booth.resting() == {"bid": (4_020, 500), "ask": (4_320, 500)}


def test_a_position_that_the_exchange_tells_by_websocket_otherwise_freezes_until_it_is_settled() -> None:
    booth = Booth()
    booth.stage.wait(2)
    booth.stage.drops = lambda frame: b'"type":"fill"' in frame and b"4050" in frame.replace(b".", b"")
    booth.other(ASK, 4_050, 100, ioc=True)  # this fill is lost on the way
    booth.stage.drops = lambda _frame: False
    booth.other(ASK, 4_050, 100, ioc=True)
    assert booth.why == "the position is disputed"
    booth.stage.until(lambda: booth.why == "", "the position by REST")
    assert booth.stage.run.host.trading.holdings.of(booth.market).position == 200


def test_without_websocket_prices_come_by_rest_and_are_quoted_twice_as_wide() -> None:
    booth = Booth(use_websocket=False)
    assert booth.resting() == {"bid": (3_900, 500), "ask": (4_500, 500)}
    booth.move(4_200, 4_600)
    booth.stage.wait(4)
    assert booth.resting() == {"bid": (4_100, 500), "ask": (4_700, 500)}
    assert not booth.stage.window(booth.market).is_trusted  # nothing was subscribed to


def test_rest_stands_in_for_a_lost_connection_with_fills_and_orders_and_steps_back() -> None:
    booth = Booth(rest_quotes=True)
    booth.stage.wait(2)
    booth.stage.drop(stays_away=True)
    booth.stage.wait(4)
    assert booth.resting() == {"bid": (3_900, 500), "ask": (4_500, 500)}
    booth.gone(booth.others[0])
    booth.other(ASK, 3_900, 500, ioc=True)
    booth.other(BID, 4_000)
    booth.stage.wait(5)
    assert booth.stage.run.host.trading.holdings.of(booth.market).position == 500
    assert booth.resting() == {"bid": (3_850, 500), "ask": (4_450, 500)}
    booth.stage.connect(replaces=1)
    booth.stage.wait(5)
    assert booth.resting() == {"bid": (4_000, 500), "ask": (4_300, 500)}


def test_a_rest_book_that_gets_old_is_not_quoted_by() -> None:
    booth = Booth(use_websocket=False)
    booth.stage.refuses = lambda _method, path: path.endswith("/orderbook")
    booth.stage.wait(9)
    assert booth.why == "switched off, and no book by REST"
    assert booth.resting() == {}


def test_bad_health_pulls_quotes_at_once_and_says_why_and_they_come_back() -> None:
    booth = Booth()
    booth.stage.wait(11)
    booth.stage.drop()
    assert booth.why == "not connected"
    booth.stage.wait(0.2)
    assert booth.resting() == {}
    booth.stage.wait(15)
    assert booth.resting() == {"bid": (4_050, 500), "ask": (4_350, 500)}
    assert booth.said()[0] == "quoting"
    assert booth.said()[1] in ("quotes pulled: untrusted", "quotes pulled: not connected")
    assert booth.said()[2] == "quoting"


def test_a_market_that_is_deactivated_is_left_alone_until_it_is_active_and_its_book_was_confirmed() -> None:
    booth = Booth()
    booth.stage.wait(2)
    life = booth.stage.venue.machine.engine.life
    booth.stage.act(lambda now_ns: life.deactivate(booth.market, now_ns))
    booth.stage.wait()
    assert booth.why == "it is not open"
    booth.stage.wait(2)
    assert booth.resting() == {}
    booth.stage.act(lambda now_ns: life.activate(booth.market, now_ns))
    booth.stage.wait()
    assert booth.why == "no fresh book"
    booth.others = [booth.other(BID, 4_000), booth.other(ASK, 4_400)]  # a market begins with an empty book
    assert booth.why == "no fresh book"
    booth.stage.wait(4)
    assert len(booth.resting()) == 2


def test_before_a_close_that_was_moved_nothing_rests_any_more() -> None:
    booth = Booth()
    booth.stage.wait(2)
    life, close_ns = booth.stage.venue.machine.engine.life, booth.stage.now_ns + 70 * 10**9
    booth.stage.act(lambda now_ns: life.move_close(booth.market, close_ns, now_ns))
    booth.stage.wait(9)
    assert len(booth.resting()) == 2
    booth.stage.wait(2)
    assert (booth.why, booth.resting()) == ("its close is near", {})


def test_an_order_is_amended_in_place_when_its_price_must_change_and_not_otherwise() -> None:
    booth = Booth(tolerance=100)
    booth.move(4_100, 4_500)
    booth.stage.wait(3)
    keys, count = {side: booth.own(side).client_order_id for side in (BID, ASK)}, booth.decided
    booth.other(BID, 4_000, 100)  # behind the best
    booth.stage.wait(3)
    assert booth.since(count) == []
    booth.move(4_400, 4_800)
    booth.stage.wait(3)
    assert {type(action) for action in booth.since(count)} == {Amend}
    assert {side: booth.own(side).client_order_id for side in (BID, ASK)} == keys


def test_an_order_is_renewed_before_it_ends_and_keeps_its_price() -> None:
    booth = Booth()
    booth.stage.wait(2)
    count, before = booth.decided, booth.resting()
    booth.stage.wait(40)
    renewed = booth.since(count)
    assert [(type(a), a.side, a.price, a.count) for a in renewed] == [
        (Amend, BID, 4_050, 500),
        (Amend, ASK, 4_350, 500),
    ]
    booth.stage.wait(60)
    assert booth.resting() == before


def test_orders_of_an_earlier_run_are_replaced_where_it_quotes_and_cancelled_elsewhere() -> None:
    booth = Booth(start=False)
    elsewhere = next(market for market in booth.stage.venue.markets() if "BTC" in market and market != booth.market)
    booth.adopt({booth.market: 4_040, elsewhere: 1_000})
    booth.stage.wait(5)
    assert booth.resting() == {"bid": (4_050, 500), "ask": (4_350, 500)}
    reads = booth.stage.venue.machine.engine.reads
    assert reads.resting("trader", elsewhere) == ()
    assert len(booth.since(0, Place)) == 2


class Chooser(Strategy):
    """Chooses the first market that it is given for ten seconds, and then none."""

    def on_start(self, ctx: Context) -> None:
        ctx.subscribe(*markets_of_btc())
        ctx.select(*markets_of_btc()[:1])
        ctx.wake("enough", 10 * SECOND_NS)

    def on_timer(self, ctx: Context, _name: str) -> None:
        ctx.select()


def markets_of_btc() -> list[str]:
    """The markets of the booth's sandbox that have no maker fee."""
    return [market for market in Stage(busy_steps=0, seed=SEED).venue.markets() if "BTC" in market]


def test_it_quotes_what_another_strategy_has_chosen_and_cancels_its_orders_where_that_is_over() -> None:
    booth = Booth(Cast("chooser", Chooser), markets=[])
    booth.stage.wait(8)
    count = booth.decided
    booth.stage.wait(4)
    assert {type(action) for action in booth.since(count)} == {Cancel}
    assert booth.resting() == {}
    assert booth.stage.run.strategy("maker").markets() == ()


def test_a_reconnect_changes_no_order_that_rests_twice() -> None:
    booth = Booth()
    booth.stage.wait(2)
    for _ in range(3):
        booth.stage.drop()
        booth.stage.wait(12)
    assert booth.resting() == {"bid": (4_050, 500), "ask": (4_350, 500)}
    assert len(booth.stage.run.host.trading.ledger.live()) == 2


def test_the_regime_widens_quotes_and_can_be_asked_for() -> None:
    booth = Booth(half_spread=300)
    booth.stage.wait(2)
    maker = booth.stage.run.strategy()
    assert maker.regime(booth.market, booth.stage.now_ns) is Regime.QUIET
    assert maker.regime("elsewhere", booth.stage.now_ns) is Regime.FROZEN
    for turn in range(24):
        booth.move(*((4_000, 4_400) if turn % 2 else (4_450, 4_850)))
        booth.stage.wait(5)
    assert maker.regime(booth.market, booth.stage.now_ns) is Regime.VOLATILE
    bid, ask = booth.resting()["bid"][0], booth.resting()["ask"][0]
    assert ask - bid == 1_200


def test_all_that_was_decided_replays() -> None:
    booth = Booth(rest_quotes=True, stale_s=20)
    booth.stage.trade(20)
    booth.other(ASK, 4_000, 200, ioc=True)
    booth.stage.wait(10)
    booth.stage.drop()
    booth.stage.wait(40)
    records = booth.stage.records
    assert sum(record.kind == Kind.DECISION for record in records) > 10
    assert replayed(records, booth.casts) == decided(records)
