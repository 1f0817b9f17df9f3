"""No look-ahead (promise 7): decisions up to a record do not change when all that follows it is cut off or is another.

Knows at which places to cut and what is compared there. The tape with a false future is read by the column path, in the
same bulk as ever, so that a reader or a strategy that sees further than the record it is given decides differently.
Must not know how a false future is made (`replay.futures`).
"""

import random
from collections.abc import Iterator, Mapping
from hashlib import sha256
from itertools import cycle, islice
from typing import Any, Final

import msgspec

from capture.tape.errors import TapeError
from capture.tape.reader import Tape
from core.actions import Decision, StrategySpec
from core.records import Kind, encode_payload
from replay import progress as report
from replay.futures import FalseFuture, Future
from replay.hosted import UNANSWERED, Hosted
from replay.venue.told import Happening

PLACES: Final = 8
SEED: Final = 20_260_811

_FUTURES: Final = (Future.PRICES, Future.SHUFFLED, Future.GARBAGE)
_PATH: Final = "columns"


class Trial(msgspec.Struct, frozen=True):
    """One false future. place: seq of the last record that is true. decisions: taken up to it. same: as on the tape."""

    place: int
    future: Future
    decisions: int
    same: bool


class LookAhead(msgspec.Struct, frozen=True, kw_only=True):
    """The first decision that another future changed. cause: the record because of which it was taken, by seq.

    kind: of that record. decided, instead: with the tape's future and with the false one, None = nothing.
    """

    place: int
    future: Future
    cause: int
    kind: str
    decided: Decision | None
    instead: Decision | None


class Causality(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `tapedeck causality`. decisions: on the whole tape. trials: up to the first that changed something.

    unsteady: with the tape's own future it does not decide the same twice either. impure: what the guard found.
    slow_glances: strategies whose glance could not be compiled, and why.
    """

    tape: str
    path: str
    causal: bool
    decisions: int
    trials: tuple[Trial, ...]
    look_ahead: LookAhead | None = None
    unsteady: bool = False
    impure: str = ""
    notes: tuple[str, ...] = ()
    slow_glances: tuple[str, ...] = ()


class _Place(msgspec.Struct, frozen=True):
    """A record to cut after, with what had been decided up to it."""

    seq: int
    decisions: int
    digest: str
    happened: str


class _Heard:
    """Listens to a simulated venue. digest: over all that it told."""

    def __init__(self) -> None:
        self._sum = sha256()

    def __call__(self, happening: Happening) -> None:
        self._sum.update(msgspec.json.encode(happening))

    @property
    def digest(self) -> str:
        return self._sum.hexdigest()


def examine(
    tape: Tape,
    strategies: tuple[StrategySpec, ...] = (),
    *,
    places: int = PLACES,
    seed: int = SEED,
    progress: report.Progress = report.silent,
    staged: Mapping[str, Any] | None = None,
    last_seq: int | None = None,
    **around: Any,
) -> Causality:
    """Play the tape once as it is, and twice up to each of some places with a false future behind it.

    strategies: of a what-if, empty = the tape's own. around: see `replay.hosted.AROUND`. staged: what
    `Hosted` takes of a simulated venue (venue, seed, run_terms ...); what happens there must then stay the same, too.
    last_seq: of the records that are played, None = all.
    Progress in trials. Raises TapeError when nothing was decided, ConfigError when a strategy cannot be had.
    """
    work = _Work(tape, strategies, seed, around, dict(staged or {}))
    try:
        work.examine(places, tape.head_seq if last_seq is None else last_seq, progress)
    except work.raises as error:
        work.impure = str(error)
    return Causality(
        tape=str(tape.path),
        path=_PATH,
        causal=not work.impure and not work.unsteady and all(trial.same for trial in work.trials),
        decisions=work.decisions,
        trials=tuple(work.trials),
        look_ahead=work.look_ahead,
        unsteady=work.unsteady,
        impure=work.impure,
        notes=_notes(strategies, is_staged=bool(staged)),
        slow_glances=work.slow_glances,
    )


class _Work:
    """One examination as far as it has come."""

    def __init__(
        self,
        tape: Tape,
        strategies: tuple[StrategySpec, ...],
        seed: int,
        around: dict[str, Any],
        staged: dict[str, Any],
    ) -> None:
        self.trials: list[Trial] = []
        self.decisions = 0
        self.look_ahead: LookAhead | None = None
        self.unsteady = False
        self.impure = ""
        self.slow_glances: tuple[str, ...] = ()
        self.raises: tuple[type[BaseException], ...] = around.get("raises", ())
        self._tape, self._strategies, self._seed, self._around = tape, strategies, seed, around
        self._staged = staged

    def examine(self, places: int, last_seq: int, progress: report.Progress) -> None:
        """Stops at the first change: one is enough, and to say where it is takes two replays more."""
        heard = _Heard()
        whole = Hosted(self._tape, _PATH, self._strategies, **self._around, **self._staged, listener=heard)
        chosen = _choose(whole, heard, last_seq, places, random.Random(self._seed))
        self.decisions, self.slow_glances = whole.decisions, whole.host.wakes.slow_glances
        if not self.decisions:
            remedy = "give other parameters" if self._strategies else "name a strategy with --strategy"
            raise TapeError(f"{self._tape.path}: nothing was decided, so there is nothing to examine; {remedy}")
        poisons = cycle(_FUTURES)
        for place in chosen:
            for future in (Future.CUT, next(poisons)):
                false = FalseFuture(self._tape, place.seq, future, self._seed)
                same = self._is_same(false, place)
                self.trials.append(Trial(place.seq, future, place.decisions, same))
                progress(len(self.trials), 2 * len(chosen))
                if not same:
                    self.unsteady = not self._is_same(self._tape, place)
                    self.look_ahead = None if self.unsteady else self._first_change(false, place.seq, future)
                    return

    def _hosted(self, tape: Tape, heard: "_Heard | None" = None) -> Hosted:
        """For a trial: the watch costs more than all else, and has seen every hook on the true tape."""
        return Hosted(tape, _PATH, self._strategies, **self._staged, listener=heard)

    def _is_same(self, tape: Tape, place: _Place) -> bool:
        heard = _Heard()
        hosted = self._hosted(tape, heard)
        for _ in hosted.run(place.seq):
            pass
        return (hosted.decisions, hosted.digest.hexdigest(), heard.digest) == (
            place.decisions, place.digest, place.happened,
        )  # fmt: skip

    def _first_change(self, false: Tape, place: int, future: Future) -> LookAhead | None:
        """The first decision in which the two differ; of the true ones only hashes are held meanwhile."""
        true = [_hash(decision) for decision in self._decided(self._tape, place)]
        at, instead = 0, None
        for decision in self._decided(false, place):
            if at == len(true) or _hash(decision) != true[at]:
                instead = decision
                break
            at += 1
        decided = next(islice(self._decided(self._tape, place), at, None), None)
        cause = min((decision.cause for decision in (decided, instead) if decision is not None), default=None)
        if cause is None:  # it was another once, and is not now
            return None
        kind = Kind(next(self._tape.records(cause, cause)).kind).name
        return LookAhead(place=place, future=future, cause=cause, kind=kind, decided=decided, instead=instead)

    def _decided(self, tape: Tape, place: int) -> Iterator[Decision]:
        for _, _, reaction in self._hosted(tape).run(place):
            yield from reaction.decisions


def _hash(decision: Decision) -> bytes:
    return sha256(encode_payload(decision)).digest()[:8]


def _choose(hosted: Hosted, heard: _Heard, head_seq: int, places: int, dice: random.Random) -> list[_Place]:
    """Places spread over the tape; in every other stretch a record that led to a decision, if there is one.

    A look ahead shows only in a decision taken at the very record after which the future is another.
    """
    bounds = sorted({round(head_seq * number / places) for number in range(1, places + 1)} - {0})
    found: list[_Place] = []
    stretch, first, seen = 0, 0, 0
    target, picked = _target(dice, first, bounds, stretch), None
    last_seq = -1
    for record, _, reaction in hosted.play(head_seq):
        if record.seq == last_seq:
            continue  # between two records of the tape there is no place
        last_seq = record.seq
        seen += bool(reaction.decisions)
        wanted = record.seq == target
        if stretch % 2 == 0 and reaction.decisions:
            wanted = dice.randrange(seen) == 0  # each of the stretch's deciding records is as likely as the others
        if wanted:
            picked = _Place(record.seq, hosted.decisions, hosted.digest.hexdigest(), heard.digest)
        if stretch < len(bounds) and record.seq == bounds[stretch]:
            found += [] if picked is None else [picked]
            stretch, first, seen, picked = stretch + 1, record.seq + 1, 0, None
            target = _target(dice, first, bounds, stretch)
    return found


def _target(dice: random.Random, first: int, bounds: list[int], stretch: int) -> int:
    return dice.randint(first, bounds[stretch]) if stretch < len(bounds) else -1


def _notes(strategies: tuple[StrategySpec, ...], *, is_staged: bool) -> tuple[str, ...]:
    if is_staged:
        names = ", ".join(spec.name for spec in strategies)
        return (f"{names} before the simulated venue; decisions, and what happened there, must stay",)
    if not strategies:
        return ("the strategies of the tape's own sessions, given its own records",)
    names = ", ".join(spec.name for spec in strategies)
    return (
        f"{names} in place of what ran (fill model {UNANSWERED!r})",
        "recorded decisions, outcomes and timers are passed over; orders and fetches get no answer; timers go off late",
    )
