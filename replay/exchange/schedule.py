"""What falls due when, in the order of the instants.

Times in Unix ns. Knows an order of things only: must not know how they are done, or a clock.
"""

import heapq
from collections.abc import Callable
from enum import IntEnum

import msgspec


class Task(IntEnum):
    """What is to be done; at the same instant in this order.

    Orders that expire at the close do so one by one before it, as recorded: their deltas bear the close's instant.
    """

    EXPIRE = 0
    OPEN = 1
    CLOSE = 2
    SETTLE = 3


class Due(msgspec.Struct, frozen=True, order=True):
    """One thing due. number: which was planned first. An order's id and account, or a market's ticker, are given."""

    at_ns: int
    task: Task
    number: int
    market: str = ""
    account: str = ""
    order_id: str = ""


class Schedule:
    """Things due, soonest first. A plan cannot be withdrawn: whoever carries it out looks whether it still holds."""

    __slots__ = ("_heap", "_number")

    def __init__(self) -> None:
        self._heap: list[Due] = []
        self._number = 0

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def next_ns(self) -> int | None:
        """When the soonest is due; None = nothing is planned."""
        return self._heap[0].at_ns if self._heap else None

    def plan(self, at_ns: int, task: Task, *, market: str = "", account: str = "", order_id: str = "") -> None:
        """Add a thing to do."""
        self._number += 1
        heapq.heappush(self._heap, Due(at_ns, task, self._number, market, account, order_id))

    def prune(self, holds: Callable[[Due], bool]) -> None:
        """Keep only the plans that still hold."""
        self._heap = [due for due in self._heap if holds(due)]
        heapq.heapify(self._heap)

    def due(self, now_ns: int) -> Due | None:
        """Take the soonest if it is due by now."""
        if self._heap and self._heap[0].at_ns <= now_ns:
            return heapq.heappop(self._heap)
        return None
