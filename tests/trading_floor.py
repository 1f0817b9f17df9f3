"""A sandbox exchange, and runs of strategies against it in the test's own process: everything but signals and lines.

Knows how `tapedeck run` is wired (a tape, a deck, a desk beside it). Waits are for conditions.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from live import QUICK, WRITER, place, until

from capture.account_api import AccountApi, NewOrder
from capture.answer_log import AnswerLog
from capture.auth import Credentials
from capture.deck import Deck, DeckOptions
from capture.rest import RestClient, RestOptions
from capture.selection import PUBLIC_CHANNELS
from capture.startup import is_tape, new_session
from capture.tape.reader import Tape
from capture.tape.writer import TapeWriter
from capture.trading.desk import PRIVATE, TradeOptions, TradingDesk
from capture.trading.wanted import Wanted
from core.actions import (
    Decision,
    Outcome,
    PaperEvent,
    Progress,
    RiskLimits,
    RunTerms,
    StrategySpec,
    decode_decision,
    decode_outcome,
    decode_progress,
)
from core.engine import Engine
from core.host import Host
from core.records import Kind, Record, RestCall, Session, decode_rest
from replay.exchange.local import LocalExchange
from replay.exchange.options import ServerOptions
from replay.exchange.sandbox import SandboxOptions, SandboxVenue
from replay.loading import load, specify
from replay.paper import PaperVenue
from replay.player import Player

QUOTER: Final = "floor_strategies:Quoter"
_NUMBERS: Final = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Floor:
    """A running sandbox. market: one with both sides bid, on a grid of cents."""

    exchange: LocalExchange
    venue: SandboxVenue
    market: str

    def resting(self, account: str = "trader") -> list[str]:
        """The order ids that rest, by the exchange's own books."""
        return list(self.totals(account)["resting"])

    def totals(self, account: str = "trader") -> dict[str, Any]:
        """What the account truly has."""
        return dict(self.exchange.control("totals", account=account))

    def credentials(self, account: str = "trader") -> Credentials:
        """The key of an account."""
        key = self.exchange.credentials[account]
        return Credentials.load(
            {"KALSHI_ACCESS_KEY": key.access_key, "KALSHI_PRIVATE_KEY_PATH": str(key.private_key_path)}
        )

    @contextlib.contextmanager
    def account(self, taken: Callable[[RestCall], object], name: str = "trader") -> Iterator[AccountApi]:
        """The account by REST."""
        client = RestClient(place(self.exchange), self.credentials(name), taken, RestOptions(max_tries=1))
        try:
            yield AccountApi(client)
        finally:
            client.close()

    def somebody_places(self, key: str = "") -> str:
        """Somebody else uses the account: the order id."""
        with self.account(lambda _call: None) as api:
            return api.create(self.order(key or f"somebody-elses-{next(_NUMBERS)}")).order_id

    def order(self, key: str, **changes: Any) -> NewOrder:
        """A small order far from the market."""
        given: dict[str, Any] = {
            "market": self.market,
            "side": "bid",
            "price": 100,
            "count": 100,
            "client_order_id": key,
        }
        return NewOrder(**given | changes)

    def clear(self, account: str = "trader") -> None:
        """Cancel everything."""
        with self.account(lambda _call: None, account) as api:
            for order_id in self.resting(account):
                api.cancel(order_id, self.market)


@contextlib.contextmanager
def floor(*, rate: float = 200.0, accounts: tuple[str, ...] = ("trader", "other")) -> Iterator[Floor]:
    """An exchange that has been busy for a while."""
    venue = SandboxVenue(SandboxOptions(markets=6, rate=rate, seed=5, accounts=accounts))
    venue.step(600)
    reads = venue.engine.reads
    market = next(m for m in reads.markets() if "TEMP" in m and reads.book(m).yes and reads.book(m).no)
    with LocalExchange(venue, ServerOptions(keep_frames=False, accounts=accounts)) as exchange:
        yield Floor(exchange, venue, market)


class Run:
    """A run as `tapedeck run` wires it, on a tape that is made or gone on with. notes: what it says."""

    def __init__(
        self, floor: Floor, tape: Path, *specs: StrategySpec, account: str = "trader", adopt: bool = False,
        ignore: bool = False, deck: dict[str, Any] | None = None, **terms: Any,
    ) -> None:  # fmt: skip
        self.tape = tape
        self.notes: list[str] = []
        self.terms = RunTerms(strategies=specs, **terms)
        options = TradeOptions(self.terms, adopt=adopt, ignore=ignore)
        answers = AnswerLog()
        where, key = place(floor.exchange), floor.credentials(account)
        self.client = RestClient(where, key, answers, RestOptions(max_tries=2))
        self.desk = TradingDesk(options, tape, lambda: Host(Engine(), load), PaperVenue() if self.terms.paper else None)
        self.session: Session = self.desk.session(new_session(where.name, {}))
        if is_tape(tape):
            self.writer = TapeWriter.open(tape, where.name, self.session, options=WRITER)
        else:
            self.writer = TapeWriter.create(tape, where.name, self.session, options=WRITER)
        answers.attach(self.writer)
        channels = PUBLIC_CHANNELS if self.terms.paper else (*PUBLIC_CHANNELS, *PRIVATE)
        self.deck = Deck(self.writer, where, key, DeckOptions(**QUICK | {"channels": channels} | (deck or {})))
        self.desk.assemble(self.writer, self.deck, self.client, Wanted(self.deck.want), self.notes.append)

    def __enter__(self) -> "Run":
        self.deck.start()
        self.desk.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self, stop_s: float = 5.0) -> int:
        """Stop as the daemon does; the exit code. More than once is fine. stop_s: what a hook gets to return."""
        if not self.desk.is_over:
            self.desk.wind_down()
            self.client.abort()
            self.deck.stop()
            self.desk.stop(stop_s)
            self.writer.close()
            self.client.close()
        return self.desk.exit_code

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Until the condition holds; AssertionError with what was said when it does not."""
        until(lambda: condition() or self.desk.fatal, what)
        assert not self.desk.fatal, self.desk.fatal
        assert condition(), self.notes

    def wait_orders(self, count: int) -> None:
        """Until the strategies know of so many orders that rest at the exchange."""
        self.wait(lambda: sum(bool(o.order_id) for o in self.desk.status().orders) == count, f"{count} orders")


def quoter(floor: Floor, name: str = "quoter", **given: Any) -> StrategySpec:
    """A Quoter of the floor's market."""
    return specify(name, QUOTER, {"markets": [floor.market]} | given)


def decisions_on(tape: Path) -> list[Decision]:
    """The decisions of a tape, in order."""
    return [decode_decision(record.payload) for record in records_of(tape, Kind.DECISION)]


def outcomes_on(tape: Path) -> list[Outcome]:
    """What became of them."""
    found = [decode_outcome(record.payload) for record in records_of(tape, Kind.OUTCOME)]
    return [outcome for outcome in found if isinstance(outcome, Outcome)]


def paper_events_on(tape: Path) -> list[PaperEvent]:
    """What the paper venue made up."""
    found = [decode_outcome(record.payload) for record in records_of(tape, Kind.OUTCOME)]
    return [event for event in found if isinstance(event, PaperEvent)]


def progress_on(tape: Path) -> list[Progress]:
    """How far the strategies have come."""
    return [decode_progress(record.payload) for record in records_of(tape, Kind.PROGRESS)]


def records_of(tape: Path, kind: Kind) -> list[Record]:
    """The records of a kind."""
    return [record for record in Tape.open(tape).records() if record.kind == kind]


def posts_on(tape: Path) -> dict[str, int]:
    """The seq of the answer to each order that was sent, by why."""
    found = {}
    for record in records_of(tape, Kind.REST):
        call = decode_rest(record.payload)
        if call.method != "GET":
            found[call.why] = record.seq
    return found


def assert_replays(tape: Path, at_least: int = 1) -> None:
    """What is decided anew from the tape alone is what was decided live."""
    player = Player(Tape.open(tape), "bytes", checkpoint_records=0)
    host = Host(player.engine, load)
    decided: list[Decision] = []
    for record, step in player.play():
        decided += host.react(record, step).decisions
    recorded = decisions_on(tape)
    assert len(recorded) >= at_least
    assert decided == recorded


LOOSE: Final = RiskLimits(order=10_000, market=100_000, exposure=10**10, day_loss=10**9)
"""Limits that nothing here comes near to."""
