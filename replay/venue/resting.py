"""Own orders that rest at one market, found by key, by price, and by whom a taker meets first.

Knows who is ahead of each as a number only. Must not know why it changes. Units as in `replay.venue.line`.
"""

from dataclasses import dataclass

from core.actions import BookSide


@dataclass(slots=True)
class Resting:
    """An own order. count: what is left of it. ahead: contracts of others before it. number: when it came, among
    everything that came. level: what others had at its price when that was last known.

    least, spare: what would be ahead and left of it if all who cancelled had been ahead: no truth has less of either.
    crossed: how much of it was filled by orders of the other side that came to cross its price.
    """

    key: str
    side: BookSide
    price: int
    count: int
    ahead: int
    number: int
    level: int
    least: int
    spare: int
    crossed: int = 0

    def is_within(self, price: int) -> bool:
        """Whether somebody who takes at this price would trade with it."""
        return self.price >= price if self.side is BookSide.BID else self.price <= price

    def give(self, most: int) -> int:
        """Fill it, for so much at most; how much was filled."""
        count = min(self.count, most)
        self.count -= count
        return count

    def hope(self, most: int) -> int:
        """How much of so much it may have got, at best."""
        hoped = min(self.spare, max(most, 0))
        self.spare -= hoped
        return hoped

    def advance(self, count: int, at_most: int) -> None:
        """So many went that were ahead, and so many at most."""
        self.ahead = max(self.ahead - count, 0)
        self.least = max(self.least - at_most, 0)


class RestingOrders:
    """The own orders of a market in the order in which they came; there are few."""

    def __init__(self) -> None:
        self._orders: list[Resting] = []

    def all(self) -> list[Resting]:
        """Every order."""
        return list(self._orders)

    def add(self, order: Resting) -> None:
        """An order comes."""
        assert order.count > 0, f"order {order.key} rests with {order.count} contracts"
        assert all(order.key != other.key for other in self._orders), f"order {order.key} rests already"
        self._orders.append(order)

    def get(self, key: str) -> Resting:
        """The order of this key; raises KeyError."""
        for order in self._orders:
            if order.key == key:
                return order
        raise KeyError(key)

    def drop(self, key: str) -> None:
        """The order of this key is gone, if it was there."""
        self._orders = [order for order in self._orders if order.key != key]

    def sweep(self) -> None:
        """Orders of which nothing is left are gone."""
        self._orders = [order for order in self._orders if order.count]

    def at(self, side: BookSide, price: int) -> list[Resting]:
        """Those at a price."""
        return [order for order in self._orders if order.side is side and order.price == price]

    def met(self, side: BookSide, price: int) -> list[Resting]:
        """Those that whoever takes at a price would trade with: the best price first, then in their order."""
        met = [order for order in self._orders if order.side is side and order.is_within(price)]
        return sorted(met, key=lambda order: order.price, reverse=side is BookSide.BID) if len(met) > 1 else met
