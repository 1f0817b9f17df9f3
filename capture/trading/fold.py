"""The thread in which strategies live: follows the log, runs the host, and puts decisions on the tape.

Knows the order of things: a decision is on the tape before anybody acts upon it. Must not know strategies, nor how
anything is carried out. The recorder never waits for it: a hook that hangs is a lag here, and nothing else.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from capture.tape.errors import TapeError
from capture.tape.follow import Follower
from core.actions import Cancel, Decision, PaperEvent, Say, Select, Subscribe, Unsubscribe
from core.actions import Outcome as Became
from core.engine import Engine, Step
from core.host import Host, wanted_markets
from core.orders import OwnOrder
from core.records import Fault, Kind, Record, encode_payload

POLL_S: Final = 0.05
"""How soon a stop is noticed when nothing comes."""

PROGRESS_S: Final = 1.0
"""How often it is said how far the strategies have come: what a kill leaves unjudged."""


class Appends(Protocol):
    """What takes records."""

    def append(self, kind: int, payload: bytes, connection: int = 0) -> int:
        """The record's seq; raises TapeError."""


class Acts(Protocol):
    """Who carries out decisions about orders and requests."""

    def take(self, decision: Decision, cause_mono_ns: int) -> None:
        """Carry it out; returns at once."""


class PaperVenue(Protocol):
    """Who answers orders when none are real."""

    def act(self, decision: Decision) -> Became | None:
        """What becomes of a decision, None = it is none about an order."""

    def saw(self, step: Step, engine: Engine) -> PaperEvent | None:
        """What the next record makes of the orders that rest, None = nothing."""


@dataclass(frozen=True, slots=True)
class TradingStatus:
    """The strategies at one instant. orders: own ones that are not known to be over. lag_records: behind the log.

    failed: strategies that ended by an error, each with how. stepped: the last record's seq.
    """

    decisions: int = 0
    refused: int = 0
    orders: tuple[OwnOrder, ...] = ()
    positions: tuple[tuple[str, int], ...] = ()
    cash: int | None = None
    day_pnl: int = 0
    fills: int = 0
    fees: int = 0
    health: str = ""
    failed: tuple[str, ...] = ()
    stepped: int = -1
    lag_records: int = 0
    selected: tuple[str, ...] = ()


class StrategyFold:
    """Runs a host over a log. failed: why it ended before it was stopped, "" = it did not.

    woke: called after each batch with (next timer by the tape's time, a record's time and monotonic time).
    subscribe: takes the markets the strategies want on the socket. say: takes their words.
    """

    def __init__(
        self, follower: Follower, host: Host, writer: Appends, hands: Acts, *, paper: PaperVenue | None,
        subscribe: Callable[[tuple[str, ...]], None], woke: Callable[[int, int, int, int], None],
        say: Callable[[str], None],
    ) -> None:  # fmt: skip
        self.failed = ""
        self._follower = follower
        self._host = host
        self._writer = writer
        self._hands = hands
        self._paper = paper
        self._subscribe = subscribe
        self._woke = woke
        self._say = say
        self._lock = threading.Lock()
        self._is_stopping = False
        self._wanted: dict[str, None] = {}
        self._faults: list[str] = []
        self._refused = 0
        self._stepped = -1
        self._told_at_s = 0.0
        self._told_seq = -1
        self._thread = threading.Thread(target=self._run, name="strategies", daemon=True)

    @property
    def is_alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin; once."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Whether it has stepped everything that was appended and ended, within that time."""
        self._is_stopping = True
        if self._thread.ident is not None:
            self._thread.join(max(timeout_s, 0.0))
        return not self._thread.is_alive()

    def status(self, timeout_s: float = 0.5) -> TradingStatus:
        """The strategies between two records; any thread. One that hangs in a hook: only what is known without it."""
        lag = self._follower.lag
        if not self._lock.acquire(timeout=timeout_s):
            return TradingStatus(failed=("a strategy does not return from a hook",), lag_records=lag)
        try:
            host = self._host
            trading = host.trading
            return TradingStatus(
                decisions=host.decisions,
                refused=self._refused,
                orders=trading.ledger.live(),
                positions=tuple((h.market, h.position) for h in trading.holdings.all() if h.position),
                cash=trading.holdings.cash,
                day_pnl=trading.risk.day_pnl,
                fills=trading.holdings.fills,
                fees=trading.holdings.fees,
                health=host.health.why,
                failed=tuple(self._faults),
                stepped=self._stepped,
                lag_records=lag,
                selected=host.selected,
            )
        finally:
            self._lock.release()

    def _run(self) -> None:
        try:
            while True:
                records = self._follower.take(POLL_S)
                for record in records:
                    self._step(record)
                if records:
                    host, last = self._host, records[-1]
                    self._woke(host.next_wake_ns, host.now_ns, last.mono_ns, last.seq)
                self._tell_progress(is_last=self._is_stopping and not records)
                if self._is_stopping and not records:
                    return
        except BaseException as error:  # a bug, or a damaged tape: never silent, and recording goes on without it
            self.failed = f"{type(error).__name__}: {error}"[:300]
            self._append(Kind.FAULT, encode_payload(Fault("strategies", self.failed)))
        finally:
            self._follower.close()

    def _step(self, record: Record) -> None:
        host = self._host
        with self._lock:
            step = host.engine.step(record)
            reaction = host.react(record, step)
            self._stepped = record.seq
            for fault in reaction.faults:
                self._faults.append(f"{fault.where}: {fault.error}")
        for decision in reaction.decisions:
            self._decided(decision, record)
        for fault in reaction.faults:
            self._append(Kind.FAULT, encode_payload(fault))
        if self._paper is not None:
            event = self._paper.saw(step, host.engine)
            if event is not None:
                self._append(Kind.OUTCOME, encode_payload(event))

    def _decided(self, decision: Decision, cause: Record) -> None:
        action = decision.action
        is_told = self._append(Kind.DECISION, encode_payload(decision))
        if decision.refused:
            self._refused += 1
            return
        match action:
            case Subscribe() | Unsubscribe():
                self._wanted = wanted_markets(self._wanted, action)
                self._subscribe(tuple(self._wanted))
            case Say(text, market):
                self._say(f"{decision.strategy}: {market + ': ' if market else ''}{text}")
            case Select():
                pass
            case _:
                outcome = None if self._paper is None else self._paper.act(decision)
                if outcome is not None:
                    self._append(Kind.OUTCOME, encode_payload(outcome))
                elif is_told or isinstance(action, Cancel):
                    self._hands.take(decision, cause.mono_ns)

    def _tell_progress(self, *, is_last: bool) -> None:
        now_s = time.monotonic()
        if self._stepped == self._told_seq or not (is_last or now_s - self._told_at_s >= PROGRESS_S):
            return
        self._told_at_s = now_s
        if self._append(Kind.PROGRESS, encode_payload(self._host.progress(self._stepped))):
            self._told_seq = self._stepped

    def _append(self, kind: Kind, payload: bytes) -> bool:
        with contextlib.suppress(TapeError):  # the writer tells of the gap, or recording is over
            self._writer.append(kind, payload)
            return True
        return False
