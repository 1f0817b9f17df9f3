"""Finding the markets of a selection by REST: all of them once, then the new ones again and again.

Knows which questions find what, and when to ask them. Must not know what becomes of the answers, nor the clock: it is
told the time (Unix ns, the wall clock's).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from capture.catalogue import Catalogue
from capture.roster import Listed
from capture.selection import Selection, is_combo
from core.errors import ConfigError
from core.times import SECOND_NS

POLL_NS: Final = 20 * SECOND_NS
"""How often each question is asked for what is new. Lifecycle messages tell of most new markets at once; this finds the
rest, and all of them where that channel is not subscribed. Markets are listed well before they open."""

SPACING_NS: Final = SECOND_NS
"""Between two questions at least: 10 tokens a second of the smallest tier's 200 (protocol 11.1)."""

FULL_NS: Final = 3_600 * SECOND_NS
"""How often each question is asked for all there is: markets that were paused or reopened meanwhile are found by it."""

OVERLAP_S: Final = 300
"""New markets are asked for from so long before the last time: clocks differ, and listings lag."""

STATUSES: Final = ("open", "unopened", "paused")
"""The filters that together show every market that is not over; one question each (protocol 12.1)."""


class Found(NamedTuple):
    """A market that a question found. series: by which it was asked for, "" = it was not."""

    listed: Listed
    series: str = ""


class Scope(StrEnum):
    """What a question is about."""

    SERIES = "series"
    EVENT = "event"
    ALL = "all"


@dataclass(slots=True)
class _Question:
    scope: Scope
    name: str
    due_ns: int
    full_ns: int
    since_s: int


class Discovery:
    """The questions of a selection, each with the time at which it is asked next."""

    def __init__(self, selection: Selection, catalogue: Catalogue) -> None:
        self._selection = selection
        self._catalogue = catalogue
        scopes = [(Scope.SERIES, name) for name in selection.series] + [
            (Scope.EVENT, name) for name in selection.events
        ]
        if selection.everything:
            scopes = [(Scope.ALL, "")]
        self._questions = [_Question(scope, name, 0, 0, 0) for scope, name in scopes]
        self._next_ns = 0

    def survey(self, now_ns: int) -> tuple[Found, ...]:
        """Everything there is now, each market once. Raises ConfigError for a name that does not exist, or when none of
        it can be recorded now or later; ExchangeError and AuthError as the catalogue."""
        found = [Found(self._named(ticker)) for ticker in self._selection.markets]
        for question in self._questions:
            self._require_known(question)
            found += self._ask(question, now_ns)
        once = {one.listed.ticker: one for one in found}
        alive = tuple(one for one in once.values() if not one.listed.is_final)
        named = self._selection.markets or self._selection.events
        if named and not alive and not (self._selection.everything or self._selection.series):
            names = ", ".join((*self._selection.markets, *self._selection.events)[:3])
            raise ConfigError(f"nothing is left to record: {names} is over; name markets that are not settled")
        return alive

    def news(self, now_ns: int) -> tuple[Found, ...]:
        """Ask the question that is due, if one is. Raises as the catalogue; then it is due again after `POLL_NS`."""
        if now_ns < self._next_ns or not self._questions:
            return ()
        question = min(self._questions, key=lambda question: question.due_ns)
        if now_ns < question.due_ns:
            return ()
        self._next_ns = now_ns + SPACING_NS
        question.due_ns = now_ns + POLL_NS
        return tuple(self._ask(question, now_ns))

    def _ask(self, question: _Question, now_ns: int) -> Iterator[Found]:
        is_full = now_ns >= question.full_ns
        if is_full:
            lists = [self._list(question, status=status) for status in STATUSES]
        else:
            lists = [self._list(question, created_since_s=question.since_s - OVERLAP_S)]
        series = question.name if question.scope is Scope.SERIES else ""
        for listing in lists:
            for listed in listing:
                yield Found(listed, series)
        question.since_s = now_ns // SECOND_NS
        question.due_ns = now_ns + POLL_NS
        if is_full:
            question.full_ns = now_ns + FULL_NS

    def _list(self, question: _Question, *, status: str = "", created_since_s: int = 0) -> Iterator[Listed]:
        return self._catalogue.list_markets(
            series=question.name if question.scope is Scope.SERIES else "",
            event=question.name if question.scope is Scope.EVENT else "",
            status=status,
            created_since_s=created_since_s,
            combos=self._selection.combos,
        )

    def _named(self, ticker: str) -> Listed:
        listed = self._catalogue.market(ticker)
        if listed is None:
            raise ConfigError(f"there is no market {ticker}; check its spelling, upper and lower case count")
        return listed

    def _require_known(self, question: _Question) -> None:
        match question.scope:
            case Scope.SERIES:
                known = is_combo(question.name) or self._catalogue.has_series(question.name)
            case Scope.EVENT:
                known = is_combo(question.name) or self._catalogue.series_of_event(question.name) is not None
            case Scope.ALL:
                known = True
        if not known:
            raise ConfigError(
                f"there is no {question.scope} {question.name}; check its spelling, upper and lower case count"
            )
