"""What is asked about markets, events and series."""

from collections.abc import Iterator

import pytest
from catalogue_server import CatalogueServer, market

from capture.answer_log import AnswerLog
from capture.api import Api
from capture.catalogue import Catalogue
from capture.environments import environment
from capture.rest import RestClient, RestOptions
from core.errors import ExchangeError


@pytest.fixture
def exchange() -> Iterator[CatalogueServer]:
    """Two markets, a combo, and one that moved to the archive."""
    markets = (
        market("KXA-1-T1"),
        market("KXA-1-T2", mve_collection_ticker="KXMVE-C"),
        market("KXMVE-1-T1"),
        market("KXA-0-T1", "finalized"),
    )
    with CatalogueServer(*markets) as server:
        server.archived.add("KXA-0-T1")
        yield server


@pytest.fixture
def catalogue(exchange: CatalogueServer) -> Catalogue:
    """Asks that exchange, once each."""
    return Catalogue(Api(RestClient(environment(exchange.url), None, AnswerLog(), RestOptions(max_tries=1))))


def test_a_market_is_found_by_name_also_in_the_archive_or_is_none(
    exchange: CatalogueServer, catalogue: Catalogue
) -> None:
    found = catalogue.market("KXA-1-T1")
    assert found is not None
    assert (found.ticker, found.event, found.status, found.combo) == ("KXA-1-T1", "KXA-1", "active", False)
    archived = catalogue.market("KXA-0-T1")
    assert archived is not None
    assert archived.is_final
    assert catalogue.market("KXZ-1-T1") is None
    assert exchange.asked[-1] == "/historical/markets/KXZ-1-T1"


def test_combos_are_known_by_their_ticker_or_by_their_collection(catalogue: Catalogue) -> None:
    found = catalogue.markets(["KXA-1-T1", "KXA-1-T2", "KXMVE-1-T1", "KXZ-1-T1"])
    assert {listed.ticker: listed.combo for listed in found} == {
        "KXA-1-T1": False,
        "KXA-1-T2": True,
        "KXMVE-1-T1": True,
    }


def test_a_listing_leaves_combos_out_unless_they_are_wanted(catalogue: Catalogue) -> None:
    assert [listed.ticker for listed in catalogue.list_markets(status="open")] == ["KXA-1-T1", "KXA-1-T2"]
    assert "KXMVE-1-T1" in [listed.ticker for listed in catalogue.list_markets(combos=True)]


def test_events_name_their_series_and_what_does_not_exist_is_none(catalogue: Catalogue) -> None:
    assert catalogue.series_of_event("KXA-1") == "KXA"
    assert catalogue.series_of_event("KXZ-1") is None
    assert catalogue.has_series("KXA")
    assert not catalogue.has_series("KXZ")


def test_an_exchange_that_does_not_answer_is_no_answer_about_a_market(
    exchange: CatalogueServer, catalogue: Catalogue
) -> None:
    exchange.refuse = 500
    for ask in (catalogue.market, catalogue.series_of_event, catalogue.has_series):
        with pytest.raises(ExchangeError, match="500"):
            ask("KXA-1-T1")
