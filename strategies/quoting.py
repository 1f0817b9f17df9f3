"""What to bid and to ask in one market: pure arithmetic from the book of others, inventory, fees and ticks.

Must not know orders, health or why anybody quotes. Prices in 1/10,000 dollar on the yes scale, sizes in 1/100 contract.
"""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from core.fees import FeeTerms, fee_step, trade_fee
from core.messages.types import Level, PriceRange
from core.money import DOLLAR
from core.ticks import at_or_above, at_or_below

CONTRACT: Final = 100
"""Size of one contract."""


class Quote(NamedTuple):
    """A price and how much; size 0 = none on this side."""

    price: int
    size: int


NONE: Final = Quote(0, 0)


class Top(NamedTuple):
    """The best bid and offer of others, with their sizes; None = nobody."""

    bid: int | None
    bid_size: int
    ask: int | None
    ask_size: int


class Shape(NamedTuple):
    """How to quote. half_spread: from the fair price, at least; edge: over the maker fee, at least. size: of a quote.

    skew: by how much the fair price moves against a full position. most: position either way.
    """

    half_spread: int
    edge: int
    skew: int
    size: int
    most: int


def without_own(levels: Iterable[Level], own: dict[int, int]) -> Level | None:
    """The first level (best first) at which somebody else is, with their size; own: our sizes by price."""
    for price, size in levels:
        left = size - own.get(price, 0)
        if left > 0:
            return price, left
    return None


def unquotable(top: Top, max_spread: int) -> str:
    """Why nothing can be quoted around these prices, "" = it can."""
    if top.bid is None or top.ask is None:
        return "nobody else bids" if top.bid is None else "nobody else offers"
    if top.bid >= top.ask:
        return "crossed"
    return "the spread is too wide" if top.ask - top.bid > max_spread else ""


def fair_price(top: Top) -> int | None:
    """The mid, drawn to the side with less on offer; None = there are not two sides."""
    if top.bid is None or top.ask is None or top.bid >= top.ask:
        return None
    total = top.bid_size + top.ask_size
    return (top.bid * top.ask_size + top.ask * top.bid_size) // total if total else (top.bid + top.ask) // 2


def fee_per_contract(terms: FeeTerms, price: int, now_ns: int) -> int:
    """The maker's fee of one contract at a price, rounded up to price units."""
    money = trade_fee(terms, price, CONTRACT, fee_step(now_ns), taker=False)
    return -(-money // CONTRACT)


def quotes(
    top: Top, shape: Shape, position: int, *, terms: FeeTerms, ranges: tuple[PriceRange, ...], now_ns: int
) -> tuple[Quote, Quote]:
    """The bid and the offer to have in the market; NONE where there is none.

    Both stay on their side of others' prices, so that they rest; each is at least `edge` and its own fee away from the
    fair price; a full position is only offered, never added to.
    """
    fair = fair_price(top)
    if fair is None or top.bid is None or top.ask is None:
        return NONE, NONE
    fair -= shape.skew * max(-shape.most, min(position, shape.most)) // shape.most
    fair = max(1, min(fair, DOLLAR - 1))

    half = max(shape.half_spread, 1)  # else both could be the fair price, and trade with one another

    def earns(price: int) -> bool:
        """Whether a fill there is worth the fee and the edge."""
        return abs(price - fair) >= fee_per_contract(terms, price, now_ns) + shape.edge

    bid = _outward(ranges, min(fair - half, top.ask - 1), earns, at_or_below, -1)
    ask = _outward(ranges, max(fair + half, top.bid + 1), earns, at_or_above, 1)
    bid_size = min(shape.size, shape.most - position)
    ask_size = min(shape.size, shape.most + position)
    return (
        Quote(bid, bid_size) if bid is not None and bid_size > 0 else NONE,
        Quote(ask, ask_size) if ask is not None and ask_size > 0 else NONE,
    )


def _outward(
    ranges: tuple[PriceRange, ...],
    price: int,
    earns: Callable[[int], bool],
    on_tick: Callable[[tuple[PriceRange, ...], int], int | None],
    step: int,
) -> int | None:
    """The first price from this one on away from the fair price that is on a tick and earns enough; None = there is
    none. A fee is largest at half a dollar, so it is the price's own that counts, not the fair price's."""
    found = on_tick(ranges, price)
    while found is not None and not earns(found):
        found = on_tick(ranges, found + step)
    return found
