"""A smaller tape from a tape: a stretch of time, some markets, and the state before it carried along.

Knows what a cut must say in records so that its books equal the original's at every instant inside it. Must not know
how a tape comes into its place (`replay.assembly`).

In a cut by market numbering proves nothing any more. So what the original showed by it is said in records: a missing
number or a stall as a GAP_CLOSE where it was found, a reconnect as an OPENED; and frames that came too late by their
number, which changed nothing, are left out, for here they could not be told from good ones.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final, TypeAlias
from uuid import UUID

import msgspec
import numpy as np

from capture.tape.buffers import flat
from capture.tape.errors import TapeError
from capture.tape.layout import FORMAT_VERSION, Label, day_number
from capture.tape.reader import Tape
from capture.tape.schema import GROUP_ROWS, RawBatch
from core.actions import renumbered
from core.changes import Rejected
from core.engine import Engine, Step
from core.gaps import RECONNECT, SEQUENCE, STALL, Gap
from core.records import (
    Coverage,
    Kind,
    Opened,
    Record,
    Session,
    StoredGap,
    decode_gap,
    decode_opened,
    decode_session,
    encode_payload,
)
from replay.assembly import Assembly
from replay.books import require_markets
from replay.player import Player
from replay.progress import Progress, silent

SEGMENT_BYTES: Final = 64 << 20  # a segment of enormous frames is sealed sooner, so that memory stays bounded

MAX_PLACES: Final = 262_144
"""Changes in numbering that are remembered, a few seconds of the busiest cut by market: 16 MB."""

MAX_NAMED: Final = 20
"""Connections that a complaint lists."""

PROGRESS_RECORDS: Final = 16_384  # a redraw of the progress bar every few tens of milliseconds


class Selection(msgspec.Struct, frozen=True):
    """What to keep: from one instant to another (Unix ns by `now_ns`, both included; None = no limit); markets and
    connections, empty = all. What belongs to no market (connections, replies, frames that say nothing) is kept in
    either case, and so is what belongs to no connection."""

    from_ns: int | None = None
    to_ns: int | None = None
    markets: tuple[str, ...] = ()
    connections: tuple[int, ...] = ()


class CutReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was cut. dropped: frames of other markets and connections; too_late: frames of these markets that the
    original refused by number.

    carried: the cut begins with the state before it. first_ns, last_ns: `now_ns` (Unix ns).
    """

    out: str
    records: int
    frames: int
    dropped: int
    too_late: int
    carried: bool
    first_ns: int
    last_ns: int
    segments: int


Change: TypeAlias = Callable[[Record], Record]
"""What is done to every record before it is written: another payload, nothing else."""


def around(tape: Tape, seq: int, before_ns: int, after_ns: int) -> tuple[int, int]:
    """From so long before a record to so long after it, as instants (Unix ns by `now_ns`); TapeError without it."""
    player = Player(tape, start="checkpoint")
    player.advance(until_seq=seq)
    if seq < 0 or player.position != seq + 1:
        raise TapeError(f"{tape.path}: holds no record {seq}; its last one is {tape.head_seq}")
    return player.now_ns - before_ns, player.now_ns + after_ns


def cut(
    tape: Tape, out: Path, selection: Selection, progress: Progress = silent, change: Change | None = None
) -> CutReport:
    """Make the tape `out` of a part of another; whole or not at all. Progress in records of the original.

    Raises MarketNotFound, TapeError when `out` exists or nothing lies in the selection, TapeDamaged, DiskError.
    """
    require_markets(tape, selection.markets)
    _require_connections(tape, selection.connections)
    uuid = derived_uuid(tape.label.uuid, repr(selection))
    if change is not None:
        uuid = change(Record(0, 0, 0, 0, Kind.CONTROL, uuid.encode())).payload.decode()
    with Assembly(out, Label(FORMAT_VERSION, uuid, tape.environment)) as assembly:
        work = _Cut(tape, selection, progress, change)
        for batch in batches_of(work.records()):
            assembly.seal(batch)
        if not work.count:
            raise TapeError(f"{tape.path}: holds no record in that stretch of time; `tapedeck info` shows its times")
        assembly.finish()
    return work.report(out, assembly.segments)


def derived_uuid(*parts: str) -> str:
    """A name that the same cut of the same tape always gets."""
    return str(UUID(bytes=sha256("\n".join(parts).encode()).digest()[:16], version=5))


def batches_of(records: Iterable[Record]) -> Iterator[RawBatch]:
    """Records in segments: of one UTC day (times that go back do not begin one), bounded in rows and bytes."""
    held: list[Record] = []
    size, day = 0, -1
    for record in records:
        if held and (len(held) >= GROUP_ROWS or size >= SEGMENT_BYTES or day_number(record.at_ns) > day):
            yield RawBatch.of(held)
            held, size = [], 0
        if not held:
            day = day_number(record.at_ns)
        held.append(record)
        size += len(record.payload)
    if held:
        yield RawBatch.of(held)


class _Cut:
    """One cut: yields the records of the new tape."""

    def __init__(self, tape: Tape, selection: Selection, progress: Progress, change: Change | None = None) -> None:
        self.count = self._frames = self._dropped = self._too_late = 0
        self._first_ns = self._last_ns = 0
        self._carried = False
        self._tape, self._selection, self._progress, self._change = tape, selection, progress, change
        self._kept = frozenset(selection.markets)
        self._heard = frozenset(selection.connections)
        self._last_gap = 0  # every gap is reported when it opens, and again when it closes

    def records(self) -> Iterator[Record]:
        """The new tape's records, numbered from 0, and what they say of others' numbers with them."""
        places = _Places()
        for seq, record in enumerate(self._unnumbered()):
            self.count += 1
            self._frames += record.kind <= Kind.FRAME_CLOSE
            places.note(record.seq, seq)
            payload = renumbered(record.kind, record.payload, places.of)
            made = Record(seq, record.at_ns, record.mono_ns, record.connection, record.kind, payload)
            yield made if self._change is None else self._change(made)

    def report(self, out: Path, segments: int) -> CutReport:
        """What was cut, once it is."""
        return CutReport(
            out=str(out),
            records=self.count,
            frames=self._frames,
            dropped=self._dropped,
            too_late=self._too_late,
            carried=self._carried,
            first_ns=self._first_ns,
            last_ns=self._last_ns,
            segments=segments,
        )

    def _unnumbered(self) -> Iterator[Record]:
        from_ns, to_ns = self._selection.from_ns, self._selection.to_ns
        player = Player(self._tape, start="beginning" if from_ns is None else "checkpoint")
        if from_ns is not None:
            player.advance(until_ns=from_ns - 1)
        carried = self._carry(player) if player.position else None
        self._last_gap = player.engine.connections.save().last_gap
        last: Record | None = None
        for record, step in player.play(until_ns=to_ns):
            if last is None:
                self._first_ns = step.now_ns
                if carried is not None and record.kind != Kind.SESSION:
                    self._carried = True
                    yield carried
            last = record
            self._last_ns = step.now_ns
            yield from self._kept_of(record, step, player.engine)
            if player.position % PROGRESS_RECORDS == 0:
                self._progress(player.position, self._tape.head_seq + 1)
        if last is None and carried is not None and not player.finished:  # a quiet stretch inside the tape
            self._carried = True
            self._first_ns = self._last_ns = player.now_ns
            last = carried
            yield carried
        if last is not None and last.kind != Kind.CLEAN_STOP:
            yield _with(last, Kind.CLEAN_STOP, 0, b"")

    def _carry(self, player: Player) -> Record:
        """A SESSION that goes on from where the player stands, on the same clock."""
        engine, timeline = player.engine, player.engine.save().timeline
        since_ns = engine.now_ns - timeline.base_ns
        mono_ns = timeline.base_mono_ns + since_ns if timeline.base_mono_ns else 0
        before = _session_before(self._tape, player.position)
        session = msgspec.structs.replace(
            before,
            uuid=derived_uuid(self._tape.label.uuid, before.uuid, repr(self._selection)),
            coverage=self._coverage(before.coverage),
            base=engine.base_state(self._kept, self._heard),
        )
        return Record(0, engine.now_ns, mono_ns, 0, Kind.SESSION, encode_payload(session))

    def _coverage(self, coverage: Coverage) -> Coverage:
        if not self._kept:
            return coverage
        return msgspec.structs.replace(coverage, connections=True, control=False, filtered=True)

    def _kept_of(self, record: Record, step: Step, engine: Engine) -> Iterator[Record]:
        """What the cut says where the original has this record."""
        if self._heard and _connection_of(record) not in (0, *self._heard):
            self._dropped += record.kind <= Kind.FRAME_CLOSE
            return
        if record.kind == Kind.SESSION and (self._kept or self._heard):
            yield self._session(record, engine)
            return
        if self._heard and record.kind == Kind.OPENED:
            record = self._opened(record)
        if not self._kept:
            yield record
            return
        if record.kind <= Kind.FRAME_CLOSE:
            for gap in step.gaps:
                if gap.number > self._last_gap:
                    self._last_gap = gap.number
                    yield from self._tell(gap, record, step.now_ns)
        market = getattr(step.message, "market", "")
        if market and market not in self._kept:
            self._dropped += 1
        elif step.change is Rejected.OUT_OF_ORDER:
            self._too_late += 1
        else:
            yield record

    def _session(self, record: Record, engine: Engine) -> Record:
        session = decode_session(record.payload)
        base = None if session.base is None else engine.base_state(self._kept, self._heard)
        changed = msgspec.structs.replace(session, coverage=self._coverage(session.coverage), base=base)
        return _with(record, Kind.SESSION, record.connection, encode_payload(changed))

    def _opened(self, record: Record) -> Record:
        """A connection that takes over from one that is not here takes over from none."""
        opened = decode_opened(record.payload)
        if opened.replaces in (0, *self._heard):
            return record
        changed = encode_payload(msgspec.structs.replace(opened, replaces=0))
        return _with(record, Kind.OPENED, record.connection, changed)

    def _tell(self, gap: Gap, record: Record, now_ns: int) -> Iterator[Record]:
        """Say in a record what only numbering or the silence between frames of all markets showed."""
        markets = tuple(market for market in gap.markets if market in self._kept)
        if gap.reason == RECONNECT:
            yield _with(record, Kind.OPENED, gap.connection, encode_payload(Opened()))
        elif gap.reason in (SEQUENCE, STALL) and (markets or not gap.markets):
            missing = gap.got - gap.expected if gap.got and gap.expected else 0
            stored = StoredGap(
                gap.reason,
                gap.connection,
                gap.sid,
                markets,
                from_ns=gap.at_ns,
                until_ns=gap.until_ns or now_ns,
                missing=missing,
                detail=f"expected {gap.expected} got {gap.got}" if missing else "",
            )
            yield _with(record, Kind.GAP_CLOSE, gap.connection, encode_payload(stored))


class _Places:
    """Which seq a record of the original has in the cut, for the newest of them: decisions follow their causes soon."""

    def __init__(self) -> None:
        self._old: list[int] = []  # where the distance between the two numbers changes
        self._new: list[int] = []

    def note(self, old: int, new: int) -> None:
        """The next record of the cut; of several at one place of the original the last counts."""
        if self._old and old - self._old[-1] == new - self._new[-1]:
            return
        self._old.append(old)
        self._new.append(new)
        if len(self._old) > 2 * MAX_PLACES:
            del self._old[:MAX_PLACES], self._new[:MAX_PLACES]

    def of(self, old: int) -> int:
        """The seq in the cut; of a record that is not in it, that of the one before it, 0 where there is none."""
        at = bisect_right(self._old, old) - 1
        if at < 0:
            return 0
        new = self._new[at] + old - self._old[at]
        return new if at + 1 == len(self._new) else min(new, self._new[at + 1] - 1)


def _with(record: Record, kind: Kind, connection: int, payload: bytes) -> Record:
    """Another record of the same instant."""
    return Record(record.seq, record.at_ns, record.mono_ns, connection, kind, payload)


def _connection_of(record: Record) -> int:
    """The connection that a record is of or tells of, 0 = none."""
    if record.kind in (Kind.GAP_OPEN, Kind.GAP_CLOSE):
        return decode_gap(record.payload).connection
    return record.connection


def _require_connections(tape: Tape, connections: Iterable[int]) -> None:
    """Raises TapeError for a number that no connection has."""
    wanted = set(connections)
    if not wanted:
        return
    there: set[int] = set()
    for table in tape.tables(columns=["connection"]):
        there.update(np.unique(flat(table.column("connection"))).tolist())
    for number in sorted(wanted - there | wanted & {0}):
        has = ", ".join(str(other) for other in sorted(there - {0})[:MAX_NAMED]) or "none"
        raise TapeError(f"{tape.path}: has no connection {number}; it has {has}")


def _session_before(tape: Tape, position: int) -> Session:
    """The session that the record before this seq belongs to."""
    found = -1
    for table in tape.tables(columns=["seq", "kind"]):
        kinds, seqs = flat(table.column("kind")), flat(table.column("seq"))
        sessions = seqs[(kinds == Kind.SESSION) & (seqs < position)]
        found = int(sessions[-1]) if len(sessions) else found
        if int(seqs[-1]) >= position:
            break
    if found < 0:
        return Session("", tape.environment)
    return decode_session(next(tape.records(found, found)).payload)
