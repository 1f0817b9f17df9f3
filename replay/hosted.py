"""A tape played with its strategies: what they decide when they are given the same records again.

Knows how a player and a host go together, and what stands around a hook in replay. Must not know what the decisions are
compared with.

Faithful: the strategies that each SESSION names, the tape's records and nothing else. What-if: other strategies than
ran, so what the tape says of orders, timers and outcomes is about somebody else and is passed over; nothing answers
what they ask for, and timers go off at the first record that is late enough.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from capture.tape.errors import TapeError
from capture.tape.reader import Tape
from core.actions import GO, RunTerms, StrategySpec, Tick
from core.cells import H_DUE, H_NOW, H_STOP, NEVER
from core.decider import Reaction
from core.engine import Step
from core.host import Host
from core.machine import TRADE_WOKE, UNDONE
from core.records import Control, Kind, Record, decode_session, encode_payload
from core.seats import Run, directly
from core.state import DecisionDigest
from core.strategy import Strategy
from replay.guard import Impure, guarded
from replay.loading import load
from replay.player import Player

UNANSWERED: Final = "unanswered"
"""The fill model of a what-if without a venue: whatever is placed stays without an answer."""


def guarded_load(spec: StrategySpec) -> Strategy:
    """The strategy that a specification names, made under watch. Raises ConfigError, Impure."""
    return load(spec, make=guarded)


AROUND: Final[dict[str, Any]] = {"run": guarded, "raises": (Impure,), "load": guarded_load}
"""What stands around a strategy in replay, as `core.host.Host` takes it."""

_OF_A_RUN: Final = (int(Kind.TICK), int(Kind.DECISION), int(Kind.OUTCOME), int(Kind.CONTROL), int(Kind.PROGRESS))


class Hosted:
    """Plays a tape forward, once, with strategies.

    path: "bytes" or "columns". strategies: those of a what-if, empty = faithful. decisions, faults: how many there were
    so far; digest: over the decisions.
    """

    def __init__(
        self,
        tape: Tape,
        path: str = "columns",
        strategies: tuple[StrategySpec, ...] = (),
        *,
        run: Run = directly,
        raises: tuple[type[BaseException], ...] = (),
        load: Callable[[StrategySpec], Strategy] = load,
        checkpoint_records: int = 0,
    ) -> None:
        self.player = Player(tape, path, checkpoint_records=checkpoint_records)
        self.host = Host(self.player.engine, load, run, raises)
        self.decisions = 0
        self.faults = 0
        self.digest = DecisionDigest()
        self._terms = RunTerms(strategies, paper=UNANSWERED) if strategies else None

    def play(
        self, until_seq: int | None = None, until_ns: int | None = None
    ) -> Iterator[tuple[Record, Step, Reaction]]:
        """Every record up to and including a seq and an instant, or to the end, after its step, with what it led to.

        Raises TapeDamaged; TapeError when a record of ours cannot be read; ConfigError when a strategy cannot be had.
        """
        for record, step in self.player.play(until_ns, until_seq):
            reaction = react(self.host if self._terms is None else self, record, step)
            self._count(reaction)
            yield record, step, reaction

    def run(
        self, until_seq: int | None = None, until_ns: int | None = None
    ) -> Iterator[tuple[int, Record | None, Reaction]]:
        """`play`, giving only records that may mean something: seq, record, what it led to.

        By columns the machine steps what no strategy wants to hear of. Of a record that it stepped there is nothing
        but what it led to, where it led to anything. Raises as `play`.
        """
        if self.player.path != "columns" or not self.player.engine.memory.is_compiled:
            for played, _, reaction in self.play(until_seq, until_ns):
                yield played.seq, played, reaction
            return
        player, last_seq = self.player, NEVER if until_seq is None else until_seq
        last_ns = NEVER if until_ns is None else until_ns
        while (stretch := player.stretch(last_ns, last_seq)) is not None:
            why, reaction = self._sweep(*stretch)
            record: Record | None = None
            if why == UNDONE:
                record, step = player.step()
                reaction = react(self.host if self._terms is None else self, record, step)
                self.host.watch(step.message)
            if why == UNDONE or reaction.decisions or reaction.faults:
                self._count(reaction)
                yield player.position - 1, record, reaction

    def _sweep(self, cells: Any, stride: int, first: int, last: int) -> tuple[int, Reaction]:
        """Have the machine step rows until Python has to, or something is decided; why it stopped, what was decided."""
        player, host, memory = self.player, self.host, self.player.engine.memory
        step, m, plain, woken = memory.machine.run, memory.m, memory.plain, host.woken
        begun, seq = first, player.position - first - 1
        plain[H_DUE] = due_ns = self._due_ns
        reaction = Reaction()
        try:
            while True:
                first = step(m, cells, stride, first, last)
                why, now_ns = plain[H_STOP], plain[H_NOW]
                if why <= UNDONE:
                    break
                if why != TRADE_WOKE and now_ns < due_ns:
                    reaction = woken(seq + first, now_ns, why)
                else:
                    player.moved(begun, first)
                    begun = first
                    reaction = self._told(why, now_ns < due_ns)
                    host.due_is_stale = True
                if reaction.decisions or reaction.faults:
                    break
                if host.due_is_stale:
                    host.due_is_stale = False
                    plain[H_DUE] = due_ns = self._due_ns
        finally:
            player.moved(begun, first)
        return why, reaction

    def _told(self, why: int, is_ordinary: bool) -> Reaction:
        """The host is told of the record that the machine stepped last, with its message."""
        player, host = self.player, self.host
        record, message = player.last()
        now_ns = player.now_ns
        if is_ordinary:
            return host.woken(record.seq, now_ns, why, message)
        step = Step(now_ns, message, player.engine.change_of(message), ())
        return react(host if self._terms is None else self, record, step)

    @property
    def _due_ns(self) -> int:
        """From when on every record is to be seen by the host; without a venue also because timers go off."""
        due_ns, wake_ns = self.host.due_ns, self.host.next_wake_ns
        return due_ns if self._terms is None or not wake_ns else min(due_ns, wake_ns)

    def _count(self, reaction: Reaction) -> None:
        for decision in reaction.decisions:
            self.digest.add(encode_payload(decision))
        self.decisions += len(reaction.decisions)
        self.faults += len(reaction.faults)

    def react(self, record: Record, step: Step) -> Reaction:
        """What a record leads to in a what-if; for `play`."""
        host, kind = self.host, record.kind
        if kind in _OF_A_RUN:
            return Reaction()
        if kind == Kind.SESSION:
            session = msgspec.structs.replace(decode_session(record.payload), run=self._terms)
            host.react(_instead(record, Kind.SESSION, session), step)
            return host.react(_instead(record, Kind.CONTROL, Control(GO)), _quiet(step))
        reaction = host.react(record, step)
        if 0 < host.next_wake_ns <= step.now_ns:
            ticked = host.react(_instead(record, Kind.TICK, Tick(step.now_ns)), _quiet(step))
            first = len(reaction.decisions)
            reaction.decisions += [
                msgspec.structs.replace(decision, ordinal=first + decision.ordinal) for decision in ticked.decisions
            ]
            reaction.faults += ticked.faults
        return reaction


def react(host: Host | Hosted, record: Record, step: Step) -> Reaction:
    """What a record leads to; raises TapeError when it is one of ours that cannot be read."""
    try:
        return host.react(record, step)
    except msgspec.MsgspecError as error:
        kind = Kind(record.kind).name
        raise TapeError(f"record {record.seq} is no {kind} that this program can read: {error}") from error


def _instead(record: Record, kind: Kind, payload: Any) -> Record:
    return Record(record.seq, record.at_ns, record.mono_ns, record.connection, kind, encode_payload(payload))


def _quiet(step: Step) -> Step:
    """The same instant, at which nothing else happened."""
    return Step(step.now_ns, None, None, ())
