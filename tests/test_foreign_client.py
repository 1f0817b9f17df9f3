"""A client that we did not write: pykalshi, as it comes from PyPI, against the local exchange.

All that it takes: its REST base is an argument; its feed's URL is an attribute, set from a constant of its own.
"""

import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from waiting import wait_for_condition

from capture.tape.reader import Tape
from replay.exchange.local import LocalExchange
from replay.exchange.options import ServerOptions
from replay.exchange.sandbox import SandboxOptions, SandboxVenue
from replay.exchange.taped import TapedVenue
from replay.importer import import_recording
from replay.player import Player
from replay.synthetic import Plan, write_recording

pykalshi = pytest.importorskip("pykalshi", reason="the foreign client is a test dependency: pip install '.[test]'")

pytestmark = [
    pytest.mark.integration,
    # its own threads: its feed leaves the event loop's sockets to the collector, and its websockets warns of old names
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


class Foreign:
    """The client, its feed, and what the feed told, by channel; its own book manager keeps the books."""

    def __init__(self, exchange: LocalExchange) -> None:
        self.client = pykalshi.KalshiClient(
            api_key_id=exchange.access_key,
            private_key_path=str(exchange.private_key_path),
            api_base=exchange.rest_url,
        )
        self.feed = self.client.feed()
        self.feed._ws_url = exchange.ws_url
        self.told: dict[str, list[Any]] = {}
        self.books: dict[str, Any] = {}
        self._lock = threading.Lock()

    def hear(self, *channels: str, markets: list[str] | None = None) -> None:
        """Subscribe and begin to listen; returns once the feed is connected."""
        for channel in channels:
            self.told[channel] = []
            self.feed.on(channel, self._taker(channel))
            self.feed.subscribe(channel, market_tickers=markets) if markets else self.feed.subscribe(channel)
        self.feed.start()
        wait_for_condition(lambda: bool(self.feed.is_connected), what="the feed's connection")

    def close(self) -> None:
        self.feed.stop()
        self.client.close()

    def ladder(self, market: str, side: str) -> tuple[tuple[int, int], ...]:
        """A side of the book that its manager keeps, in our units, ascending."""
        with self._lock:
            levels = dict(getattr(self.books[market], side))
        return tuple(sorted((int(Decimal(p) * 10_000), int(Decimal(q) * 100)) for p, q in levels.items()))

    def _taker(self, channel: str) -> Any:
        def take(message: Any) -> None:
            with self._lock:
                self.told[channel].append(message)
                if channel == "orderbook_delta":
                    self._book(message)

        return take

    def _book(self, message: Any) -> None:
        from pykalshi.orderbook import OrderbookManager

        book = self.books.setdefault(message.market_ticker, OrderbookManager(message.market_ticker))
        if hasattr(message, "yes_dollars"):
            book.apply_snapshot(message.yes_dollars, message.no_dollars)
        else:
            book.apply_delta(message.side, message.price_dollars, message.delta_fp)


@pytest.fixture
def sandbox() -> Iterator[tuple[SandboxVenue, LocalExchange, Foreign]]:
    venue = SandboxVenue(SandboxOptions(markets=6, rate=300, seed=11))
    venue.step(600)
    with LocalExchange(venue) as exchange:
        foreign = Foreign(exchange)
        yield venue, exchange, foreign
        foreign.close()


def test_against_a_tape_its_book_is_the_tapes(tmp_path: Path) -> None:
    write_recording(tmp_path / "recording.jsonl", Plan(frames=3_000, markets=5, seed=3))
    import_recording([tmp_path / "recording.jsonl"], tmp_path / "tape")
    tape = Tape.open(tmp_path / "tape")
    player = Player(tape, "bytes")
    player.advance()
    markets = [market for market in player.store.markets() if player.store.view(market).yes]
    assert markets
    venue = TapedVenue.of(tape, speed=float("inf"))
    with LocalExchange(venue, ServerOptions(dialect=venue.dialect)) as exchange:
        foreign = Foreign(exchange)
        foreign.hear("orderbook_delta", markets=markets)
        assert exchange.wait_played(20)
        sent = sum(session.frames for session in exchange.sent)
        wait_for_condition(lambda: foreign.feed.messages_received >= sent, what="all frames")
        for market in markets:
            view = player.store.view(market)
            assert (foreign.ladder(market, "yes"), foreign.ladder(market, "no")) == (view.yes, view.no)
        foreign.close()


def test_against_the_sandbox_it_lists_markets_and_keeps_a_correct_book(
    sandbox: tuple[SandboxVenue, LocalExchange, Foreign],
) -> None:
    venue, exchange, foreign = sandbox
    listed = [
        market.ticker
        for market in foreign.client.get_markets(status=pykalshi.MarketStatus.OPEN)
        if "KXMVE" not in market.ticker
    ]
    assert sorted(listed) == sorted(m for m in venue.markets() if "KXMVE" not in m)
    foreign.hear("orderbook_delta", "ticker", "trade", markets=listed)
    wait_for_condition(lambda: len(foreign.told["orderbook_delta"]) > 300 and bool(foreign.told["trade"]))
    exchange.control("pause")
    books = {market: venue.engine.reads.book(market) for market in listed}

    def equal() -> bool:
        return all(
            (foreign.ladder(market, "yes"), foreign.ladder(market, "no")) == (book.yes, book.no)
            for market, book in books.items()
        )

    wait_for_condition(equal, what="books equal to the exchange's")


def test_against_the_sandbox_it_trades(sandbox: tuple[SandboxVenue, LocalExchange, Foreign]) -> None:
    venue, exchange, foreign = sandbox
    exchange.control("pause")
    market = next(m for m in venue.markets() if "TEMP" in m and venue.engine.reads.book(m).no)
    foreign.hear("fill", "user_orders", "market_positions")
    wait_for_condition(lambda: exchange.control("stats")["subscriptions"] >= 3, what="three subscriptions")
    portfolio = foreign.client.portfolio
    resting = portfolio.place_order(market, book_side="bid", price_dollars="0.0100", count_fp="3.00")
    assert [order.order_id for order in portfolio.get_orders(status=pykalshi.OrderStatus.RESTING)] == [resting.order_id]
    portfolio.cancel_order(resting.order_id)
    taken = portfolio.place_order(
        market, book_side="bid", price_dollars="0.9900", count_fp="1.00", time_in_force=pykalshi.TimeInForce.IOC
    )
    wait_for_condition(lambda: bool(foreign.told["fill"]) and bool(foreign.told["market_positions"]), what="a fill")
    (fill,) = foreign.told["fill"]
    assert (fill.order_id, fill.count_fp, fill.market_ticker) == (taken.order_id, "1.00", market)
    assert foreign.told["market_positions"][-1].position_fp == "1.00"
    assert {order.status for order in foreign.told["user_orders"]} >= {"resting", "canceled", "executed"}
    totals = exchange.control("totals")
    assert totals["positions"] == {market: 100}
    assert portfolio.get_balance().balance == totals["balance"] // 10_000  # cents, cut off, as the exchange gives them


def test_after_a_disconnect_it_subscribes_again(sandbox: tuple[SandboxVenue, LocalExchange, Foreign]) -> None:
    _, exchange, foreign = sandbox
    foreign.hear("ticker")
    wait_for_condition(lambda: bool(foreign.told["ticker"]))
    exchange.control("inject", fault="close@now,code=1001")
    wait_for_condition(lambda: foreign.feed.reconnect_count >= 1, what="a reconnect")
    seen = len(foreign.told["ticker"])
    wait_for_condition(lambda: len(foreign.told["ticker"]) > seen, what="tickers after the reconnect")


def test_a_wrong_key_is_refused_in_a_way_it_understands(
    sandbox: tuple[SandboxVenue, LocalExchange, Foreign],
) -> None:
    _, exchange, _ = sandbox
    stranger = pykalshi.KalshiClient(
        api_key_id="unknown", private_key_path=str(exchange.private_key_path), api_base=exchange.rest_url
    )
    began_s = time.monotonic()
    with pytest.raises(pykalshi.AuthenticationError):
        stranger.portfolio.get_balance()
    assert time.monotonic() - began_s < 20
    stranger.close()
