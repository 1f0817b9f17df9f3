"""One market of the tape as the venue sees it: what others offer, less what we took, and the line of our own orders.

Knows the store's book and our places in it. Must not know money or how orders are answered. Prices 1/10,000 dollar, on
the yes scale with a BookSide, on the side's own scale with a Side; counts 1/100 contract.

What we took stays taken. The tape does not know of it and goes on showing it, so it counts against its level until as
much has left that level on the tape: whoever takes is served by those who came first, and those leave first.
"""

from collections.abc import Sequence
from typing import Final

from core.actions import BookSide
from core.cells import M_BOOK_SUB, M_OWN, M_OWN_NO, M_OWN_YES, S_YES_PRICE
from core.market import MarketState
from core.messages.types import BookDelta, Side
from core.money import DOLLAR
from core.store import MarketStateStore
from replay.exchange.orders import Order
from replay.venue.line import Line

_NOWHERE: Final = (DOLLAR + 1, -1, DOLLAR + 1)
"""Lowest and highest price of ours, and from which on others cross us, where nothing is ours."""

_FIRST: Final = 16


class Book:
    """line: own resting orders, by client_order_id. is_lost: the tape's book is not to be trusted."""

    def __init__(self, market: str, store: MarketStateStore, model: str) -> None:
        self.market = market
        self.line = Line(model)
        self.is_lost = False
        self._store = store
        self._taken: dict[tuple[Side, int], int] = {}
        self._prices: dict[tuple[str, BookSide, int], int] = {}  # of ours, by order; how often
        self._ranges = {Side.YES: _NOWHERE, Side.NO: _NOWHERE}

    @property
    def state(self) -> MarketState | None:
        """The market in the store, None = nothing is known of it."""
        return self._store.states().get(self.market)

    def size(self, side: BookSide, price: int) -> int:
        """What others have at a price, by the tape."""
        state = self.state
        if state is None:
            return 0
        return state.book.yes.size(price) if side is BookSide.BID else state.book.no.size(DOLLAR - price)

    # ------------------------------------------------------------------ as replay.exchange.market.Outside

    def levels(self, side: Side, lowest: int) -> Sequence[tuple[int, int]]:
        """See Outside. Of a book that is not to be trusted nothing is offered."""
        state = self.state
        if state is None or not state.trusted:
            return ()
        ladder = state.book.yes if side is Side.YES else state.book.no
        count, found = _FIRST, ladder.top(_FIRST)
        while len(found) == count and found[-1][0] >= lowest:
            count *= 2
            found = ladder.top(count)
        levels = [(price, size - self._taken.get((side, price), 0)) for price, size in found if price >= lowest]
        return [(price, size) for price, size in levels if size > 0]

    def take(self, side: Side, price: int, count: int) -> None:
        """See Outside."""
        self._taken[side, price] = self._taken.get((side, price), 0) + count
        self._mark()

    def ahead(self, order: Order) -> int:
        """See Outside."""
        taken = self._taken.get((order.side, order.own_price), 0)
        return max(self.line.ahead(order.client_order_id) - taken, 0)

    # ------------------------------------------------------------------ what is ours

    def claim(self, key: str, side: BookSide, price: int) -> None:
        """An order at this price is ours, or on its way: the tape is to be looked at there."""
        if not self._prices and not self._taken:
            self._look()
        found = key, side, price
        self._prices[found] = self._prices.get(found, 0) + 1
        self._mark()

    def release(self, key: str, side: BookSide, price: int) -> None:
        """It is so once less."""
        found = key, side, price
        self._prices[found] -= 1
        if not self._prices[found]:
            del self._prices[found]
        self._mark()

    def clear(self) -> None:
        """Nothing is ours any more, and nothing is known."""
        self._prices.clear()
        self._taken.clear()
        self._mark()

    def is_ours(self, delta: BookDelta) -> tuple[BookSide, int] | None:
        """Where on the yes scale a change of the book is that concerns us, None = it does not; as `core.runs.is_ours`.
        The store must have taken it in."""
        own = self._own_price(delta)
        low, high, cross = self._ranges[delta.side]
        if not (low <= own <= high or own >= cross):
            return None
        return (BookSide.BID, own) if delta.side is Side.YES else (BookSide.ASK, DOLLAR - own)

    @property
    def is_watched(self) -> bool:
        """Whether anything here is ours."""
        return bool(self._prices or self._taken)

    def remark(self) -> None:
        """See that the machine knows what is ours; the market may be a new one in the store."""
        state = self.state
        if state is not None and self.is_watched and not state.memory.plain[state.at + M_OWN]:
            self._mark()

    # ------------------------------------------------------------------ what the tape says

    def changed(self, side: BookSide, price: int, before: int, after: int) -> None:
        """A level of the tape's changed; what leaves it is what we took, while there is any."""
        key = (Side.YES, price) if side is BookSide.BID else (Side.NO, DOLLAR - price)
        taken = self._taken.get(key)
        if taken is None or after >= before:
            return
        left = min(max(taken - (before - after), 0), after)
        if left:
            self._taken[key] = left
        else:
            del self._taken[key]
            self._mark()

    def replaced(self) -> None:
        """A snapshot came: no more is taken of a level than it holds."""
        self.is_lost = False
        for side, price in list(self._taken):
            size = self.size(*((BookSide.BID, price) if side is Side.YES else (BookSide.ASK, DOLLAR - price)))
            self._taken[side, price] = min(self._taken[side, price], size)
            if not size:
                del self._taken[side, price]
        self._mark()

    def _look(self) -> None:
        """Whether the book is to be trusted, when it is looked at again."""
        state = self.state
        self.is_lost = state is None or not state.trusted
        if self.is_lost:
            self.line.lost()
        else:
            self.line.replace(self.size)

    def _own_price(self, delta: BookDelta) -> int:
        if delta.side is Side.NO:
            state = self.state
            assert state is not None, f"{self.market} has a book"
            plain = state.memory.plain
            subscription = plain[state.at + M_BOOK_SUB]
            if subscription and plain[subscription + S_YES_PRICE]:
                return DOLLAR - delta.price
        return delta.price

    def _mark(self) -> None:
        """Have the machine stop at what is ours."""
        bids = [price for _, side, price in self._prices if side is BookSide.BID]
        asks = [DOLLAR - price for _, side, price in self._prices if side is BookSide.ASK]
        for side, mine, others in ((Side.YES, bids, asks), (Side.NO, asks, bids)):
            prices = mine + [price for taken, price in self._taken if taken is side]
            cross = DOLLAR - max(others) if others else DOLLAR + 1
            low, high = (min(prices), max(prices)) if prices else _NOWHERE[:2]
            self._ranges[side] = low, high, cross
        state = self.state
        if state is not None:
            plain, at = state.memory.plain, state.at
            plain[at + M_OWN] = self.is_watched
            for cell, side in ((M_OWN_YES, Side.YES), (M_OWN_NO, Side.NO)):
                plain[at + cell], plain[at + cell + 1], plain[at + cell + 2] = self._ranges[side]


def offered(book: Book, side: BookSide, price: int) -> int:
    """What an order of a side would meet of others at once at a price; 0 while the book is not to be trusted."""
    facing, own = (Side.NO, price) if side is BookSide.BID else (Side.YES, DOLLAR - price)
    return sum(size for _, size in book.levels(facing, DOLLAR - own))
