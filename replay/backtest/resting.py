"""The orders that rest at the venue, as its happenings tell: how many, where, and what they could cost.

Pure. Must not know the book. Units: prices 1/10,000 dollar on the yes scale, counts 1/100 contract.
"""

import msgspec

from core.actions import BookSide
from core.money import DOLLAR
from replay.venue.told import Amended, Arrived, Ended, Filled, Happening, Rested


class _Order(msgspec.Struct):
    market: str
    side: BookSide
    price: int
    count: int
    filled: int = 0
    rests: bool = False

    @property
    def cost(self) -> int:
        """Money that it takes if all that is left of it trades."""
        left = max(self.count - self.filled, 0)
        return left * (self.price if self.side is BookSide.BID else DOLLAR - self.price)


class Resting:
    """A fold over happenings. count: orders that rest. cost: money they would take if all of them filled."""

    def __init__(self) -> None:
        self.count = 0
        self.cost = 0
        self._orders: dict[str, _Order] = {}
        self._by_market: dict[str, int] = {}

    @property
    def markets(self) -> tuple[str, ...]:
        """Markets in which something rests."""
        return tuple(self._by_market)

    def happened(self, happening: Happening) -> None:
        """Take in the next happening."""
        if isinstance(happening, Arrived):
            self._orders[happening.client_order_id] = _Order(
                happening.market, happening.side, happening.price, happening.count
            )
            return
        order = self._orders.get(getattr(happening, "client_order_id", ""))
        if order is None:
            return
        self._leave(order)
        match happening:
            case Rested():
                order.rests = True
            case Filled():
                order.filled += happening.count
                order.rests = order.rests and order.filled < order.count
            case Amended():
                order.price, order.count = happening.price, happening.count
            case Ended():
                del self._orders[happening.client_order_id]
                return
            case _:
                pass
        if order.rests:
            self.count += 1
            self.cost += order.cost
            self._by_market[order.market] = self._by_market.get(order.market, 0) + 1

    def _leave(self, order: _Order) -> None:
        if order.rests:
            self.count -= 1
            self.cost -= order.cost
            self._by_market[order.market] -= 1
            if not self._by_market[order.market]:
                del self._by_market[order.market]
