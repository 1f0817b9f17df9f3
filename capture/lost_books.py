"""After a reconnect: books by REST for the markets that the socket has not given back by then.

Knows when to ask, and for which markets. Must not know what is made of the answers: they go onto the tape like every
answer, beside the WebSocket's books, which REST never replaces nor makes trusted (it has neither seq nor clock).
"""

from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from capture.api import Api
from core.desks import Desks
from core.store import untrusted_books

MAX_BOOKS: Final = 500
"""Books asked for after one reconnect, in five requests: a quarter of a second of the smallest tier's budget. What is
asked for more slowly than the socket resubscribes is of no use to anybody."""

WHY: Final = "the book was lost with the connection"

T = TypeVar("T")


class Reads(Protocol):
    """What shows the fold's state of one instant: the deck's `read`."""

    def __call__(self, what: Callable[[Desks], T]) -> T:
        """What a function makes of it."""


class LostBooks:
    """Call `round` about once a second. asked: for how many markets books were asked so far."""

    def __init__(self, api: Api, read: Reads) -> None:
        self.asked = 0
        self._api = api
        self._read = read
        self._opened = 0
        self._is_due = False

    def round(self) -> None:
        """Ask, in the round after the one that saw a connection open: by then most snapshots have come.

        Raises ExchangeError, AuthError; what failed is not asked again, for the socket brings it sooner.
        """
        opened = self._read(lambda desks: desks.engine.connections.opened)
        was_due, self._is_due = self._is_due, opened != self._opened
        self._opened = opened
        if not was_due:
            return
        markets = self._read(lambda desks: untrusted_books(desks.engine.store))[:MAX_BOOKS]
        self.asked += len(markets)
        for _ in self._api.orderbooks(markets, WHY):
            pass  # every answer is on the tape already
