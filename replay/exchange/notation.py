"""How a tape writes its books, and a book written just so: the snapshot that a late subscriber is owed.

Knows the eras of orderbook_snapshot (protocol 8.1 and 18): whole cents, price texts with whole counts, fixed point,
with or without `clock`. Must not know where the book comes from or who asks.
"""

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from core.messages.types import Level
from core.money import DOLLAR, format_price, format_size
from core.views import MarketView
from replay.exchange.port import Template

CENT: Final = DOLLAR // 100
CONTRACT: Final = 100

_INTEGERS: Final = re.compile(rb'"(?:price|delta)"\s*:\s*-?[0-9]|"(?:yes|no)"\s*:\s*\[')
_DOLLARS: Final = re.compile(rb'"(?:price|yes|no)_dollars"\s*:')
_FIXED: Final = re.compile(rb'"(?:delta|yes_dollars|no_dollars)_fp"\s*:')
_CLOCK: Final = re.compile(rb'"clock"\s*:')


class Notation(msgspec.Struct, frozen=True):
    """Which members a book frame has. cents: integers; dollars: price texts with whole counts; fixed: `_fp`.

    clock: None = as the book has one. end: what follows the frame's last brace.
    """

    cents: bool = False
    dollars: bool = False
    fixed: bool = True
    clock: bool | None = None
    end: bytes = b"\n"

    @classmethod
    def of(cls, payload: bytes) -> "Notation":
        """As a recorded orderbook_delta or orderbook_snapshot has it; an empty book shows no era and counts as new."""
        cents, fixed = _INTEGERS.search(payload) is not None, _FIXED.search(payload) is not None
        dollars = cents and _DOLLARS.search(payload) is not None
        return cls(
            cents=cents,
            dollars=dollars,
            fixed=fixed or not cents,
            clock=_CLOCK.search(payload) is not None,
            end=payload[len(payload.rstrip()) :],
        )


def snapshot(view: MarketView, notation: Notation, *, market_id: str = "", yes_price: bool = False) -> Template:
    """A book as an orderbook_snapshot of that notation; a side without bids is left out.

    Levels that whole cents and whole counts cannot say make all of them fixed point. yes_price: no-side prices are on
    the yes scale, levels in the same order.
    """
    body: dict[str, Any] = {"market_ticker": view.market}
    if market_id:
        body["market_id"] = market_id
    if view.clock if notation.clock is None else notation.clock:
        body["clock"] = view.clock
    whole = all(not price % CENT and not size % CONTRACT for price, size in (*view.yes, *view.no))
    no = tuple((DOLLAR - price, size) for price, size in view.no) if yes_price else view.no
    for side, levels in (("yes", view.yes), ("no", no)):
        if levels:
            body |= {side + suffix: [write(level) for level in levels] for suffix, write in _ways(notation, whole)}
    after = b',"msg":%b}%b' % (msgspec.json.encode(body), notation.end)
    return Template(b'{"type":"orderbook_snapshot","sid":', b',"seq":', after)


def _ways(notation: Notation, whole: bool) -> list[tuple[str, Callable[[Level], Any]]]:
    ways: list[tuple[str, Callable[[Level], Any]]] = []
    if whole and notation.cents:
        ways.append(("", lambda level: (level[0] // CENT, level[1] // CONTRACT)))
    if whole and notation.dollars:
        ways.append(("_dollars", lambda level: (format_price(level[0]), level[1] // CONTRACT)))
    if notation.fixed or not ways:
        ways.append(("_dollars_fp", lambda level: (format_price(level[0]), format_size(level[1]))))
    return ways
