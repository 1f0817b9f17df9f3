"""capture.lost_books: after a reconnect REST is asked for what the socket has not given back, and for nothing else."""

from collections.abc import Callable
from typing import TypeVar

import pytest
from asking import client
from deck import Deck, delta, snapshot
from http_server import HttpServer, reply

from capture.api import Api
from capture.lost_books import MAX_BOOKS, LostBooks
from core.conversation import DeskOptions
from core.desks import Desks
from core.errors import ExchangeError

T = TypeVar("T")

BOOKS = reply(200, b'{"orderbooks":[]}')


class Stage:
    """Desks that are told records by hand."""

    def __init__(self) -> None:
        self.desks = Desks(1, DeskOptions())
        self.told = Deck(engine=self.desks.engine)

    def read(self, what: Callable[[Desks], T]) -> T:
        return what(self.desks)

    def lost(self, markets: int) -> None:
        """Markets have books, and then another connection takes over."""
        self.told.opened(1)
        for number in range(markets):
            self.told.frame(snapshot(number + 1, f"M{number:03d}"))
        self.told.closed(1)
        self.told.opened(2, replaces=1)


def test_books_that_have_not_come_back_are_asked_for_once() -> None:
    stage = Stage()
    with HttpServer(BOOKS) as server:
        books = LostBooks(Api(client(server)), stage.read)
        stage.lost(3)
        books.round()
        assert not server.asked, "the socket gets a round to bring them"
        stage.told.frame(snapshot(1, "M001"), connection=2)
        books.round()
        books.round()
        stage.told.frame(delta(2, market="M001"), connection=2)
        books.round()
    assert [asked.target.partition("?")[2] for asked in server.asked] == ["tickers=M000&tickers=M002"]
    assert books.asked == 2


def test_nothing_is_asked_at_the_first_connect_nor_when_all_came_back() -> None:
    stage = Stage()
    with HttpServer(BOOKS) as server:
        books = LostBooks(Api(client(server)), stage.read)
        stage.told.opened(1)
        books.round()
        books.round()
        stage.lost(1)
        stage.told.frame(snapshot(1, "M000"), connection=2)
        books.round()
        books.round()
    assert not server.asked


def test_so_many_at_most_are_asked_for_and_a_failure_is_not_asked_again() -> None:
    stage = Stage()
    with HttpServer(*[BOOKS] * 5) as server:
        books = LostBooks(Api(client(server)), stage.read)
        stage.lost(MAX_BOOKS + 20)
        for _ in range(3):
            books.round()
        assert len(server.asked) == MAX_BOOKS // 100
    with HttpServer(reply(404, b"{}")) as server:
        books = LostBooks(Api(client(server)), stage.read)
        books.round()
        with pytest.raises(ExchangeError):
            books.round()
        books.round()
        assert len(server.asked) == 1
