"""cryptofeed: `feed.py prepare|playback PLACE STRATEGY`.

Plays a capture in its own format (pcap.zst), which `prepare` wrote with its own recorder's classes, through a feed
written for Kalshi as its exchanges are: decoded by its `_json` (msgspec), Decimal prices, its order book in C. Reading
the capture belongs to the playback and is timed. What the feed writes to its book is what a delta says.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, cast

from cryptofeed import _json as fast_json
from cryptofeed.capture import pcap
from cryptofeed.capture.playback import playback_async
from cryptofeed.connection import WebsocketEndpoint
from cryptofeed.defines import BUY, L2_BOOK, SELL, TICKER, TRADES
from cryptofeed.feed import Feed
from cryptofeed.symbols import Symbols
from cryptofeed.types import OrderBook, Ticker, Trade

from benchmarks.job import EVERY, Clock, Seen, report

ID: Final = "KALSHI"
ADDRESS: Final = "wss://example.invalid/ws"
CHANNELS: Final = {L2_BOOK: "orderbook_delta", TRADES: "trade", TICKER: "ticker"}
CENTS: Final = Decimal("0.02")
ONE: Final = Decimal(1)

Handler = Callable[[Any, float], Awaitable[None]]


class Kalshi(Feed):  # type: ignore[misc]  # its base is of a package that mypy does not see
    """The feed."""

    id = ID
    websocket_endpoints: Final = [WebsocketEndpoint(ADDRESS)]
    rest_endpoints: Final[list[Any]] = []
    websocket_channels = CHANNELS

    async def subscribe(self, connection: Any) -> None:
        """The capture goes on by itself."""
        del connection

    async def message_handler(self, msg: str, conn: Any, timestamp: float) -> None:
        """One frame."""
        del conn
        frame = fast_json.loads(msg)
        kind, body = frame["type"], frame["msg"]
        if kind == "orderbook_delta":
            await self._delta(body, timestamp)
        elif kind == "orderbook_snapshot":
            await self._snapshot(body, timestamp)
        elif kind == "trade":
            side = BUY if body["taker_side"] == "yes" else SELL
            amount, price = Decimal(body["count_fp"]), Decimal(body["yes_price_dollars"])
            trade = Trade(ID, body["market_ticker"], side, amount, price, timestamp, raw=frame)
            await self.callback(TRADES, trade, timestamp)
        elif kind == "ticker":
            bid, ask = Decimal(body["yes_bid_dollars"]), Decimal(body["yes_ask_dollars"])
            await self.callback(TICKER, Ticker(ID, body["market_ticker"], bid, ask, timestamp, raw=frame), timestamp)

    async def _delta(self, body: dict[str, Any], timestamp: float) -> None:
        book = self._book(body["market_ticker"])
        price = Decimal(body["price_dollars"])
        if body["side"] == "yes":
            side = book.book.bids
        else:
            side, price = book.book.asks, ONE - price
        size = Decimal(body["delta_fp"])
        if price in side:
            size += side[price]
        if size:
            side[price] = size
        elif price in side:
            del side[price]
        await self.book_callback(L2_BOOK, book, timestamp)

    async def _snapshot(self, body: dict[str, Any], timestamp: float) -> None:
        symbol = body["market_ticker"]
        book = self._l2_book[symbol] = OrderBook(ID, symbol, max_depth=self.max_depth)
        book.book.bids = {Decimal(price): Decimal(size) for price, size in body.get("yes_dollars_fp", ())}
        book.book.asks = {ONE - Decimal(price): Decimal(size) for price, size in body.get("no_dollars_fp", ())}
        await self.book_callback(L2_BOOK, book, timestamp)

    def _book(self, symbol: str) -> Any:
        book = self._l2_book.get(symbol)
        if book is None:
            book = self._l2_book[symbol] = OrderBook(ID, symbol, max_depth=self.max_depth)
        return book


class Watch:
    """Both strategies of the comparison, as callbacks."""

    def __init__(self) -> None:
        self.books = self.tight = self.trades = self.tickers = self.changes = 0
        self.bids = self.volume = self.top_bids = Decimal(0)
        self._tops: dict[str, Any] = {}

    async def on_book(self, book: Any, receipt: float) -> None:
        """EVERY."""
        del receipt
        bids, asks = book.book.bids, book.book.asks
        self.books += 1
        if len(bids):
            bid = bids.index(0)[0]
            self.bids += bid
            if len(asks) and asks.index(0)[0] - bid <= CENTS:
                self.tight += 1

    async def on_top(self, book: Any, receipt: float) -> None:
        """TOP: nobody but the callback knows whether it has changed."""
        del receipt
        bids, asks = book.book.bids, book.book.asks
        top = bids.index(0) if len(bids) else None, asks.index(0) if len(asks) else None
        if self._tops.get(book.symbol) != top:
            self._tops[book.symbol] = top
            self.changes += 1
            if top[0] is not None:
                self.top_bids += top[0][0]

    async def on_trade(self, trade: Any, receipt: float) -> None:
        """EVERY."""
        del receipt
        self.trades += 1
        self.volume += trade.amount

    async def on_ticker(self, ticker: Any, receipt: float) -> None:
        """EVERY."""
        del ticker, receipt
        self.tickers += 1

    def seen(self) -> Seen:
        """In the units of the job."""
        bids, volume, top_bids = int(self.bids * 10_000), int(self.volume * 100), int(self.top_bids * 10_000)
        return Seen(self.books, bids, self.tight, self.trades, volume, self.tickers, self.changes, top_bids)


def subscription(markets: list[str]) -> dict[str, list[str]]:
    """Everything of all markets, by channel of the exchange."""
    return dict.fromkeys(CHANNELS.values(), markets)


def prepare(place: Path, markets: list[str]) -> None:
    """Write the capture, when it is not there: frames a microsecond apart, for only their order counts."""
    out = place / "feed.pcap.zst"
    if out.exists():
        return
    file = pcap.PcapFile(str(out))
    meta = {
        pcap.META_CONN_ID: f"{ID}.ws.1", pcap.META_EXCHANGE: ID, pcap.META_ADDRESS: ADDRESS, pcap.META_ORDINAL: "1",
        pcap.META_SUBSCRIPTION: fast_json.dumps(subscription(markets)),
    }  # fmt: skip
    now_ns = 1_790_000_000 * 10**9
    stream = pcap.WSStream(file, pcap.BASE_CLIENT_PORT, now_ns, ADDRESS, meta)
    with (place / "frames.jsonl").open("rb") as frames:
        for line in frames:
            now_ns += 1_000
            stream.message(now_ns, line)
    stream.close(now_ns + 1)
    file.close()
    names = {name: name for name in markets}
    about = {"feeds": [{"exchange": ID, "symbols_snapshot": {"normalized": names, "info": {}}}], "streams": []}
    (place / "feed.meta.json").write_text(json.dumps(about), encoding="utf-8")


async def play(place: Path, markets: list[str], watch: Watch, *, every: bool) -> Any:
    """All of the capture, as fast as it goes."""
    Symbols.set(ID, {name: name for name in markets}, {})
    handlers: dict[str, Handler] = {L2_BOOK: watch.on_book if every else watch.on_top}
    if every:
        handlers |= {TRADES: watch.on_trade, TICKER: watch.on_ticker}
    feed = Kalshi(subscription=dict.fromkeys(CHANNELS, markets), callbacks=handlers)
    return await playback_async(str(place / "feed.pcap.zst"), feed=feed, on_error="raise")


def main(mode: str, place: Path, strategy: str) -> None:
    """Do one job."""
    about = json.loads((place / "about.json").read_text(encoding="utf-8"))
    markets = cast("list[str]", about["markets"])
    if mode == "prepare":
        prepare(place, markets)
        return
    assert fast_json.BACKEND == "msgspec", "its fast decoder is missing"
    watch, clock = Watch(), Clock()
    clock.time("run", lambda: asyncio.run(play(place, markets, watch, every=strategy == EVERY)))
    report(version("cryptofeed"), about["frames"], clock, watch.seen())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
