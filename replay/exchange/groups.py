"""One order group: what its orders matched within the last 15 seconds, and whether it takes orders.

Sizes in 1/100 contract, times in Unix ns. Must not know orders, only their ids.
"""

from collections import deque
from typing import Final

from core.times import SECOND_NS

WINDOW_NS: Final = 15 * SECOND_NS
"""How long a match counts (protocol 13.4)."""


class Group:
    """An order group. limit: None = it never triggers by itself; orders: those that rest, oldest first."""

    __slots__ = ("_matches", "_sum", "account", "group_id", "limit", "orders", "triggered")

    def __init__(self, group_id: str, account: str, limit: int | None) -> None:
        self.group_id = group_id
        self.account = account
        self.limit = limit
        self.triggered = False
        self.orders: dict[str, None] = {}
        self._matches: deque[tuple[int, int]] = deque()
        self._sum = 0

    def count(self, size: int, now_ns: int) -> None:
        """One of its orders matched."""
        self.matched(now_ns)  # old ones go, or a group without a limit would keep them all
        self._matches.append((now_ns, size))
        self._sum += size

    def matched(self, now_ns: int) -> int:
        """What was matched within the window that ends now."""
        while self._matches and self._matches[0][0] <= now_ns - WINDOW_NS:
            self._sum -= self._matches.popleft()[1]
        return self._sum

    def is_due(self, now_ns: int) -> bool:
        """Whether it must trigger now: the limit is hit, not only exceeded, as the API reference says."""
        return not self.triggered and self.limit is not None and self.matched(now_ns) >= self.limit

    def reset(self) -> None:
        """Take orders again, and count from 0."""
        self.triggered = False
        self._matches.clear()
        self._sum = 0
