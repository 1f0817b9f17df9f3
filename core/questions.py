"""What has to be asked by REST for the run's own sake, and when again: an answer may be stale, refused, or never come.

Knows that reads lag behind writes (protocol 13.6), so that what is asked right after something happened is asked once
more. Must not know what the answers mean.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from core.actions import Fetch
from core.fetched import Fetched
from core.orders import LAG_NS


@dataclass(slots=True)
class _Owed:
    fetch: Fetch
    since_ns: int
    asked_ns: int


class Questions:
    """Questions to be asked now, those that are owed until an answer is fresh enough, and those of lasting doubts."""

    __slots__ = ("_doubted_ns", "_now", "_owed")

    def __init__(self) -> None:
        self._now: dict[Fetch, None] = {}
        self._owed: dict[str, _Owed] = {}
        self._doubted_ns: dict[str, int] = {}

    def ask(self, fetch: Fetch) -> None:
        """Ask this once, at once."""
        self._now[fetch] = None

    def owe(self, fetch: Fetch, now_ns: int) -> None:
        """Ask this at once and again, until there is an answer that knows what happened by now. One for each path."""
        owed = self._owed.setdefault(fetch.path, _Owed(fetch, now_ns, now_ns))
        owed.since_ns = owed.asked_ns = now_ns
        self._now[owed.fetch] = None  # the older question goes further back

    def answered(self, fetched: Fetched) -> None:
        """An answer has come."""
        owed = self._owed.get(fetched.path)
        if owed is None or any(param not in fetched.params for param in owed.fetch.params):
            return
        if fetched.asked_ns - owed.since_ns >= LAG_NS:
            del self._owed[fetched.path]

    def beat(self, now_ns: int, doubts: Mapping[str, tuple[Fetch, ...]]) -> None:
        """About a second has passed. doubts: questions by what they are about; most end by themselves soon enough."""
        for owed in self._owed.values():
            if now_ns - owed.asked_ns >= LAG_NS:
                owed.asked_ns = now_ns
                self._now[owed.fetch] = None
        self._doubted_ns = {key: self._doubted_ns.get(key, now_ns) for key in doubts}
        for key, fetches in doubts.items():
            if now_ns - self._doubted_ns[key] >= LAG_NS:
                self._doubted_ns[key] = now_ns
                self._now |= dict.fromkeys(fetches)

    @property
    def is_asking(self) -> bool:
        """Whether there is something to ask now."""
        return bool(self._now)

    def take(self) -> tuple[Fetch, ...]:
        """What to ask now; each is given once."""
        found = tuple(self._now)
        self._now.clear()
        return found
