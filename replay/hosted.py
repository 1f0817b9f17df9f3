"""A tape played with its strategies: what they decide when they are given the same records again.

Knows how a player and a host go together, and what stands around a hook in replay. Must not know what the decisions are
compared with.

Faithful: the strategies that each SESSION names, the tape's records and nothing else. What-if: other strategies than
ran, so what the tape says of orders, timers and outcomes is about somebody else and is passed over; nothing answers
what they ask for, and timers go off at the first record that is late enough. Backtest: either, before a simulated venue
(`replay.venue`), which answers; what is told and due between two records is then inserted there.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from capture.tape.errors import TapeError
from capture.tape.reader import Tape
from core.actions import GO, RunTerms, StrategySpec, Tick
from core.cells import H_DUE, H_NOW, H_OWN, H_STOP, NEVER
from core.decider import Reaction
from core.engine import Step, change_of
from core.host import Host
from core.records import Control, Kind, Record, decode_session, encode_payload
from core.runs import DUE, END, OWN, TRADE_WOKE, UNDONE
from core.seats import Run, directly
from core.state import DecisionDigest
from core.strategy import Strategy
from replay.guard import Impure, guarded
from replay.loading import load
from replay.pace import Pace
from replay.player import Player, coming
from replay.venue.stage import Inserted, Stage
from replay.venue.terms import VenueTerms
from replay.venue.told import Listener
from replay.venue.venue import Venue

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

    path: "bytes" or "columns". strategies: those of a what-if, empty = faithful. venue: what answers them, None =
    nothing; without `strategies` it answers those of the tape's own sessions. seed: of what the venue draws, and added
    to that of the strategies' dice. listener: is told what happens at the venue. run_terms, from_ns: limits of
    `strategies`, and when they begin before a venue. decisions, faults: how many there were so far; digest: over the
    decisions. Raises ConfigError for a venue's terms that cannot be.
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
        venue: VenueTerms | None = None,
        seed: int = 0,
        listener: Listener | None = None,
        run_terms: RunTerms | None = None,
        from_ns: int = 0,
    ) -> None:
        self.player = Player(tape, path, checkpoint_records=checkpoint_records)
        self.host = Host(self.player.engine, load, run, raises)
        self.decisions = 0
        self.faults = 0
        self.digest = DecisionDigest()
        self._pace = Pace()
        terms = msgspec.structs.replace(run_terms or RunTerms(), strategies=strategies, paper=UNANSWERED)
        self._terms = terms if strategies else None
        self.venue: Venue | None = None
        self._stage: Stage | None = None
        if venue is not None:
            self.venue = Venue(venue, self.player.engine, seed, listener)
            self._stage = Stage(self.host, self.venue, terms, seed, from_ns)

    def play(
        self, until_seq: int | None = None, until_ns: int | None = None
    ) -> Iterator[tuple[Record, Step, Reaction]]:
        """Every record up to and including a seq and an instant, or to the end, after its step, with what it led to.

        With a venue also those that are inserted; they have the seq of the record before them.
        Raises TapeDamaged; TapeError when a record of ours cannot be read; ConfigError when a strategy cannot be had,
        or the venue misses a fact.
        """
        if self._stage is not None:
            yield from self._play_staged(self._stage, until_seq, until_ns)
            return
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
        if self._stage is not None:
            yield from self._run_staged(self._stage, until_seq, until_ns)
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

    def _play_staged(
        self, stage: Stage, until_seq: int | None, until_ns: int | None
    ) -> Iterator[tuple[Record, Step, Reaction]]:
        """`play` before a venue."""
        player = self.player
        limits = NEVER if until_ns is None else until_ns, NEVER if until_seq is None else until_seq
        while (next_ns := coming(player, *limits)) is not None:
            for one in self._due(stage, next_ns):
                yield one.record, one.step, one.reaction
            record, step = player.step(dense=True)
            reaction = _read(stage.react, record, step)
            self._count(reaction)
            yield record, step, reaction
        for one in self._due(stage, self._end_ns(until_ns)):
            yield one.record, one.step, one.reaction

    def _run_staged(
        self, stage: Stage, until_seq: int | None, until_ns: int | None
    ) -> Iterator[tuple[int, Record | None, Reaction]]:
        """`run` before a venue: the machine steps up to the next record that may mean something to anybody, or the
        next instant at which something is due."""
        player, memory = self.player, self.player.engine.memory
        last_ns, last_seq = NEVER if until_ns is None else until_ns, NEVER if until_seq is None else until_seq
        while True:
            stretch = player.stretch(min(last_ns, stage.next_ns - 1), last_seq)
            if stretch is None:
                next_ns = coming(player, last_ns, last_seq)
                for one in self._due(stage, self._end_ns(until_ns) if next_ns is None else next_ns):
                    yield one.record.seq, one.record, one.reaction
                if next_ns is None:
                    return
                continue
            why, _, reaction = self._stretch(stretch)
            self._pace.stopped(decided=bool(reaction.decisions))
            record: Record | None = None
            if why == UNDONE:
                record, step = player.step()
                reaction = _read(stage.react, record, step)
                self.host.wakes.watch(step.message)
            else:
                seq, now_ns = player.position - 1, player.engine.now_ns
                stage.woken(seq, now_ns, reaction)
                if memory.plain[H_OWN]:
                    last, message = player.last()
                    stage.venue.saw(last, Step(now_ns, message, change_of(player.engine, message), ()))
            self._count(reaction)
            if why == UNDONE or reaction.decisions or reaction.faults:
                yield player.position - 1, record, reaction

    def _due(self, stage: Stage, until_ns: int) -> Iterator[Inserted]:
        for one in stage.due(until_ns):
            self._count(one.reaction)
            yield one

    def _end_ns(self, until_ns: int | None) -> int:
        """Up to when things fall due once there is no record to be played: where the tape ends, its time does."""
        if self.player.finished:
            return self.player.now_ns
        return -1 if until_ns is None else until_ns

    def _stretch(self, rows: tuple[Any, int, int, int]) -> tuple[int, int, Reaction]:
        return self._ahead(rows) if self._pace.rows else self._singly(rows, self._pace.singles)

    def _sweep(self, rows: tuple[Any, int, int, int]) -> tuple[int, Reaction]:
        """Have the machine step rows until Python has to, or something is decided; why it stopped, what was decided."""
        why, reaction = END, Reaction()
        cells, stride, first, last = rows
        while first < last and why != UNDONE and not (reaction.decisions or reaction.faults):
            rows = cells, stride, first, last
            why, first, reaction = self._stretch(rows)
        return why, reaction

    def _ahead(self, rows: tuple[Any, int, int, int]) -> tuple[int, int, Reaction]:
        """`_sweep` with the machine ahead of the strategies, as far as it has paid so far; also the row after it."""
        player, host, plain = self.player, self.host, self.player.engine.memory.plain
        cells, stride, first, last = rows
        until = min(last, first + self._pace.rows)
        host.due_is_stale, plain[H_DUE] = False, self._due_ns
        seq = player.position - first
        try:
            stopped, reaction = host.run_ahead((cells, stride, first, until), seq, player.message_at)
        except BaseException:
            player.moved(first, host.row_told + 1)
            raise
        player.moved(first, stopped)
        why, self._pace.kept = plain[H_STOP], host.cells_kept
        if host.is_disturbed:
            self._pace.disturbed(stopped - first)
            return END, stopped, reaction
        if why == DUE and stopped < last:
            return self._singly((cells, stride, stopped, last), 1)
        self._pace.went(stopped - first, was_cut=why in (UNDONE, OWN))
        return why, stopped, reaction

    def _singly(self, rows: tuple[Any, int, int, int], most: int) -> tuple[int, int, Reaction]:
        """`_sweep` with a stop at every record that wakes somebody, at most so often."""
        player, host, memory = self.player, self.host, self.player.engine.memory
        cells, stride, first, last = rows
        reaction, why, host.wakes.is_disturbed = Reaction(), END, False
        for _ in range(most):
            memory.plain[H_DUE] = due_ns = self._due_ns
            before = first
            first = memory.machine.run(memory.m, cells, stride, first, last)
            player.moved(before, first)
            why, now_ns = memory.plain[H_STOP], memory.plain[H_NOW]
            if why <= UNDONE:
                break
            if why == OWN and now_ns < due_ns:
                pass  # nobody is to be told
            elif now_ns < due_ns:
                message = player.message_at(first - 1) if why == TRADE_WOKE else None
                reaction = host.woken(player.position - 1, now_ns, why, message)
            else:
                record, message = player.last()
                step = Step(now_ns, message, change_of(player.engine, message), ())
                is_told = self._terms is None or self._stage is not None
                reaction = react(host if is_told else self, record, step)
            is_moved = self._stage is not None and (host.wakes.is_disturbed or memory.plain[H_OWN])
            if reaction.decisions or reaction.faults or is_moved:
                break
        else:
            self._pace.resume()
        return why, first, reaction

    @property
    def _due_ns(self) -> int:
        """From when on every record is to be seen by the host; in a what-if also because timers go off."""
        due_ns, wake_ns = self.host.due_ns, self.host.next_wake_ns
        is_told = self._terms is None or self._stage is not None
        return due_ns if is_told or not wake_ns else min(due_ns, wake_ns)

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
    return _read(host.react, record, step)


def _read(react: Callable[[Record, Step], Reaction], record: Record, step: Step) -> Reaction:
    try:
        return react(record, step)
    except msgspec.MsgspecError as error:
        kind = Kind(record.kind).name
        raise TapeError(f"record {record.seq} is no {kind} that this program can read: {error}") from error


def _instead(record: Record, kind: Kind, payload: Any) -> Record:
    return Record(record.seq, record.at_ns, record.mono_ns, record.connection, kind, encode_payload(payload))


def _quiet(step: Step) -> Step:
    """The same instant, at which nothing else happened."""
    return Step(step.now_ns, None, None, ())
