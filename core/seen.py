"""A bounded memory of keys, to know what was met before.

Knows the order in which keys were met, and forgets the oldest. Must not know what they mean.
"""

from collections.abc import Iterable


class Seen:
    """The last `capacity` different keys."""

    __slots__ = ("_keys", "capacity")

    def __init__(self, capacity: int, keys: Iterable[str] = ()) -> None:
        self.capacity = capacity
        self._keys: dict[str, None] = dict.fromkeys(keys)

    def add(self, key: str) -> bool:
        """Remember the key; False when it is remembered already."""
        if key in self._keys:
            return False
        if len(self._keys) >= self.capacity:
            del self._keys[next(iter(self._keys))]
        self._keys[key] = None
        return True

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def keys(self) -> tuple[str, ...]:
        """The keys, oldest first."""
        return tuple(self._keys)
