"""What a user of MarketStateStore relies on: frames as the exchange sends them in, frozen views out."""

import random
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from deck import BTC, GOLD, GOLD_WINDOWS, OUTAGE, SECOND, SHORT, begun, gold_files, told
from feed import MARKET, NOW_NS, Feed
from tapes import but_the_longest, needs_tapes

from core.gaps import Gap
from core.health import is_stale
from core.lifecycle import Phase
from core.messages import BookDelta, BookSnapshot, Side, Ticker, Trade
from core.records import Coverage
from core.store import Change, ChangeKind, MarketStateStore, Rejected
from core.views import MarketView

# ------------------------------------------------------------------ books


def test_a_snapshot_and_its_deltas_make_the_book() -> None:
    feed = Feed()
    assert feed.snapshot() == Change(MARKET, ChangeKind.BOOK)
    feed.delta(2, "0.4200", "-2.00")
    feed.delta(3, "0.4100", "-10.00")
    feed.delta(4, "0.5700", "3.00", "no")
    assert feed.view.yes == ((4_200, 1_150),)
    assert feed.view.no == ((5_500, 2_000), (5_600, 1_700), (5_700, 300))
    assert (feed.view.yes_bid, feed.view.yes_ask) == ((4_200, 1_150), (4_300, 300))
    assert (feed.view.no_bid, feed.view.no_ask) == ((5_700, 300), (5_800, 1_150))
    assert feed.view.trusted


def test_fractions_of_a_cent_and_of_a_contract_are_kept() -> None:
    feed = Feed()
    feed.snapshot(yes_dollars_fp=[["0.4100", "10.00"], ["0.4110", "0.10"]])
    feed.delta(2, "0.4105", "41.25")
    feed.delta(3, "0.4110", "-0.03")
    assert feed.view.yes == ((4_100, 1_000), (4_105, 4_125), (4_110, 7))


def test_the_legacy_dialect_in_cents_and_whole_contracts_gives_the_same_book() -> None:
    old, new = Feed(), Feed()
    old.snapshot(yes=[[41, 10], [42, 13]], no=[[56, 17]])
    old.take("orderbook_delta", seq=2, price=42, delta=-2, side="yes")
    new.snapshot(yes_dollars_fp=[["0.4100", "10.00"], ["0.4200", "13.00"]], no_dollars_fp=[["0.5600", "17.00"]])
    new.delta(2, "0.4200", "-2.00")
    assert old.view == new.view


def test_the_yes_price_dialect_gives_the_same_book() -> None:
    plain, yes_price = Feed(), Feed(yes_price=True)
    plain.snapshot()
    plain.delta(2, "0.5600", "5.00", "no")
    yes_price.snapshot(
        yes_dollars_fp=[["0.4100", "10.00"], ["0.4200", "13.50"]],
        no_dollars_fp=[["0.4500", "20.00"], ["0.4400", "17.00"]],
    )
    yes_price.delta(2, "0.4400", "5.00", "no")
    assert plain.view == yes_price.view


def test_a_missing_side_is_empty_and_a_snapshot_without_sides_empties_the_book() -> None:
    feed = Feed()
    feed.snapshot()
    assert feed.take("orderbook_snapshot", seq=2) == Change(MARKET, ChangeKind.BOOK)
    assert feed.take("orderbook_snapshot", seq=3) == Change(MARKET, ChangeKind.BOOK)
    assert (feed.view.yes, feed.view.no, feed.view.yes_bid, feed.view.trusted) == ((), (), None, True)


def test_a_delta_before_its_snapshot_is_held_back() -> None:
    feed = Feed()
    assert feed.delta(1, "0.4200", "5.00") is Rejected.NO_SNAPSHOT
    assert feed.view.yes == ()
    assert not feed.view.trusted


def test_updates_out_of_order_are_refused_and_change_nothing() -> None:
    feed = Feed()
    feed.snapshot(seq=5)
    feed.delta(7, "0.4200", "1.00")
    before = feed.view
    assert feed.delta(6, "0.4200", "99.00") is Rejected.OUT_OF_ORDER
    assert feed.delta(7, "0.4200", "1.00") is Rejected.OUT_OF_ORDER
    assert feed.snapshot(seq=5) is Rejected.OUT_OF_ORDER
    assert feed.view == before


def test_a_level_below_zero_makes_the_book_untrusted_until_its_next_snapshot() -> None:
    feed = Feed()
    feed.snapshot()
    assert feed.delta(2, "0.4200", "-99.00") is Rejected.NEGATIVE_SIZE
    assert not feed.view.trusted
    assert feed.view.yes == ((4_100, 1_000),)
    feed.snapshot(seq=3)
    assert feed.view.trusted


def test_a_gap_takes_the_trust_and_a_snapshot_gives_it_back() -> None:
    feed = Feed()
    feed.snapshot()
    feed.store.distrust(Gap(1, "sequence", 1, 1, 2, 4, NOW_NS, None, (MARKET,)))
    feed.delta(4, "0.4200", "1.00")
    assert not feed.view.trusted
    feed.snapshot(seq=5)
    assert feed.view.trusted


def test_a_book_by_rest_never_replaces_the_real_one() -> None:
    feed = Feed()
    feed.snapshot()
    feed.store.distrust(Gap(1, "down", 0, 0, None, None, NOW_NS, None, ()))
    feed.store.apply_rest_book(MARKET, ((4_700, 300),), ((4_800, 300),), NOW_NS)
    assert feed.view.yes_bid == (4_200, 1_350)
    assert feed.view.rest.yes == ((4_700, 300),)
    assert not feed.view.trusted


# ------------------------------------------------------------------ views


def test_a_view_stays_what_it_was_and_cannot_be_written_through() -> None:
    feed = Feed()
    feed.snapshot()
    view = feed.view
    feed.delta(2, "0.4200", "1.00")
    assert view.yes_bid == (4_200, 1_350)
    with pytest.raises(AttributeError):
        view.trusted = False
    with pytest.raises(TypeError):
        view.yes[0] = (1, 1)


def test_an_unknown_market_is_empty_untrusted_and_stale() -> None:
    view = MarketStateStore().view("NOBODY-KNOWS-IT")
    assert (view.yes, view.no, view.trusted, view.trades, view.position) == ((), (), False, (), None)
    assert is_stale(view, NOW_NS, 10**18)


def test_a_market_goes_stale_by_our_own_time_whatever_the_exchange_says_the_time_is() -> None:
    feed = Feed()
    feed.take("orderbook_snapshot", seq=1)
    feed.take(
        "orderbook_delta",
        seq=2,
        price_dollars="0.4200",
        delta_fp="5.00",
        side="yes",
        ts_ms=NOW_NS // 1_000_000 + 900_000,
    )
    heard_ns = feed.view.heard_ns
    assert heard_ns == NOW_NS + 1_000_000
    assert not is_stale(feed.view, heard_ns + 5 * SECOND, 5 * SECOND)
    assert is_stale(feed.view, heard_ns + 5 * SECOND + 1, 5 * SECOND)
    feed.delta(2, "0.4200", "5.00")  # refused: no sign of life
    assert feed.view.heard_ns == heard_ns


# ------------------------------------------------------------------ trades, tickers


def test_recent_trades_the_last_one_and_their_sum() -> None:
    feed = Feed()
    feed.trade("t1", "0.4200", "2.00")
    feed.trade("t2", "0.4250", "0.61", "no")
    assert [(trade.price, trade.count, trade.taker) for trade in feed.view.trades] == [
        (4_200, 200, Side.YES),
        (4_250, 61, Side.NO),
    ]
    assert feed.view.last_trade.trade_id == "t2"
    assert feed.view.traded_size == 261


def test_a_trade_told_twice_counts_once() -> None:
    feed = Feed()
    feed.trade("t1", "0.4200", "2.00")
    assert feed.trade("t1", "0.4200", "2.00") is Rejected.DUPLICATE_TRADE
    assert feed.view.traded_size == 200


def test_recent_trades_are_bounded_and_the_sum_is_not_shortened() -> None:
    feed = Feed()
    for number in range(3_000):
        feed.trade(f"t{number}", "0.4200", "1.00")
    assert [trade.trade_id for trade in feed.view.trades] == [f"t{number}" for number in range(3_000 - 1_024, 3_000)]
    assert feed.view.traded_size == 300_000


def test_the_latest_ticker_is_shown_and_no_price_is_no_price() -> None:
    feed = Feed()
    feed.take("ticker", sid=3, price_dollars="", yes_bid_dollars="0.0000", yes_ask_dollars="1.0000")
    assert [feed.view.ticker.price] == [None]
    feed.take("ticker", sid=3, price_dollars="0.4300", yes_bid_dollars="0.4200", yes_ask_dollars="0.4400")
    assert [feed.view.ticker.price] == [4_300]
    assert [(point.yes_bid, point.yes_ask) for point in feed.view.prices] == [(None, None), (4_200, 4_400)]


# ------------------------------------------------------------------ lives, fills, orders, positions


def test_a_markets_life_is_followed() -> None:
    feed = Feed()
    feed.take("market_lifecycle_v2", seq=1, event_type="created", open_ts=1795420800, close_ts=1795507200)
    assert feed.view.lifecycle.phase is Phase.INITIALIZED
    feed.take("market_lifecycle_v2", seq=2, settled_ts=1795511060, event_type="settled")
    feed.take(
        "market_lifecycle_v2",
        seq=3,
        determination_ts=1795511000,
        result="yes",
        settlement_value="1.0000",
        event_type="determined",
    )
    life = feed.view.lifecycle
    assert (life.phase, life.result, life.settlement_value) == (Phase.SETTLED, "yes", 10_000)
    assert life.close_ns == 1_795_507_200 * SECOND


def test_our_fills_orders_and_positions_are_kept() -> None:
    feed = Feed()
    assert feed.order("resting") == Change(MARKET, ChangeKind.ORDER)
    assert [working.order_id for working in feed.view.orders] == ["o1"]
    assert feed.fill() == Change(MARKET, ChangeKind.FILL)
    assert feed.fill() is Rejected.DUPLICATE_FILL
    assert feed.view.position == -500
    assert feed.order("executed", "5.00") == Change(MARKET, ChangeKind.ORDER)
    assert feed.order("resting") is Rejected.FINISHED_ORDER
    assert feed.view.orders == ()
    position: dict[str, Any] = {"position_fp": "-7.00", "position_cost_dollars": "2.800000"}
    assert feed.take("market_position", sid=5, **position) == Change(MARKET, ChangeKind.POSITION)
    assert feed.view.position == -700
    assert feed.view.position_report.position_cost == 2_800_000


def told_everything() -> Feed:
    """A market of which everything that can be known is known."""
    feed = Feed()
    feed.snapshot()
    feed.trade("t0", "0.4200", "2.00")
    feed.take("ticker", sid=3, price_dollars="0.4300", yes_bid_dollars="0.4200", yes_ask_dollars="0.4400")
    feed.take("market_lifecycle_v2", seq=1, event_type="activated", is_deactivated=False)
    feed.order("resting")
    feed.fill()
    feed.take("market_position", sid=5, position_fp="-7.00", position_cost_dollars="2.800000")
    feed.store.apply_rest_book(MARKET, ((4_700, 300),), ((4_800, 300),), NOW_NS)
    return feed


def test_nothing_that_a_view_holds_can_be_written_through() -> None:
    feed = told_everything()
    before = feed.view
    parts = [getattr(before, name) for name in before.__struct_fields__]
    held = [one for part in parts for one in (part if isinstance(part, tuple) else (part,))]
    structs = [one for one in held if hasattr(one, "__struct_fields__")]
    assert {type(one).__name__ for one in structs} == {
        "RecentTrade", "PricePoint", "Ticker", "Lifecycle", "MarketPosition", "UserOrder", "Fill", "RestBook",
    }  # fmt: skip
    for struct in structs:
        for name in struct.__struct_fields__:
            with pytest.raises(AttributeError):
                setattr(struct, name, 1)
    assert not [part for part in parts if isinstance(part, list | dict | set)]
    assert feed.view == before


def test_price_points_are_bounded_too() -> None:
    feed = Feed()
    feed.snapshot(yes_dollars_fp=[["0.1000", "1.00"]])
    for number in range(1_500):
        feed.delta(2 + number, f"0.{1_001 + number:04}", "1.00")
    prices = [point.yes_bid for point in feed.view.prices]
    assert prices == [1_001 + number for number in range(1_500 - 1_024, 1_500)]


@pytest.fixture
def _many_turns() -> Iterator[None]:
    """Threads take turns far more often than by default: more interleavings in less time."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.0002)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_many_turns")
def test_views_that_other_threads_hold_stay_as_they_were_while_the_owner_writes_on() -> None:
    feed, held, wrong, done = told_everything(), list[Any](), list[Any](), threading.Event()

    def look() -> None:
        while not done.is_set():
            for size, view in tuple(held[-50:]):
                if view.yes[-1] != (4_200, size) or view.last_trade.trade_id != view.trades[-1].trade_id:
                    wrong.append((size, view))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(1_000):
        feed.delta(2 + number, "0.4200", "1.00")
        feed.trade(f"t{number + 1}", "0.4200", "1.00")
        held.append((1_450 + 100 * number, feed.view))
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len({view.yes[-1] for _, view in held}) == 1_000


# ------------------------------------------------------------------ the real recordings

RECORDINGS = [(window, GOLD) for window in GOLD_WINDOWS] + [("short", BTC), ("outage", BTC)]


class ByHand:
    """What a market's messages say, by nothing but adding up in the order of receipt."""

    def __init__(self) -> None:
        self.levels: dict[Side, dict[int, int]] = {Side.YES: {}, Side.NO: {}}
        self.trades: list[Trade] = []
        self.ticker: Ticker | None = None

    def follow(self, message: Any) -> None:
        """Take the next message of the market."""
        match message:
            case BookSnapshot():
                self.levels = {Side.YES: dict(message.yes), Side.NO: dict(message.no)}
            case BookDelta():
                levels = self.levels[message.side]
                levels[message.price] = levels.get(message.price, 0) + message.delta
                assert levels[message.price] >= 0
                if not levels[message.price]:
                    del levels[message.price]
            case Trade():
                self.trades.append(message)
            case Ticker():
                self.ticker = message
            case _:
                pass

    def check(self, view: MarketView) -> None:
        """The store must say the same."""
        assert (dict(view.yes), dict(view.no)) == (self.levels[Side.YES], self.levels[Side.NO])
        assert view.ticker == self.ticker
        assert view.traded_size == sum(trade.count for trade in self.trades)
        seen = [(trade.trade_id, trade.price, trade.count, trade.taker) for trade in view.trades]
        assert seen == [(t.trade_id, t.price, t.count, t.taker) for t in self.trades[-1_024:]]
        assert view.last_trade == (view.trades[-1] if self.trades else None)


@needs_tapes
@pytest.mark.parametrize(("name", "coverage"), but_the_longest(RECORDINGS))
def test_books_trades_and_tickers_agree_with_a_recording_at_random_instants(name: str, coverage: Coverage) -> None:
    tape = told(*({"short": [SHORT], "outage": [OUTAGE]}.get(name) or gold_files(name)))
    engine = begun(coverage)
    by_hand: dict[str, ByHand] = {}
    rng = random.Random(11)
    stops = {rng.randrange(len(tape)) for _ in range(40)} | {len(tape) - 1}
    for index, (record, message) in enumerate(tape):
        assert not isinstance(engine.step(record, message).change, Rejected), f"at {index}"
        market = getattr(message, "market", "")
        if market:
            by_hand.setdefault(market, ByHand()).follow(message)
        if index in stops:
            assert engine.store.markets() == tuple(sorted(by_hand))
            for name, told_so_far in by_hand.items():
                told_so_far.check(engine.store.view(name))


@needs_tapes
@pytest.mark.parametrize("window", but_the_longest(GOLD_WINDOWS))
def test_every_trade_is_covered_by_what_left_the_book_across_from_its_taker(window: str) -> None:
    taken: Counter[tuple[int, Side, int]] = Counter()
    traded: Counter[tuple[int, Side, int]] = Counter()
    for _, message in told(*gold_files(window)):
        match message:
            case BookDelta() if message.delta < 0:
                taken[message.exchange_ns // 1_000_000, message.side, message.price] -= message.delta
            case Trade():
                side = Side.NO if message.taker is Side.YES else Side.YES
                price = 10_000 - message.price if side is Side.NO else message.price
                traded[message.exchange_ns // 1_000_000, side, price] += message.count
            case _:
                pass
    assert traded
    assert {key: size for key, size in traded.items() if size > taken[key]} == {}
