"""How every body is read: strict JSON, an object, its members one by one, a page of a listing.

Knows `Fields`, which checks each value. Must not know any particular answer.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from core.answers.types import Page
from core.messages.fields import Fields, Notation, Refused
from core.messages.strict import NotStrict, parse_json
from core.messages.types import Malformed

T = TypeVar("T")

MAX_ITEMS: Final = 100_000
"""Objects in one listing; a page of the exchange has 1,000."""


def read(body: bytes, reader: Callable[[Fields], T]) -> T | Malformed:
    """What `reader` makes of the body's object; Malformed with a countable reason when there is none to be made."""
    try:
        return reader(fields_of(parse_json(body)))
    except (NotStrict, Refused) as refusal:
        return Malformed(refusal.reason)


def fields_of(value: Any, name: str = "") -> Fields:
    """The members of a JSON object; raises Refused when it is none."""
    if not isinstance(value, dict):
        raise Refused(f"{name}: not an object" if name else "not-an-object")
    return Fields(value)


def member(fields: Fields, name: str) -> Fields:
    """The object under that name; raises Refused when there is none."""
    value = fields.take(name)
    if value is None:
        raise Refused(f"{name}: missing")
    return fields_of(value, name)


def items(fields: Fields, name: str, reader: Callable[[Fields], T], *, required: bool = True) -> tuple[T, ...]:
    """Every object of the list under that name."""
    value = fields.take(name)
    if value is None and not required:
        return ()
    if not isinstance(value, list):
        raise Refused(f"{name}: {'missing' if value is None else 'not a list'}")
    if len(value) > MAX_ITEMS:
        raise Refused(f"{name}: too many")
    return tuple(reader(fields_of(entry, name)) for entry in value)


def page(fields: Fields, name: str, reader: Callable[[Fields], T]) -> Page[T]:
    """The list under that name, whole or not at all, and where the next page begins."""
    return Page(items(fields, name, reader), fields.text("cursor"))


def lenient_page(fields: Fields, name: str, reader: Callable[[Fields], T]) -> Page[T]:
    """As `page`, but an item that cannot be read is left out and counted: one market must not hide a thousand.

    Of a list of which nothing can be read the first reason is that of all: that is no empty list.
    """
    refused: list[str] = []

    def attempt(item: Fields) -> T | None:
        """The item, or None with its reason noted."""
        try:
            return reader(item)
        except Refused as refusal:
            refused.append(refusal.reason)
            return None

    found = tuple(item for item in items(fields, name, attempt) if item is not None)
    if refused and not found:
        raise Refused(refused[0])
    return Page(found, fields.text("cursor"), tuple(refused))


def number_or_none(fields: Fields, notation: Notation, text: str, whole: str = "") -> int | None:
    """A number that informs and decides nothing: None also for one that cannot be, as the sizes below 0 that came."""
    try:
        return fields.number(notation, text, whole)
    except Refused:
        return None
