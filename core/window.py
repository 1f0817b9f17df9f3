"""A strategy's sight of one market: reads the state where it lies, valid until the hook returns.

Building the whole frozen view for every call would cost more than the call, so nothing is copied until `freeze`. There
is nothing here to write through. Prices in 1/10,000 dollar on the yes scale unless said, sizes in 1/100 contract.
"""

from core.cells import M_NO_BEST, M_YES_BEST, NO_BID
from core.lifecycle import Lifecycle, Phase, phase_at
from core.market import NOBODY, MarketState
from core.messages.types import Level, Ticker
from core.money import DOLLAR
from core.views import MarketView, PricePoint, RecentTrade, RestBook


class Window:
    """One market now; of an unknown one it is empty and untrusted."""

    __slots__ = ("_state", "market", "now_ns")

    def __init__(self, market: str, state: MarketState | None, now_ns: int) -> None:
        self.market = market
        self._state = state
        self.now_ns = now_ns

    @property
    def bid(self) -> int | None:
        """The best bid for yes; None = nobody bids."""
        state = self._state
        best = NO_BID if state is None else state.memory.plain[state.at + M_YES_BEST]
        return None if best == NO_BID else best

    @property
    def ask(self) -> int | None:
        """The best offer of yes; None = nobody offers."""
        state = self._state
        best = NO_BID if state is None else state.memory.plain[state.at + M_NO_BEST]
        return None if best == NO_BID else DOLLAR - best

    @property
    def bid_size(self) -> int:
        """Contracts at the best bid."""
        ladder = None if self._state is None else self._state.book.yes
        return 0 if ladder is None or ladder.best == NO_BID else ladder.size(ladder.best)

    @property
    def ask_size(self) -> int:
        """Contracts at the best offer."""
        ladder = None if self._state is None else self._state.book.no
        return 0 if ladder is None or ladder.best == NO_BID else ladder.size(ladder.best)

    def size_at(self, price: int, *, bids: bool) -> int:
        """Contracts bid, or offered, at this yes price."""
        if self._state is None:
            return 0
        book = self._state.book
        return book.yes.size(price) if bids else book.no.size(DOLLAR - price)

    def depth(self, levels: int) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """The best bids and the best offers, best first, at most so many of each."""
        if self._state is None:
            return (), ()
        book = self._state.book
        return book.yes.top(levels), tuple([(DOLLAR - price, size) for price, size in book.no.top(levels)])

    @property
    def is_trusted(self) -> bool:
        """Nothing that belongs to the book is known to be missing."""
        return self._state is not None and self._state.trusted

    @property
    def connection(self) -> int:
        """The connection whose frames make the book, -1 = nobody's."""
        return NOBODY if self._state is None else self._state.owner[0]

    @property
    def book_ns(self) -> int:
        """When the book last changed, 0 = never."""
        return 0 if self._state is None else self._state.book_ns

    @property
    def heard_ns(self) -> int:
        """When anything about the market was last accepted, 0 = never."""
        return 0 if self._state is None else self._state.heard_ns

    @property
    def age_ns(self) -> int:
        """How long ago that was; of a market nothing is known of, how long time has run."""
        return self.now_ns - self.heard_ns

    @property
    def last_trade(self) -> RecentTrade | None:
        """The latest public trade."""
        return None if self._state is None else self._state.last_trade()

    @property
    def traded_size(self) -> int:
        """Sum of the trades seen in this session."""
        return 0 if self._state is None else self._state.traded_size

    @property
    def trades(self) -> tuple[RecentTrade, ...]:
        """The recent public trades, oldest first."""
        return () if self._state is None else self._state.recent_trades()

    @property
    def prices(self) -> tuple[PricePoint, ...]:
        """How the best prices moved, oldest first."""
        return () if self._state is None else self._state.recent_prices()

    @property
    def ticker(self) -> Ticker | None:
        """The exchange's latest summary."""
        return None if self._state is None else self._state.ticker

    @property
    def lifecycle(self) -> Lifecycle:
        """What lifecycle messages have said."""
        return Lifecycle() if self._state is None else self._state.lifecycle

    @property
    def phase(self) -> Phase:
        """Where the market is in its life now, by those messages and the time."""
        return phase_at(self.lifecycle, self.now_ns)

    @property
    def rest(self) -> RestBook | None:
        """The book that REST answered last, beside the real one."""
        return None if self._state is None else self._state.rest

    def freeze(self) -> MarketView:
        """A picture that stays."""
        return MarketView(market=self.market) if self._state is None else self._state.view()
