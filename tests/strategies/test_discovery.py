"""Walks through listings: pages, cursors that go round, what is incomplete, and which of too many markets are kept."""

from core.answers.types import Market, Page
from strategies.discovery import MAX_PAGES, TICKERS_A_QUERY, Walk, best_traded, queries


def page(*names: str, cursor: str = "", refused: tuple[str, ...] = ()) -> Page[Market]:
    return Page(tuple(Market(ticker=name, volume_24h=len(name)) for name in names), cursor, refused)


def test_filters_are_asked_for_one_by_one_and_names_in_lots() -> None:
    names = tuple(f"M{number}" for number in range(TICKERS_A_QUERY + 1))
    asked = [query[0] for query in queries(("S",), ("E1", "E2"), names, "open")]
    lots = [("tickers", ",".join(names[:-1])), ("tickers", names[-1])]
    assert asked == [("series_ticker", "S"), ("event_ticker", "E1"), ("event_ticker", "E2"), *lots]
    assert queries((), (), (), "paused") == [(("mve_filter", "exclude"), ("status", "paused"))]


def test_a_walk_goes_from_page_to_page_and_from_query_to_query() -> None:
    walk = Walk(queries(("S", "T"), (), (), "open"), 7)
    seen = []
    for answer in (page("A", cursor="2"), page("B"), page("C")):
        assert not walk.is_done
        params = dict(walk.request().params)
        seen.append((params["series_ticker"], params["cursor"]))
        walk.take(answer)
    assert walk.is_done and walk.is_whole
    assert (seen, walk.found, walk.begun_ns) == ([("S", ""), ("S", "2"), ("T", "")], {"A": 1, "B": 1, "C": 1}, 7)


def test_a_cursor_that_goes_round_ends_the_query_and_the_walk_is_not_whole() -> None:
    walk = Walk(queries(("S",), (), (), "open"), 0)
    for cursor in ("2", "3", "2"):
        walk.take(page("A", cursor=cursor))
    assert walk.is_done and not walk.is_whole


def test_a_listing_without_an_end_is_left() -> None:
    walk = Walk(queries(("S",), (), (), "open"), 0)
    taken = 0
    while not walk.is_done:
        taken += 1
        walk.take(page("A", cursor=str(taken)))
    assert (taken, walk.is_whole) == (MAX_PAGES, False)


def test_a_page_of_which_some_could_not_be_read_proves_no_absence() -> None:
    walk = Walk(queries(("S",), (), (), "open"), 0)
    walk.take(page("A", refused=("close_time: not a time",)))
    assert walk.is_done and not walk.is_whole


def test_of_too_many_markets_the_most_traded_are_kept_but_the_selected_and_nearly_the_watched() -> None:
    found = {"idle": 1, "watched": 10, "rival": 20, "big": 21}
    assert best_traded(found, {}, 2) == ("big", "rival")
    assert best_traded(found, {"watched": False}, 2) == ("big", "watched")
    assert best_traded(found | {"rival": 30}, {"watched": False}, 2) == ("big", "rival")
    assert best_traded(found, {"idle": True, "watched": False}, 2) == ("big", "idle")
