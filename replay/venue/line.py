"""The own orders that rest at one market, who is ahead of them, and what fills them: the queue of a simulated venue.

Knows one market's levels and trades as they come, and a queue model's name. Must not know an engine, a tape or a
strategy. Units: ns, prices 1/10,000 dollar on the yes scale, counts 1/100 contract. A bid buys yes, an ask sells it; a
trade whose taker was a bid took from asks.

The others do what the tape says, whether we are there or not. An order comes to rest behind everybody at its price.
Whoever is ahead goes by being traded with or by cancelling; a public trade and its change of the book are the same
contracts and count once (`replay.venue.pairing`). How many of the cancelled were ahead is the model's to say
(`replay.venue.queues`); that no more are ahead than the level holds is known, and holds for every model. A trade is
shared out as the exchange would: our better prices first, then those ahead at its price, our orders there in their
order, then the rest; so its fills are never larger than it.

An offer that comes to rest at or beyond the price of our bid fills it, up to what came, in every model: the exchange
would not let it rest there (PROTOCOL 9.1: a resting book is never crossed), and what rests is what was left after
everybody of a better or equal price had been served.

In a gap nothing is known: no change of the book fills anything, and who is ahead goes only by trades that are seen,
but in a model that takes every trade anyway. The snapshot after it fills what it proves, in every model: offers that
rest at or beyond the price of our bid then would have met it first, so it was filled up to what they hold. Of a price
that went through ours and came back within the gap nothing is known, and nothing is filled.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from core.actions import BookSide
from core.money import DOLLAR
from replay.venue.pairing import Pairing, Part
from replay.venue.queues import gone_ahead, queue_model
from replay.venue.resting import Resting, RestingOrders

Sizes: TypeAlias = Callable[[BookSide, int], int]
"""Contracts by side and price."""


class Why(StrEnum):
    """What led to a fill: a trade at our price, one beyond it, the other side's book coming to cross our price, or its
    being there when it was seen again after a gap."""

    TRADE = "trade"
    THROUGH = "through"
    CROSSED = "crossed"
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class Fill:
    """So many contracts of an own order were filled, at the order's price."""

    key: str
    count: int
    why: Why


class Line:
    """Own orders of one market. Told of everything in the order in which the tape has it; see the module.

    Block trades do not touch the book (PROTOCOL 8.4): leave them out. `stamp_ns` is the exchange's own time of a change
    or trade, where it is told (`exchange_ns` of the message).
    """

    def __init__(self, model: str) -> None:
        self._model = queue_model(model)  # raises ConfigError
        self._orders = RestingOrders()
        self._pairing = Pairing()
        self._number = 0
        self._is_lost = False

    def rest(self, key: str, side: BookSide, price: int, count: int, level: int) -> None:
        """An order comes to rest. level: what others have at its price now, by the book."""
        level = max(level, 0)
        self._orders.add(Resting(key, side, price, count, level, self._next(), level, level, count))

    def shrink(self, key: str, count: int) -> None:
        """So much is left of an order from now on, less than before; it keeps its place. 0 = it is gone."""
        order = self._orders.get(key)
        assert 0 <= count <= order.count, f"order {key} of {order.count} shrinks to {count}"
        order.spare = max(order.spare - (order.count - count), 0)
        order.count = count
        self._orders.sweep()

    def drop(self, key: str) -> None:
        """An order is gone; nothing happens when it is not there (any more)."""
        self._orders.drop(key)

    def ahead(self, key: str) -> int:
        """How many contracts of others are ahead of an order, by the model; those that may have been cancelled within
        the last moments (`pairing.WINDOW_NS`) still count. Raises KeyError when it does not rest (any more)."""
        return self._orders.get(key).ahead

    def level(
        self, at_ns: int, side: BookSide, price: int, before: int, after: int, *, stamp_ns: int = 0
    ) -> list[Fill]:
        """A level of others changed from one size to another."""
        self._decide(self._pairing.decided(at_ns))
        number = self._next()
        if after < before:
            part = Part(number, at_ns, side, price, before - after, stamp_ns, before, self._is_lost)
            self._announced(side, price, self._pairing.gone(part))
        if self._is_lost:
            return []
        for order in self._orders.at(side, price):
            _limit(order, after, self._pairing)
        return self._crossed(side, price, after - before) if after > before else []

    def trade(self, at_ns: int, taker_side: BookSide, price: int, count: int, *, stamp_ns: int = 0) -> list[Fill]:
        """A public trade."""
        self._decide(self._pairing.decided(at_ns, stamp_ns))
        number = self._next()
        side = BookSide.ASK if taker_side is BookSide.BID else BookSide.BID
        fills = []
        left = count
        # What had left the level before an order came has not met that order, though its trade is told only now.
        for gone, part in self._pairing.traded(Part(number, at_ns, side, price, count, stamp_ns)):
            fills += self._taken(side, price, part, gone)
            left -= part
        fills += self._taken(side, price, left, number)
        return _joined(fills)

    def replace(self, sizes: Sizes, offered: Sizes | None = None) -> list[Fill]:
        """A snapshot came. sizes: what others have at a price of a side. Ends a gap.

        offered: what an order of a side would meet at once at a price, None = nothing; asked only after a gap.
        """
        fills = [] if offered is None or not self._is_lost else _passed(self._orders, offered)
        self._is_lost = False
        for order in self._orders.all():
            _limit(order, sizes(order.side, order.price), self._pairing)
        return fills

    def lost(self) -> list[Fill]:
        """A gap begins: until the next snapshot the book is not known. Fills nothing."""
        self._is_lost = True
        self._pairing.doubt()
        for order in self._orders.all():
            order.least = 0
            order.ahead = 0 if self._model.is_first else order.ahead
        return []

    def flush(self, now_ns: int) -> list[Fill]:
        """Time has passed: what waited long enough for its trade was cancelled. Fills nothing."""
        self._decide(self._pairing.decided(now_ns))
        return []

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _announced(self, side: BookSide, price: int, pairs: list[tuple[int, int]]) -> None:
        """What left now had been traded before: orders that came in between were behind it, the others know."""
        for traded, count in pairs:
            for order in self._orders.at(side, price):
                if order.number > traded:
                    order.advance(count, count)

    def _decide(self, cancelled: list[Part]) -> None:
        """These contracts were cancelled."""
        for part in cancelled:
            is_guessed = self._model.is_first or not part.is_doubtful
            for order in self._orders.at(part.side, part.price):
                if order.number < part.number:
                    gone = gone_ahead(self._model, order.ahead, part.others, part.count) if is_guessed else 0
                    order.advance(gone, part.count)
                    if is_guessed:
                        _limit(order, order.level, self._pairing)

    def _taken(self, side: BookSide, price: int, count: int, number: int) -> list[Fill]:
        """Somebody took so much at a price; orders that came before this number were there.

        Of what our earlier orders may have got at best, nobody else can have gone: whoever stands behind them has the
        more ahead, should they be dropped.
        """
        fills: list[Fill] = []
        left, served, hoped = count, 0, 0  # served: of others, at the price; hoped: of ours, at best
        for order in self._orders.met(side, price):
            if order.number > number:
                continue
            if order.price == price:
                more = 0 if self._model.is_first else min(max(order.ahead - served, 0), left)
                served += more
                left -= more
            given = order.give(left)
            left -= given
            fills.append(Fill(order.key, given, Why.TRADE if order.price == price else Why.THROUGH))
            behind = hoped
            hoped += order.hope(count - hoped - (order.least if order.price == price else 0))
            if order.price == price:
                order.advance(count - behind, count)
        self._orders.sweep()
        return fills

    def _crossed(self, side: BookSide, price: int, count: int) -> list[Fill]:
        """So much more is offered at a price."""
        fills: list[Fill] = []
        other = BookSide.ASK if side is BookSide.BID else BookSide.BID
        hoped = count
        for order in self._orders.met(other, price):
            given = order.give(count)
            count -= given
            order.crossed += given
            hoped -= order.hope(hoped)
            fills.append(Fill(order.key, given, Why.CROSSED))
        self._orders.sweep()
        return _joined(fills)


def _passed(orders: RestingOrders, offered: Sizes) -> list[Fill]:
    """What the others turn out to offer at our prices and beyond after a gap; what had crossed us before it was
    served then, and may be the very same."""
    fills: list[Fill] = []
    for side, anything in ((BookSide.BID, 0), (BookSide.ASK, DOLLAR)):
        served, hoped = 0, 0
        for order in orders.met(side, anything):
            count = max(offered(side, order.price) - order.crossed, 0)
            given = order.give(max(count - served, 0))
            served += given
            hoped += order.hope(count - hoped)
            fills.append(Fill(order.key, given, Why.GAP))
    orders.sweep()
    return _joined(fills)


def _limit(order: Resting, level: int, pairing: Pairing) -> None:
    """No more are ahead than the level holds, with those that left it and may have been traded."""
    order.level = level
    if order.ahead > level:
        order.ahead = min(order.ahead, level + pairing.waiting(order.side, order.price, order.number))
    order.least = min(order.least, order.ahead)


def _joined(fills: list[Fill]) -> list[Fill]:
    """One fill for each order and reason, none of nothing."""
    sums: dict[tuple[str, Why], int] = {}
    for fill in fills:
        sums[fill.key, fill.why] = sums.get((fill.key, fill.why), 0) + fill.count
    return [Fill(key, count, why) for (key, why), count in sums.items() if count]
