"""What happens where on a tape, page by page: how many records a second, and the records that people look for.

Knows which records those are. Must not know how they are drawn, nor who asks. Each page's outline is made once, from a
few columns, by whoever comes first: the scout that goes through the whole tape, or somebody who asks for that page.
"""

from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from core.packed import Ints
from core.records import Kind
from replay.view.pages import Page

SECOND_NS: Final = 1_000_000_000


class Mark(StrEnum):
    """What people look for. The order is that of the codes in an outline, from 1."""

    DECISION = "decision"
    OUTCOME = "outcome"
    FILL = "fill"
    ORDER = "order"
    FAULT = "fault"
    SESSION = "session"
    CONNECTION = "connection"
    GAP = "gap"
    LIFECYCLE = "lifecycle"
    MALFORMED = "malformed"
    REST = "rest"
    CONTROL = "control"


MARKS: Final = tuple(Mark)
INCIDENTS: Final = (Mark.FAULT, Mark.SESSION, Mark.CONNECTION, Mark.GAP, Mark.MALFORMED)
OWN: Final = (Mark.DECISION, Mark.OUTCOME, Mark.FILL, Mark.ORDER)

_BY_KIND: Final = {
    Kind.DECISION: Mark.DECISION,
    Kind.OUTCOME: Mark.OUTCOME,
    Kind.FAULT: Mark.FAULT,
    Kind.REFUSED: Mark.FAULT,
    Kind.CLOCK_STEP: Mark.FAULT,
    Kind.SESSION: Mark.SESSION,
    Kind.CLEAN_STOP: Mark.SESSION,
    Kind.OPENED: Mark.CONNECTION,
    Kind.CLOSED: Mark.CONNECTION,
    Kind.GAP_OPEN: Mark.GAP,
    Kind.GAP_CLOSE: Mark.GAP,
    Kind.REST: Mark.REST,
    Kind.CONTROL: Mark.CONTROL,
}
_BY_TYPE: Final = {
    "fill": Mark.FILL,
    "user_order": Mark.ORDER,
    "market_lifecycle_v2": Mark.LIFECYCLE,
    "event_lifecycle": Mark.LIFECYCLE,
    "error": Mark.FAULT,
}

_KIND_CODES: Final = np.zeros(256, np.uint8)
for _kind, _mark in _BY_KIND.items():
    _KIND_CODES[_kind] = MARKS.index(_mark) + 1


def marks_of(page: Page) -> npt.NDArray[np.uint8]:
    """Of each record of a page, what people call it: 0 for nothing, else a place in MARKS, from 1."""
    found = _KIND_CODES[page.kind]
    types = page.columns.texts["type"]
    of_types = np.array([_type_code(name) for name in types.values] + [0], np.uint8)
    found = np.where(found == 0, of_types[types.codes], found)
    malformed = page.columns.texts["malformed"].codes >= 0
    return np.where(malformed, MARKS.index(Mark.MALFORMED) + 1, found).astype(np.uint8)


def _type_code(name: str) -> int:
    mark = _BY_TYPE.get(name)
    return 0 if mark is None else MARKS.index(mark) + 1


@dataclass(frozen=True, slots=True)
class Outline:
    """That of one page. seconds, counts: Unix seconds with a record in them, and how many. marks: codes of `seqs`."""

    first_seq: int
    last_seq: int
    first_ns: int
    last_ns: int
    seconds: Ints
    counts: Ints
    seqs: Ints
    whens: Ints
    marks: npt.NDArray[np.uint8]
    markets: dict[str, int]


def outline_of(page: Page) -> Outline:
    """The outline of a page."""
    codes = marks_of(page)
    rows = np.flatnonzero(codes)
    seconds, counts = np.unique(page.when // SECOND_NS, return_counts=True)
    names = page.columns.texts["market"].values
    return Outline(
        first_seq=page.first_seq,
        last_seq=page.last_seq,
        first_ns=int(page.when[0]),
        last_ns=int(page.when[-1]),
        seconds=seconds,
        counts=counts,
        seqs=rows + page.first_seq,
        whens=page.when[rows],
        marks=codes[rows],
        markets={name: count for name, count in zip(names, page.markets.tolist(), strict=True) if count},
    )


@dataclass
class Outlines:
    """The outlines that were made so far, by first record; several threads may read while one adds."""

    made: dict[int, Outline] = field(default_factory=dict)
    markets: Counter[str] = field(default_factory=Counter)
    _firsts: list[int] = field(default_factory=list)

    def of(self, page: Page) -> Outline:
        """The outline of a page."""
        found = self.made.get(page.first_seq)
        if found is not None and found.last_seq >= page.last_seq:
            return found
        made = outline_of(page)
        if found is None:
            insort(self._firsts, page.first_seq)
        else:  # a piece that has grown
            self.markets.subtract(found.markets)
        self.made[page.first_seq] = made
        self.markets.update(made.markets)
        return made

    def holds(self, seq: int) -> Outline | None:
        """The outline of the page with that record, None while it was not made."""
        index = bisect_right(self._firsts, seq)
        found = self.made[self._firsts[index - 1]] if index else None
        return found if found is not None and found.last_seq >= seq else None

    def within(self, first_seq: int, last_seq: int) -> Iterator[Outline]:
        """Those that hold any of these records."""
        return (outline for outline in self.sorted() if outline.first_seq <= last_seq and outline.last_seq >= first_seq)

    def sorted(self) -> Iterator[Outline]:
        """All of them, in order."""
        for first_seq in tuple(self._firsts):
            yield self.made[first_seq]


def mark_codes(marks: tuple[Mark, ...]) -> list[int]:
    """The codes of these marks."""
    return [MARKS.index(mark) + 1 for mark in marks]
