from typing import Any

import pytest

from core.views import MarketView, PricePoint, RestBook


def test_an_ask_is_the_other_sides_best_bid_seen_from_here() -> None:
    view = MarketView(market="M", yes=((4_100, 10), (4_200, 30)), no=((5_500, 20), (5_600, 17)))
    assert view.yes_bid == (4_200, 30)
    assert view.no_bid == (5_600, 17)
    assert view.yes_ask == (4_400, 17)
    assert view.no_ask == (5_800, 30)
    assert not view.is_crossed


def test_an_empty_side_has_no_bid_and_gives_no_ask() -> None:
    view = MarketView(market="M", yes=((4_100, 10),))
    assert (view.no_bid, view.yes_ask) == (None, None)
    assert view.no_ask == (5_900, 10)
    assert not view.is_crossed


@pytest.mark.parametrize(("no", "crossed"), [(5_799, False), (5_800, True), (5_900, True)])
def test_a_book_is_crossed_when_the_best_bids_are_worth_a_dollar_together(no: int, crossed: bool) -> None:
    assert MarketView(market="M", yes=((4_200, 1),), no=((no, 1),)).is_crossed is crossed


@pytest.mark.parametrize("value", [MarketView(market="M"), PricePoint(1, None, None), RestBook(1, (), ())])
def test_nobody_can_write_through_a_view(value: Any) -> None:
    name = next(iter(value.__struct_fields__))
    with pytest.raises(AttributeError):
        setattr(value, name, "other")


def test_what_is_not_known_is_not_shown_as_zero() -> None:
    view = MarketView(market="M")
    assert view.position is None
    assert view.last_trade is None
    assert view.ticker is None
    assert view.owner is None
    assert not view.trusted
