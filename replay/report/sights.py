"""What a tape shows of a few markets over time: best prices, trades, whole books, and the regimes somebody tells of.

Knows how to walk a tape once for many markets. Must not know results or charts. Best prices and trades are taken from
the rings that the store keeps, so none between two looks is missed unless more of them came than a ring holds.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

from capture.tape.reader import Tape
from core.lifecycle import Phase
from core.messages.types import Level, Side
from core.rings import RING_CAPACITY
from core.views import PricePoint, RecentTrade
from core.window import Window
from replay.player import Player
from replay.progress import Progress, silent

LOOKS: Final = 1_200
"""How often a market is looked at: once a pixel of a chart as wide as the page."""

BOOKS: Final = 400
"""Of how many looks the whole book is kept: a column of the heat map is three pixels wide."""

DEPTH: Final = 10_000
"""Levels of a side: all of them."""


class Judge(Protocol):
    """Tells a market's regime from what it hears, as `strategies.regime.Detector` does; times never go back."""

    def on_prices(self, now_ns: int, yes_bid: int | None, yes_ask: int | None) -> None: ...
    def on_trade(self, now_ns: int, bought: int) -> None: ...
    def on_heard(self, now_ns: int) -> None: ...
    def on_status(self, now_ns: int, *, trusted: bool, active: bool) -> None: ...
    def at(self, now_ns: int) -> Any: ...


MakeJudge = Callable[[], Judge]


class Wanted(NamedTuple):
    """A market to watch, between two instants (Unix ns)."""

    market: str
    from_ns: int
    until_ns: int


class Book(NamedTuple):
    """A whole book at an instant; bids and offers as (yes price, size), best first."""

    now_ns: int
    is_trusted: bool
    bids: tuple[Level, ...]
    offers: tuple[Level, ...]


@dataclass(slots=True)
class Sight:
    """What was seen of a market. regimes: (since when, name). missed: looks between which a ring overflowed."""

    wanted: Wanted
    prices: list[PricePoint] = field(default_factory=list)
    trades: list[RecentTrade] = field(default_factory=list)
    books: list[Book] = field(default_factory=list)
    regimes: list[tuple[int, str]] = field(default_factory=list)
    missed: int = 0


def watch(
    tape: Tape, wanted: Sequence[Wanted], make_judge: MakeJudge | None = None, progress: Progress = silent
) -> list[Sight]:
    """What the tape shows of these markets, in their order; progress in records. Raises TapeDamaged."""
    watchers = [_Watcher(Sight(one), None if make_judge is None else make_judge()) for one in wanted]
    player = Player(tape, "columns", start="checkpoint")
    for at_ns, number, look in heapq.merge(*(_instants(number, one) for number, one in enumerate(wanted))):
        player.advance(until_ns=at_ns)
        watcher = watchers[number]
        window = player.store.window(watcher.sight.wanted.market, at_ns)
        watcher.look(window, player.engine.connections.alive().get(window.connection, 0), look)
        if look % BOOKS == 0:
            progress(player.position, tape.head_seq + 1)
    return [watcher.sight for watcher in watchers]


def _instants(number: int, wanted: Wanted) -> Iterator[tuple[int, int, int]]:
    span_ns = max(wanted.until_ns - wanted.from_ns, 0)
    for look in range(LOOKS + 1):
        yield wanted.from_ns + span_ns * look // LOOKS, number, look


class _Watcher:
    """Keeps what is new in a market since the last look, and has it judged."""

    def __init__(self, sight: Sight, judge: Judge | None) -> None:
        self.sight = sight
        self._judge = judge
        self._seen_ns = -1
        self._status: tuple[bool, bool] | None = None
        self._told_ns = 0

    def look(self, window: Window, alive_ns: int, look: int) -> None:
        """The market at the window's instant; alive_ns: when its connection last said anything."""
        now_ns, before_ns = window.now_ns, self._seen_ns
        prices = [] if window.state is None else list(window.state.recent_prices(before_ns))
        trades = [] if window.state is None else list(window.state.recent_trades(before_ns))
        self.sight.missed += before_ns >= 0 and (len(prices) >= RING_CAPACITY or len(trades) >= RING_CAPACITY)
        if before_ns < 0:  # the ring remembers what was before the chart begins: the last of it still holds there
            prices, trades = prices[-1:], []
        self.sight.prices += prices
        self.sight.trades += trades
        self._seen_ns = now_ns
        if look % (LOOKS // BOOKS) == 0:
            self.sight.books.append(Book(now_ns, window.is_trusted, *window.depth(DEPTH)))
        if self._judge is not None:
            self._tell(self._judge, window, alive_ns, sorted([*prices, *trades], key=lambda item: item.now_ns))

    def _tell(self, judge: Judge, window: Window, alive_ns: int, news: Sequence[PricePoint | RecentTrade]) -> None:
        for item in news:
            self._told_ns = max(self._told_ns, item.now_ns)
            if isinstance(item, PricePoint):
                judge.on_prices(self._told_ns, item.yes_bid, item.yes_ask)
            else:
                judge.on_trade(self._told_ns, item.count if item.taker is Side.YES else -item.count)
        self._told_ns = max(self._told_ns, window.heard_ns, alive_ns)
        judge.on_heard(self._told_ns)
        status = (window.is_trusted, window.phase in (Phase.UNKNOWN, Phase.ACTIVE))
        self._told_ns = max(self._told_ns, window.now_ns)
        if status != self._status:
            self._status = status
            judge.on_status(self._told_ns, trusted=status[0], active=status[1])
        name = str(judge.at(self._told_ns).regime)
        if not self.sight.regimes or self.sight.regimes[-1][1] != name:
            self.sight.regimes.append((window.now_ns, name))
