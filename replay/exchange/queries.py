"""What queries of lists have in common: limits, numbers, spans of time.

Knows the exchange's words for a query that does not pass. Must not know what is listed.
"""

from replay.exchange.bodies import invalid_query
from replay.exchange.port import RestAnswer


def over_limit(operation: str, params: str, field: str = "Limit") -> RestAnswer:
    """A number above its limit: the third shape of an error."""
    return invalid_query(
        f"Parameter validation failed for {operation}: Key: '{params}.{field}' "
        f"Error:Field validation for '{field}' failed on the 'lte' tag"
    )


def number(text: str, most: int) -> int | None:
    """A whole number from 0 to `most`, None when it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 and int(text) <= most else None


def within(at_ns: int, since_s: str, until_s: str) -> bool:
    """Whether an instant lies between two texts of Unix seconds; what is none is no limit."""
    since, until = (number(text, 10**10) for text in (since_s, until_s))
    at_s = at_ns // 1_000_000_000
    return (not since or at_s >= since) and (not until or at_s <= until)
