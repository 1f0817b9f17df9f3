"""A deck that records an exchange, whichever it is: a sandbox of our own or, with credentials, Kalshi itself.

Nothing here places an order.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import pytest
from live import QUICK, WRITER
from writing import session

from capture.api import Api
from capture.auth import Credentials
from capture.deck import Deck, DeckOptions
from capture.environments import Environment, environment
from capture.rest import RestClient
from capture.tape.reader import Tape
from capture.tape.writer import TapeWriter
from core.records import Kind, Record
from replay.exchange.local import LocalExchange

SIX: Final = (
    "orderbook_delta", "ticker", "trade", "fill", "market_positions", "market_lifecycle_v2", "user_orders",
)  # fmt: skip
"""The subscriptions; of the two that tell of the account's state (market_positions, user_orders) both."""

NEEDED: Final = ("KALSHI_ACCESS_KEY", "KALSHI_PRIVATE_KEY_PATH")


class Place(NamedTuple):
    """An exchange, and a key for it. surely: types of which frames come there within seconds."""

    environment: Environment
    credentials: Credentials
    surely: tuple[str, ...]

    def api(self) -> Api:
        """Its market data by REST."""
        return Api(RestClient(self.environment, self.credentials, lambda _: None))


def local(exchange: LocalExchange) -> Place:
    """A sandbox that runs; everything public comes at once."""
    there = environment(exchange.rest_url.removesuffix("/trade-api/v2"))
    surely = ("orderbook_snapshot", "orderbook_delta", "ticker", "trade")
    return Place(there, Credentials.load(exchange.environ()), surely)


def kalshi() -> Place:
    """The exchange that KALSHI_ENV names, demo by default; the test is skipped without credentials."""
    missing = [name for name in NEEDED if not os.environ.get(name)]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not set: no credentials for the exchange itself")
    there = environment(os.environ.get("KALSHI_ENV") or "demo")
    return Place(there, Credentials.load(os.environ), ("orderbook_snapshot",))


class Recording:
    """What a deck records at a place."""

    def __init__(self, place: Place, deck: Deck, writer: TapeWriter, path: Path, markets: tuple[str, ...]) -> None:
        self.place, self.deck, self.writer = place, deck, writer
        self.path, self.markets = path, markets

    def records(self, kind: Kind) -> list[Record]:
        """Of a kind, as the tape has them now."""
        return [record for record in Tape.open(self.path).records() if record.kind == kind]


@contextlib.contextmanager
def recording(root: Path, place: Place, markets: Sequence[str], **options: Any) -> Iterator[Recording]:
    """A deck that records these markets and, unless told otherwise, all six subscriptions; stopped at the end."""
    named = msgspec.structs.replace(session(), environment=place.environment.name)
    with TapeWriter.create(root / "tape", named.environment, named, options=WRITER) as writer:
        chosen = DeckOptions(**QUICK | {"channels": SIX} | options)
        deck = Deck(writer, place.environment, place.credentials, chosen)
        try:
            deck.want(markets)
            deck.start()
            yield Recording(place, deck, writer, root / "tape", tuple(markets))
        finally:
            deck.stop()
