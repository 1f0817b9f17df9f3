"""capture.api, capture.account_api, capture.paging: what is asked for, and listings that end."""

import json
from typing import Any

import pytest
from http_server import HttpServer, reply

from capture.account_api import AccountApi, NewOrder
from capture.api import Api
from capture.environments import environment
from capture.paging import query
from capture.rest import RestClient, RestOptions
from core.errors import ExchangeError
from core.records import RestCall

ROOT = "/trade-api/v2"


def page(tickers: list[str], cursor: str = "") -> Any:
    return reply(200, json.dumps({"markets": [{"ticker": name} for name in tickers], "cursor": cursor}).encode())


def client(server: HttpServer, calls: list[RestCall] | None = None) -> RestClient:
    taken = [] if calls is None else calls
    return RestClient(environment(server.url), None, taken.append, RestOptions(max_tries=1))


def test_a_listing_is_walked_to_its_end() -> None:
    with HttpServer(page(["A", "B"], "next"), page(["C"])) as server:
        found = [market.ticker for market in Api(client(server)).markets(series="KX", status="open", why="discovery")]
    assert found == ["A", "B", "C"]
    assert [asked.target for asked in server.asked] == [
        f"{ROOT}/markets?series_ticker=KX&status=open&limit=1000",
        f"{ROOT}/markets?series_ticker=KX&status=open&limit=1000&cursor=next",
    ]


def test_a_listing_that_goes_round_in_circles_is_given_up() -> None:
    with (
        HttpServer(page(["A"], "x"), page(["B"], "y"), page(["A"], "x")) as server,
        pytest.raises(ExchangeError, match="does not end"),
    ):
        list(Api(client(server)).markets())
    assert len(server.asked) == 3


def test_many_tickers_are_asked_for_in_parts() -> None:
    names = tuple(f"M{number}" for number in range(150))
    with HttpServer(page(["x"])) as server:
        assert len(list(Api(client(server)).markets(tickers=names))) == 2
    assert [asked.target.count("%2C") for asked in server.asked] == [99, 49]


def test_an_answer_that_is_none_is_an_error_that_names_the_reason() -> None:
    with (
        HttpServer(reply(200, b'{"market":{"ticker":7}}')) as server,
        pytest.raises(ExchangeError, match="ticker: not a name; it is on the tape"),
    ):
        Api(client(server)).market("A")


def test_a_ticker_is_one_part_of_a_path_whatever_it_holds() -> None:
    with HttpServer(reply(200, b'{"market":{"ticker":"x"}}')) as server:
        Api(client(server)).market("../../x?y#z")
    assert server.asked[0].target == f"{ROOT}/markets/..%2F..%2Fx%3Fy%23z"


def test_what_is_not_there_is_an_error_with_its_status() -> None:
    with (
        HttpServer(reply(404, b'{"error":{"code":"not_found"}}')) as server,
        pytest.raises(ExchangeError) as failed,
    ):
        Api(client(server)).event("E")
    assert failed.value.status == 404


def test_budgets_and_costs_are_kept_to_once_they_are_known() -> None:
    budget = b'{"refill_rate":10,"bucket_capacity":10}'
    limits = b'{"usage_tier":"x","read":%b,"write":%b}' % (budget, budget)
    with HttpServer(reply(200, limits), reply(200, b'{"default_cost":3,"endpoint_costs":[]}')) as server:
        api = Api(client(server))
        assert api.limits().read_rate == 10
        assert api.costs().default == 3
        assert api.client.buckets.cost("GET", "/markets") == 3


def test_an_order_leaves_as_the_exchange_wants_it() -> None:
    answer = reply(201, b'{"order_id":"o1","fill_count":"0.00","remaining_count":"5.00","ts_ms":1795435201640}')
    order = NewOrder(market="M", side="ask", price=4_400, count=500, client_order_id="c1", post_only=True)
    with HttpServer(answer) as server:
        placed = AccountApi(client(server)).create(order)
    assert (placed.order_id, placed.remaining_count) == ("o1", 500)
    assert json.loads(server.asked[0].body) == {
        "ticker": "M",
        "client_order_id": "c1",
        "side": "ask",
        "count": "5.00",
        "price": "0.4400",
        "time_in_force": "good_till_canceled",
        "self_trade_prevention_type": "taker_at_cross",
        "post_only": True,
        "cancel_order_on_pause": True,
    }


def test_a_cancel_names_the_market_so_that_it_finds_its_shard() -> None:
    with HttpServer(reply(200, b'{"order_id":"o1","reduced_by":"5.00"}')) as server:
        assert AccountApi(client(server)).cancel("o1", "M").reduced_by == 500
    assert (server.asked[0].method, server.asked[0].target) == (
        "DELETE",
        f"{ROOT}/portfolio/events/orders/o1?market_ticker=M",
    )


def test_a_batch_of_cancels_has_a_body() -> None:
    with HttpServer(reply(200, b'{"orders":[{"order_id":"a"},{"error":{"code":"not_found"}}]}')) as server:
        found = AccountApi(client(server)).cancel_batch([("a", "M"), ("b", "M")])
    assert [answer.error is None for answer in found] == [True, False]
    assert json.loads(server.asked[0].body)["orders"][1] == {"order_id": "b", "market_ticker": "M"}


def test_an_answer_to_an_order_that_cannot_be_read_says_that_its_fate_is_not_known() -> None:
    with HttpServer(reply(201, b"{")) as server:
        order = NewOrder(market="M", side="bid", price=1, count=1, client_order_id="c")
        with pytest.raises(ExchangeError, match="not known; list it"):
            AccountApi(client(server)).create(order)


def test_groups_are_made_and_changed() -> None:
    with HttpServer(reply(201, b'{"order_group_id":"g"}'), reply(200, b"{}")) as server:
        api = AccountApi(client(server))
        assert api.create_group(15_000) == "g"
        for action in ("reset", "trigger", "delete"):
            api.change_group("g", action)
        with pytest.raises(ValueError, match="nothing that can be done"):
            api.change_group("g", "burn")
    assert [(asked.method, asked.target.removeprefix(ROOT)) for asked in server.asked] == [
        ("POST", "/portfolio/order_groups/create"),
        ("PUT", "/portfolio/order_groups/g/reset"),
        ("PUT", "/portfolio/order_groups/g/trigger"),
        ("DELETE", "/portfolio/order_groups/g"),
    ]


def test_only_what_is_given_is_asked() -> None:
    assert query(a="", b=0, c=False, d=None, e=True, f=("x", "y"), g=5) == [("e", "true"), ("f", "x,y"), ("g", "5")]
