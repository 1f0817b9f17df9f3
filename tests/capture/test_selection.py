"""What is selected, and what a selection covers."""

import pytest

from capture.selection import CHANNELS, MAX_NAMES, PUBLIC_CHANNELS, Selection, choose_channels, select, series_of
from core.errors import ConfigError


def test_nothing_selected_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"nothing is selected.*--market.*--all"):
        select()
    with pytest.raises(ConfigError, match="nothing is selected"):
        select(combos=True)


@pytest.mark.parametrize("name", ["", " ", "KX DEMO", "KX/../etc", "x" * 129, "K\nX", "-KX", "'; drop"])
def test_what_is_no_ticker_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"--series .* is no ticker"):
        select(series=[name])


def test_names_are_kept_in_order_trimmed_and_once() -> None:
    wanted = select(markets=["B-1", " A-1 ", "B-1"], events=["E-1"], series=["S"])
    assert wanted == Selection(("B-1", "A-1"), ("S",), ("E-1",))


def test_too_many_names_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"10,001 times.*10,000"):
        select(markets=(f"A-{n}" for n in range(MAX_NAMES + 1)))


def test_a_market_is_covered_by_its_name_its_event_its_series_or_everything() -> None:
    market = "KXDEMO-26NOV23-T50"
    assert Selection(markets=(market,)).covers(market)
    assert Selection(events=("KXDEMO-26NOV23",)).covers(market, "KXDEMO-26NOV23")
    assert Selection(events=("KXDEMO-26NOV23",)).covers(market)
    assert Selection(series=("KXDEMO",)).covers(market)
    assert Selection(everything=True).covers(market)
    for other in (
        Selection(markets=("KXDEMO-26NOV23-T5",)),
        Selection(events=("KXDEMO",)),
        Selection(series=("KXDEM",)),
    ):
        assert not other.covers(market)


def test_what_the_exchange_says_of_event_and_series_beats_the_ticker() -> None:
    assert not Selection(series=("KXDEMO",)).covers("KXDEMO-26NOV23-T50", "KXDEMO-26NOV23", "KXOTHER")
    assert Selection(series=("KXOTHER",)).covers("KXDEMO-26NOV23-T50", "KXDEMO-26NOV23", "KXOTHER")
    assert Selection(events=("OTHER",)).covers("KXDEMO-26NOV23-T50", "OTHER")


def test_combos_are_left_out_unless_asked_for_or_named() -> None:
    combo = "KXMVESPORTS-S2026-ABC"
    assert not Selection(everything=True).covers(combo)
    assert Selection(everything=True, combos=True).covers(combo)
    assert Selection(markets=(combo,)).covers(combo)


@pytest.mark.parametrize("option", ["series", "events"])
def test_a_selection_of_combos_without_combos_is_refused(option: str) -> None:
    with pytest.raises(ConfigError, match=r"KXMVESPORTS.*--combos"):
        select(**{option: ["KXMVESPORTS"]})  # type: ignore[arg-type]  # the option's name varies, its type does not
    assert select(series=["KXMVESPORTS"], combos=True).series == ("KXMVESPORTS",)


def test_only_a_selection_by_name_is_complete_from_the_start() -> None:
    assert not Selection(markets=("A-1",)).is_open_ended
    for wanted in (Selection(series=("S",)), Selection(events=("E",)), Selection(everything=True)):
        assert wanted.is_open_ended


def test_channels_are_the_public_ones_unless_named() -> None:
    assert choose_channels([]) == PUBLIC_CHANNELS
    assert choose_channels([], combos=True) == (*PUBLIC_CHANNELS, "multivariate_market_lifecycle")
    assert choose_channels(["trade", "fill", "trade"]) == ("trade", "fill")
    assert choose_channels(CHANNELS) == CHANNELS


def test_a_channel_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(ConfigError, match=r"'orderbook'.*orderbook_delta, ticker"):
        choose_channels(["orderbook"])


def test_the_series_is_what_precedes_the_first_hyphen() -> None:
    assert series_of("KXDEMO-26NOV23") == "KXDEMO"
    assert series_of("KXDEMO") == "KXDEMO"
