"""Strategies on a tape that grows in memory: a host, its records, and the replay that must give the same decisions."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec
from strategy_rest import UNANSWERED, Asked, outcome_of, rest_record

from core.actions import GO, Action, Decision, Fetch, RunTerms, StrategySpec, Tick, decode_decision
from core.engine import Engine, Step
from core.host import Host
from core.records import Control, Kind, Record, Session, decode_session, encode_payload
from core.strategy import Strategy, params_json, read_params
from core.timeline import Timeline
from core.times import SECOND_NS
from replay.exchange.port import RestAnswer

START_NS: Final = 1_795_420_800 * SECOND_NS
SESSION: Final = Session("5eed0000-0000-4000-8000-000000000001", "demo", seed=1)


class Cast(NamedTuple):
    """A strategy of a run: its name, its class, its parameters as somebody would give them."""

    name: str
    kind: type[Strategy]
    params: Mapping[str, Any] = {}

    @property
    def spec(self) -> StrategySpec:
        """What SESSION says of it."""
        path = f"{self.kind.__module__}:{self.kind.__name__}"
        return StrategySpec(self.name, path, params_json(read_params(self.kind, self.params)))


def loader(casts: Iterable[Cast]) -> Callable[[StrategySpec], Strategy]:
    """Makes the strategies of a SESSION, from these classes."""
    kinds = {cast.name: cast.kind for cast in casts}
    return lambda spec: kinds[spec.name](read_params(kinds[spec.name], spec.params))


def replayed(records: Iterable[Record], casts: Iterable[Cast]) -> list[Decision]:
    """The decisions that a replay of these records takes."""
    engine = Engine()
    host, found = Host(engine, loader(casts)), list[Decision]()
    for record in records:
        found += host.react(record, engine.step(record)).decisions
    return found


def decided(records: Iterable[Record]) -> list[Decision]:
    """The decisions that are on a tape."""
    return [decode_decision(record.payload) for record in records if record.kind == Kind.DECISION]


class Run:
    """Strategies on a tape that grows. What they decide is on it, and in `decisions`; one that fails fails the test.

    carry_out: takes each decision that was not refused. now_ns: the recorder's clock.
    """

    def __init__(
        self, engine: Engine, casts: Sequence[Cast], carry_out: Callable[[Decision], None], start_ns: int = START_NS
    ) -> None:
        self.engine = engine
        self.host = Host(engine, loader(casts))
        self.records: list[Record] = []
        self.decisions: list[Decision] = []
        self.now_ns = self.start_ns = start_ns
        self._carry_out = carry_out
        self._casts = casts

    def begin(self, terms: RunTerms | None = None, session: Session = SESSION) -> Record:
        """The SESSION that names these strategies."""
        terms = msgspec.structs.replace(terms or RunTerms(), strategies=tuple(cast.spec for cast in self._casts))
        session = msgspec.structs.replace(session, run=msgspec.to_builtins(terms))
        return self.record(Kind.SESSION, encode_payload(session))

    def record(self, kind: int, payload: bytes, connection: int = 0) -> Record:
        """The next record of the tape, appended; it must be stepped at once."""
        mono_ns = self.now_ns - self.start_ns + SECOND_NS
        record = Record(len(self.records), self.now_ns, mono_ns, connection, kind, payload)
        self.records.append(record)
        return record

    def react(self, record: Record, step: Step) -> None:
        """Let the strategies hear of a record that the engine has stepped."""
        reaction = self.host.react(record, step)
        assert not reaction.faults, reaction.faults
        for decision in reaction.decisions:
            self.decisions.append(decision)
            self.engine.step(self.record(Kind.DECISION, encode_payload(decision)))
        for decision in reaction.decisions:
            if not decision.refused:
                self._carry_out(decision)

    def put(self, kind: int, payload: bytes = b"", connection: int = 0) -> None:
        """Append a record, for a run without desks."""
        record = self.record(kind, payload, connection)
        self.react(record, self.engine.step(record))

    def strategy(self, name: str = "") -> Any:
        """A strategy of this name, or the first."""
        seats = self.host._seats.seats  # the host shows nobody its strategies; tests look at what they offer
        return next(seat.strategy for seat in seats if name in ("", seat.name))

    def actions(self, kind: type[Action], strategy: str = "") -> list[Any]:
        """What was decided of a kind, refusals left out."""
        return [
            d.action
            for d in self.decisions
            if isinstance(d.action, kind) and not d.refused and strategy in ("", d.strategy)
        ]


Answer: TypeAlias = Callable[[Run, Fetch], bytes | None]


def over(records: Iterable[Record], casts: Sequence[Cast], answer: Answer) -> Iterator[Run]:
    """Run strategies over what was recorded without them; yields the run after each record and each tick.

    Records keep their time and order, ticks come when timers are due, GO comes first. answer: what the exchange says to
    a Fetch, at once; None = nothing. Whatever else is decided is not carried out: the recording is as it is.
    """
    timeline, todo, run = Timeline(), list[Decision](), None
    for record in records:
        now_ns = timeline.advance(record)
        if record.kind == Kind.SESSION:
            run = Run(Engine(), casts, todo.append, start_ns=now_ns)
            began = run.begin(session=decode_session(record.payload))
            run.react(began, run.engine.step(began))
            run.put(Kind.CONTROL, encode_payload(Control(GO)))
        else:
            assert run is not None, "a recording begins with its session"
            while 0 < run.host.next_wake_ns <= now_ns:
                run.now_ns = max(run.now_ns, run.host.next_wake_ns)
                run.put(Kind.TICK, encode_payload(Tick(run.now_ns)))
                _fetch(run, todo, answer)
                yield run
            run.now_ns = now_ns
            run.put(record.kind, record.payload, record.connection)
        _fetch(run, todo, answer)
        yield run


def _fetch(run: Run, todo: list[Decision], answer: Answer) -> None:
    """Answer what was fetched, and what is fetched because of that."""
    while todo:
        decision = todo.pop(0)
        if not isinstance(decision.action, Fetch):
            continue
        path, params = decision.action.path, decision.action.params
        body = answer(run, decision.action)
        found = UNANSWERED if body is None else RestAnswer(200, body)
        run.put(Kind.REST, rest_record(Asked("GET", path, params), found, f"decision {decision.number}"))
        run.put(Kind.OUTCOME, encode_payload(outcome_of(decision.number, "GET", found)))
