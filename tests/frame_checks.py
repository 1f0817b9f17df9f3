"""What a value in a frame may be: the checks that schemas of frames are made of.

Knows how the exchange writes numbers, times and names today. Must not know any frame.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

Check: TypeAlias = Callable[[Any], bool]
Fields: TypeAlias = Mapping[str, Check]
"""Checks by field; a name that ends in "?" may be absent."""


def matching(text: str) -> Check:
    """A text that matches as a whole."""
    compiled = re.compile(text)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def one_of(*words: str) -> Check:
    """One of these texts."""
    return lambda value: isinstance(value, str) and value in words


def list_of(check: Check) -> Check:
    """A list whose members all pass."""
    return lambda value: isinstance(value, list) and all(map(check, value))


def object_of(fields: Fields) -> Check:
    """An object with these fields."""
    return lambda value: isinstance(value, dict) and not faults_in(value, fields)


def or_null(check: Check) -> Check:
    """null, or what passes."""
    return lambda value: value is None or check(value)


def is_text(value: Any) -> bool:
    """Any text."""
    return isinstance(value, str)


def is_flag(value: Any) -> bool:
    """true or false."""
    return isinstance(value, bool)


def is_whole(value: Any) -> bool:
    """A whole number from 0."""
    return type(value) is int and value >= 0


def is_signed(value: Any) -> bool:
    """A whole number."""
    return type(value) is int


def is_place(value: Any) -> bool:
    """A whole number from 1: ids, sids and seqs."""
    return type(value) is int and value >= 1


def is_number(value: Any) -> bool:
    """Any number."""
    return type(value) in (int, float)


def is_level(value: Any) -> bool:
    """A price and a size."""
    return isinstance(value, list) and len(value) == 2 and PRICE(value[0]) and COUNT(value[1])


def is_milliseconds(value: Any) -> bool:
    """Unix milliseconds of this age: seconds or nanoseconds in their place are told apart by their size."""
    return type(value) is int and 10**12 < value < 10**13


def is_seconds(value: Any) -> bool:
    """Unix seconds of this age."""
    return type(value) is int and 10**9 < value < 10**10


PRICE: Final = matching(r"0\.\d{4}|1\.0000")
MONEY: Final = matching(r"-?\d+\.\d{6}")
COUNT: Final = matching(r"\d+\.\d{2}")
CHANGE: Final = matching(r"-?\d+\.\d{2}")
UUID: Final = matching(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIME: Final = matching(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
NAME: Final = matching(r"\S+")
OUTCOME: Final = one_of("yes", "no")
BOOK_SIDE: Final = one_of("bid", "ask")
STRUCTURE: Final = matching(r"[a-z_]+")


def faults_in(values: Mapping[str, Any], fields: Fields, where: str = "") -> list[str]:
    """What is wrong with the members of an object, each as "<place>: <what>"."""
    known = {name.removesuffix("?") for name in fields}
    faults = [f"{where}{name}: unknown" for name in values if name not in known]
    for name, check in fields.items():
        field = name.removesuffix("?")
        if field not in values:
            faults += [] if name.endswith("?") else [f"{where}{field}: missing"]
        elif not check(values[field]):
            faults.append(f"{where}{field}: {values[field]!r}"[:200])
    return faults
