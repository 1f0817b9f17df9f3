"""capture.paging: listings that end, and those that do not."""

import pytest
from asking import ROOT, client, page
from http_server import HttpServer, reply

from capture.account_api import AccountApi
from capture.api import Api
from capture.paging import query
from core.errors import ExchangeError


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
        HttpServer(page(["A"], "x"), page(["B"], "y"), page(["C"], "x")) as server,
        pytest.raises(ExchangeError, match="does not end"),
    ):
        list(Api(client(server)).markets())
    assert len(server.asked) == 3


def test_a_listing_that_begins_again_is_given_up_although_its_cursors_are_new() -> None:
    found = []
    with HttpServer(page(["A", "B"], "x"), page(["C"], "y"), page(["A", "B"], "z"), page(["C"], "w")) as server:
        with pytest.raises(ExchangeError, match="began again"):
            for market in Api(client(server)).markets():
                found.append(market.ticker)  # noqa: PERF401  # what came before the error counts
        assert len(server.asked) == 3
    assert found == ["A", "B", "C"]


def test_what_cannot_be_read_is_left_out_and_counted() -> None:
    body = b'{"markets":[{"ticker":"A"},{"ticker":7},{"ticker":"B"}],"cursor":""}'
    with HttpServer(reply(200, body)) as server:
        asker = client(server)
        assert [market.ticker for market in Api(asker).markets()] == ["A", "B"]
    assert asker.unread == {"ticker: not a name": 1}


def test_of_an_account_nothing_is_left_out() -> None:
    body = b'{"orders":[{"order_id":"o"}],"cursor":""}'
    with HttpServer(reply(200, body)) as server, pytest.raises(ExchangeError, match="cannot be read"):
        list(AccountApi(client(server)).orders())


def test_only_what_is_given_is_asked() -> None:
    assert query(a="", b=0, c=False, d=None, e=True, f=("x", "y"), g=5) == [("e", "true"), ("f", "x,y"), ("g", "5")]
