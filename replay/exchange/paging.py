"""The query of a list request, and one page of what it asks for (protocol 12.1, 12.2).

Knows filters by name, event, series and status. Must not know objects. A cursor that nobody handed out begins anew,
as the exchange's own does; spans of time: `queries`.
"""

from collections.abc import Iterable, Sequence
from typing import Final, Self

import msgspec

from replay.exchange.queries import number

COMBOS: Final = "KXMVE"

_MEANS: Final = {
    "unopened": ("initialized",),
    "open": ("active",),
    "paused": ("inactive",),
    "closed": ("closed", "determined", "disputed", "amended"),
    "settled": ("finalized",),
}
"""What the words of the `status` filter mean in bodies (protocol 16.1)."""

_CURSOR: Final = "after-"


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for; "" and empty = no matter which. limit: objects a page; start: how many came before."""

    limit: int
    start: int = 0
    tickers: tuple[str, ...] = ()
    event: str = ""
    series: str = ""
    status: str = ""
    combos: str = ""
    nested: bool = False

    @classmethod
    def of(cls, query: Iterable[tuple[str, str]], *, most: int, usual: int) -> Self | None:
        """None when the limit is no number from 0 to `most`."""
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
        )

    def takes(self, ticker: str, *, event: str, series: str, statuses: Sequence[str]) -> bool:
        """Whether an object with these is asked for; one of its statuses is enough."""
        if (self.tickers and ticker not in self.tickers) or self.event not in ("", event):
            return False
        if self.series not in ("", series) or (self.combos and (self.combos == "only") != ticker.startswith(COMBOS)):
            return False
        return not self.status or any(status in _MEANS.get(self.status, ()) for status in statuses)

    def page(self, found: Sequence[str]) -> tuple[Sequence[str], str]:
        """The part of what was found that belongs on this page, and the next page's cursor, "" = there is none."""
        end = self.start + self.limit
        return found[self.start : end], f"{_CURSOR}{end}" if end < len(found) else ""
