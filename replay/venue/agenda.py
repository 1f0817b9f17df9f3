"""What a simulated venue has still to do, in the order of the instants; at the same instant in the order of planning.

Times in ns of the tape's clock. Knows an order of things only.
"""

import heapq
from collections.abc import Callable
from typing import TypeAlias

from core.cells import NEVER

Task: TypeAlias = Callable[[int], None]
"""Does something, at the instant it is given."""


class Agenda:
    """Tasks by instant."""

    __slots__ = ("_heap", "_number")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Task]] = []
        self._number = 0

    @property
    def next_ns(self) -> int:
        """When the soonest is due; NEVER = there is none."""
        return self._heap[0][0] if self._heap else NEVER

    def plan(self, at_ns: int, task: Task) -> None:
        """Have something done then."""
        self._number += 1
        heapq.heappush(self._heap, (at_ns, self._number, task))

    def take(self) -> tuple[int, Task]:
        """The soonest, which is planned no longer; there must be one."""
        at_ns, _, task = heapq.heappop(self._heap)
        return at_ns, task

    def clear(self) -> None:
        """Nothing is to be done any more."""
        self._heap.clear()
