"""capture.account_api: orders and groups as the exchange wants them, and answers that cannot be read."""

import json

import pytest
from asking import ROOT, client
from http_server import HttpServer, reply

from capture.account_api import AccountApi, NewOrder
from core.answers import Group
from core.errors import ExchangeError


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


def test_groups_are_listed_and_limited() -> None:
    listed = b'{"order_groups":[{"id":"g","contracts_limit_fp":"5.00","is_auto_cancel_enabled":true},{"id":"h"}]}'
    answers = (reply(200, listed), reply(200, b'{"orders":["o1","o2"]}'), reply(200, b"{}"))
    with HttpServer(*answers) as server:
        groups = AccountApi(client(server)).groups
        assert groups.listed() == (Group("g", 500, is_auto_cancel_enabled=True), Group("h"))
        assert groups.orders("g") == ("o1", "o2")
        groups.limit("g", 250)
    assert (server.asked[2].method, server.asked[2].target) == ("PUT", f"{ROOT}/portfolio/order_groups/g/limit")
    assert json.loads(server.asked[2].body) == {"contracts_limit_fp": "2.50"}


def test_groups_are_made_and_changed() -> None:
    with HttpServer(reply(201, b'{"order_group_id":"g"}'), reply(200, b"{}")) as server:
        api = AccountApi(client(server))
        assert api.groups.create(15_000) == "g"
        for action in ("reset", "trigger", "delete"):
            api.groups.change("g", action)
        with pytest.raises(ValueError, match="nothing that can be done"):
            api.groups.change("g", "burn")
    assert [(asked.method, asked.target.removeprefix(ROOT)) for asked in server.asked] == [
        ("POST", "/portfolio/order_groups/create"),
        ("PUT", "/portfolio/order_groups/g/reset"),
        ("PUT", "/portfolio/order_groups/g/trigger"),
        ("DELETE", "/portfolio/order_groups/g"),
    ]
