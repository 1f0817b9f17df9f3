"""Walking through a listing page by page, to its end and no further.

Knows that a cursor that the exchange does not know restarts the listing without a word (protocol 12.2), and that the
first member of an item's struct is its name.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

import msgspec

from capture.rest import RestClient
from core.answers import Page
from core.errors import ExchangeError
from core.messages.types import Malformed

T = TypeVar("T")
Item = TypeVar("Item", bound=msgspec.Struct)
Params = Sequence[tuple[str, str]]

MAX_PAGES: Final = 10_000
"""Pages of one listing: ten million markets, thirty times what was ever listed."""


def parsed(path: str, value: T | Malformed) -> T:
    """The answer; ExchangeError when it is not what such an answer is (the bytes are on the tape)."""
    if isinstance(value, Malformed):
        raise ExchangeError(f"{path}: the answer cannot be read: {value.reason}; it is on the tape as it came")
    return value


def walk(
    client: RestClient, path: str, params: Params, parse: Callable[[bytes], Page[Item] | Malformed], why: str
) -> Iterator[Item]:
    """Every item of a listing. ExchangeError: a page could not be had or read, or the listing goes round in circles.

    What changes while it is walked may be found twice or not at all. Items that cannot be read are counted by the
    client.
    """
    cursor, first, seen = "", "", set[str]()
    for _ in range(MAX_PAGES):
        asked = [*params, ("cursor", cursor)] if cursor else params
        page = parsed(path, parse(client.call("GET", path, params=asked, why=why)))
        client.unread.update(page.refused)
        name = _name(page.items[0]) if page.items else ""
        if cursor and name and name == first:
            raise ExchangeError(f"{path}: the listing began again instead of going on; try again")
        first = first or name
        yield from page.items
        cursor = page.cursor
        if not cursor:
            return
        if cursor in seen:
            break
        seen.add(cursor)
    raise ExchangeError(f"{path}: the listing does not end: a cursor came back for the second time; try again")


def _name(item: msgspec.Struct) -> str:
    return str(getattr(item, item.__struct_fields__[0]))


def query(**given: object) -> list[tuple[str, str]]:
    """Name and value pairs of what is given: None, "", 0 and False are not; True is "true", tuples have commas."""
    found = []
    for name, value in given.items():
        if isinstance(value, tuple):
            value = ",".join(value)
        if value:
            found.append((name, "true" if value is True else str(value)))
    return found
