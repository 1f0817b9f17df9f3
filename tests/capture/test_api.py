"""capture.api: what is asked for, and what the answers change."""

import pytest
from asking import ROOT, client, page
from http_server import HttpServer, reply

from capture.api import Api
from core.answers import BookAnswer
from core.errors import ExchangeError


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


@pytest.mark.parametrize("status", [200, 500, 503, 504])
def test_an_exchange_that_is_closed_says_so_whatever_the_status_of_its_answer(status: int) -> None:
    with HttpServer(reply(status, b'{"exchange_active":false,"trading_active":false}')) as server:
        assert not Api(client(server)).status().is_exchange_active
    assert len(server.asked) == 1


def test_a_page_of_a_proxy_is_no_status() -> None:
    with HttpServer(reply(503, b"<html>")) as server, pytest.raises(ExchangeError) as failed:
        Api(client(server)).status()
    assert failed.value.status == 503


def test_books_are_asked_for_in_parts_with_a_name_each() -> None:
    book = b'{"ticker":"A","orderbook_fp":{"yes_dollars":[["0.4200","3.00"]],"no_dollars":[]}}'
    names = tuple(f"M{number}" for number in range(101))
    with HttpServer(reply(200, b'{"orderbooks":[%b]}' % book)) as server:
        found = list(Api(client(server)).orderbooks(names))
    assert found[0] == ("A", BookAnswer(((4_200, 300),), ()))
    assert [asked.target.count("tickers=") for asked in server.asked] == [100, 1]


def test_budgets_and_costs_are_kept_to_once_they_are_known() -> None:
    budget = b'{"refill_rate":10,"bucket_capacity":10}'
    limits = b'{"usage_tier":"x","read":%b,"write":%b}' % (budget, budget)
    with HttpServer(reply(200, limits), reply(200, b'{"default_cost":3,"endpoint_costs":[]}')) as server:
        api = Api(client(server))
        assert api.limits().read_rate == 10
        assert api.costs().default == 3
        assert api.client.buckets.cost("GET", "/markets") == 3
