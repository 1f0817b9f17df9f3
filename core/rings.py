"""Rings of recent things (trades, prices) for thousands of markets, drawing on one capped pool.

Knows how much may be kept. Must not know what is kept. A ring holds its last RING_CAPACITY items as long as the pool
has room; when it has none, the longest rings give way first, so that a busy market cannot make a quiet one forget.
"""

from collections import deque
from collections.abc import Iterable
from typing import Any, Final, Generic, TypeVar

RING_CAPACITY: Final = 1_024
"""Items of one ring: in the busiest tenth of a second on tape (1,517 frames) the best price moves less often."""

POOL_CAPACITY: Final = 262_144
"""Items of all rings together: 40 MB at most; 26 for each of the two rings of 5,000 markets."""

T = TypeVar("T")


class Pool:
    """What all rings may hold together; `used` is what they do hold."""

    __slots__ = ("_made", "_rings", "capacity", "used")

    def __init__(self, capacity: int = POOL_CAPACITY) -> None:
        self.capacity = capacity
        self.used = 0
        self._made = 0
        self._rings: dict[int, deque[Any]] = {}

    def adopt(self, items: deque[Any]) -> int:
        """Count these items as part of the pool; the number returned ends that."""
        self._made += 1
        self._rings[self._made] = items
        self.used += len(items)
        return self._made

    def release(self, number: int) -> None:
        """Count the items adopted under this number no more."""
        self.used -= len(self._rings.pop(number))

    def make_room(self) -> None:
        """Halve the longest rings, oldest items first, until a quarter of the pool is free (or every ring holds 1)."""
        longest = RING_CAPACITY
        while self.used > self.capacity * 3 // 4 and longest > 1:
            longest //= 2
            for items in self._rings.values():
                while len(items) > longest:
                    items.popleft()
                    self.used -= 1


class Ring(Generic[T]):
    """The last items of one market, oldest first."""

    __slots__ = ("_items", "_number", "_pool")

    def __init__(self, pool: Pool, items: Iterable[T] = ()) -> None:
        self._pool = pool
        self._items: deque[T] = deque(items)
        self._number = pool.adopt(self._items)

    def append(self, item: T) -> None:
        """Add an item; the oldest goes when the ring is full."""
        items = self._items
        items.append(item)
        if len(items) > RING_CAPACITY:
            items.popleft()
            return
        pool = self._pool
        pool.used += 1
        if pool.used > pool.capacity:
            pool.make_room()

    def items(self) -> tuple[T, ...]:
        """What it holds, oldest first."""
        return tuple(self._items)

    def release(self) -> None:
        """Give its room back to the pool; the ring must not be used afterwards."""
        self._pool.release(self._number)
