"""A strategy's sight of one market: reads the state where it lies, valid until the hook returns.

Building the whole frozen view for every call would cost more than the call, so nothing is copied until `freeze`. There
is nothing here to write through. Prices in 1/10,000 dollar on the yes scale unless said, sizes in 1/100 contract.
"""

from typing import Any, Protocol

from core.cells import M_NO_BEST, M_YES_BEST, NO_BID
from core.lifecycle import Lifecycle, Phase, phase_at
from core.market import NOBODY, MarketState
from core.messages.types import Level, Ticker
from core.money import DOLLAR
from core.views import MarketView, PricePoint, RecentTrade, RestBook


class Sight(Protocol):
    """What a window looks through, as `core.ahead` has it. told: the window of the market that somebody is told of."""

    told: "Window | None"
    bids: Any
    bid_sizes: Any
    no_bids: Any
    no_bid_sizes: Any
    place: int

    @property
    def now_ns(self) -> int:
        """The tape's time."""


class Now:
    """The time, for those who look when nothing runs ahead."""

    __slots__ = ("bid_sizes", "bids", "no_bid_sizes", "no_bids", "now_ns", "place", "told")

    def __init__(self, now_ns: int) -> None:
        self.now_ns = now_ns
        self.told: Window | None = None
        self.bids = self.bid_sizes = self.no_bids = self.no_bid_sizes = ()
        self.place = 0


class Window:
    """One market now; of an unknown one it is empty and untrusted."""

    __slots__ = ("_sight", "market", "state")

    def __init__(self, market: str, state: MarketState | None, sight: Sight) -> None:
        """sight: the time; while it runs ahead and tells of this market, also its best prices."""
        self.market = market
        self.state = state
        self._sight = sight

    @property
    def bid(self) -> int | None:
        """The best bid for yes; None = nobody bids."""
        sight = self._sight
        if sight.told is self:
            best = sight.bids[sight.place]
        else:
            best = NO_BID if self.state is None else self.state.memory.plain[self.state.at + M_YES_BEST]
        return None if best == NO_BID else best

    @property
    def ask(self) -> int | None:
        """The best offer of yes; None = nobody offers."""
        sight = self._sight
        if sight.told is self:
            best = sight.no_bids[sight.place]
        else:
            best = NO_BID if self.state is None else self.state.memory.plain[self.state.at + M_NO_BEST]
        return None if best == NO_BID else DOLLAR - best

    @property
    def bid_size(self) -> int:
        """Contracts at the best bid."""
        sight = self._sight
        if sight.told is self:
            size: int = sight.bid_sizes[sight.place]
            return size
        ladder = None if self.state is None else self.state.book.yes
        return 0 if ladder is None or ladder.best == NO_BID else ladder.size(ladder.best)

    @property
    def ask_size(self) -> int:
        """Contracts at the best offer."""
        sight = self._sight
        if sight.told is self:
            size: int = sight.no_bid_sizes[sight.place]
            return size
        ladder = None if self.state is None else self.state.book.no
        return 0 if ladder is None or ladder.best == NO_BID else ladder.size(ladder.best)

    def size_at(self, price: int, *, bids: bool) -> int:
        """Contracts bid, or offered, at this yes price."""
        if self.state is None:
            return 0
        book = self.state.book
        return book.yes.size(price) if bids else book.no.size(DOLLAR - price)

    def depth(self, levels: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """The best bids and the best offers, best first, at most so many of each."""
        if self.state is None:
            return (), ()
        book = self.state.book
        return book.yes.top(levels), tuple([(DOLLAR - price, size) for price, size in book.no.top(levels)])

    @property
    def is_trusted(self) -> bool:
        """Nothing that belongs to the book is known to be missing."""
        return self.state is not None and self.state.trusted

    @property
    def connection(self) -> int:
        """The connection whose frames make the book, -1 = nobody's."""
        return NOBODY if self.state is None else self.state.owner[0]

    @property
    def book_ns(self) -> int:
        """When the book last changed, 0 = never."""
        return 0 if self.state is None else self.state.book_ns

    @property
    def heard_ns(self) -> int:
        """When anything about the market was last accepted, 0 = never."""
        return 0 if self.state is None else self.state.heard_ns

    @property
    def now_ns(self) -> int:
        """The tape's time."""
        return self._sight.now_ns

    @property
    def age_ns(self) -> int:
        """How long ago that was; of a market nothing is known of, how long time has run."""
        return self._sight.now_ns - self.heard_ns

    @property
    def last_trade(self) -> RecentTrade | None:
        """The latest public trade."""
        return None if self.state is None else self.state.last_trade()

    @property
    def traded_size(self) -> int:
        """Sum of the trades seen in this session."""
        return 0 if self.state is None else self.state.traded_size

    @property
    def trades(self) -> tuple[RecentTrade, ...]:
        """The recent public trades, oldest first."""
        return () if self.state is None else self.state.recent_trades()

    @property
    def prices(self) -> tuple[PricePoint, ...]:
        """How the best prices moved, oldest first."""
        return () if self.state is None else self.state.recent_prices()

    @property
    def ticker(self) -> Ticker | None:
        """The exchange's latest summary."""
        return None if self.state is None else self.state.ticker

    @property
    def lifecycle(self) -> Lifecycle:
        """What lifecycle messages have said."""
        return Lifecycle() if self.state is None else self.state.lifecycle

    @property
    def phase(self) -> Phase:
        """Where the market is in its life now, by those messages and the time."""
        return phase_at(self.lifecycle, self._sight.now_ns)

    @property
    def rest(self) -> RestBook | None:
        """The book that REST answered last, beside the real one."""
        return None if self.state is None else self.state.rest

    def freeze(self) -> MarketView:
        """A picture that stays."""
        return MarketView(market=self.market) if self.state is None else self.state.view()
