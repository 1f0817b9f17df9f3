"""Tapes as a live run leaves them, without a network: records go through a host, and its decisions onto the tape.

Knows what the live shell promises: a DECISION after its cause, then its OUTCOME, a TICK when a timer is due, FAULT for
a strategy that failed, PROGRESS now and then and at the end of a session that was not killed.
"""

from collections.abc import Callable
from typing import Final

import msgspec
from sample_tapes import MILLI, SECOND, START_NS, Script

from core.actions import (
    GO,
    Amend,
    Cancel,
    Decision,
    Done,
    Outcome,
    Place,
    RunTerms,
    StrategySpec,
    Tick,
    renumbered,
)
from core.engine import Engine
from core.host import Host
from core.records import Control, Kind, Record, decode_session, encode_payload
from replay.loading import load, specify

MARKETS: Final = ("KXTEST-A", "KXTEST-B")
PROGRESS_RECORDS: Final = 25


class LiveRun:
    """A live run over a script. burst: records that come in before the strategies step them.

    failed_at: seqs of the records at which a strategy failed.
    """

    def __init__(
        self,
        *specs: StrategySpec,
        burst: int = 4,
        load: Callable[..., object] = load,
        outcome: Callable[[Decision], Outcome | None] | None = None,
    ) -> None:
        """outcome: what became of a decision, None = nothing is told (default: all goes well)."""
        self.records: list[Record] = []
        self.engine = Engine()
        self.host = Host(self.engine, load)  # type: ignore[arg-type]  # tests load what they like
        self.failed_at: list[int] = []
        self._terms = RunTerms(specs)
        self._burst = burst
        self._outcome = outcome or _outcome
        self._stepped = -1

    def live(self, script: Script, *, is_killed: bool = False) -> "LiveRun":
        """Go on with the records of a script, each of whose sessions is one of this run."""
        for number, record in enumerate(script.records):
            payload = record.payload
            if record.kind == Kind.SESSION:
                payload = encode_payload(msgspec.structs.replace(decode_session(payload), run=self._terms, seed=7))
            if record.kind == Kind.CLEAN_STOP:
                self._step_all()
                self._progress()
            self._append(record.kind, payload, record.at_ns, record.connection)
            if record.kind == Kind.SESSION:
                self._append(Kind.CONTROL, encode_payload(Control(GO)), record.at_ns)
            if number % self._burst == 0:
                self._step_all()
        if not is_killed:
            self._step_all()
        return self

    def _append(self, kind: int, payload: bytes, at_ns: int, connection: int = 0) -> None:
        self.records.append(Record(len(self.records), at_ns, 0, connection, kind, payload))

    def _step_all(self) -> None:
        while self._stepped + 1 < len(self.records):
            self._stepped += 1
            record = self.records[self._stepped]
            reaction = self.host.react(record, self.engine.step(record))
            now_ns = self.records[-1].at_ns
            for decision in reaction.decisions:
                self._append(Kind.DECISION, encode_payload(decision), now_ns)
                outcome = self._outcome(decision)
                if outcome is not None:
                    self._append(Kind.OUTCOME, encode_payload(outcome), now_ns)
            for fault in reaction.faults:
                self.failed_at.append(self._stepped)
                self._append(Kind.FAULT, encode_payload(fault), now_ns)
            waits = any(waiting.kind == Kind.TICK for waiting in self.records[self._stepped + 1 :])
            if 0 < self.host.next_wake_ns <= self.engine.now_ns and not waits:
                self._append(Kind.TICK, encode_payload(Tick(self.engine.now_ns)), now_ns)
            if self._stepped % PROGRESS_RECORDS == 0:
                self._progress()

    def _progress(self) -> None:
        self._append(Kind.PROGRESS, encode_payload(self.host.progress(self._stepped)), self.records[-1].at_ns)


def _outcome(decision: Decision) -> Outcome | None:
    if decision.refused:
        return None
    match decision.action:
        case Place(count=count):
            return Outcome(
                decision.number, Done.DONE, 201, order_id=f"order-{decision.number}", filled=0, remaining=count
            )
        case Cancel() | Amend():
            return Outcome(decision.number, Done.DONE, 200, order_id=decision.action.order_id)
        case _:
            return None


def market_day(rounds: int = 12, *, ends: bool = True, after_s: int = 0) -> Script:
    """A session: two books, whose best bids move every 300 ms, and trades."""
    script = Script(start_ns=START_NS + after_s * SECOND).session().opened().subscribed(1).subscribed(2, "trade")
    script.snapshot("KXTEST-A", [("0.4000", "10.00")], [("0.5000", "7.00")])
    script.snapshot("KXTEST-B", [("0.1000", "1.00")], [("0.7000", "3.00")])
    for turn in range(rounds):
        script.wait(300 * MILLI)
        script.delta("KXTEST-A", "yes", f"0.{4100 + 100 * (turn % 3):04d}", f"{turn + 1}.00")
        script.delta("KXTEST-B", "yes", f"0.{1100 + 100 * turn:04d}", "2.00")
        if turn % 4 == 0:
            script.trade("KXTEST-A", "0.4100", "1.00")
    return script.stop() if ends else script


def lived(path: str = "pupils:Quoter", **params: object) -> list[Record]:
    """The records of one session with a strategy, which is called "pupil": about a hundred."""
    return LiveRun(specify("pupil", path, params)).live(market_day()).records


def anew(records: list[Record]) -> list[Record]:
    """Records numbered from 0 again, and what they say of others' numbers with them."""
    seqs = [record.seq for record in records]
    now = {seq: number for number, seq in enumerate(seqs)}

    def seq_of(seq: int) -> int:
        while seq not in now and seq > 0:  # its record was taken out: the one before it
            seq -= 1
        return now.get(seq, 0)

    return [
        Record(number, r.at_ns, r.mono_ns, r.connection, r.kind, renumbered(r.kind, r.payload, seq_of))
        for number, r in enumerate(records)
    ]
