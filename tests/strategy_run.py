"""Strategies on a tape that grows in memory: a host, its records, and the replay that must give the same decisions."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from core.actions import Action, Decision, RunTerms, StrategySpec, decode_decision
from core.engine import Engine, Step
from core.host import Host
from core.records import Kind, Record, Session, encode_payload
from core.strategy import Strategy, params_json, read_params
from core.times import SECOND_NS

START_NS: Final = 1_795_420_800 * SECOND_NS


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

    def begin(self, terms: RunTerms | None = None, seed: int = 1) -> Record:
        """The SESSION that names these strategies."""
        terms = msgspec.structs.replace(terms or RunTerms(), strategies=tuple(cast.spec for cast in self._casts))
        session = Session("5eed0000-0000-4000-8000-000000000001", "demo", seed=seed, run=msgspec.to_builtins(terms))
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
