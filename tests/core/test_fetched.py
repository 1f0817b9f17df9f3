"""Tests of what a REST record says: which endpoint answered, and its body in our units."""

import base64

import pytest

from core.answers.types import Balance, BookAnswer, Market, OrderAnswer, Page, Series
from core.fetched import endpoint_of, read
from core.records import RestCall

BODIES = {
    "/markets": '{"markets":[],"cursor":"c"}',
    "/markets/M": '{"market":{"ticker":"M"}}',
    "/historical/markets/M": '{"market":{"ticker":"M"}}',
    "/markets/M/orderbook": '{"orderbook_fp":{"yes_dollars":[["0.4700","3.00"]],"no_dollars":[]}}',
    "/markets/orderbooks": '{"orderbooks":[]}',
    "/markets/trades": '{"trades":[],"cursor":""}',
    "/events": '{"events":[],"cursor":""}',
    "/events/E": '{"event":{"event_ticker":"E"}}',
    "/series/S": '{"series":{"ticker":"S"}}',
    "/exchange/status": '{"exchange_active":true,"trading_active":true}',
    "/exchange/schedule": '{"schedule":{"standard_hours":[],"maintenance_windows":[]}}',
    "/portfolio/balance": '{"balance":9801,"portfolio_value":0}',
    "/portfolio/positions": '{"market_positions":[],"cursor":""}',
    "/portfolio/orders": '{"orders":[],"cursor":""}',
    "/portfolio/orders/o": '{"order":{"order_id":"o","ticker":"M","status":"resting","side":"yes","yes_price_dollars":'
    '"0.4000","fill_count_fp":"0.00","remaining_count_fp":"1.00","initial_count_fp":"1.00"}}',
    "/portfolio/fills": '{"fills":[],"cursor":""}',
    "/portfolio/settlements": '{"settlements":[],"cursor":""}',
}


def call(path: str, answer: str = "", **more: object) -> RestCall:
    return RestCall("GET", path, **({"status": 200, "answer": answer} | more))  # type: ignore[arg-type]  # by the tests


@pytest.mark.parametrize("prefix", ["", "/trade-api/v2", "/a/b/c"])
@pytest.mark.parametrize("path", sorted(BODIES))
def test_each_endpoint_is_known_behind_any_prefix(path: str, prefix: str) -> None:
    found = read(call(f"{prefix}{path}?limit=5", BODIES[path]), 10)
    assert found is not None
    assert (found.path, found.params) == (path, (("limit", "5"),))
    assert endpoint_of(call(f"{prefix}{path}?x=/markets")) == path


def test_what_is_in_the_answers() -> None:
    kinds = {path: type(found.value) for path, body in BODIES.items() if (found := read(call(path, body), 0))}
    assert kinds["/markets/M"] is kinds["/historical/markets/M"] is Market
    assert (kinds["/markets/M/orderbook"], kinds["/series/S"]) == (BookAnswer, Series)
    assert (kinds["/portfolio/balance"], kinds["/portfolio/orders/o"]) == (Balance, OrderAnswer)
    assert kinds["/portfolio/fills"] is Page


@pytest.mark.parametrize(
    "refused",
    [
        call("/markets", BODIES["/markets"], status=500),
        call("/markets", BODIES["/markets"], status=0),
        call("/markets", BODIES["/markets"], status=304),
        call("/markets", BODIES["/markets"], error="timed out"),
        call("/markets", "not json"),
        call("/markets", "[]"),
        call("/portfolio/orders/o/queue_position", '{"queue_position_fp":"1.00"}'),
        call("/series/S/markets/M/candlesticks", "{}"),
        call("/elsewhere", "{}"),
        RestCall("POST", "/portfolio/orders", status=200, answer=BODIES["/portfolio/orders"]),
    ],
)
def test_what_is_no_answer_says_nothing(refused: RestCall) -> None:
    assert read(refused, 10) is None


def test_bodies_that_are_no_text_are_read_too() -> None:
    body = base64.b64encode(BODIES["/markets"].encode()).decode()
    found = read(call("/markets", answer_base64=body), 10)
    assert found is not None
    assert found.value.cursor == "c"


def test_escapes_are_undone_where_they_are_made() -> None:
    found = read(call("/markets/A%2DB+C/orderbook?q=a+b%20c%C3%A9%zz&flag&=", BODIES["/markets/M/orderbook"]), 10)
    assert found is not None
    assert found.market == "A-B+C"
    assert found.params == (("q", "a b cé%zz"), ("flag", ""), ("", ""))
    assert read(call("/markets", BODIES["/markets"]), 10).market == ""  # type: ignore[union-attr]  # it is read


def test_when_and_why_it_was_asked() -> None:
    found = read(call("/markets", BODIES["/markets"], took_ns=7, why="decision 3"), 10)
    assert found is not None
    assert (found.asked_ns, found.why) == (3, "decision 3")
    early = read(call("/markets", BODIES["/markets"], took_ns=70), 10)
    assert early is not None
    assert early.asked_ns == 0


def test_an_unknown_path_has_no_endpoint() -> None:
    assert endpoint_of(call("/trade-api/v2/elsewhere")) == ""
    assert endpoint_of(call("marketsandmore")) == ""
