"""One market as a scanner sees it: figures that come from the WebSocket or from REST, and pass from one to the other.

Knows when which source counts, and that a change of source is no event: figures are replaced only by a complete reading
of the other source and held until then, volume is the exchange's own total whoever tells it, and activity only fades.
Must not know other markets, nor what is done with the figures.
"""

from enum import StrEnum
from typing import Final

import msgspec

from core.answers.types import Market
from core.messages.types import Level
from core.money import DOLLAR
from core.times import SECOND_NS
from core.views import RestBook
from core.window import Window
from strategies.ranking import WHOLE, Figures

LEVELS: Final = 5
"""Levels of each side that make the depth."""

ACTIVITY_NS: Final = 60 * SECOND_NS
"""How slowly activity fades: after so long about a third is left."""

STEADY_NS: Final = 2 * SECOND_NS
"""How long WebSocket data must have been well before REST is left for it, so that a shaky one does not alternate."""


class Source(StrEnum):
    """Where a market's figures are from."""

    NONE = ""
    WEBSOCKET = "ws"
    REST = "rest"


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """A market for others to read. rank: from 1, 0 = not selected; score: -1 = not ranked, and `why` says why.

    flaw: what keeps it from WebSocket data, "" = nothing. age_ns: of the figures. Else see Figures.
    """

    market: str
    rank: int
    score: int
    why: str
    source: Source
    flaw: str
    age_ns: int
    bid: int | None
    ask: int | None
    spread: int | None
    depth: int
    volume: int
    activity: int


class Sight:
    """What is known of one market. look: once a second. read_ns: when its figures were last known to hold, 0 = never.

    added_ns: since when it is watched. next_rest_ns: when REST may be asked about it again. fit_ns, score: when whoever
    ranks it found it fit last, and its score then.
    """

    __slots__ = (
        "_base", "_counted_ns", "_looked_ns", "_total", "_well_ns", "activity", "added_ns", "ask", "bid", "depth",
        "fit_ns", "flaw", "market", "next_rest_ns", "read_ns", "score", "source",
    )  # fmt: skip

    def __init__(self, market: str, now_ns: int) -> None:
        self.market = market
        self.added_ns = self._looked_ns = now_ns
        self.next_rest_ns = now_ns
        self.source = Source.NONE
        self.flaw = ""
        self.bid: int | None = None
        self.ask: int | None = None
        self.depth = 0
        self.activity = 0
        self.read_ns = self.fit_ns = self.score = 0
        self._well_ns = 0
        self._counted_ns = max(now_ns - ACTIVITY_NS, 0)
        self._total = 0
        self._base = 0

    @property
    def needs_rest(self) -> bool:
        """Whether its WebSocket data cannot be used now."""
        return self.flaw != ""

    def look(self, window: Window, listed: Market | None, flaw: str, now_ns: int) -> None:
        """Take in what is known now. flaw: what is wrong with the WebSocket data, "" = nothing."""
        elapsed_ns = min(now_ns - self._looked_ns, ACTIVITY_NS)
        self.activity -= -(-self.activity * elapsed_ns // ACTIVITY_NS)
        self._looked_ns = now_ns
        self.flaw = flaw
        if flaw:
            self._well_ns = 0
        else:
            self._well_ns = self._well_ns or now_ns
        traded = self._volume(window, listed)
        if not flaw and (self.source is not Source.REST or now_ns - self._well_ns >= STEADY_NS):
            self._socket(window, now_ns)
        else:
            self._rest(window.rest, has_traded=traded and self.source is Source.REST)
        self._counted_ns = now_ns

    def figures(self, close_ns: int, now_ns: int) -> Figures:
        """What it is judged by; close_ns 0 = not known."""
        return Figures(
            bid=self.bid, ask=self.ask, depth=self.depth, volume=self.volume, activity=self.activity,
            left_ns=max(close_ns - now_ns, 1) if close_ns else 0,
        )  # fmt: skip

    @property
    def volume(self) -> int:
        """Contracts (1/100) traded in about a day: as listed last, and what was traded since."""
        return max(self._total + self._base, 0)

    def _socket(self, window: Window, now_ns: int) -> None:
        self.source = Source.WEBSOCKET
        self.bid, self.ask = window.bid, window.ask
        self.depth = _depth(*window.depth(LEVELS))
        if window.heard_ns > self._counted_ns:
            moves = sum(point.now_ns > self._counted_ns for point in window.prices)
            trades = sum(trade.now_ns > self._counted_ns for trade in window.trades)
            self.activity += (moves + trades) * WHOLE
        self.read_ns = now_ns

    def _rest(self, book: RestBook | None, *, has_traded: bool) -> None:
        """A book that REST answered counts once, and only if it is newer than what is known."""
        if book is not None and book.now_ns > self.read_ns:
            before = self.bid, self.ask
            yes, no = book.yes[::-1][:LEVELS], book.no[::-1][:LEVELS]
            self.bid = yes[0][0] if yes else None
            self.ask = DOLLAR - no[0][0] if no else None
            self.depth = _depth(yes, no)
            if self.source is not Source.NONE and before != (self.bid, self.ask):
                self.activity += WHOLE
            self.source, self.read_ns = Source.REST, book.now_ns
        if has_traded:
            self.activity += WHOLE

    def _volume(self, window: Window, listed: Market | None) -> bool:
        """The total never falls, so that a cached listing takes nothing back; whether it has grown."""
        ticker, before = window.ticker, self._total
        told = (ticker and ticker.volume, listed and listed.volume, window.traded_size)
        self._total = max(before, *(volume or 0 for volume in told))
        if listed is not None and listed.volume is not None and listed.volume_24h is not None:
            self._base = listed.volume_24h - listed.volume
        return self._total > before


def _depth(bids: tuple[Level, ...], offers: tuple[Level, ...]) -> int:
    """Contracts of the side that has fewer."""
    return min(sum(size for _, size in bids), sum(size for _, size in offers))
