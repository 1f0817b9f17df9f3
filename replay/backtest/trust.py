"""In which spans a market's book was to be trusted, as far as the tape told in the end.

Knows spans by market. A gap is found when it ends or later, and reaches back to the last instant that was vouched for,
so who asks whether something happened in trust asks when the tape is over. Must not know how trust is lost.
Units: Unix ns of the tape's clock.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

NO_SNAPSHOT: Final = "no_snapshot"
"""The book has not been told of yet."""


class Distrusted(msgspec.Struct, frozen=True):
    """A span in which a market's book was not to be trusted; until_ns: the first instant at which it was again."""

    market: str
    from_ns: int
    until_ns: int
    reason: str


@dataclass(slots=True)
class _Watched:
    since_ns: int = 0  # -1 = it is trusted
    reason: str = NO_SNAPSHOT
    spans: list[Distrusted] = field(default_factory=list)


class Trust:
    """The spans of the markets that are watched; before the first record no book is known."""

    def __init__(self, markets: Iterable[str]) -> None:
        self._watched = {market: _Watched() for market in sorted(set(markets))}

    @property
    def markets(self) -> tuple[str, ...]:
        """The markets that are watched, by name."""
        return tuple(self._watched)

    def told(self, market: str, at_ns: int, *, trusted: bool, since_ns: int = -1, reason: str = NO_SNAPSHOT) -> bool:
        """How it is now; whether that is another than before. since_ns: since when it was lost, if before now."""
        found = self._watched.get(market)
        if found is None or trusted == (found.since_ns < 0):
            return False
        if trusted:
            found.spans.append(Distrusted(market, found.since_ns, at_ns, found.reason))
            found.since_ns = -1
            return True
        found.since_ns, found.reason = at_ns if since_ns < 0 else min(since_ns, at_ns), reason
        if found.spans and found.spans[-1].until_ns > found.since_ns:  # what was vouched for since stays so
            found.since_ns = found.spans[-1].until_ns
        return True

    def finish(self, end_ns: int) -> None:
        """The tape is over."""
        for market, found in self._watched.items():
            if found.since_ns >= 0:
                found.spans.append(Distrusted(market, found.since_ns, max(end_ns, found.since_ns), found.reason))
                found.since_ns = -1

    def closed(self, market: str, at_ns: int) -> None:
        """A market closed then, as is known in the end: there was no book any more that could be in doubt."""
        found = self._watched.get(market)
        if found is not None:
            found.spans = [
                msgspec.structs.replace(span, until_ns=min(span.until_ns, at_ns))
                for span in found.spans
                if span.from_ns < at_ns
            ]

    def spans(self, since: Mapping[str, int]) -> Iterator[Distrusted]:
        """Every span, by market and time, from the instant on at which a market began to matter."""
        for market, found in self._watched.items():
            for span in found.spans:
                from_ns = max(span.from_ns, since[market])
                if span.until_ns > from_ns:
                    yield msgspec.structs.replace(span, from_ns=from_ns)

    def was(self, market: str, from_ns: int, until_ns: int) -> bool:
        """Whether the book was to be trusted all the time from one instant to another, both in it.

        The instant at which trust comes back is trusted, that at which it is lost is not. A market that was not watched
        is not trusted.
        """
        found = self._watched.get(market)
        if found is None:
            return False
        at = bisect_right(found.spans, until_ns, key=lambda span: span.from_ns)
        return at == 0 or found.spans[at - 1].until_ns <= from_ns
