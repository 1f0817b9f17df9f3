"""Tests of price grids: what each structure means, and which prices an order may have."""

import pytest

from core.messages.types import PriceRange
from core.money import DOLLAR
from core.ticks import STRUCTURES, at_or_above, at_or_below, prices_of, ranges_of


@pytest.mark.parametrize(
    ("structure", "valid", "invalid"),
    [
        ("linear_cent", [100, 5600, 9900], [0, 5650, 5601, DOLLAR]),
        ("deci_cent", [10, 5610, 9990], [0, 5, 5605, DOLLAR]),
        ("tapered_deci_cent", [10, 990, 1000, 1100, 9000, 9010, 9990], [5, 1010, 8990, 9005]),
        ("center_half_edge_half_cent", [50, 1000, 1050, 5050, 9950], [10, 5010]),
        ("center_whole_edge_deci_cent", [10, 990, 1100, 9010], [1010, 1050]),
        ("center_quint_edge_deci_cent", [10, 1020, 5020], [1010, 5010]),
        ("center_deci_edge_centi_cent", [1, 99, 100, 110, 9900, 9901], [101, 5005]),
        ("banded_centi_cent", [1, 5001, 9999], [0, DOLLAR]),
    ],
)
def test_a_structure_means_its_steps(structure: str, valid: list[int], invalid: list[int]) -> None:
    prices = prices_of(ranges_of(structure, ()))
    assert [price for price in valid if price not in prices] == []
    assert [price for price in invalid if price in prices] == []


@pytest.mark.parametrize("structure", sorted(STRUCTURES))
def test_every_grid_is_symmetric_so_that_a_no_price_is_on_it_too(structure: str) -> None:
    prices = prices_of(STRUCTURES[structure])
    assert prices == {DOLLAR - price for price in prices}


def test_a_markets_own_bands_come_before_what_its_structures_name_means() -> None:
    bands = (PriceRange(0, 5000, 250), PriceRange(5000, DOLLAR, 1000))
    assert ranges_of("linear_cent", bands) == bands
    assert ranges_of("", bands) == bands
    assert sorted(prices_of(bands))[-6:] == [4750, 5000, 6000, 7000, 8000, 9000]


@pytest.mark.parametrize("bands", [(), (PriceRange(0, DOLLAR, 0),), (PriceRange(100, 50, 10),)])
def test_bands_that_hold_no_prices_are_refused(bands: tuple[PriceRange, ...]) -> None:
    with pytest.raises(ValueError, match="price ranges"):
        ranges_of("", bands)


@pytest.mark.parametrize(
    "bands", [*STRUCTURES.values(), (PriceRange(500, 3_000, 250), PriceRange(5_000, 9_050, 100))], ids=str
)
def test_the_nearest_prices_are_those_of_the_grid(bands: tuple[PriceRange, ...]) -> None:
    prices = sorted(prices_of(bands))
    for price in (
        -5,
        0,
        1,
        49,
        50,
        51,
        99,
        100,
        455,
        500,
        505,
        1_000,
        3_001,
        4_999,
        5_005,
        9_001,
        9_051,
        9_999,
        10_005,
    ):
        assert at_or_below(bands, price) == max((found for found in prices if found <= price), default=None)
        assert at_or_above(bands, price) == min((found for found in prices if found >= price), default=None)


def test_without_bands_there_is_no_price() -> None:
    assert at_or_below((), 5_000) is None
    assert at_or_above((), 5_000) is None
