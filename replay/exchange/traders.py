"""Synthetic traders: they quote around a value that moves, cancel, take, and sometimes all at once; from a seed.

Knows how a believable book comes about: both sides, bursts, prices off the cent, fractional sizes. Must not know the
clock: a step is told its time.
"""

import random
from bisect import bisect_left, bisect_right
from enum import StrEnum
from typing import Final

from core.money import DOLLAR
from core.ticks import prices_of
from core.times import SECOND_NS
from replay.exchange.engine import MatchingEngine
from replay.exchange.orders import BookSide, NewOrder, Order, Placed, TimeInForce
from replay.exchange.specs import MarketStatus

ACCOUNTS: Final = ("sand-maker-1", "sand-maker-2", "sand-taker")
FUNDS: Final = 10**15
"""Money of each trader: a billion dollars, so that none of them ever has to stop."""

DEPTH: Final = 40
"""Orders that rest in a market before cancelling is as likely as quoting."""

LOOK_NS: Final = SECOND_NS
"""How often traders look which markets are open."""

BURST: Final = 24
"""Steps that a burst in one market lasts."""


LOOKS: Final = 4
"""Of so many orders, drawn by dice, the latest or the earliest is taken back where that is the rule."""


class Cancels(StrEnum):
    """Which of their orders the traders take back or make smaller, whatever their price."""

    ANY = "any"
    LATE = "late"
    EARLY = "early"


class _Book:
    """What traders remember of one market. value: its worth in price units, 0 = not known yet; resting: by account."""

    __slots__ = ("prices", "ranges", "resting", "value")

    def __init__(self) -> None:
        self.value = 0.0
        self.resting: list[tuple[str, str]] = []
        self.prices: list[int] = []
        self.ranges: object = None


class Traders:
    """All of them. `step` does one thing; the same seed and the same exchange make the same steps."""

    def __init__(self, engine: MatchingEngine, dice: random.Random, cancels: Cancels = Cancels.ANY) -> None:
        self._engine = engine
        self._cancels = cancels
        self._dice = dice
        self._books: dict[str, _Book] = {}
        self._markets: tuple[str, ...] = ()
        self._burst = ("", 0)
        self._look_ns = 0
        for account in ACCOUNTS:
            engine.fund(account, FUNDS)

    def step(self, now_ns: int) -> None:
        """One action in one market; nothing when no market is open."""
        market = self._choose(now_ns)
        if not market:
            return
        book = self._book(market)
        self._move(book)
        dice = self._dice
        crowd = len(book.resting) / (2 * DEPTH)
        draw = dice.random()
        if draw < 0.12:
            self._take(market, book, now_ns)
        elif draw < 0.15:
            self._amend(market, book, now_ns)
        elif draw < 0.15 + 0.85 * min(crowd, 0.9):
            self._cancel(book, now_ns)
        else:
            self._quote(market, book, now_ns)

    def _choose(self, now_ns: int) -> str:
        """A market that is open: some are far busier than others, and a burst stays where it is."""
        reads = self._engine.reads
        if now_ns >= self._look_ns or not self._markets:
            self._look_ns = now_ns + LOOK_NS
            self._markets = tuple(m for m in reads.markets() if reads.market(m).status is MarketStatus.ACTIVE)
            active = frozenset(self._markets)
            for gone in [m for m in self._books if m not in active]:
                del self._books[gone]
        market, left = self._burst
        if left and market in self._books and reads.market(market).status is MarketStatus.ACTIVE:
            self._burst = market, left - 1
            return market
        if not self._markets:
            return ""
        market = self._markets[int(len(self._markets) * self._dice.random() ** 2)]
        if reads.market(market).status is not MarketStatus.ACTIVE:
            self._markets = ()
            return ""
        if self._dice.random() < 0.004:
            self._burst = market, BURST
            self._book(market).value *= 1 + self._dice.uniform(-0.2, 0.2)
        return market

    def _book(self, market: str) -> _Book:
        book = self._books.get(market)
        if book is None:
            book = self._books[market] = _Book()
        ranges = self._engine.reads.market(market).spec.price_ranges
        if ranges is not book.ranges:
            book.ranges, book.prices = ranges, sorted(prices_of(ranges))
            if not book.value:  # where prices are finest something unlikely is traded: combos
                shape = (0.3, 3.0) if book.prices[0] == 1 else (0.8, 0.8)
                book.value = DOLLAR * self._dice.betavariate(*shape)
        return book

    def _move(self, book: _Book) -> None:
        step = 12.0 * (0.2 + 4 * (book.value / DOLLAR) * (1 - book.value / DOLLAR))
        book.value = min(max(book.value + self._dice.gauss(0, step), 15.0), DOLLAR - 15.0)

    def _quote(self, market: str, book: _Book, now_ns: int) -> None:
        dice = self._dice
        side = BookSide.BID if dice.random() < 0.5 else BookSide.ASK
        away = 1 + int(dice.expovariate(0.35))
        prices = book.prices
        if side is BookSide.BID:
            index = bisect_left(prices, book.value) - away
        else:
            index = bisect_right(prices, book.value) - 1 + away
        price = prices[min(max(index, 0), len(prices) - 1)]
        account = ACCOUNTS[dice.randrange(2)]
        new = NewOrder(
            market=market, side=side, price=price, count=self._size(), post_only=dice.random() < 0.8, subaccount=0
        )
        self._place(account, new, book, now_ns)

    def _take(self, market: str, book: _Book, now_ns: int) -> None:
        """Buy what is offered if it is not too dear, a part of it at a time."""
        dice = self._dice
        view = self._engine.reads.market(market).ticker
        side = BookSide.BID if dice.random() < 0.5 else BookSide.ASK
        price = view.yes_ask if side is BookSide.BID else view.yes_bid
        if not 0 < price < DOLLAR:
            return
        kind = TimeInForce.FILL_OR_KILL if dice.random() < 0.05 else TimeInForce.IMMEDIATE_OR_CANCEL
        new = NewOrder(market=market, side=side, price=price, count=self._size(), time_in_force=kind)
        self._place(ACCOUNTS[2], new, book, now_ns)

    def _amend(self, market: str, book: _Book, now_ns: int) -> None:
        """Make one of the resting orders smaller, or drop it."""
        order = self._resting(book)
        if order is None:
            return
        left = order.remaining // 2
        if left:
            self._engine.decrease(order.account, order.order_id, now_ns, to=left)
        else:
            self._engine.cancel(order.account, order.order_id, now_ns)
        del market

    def _cancel(self, book: _Book, now_ns: int) -> None:
        order = self._resting(book)
        if order is not None:
            self._engine.cancel(order.account, order.order_id, now_ns)

    def _place(self, account: str, new: NewOrder, book: _Book, now_ns: int) -> None:
        answer = self._engine.place(account, new, now_ns)
        if isinstance(answer, Placed) and answer.order.remaining:
            book.resting.append((account, answer.order.order_id))

    def _resting(self, book: _Book) -> Order | None:
        """One that still rests, of their choice."""
        order = self._any(book)
        if self._cancels is Cancels.ANY or order is None:
            return order
        some = [order, *(another for _ in range(LOOKS - 1) if (another := self._any(book)) is not None)]
        choose = max if self._cancels is Cancels.LATE else min
        return choose(some, key=lambda order: order.created_ns)

    def _any(self, book: _Book) -> Order | None:
        """One that still rests; those that do not are forgotten on the way."""
        resting, find = book.resting, self._engine.reads.order
        while resting:
            index = self._dice.randrange(len(resting))
            account, order_id = resting[index]
            order = find(account, order_id)
            if order is not None and order.remaining:
                return order
            resting[index] = resting[-1]
            resting.pop()
        return None

    def _size(self) -> int:
        """Contracts in 1/100: most are whole and small, some are fractions, a few are large."""
        dice = self._dice
        whole = max(int(dice.lognormvariate(2.2, 1.2)), 1) * 100
        return whole + dice.randrange(1, 100) if dice.random() < 0.4 else whole
