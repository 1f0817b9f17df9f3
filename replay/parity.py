"""Decision parity: the decisions that a live run left on its tape against those of a replay, one by one.

Knows which recorded decision belongs to which replayed one, and where judging ends: at the last PROGRESS of a session,
and beyond it as far as decisions were recorded. Must not know how a second process takes part (`replay.twofold`).
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from capture.tape.errors import TapeError
from capture.tape.reader import Tape
from core.actions import Decision, Progress, StrategySpec, decode_decision, decode_progress, terms_of
from core.decider import Reaction
from core.desks import OUTAGES
from core.orders import OwnOrder
from core.records import Fault, Kind, Record, Session, decode_gap, decode_session
from replay import progress as report
from replay.hosted import Hosted
from replay.lint import Finding, lint
from replay.loading import code_of, find

MAX_WAITING: Final = 131_072
"""Replayed decisions kept for their records, which come a moment later: about 100 MB, hours of a busy strategy."""

HEAD_BYTES: Final = 400
"""So much of a payload is shown of the record at which decisions differ: a frame of one level has 200."""

PROGRESS_RECORDS: Final = 16_384  # a redraw of the progress bar every few tens of milliseconds

_JUDGED: Final = (Kind.DECISION, Kind.PROGRESS, Kind.FAULT, Kind.GAP_OPEN, Kind.GAP_CLOSE)
_OF_STRATEGY: Final = "strategy "
_FAULTS: Final = msgspec.json.Decoder(Fault)


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """A market as the replay saw it after a record. bid, ask: None = nobody. flaw: why not to act, "" = fit.

    Units: 1/10,000 dollar, 1/100 contract. orders: the run's own that may be alive.
    """

    market: str
    bid: int | None
    bid_size: int
    ask: int | None
    ask_size: int
    flaw: str
    position: int
    orders: tuple[OwnOrder, ...]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """The first place where the replay and the tape part.

    session: 1, 2, 3 ... of the tape. seq, kind, head: the record because of which it was decided; head: what its
    payload begins with. recorded, replayed: the decision, None = there was none. fields: those in which both differ.
    sights: the markets concerned.
    """

    what: str
    session: int
    seq: int
    kind: str
    head: str
    recorded: Decision | None = None
    replayed: Decision | None = None
    fields: tuple[str, ...] = ()
    sights: tuple[Sight, ...] = ()


class Parity(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `tapedeck parity`.

    decisions: found equal. unjudged: replayed beyond what the live run is known to have stepped. sessions: those in
    which strategies ran; skipped: those that begin in the middle of a run. unrecorded: missing where the disk took
    nothing for a while, which is on the tape as a gap. decision_digest: of all replayed decisions,
    up to the first difference. findings: what of the strategies' source may differ between runs. hash_seeds: under
    which PYTHONHASHSEED it was replayed, "random" = Python's own choice. disagreement: of two replays, "" = none.
    """

    tape: str
    path: str
    equal: bool
    first_difference: Difference | None
    decisions: int
    unjudged: int
    sessions: int
    skipped: int
    unrecorded: int = 0
    decision_digest: str
    notes: tuple[str, ...]
    findings: tuple[Finding, ...]
    hash_seeds: tuple[str, ...] = ()
    disagreement: str = ""


def judge(
    tape: Tape,
    path: str,
    progress: report.Progress = report.silent,
    *,
    until_seq: int | None = None,
    **around: Any,
) -> Parity:
    """Replay a tape by one path, up to a record or its end, and compare; stops at the first difference.

    Progress in records. around: see `replay.hosted.AROUND`. Raises TapeError when there is nothing to judge or the tape
    cannot be read, ConfigError when a strategy cannot be had.
    """
    hosted = Hosted(tape, path, **around)
    judging = _Judging()
    total = 1 + (tape.head_seq if until_seq is None else until_seq)
    try:
        parting = _first_parting(hosted.run(until_seq), judging, lambda done: progress(done, total))
    except around.get("raises", ()) as error:
        parting = _impure(hosted, judging, error)
    except msgspec.MsgspecError as error:
        raise TapeError(f"{tape.path}: a record of its run cannot be read: {error}") from error
    if parting is None:
        judging.end()
        _require_something(tape, judging)
    return Parity(
        tape=str(tape.path),
        path=path,
        equal=parting is None,
        first_difference=None if parting is None else _described(tape, path, parting, judging.session, around),
        decisions=judging.equal,
        unjudged=judging.unjudged,
        sessions=judging.sessions,
        skipped=judging.skipped,
        unrecorded=judging.unrecorded,
        decision_digest=hosted.digest.hexdigest(),
        notes=tuple(judging.notes),
        findings=tuple(judging.findings),
    )


class _Parting(msgspec.Struct, frozen=True):
    """A difference as it is met: the record it happened at, and both decisions."""

    what: str
    seq: int
    recorded: Decision | None = None
    replayed: Decision | None = None


class _Judging:
    """Holds replayed decisions until their records come."""

    def __init__(self) -> None:
        self.session = self.sessions = self.skipped = self.equal = self.unjudged = self.progresses = 0
        self.unrecorded = 0
        self.notes: dict[str, None] = {}
        self.findings: dict[Finding, None] = {}
        self._is_judged = False
        self._waiting: deque[Decision] = deque()
        self._faults: deque[tuple[int, Fault]] = deque()
        self._dropped = 0
        self._outage_seq = -1
        self._names: tuple[str, ...] = ()

    def begin(self, session: Session) -> None:
        """A session begins, and so the one before it is over."""
        self.end()
        self.session += 1
        terms = terms_of(session)
        self._is_judged = terms is not None and bool(terms.strategies)
        self._names = ()
        if terms is None or not self._is_judged:
            return
        if session.base is not None:
            self._is_judged = False
            self.skipped += 1
            self.notes[f"session {self.session} begins in the middle of a run: what was before it is not here"] = None
            return
        self.sessions += 1
        self._names = tuple(_OF_STRATEGY + spec.name for spec in terms.strategies)
        if session.coverage.filtered:
            self.notes[f"session {self.session} is a cut by market: what other markets led to is missing"] = None
        for spec in terms.strategies:
            self._look(spec)

    def end(self) -> None:
        """No more records of this session."""
        self.unjudged += len(self._waiting) + self._dropped
        self._waiting.clear()
        self._faults.clear()
        self._dropped = 0

    def took(self, seq: int, decisions: list[Decision], faults: list[Fault]) -> None:
        """What the replay made of a record."""
        if not self._is_judged:
            return
        room = MAX_WAITING - len(self._waiting)
        self._waiting.extend(decisions[:room])
        self._dropped += max(len(decisions) - room, 0)
        self._faults.extend((seq, fault) for fault in faults)

    def record(self, record: Record) -> _Parting | None:
        """A record of the run: what it says that the replay did not do."""
        if not self._is_judged:
            return None
        if record.kind in (Kind.GAP_OPEN, Kind.GAP_CLOSE):
            if decode_gap(record.payload).reason in OUTAGES:
                self._outage_seq = record.seq
            return None
        if record.kind == Kind.FAULT:
            fault = _FAULTS.decode(record.payload)
            return self._failed(record.seq, fault) if fault.where in self._names else None
        if self._dropped:
            raise TapeError(
                f"record {record.seq}: over {MAX_WAITING:,} decisions were taken and not recorded before it"
            )
        if record.kind == Kind.DECISION:
            return self._decided(decode_decision(record.payload))
        return self._progressed(decode_progress(record.payload))

    def _excuse(self) -> bool:
        """Whether the first waiting decision may be missing because the disk took nothing; then it waits no longer."""
        if self._waiting[0].cause > self._outage_seq:
            return False
        self._waiting.popleft()
        self.unrecorded += 1
        return True

    def _decided(self, recorded: Decision) -> _Parting | None:
        while self._waiting and self._waiting[0].number < recorded.number and self._excuse():
            pass
        if self._faults and self._faults[0][0] < recorded.cause:
            return self._only_in_replay()
        replayed = self._waiting[0] if self._waiting else None
        if replayed is None or recorded.cause < replayed.cause:
            return _Parting("a decision that the replay does not take", recorded.cause, recorded)
        if replayed.cause < recorded.cause:
            return _Parting("a decision that the live run did not take", replayed.cause, None, replayed)
        if replayed != recorded:
            return _Parting("another decision", recorded.cause, recorded, replayed)
        self._waiting.popleft()
        self.equal += 1
        return None

    def _progressed(self, progress: Progress) -> _Parting | None:
        self.progresses += 1
        while self._waiting and self._waiting[0].cause <= progress.stepped and self._excuse():
            pass
        fault_seq = self._faults[0][0] if self._faults else progress.stepped + 1
        if self._waiting and self._waiting[0].cause <= min(progress.stepped, fault_seq):
            replayed = self._waiting[0]
            return _Parting("a decision that the live run did not take", replayed.cause, None, replayed)
        return self._only_in_replay() if fault_seq <= progress.stepped else None

    def _only_in_replay(self) -> _Parting:
        seq, fault = self._faults[0]
        return _Parting(f"{fault.where} fails in the replay and did not live: {fault.error}", seq)

    def _failed(self, seq: int, recorded: Fault) -> _Parting | None:
        """A strategy failed live: at which record is told by the decisions around it."""
        if not self._faults:
            return _Parting(f"{recorded.where} failed live and does not in the replay: {recorded.error}", seq)
        cause, replayed = self._faults.popleft()
        if self._waiting and self._waiting[0].cause < cause:
            return _Parting(f"{recorded.where} failed live before this was decided: {recorded.error}",
                            self._waiting[0].cause, None, self._waiting[0])  # fmt: skip
        if recorded.where != replayed.where or _how(recorded) != _how(replayed):
            return _Parting(
                f"{recorded.where} failed live ({recorded.error}), {replayed.where} in the replay ({replayed.error})",
                cause,
            )
        return None

    def _look(self, spec: StrategySpec) -> None:
        kind = find(spec.path)
        if spec.code and spec.code != code_of(kind):
            sha = code_of(kind)[:12] or "not to be read"
            self.notes[
                f"the code of strategy {spec.name} ({sha}) is another than the one that ran ({spec.code[:12]})"
            ] = None
        self.findings.update(dict.fromkeys(lint(kind)))


def _how(fault: Fault) -> list[str]:
    """Hook and type of an error; its words may hold an address."""
    return fault.error.split(":", 2)[:2]


def _first_parting(
    played: Iterator[tuple[int, Record | None, Reaction]], judging: _Judging, progress: Callable[[int], None]
) -> _Parting | None:
    told = 0
    for seq, record, reaction in played:
        parting = None
        if record is not None and record.kind == Kind.SESSION:
            judging.begin(decode_session(record.payload))
        elif record is not None and record.kind in _JUDGED:
            parting = judging.record(record)
        if parting is not None:
            return parting
        if reaction.decisions or reaction.faults:
            judging.took(seq, reaction.decisions, reaction.faults)
        if seq >= told + PROGRESS_RECORDS:
            told = seq
            progress(seq)
    return None


def _impure(hosted: Hosted, judging: _Judging, error: BaseException) -> _Parting:
    seq = hosted.player.position - 1
    record = next(hosted.player.records(seq))
    if record.kind == Kind.SESSION:  # it was raised as the strategy was made
        judging.begin(decode_session(record.payload))
    return _Parting(f"the strategy is not pure: {error}", seq)


def _require_something(tape: Tape, judging: _Judging) -> None:
    if not judging.sessions:
        held = "only runs that begin in their middle" if judging.skipped else "no run of strategies"
        raise TapeError(f"{tape.path}: holds {held}, so there is nothing to compare; `tapedeck run` records one")
    if not judging.progresses and not judging.equal:
        raise TapeError(
            f"{tape.path}: its run ended before it said how far it had come (no PROGRESS, no DECISION), so there is "
            "nothing to compare"
        )


def _described(tape: Tape, path: str, parting: _Parting, session: int, around: dict[str, Any]) -> Difference:
    """The difference with what is known about its place, for which the tape is played once more up to there."""
    record = next(tape.records(parting.seq, parting.seq))
    return Difference(
        what=parting.what,
        session=session,
        seq=parting.seq,
        kind=Kind(record.kind).name,
        head=record.payload[:HEAD_BYTES].decode(errors="replace"),
        recorded=parting.recorded,
        replayed=parting.replayed,
        fields=tuple(_differing(parting.recorded, parting.replayed)),
        sights=_sights(tape, path, parting, around),
    )


def _differing(recorded: Decision | None, replayed: Decision | None) -> Iterator[str]:
    """Names of the fields that differ, those of the action as action.price."""
    if recorded is None or replayed is None:
        return
    for name in Decision.__struct_fields__:
        one, other = getattr(recorded, name), getattr(replayed, name)
        if one == other:
            continue
        if name != "action" or type(one) is not type(other):
            yield name
            continue
        yield from (f"action.{part}" for part in one.__struct_fields__ if getattr(one, part) != getattr(other, part))


def _sights(tape: Tape, path: str, parting: _Parting, around: dict[str, Any]) -> tuple[Sight, ...]:
    """The markets of both decisions and of the record, as the replay has them after it."""
    hosted = Hosted(tape, path, **around)
    markets: dict[str, None] = {}
    try:
        for record, step, _ in hosted.play(parting.seq):
            if record.seq == parting.seq and (market := getattr(step.message, "market", "")):
                markets[market] = None
    except around.get("raises", ()):
        pass  # the strategy's fault is the difference itself; the state before it is what there is
    for decision in (parting.recorded, parting.replayed):
        market = "" if decision is None else getattr(decision.action, "market", "")
        if market:
            markets[market] = None
    return tuple(_sight(hosted, market) for market in markets)


def _sight(hosted: Hosted, market: str) -> Sight:
    host = hosted.host
    window = host.window(market)
    return Sight(
        market=market,
        bid=window.bid,
        bid_size=window.bid_size,
        ask=window.ask,
        ask_size=window.ask_size,
        flaw=host.flaw(market),
        position=host.trading.holdings.of(market).position,
        orders=host.trading.ledger.live(market),
    )
