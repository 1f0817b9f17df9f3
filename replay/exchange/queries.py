"""What queries of lists have in common: limits, numbers, spans of time.

Knows the exchange's words for a query that does not pass. Must not know what is listed.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from replay.exchange.bodies import invalid_query
from replay.exchange.port import RestAnswer

MAX_BOOKS: Final = 100
"""Markets in one request for books (protocol 12.1)."""

MAX_DEPTH: Final = 100
"""Levels of a side that can be asked for."""

LONGEST: Final = 19
"""Digits of a number at most, those of an int64: Python refuses to read thousands of them, with an error."""

LAST_S: Final = 253_402_300_799
"""The last second of the year 9999, in Unix seconds."""


def invalid_field(operation: str, field: str = "Limit", tag: str = "lte") -> RestAnswer:
    """A parameter that breaks the rule of this tag: the third shape of an error (protocol 13.5)."""
    return invalid_query(
        f"Parameter validation failed for {operation}: Key: '{operation}Params.{field}' "
        f"Error:Field validation for '{field}' failed on the '{tag}' tag"
    )


def asked_books(query: Iterable[tuple[str, str]]) -> Sequence[str] | RestAnswer:
    """The markets of a request for several books, each once, or the refusal of none and of too many."""
    tickers = list(dict.fromkeys(value for name, value in query if name == "tickers" and value))
    if not tickers:
        return invalid_field("GetMarketOrderbooks", "Tickers", "required")
    return tickers if len(tickers) <= MAX_BOOKS else invalid_field("GetMarketOrderbooks", "Tickers", "max")


def number(text: str, most: int) -> int | None:
    """A whole number from 0 to `most`, None when it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST and int(text) <= most else None


def asked_depth(query: Iterable[tuple[str, str]]) -> int | RestAnswer:
    """How many of the best levels of each side are asked for, 0 = all, or the refusal of too many."""
    depth = number(dict(query).get("depth", "") or "0", MAX_DEPTH)
    return invalid_field("GetMarketOrderbook", "Depth") if depth is None else depth


def asked_for(query: Mapping[str, str], at_ns: int) -> bool:
    """Whether an instant lies between `min_ts` and `max_ts`, Unix seconds, both included; what is none is no limit."""
    since, until = (number(query.get(name, ""), LAST_S) for name in ("min_ts", "max_ts"))
    at_s = at_ns // 1_000_000_000
    return (not since or at_s >= since) and (not until or at_s <= until)
