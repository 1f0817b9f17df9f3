"""One ladder of resting bids: price first, then time.

Prices on the ladder's own scale (1/10,000 dollar), sizes in 1/100 contract. Knows queues only. Must not know accounts,
or the other ladder.
"""

from bisect import bisect_left, insort
from typing import Final

from core.messages.types import Level
from replay.exchange.orders import Order

NO_BID: Final = -1
"""The best price of an empty ladder: no order can cross it."""


class Queue:
    """The orders at one price, first come first; `size` is the sum of what remains of them, never 0."""

    __slots__ = ("orders", "size")

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.size = 0

    @property
    def first(self) -> Order:
        """Whose turn it is."""
        return next(iter(self.orders.values()))


class Ladder:
    """Queues by price. best: the highest price, NO_BID when there is none."""

    __slots__ = ("_prices", "best", "queues")

    def __init__(self) -> None:
        self.queues: dict[int, Queue] = {}
        self._prices: list[int] = []
        self.best = NO_BID

    @property
    def best_size(self) -> int:
        """What rests at the best price, 0 when nothing does."""
        return self.queues[self.best].size if self.queues else 0

    def add(self, order: Order) -> None:
        """Let an order rest, behind all others of its price."""
        price = order.own_price
        queue = self.queues.get(price)
        if queue is None:
            queue = self.queues[price] = Queue()
            insort(self._prices, price)
            self.best = max(price, self.best)
        queue.orders[order.order_id] = order
        queue.size += order.remaining

    def change(self, before: Order, after: Order) -> None:
        """Keep an order's place under its new value; it goes when nothing remains of it. The price is the same."""
        price = before.own_price
        queue = self.queues[price]
        queue.size += after.remaining - before.remaining
        if after.remaining:
            queue.orders[before.order_id] = after
            return
        del queue.orders[before.order_id]
        if not queue.orders:
            del self.queues[price]
            del self._prices[bisect_left(self._prices, price)]
            self.best = self._prices[-1] if self._prices else NO_BID

    def remove(self, order: Order) -> None:
        """Take an order off, whatever remains of it."""
        price = order.own_price
        queue = self.queues[price]
        queue.size -= order.remaining
        del queue.orders[order.order_id]
        if not queue.orders:
            del self.queues[price]
            del self._prices[bisect_left(self._prices, price)]
            self.best = self._prices[-1] if self._prices else NO_BID

    def ahead(self, order: Order) -> int:
        """What rests before an order at its price; 0 when it is not there."""
        queue = self.queues.get(order.own_price)
        if queue is None or order.order_id not in queue.orders:
            return 0
        size = 0
        for other in queue.orders.values():
            if other.order_id == order.order_id:
                break
            size += other.remaining
        return size

    def orders(self) -> list[Order]:
        """All orders, best price first, then by time."""
        return [order for price in reversed(self._prices) for order in self.queues[price].orders.values()]

    def levels(self) -> tuple[Level, ...]:
        """Price and size of each queue, ascending, best last."""
        return tuple((price, self.queues[price].size) for price in self._prices)

    def prices_from_best(self, lowest: int) -> list[int]:
        """The prices not below `lowest`, best first."""
        return self._prices[bisect_left(self._prices, lowest) :][::-1]
