"""How every body is read: strict JSON, an object, its members one by one, a page of a listing.

Knows `Fields`, which checks each value. Must not know any particular answer.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from core.answers.types import Page
from core.messages.fields import Fields, Refused
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
    """The list under that name, and where the next page begins."""
    return Page(items(fields, name, reader), fields.text("cursor"))
