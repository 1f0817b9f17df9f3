"""The strategies' thread over a tape alone: what comes first, and what a disk that refuses changes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from floor_strategies import RELEASED
from live import until
from lives import CALM
from trading_floor import QUOTER, assert_replays, decisions_on, outcomes_on, progress_on, records_of
from writing import ENOSPC, FaultyDisk, session

from capture.tape.writer import TapeWriter
from capture.trading.fold import StrategyFold
from core.actions import GO, Cancel, Decision, Done, Outcome, Place, RunTerms, StrategySpec
from core.engine import Engine
from core.host import Host
from core.records import Control, Kind, encode_payload
from core.strategy import Strategy
from replay.loading import load, specify


class Pocket:
    """Takes decisions, and notes how many lay on the tape by then."""

    def __init__(self, tape: Path) -> None:
        self.taken: list[tuple[Decision, int]] = []
        self._tape = tape

    def take(self, decision: Decision, cause_mono_ns: int) -> None:
        assert cause_mono_ns > 0
        self.taken.append((decision, len(decisions_on(self._tape))))


class Folded:
    """A fold with one strategy, and a tape that the test writes."""

    def __init__(self, path: Path, load: Callable[[StrategySpec], Strategy] = load, **given: Any) -> None:
        self.path = path
        self.disk = FaultyDisk()
        self.said: list[str] = []
        self.subscribed: list[tuple[str, ...]] = []
        spec = specify("quoter", QUOTER, {"markets": ["M1", "M2"]} | given)
        run = msgspec.to_builtins(RunTerms(strategies=(spec,)))
        told = msgspec.structs.replace(session(), run=run)
        self.writer = TapeWriter.create(path, "demo", told, options=CALM, disk=self.disk)
        self.hands = Pocket(path)
        self.woke: list[int] = []
        self.fold = StrategyFold(
            self.writer.follow("strategies"), Host(Engine(), load), self.writer, self.hands, paper=None,
            subscribe=self.subscribed.append, woke=lambda wake_ns, *_: self.woke.append(wake_ns), say=self.said.append,
        )  # fmt: skip
        self.fold.start()
        until(lambda: progress_on(path) or self.fold.failed, "the session")

    def go(self) -> None:
        seq = self.writer.append(Kind.CONTROL, encode_payload(Control(GO)))
        until(lambda: self.fold.status().stepped >= seq or self.fold.failed, "the strategies to begin")

    def end(self) -> None:
        assert self.fold.stop(5.0)
        self.writer.close()


def test_a_decision_is_on_the_tape_before_anybody_acts_upon_it(tmp_path: Path) -> None:
    folded = Folded(tmp_path / "tape", every_ms=1)
    folded.go()
    folded.end()
    numbers = {decision.number: index for index, decision in enumerate(decisions_on(folded.path), 1)}
    placed = [taken for taken in folded.hands.taken if isinstance(taken[0].action, Place)]
    assert len(placed) == 2
    assert all(on_tape >= numbers[decision.number] for decision, on_tape in placed)
    assert folded.subscribed == [("M1", "M2")]
    assert "quoter: not halted" in folded.said
    assert folded.woke[-1] > 0, "the timer is told"
    assert_replays(folded.path)


def test_a_decision_that_the_disk_refuses_is_not_acted_upon_and_told_later(tmp_path: Path) -> None:
    folded = Folded(tmp_path / "tape")
    folded.disk.faults["write"] = [0] + [ENOSPC] * 50  # the go is on the tape, nothing that follows from it
    folded.go()
    folded.disk.faults.clear()
    until(lambda: len(outcomes_on(folded.path)) == 2, "what is owed")
    until(lambda: not folded.fold.status().orders, "the orders to be known as over")
    folded.end()
    assert [t for t in folded.hands.taken if isinstance(t[0].action, Place)] == []
    assert [d for d in decisions_on(folded.path) if isinstance(d.action, Place)] == []
    assert {(o.done, o.code) for o in outcomes_on(folded.path)} == {(Done.REFUSED, "not_on_tape")}


def test_a_cancel_is_carried_out_though_the_disk_refuses_its_decision(tmp_path: Path) -> None:
    folded = Folded(tmp_path / "tape", deed="late-cancel")
    folded.go()
    number = next(d.number for d in decisions_on(folded.path) if isinstance(d.action, Place))
    folded.writer.append(Kind.OUTCOME, encode_payload(Outcome(number, Done.DONE, 201, order_id="x", remaining=100)))
    folded.disk.always["write"] = ENOSPC  # the strategy is busy for longer than it takes to say so
    until(lambda: any(isinstance(taken.action, Cancel) for taken, _ in folded.hands.taken), "the cancel")
    folded.disk.always.clear()
    folded.end()
    assert not any(isinstance(decision.action, Cancel) for decision in decisions_on(folded.path))


def test_at_the_end_progress_says_that_everything_was_stepped(tmp_path: Path) -> None:
    folded = Folded(tmp_path / "tape")
    folded.go()
    for _ in range(3_000):
        folded.writer.append(Kind.HEARTBEAT, b"{}")
    head_seq = folded.writer.head_seq
    folded.end()
    last = progress_on(folded.path)[-1]
    assert last.stepped >= head_seq and last.decisions == len(decisions_on(folded.path))


def test_the_status_never_waits_for_a_hook_that_hangs(tmp_path: Path) -> None:
    folded = Folded(tmp_path / "tape", deed="hang")
    folded.go()
    RELEASED.clear()
    try:
        outcome = encode_payload(Outcome(3, Done.DONE, 201, order_id="x", remaining=100))
        assert isinstance(decisions_on(folded.path)[2].action, Place)
        before = folded.fold.status()
        folded.writer.append(Kind.OUTCOME, outcome)
        until(lambda: folded.fold.status().hung_s > 1.0, "the hook to hang")
        during = folded.fold.status()
        assert (during.orders, during.stepped, during.failed) == (before.orders, before.stepped, ())
        assert during.lag_records > 0
        assert not folded.fold.stop(0.05)
    finally:
        RELEASED.set()
    folded.end()
    assert folded.fold.status().hung_s == 0.0


def test_a_bug_in_the_fold_is_a_fault_on_the_tape_and_recording_goes_on(tmp_path: Path) -> None:
    def loads(_spec: StrategySpec) -> Strategy:
        raise ZeroDivisionError("a bug")

    folded = Folded(tmp_path / "tape", loads)
    assert folded.fold.failed == "ZeroDivisionError: a bug"
    assert folded.writer.append(Kind.HEARTBEAT, b"{}") > 0
    folded.end()
    assert [b"ZeroDivisionError" in record.payload for record in records_of(folded.path, Kind.FAULT)] == [True]
