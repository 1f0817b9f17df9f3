"""The thread in which strategies live: follows the log, runs the host, and puts decisions on the tape.

Knows the order of things: a decision is on the tape before anybody acts upon it. Must not know strategies, nor how
anything is carried out. The recorder never waits for it: a hook that hangs is a lag here, and nothing else.
"""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from capture.link import Appender
from capture.tape.errors import TapeError
from capture.tape.follow import Follower
from core.actions import Amend, Decision, Done, Fetch, PaperEvent, Place, Say, Select, Subscribe, Unsubscribe
from core.actions import Outcome as Became
from core.engine import Engine, Step
from core.host import Host, wanted_markets
from core.orders import OwnOrder
from core.records import Fault, Kind, Record, encode_payload

POLL_S: Final = 0.05
"""How soon a stop is noticed when nothing comes."""

PROGRESS_S: Final = 1.0
"""How often it is said how far the strategies have come: what a kill leaves unjudged. Money that was won or lost is
said at once, for the day's limit of the next session is judged by it."""

SHOW_S: Final = 0.1
"""How often the status is made while records come without end."""

HUNG_S: Final = 1.0
"""A record that takes longer than that hangs in a hook."""

UNRECORDED: Final = "not_on_tape"
"""The code of what was not carried out because the decision could not be put on the tape."""


class Acts(Protocol):
    """Who carries out decisions about orders and requests."""

    def take(self, decision: Decision, cause_mono_ns: int) -> None:
        """Carry it out; returns at once."""


class PaperVenue(Protocol):
    """Who answers orders when none are real."""

    def act(self, decision: Decision) -> Became | None:
        """What becomes of a decision, None = it is none about an order."""

    def saw(self, step: Step, engine: Engine) -> None:
        """Take in the next record, before what was decided because of it."""

    def events(self) -> PaperEvent | None:
        """Fills and ends since the last call, None = there are none."""


@dataclass(frozen=True, slots=True)
class TradingStatus:
    """The strategies at one instant. orders: own ones that are not known to be over. lag_records: behind the log.

    failed: strategies that ended by an error, each with how. stepped: the last record's seq. hung_s: for how long a
    hook has not returned, 0 = none hangs; everything else is as it was before.
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
    hung_s: float = 0.0


class StrategyFold:
    """Runs a host over a log. failed: why it ended before it was stopped, "" = it did not.

    woke: called after each batch with (next timer by the tape's time, a record's time and monotonic time).
    subscribe: takes the markets the strategies want on the socket. say: takes their words.
    """

    def __init__(
        self, follower: Follower, host: Host, writer: Appender, hands: Acts, *, paper: PaperVenue | None,
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
        self._status = TradingStatus()
        self._shown_at_s = self._busy_since_s = 0.0
        self._is_stopping = False
        self._wanted: dict[str, None] = {}
        self._faults: list[str] = []
        self._refused = 0
        self._stepped = self._told_seq = follower.next_seq - 1
        self._told_at_s = 0.0
        self._told_money = (0, False)
        self._owed: deque[bytes] = deque()
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

    def status(self) -> TradingStatus:
        """The strategies a tenth of a second ago at most, unless one hangs in a hook; any thread, and never waits."""
        since_s = self._busy_since_s
        busy_s = time.monotonic() - since_s if since_s else 0.0
        lag = self._follower.next_seq + self._follower.lag - 1 - self._stepped
        return replace(self._status, lag_records=max(lag, 0), hung_s=busy_s if busy_s > HUNG_S else 0.0)

    def _run(self) -> None:
        try:
            while True:
                records = self._follower.take(POLL_S)
                for record in records:
                    self._step(record)
                    self._show(is_calm=False)
                if records:
                    host, last = self._host, records[-1]
                    self._woke(host.next_wake_ns, host.now_ns, last.mono_ns, last.seq)
                self._pay()
                self._show(is_calm=not records)
                self._tell_progress(is_last=self._is_stopping and not records)
                if self._is_stopping and not records:
                    return
        except BaseException as error:  # a bug, or a damaged tape: never silent, and recording goes on without it
            self.failed = f"{type(error).__name__}: {error}"[:300]
            self._append(Kind.FAULT, encode_payload(Fault("strategies", self.failed)))
        finally:
            self._follower.close()

    def _step(self, record: Record) -> None:
        host, paper = self._host, self._paper
        self._busy_since_s = time.monotonic()
        step = host.engine.step(record)
        reaction = host.react(record, step)
        self._busy_since_s = 0.0
        self._stepped = record.seq
        for fault in reaction.faults:
            self._faults.append(f"{fault.where}: {fault.error}")
        if paper is not None:
            paper.saw(step, host.engine)
        for decision in reaction.decisions:
            self._decided(decision, record)
        for fault in reaction.faults:
            self._append(Kind.FAULT, encode_payload(fault))
        event = None if paper is None else paper.events()
        if event is not None:
            self._append_or_owe(event)

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
            case Place() | Amend() | Fetch() if not is_told:
                self._append_or_owe(Became(decision.number, Done.REFUSED, code=UNRECORDED))
            case _:
                outcome = None if self._paper is None else self._paper.act(decision)
                if outcome is not None:
                    self._append_or_owe(outcome)
                else:
                    self._hands.take(decision, cause.mono_ns)

    def _show(self, *, is_calm: bool) -> None:
        """Make the status that others see; while records come, not at every batch."""
        now_s = time.monotonic()
        if self._status.stepped == self._stepped or not (is_calm or now_s - self._shown_at_s >= SHOW_S):
            return
        self._shown_at_s = now_s
        host = self._host
        trading = host.trading
        self._status = TradingStatus(
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
            selected=host.selected,
        )

    def _tell_progress(self, *, is_last: bool) -> None:
        now_s = time.monotonic()
        if self._stepped == self._told_seq:
            return
        progress = self._host.progress(self._stepped)
        money = progress.day_pnl, progress.halted
        if not (is_last or money != self._told_money or now_s - self._told_at_s >= PROGRESS_S):
            return
        self._told_at_s = now_s
        if self._append(Kind.PROGRESS, encode_payload(progress)):
            self._told_seq, self._told_money = self._stepped, money

    def _append_or_owe(self, outcome: Became | PaperEvent) -> None:
        """Put on the tape what the strategies must hear, if need be when the disk is better."""
        payload = encode_payload(outcome)
        if self._owed or not self._append(Kind.OUTCOME, payload):
            self._owed.append(payload)

    def _pay(self) -> None:
        while self._owed and self._append(Kind.OUTCOME, self._owed[0]):
            self._owed.popleft()

    def _append(self, kind: Kind, payload: bytes) -> bool:
        with contextlib.suppress(TapeError):  # the writer tells of the gap, or recording is over
            self._writer.append(kind, payload)
            return True
        return False
