"""Which markets there are: the exchange's listings walked page by page, over and over, and what to keep of them.

Knows filters, pages and cursors. Must not know who asks, or anything of a market but that it is listed. A walk that
fails goes on where it was; what was found counts only when the whole walk is done.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from core.answers.types import Market, Page
from strategies.enquiries import Request, Value

LISTING: Final = "listing"
"""The purpose of a request for a page."""

PAGE: Final = 1_000
"""Markets a page: the most the exchange gives (protocol 12.2)."""

MAX_PAGES: Final = 100
"""Pages of one query: a garbage cursor restarts a listing silently (protocol 12.2), so a walk must end by itself."""

TICKERS_A_QUERY: Final = 100
"""Tickers named in one query: the longest seen have 60 characters, and longer addresses are refused here and there."""

MAX_FOUND: Final = 65_536
"""Markets noted in a walk; the exchange had a third of that open at once."""


class Walk:
    """One look at everything that the filters let through. found: by ticker, how much was traded in a day.

    begun_ns: when; a market met later by other ways may not be in it.
    """

    __slots__ = ("_cursors", "_queries", "begun_ns", "found", "is_whole")

    def __init__(self, queries: list[tuple[tuple[str, Value], ...]], now_ns: int) -> None:
        self._queries = queries
        self._cursors: dict[str, None] = {"": None}
        self.begun_ns = now_ns
        self.found: dict[str, int] = {}
        self.is_whole = True

    @property
    def is_done(self) -> bool:
        """Whether every page was seen."""
        return not self._queries

    def request(self) -> Request:
        """The next page to ask for."""
        cursor = next(reversed(self._cursors))
        return Request(LISTING, "/markets", (*self._queries[0], ("limit", PAGE), ("cursor", cursor)))

    def take(self, page: Page[Market]) -> None:
        """The page came."""
        for market in page.items:
            if market.ticker in self.found or len(self.found) < MAX_FOUND:
                self.found[market.ticker] = market.volume_24h or market.volume or 0
            else:
                self.is_whole = False
        if page.refused:
            self.is_whole = False  # what could not be read is not gone
        if page.cursor and page.cursor not in self._cursors and len(self._cursors) < MAX_PAGES:
            self._cursors[page.cursor] = None
            return
        if page.cursor:
            self.is_whole = False
        self._queries.pop(0)
        self._cursors = {"": None}


def queries(
    series: tuple[str, ...], events: tuple[str, ...], markets: tuple[str, ...], status: str
) -> list[tuple[tuple[str, Value], ...]]:
    """What to ask for to see every market of these series, events and names; of none of them: everything but combos."""
    found: list[tuple[tuple[str, Value], ...]] = []
    found += [(("series_ticker", name), ("status", status)) for name in series]
    found += [(("event_ticker", name), ("status", status)) for name in events]
    found += [(("tickers", ",".join(part)), ("status", status)) for part in parts(markets, TICKERS_A_QUERY)]
    return found or [(("mve_filter", "exclude"), ("status", status))]


def parts(names: tuple[str, ...], size: int) -> Iterator[tuple[str, ...]]:
    """The names in lots of at most so many."""
    return (names[at : at + size] for at in range(0, len(names), size))


def best_traded(found: Mapping[str, int], kept: Mapping[str, bool], most: int) -> tuple[str, ...]:
    """At most so many of the markets found, in order of name: those that trade most.

    kept: those that are watched already, True = selected or held. These stay; a watched one makes room only for what
    trades more than twice as much, so that markets near the limit do not come and go.
    """
    ranked = sorted(
        (not kept.get(name, False), -(volume << (name in kept)), name not in kept, name)
        for name, volume in found.items()
    )
    return tuple(sorted(entry[-1] for entry in ranked[:most]))
