"""A deck against a local exchange over real sockets: everything live capture is, with shorter times.

Waits are for a condition, each with a deadline that only a failure reaches.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from exchange_venue import MARKETS, ScriptedVenue
from writing import session

from capture.auth import Credentials
from capture.deck import Deck, DeckOptions
from capture.environments import Environment, environment
from capture.hook import OnStep
from capture.limits import WireLimits
from capture.tape.reader import Tape
from capture.tape.recorder import WriterOptions
from capture.tape.writer import TapeWriter
from core.records import Kind, Record
from core.views import MarketView
from replay.exchange.local import LocalExchange
from replay.exchange.options import ServerOptions

PATIENCE_S: Final = 20.0
"""How long a test waits for what must happen; only a failure takes that long."""

LIMITS: Final = WireLimits(connect_s=5.0, silent_s=10.0, close_s=0.5, poll_s=0.02)
WRITER: Final = WriterOptions(sync_interval_s=0.01, reserve_bytes=4_096, roll_bytes=1 << 20)
QUICK: Final[dict[str, Any]] = {
    "ack_wait_s": 1.0,
    "snapshot_wait_s": 1.0,
    "probe_wait_s": 1.0,
    "heartbeat_s": 0.05,
    "limits": LIMITS,
}
"""The same code with other numbers: what takes ten seconds takes one."""


def until(condition: Callable[[], object], what: str = "it", timeout_s: float = PATIENCE_S) -> None:
    """Wait for a condition; AssertionError when it does not come true in time."""
    end_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end_s, f"waited {timeout_s:g} s in vain for {what}"
        threading.Event().wait(0.01)


class Live:
    """An exchange, a tape and a deck that records it, in `markets` (default: all)."""

    def __init__(
        self, root: Path, exchange: LocalExchange, venue: ScriptedVenue, on_step: OnStep | None, **options: Any
    ) -> None:
        self.exchange = exchange
        self.venue = venue
        self.path = root / "tape"
        self.writer = TapeWriter.create(self.path, "demo", session(), options=WRITER)
        self.deck = Deck(
            self.writer, place(exchange), Credentials.load(exchange.environ()), DeckOptions(**QUICK | options),
            on_step=on_step,
        )  # fmt: skip

    def say(self, kind: str = "delta", market: str = MARKETS[0], count: int = 1) -> None:
        """Have the exchange publish."""
        self.exchange.control("publish", kind=kind, market=market, count=count)

    def inject(self, fault: str) -> None:
        """Have the exchange err."""
        self.exchange.control("inject", fault=fault)

    def is_right(self, market: str) -> bool:
        """Whether the deck has the exchange's book, and trusts it."""
        view: MarketView = self.deck.view(market)
        return view.trusted and view.yes == ((4_200, self.venue.sizes[market]),)

    def wait_right(self, *markets: str) -> None:
        """Until the books of these markets (default: all) are right."""
        wanted = markets or MARKETS
        until(lambda: all(self.is_right(market) for market in wanted), "the books")

    def wait_healthy(self) -> None:
        """Until nothing is wrong."""
        until(lambda: self.deck.status().healthy, "health")

    def commands(self) -> list[bytes]:
        """What was sent to the exchange, as the tape has it."""
        return [record.payload for record in self.records() if record.kind == Kind.SENT]

    def records(self) -> list[Record]:
        """Everything on the tape now."""
        return list(Tape.open(self.path).records())

    def kinds(self, kind: Kind) -> list[Record]:
        """Records of a kind."""
        return [record for record in self.records() if record.kind == kind]


def place(exchange: LocalExchange) -> Environment:
    """The exchange as an environment."""
    return environment(exchange.rest_url.removesuffix("/trade-api/v2"))


@contextlib.contextmanager
def live(
    root: Path, *, markets: Sequence[str] = MARKETS, server: dict[str, Any] | None = None, wait: bool = True,
    on_step: OnStep | None = None, **options: Any,
) -> Iterator[Live]:  # fmt: skip
    """A deck that records these markets, connected and right (unless not `wait`); everything is stopped at the end."""
    venue = ScriptedVenue()
    settings = {"keep_frames": True} | (server or {})
    with LocalExchange(venue, ServerOptions(**settings)) as exchange:
        found = Live(root, exchange, venue, on_step, **options)
        try:
            found.deck.want(markets)
            found.deck.start()
            if wait:
                found.wait_right(*markets)
                found.wait_healthy()
            yield found
        finally:
            found.deck.stop()
            found.writer.close()
