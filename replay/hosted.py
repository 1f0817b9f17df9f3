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
from core.ahead import MOST_ROWS
from core.cells import H_DUE, H_NOW, H_STOP, NEVER
from core.decider import Reaction
from core.engine import Step, change_of
from core.host import Host
from core.records import Control, Kind, Record, decode_session, encode_payload
from core.runs import DUE, END, TRADE_WOKE, UNDONE
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

LEAST_AHEAD: Final = 512
"""Rows: to keep the memory and to come back costs more than stopping at every wake among fewer."""

CELLS_A_ROW: Final = 256
"""Cells of the memory that are kept in the time that a stop at a row costs, about: the more markets a memory holds, the
more rows it takes until running ahead has paid."""

SINGLES: Final = 256
"""Wakes, one after another, before the machine runs ahead again of strategies that were in its way."""

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
        self._pace = LEAST_AHEAD  # rows that the machine may run ahead, 0 = none
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
            why, reaction = self._sweep(stretch)
            record: Record | None = None
            if why == UNDONE:
                record, step = player.step()
                reaction = react(self.host if self._terms is None else self, record, step)
                self.host.wakes.watch(step.message)
            if why == UNDONE or reaction.decisions or reaction.faults:
                self._count(reaction)
                yield player.position - 1, record, reaction

    def _sweep(self, rows: tuple[Any, int, int, int]) -> tuple[int, Reaction]:
        """Have the machine step rows until Python has to, or something is decided; why it stopped, what was decided."""
        why, reaction = END, Reaction()
        cells, stride, first, last = rows
        while first < last and why != UNDONE and not (reaction.decisions or reaction.faults):
            rows = cells, stride, first, last
            why, first, reaction = self._ahead(rows) if self._pace else self._singly(rows, SINGLES)
        return why, reaction

    def _ahead(self, rows: tuple[Any, int, int, int]) -> tuple[int, int, Reaction]:
        """`_sweep` with the machine ahead of the strategies, as far as it has paid so far; also the row after it."""
        player, host, plain = self.player, self.host, self.player.engine.memory.plain
        cells, stride, first, last = rows
        until = min(last, first + self._pace)
        host.due_is_stale, plain[H_DUE] = False, self._due_ns
        seq = player.position - first
        try:
            stopped, reaction = host.run_ahead((cells, stride, first, until), seq, player.message_at)
        except BaseException:
            player.moved(first, host.row_told + 1)
            raise
        player.moved(first, stopped)
        why = plain[H_STOP]
        if host.is_disturbed:
            self._pace = 2 * (stopped - first)
            self._pace = self._pace if self._pace >= self._least else 0
            return END, stopped, reaction
        if why == DUE and stopped < last:
            return self._singly((cells, stride, stopped, last), 1)
        is_short = why == UNDONE and stopped - first < player.engine.memory.end // CELLS_A_ROW
        self._pace = 0 if is_short else min(2 * self._pace, MOST_ROWS)
        return why, stopped, reaction

    @property
    def _least(self) -> int:
        """Rows of a stretch that has paid."""
        return max(LEAST_AHEAD, self.player.engine.memory.end // CELLS_A_ROW)

    def _singly(self, rows: tuple[Any, int, int, int], most: int) -> tuple[int, int, Reaction]:
        """`_sweep` with a stop at every record that wakes somebody, at most so often."""
        player, host, memory = self.player, self.host, self.player.engine.memory
        cells, stride, first, last = rows
        reaction, why = Reaction(), END
        for _ in range(most):
            memory.plain[H_DUE] = due_ns = self._due_ns
            before = first
            first = memory.machine.run(memory.m, cells, stride, first, last)
            player.moved(before, first)
            why, now_ns = memory.plain[H_STOP], memory.plain[H_NOW]
            if why <= UNDONE:
                break
            if now_ns < due_ns:
                message = player.message_at(first - 1) if why == TRADE_WOKE else None
                reaction = host.woken(player.position - 1, now_ns, why, message)
            else:
                record, message = player.last()
                step = Step(now_ns, message, change_of(player.engine, message), ())
                reaction = react(host if self._terms is None else self, record, step)
            if reaction.decisions or reaction.faults:
                break
        else:
            self._pace = self._least
        return why, first, reaction

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
