"""Which markets are to be subscribed now, and which are to be followed until their result is on the tape.

Knows when a market's life begins and ends for a recorder. Must not know where news of it comes from, nor the clock: it
is told the time (Unix ns, the wall clock's, for it is compared with opening times that the exchange names).
"""

from dataclasses import dataclass
from typing import Final

import msgspec

from capture.selection import Selection
from core.messages.types import MarketLifecycle
from core.times import SECOND_NS

LEAD_NS: Final = 5 * SECOND_NS
"""How long before its opening a market is subscribed, so that the first order in it is on the tape."""

LINGER_NS: Final = 600 * SECOND_NS
"""How long a settled market stays subscribed: positions and corrections still come (protocol 16.1)."""

MAX_MARKETS: Final = 200_000
"""Markets known at once. A session may subscribe 500,000 (protocol 11); memory for this many is about 100 MB."""

FINAL: Final = "finalized"
"""The status after which nothing of a market changes any more."""


class Listed(msgspec.Struct, frozen=True):
    """What a listing says of a market. open_ns, close_ns: Unix ns, 0 = not said. volume_24h: 1/100 contract."""

    ticker: str
    event: str = ""
    status: str = ""
    open_ns: int = 0
    close_ns: int = 0
    volume_24h: int = 0
    combo: bool = False

    @property
    def is_final(self) -> bool:
        """True when it is settled and paid: nothing more comes."""
        return self.status == FINAL


@dataclass(slots=True)
class _Known:
    event: str
    open_ns: int
    close_ns: int
    is_chosen: bool
    ended_ns: int = 0  # settled by a message or finalized by REST; 0 = not yet
    is_final: bool = False  # its finalized Market is on the tape


class Roster:
    """The markets we have to do with. refused: how many were not taken because there are too many."""

    def __init__(self, selection: Selection) -> None:
        self.refused = 0
        self._selection = selection
        self._known: dict[str, _Known] = {}

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, ticker: object) -> bool:
        return ticker in self._known

    def saw(self, listed: Listed, now_ns: int, *, series: str = "") -> bool:
        """Take note of a market that REST told of; True when it is new here. `series`: its series, "" = not known."""
        known = self._known.get(listed.ticker)
        if known is None:
            if listed.is_final or not self._covers(listed, series):
                return False
            known = self._admit(listed.ticker, listed.event)
            if known is None:
                return False
            is_new = True
        else:
            is_new = False
            known.is_chosen = known.is_chosen or self._covers(listed, series)
        known.event = listed.event or known.event
        known.open_ns = listed.open_ns or known.open_ns
        known.close_ns = listed.close_ns or known.close_ns
        if listed.is_final:
            known.is_final = True
            known.ended_ns = known.ended_ns or now_ns
        return is_new

    def heard(self, message: MarketLifecycle, now_ns: int) -> bool:
        """Take note of a lifecycle message; True when its market is new here."""
        known, is_new = self._known.get(message.market), False
        if known is None:
            if message.event not in ("created", "activated") or not self._selection.covers(
                message.market, message.event_ticker
            ):
                return False
            known = self._admit(message.market, message.event_ticker)
            if known is None:
                return False
            is_new = True
        known.event = message.event_ticker or known.event
        known.open_ns = message.open_ns or known.open_ns
        known.close_ns = message.close_ns or known.close_ns
        if message.settled_ns or message.event == "settled":
            known.ended_ns = known.ended_ns or now_ns
        return is_new

    def follow(self, ticker: str) -> None:
        """A market of an earlier session whose result is not on the tape; it is not subscribed for that alone."""
        if ticker not in self._known and len(self._known) < MAX_MARKETS:
            self._known[ticker] = _Known("", 0, 0, is_chosen=False)

    def drop(self, ticker: str) -> None:
        """The exchange does not know it any more."""
        self._known.pop(ticker, None)

    def prune(self, now_ns: int) -> tuple[str, ...]:
        """Forget the markets with which nothing is left to do; which ones, sorted."""
        over = sorted(
            ticker for ticker, known in self._known.items() if known.is_final and not _is_wanted(known, now_ns)
        )
        for ticker in over:
            del self._known[ticker]
        return tuple(over)

    def wanted(self, now_ns: int) -> tuple[str, ...]:
        """The markets to be subscribed now, sorted."""
        return tuple(sorted(ticker for ticker, known in self._known.items() if _is_wanted(known, now_ns)))

    def followed(self) -> tuple[str, ...]:
        """The markets whose finalized Market is not on the tape yet, sorted."""
        return tuple(sorted(ticker for ticker, known in self._known.items() if not known.is_final))

    def event_of(self, ticker: str) -> str:
        """The event of a known market, "" when it is not known."""
        known = self._known.get(ticker)
        return "" if known is None else known.event

    def events(self) -> tuple[str, ...]:
        """The events of the known markets, sorted."""
        return tuple(sorted({known.event for known in self._known.values() if known.event}))

    def _covers(self, listed: Listed, series: str) -> bool:
        selection = self._selection
        if listed.combo and not selection.combos and listed.ticker not in selection.markets:
            return False
        return selection.covers(listed.ticker, listed.event, series)

    def _admit(self, ticker: str, event: str) -> _Known | None:
        if len(self._known) >= MAX_MARKETS:
            self.refused += 1
            return None
        known = self._known[ticker] = _Known(event, 0, 0, is_chosen=True)
        return known


def _is_wanted(known: _Known, now_ns: int) -> bool:
    if not known.is_chosen or now_ns < known.open_ns - LEAD_NS:
        return False
    return not known.ended_ns or now_ns < known.ended_ns + LINGER_NS
