"""A tiny venue for tests: a few markets whose books a script changes, and REST answers from a table.

Knows the port only. What it publishes is valid in the current dialect.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from replay.exchange.port import (
    BOOK,
    LIFECYCLE,
    TICKER,
    TRADE,
    Audience,
    Publication,
    RestAnswer,
    RestRequest,
    Template,
)

MARKETS: Final = ("KXTEST-26NOV23-T50", "KXTEST-26NOV23-T60", "KXTEST-26NOV23-T70")
NOW_MS: Final = 1_795_435_201_502


def market_id(market: str) -> str:
    """The uuid of a market."""
    return f"0b9f6a52-6c1e-4d53-9a0e-{sum(market.encode()):012d}"


def _template(kind: str, msg: Mapping[str, Any], *, numbered: bool = True) -> Template:
    before = f'{{"type":"{kind}","sid":'.encode()
    after = b',"msg":%b}\n' % msgspec.json.encode(msg)
    return Template(before, b',"seq":' if numbered else None, after)


def delta(market: str, clock: int, price: str = "0.4200", size: str = "1.00", side: str = "yes") -> Publication:
    """A book change."""
    msg = {
        "market_ticker": market,
        "market_id": market_id(market),
        "clock": clock,
        "price_dollars": price,
        "delta_fp": size,
        "side": side,
        "ts_ms": NOW_MS + clock,
    }
    return Publication(channel=BOOK, market=market, template=_template("orderbook_delta", msg))


def trade(market: str, number: int) -> Publication:
    """A public trade."""
    msg = {
        "trade_id": f"c0ffee00-1111-4222-8333-{number:012d}",
        "market_ticker": market,
        "yes_price_dollars": "0.4200",
        "no_price_dollars": "0.5800",
        "count_fp": "2.00",
        "taker_side": "no",
        "taker_outcome_side": "no",
        "taker_book_side": "ask",
        "is_block_trade": False,
        "ts": NOW_MS // 1_000,
        "ts_ms": NOW_MS,
    }
    return Publication(channel=TRADE, market=market, template=_template("trade", msg))


def lifecycle(market: str) -> Publication:
    """A market was deactivated; goes to everybody on the channel."""
    msg = {"market_ticker": market, "is_deactivated": True, "event_type": "deactivated"}
    return Publication(channel=LIFECYCLE, market="", template=_template("market_lifecycle_v2", msg))


def ticker_template(market: str) -> Template:
    """The latest ticker of a market."""
    msg = {
        "market_ticker": market,
        "market_id": market_id(market),
        "price_dollars": "0.4300",
        "yes_bid_dollars": "0.4200",
        "yes_ask_dollars": "0.4400",
        "yes_bid_size_fp": "11.50",
        "yes_ask_size_fp": "22.00",
        "last_trade_size_fp": "2.00",
        "volume_fp": "33896.00",
        "open_interest_fp": "20422.00",
        "dollar_volume": 16_948,
        "dollar_open_interest": 10_211,
        "ts": NOW_MS // 1_000,
        "ts_ms": NOW_MS,
        "time": "2026-11-23T12:00:01.502Z",
    }
    return _template("ticker", msg, numbered=False)


def ticker(market: str) -> Publication:
    """The same as a publication."""
    return Publication(channel=TICKER, market=market, template=ticker_template(market))


Script = Callable[["ScriptedVenue", Audience], Awaitable[None]]


class ScriptedVenue:
    """Publishes what it is told: by `say` from any thread through `LocalExchange.control("publish", ...)`, or by a
    script that runs as `play`. The book of each market is one yes level whose size `deltas` add to, in 1/100.
    """

    def __init__(self, markets: Sequence[str] = MARKETS, script: Script | None = None) -> None:
        self._markets = tuple(sorted(markets))
        self._script = script
        self._audience: Audience | None = None
        self.sizes = dict.fromkeys(self._markets, 1_000)
        self.clock = 0
        self.answers: dict[tuple[str, str], RestAnswer] = {}
        self.requests: list[RestRequest] = []

    async def play(self, audience: Audience) -> None:
        """Run the script, or wait for controls for ever."""
        self._audience = audience
        if self._script is None:
            await asyncio.Event().wait()
        else:
            await self._script(self, audience)

    def change(self, market: str, size: int = 100) -> Publication:
        """Add to the yes level at 0.42 (sizes in 1/100 contract), and the frame that tells of it."""
        self.clock += 1
        self.sizes[market] += size
        return delta(market, self.clock, size=f"{size / 100:.2f}")

    def markets(self) -> tuple[str, ...]:
        """Every market, sorted."""
        return self._markets

    def snapshot(self, market: str, *, yes_price: bool) -> Template | None:  # noqa: ARG002  # no no-side levels
        """The one level, or None for an unknown market."""
        if market not in self.sizes:
            return None
        levels = [["0.4200", f"{self.sizes[market] / 100:.2f}"]]
        msg = {"market_ticker": market, "market_id": market_id(market), "clock": self.clock, "yes_dollars_fp": levels}
        return _template("orderbook_snapshot", msg)

    def ticker(self, market: str) -> Template | None:
        """The latest ticker."""
        return ticker_template(market) if market in self.sizes else None

    def market_of(self, market_id_: str) -> str:
        """By uuid."""
        return next((market for market in self._markets if market_id(market) == market_id_), "")

    def rest(self, request: RestRequest) -> RestAnswer:
        """What `answers` holds for method and path, else 404."""
        self.requests.append(request)
        missing = RestAnswer(404, b'{"error":{"code":"not_found","message":"not found"}}')
        return self.answers.get((request.method, request.path), missing)

    @property
    def controls(self) -> Mapping[str, Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]]:
        """publish: kind (delta, trade, ticker, lifecycle), market, count. disconnect: code. subscriptions."""
        return {"publish": self._publish, "disconnect": self._disconnect, "subscriptions": self._subscriptions}

    async def _publish(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        assert self._audience is not None
        market = str(arguments.get("market", self._markets[0]))
        for number in range(int(arguments.get("count", 1))):
            match arguments.get("kind", "delta"):
                case "delta":
                    self._audience.publish(self.change(market))
                case "trade":
                    self._audience.publish(trade(market, number))
                case "ticker":
                    self._audience.publish(ticker(market))
                case "lifecycle":
                    self._audience.publish(lifecycle(market))
                case other:
                    raise ValueError(f"cannot publish a {other}")
            if arguments.get("paced"):
                await self._audience.drained()
        return {"clock": self.clock}

    async def _disconnect(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        assert self._audience is not None
        self._audience.disconnect_all(int(arguments.get("code", 0)), str(arguments.get("reason", "")))
        return {}

    async def _subscriptions(self, _arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        assert self._audience is not None
        return {"subscriptions": self._audience.subscriptions}
