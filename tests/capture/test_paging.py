"""capture.paging: listings that end, and those that do not."""

import pytest
from asking import ROOT, client, page
from http_server import HttpServer

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
        HttpServer(page(["A"], "x"), page(["B"], "y"), page(["A"], "x")) as server,
        pytest.raises(ExchangeError, match="does not end"),
    ):
        list(Api(client(server)).markets())
    assert len(server.asked) == 3


def test_only_what_is_given_is_asked() -> None:
    assert query(a="", b=0, c=False, d=None, e=True, f=("x", "y"), g=5) == [("e", "true"), ("f", "x,y"), ("g", "5")]
