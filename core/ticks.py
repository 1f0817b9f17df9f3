"""Which prices a market takes (protocol 15): bands of prices, each with its step.

Units: 1/10,000 dollar. Knows the exchange's names for structures and their bands. Must not know orders.
"""

from typing import Final

from core.messages.types import PriceRange
from core.money import DOLLAR

_STEPS: Final = {"whole": 100, "half": 50, "quint": 20, "deci": 10, "centi": 1}
"""Step that a name's word means: parts of a cent."""


def _bands(edge: int, edge_step: int, centre_step: int) -> tuple[PriceRange, ...]:
    return (
        PriceRange(0, edge, edge_step),
        PriceRange(edge, DOLLAR - edge, centre_step),
        PriceRange(DOLLAR - edge, DOLLAR, edge_step),
    )


STRUCTURES: Final[dict[str, tuple[PriceRange, ...]]] = {
    "linear_cent": (PriceRange(0, DOLLAR, 100),),
    "deci_cent": (PriceRange(0, DOLLAR, 10),),
    "tapered_deci_cent": _bands(1000, 10, 100),
    "center_deci_edge_centi_cent": _bands(100, 1, 10),
    "center_centi_edge_centi_cent": (PriceRange(0, DOLLAR, 1),),
    "banded_centi_cent": (PriceRange(0, DOLLAR, 1),),
} | {
    f"center_{centre}_edge_{edge}_cent": _bands(1000, _STEPS[edge], _STEPS[centre])
    for centre in ("whole", "half", "quint")
    for edge in ("half", "quint", "deci")
}
"""Bands by name. Those of the center_* names are read from the names; a market's own price_ranges come first."""


def ranges_of(structure: str, ranges: tuple[PriceRange, ...]) -> tuple[PriceRange, ...]:
    """The bands of a market: its own, else those its structure's name means; ValueError when there are neither."""
    found = ranges or STRUCTURES.get(structure, ())
    if not found:
        raise ValueError(f"no price ranges given, and none known of the structure {structure!r}")
    if any(band.step <= 0 or not 0 <= band.start <= band.end <= DOLLAR for band in found):
        raise ValueError(f"price ranges must lie between 0 and a dollar and have steps: {found}")
    return found


def prices_of(ranges: tuple[PriceRange, ...]) -> frozenset[int]:
    """Every price an order may have: on a step of any band; 0 and a dollar are none."""
    return frozenset(
        price for band in ranges for price in range(band.start, band.end + 1, band.step) if 0 < price < DOLLAR
    )


def at_or_below(ranges: tuple[PriceRange, ...], price: int) -> int | None:
    """The highest price an order may have that is not above this one; None = there is none."""
    return max((found for band in ranges if (found := _down(band, price)) is not None), default=None)


def at_or_above(ranges: tuple[PriceRange, ...], price: int) -> int | None:
    """The lowest price an order may have that is not below this one; None = there is none."""
    return min((found for band in ranges if (found := _up(band, price)) is not None), default=None)


def _down(band: PriceRange, price: int) -> int | None:
    price = min(price, band.end, DOLLAR - 1)
    found = price - (price - band.start) % band.step
    return found if found >= max(band.start, 1) else None


def _up(band: PriceRange, price: int) -> int | None:
    price = max(price, band.start, 1)
    found = price + (band.start - price) % band.step
    return found if found <= min(band.end, DOLLAR - 1) else None
