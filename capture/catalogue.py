"""What is asked of the exchange about markets, events and series, and what of the answers matters here.

Knows the endpoints that find things. Must not know why they are asked for. Every answer goes onto the tape by itself;
what this returns is only what decides what to record and what to ask next.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from capture.api import Api
from capture.roster import Listed
from capture.selection import is_combo
from core.answers import Market
from core.errors import ExchangeError

PAGE: Final = 1_000
"""Markets asked for at once: the most there may be (protocol 12.2)."""

_NOT_FOUND: Final = 404


class Catalogue:
    """Listings by REST. Every method raises ExchangeError when there was no answer, AuthError if the key is refused."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def market(self, ticker: str) -> Listed | None:
        """A market, also one so old that it has moved to the archive; None when there is none of that name."""
        try:
            return listed_of(self._api.market(ticker))
        except ExchangeError as error:
            if error.status != _NOT_FOUND:
                raise
        try:
            return listed_of(self._api.historical_market(ticker))
        except ExchangeError as error:
            if error.status != _NOT_FOUND:
                raise
        return None

    def markets(self, tickers: Sequence[str]) -> tuple[Listed, ...]:
        """Those of these markets that the exchange lists."""
        return tuple(map(listed_of, self._api.markets(tickers=tuple(tickers), limit=PAGE)))

    def list_markets(
        self, *, series: str = "", event: str = "", status: str = "", created_since_s: int = 0, combos: bool = False
    ) -> Iterator[Listed]:
        """The markets that fit, page by page. created_since_s: Unix seconds, 0 = whenever."""
        markets = self._api.markets(
            series=series,
            event=event,
            status=status,
            min_created_s=max(created_since_s, 0),
            mve_filter="" if combos else "exclude",
            limit=PAGE,
        )
        return map(listed_of, markets)

    def series_of_event(self, ticker: str) -> str | None:
        """The series of an event, "" when it does not say; None when there is no such event."""
        try:
            return self._api.event(ticker).series_ticker
        except ExchangeError as error:
            if error.status != _NOT_FOUND:
                raise
        return None

    def events(self, tickers: Sequence[str]) -> dict[str, str]:
        """Those of these events that the exchange lists, with the series of each."""
        return {event.event_ticker: event.series_ticker for event in self._api.events(tickers=tuple(tickers))}

    def has_series(self, ticker: str) -> bool:
        """Whether there is such a series."""
        try:
            self._api.series(ticker)
        except ExchangeError as error:
            if error.status != _NOT_FOUND:
                raise
            return False
        return True

    def ask_fees(self, series: str) -> None:
        """Have all fee changes of a series on the tape, past and scheduled ones (protocol 12.2).

        Nobody here reads them; an exchange that does not know the question is fine.
        """
        asked = [("series_ticker", series), ("show_historical", "true")]
        try:
            self._api.client.call("GET", "/series/fee_changes", params=asked)
        except ExchangeError as error:
            if error.status != _NOT_FOUND:
                raise


def listed_of(market: Market) -> Listed:
    """What decides about recording a market."""
    return Listed(
        ticker=market.ticker,
        event=market.event_ticker,
        status=market.status,
        open_ns=market.open_ns,
        close_ns=market.close_ns,
        volume_24h=market.volume_24h or 0,
        combo=is_combo(market.ticker) or bool(market.mve_collection_ticker),
    )
