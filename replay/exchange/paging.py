"""The query of a list request, and one page of what it asks for (protocol 12.1, 12.2).

Knows filters by name, event, series, status and time. Must not know objects. A cursor that nobody handed out begins
anew, as the exchange's own does.

What the exchange says to time filters that exclude each other or the status (protocol 12.1) is not known: here all of
them count. So do only those that are numbers. Its words for the ends are "after" and "before", of updates "later than"
and "at or before": the latter are taken for all.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Self

import msgspec

from core.times import SECOND_NS, parse_rfc3339
from replay.exchange.queries import LAST_S, number

COMBOS: Final = "KXMVE"

_MEANS: Final = {
    "unopened": ("initialized",),
    "open": ("active",),
    "paused": ("inactive",),
    "closed": ("closed", "determined", "disputed", "amended"),
    "settled": ("finalized",),
}
"""What the words of the `status` filter mean in bodies (protocol 16.1)."""

MARKET_TIMES: Final = {
    "created": "created_time",
    "close": "close_time",
    "settled": "settlement_ts",
    "updated": "updated_time",
}
"""What the time filters of markets are about, and the member of a Market that says when; events have but two."""

_CURSOR: Final = "after-"


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for; "" and empty = no matter which. limit: objects a page; start: how many came before.

    spans: what each is about, the second after which it begins, and its last one (Unix, 0 = no matter).
    """

    limit: int
    start: int = 0
    tickers: tuple[str, ...] = ()
    event: str = ""
    series: str = ""
    status: str = ""
    combos: str = ""
    nested: bool = False
    spans: tuple[tuple[str, int, int], ...] = ()

    @classmethod
    def of(cls, query: Iterable[tuple[str, str]], *, most: int, usual: int, times: Iterable[str] = ()) -> Self | None:
        """None when the limit is no number from 0 to `most`. times: what spans can be about."""
        asked = dict(query)
        limit = number(asked.get("limit", "") or str(usual), most)
        if limit is None:
            return None
        return cls(
            limit=limit or usual,
            start=number(asked.get("cursor", "").removeprefix(_CURSOR), 10**9) or 0,
            tickers=tuple(filter(None, asked.get("tickers", "").split(","))),
            event=asked.get("event_ticker", ""),
            series=asked.get("series_ticker", ""),
            status=asked.get("status", ""),
            combos=asked.get("mve_filter", ""),
            nested=asked.get("with_nested_markets") == "true",
            spans=tuple(_spans(asked, times)),
        )

    def takes(self, ticker: str, *, event: str, series: str, statuses: Sequence[str]) -> bool:
        """Whether an object with these is asked for; one of its statuses is enough."""
        if (self.tickers and ticker not in self.tickers) or self.event not in ("", event):
            return False
        if self.series not in ("", series) or (self.combos and (self.combos == "only") != ticker.startswith(COMBOS)):
            return False
        return not self.status or any(status in _MEANS.get(self.status, ()) for status in statuses)

    def within(self, times: Callable[[str], Iterable[str]]) -> bool:
        """Whether an object lies in every span. times: its instants by what they are about, RFC 3339, "" = never;
        one that lies in the span is enough."""
        return all(any(_between(text, since, until) for text in times(about)) for about, since, until in self.spans)

    def page(self, found: Sequence[str]) -> tuple[Sequence[str], str]:
        """The part of what was found that belongs on this page, and the next page's cursor, "" = there is none."""
        end = self.start + self.limit
        return found[self.start : end], f"{_CURSOR}{end}" if end < len(found) else ""


def _between(text: str, since_s: int, until_s: int) -> bool:
    try:
        at_ns = parse_rfc3339(text)
    except ValueError:
        return False
    return at_ns > since_s * SECOND_NS and (not until_s or at_ns <= until_s * SECOND_NS)


def _spans(asked: Mapping[str, str], times: Iterable[str]) -> Iterator[tuple[str, int, int]]:
    for about in times:
        since_s, until_s = (number(asked.get(f"{end}_{about}_ts", ""), LAST_S) or 0 for end in ("min", "max"))
        if since_s or until_s:
            yield about, since_s, until_s
