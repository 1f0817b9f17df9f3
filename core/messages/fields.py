"""One JSON object of a frame, read field by field: every value is checked here and nowhere else.

Knows both number dialects (text with a fixed point first, whole cents and counts after) and what counts as given.
Must not know which message has which fields: the parsers beside it do. A reason names our field names only, never
a value that was sent, so that reasons can be counted.
"""

import heapq
from collections.abc import Callable, Iterable
from typing import Any, Final, TypedDict

import msgspec

from core.messages.types import Side
from core.money import (
    money_from_centicents,
    parse_money,
    parse_price,
    parse_size,
    price_from_cents,
    size_from_count,
)
from core.times import from_epoch, parse_rfc3339

INT64_MAX: Final = (1 << 63) - 1  # the widest integer a column holds
MAX_SID: Final = (1 << 31) - 1  # sids count from 1 in each session and have a 32-bit column
MAX_NAME: Final = 1024  # characters of a ticker or identifier; real ones have up to 90
MAX_UNKNOWN_NAME: Final = 64  # characters kept of a name the exchange made up
MAX_UNKNOWN_FIELDS: Final = 32  # names kept of one frame: a frame of a million keys must not fill the counters

_SIDES: Final = {"yes": Side.YES, "no": Side.NO}


class Refused(Exception):  # noqa: N818  # not an error: the way out of a parser, ends as a Malformed value
    """The frame says nothing we can use; `reason` is short and countable."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Head(TypedDict):
    """What every message takes from the frame around `msg`."""

    sid: int
    seq: int
    id: int
    sending_ms: int


class Notation(msgspec.Struct, frozen=True):
    """How one kind of number is written: `parse` reads the text form, `from_whole` the integers of before 2026."""

    noun: str
    parse: Callable[[str], int]
    from_whole: Callable[[int], int]
    signed: bool = False


PRICE: Final = Notation("price", parse_price, price_from_cents)
SIZE: Final = Notation("size", parse_size, size_from_count)
CHANGE: Final = Notation("size", parse_size, size_from_count, signed=True)
MONEY: Final = Notation("amount", parse_money, money_from_centicents, signed=True)


class Fields:
    """The members of a JSON object; remembers which were asked for, so that the others can be reported.

    A member that is null counts as not given, and so does the empty text where a number or a time is meant.
    Every method raises Refused when the member is given and is not what is asked for, times excepted.
    """

    __slots__ = ("_known", "_values", "bad")

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values
        self._known: set[str] = set()
        self.bad: list[str] = []  # names of times that are none

    def take(self, name: str) -> Any:
        """The member as decoded, None when not given."""
        self._known.add(name)
        return self._values.get(name)

    def ignore(self, names: Iterable[str]) -> None:
        """Members known to exist that nothing here needs; they are not checked."""
        self._known.update(names)

    def _first(self, names: tuple[str, ...]) -> tuple[str, Any]:
        given = [(name, value) for name in names if (value := self.take(name)) is not None]
        return given[0] if given else (names[0], None)

    def name(self, *names: str) -> str:
        """The first given of these members: a ticker or identifier, never empty."""
        name, value = self._first(names)
        if value is None:
            raise Refused(f"{name}: missing")
        if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME:
            raise Refused(f"{name}: not a name")
        return value

    def text(self, *names: str) -> str:
        """The first given of these members, "" when none is."""
        name, value = self._first(names)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise Refused(f"{name}: not a text")
        return value

    def texts(self, name: str) -> tuple[str, ...] | None:
        """A list of texts, None when not given."""
        value = self.take(name)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            raise Refused(f"{name}: not a list of names")
        return tuple(value)

    def integer(self, name: str, *, least: int = 0, most: int = INT64_MAX) -> int | None:
        """A whole number within bounds, None when not given."""
        value = self.take(name)
        if value is None:
            return None
        if type(value) is not int or not least <= value <= most:
            raise Refused(f"{name}: not a number")
        return value

    def flag(self, name: str) -> bool | None:
        """true or false, None when not given."""
        value = self.take(name)
        if value is None or isinstance(value, bool):
            return value
        raise Refused(f"{name}: not a flag")

    def side(self, *names: str) -> Side:
        """The first given of these members: yes or no."""
        name, value = self._first(names)
        if value is None:
            raise Refused(f"{name}: missing")
        side = _SIDES.get(value) if isinstance(value, str) else None
        if side is None:
            raise Refused(f"{name}: not a side")
        return side

    def number(self, notation: Notation, text: str, whole: str = "") -> int | None:
        """The number in our units, from the member in the text form or else from the one in whole units."""
        written, counted = self.take(text), self.take(whole) if whole else None
        if written is not None and written != "":
            return _converted(text, written if isinstance(written, str) else None, notation.parse, notation)
        if counted is not None:
            return _converted(whole, counted if type(counted) is int else None, notation.from_whole, notation)
        return None

    def required(self, notation: Notation, text: str, whole: str = "") -> int:
        """As `number`, for a number without which the message means nothing."""
        value = self.number(notation, text, whole)
        if value is None:
            raise Refused(f"{text}: missing")
        return value

    def time(self, *names: str) -> int:
        """Unix ns from the first of these members that tells a time, 0 when none does; those that fail become bad."""
        times = [at_ns for name in names if (at_ns := self._time(name))]
        return times[0] if times else 0

    def _time(self, name: str) -> int:
        value = self.take(name)
        if value is None or value == "" or (value == 0 and type(value) is int):
            return 0
        try:
            if isinstance(value, str):
                return parse_rfc3339(value)
            if type(value) is int:
                return from_epoch(value)
        except ValueError:
            pass
        self.bad.append(name)
        return 0

    def unknown(self, prefix: str = "") -> list[str]:
        """What nobody asked for, and "bad:" times."""
        names = [prefix + name[:MAX_UNKNOWN_NAME] for name in self._values if name not in self._known]
        return names + [f"bad:{name}" for name in self.bad]


def _converted(name: str, value: Any, convert: Callable[[Any], int], notation: Notation) -> int:
    """`value` in our units; None stands for a value of another JSON type."""
    try:
        number = None if value is None else convert(value)
    except ValueError:
        number = None
    if number is None or (number < 0 and not notation.signed):
        raise Refused(f"{name}: not {'an' if notation.noun == 'amount' else 'a'} {notation.noun}")
    return number


def first_names(names: Iterable[str]) -> tuple[str, ...]:
    """The names sorted, each once, and no more than MAX_UNKNOWN_FIELDS of them."""
    return tuple(heapq.nsmallest(MAX_UNKNOWN_FIELDS, set(names)))
