"""What queries of lists have in common: limits, numbers, spans of time.

Knows the exchange's words for a query that does not pass. Must not know what is listed.
"""

from collections.abc import Mapping
from typing import Final

from replay.exchange.bodies import invalid_query
from replay.exchange.port import RestAnswer

LONGEST: Final = 19
"""Digits of a number at most, those of an int64: Python refuses to read thousands of them, with an error."""

LAST_S: Final = 253_402_300_799
"""The last second of the year 9999, in Unix seconds."""


def over_limit(operation: str, params: str, field: str = "Limit") -> RestAnswer:
    """A number above its limit: the third shape of an error."""
    return invalid_query(
        f"Parameter validation failed for {operation}: Key: '{params}.{field}' "
        f"Error:Field validation for '{field}' failed on the 'lte' tag"
    )


def number(text: str, most: int) -> int | None:
    """A whole number from 0 to `most`, None when it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST and int(text) <= most else None


def asked_for(query: Mapping[str, str], at_ns: int) -> bool:
    """Whether an instant lies between `min_ts` and `max_ts`, Unix seconds, both included; what is none is no limit."""
    since, until = (number(query.get(name, ""), LAST_S) for name in ("min_ts", "max_ts"))
    at_s = at_ns // 1_000_000_000
    return (not since or at_s >= since) and (not until or at_s <= until)
