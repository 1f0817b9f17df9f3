"""An exchange with faults, for tests: how it is opened, read, made to publish, and waited for."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from exchange_client import Client, client
from exchange_venue import MARKETS, ScriptedVenue

from replay.exchange.framing import TEXT
from replay.exchange.local import LocalExchange
from replay.exchange.options import ServerOptions

FIRST: Final = MARKETS[0]


@contextmanager
def broken(*faults: str, seed: int = 7, **options: Any) -> Iterator[tuple[LocalExchange, ScriptedVenue]]:
    """An exchange with these faults, and its venue."""
    venue = ScriptedVenue()
    with LocalExchange(venue, ServerOptions(faults=faults, fault_seed=seed, keep_frames=True, **options)) as exchange:
        yield exchange, venue


@contextmanager
def reading(exchange: LocalExchange, channel: str = "trade") -> Iterator[Client]:
    """A client that is subscribed to a channel, its replies and snapshots read."""
    with client(exchange) as reader:
        reader.command("subscribe", channels=[channel], market_ticker=FIRST)
        reader.until("subscribed")
        if channel == "orderbook_delta":
            assert reader.next()["type"] == "orderbook_snapshot"
        yield reader


def trades(exchange: LocalExchange, count: int) -> None:
    """Publish so many trades of the first market."""
    exchange.control("publish", kind="trade", count=count)


def numbers(frames: list[dict[str, Any]]) -> list[int]:
    """The seqs of frames."""
    return [frame["seq"] for frame in frames]


def payloads(exchange: LocalExchange) -> list[bytes]:
    """Every text frame that left."""
    return [frame.payload for session in exchange.sent for frame in session.kept if frame.opcode == TEXT]


def wait_for(true: Callable[[], bool]) -> None:
    """Ask until it is true, within ten seconds."""
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)
