"""The markets on the socket, as several parties want them: each says its own, the deck gets all.

Knows who wants what. Must not know why.
"""

import threading
from collections.abc import Callable, Iterable


class Wanted:
    """The union of what everybody wants, in the order in which it was first wanted; any thread."""

    def __init__(self, want: Callable[[tuple[str, ...]], None]) -> None:
        """want: takes all of them, whenever they have changed."""
        self._want = want
        self._lock = threading.Lock()
        self._by_party: dict[str, dict[str, None]] = {}
        self._told: tuple[str, ...] = ()

    def say(self, party: str, markets: Iterable[str]) -> None:
        """This party wants these markets and no others."""
        with self._lock:
            self._by_party[party] = dict.fromkeys(markets)
            union: dict[str, None] = {}
            for wanted in self._by_party.values():
                union |= wanted
            markets = tuple(union)
            if markets != self._told:
                self._told = markets
                self._want(markets)
