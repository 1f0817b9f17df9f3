"""Lines over a real recording: models keep their order at every instant, and nothing fills that did not trade there."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import pytest
from imported import tape_of
from tapes import needs_tapes

from core.actions import BookSide
from core.messages.types import BookDelta, BookSnapshot, Side, Trade
from core.money import DOLLAR
from replay.player import Player
from replay.venue.line import Fill, Line
from replay.venue.queues import MODELS

SECOND: Final = 1_000_000_000
LIFE_NS: Final = 20 * SECOND
COUNT: Final = 2_500


@dataclass
class _Own:
    key: str
    side: BookSide
    price: int
    placed_ns: int
    came: int = 0  # that it may have traded with


@dataclass
class _Market:
    """A market's book as a plain table, a line for each model, and what could have filled each order since it came."""

    lines: dict[str, Line] = field(default_factory=lambda: {name: Line(name) for name in MODELS})
    book: dict[tuple[BookSide, int], int] = field(default_factory=dict)
    orders: list[_Own] = field(default_factory=list)
    filled: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in MODELS})
    placed_ns: int = 0

    def best(self, side: BookSide) -> int:
        """The best price of a side, 0 = there is none."""
        held = [price for (at, price), size in self.book.items() if at is side and size > 0]
        return (max(held) if side is BookSide.BID else min(held)) if held else 0

    def count(self, name: str, fills: list[Fill]) -> None:
        """A model filled these."""
        for fill in fills:
            self.filled[name][fill.key] += fill.count

    def came(self, side: BookSide, price: int, count: int) -> None:
        """So much came that trades with own orders of a side at a price or better."""
        for order in self.orders:
            if order.side is side and (order.price >= price if side is BookSide.BID else order.price <= price):
                order.came += count

    def quote(self, now_ns: int) -> None:
        """Each second a bid and an offer at the best prices, for a while."""
        for order in [order for order in self.orders if now_ns > order.placed_ns + LIFE_NS]:
            self.orders.remove(order)
            for line in self.lines.values():
                line.drop(order.key)
        bid, ask = self.best(BookSide.BID), self.best(BookSide.ASK)
        if now_ns < self.placed_ns + SECOND or not 0 < bid < ask:
            return
        self.placed_ns = now_ns
        for side, price in ((BookSide.BID, bid), (BookSide.ASK, ask)):
            own = _Own(f"{side}-{now_ns}", side, price, now_ns)
            self.orders.append(own)
            for line in self.lines.values():
                line.rest(own.key, side, price, COUNT, self.book.get((side, price), 0))


def _take_in(market: _Market, message: BookDelta | BookSnapshot | Trade, now_ns: int) -> None:
    match message:
        case BookSnapshot(yes=yes, no=no):
            market.book = {(BookSide.BID, price): size for price, size in yes}
            market.book |= {(BookSide.ASK, DOLLAR - price): size for price, size in no}
            for name, line in market.lines.items():
                market.count(name, line.replace(lambda side, price: market.book.get((side, price), 0)))
        case BookDelta(side=ladder, price=price, delta=delta, exchange_ns=stamp_ns):
            side = BookSide.BID if ladder is Side.YES else BookSide.ASK
            at = price if ladder is Side.YES else DOLLAR - price
            before = market.book.get((side, at), 0)
            market.book[side, at] = before + delta
            market.came(BookSide.ASK if side is BookSide.BID else BookSide.BID, at, max(delta, 0))
            for name, line in market.lines.items():
                market.count(name, line.level(now_ns, side, at, before, before + delta, stamp_ns=stamp_ns))
        case Trade(price=price, count=count, taker=taker, exchange_ns=stamp_ns):
            side = BookSide.BID if taker is Side.YES else BookSide.ASK
            market.came(BookSide.ASK if side is BookSide.BID else BookSide.BID, price, count)
            for name, line in market.lines.items():
                market.count(name, line.trade(now_ns, side, price, count, stamp_ns=stamp_ns))


@needs_tapes
@pytest.mark.parametrize("name", ["gold15m/101900-00"])
def test_models_keep_their_order_on_a_real_tape_and_fill_only_with_what_came(name: str) -> None:
    markets: dict[str, _Market] = {}
    player = Player(tape_of(name), "bytes")
    for _, step in player.play():
        message = step.message
        if not isinstance(message, BookDelta | BookSnapshot | Trade):
            continue
        market = markets.setdefault(message.market, _Market())
        _take_in(market, message, step.now_ns)
        for order in market.orders:
            told = [market.filled[model][order.key] for model in MODELS]
            assert told == sorted(told)
            assert told[-1] <= min(order.came, COUNT)
        if not isinstance(message, Trade):
            market.quote(step.now_ns)
    sums = [sum(sum(market.filled[model].values()) for market in markets.values()) for model in MODELS]
    assert sums[0] > 0
    assert sums == sorted(set(sums)), "each model fills more than the one before"
