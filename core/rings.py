"""Rings of recent things (trades, prices) for thousands of markets, drawing on one capped pool.

Knows how much may be kept. Must not know what is kept. A ring holds its last RING_CAPACITY items as long as the pool
has room; when it has none, the longest rings give way first, so that a busy market cannot make a quiet one forget.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Generic, Protocol, TypeVar

from core.cells import (
    H_POOL,
    H_POOL_CAPACITY,
    R_AT,
    R_FIRST,
    R_LENGTH,
    R_ROOM,
    Memory,
)
from core.cells import RING_CAPACITY as RING_CAPACITY
from core.levels import more_room

POOL_CAPACITY: Final = 262_144
"""Items of all rings together: 40 MB at most; 26 for each of the two rings of 5,000 markets."""

T = TypeVar("T")


class _Shortened(Protocol):
    def __len__(self) -> int: ...

    def shorten(self, length: int) -> None: ...


class Pool:
    """What all rings may hold together; `used` is what they do hold. memory: where those of integers lie."""

    __slots__ = ("_made", "_rings", "memory")

    def __init__(self, memory: Memory | None = None, capacity: int = POOL_CAPACITY) -> None:
        self.memory = Memory() if memory is None else memory
        self.memory.plain[H_POOL_CAPACITY] = capacity
        self.memory.plain[H_POOL] = 0
        self._made = 0
        self._rings: dict[int, _Shortened] = {}

    @property
    def used(self) -> int:
        """Items of all rings."""
        return self.memory.plain[H_POOL]

    @property
    def capacity(self) -> int:
        """Items that all rings may hold."""
        return self.memory.plain[H_POOL_CAPACITY]

    def adopt(self, ring: _Shortened) -> int:
        """Count a ring's items from now on; the number returned ends that."""
        self._made += 1
        self._rings[self._made] = ring
        self.memory.plain[H_POOL] += len(ring)
        return self._made

    def release(self, number: int) -> None:
        """Count the ring adopted under this number no more."""
        self.memory.plain[H_POOL] -= len(self._rings.pop(number))

    def admit(self) -> None:
        """Have room for one more item: when it is full, halve the longest rings, oldest items first, until a quarter of
        it is free (or every ring holds 1)."""
        plain = self.memory.plain
        if plain[H_POOL] < plain[H_POOL_CAPACITY]:
            return
        longest = RING_CAPACITY
        while plain[H_POOL] > plain[H_POOL_CAPACITY] * 3 // 4 and longest > 1:
            longest //= 2
            for ring in self._rings.values():
                excess = len(ring) - longest
                if excess > 0:
                    ring.shorten(longest)
                    plain[H_POOL] -= excess
        if plain[H_POOL] >= plain[H_POOL_CAPACITY]:  # more rings than room: each keeps its last item
            plain[H_POOL_CAPACITY] = plain[H_POOL] + 1


class Ring(Generic[T]):
    """The last items of one market, oldest first."""

    __slots__ = ("_items", "_number", "_pool")

    def __init__(self, pool: Pool, items: Iterable[T] = ()) -> None:
        self._pool = pool
        self._items: deque[T] = deque(items)
        self._number = pool.adopt(self)

    def __len__(self) -> int:
        return len(self._items)

    def append(self, item: T) -> None:
        """Add an item; the oldest goes when the ring is full."""
        if len(self._items) == RING_CAPACITY:
            self._items.popleft()
        else:
            self._pool.admit()
            self._pool.memory.plain[H_POOL] += 1
        self._items.append(item)

    def shorten(self, length: int) -> None:
        """Keep only the newest items; for the pool."""
        while len(self._items) > length:
            self._items.popleft()

    def items(self) -> tuple[T, ...]:
        """What it holds, oldest first."""
        return tuple(self._items)

    def release(self) -> None:
        """Give its room back to the pool; the ring must not be used afterwards."""
        self._pool.release(self._number)


class CellRing:
    """The same in cells: items of so many integers, at the four cells `at`; the machine appends to it by itself."""

    __slots__ = ("_at", "_cells", "_number", "_pool")

    def __init__(self, pool: Pool, at: int, cells: int) -> None:
        self._pool = pool
        self._at = at
        self._cells = cells
        self._number = pool.adopt(self)

    def __len__(self) -> int:
        return self._pool.memory.plain[self._at + R_LENGTH]

    def admit(self) -> None:
        """Have room for one more item."""
        memory, at = self._pool.memory, self._at
        room = memory.plain[at + R_ROOM]
        if memory.plain[at + R_LENGTH] < RING_CAPACITY:
            self._pool.admit()
        if memory.plain[at + R_LENGTH] == room < RING_CAPACITY:
            memory.reserve(more_room(room) * self._cells)

    def append(self, item: Sequence[int]) -> None:
        """Add an item; the oldest goes when the ring is full."""
        self.admit()
        memory = self._pool.memory
        cell = memory.machine.append(memory.m, self._at, self._cells)
        for index, value in enumerate(item):
            memory.plain[cell + index] = value

    def fill(self, items: Iterable[Sequence[int]]) -> None:
        """Hold these items and no others."""
        self._pool.memory.plain[H_POOL] -= len(self)
        self._pool.memory.plain[self._at + R_LENGTH] = 0
        for item in items:
            self.append(item)

    def shorten(self, length: int) -> None:
        """Keep only the newest items; for the pool."""
        plain, at = self._pool.memory.plain, self._at
        excess = plain[at + R_LENGTH] - length
        plain[at + R_FIRST] = (plain[at + R_FIRST] + excess) % plain[at + R_ROOM]
        plain[at + R_LENGTH] = length

    def items(self, after: int = -1) -> Iterator[Sequence[int]]:
        """What it holds, oldest first; after >= 0: only the newest, whose first number is more than that."""
        first = 0 if after < 0 else len(self)
        while first and self._item(first - 1)[0] > after:
            first -= 1
        for index in range(first, len(self)):
            yield self._item(index)

    def newest(self, most: int) -> Iterator[Sequence[int]]:
        """At most so many of the newest items, oldest first."""
        length = len(self)
        return map(self._item, range(max(length - most, 0), length))

    def last(self) -> Sequence[int] | None:
        """The newest item."""
        return self._item(len(self) - 1) if len(self) else None

    def release(self) -> None:
        """Give its room back to pool and memory; the ring must not be used afterwards."""
        self._pool.release(self._number)
        self._give_back()

    def _item(self, index: int) -> Sequence[int]:
        plain, at = self._pool.memory.plain, self._at
        place = (plain[at + R_FIRST] + index) % plain[at + R_ROOM]
        start = plain[at + R_AT] + place * self._cells
        return plain[start : start + self._cells]

    def _give_back(self) -> None:
        memory, at = self._pool.memory, self._at
        if memory.plain[at + R_AT]:
            memory.give_back(memory.plain[at + R_AT], memory.plain[at + R_ROOM] * self._cells)
        memory.plain[at + R_AT] = memory.plain[at + R_ROOM] = 0
