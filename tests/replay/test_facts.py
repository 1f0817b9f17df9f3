"""Markets, events and series found in recorded REST answers."""

import json
from typing import Any

import msgspec
import pytest

from core.records import RestCall
from replay import facts
from replay.facts import About, Facts, series_of, text_of

MARKET = {
    "ticker": "KXA-26AUG10-T50",
    "event_ticker": "KXA-26AUG10",
    "status": "active",
    "close_time": "2026-08-11T00:00:00Z",
    "floor_strike": 4398.780,
}
EVENT = {"event_ticker": "KXA-26AUG10", "series_ticker": "KXA", "title": "A on Aug 10"}
SERIES = {"ticker": "KXA", "title": "A", "fee_type": "quadratic", "fee_multiplier": 0.5}


def told(*bodies: Any, status: int = 200) -> Facts:
    found = Facts()
    for number, body in enumerate(bodies, start=1):
        answer = body if isinstance(body, str) else json.dumps(body)
        found.observe(RestCall("GET", "/trade-api/v2/x", status, answer=answer), number)
    return found


@pytest.mark.parametrize(
    "body",
    [
        {"market": MARKET},
        {"markets": [MARKET], "cursor": ""},
        {"event": {**EVENT, "markets": [MARKET]}},
        {"events": [{**EVENT, "markets": [MARKET]}], "cursor": ""},
        {"fetched_at_ms": 1, "response": {"event": EVENT, "markets": [MARKET]}},
        [MARKET],
    ],
)
def test_a_market_is_found_wherever_it_lies(body: Any) -> None:
    assert told(body).markets() == ("KXA-26AUG10-T50",)


def test_an_object_keeps_its_own_bytes() -> None:
    text = '{"market":{"ticker":"T","event_ticker":"E","status":"active","close_time":"","floor_strike":4398.7800}}'
    market = told(text).market("T")
    assert market is not None
    assert msgspec.json.encode(market) == text[len('{"market":') : -1].encode()


def test_the_latest_telling_of_a_market_counts() -> None:
    found = told({"market": MARKET}, {"market": {**MARKET, "status": "finalized"}})
    market = found.market("KXA-26AUG10-T50")
    assert market is not None and text_of(market, "status") == "finalized"
    assert found.about("KXA-26AUG10-T50").now_ns == 2


def test_an_event_is_kept_without_the_markets_nested_in_it() -> None:
    found = told({"event": {**EVENT, "markets": [MARKET]}})
    event = found.event("KXA-26AUG10")
    assert event is not None and list(event) == ["event_ticker", "series_ticker", "title"]
    assert found.events() == ("KXA-26AUG10",)


def test_a_market_comes_with_its_event_and_its_series() -> None:
    about = told({"market": MARKET}, {"event": EVENT}, {"series": SERIES}).about("KXA-26AUG10-T50")
    assert [json.loads(text) for text in (about.market_json, about.event_json, about.series_json)] == [
        MARKET,
        EVENT,
        SERIES,
    ]


def test_the_series_is_found_by_name_where_no_event_tells_of_it() -> None:
    assert json.loads(told({"series": [SERIES]}).about("KXA-26AUG10-T50").series_json) == SERIES
    assert told().about("KXA-26AUG10-T50") == About("KXA-26AUG10-T50")
    assert (series_of("KXA-26AUG10-T50"), series_of("KXA")) == ("KXA", "KXA")


def test_what_only_looks_like_an_object_is_none() -> None:
    order = {"ticker": "KXA-26AUG10-T50", "status": "resting", "side": "yes"}
    settlement = {"ticker": "KXA-26AUG10-T50", "event_ticker": "KXA-26AUG10", "market_result": "yes"}
    found = told({"orders": [order]}, {"settlements": [settlement]}, {"market": {**MARKET, "ticker": 7}})
    assert (found.markets(), found.events(), found.series()) == ((), (), ())


@pytest.mark.parametrize("status", [0, 404, 429, 500])
def test_a_refusal_tells_nothing(status: int) -> None:
    assert told({"market": MARKET}, status=status).markets() == ()


@pytest.mark.parametrize("answer", ["", "not json", '{"market":', '"text"', "[" * 10_000, "null", '{"market":{"a":1}}'])
def test_any_answer_will_do(answer: str) -> None:
    assert told(answer).markets() == ()


def test_deep_nesting_is_not_followed_for_ever() -> None:
    body: Any = {"market": MARKET}
    for _ in range(50):
        body = {"deeper": body}
    assert told(body).markets() == ()


def test_objects_are_bounded_and_the_one_kept_longest_goes_first() -> None:
    limit = facts.MAX_OBJECTS
    series = [{**SERIES, "ticker": f"S{number}"} for number in range(limit + 2)]
    found = told({"series": series})
    assert len(found.series()) == limit
    assert found.one_series("S0") is None and found.one_series("S2") is not None


def test_a_member_that_is_no_text_is_no_text() -> None:
    assert text_of({"a": msgspec.Raw(b"7"), "b": msgspec.Raw(b'"x"')}, "a") == ""
    assert text_of({"b": msgspec.Raw(b'"x"')}, "b") == "x"
    assert text_of({}, "b") == ""
