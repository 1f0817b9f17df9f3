"""What a REST record says: which endpoint answered, and its body in our units.

Knows the paths of the endpoints that anybody here reads. Must not know who asked or what is done with the answer.
"""

import base64
import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from core import answers
from core.messages.types import Malformed
from core.records import RestCall

_ROOT: Final = re.compile(r"(?:/[^/]+)*?(/(?:markets|events|series|exchange|portfolio|historical|account)(?:/.*)?)")
"""A path of the API behind whatever prefix it has."""

_ESCAPE: Final = re.compile(rb"%([0-9A-Fa-f]{2})")

_READERS: Final[tuple[tuple[re.Pattern[str], Callable[[bytes], Any]], ...]] = tuple(
    (re.compile(pattern), reader)
    for pattern, reader in (
        (r"/markets", answers.parse_markets),
        (r"/markets/orderbooks", answers.parse_orderbooks),
        (r"/markets/trades", answers.parse_trades),
        (r"/markets/[^/]+/orderbook", answers.parse_orderbook),
        (r"(?:/historical)?/markets/[^/]+", answers.parse_market),
        (r"/events", answers.parse_events),
        (r"/events/[^/]+", answers.parse_event),
        (r"/series/[^/]+", answers.parse_series),
        (r"/exchange/status", answers.parse_status),
        (r"/exchange/schedule", answers.parse_schedule),
        (r"/portfolio/balance", answers.parse_balance),
        (r"/portfolio/positions", answers.parse_positions),
        (r"/portfolio/orders", answers.parse_orders),
        (r"/portfolio/orders/[^/]+", answers.parse_order),
        (r"/portfolio/fills", answers.parse_fills),
        (r"/portfolio/settlements", answers.parse_settlements),
    )
)


class Fetched(msgspec.Struct, frozen=True):
    """A successful answer to a GET. path: below the API's prefix. value: as core.answers has it.

    why: what it was asked for; "decision 7" for a Fetch. asked_ns: when, by the tape's time.
    """

    path: str
    params: tuple[tuple[str, str], ...]
    value: Any
    why: str = ""
    asked_ns: int = 0

    @property
    def market(self) -> str:
        """The ticker in the path of a single market's endpoint, else ""."""
        parts = self.path.split("/")
        return _unescaped(parts[2]) if len(parts) > 2 and parts[1] == "markets" else ""


def endpoint_of(call: RestCall) -> str:
    """The path below the API's prefix, without query; "" when it is none we know."""
    found = _ROOT.fullmatch(call.path.partition("?")[0])
    return "" if found is None else found[1]


def read(call: RestCall, now_ns: int) -> Fetched | None:
    """The answer, None when it is none: a refusal, an error, an endpoint nobody reads, a body that cannot be read."""
    if call.method != "GET" or not 200 <= call.status < 300 or call.error:
        return None
    path = endpoint_of(call)
    reader = next((reader for pattern, reader in _READERS if pattern.fullmatch(path)), None)
    if reader is None:
        return None
    value = reader(_body(call))
    if isinstance(value, Malformed):
        return None
    query = [part.partition("=") for part in call.path.partition("?")[2].split("&") if part]
    params = tuple((_plain(name), _plain(value)) for name, _, value in query)
    return Fetched(path, params, value, call.why, max(now_ns - call.took_ns, 0))


def _plain(text: str) -> str:
    """A part of a query without its escapes."""
    return _unescaped(text.replace("+", " "))


def _unescaped(text: str) -> str:
    """A part of a path without its escapes."""
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), text.encode()).decode("utf-8", "replace")


def _body(call: RestCall) -> bytes:
    return base64.b64decode(call.answer_base64) if call.answer_base64 else call.answer.encode()
