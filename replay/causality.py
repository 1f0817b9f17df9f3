"""No look-ahead (promise 7): decisions up to a record do not change when all that follows it is cut off or is another.

Knows at which places to cut and what is compared there. The tape with a false future is read by the column path, in the
same bulk as ever, so that a reader or a strategy that sees further than the record it is given decides differently.
Must not know how a false future is made (`replay.futures`).
"""

import random
from itertools import cycle
from typing import Any, Final

import msgspec

from capture.tape.errors import TapeError
from capture.tape.reader import Tape
from core.actions import Decision, StrategySpec
from core.records import Kind
from replay import progress as report
from replay.futures import FalseFuture, Future
from replay.hosted import UNANSWERED, Hosted

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
    """The answer of `tapedeck causality`. decisions: on the whole tape. impure: what the guard of hooks found."""

    tape: str
    path: str
    causal: bool
    decisions: int
    trials: tuple[Trial, ...]
    look_ahead: LookAhead | None = None
    impure: str = ""
    notes: tuple[str, ...] = ()


class _Place(msgspec.Struct, frozen=True):
    """A record to cut after, with what had been decided up to it."""

    seq: int
    decisions: int
    digest: str


def examine(
    tape: Tape,
    strategies: tuple[StrategySpec, ...] = (),
    *,
    places: int = PLACES,
    seed: int = SEED,
    progress: report.Progress = report.silent,
    **around: Any,
) -> Causality:
    """Play the tape once as it is, and twice up to each of some places with a false future behind it.

    strategies: of a what-if, empty = the tape's own. Progress in trials. Raises TapeError when nothing was decided,
    ConfigError when a strategy cannot be had.
    """
    raises: tuple[type[BaseException], ...] = around.get("raises", ())
    trials: list[Trial] = []
    look_ahead, impure, decisions = None, "", 0
    try:
        whole = Hosted(tape, _PATH, strategies, **around)
        chosen = _choose(whole, tape.head_seq, places, random.Random(seed))
        decisions = whole.decisions
        if not decisions:
            raise TapeError(f"{tape.path}: nothing was decided, so there is nothing to show: {_remedy(strategies)}")
        poisons = cycle(_FUTURES)
        for place in chosen:
            for future in (Future.CUT, next(poisons)):
                false = FalseFuture(tape, place.seq, future, seed)
                played = Hosted(false, _PATH, strategies, **around)
                for _ in played.play(place.seq):
                    pass
                same = (played.decisions, played.digest.hexdigest()) == (place.decisions, place.digest)
                trials.append(Trial(place.seq, future, place.decisions, same))
                progress(len(trials), 2 * len(chosen))
                if not same and look_ahead is None:
                    pair = Hosted(tape, _PATH, strategies, **around), Hosted(false, _PATH, strategies, **around)
                    look_ahead = _first_change(*pair, place.seq, future)
    except raises as error:
        impure = str(error)
    return Causality(
        tape=str(tape.path),
        path=_PATH,
        causal=not impure and all(trial.same for trial in trials),
        decisions=decisions,
        trials=tuple(trials),
        look_ahead=look_ahead,
        impure=impure,
        notes=_notes(strategies),
    )


def _choose(hosted: Hosted, head_seq: int, places: int, dice: random.Random) -> list[_Place]:
    """Places spread over the tape; in every other stretch a record that led to a decision, if there is one.

    A look ahead shows only in a decision taken at the very record after which the future is another.
    """
    bounds = sorted({round(head_seq * number / places) for number in range(1, places + 1)} - {0})
    found: list[_Place] = []
    stretch, first, seen = 0, 0, 0
    target, picked = _target(dice, first, bounds, stretch), None
    for record, _, reaction in hosted.play():
        seen += bool(reaction.decisions)
        wanted = record.seq == target
        if stretch % 2 == 0 and reaction.decisions:
            wanted = dice.randrange(seen) == 0  # each of the stretch's deciding records is as likely as the others
        if wanted:
            picked = _Place(record.seq, hosted.decisions, hosted.digest.hexdigest())
        if stretch < len(bounds) and record.seq == bounds[stretch]:
            found += [] if picked is None else [picked]
            stretch, first, seen, picked = stretch + 1, record.seq + 1, 0, None
            target = _target(dice, first, bounds, stretch)
    return found


def _target(dice: random.Random, first: int, bounds: list[int], stretch: int) -> int:
    return dice.randint(first, bounds[stretch]) if stretch < len(bounds) else -1


def _first_change(true: Hosted, false: Hosted, place: int, future: Future) -> LookAhead | None:
    """The first decision in which the two differ, both being played side by side."""
    for (record, _, one), (_, _, other) in zip(true.play(place), false.play(place), strict=True):
        if one.decisions == other.decisions:
            continue
        most = max(len(one.decisions), len(other.decisions))
        for decided, instead in zip(*(_padded(each.decisions, most) for each in (one, other)), strict=True):
            if decided != instead:
                return LookAhead(
                    place=place,
                    future=future,
                    cause=record.seq,
                    kind=Kind(record.kind).name,
                    decided=decided,
                    instead=instead,
                )
    return None


def _padded(decisions: list[Decision], length: int) -> list[Decision | None]:
    return [*decisions, *[None] * (length - len(decisions))]


def _notes(strategies: tuple[StrategySpec, ...]) -> tuple[str, ...]:
    if not strategies:
        return ("the strategies of the tape's own sessions, given its own records",)
    names = ", ".join(spec.name for spec in strategies)
    return (
        f"{names} in place of what ran (fill model {UNANSWERED!r})",
        "recorded decisions, outcomes and timers are passed over; orders and fetches get no answer; timers go off late",
    )


def _remedy(strategies: tuple[StrategySpec, ...]) -> str:
    return "give another strategy or other parameters" if strategies else "name a strategy with --strategy"
