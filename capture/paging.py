"""Walking through a listing page by page, to its end and no further.

Knows that a cursor that the exchange does not know restarts the listing without a word (protocol 12.2).
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from capture.rest import RestClient
from core.answers import Page
from core.errors import ExchangeError
from core.messages.types import Malformed

T = TypeVar("T")
Params = Sequence[tuple[str, str]]

MAX_PAGES: Final = 10_000
"""Pages of one listing: ten million markets, thirty times what was ever listed."""


def parsed(path: str, value: T | Malformed) -> T:
    """The answer; ExchangeError when it is not what such an answer is (the bytes are on the tape)."""
    if isinstance(value, Malformed):
        raise ExchangeError(f"{path}: the answer cannot be read: {value.reason}; it is on the tape as it came")
    return value


def walk(
    client: RestClient, path: str, params: Params, parse: Callable[[bytes], Page[T] | Malformed], why: str
) -> Iterator[T]:
    """Every item of a listing. ExchangeError: a page could not be had or read, or the listing goes round in circles."""
    cursor, seen = "", set[str]()
    for _ in range(MAX_PAGES):
        asked = [*params, ("cursor", cursor)] if cursor else params
        page = parsed(path, parse(client.call("GET", path, params=asked, why=why)))
        yield from page.items
        cursor = page.cursor
        if not cursor:
            return
        if cursor in seen:
            break
        seen.add(cursor)
    raise ExchangeError(f"{path}: the listing does not end: a cursor came back for the second time; try again")


def query(**given: object) -> list[tuple[str, str]]:
    """Name and value pairs of what is given: None, "", 0 and False are not; True is "true", tuples have commas."""
    found = []
    for name, value in given.items():
        if isinstance(value, tuple):
            value = ",".join(value)
        if value:
            found.append((name, "true" if value is True else str(value)))
    return found
