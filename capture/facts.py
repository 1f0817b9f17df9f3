"""When to ask for which Market, Event and Series, so that the tape holds them at first sight, daily and on change.

Knows what is due when. Must not know how anything is asked for, nor the clock: it is told the time (Unix ns, the wall
clock's). What is asked for only counts as seen when the caller says that the answer is on the tape.
"""

import zlib
from collections.abc import Iterable
from enum import StrEnum
from typing import Final, NamedTuple

from capture.roster import Listed
from core.times import SECOND_NS

DAY_NS: Final = 86_400 * SECOND_NS
HOUR_NS: Final = 3_600 * SECOND_NS
MINUTE_NS: Final = 60 * SECOND_NS

SPREAD_S: Final = 3_600
"""The daily looks are spread over the first hour of the UTC day, so that they never come as one burst."""

CHANGE_NS: Final = 20 * SECOND_NS
"""How long after a change it is looked at: public answers may come from a cache up to 15 s old (protocol 17)."""

RESULT_NS: Final = (MINUTE_NS, HOUR_NS)
"""Shortest and longest wait between two looks for a result; in between, a quarter of the time since the close."""

RETRY_NS: Final = (30 * SECOND_NS, HOUR_NS)
"""First and longest wait after a look that failed; each wait is twice the one before."""

DOUBT_S: Final = 600
"""After a gap, in which changes may have been missed, everything is looked at again within so many seconds."""

GONE_TRIES: Final = 8
"""Looks in a row that the exchange answers by "no such thing" (about 2 hours) before it is not asked for any more.

Just after a market was created such an answer means nothing (protocol 8.8).
"""


class Subject(StrEnum):
    """What a fact is about."""

    MARKET = "market"
    EVENT = "event"
    SERIES = "series"


class Due(NamedTuple):
    """Something to ask for."""

    subject: Subject
    name: str


class Facts:
    """The agenda of looks. Every subject on it is looked at again and again until it is dropped."""

    def __init__(self) -> None:
        self._due_ns: dict[Due, int] = {}
        self._tries: dict[Due, int] = {}

    def __len__(self) -> int:
        return len(self._due_ns)

    def need(self, subject: Subject, name: str, now_ns: int) -> None:
        """It has to be on the tape; nothing happens when it already is on the agenda."""
        self._due_ns.setdefault(Due(subject, name), now_ns)

    def changed(self, subject: Subject, name: str, now_ns: int) -> None:
        """It is said to have changed: look soon, if it is on the agenda."""
        self._sooner(Due(subject, name), now_ns + CHANGE_NS)

    def doubt(self, now_ns: int) -> None:
        """Changes may have been missed: look at everything again, spread over `DOUBT_S`."""
        for due in self._due_ns:
            self._sooner(due, now_ns + _spread_s(due.name, DOUBT_S) * SECOND_NS)

    def saw_market(self, listed: Listed, now_ns: int) -> None:
        """A Market is on the tape as of now; a finalized one is not looked at again."""
        due = Due(Subject.MARKET, listed.ticker)
        self._tries.pop(due, None)
        if listed.is_final:
            self._due_ns.pop(due, None)
        else:
            self._due_ns[due] = min(_next_day_ns(listed.ticker, now_ns), _result_ns(listed, now_ns))

    def saw(self, subject: Subject, name: str, now_ns: int) -> None:
        """An Event or a Series is on the tape as of now."""
        due = Due(subject, name)
        self._tries.pop(due, None)
        self._due_ns[due] = _next_day_ns(name, now_ns)

    def failed(self, due: Due, now_ns: int, *, missing: bool = False) -> bool:
        """A look failed; it is tried again later. `missing`: the exchange has no such thing.

        False when it was missing so often that it is off the agenda now.
        """
        tries = self._tries.get(due, 0) + 1
        if missing and tries >= GONE_TRIES:
            self.drop(due.subject, due.name)
            return False
        self._tries[due] = tries
        first_ns, longest_ns = RETRY_NS
        self._due_ns[due] = now_ns + min(first_ns << min(tries - 1, 20), longest_ns)
        return True

    def drop(self, subject: Subject, name: str) -> None:
        """It is not our concern any more."""
        self._due_ns.pop(Due(subject, name), None)
        self._tries.pop(Due(subject, name), None)

    def retain(self, subject: Subject, names: Iterable[str]) -> None:
        """Drop what is of this subject and not among these names."""
        kept = frozenset(names)
        for due in [due for due in self._due_ns if due.subject is subject and due.name not in kept]:
            self.drop(*due)

    def due(self, now_ns: int, most: int) -> tuple[Due, ...]:
        """What to ask for now, longest due first, at most so many of one subject."""
        ready = sorted((at_ns, due) for due, at_ns in self._due_ns.items() if at_ns <= now_ns)
        if not ready:
            return ()
        subject = ready[0][1].subject
        return tuple(due for _, due in ready if due.subject is subject)[:most]

    def _sooner(self, due: Due, at_ns: int) -> None:
        if due in self._due_ns:
            self._due_ns[due] = min(self._due_ns[due], at_ns)


def _spread_s(name: str, within_s: int) -> int:
    """A second within a span, the same for a name every time."""
    return zlib.crc32(name.encode()) % within_s


def _next_day_ns(name: str, now_ns: int) -> int:
    """When a name is looked at on the next UTC day."""
    return now_ns - now_ns % DAY_NS + DAY_NS + _spread_s(name, SPREAD_S) * SECOND_NS


def _result_ns(listed: Listed, now_ns: int) -> int:
    """When a market's result is looked for next."""
    if not listed.close_ns:
        return now_ns + DAY_NS
    shortest_ns, longest_ns = RESULT_NS
    since_ns = now_ns - listed.close_ns
    if since_ns < 0:
        return listed.close_ns + shortest_ns
    return now_ns + max(shortest_ns, min(since_ns // 4, longest_ns))
