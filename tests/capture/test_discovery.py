"""Finding markets by REST, from a small exchange of listings."""

from collections.abc import Iterator

import pytest
from catalogue_server import CatalogueServer, market

from capture.answer_log import AnswerLog
from capture.api import Api
from capture.catalogue import Catalogue
from capture.discovery import FULL_NS, OVERLAP_S, POLL_NS, SPACING_NS, Discovery, Found
from capture.environments import environment
from capture.rest import RestClient
from capture.selection import Selection
from core.errors import ConfigError, ExchangeError
from core.times import SECOND_NS

NOW_NS = 1_786_410_000 * SECOND_NS


@pytest.fixture
def exchange() -> Iterator[CatalogueServer]:
    """Two series, a combo, and markets in several states."""
    markets = (
        market("KXA-1-T1"),
        market("KXA-1-T2", "inactive"),
        market("KXA-2-T1", "initialized"),
        market("KXA-0-T1", "finalized"),
        market("KXB-1-T1"),
        market("KXMVE-1-T1"),
    )
    with CatalogueServer(*markets, page=2) as server:
        yield server


def discovery(exchange: CatalogueServer, **selection: object) -> Discovery:
    """The questions of a selection, asked of this exchange."""
    client = RestClient(environment(exchange.url), None, AnswerLog())
    return Discovery(Selection(**selection), Catalogue(Api(client)))  # type: ignore[arg-type]  # fields by name


def tickers(found: tuple[Found, ...]) -> list[str]:
    """The markets found, sorted."""
    return sorted(one.listed.ticker for one in found)


def test_a_series_shows_its_markets_that_are_not_over(exchange: CatalogueServer) -> None:
    found = discovery(exchange, series=("KXA",)).survey(NOW_NS)
    assert tickers(found) == ["KXA-1-T1", "KXA-1-T2", "KXA-2-T1"]
    assert {one.series for one in found} == {"KXA"}
    listed = found[0].listed
    assert (listed.event, listed.status, listed.volume_24h) == ("KXA-1", "active", 1_000)
    assert 0 < listed.open_ns < listed.close_ns


def test_an_event_and_named_markets_are_found_and_each_market_once(exchange: CatalogueServer) -> None:
    found = discovery(exchange, events=("KXA-1",), markets=("KXA-1-T1", "KXB-1-T1")).survey(NOW_NS)
    assert tickers(found) == ["KXA-1-T1", "KXA-1-T2", "KXB-1-T1"]


def test_everything_leaves_combos_out_unless_asked_for(exchange: CatalogueServer) -> None:
    assert "KXMVE-1-T1" not in tickers(discovery(exchange, everything=True).survey(NOW_NS))
    assert len(tickers(discovery(exchange, everything=True).survey(NOW_NS))) == 4
    assert "KXMVE-1-T1" in tickers(discovery(exchange, everything=True, combos=True).survey(NOW_NS))


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        ({"markets": ("KXZ-1",)}, "no market KXZ-1"),
        ({"series": ("KXZ",)}, "no series KXZ"),
        ({"events": ("KXZ-1",)}, "no event KXZ-1"),
        ({"markets": ("KXA-0-T1",)}, "nothing is left to record: KXA-0-T1 is over"),
        ({"events": ("KXA-0",)}, "nothing is left to record: KXA-0 is over"),
    ],
)
def test_what_does_not_exist_or_is_over_is_refused_by_name(
    exchange: CatalogueServer, selection: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        discovery(exchange, **selection).survey(NOW_NS)


def test_a_series_without_a_market_just_now_is_waited_for(exchange: CatalogueServer) -> None:
    exchange.series.add("KXNEW")
    questions = discovery(exchange, series=("KXNEW",))
    assert questions.survey(NOW_NS) == ()
    exchange.markets["KXNEW-1"] = market("KXNEW-1")
    assert tickers(questions.news(NOW_NS + FULL_NS)) == ["KXNEW-1"]


def test_what_is_new_is_asked_for_from_shortly_before_the_last_time(exchange: CatalogueServer) -> None:
    questions = discovery(exchange, series=("KXA",))
    questions.survey(NOW_NS)
    exchange.markets["KXA-3-T1"] = market("KXA-3-T1", "initialized")
    exchange.created["KXA-3-T1"] = NOW_NS // SECOND_NS - OVERLAP_S
    assert questions.news(NOW_NS + POLL_NS - 1) == ()
    exchange.asked.clear()
    assert tickers(questions.news(NOW_NS + POLL_NS)) == ["KXA-3-T1"]
    assert f"min_created_ts={NOW_NS // SECOND_NS - OVERLAP_S}" in exchange.asked[0]


def test_once_an_hour_all_there_is_is_asked_for_again(exchange: CatalogueServer) -> None:
    questions = discovery(exchange, series=("KXB",))
    questions.survey(NOW_NS)
    assert questions.news(NOW_NS + POLL_NS) == ()
    assert tickers(questions.news(NOW_NS + FULL_NS)) == ["KXB-1-T1"]


def test_questions_are_spread_and_each_gets_its_turn(exchange: CatalogueServer) -> None:
    questions = discovery(exchange, series=("KXA", "KXB"))
    questions.survey(NOW_NS)
    exchange.asked.clear()
    at_ns = NOW_NS + POLL_NS
    questions.news(at_ns)
    questions.news(at_ns + SPACING_NS - 1)
    assert len(exchange.asked) == 1
    questions.news(at_ns + SPACING_NS)
    assert ["KXA" in exchange.asked[0], "KXB" in exchange.asked[1]] == [True, True]


def test_named_markets_are_asked_for_once(exchange: CatalogueServer) -> None:
    questions = discovery(exchange, markets=("KXB-1-T1",))
    questions.survey(NOW_NS)
    assert questions.news(NOW_NS + FULL_NS) == ()


def test_an_exchange_that_refuses_is_told_of_and_asked_again_later(exchange: CatalogueServer) -> None:
    questions = discovery(exchange, series=("KXB",))
    questions.survey(NOW_NS)
    exchange.refuse = 400
    with pytest.raises(ExchangeError):
        questions.news(NOW_NS + FULL_NS)
    exchange.refuse = 0
    assert questions.news(NOW_NS + FULL_NS + POLL_NS - 1) == ()
    assert tickers(questions.news(NOW_NS + FULL_NS + POLL_NS)) == ["KXB-1-T1"], "nothing was skipped by the failure"
