"""The exchange's market data by REST, an endpoint a method (protocol 12): paths and parameters in, values out.

Knows the paths. Must not know pacing, retries or records: that is `capture.rest`. Every method raises ExchangeError if
there is no usable answer (404 as its status when there is no such thing) and AuthError when the key is refused.
"""

from collections.abc import Iterator
from typing import Final

from capture.paging import parsed, query, walk
from capture.rest import RestClient, quoted
from core.answers import (
    BookAnswer,
    Costs,
    Event,
    ExchangeStatus,
    Limits,
    Market,
    PublicTrade,
    Schedule,
    Series,
    parse_costs,
    parse_event,
    parse_events,
    parse_limits,
    parse_market,
    parse_markets,
    parse_orderbook,
    parse_orderbooks,
    parse_schedule,
    parse_series,
    parse_status,
    parse_trades,
)
from core.messages.types import Malformed

TICKERS_AT_ONCE: Final = 100
"""Tickers in one request: a URL of 3 kB, which every proxy on the way takes."""

_LISTED: Final = 1_000  # most markets and trades a page
_EVENTS: Final = 200  # most events a page


class Api:
    """Market data and the exchange itself."""

    def __init__(self, client: RestClient) -> None:
        self.client = client

    def status(self, why: str = "") -> ExchangeStatus:
        """Is the exchange open. One that is not may say so with an error's status, and that is an answer."""
        path = "/exchange/status"
        return parsed(path, parse_status(self.client.call("GET", path, also=_tells_status, why=why)))

    def schedule(self, why: str = "") -> Schedule:
        """When it means to be."""
        path = "/exchange/schedule"
        return parsed(path, parse_schedule(self.client.call("GET", path, why=why)))

    def limits(self, why: str = "") -> Limits:
        """The account's request budgets; the client keeps to them from now on."""
        path = "/account/limits"
        found = parsed(path, parse_limits(self.client.call("GET", path, why=why)))
        self.client.buckets.learn_limits(found)
        return found

    def costs(self, why: str = "") -> Costs:
        """What requests cost; the client reckons with it from now on."""
        path = "/account/endpoint_costs"
        found = parsed(path, parse_costs(self.client.call("GET", path, why=why)))
        self.client.buckets.learn_costs(found)
        return found

    def market(self, ticker: str, why: str = "") -> Market:
        """One market."""
        return self._market(f"/markets/{quoted(ticker)}", why)

    def historical_market(self, ticker: str, why: str = "") -> Market:
        """One market that has moved to the archive."""
        return self._market(f"/historical/markets/{quoted(ticker)}", why)

    def markets(
        self,
        *,
        tickers: tuple[str, ...] = (),
        series: str = "",
        event: str = "",
        status: str = "",
        min_created_s: int = 0,
        mve_filter: str = "",
        limit: int = _LISTED,
        why: str = "",
    ) -> Iterator[Market]:
        """Markets that fit, over all pages. status: a filter's word (open, closed ...). mve_filter: exclude or only."""
        chosen = query(
            series_ticker=series,
            event_ticker=event,
            status=status,
            min_created_ts=min_created_s,
            mve_filter=mve_filter,
            limit=limit,
        )
        for first in range(0, max(len(tickers), 1), TICKERS_AT_ONCE):
            named = query(tickers=tickers[first : first + TICKERS_AT_ONCE])
            yield from walk(self.client, "/markets", [*named, *chosen], parse_markets, why)

    def orderbook(self, ticker: str, depth: int = 0, why: str = "") -> BookAnswer:
        """A market's book; depth 0 = all of it. It may be older than what the WebSocket says (protocol 9.6)."""
        path = f"/markets/{quoted(ticker)}/orderbook"
        return parsed(path, parse_orderbook(self.client.call("GET", path, params=query(depth=depth), why=why)))

    def orderbooks(self, tickers: tuple[str, ...], why: str = "") -> Iterator[tuple[str, BookAnswer]]:
        """The whole books of many markets, with the market of each."""
        path = "/markets/orderbooks"
        for first in range(0, len(tickers), TICKERS_AT_ONCE):
            named = [("tickers", ticker) for ticker in tickers[first : first + TICKERS_AT_ONCE]]
            yield from parsed(path, parse_orderbooks(self.client.call("GET", path, params=named, why=why)))

    def trades(self, ticker: str = "", *, min_s: int = 0, max_s: int = 0, why: str = "") -> Iterator[PublicTrade]:
        """Public trades, newest first. min_s, max_s: Unix seconds, 0 = no limit."""
        chosen = query(ticker=ticker, min_ts=min_s, max_ts=max_s, limit=_LISTED)
        return walk(self.client, "/markets/trades", chosen, parse_trades, why)

    def event(self, ticker: str, *, nested: bool = False, why: str = "") -> Event:
        """One event; nested: with its markets."""
        path = f"/events/{quoted(ticker)}"
        body = self.client.call("GET", path, params=query(with_nested_markets=nested), why=why)
        return parsed(path, parse_event(body))

    def events(
        self, *, tickers: tuple[str, ...] = (), series: str = "", status: str = "", nested: bool = False, why: str = ""
    ) -> Iterator[Event]:
        """Events that fit, over all pages; combos are never among them. tickers: () = whichever."""
        chosen = query(tickers=tickers, series_ticker=series, status=status, with_nested_markets=nested, limit=_EVENTS)
        return walk(self.client, "/events", chosen, parse_events, why)

    def series(self, ticker: str, why: str = "") -> Series:
        """One series."""
        path = f"/series/{quoted(ticker)}"
        return parsed(path, parse_series(self.client.call("GET", path, why=why)))

    def _market(self, path: str, why: str) -> Market:
        return parsed(path, parse_market(self.client.call("GET", path, why=why)))


def _tells_status(body: bytes) -> bool:
    return not isinstance(parse_status(body), Malformed)
