"""Tests of the sight of a market: it reads what the frozen view shows, and copies nothing until told to."""

from deck import Deck, delta, snapshot, subscribed, ticker, trade

from core.lifecycle import Lifecycle, Phase
from core.messages.types import MarketLifecycle, Side
from core.window import Window


def deck() -> Deck:
    found = Deck()
    found.opened(1)
    for message in (
        subscribed(), subscribed(2, "trade", 2),
        snapshot(1, "M", ((3_000, 10), (4_000, 100)), ((5_000, 30), (5_500, 20))), trade(1), trade(2, count=7),
        ticker("M", yes_bid=4_000),
    ):  # fmt: skip
        found.frame(message)
    return found


def window(found: Deck, market: str = "M") -> Window:
    return found.engine.store.window(market, found.now_ns + 5)


def test_it_shows_the_book_on_the_yes_scale() -> None:
    seen = window(deck())
    assert (seen.bid, seen.bid_size, seen.ask, seen.ask_size) == (4_000, 100, 4_500, 20)
    assert seen.depth(1) == (((4_000, 100),), ((4_500, 20),))
    assert seen.depth(9) == (((4_000, 100), (3_000, 10)), ((4_500, 20), (5_000, 30)))
    assert (seen.size_at(3_000, bids=True), seen.size_at(5_000, bids=False)) == (10, 30)
    assert (seen.size_at(3_001, bids=True), seen.size_at(3_000, bids=False)) == (0, 0)
    assert (seen.is_trusted, seen.connection) == (True, 1)


def test_it_shows_what_the_frozen_view_shows() -> None:
    found = deck()
    found.engine.store.apply_rest_book("M", ((1, 1),), (), found.now_ns)
    seen, view = window(found), found.engine.store.view("M")
    assert seen.freeze() == view
    assert (seen.trades, seen.prices, seen.last_trade, seen.traded_size) == (
        view.trades, view.prices, view.last_trade, view.traded_size,
    )  # fmt: skip
    assert (seen.ticker, seen.lifecycle, seen.rest, seen.book_ns, seen.heard_ns) == (
        view.ticker, view.lifecycle, view.rest, view.book_ns, view.heard_ns,
    )  # fmt: skip
    assert seen.age_ns == found.now_ns + 5 - view.heard_ns
    assert len(seen.trades) == 2


def test_it_reads_the_state_where_it_lies() -> None:
    found = deck()
    seen, frozen = window(found), window(found).freeze()
    found.frame(delta(2, 4_000, -100))
    assert (seen.bid, seen.bid_size) == (3_000, 10)
    assert frozen.yes_bid == (4_000, 100)


def test_of_an_unknown_market_it_is_empty_and_untrusted() -> None:
    found = deck()
    seen = window(found, "X")
    assert (seen.bid, seen.ask, seen.bid_size, seen.ask_size, seen.depth(3)) == (None, None, 0, 0, ((), ()))
    assert (seen.is_trusted, seen.connection, seen.book_ns, seen.heard_ns) == (False, -1, 0, 0)
    assert (seen.trades, seen.prices, seen.last_trade, seen.traded_size, seen.ticker) == ((), (), None, 0, None)
    assert (seen.size_at(1, bids=True), seen.age_ns, seen.phase, seen.rest) == (0, found.now_ns + 5, "unknown", None)
    assert seen.lifecycle == Lifecycle()
    assert seen.freeze() == found.engine.store.view("X")


def test_an_empty_side_has_no_price_and_a_crossed_book_shows_as_it_is() -> None:
    found = deck()
    found.frame(snapshot(2, "M", (), ((5_000, 30),)))
    seen = window(found)
    assert (seen.bid, seen.bid_size, seen.ask) == (None, 0, 5_000)
    found.frame(snapshot(3, "M", ((6_000, 1),), ((5_000, 30),)))
    assert (seen.bid, seen.ask) == (6_000, 5_000)
    found.frame(delta(4, 5_000, -30, Side.NO))
    assert (seen.ask, seen.ask_size) == (None, 0)


def test_the_phase_goes_by_the_time_too() -> None:
    found = deck()
    found.frame(
        MarketLifecycle(sid=7, seq=1, market="M", event="created", open_ns=found.now_ns, close_ns=found.now_ns + 10**9)
    )
    assert window(found).phase is Phase.ACTIVE
    found.now_ns += 10**9
    assert window(found).phase is Phase.CLOSED
