"""A host before the simulated venue: what its strategies are told of the tape, and of what they did themselves.

Knows which records of a tape are about the run that was recorded, and are kept from others; and all that the tape's
time brings about between its records: what the venue does and tells, timers, a beat each second where the recorder had
none. Such records are made here; they have the seq of the tape's record before them. Must not know how a tape is
played.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from core.actions import GO, RunTerms, Tick, terms_of
from core.cells import NEVER
from core.decider import Reaction
from core.engine import Step
from core.errors import ConfigError
from core.host import Host
from core.messages.types import Fill, MarketPosition, UserOrder
from core.records import Control, Heartbeat, Kind, Record, Session, decode_rest, decode_session, encode_payload
from core.times import SECOND_NS
from replay.venue.venue import Venue
from replay.venue.words import Made, made

LEAST_TICK_NS: Final = 1_000_000
"""Between two ticks, at least: a timer that is set anew at once must not stop the time."""

MOST_AT_ONCE: Final = 10_000
"""Records made at one instant: who acts upon every answer with no latency at all never comes to an end."""

_OF_A_RUN: Final = (int(Kind.TICK), int(Kind.DECISION), int(Kind.OUTCOME), int(Kind.CONTROL), int(Kind.PROGRESS))
_PRIVATE: Final = (Fill, UserOrder, MarketPosition)


@dataclass(frozen=True, slots=True)
class Inserted:
    """A record that the tape has not, what it did, and what it led to."""

    record: Record
    step: Step
    reaction: Reaction


class Stage:
    """terms: of what runs; no strategies in it = those of the tape's own sessions, by their own terms. seed: added to
    that of the strategies' dice. from_ns: until then the tape plays without a run; one begins then, in whatever session
    there is."""

    def __init__(self, host: Host, venue: Venue, terms: RunTerms, seed: int, from_ns: int = 0) -> None:
        self.venue = venue
        self._host = host
        self._terms = terms
        self._seed = seed
        self._cause = (-1, 0)
        self._seq = -1
        self._now_ns = 0
        self._ticked_ns = 0
        self._beat_ns = NEVER
        self._is_over = True
        self._from_ns = from_ns
        self._waiting: Record | None = None  # the session in which a run is to begin
        self._at_once = 0

    @property
    def next_ns(self) -> int:
        """When something is due next, NEVER = nothing is."""
        begin_ns = NEVER if self._waiting is None else self._from_ns
        return min(self.venue.next_ns, self._tick_ns, self._beat_ns, begin_ns)

    def react(self, record: Record, step: Step) -> Reaction:
        """What a record of the tape leads to."""
        self._at(record.seq, step.now_ns)
        if record.kind == Kind.SESSION:
            return self._session(record, step)
        if record.kind == Kind.CLEAN_STOP:  # until the next session nobody is there whom a timer could wake
            self._is_over, self._beat_ns, self._waiting = True, NEVER, None
        reaction = self._host.react(record, _without(step)) if _concerns(record, step) else Reaction()
        self.decided(reaction)
        self.venue.saw(record, step)
        return reaction

    def woken(self, seq: int, now_ns: int, reaction: Reaction) -> None:
        """The machine has stepped records up to this one, which led to this."""
        self._at(seq, now_ns)
        self.decided(reaction)

    def decided(self, reaction: Reaction) -> None:
        """Decisions were taken now; each gets its place among those of the same cause."""
        seq, count = self._cause
        if seq != self._seq:
            count = 0
        decisions = reaction.decisions
        if count:
            decisions[:] = [msgspec.structs.replace(d, ordinal=count + n) for n, d in enumerate(decisions)]
        self._cause = self._seq, count + len(decisions)
        for decision in decisions:
            self.venue.decided(decision, self._now_ns)

    def due(self, until_ns: int) -> Iterator[Inserted]:
        """Do all that is due by then, that instant included, one by one."""
        while (at_ns := self.next_ns) <= until_ns:
            self._at(self._seq, max(at_ns, self._now_ns))
            self._at_once += 1
            if self._at_once > MOST_AT_ONCE:
                raise ConfigError(
                    f"a strategy acts without end at one instant, over {MOST_AT_ONCE} times; give orders or answers "
                    "a latency above 0"
                )
            if self._waiting is not None and at_ns == self._from_ns:
                yield self._late(self._waiting)
                continue
            if self.venue.next_ns == at_ns:
                records = self.venue.do(self._seq)
            elif self._tick_ns == at_ns:
                self._ticked_ns = self._now_ns
                records = [made(Kind.TICK, Tick(self._now_ns))]
            else:
                self._beat_ns = self._now_ns + SECOND_NS
                records = [made(Kind.HEARTBEAT, Heartbeat(self._seq))]
            for one in records:
                yield self._insert(one)

    @property
    def _tick_ns(self) -> int:
        wake_ns = 0 if self._is_over else self._host.next_wake_ns
        return max(wake_ns, self._ticked_ns + LEAST_TICK_NS) if wake_ns else NEVER

    def _at(self, seq: int, now_ns: int) -> None:
        if now_ns != self._now_ns:
            self._at_once = 0
        self._seq, self._now_ns = seq, now_ns

    def _insert(self, one: Made) -> Inserted:
        record = one.record(self._seq, self._now_ns)
        step = one.step(self._host.engine.store, self._now_ns)
        reaction = self._host.react(record, step)
        self.decided(reaction)
        return Inserted(record, step, reaction)

    def _session(self, record: Record, step: Step) -> Reaction:
        session = decode_session(record.payload)
        self.venue.begin(record.seq, step.now_ns)
        self._waiting, whole = None, Reaction()
        if step.now_ns < self._from_ns:
            self._waiting = record
            self._host.react(_instead(record, msgspec.structs.replace(session, run=None)), step)
        else:
            whole = self._begun(record, session)
        self.venue.saw(record, step)
        return whole

    def _late(self, session: Record) -> Inserted:
        """A run begins in the midst of a session."""
        self._waiting = None
        record = Record(self._seq, self._now_ns, 0, 0, int(Kind.SESSION), session.payload)
        reaction = self._begun(record, decode_session(session.payload))
        self._host.wakes.watch(None)
        go = made(Kind.CONTROL, Control(GO)).record(self._seq, self._now_ns)
        return Inserted(go, Step(self._now_ns, None, None, ()), reaction)

    def _begun(self, record: Record, session: Session) -> Reaction:
        """A run begins now. record: which is to tell the host so."""
        terms = self._terms
        if not terms.strategies:
            terms = terms_of(session) or terms
        # What was lost on the day and before is for this run to find out.
        terms = msgspec.structs.replace(terms, paper="", day=0, day_pnl=0, halted=False)
        begun = msgspec.structs.replace(session, run=terms, seed=session.seed + self._seed)
        self._beat_ns = NEVER if session.coverage.control else self._now_ns + SECOND_NS
        self._ticked_ns = 0
        self._is_over = False
        self._host.react(_instead(record, begun), Step(self._now_ns, None, None, ()))
        self.venue.fuse(terms.group_limit, self._now_ns)
        whole = Reaction()
        for one in (*self.venue.opening(), made(Kind.CONTROL, Control(GO))) if terms.strategies else ():
            reaction = self._insert(one).reaction
            whole.decisions += reaction.decisions
            whole.faults += reaction.faults
        return whole


def _concerns(record: Record, step: Step) -> bool:
    """Whether a record is about more than the run that was recorded."""
    if record.kind in _OF_A_RUN:
        return False
    if record.kind == Kind.REST:
        call = decode_rest(record.payload)
        return not call.why.startswith("decision ") and "/portfolio/" not in call.path
    return not (isinstance(step.message, _PRIVATE) and not step.gaps)


def _without(step: Step) -> Step:
    """A step without what is said of the recorded run's account."""
    return Step(step.now_ns, None, None, step.gaps) if isinstance(step.message, _PRIVATE) else step


def _instead(record: Record, payload: Any) -> Record:
    return Record(record.seq, record.at_ns, record.mono_ns, record.connection, record.kind, encode_payload(payload))
