"""Books that a recorder builds from what a sandbox sends it are the exchange's own, on both scales of prices."""

import json
from typing import Any

import pytest
from sandbox_day import ACCOUNT, Day

from core.engine import Engine
from core.records import Coverage, Kind, Opened, Record, Session, encode_payload
from replay.exchange.hub import Hub
from replay.exchange.options import ServerOptions
from replay.exchange.specs import MarketStatus

HOUR_NS = 3_600 * 10**9


class Recorder:
    """A session at a hub, and an engine that is stepped with all that is sent and received there."""

    def __init__(self, day: Day) -> None:
        self.day = day
        self.hub = Hub(day.venue, ServerOptions(keep_frames=True), lambda: day.venue.now_ns)
        self.session = self.hub.lobby.join(ACCOUNT, lambda: None)
        self.engine = Engine()
        # A hub sends no pings: without this, an hour that the test leaves out would count as a connection that stalled.
        coverage = Coverage(control=False)
        self._record(Kind.SESSION, encode_payload(Session("a-uuid", "sandbox", coverage=coverage)))
        self._record(Kind.OPENED, encode_payload(Opened()))

    def send(self, number: int, command: str, **params: Any) -> None:
        """Send a command and take what it leads to."""
        text = json.dumps({"id": number, "cmd": command, "params": params}).encode()
        self._record(Kind.SENT, text)
        self.hub.receive(self.session, text)
        self.receive()

    def live(self, steps: int) -> None:
        """Let the day go on, and take what is told of it."""
        for publication in self.day.publications(steps):
            self.hub.publish(publication)
        self.receive()

    def receive(self) -> None:
        """Take all that is queued."""
        while self.session.out.take(0):
            pass
        for frame in self.session.out.kept:
            self._record(Kind.FRAME, frame.payload)
        self.session.out.kept.clear()

    def equal(self, markets: tuple[str, ...]) -> int:
        """Hold the books of these markets against the exchange's; how many of them were not empty."""
        reads = self.day.venue.engine.reads
        for market in markets:
            mine, theirs = self.engine.store.view(market), reads.book(market)
            assert mine.trusted, market
            assert (tuple(mine.yes), tuple(mine.no), mine.clock) == (theirs.yes, theirs.no, theirs.clock), market
        return sum(bool(reads.book(market).yes or reads.book(market).no) for market in markets)

    def _record(self, kind: Kind, payload: bytes) -> None:
        seq = max(self.engine.next_seq, 0)
        self.engine.step(Record(seq, self.day.venue.now_ns, seq, 1, int(kind), payload))


@pytest.mark.parametrize("use_yes_price", [False, True])
def test_a_recorders_books_are_the_exchanges_at_every_instant(use_yes_price: bool) -> None:
    day = Day(7)
    day.venue.step(300)
    day.venue.drain()
    markets = day.venue.markets()
    recorder = Recorder(day)
    recorder.send(
        1, "subscribe", channels=["orderbook_delta"], market_tickers=list(markets[:6]), use_yes_price=use_yes_price
    )
    compared = recorder.equal(markets[:6])
    recorder.live(100)
    compared += recorder.equal(markets[:6])
    recorder.send(2, "update_subscription", sid=1, action="add_markets", market_tickers=list(markets[6:]))
    for _ in range(80):
        recorder.live(10)
        compared += recorder.equal(markets)
    assert compared > 500
    assert recorder.engine.counts.rejected == recorder.engine.counts.malformed == recorder.engine.counts.unknown == {}


def test_a_market_that_closes_leaves_an_empty_book_and_a_snapshot_says_so() -> None:
    day = Day(8)
    markets = day.venue.markets()
    recorder = Recorder(day)
    recorder.send(1, "subscribe", channels=["orderbook_delta", "market_lifecycle_v2"], market_tickers=list(markets))
    recorder.live(400)
    assert recorder.equal(markets) > 8
    day.venue.machine.skip(HOUR_NS)
    recorder.live(100)
    reads = day.venue.engine.reads
    over = tuple(m for m in markets if reads.market(m).status not in (MarketStatus.ACTIVE, MarketStatus.INACTIVE))
    assert len(over) >= 5  # a quarter of an hour is all that the shortest live
    assert recorder.equal(over) == 0
    recorder.equal(markets)
    assert recorder.engine.counts.by_type["orderbook_snapshot"] == len(markets) + len(over)
    assert set(day.venue.markets()) > set(markets)
