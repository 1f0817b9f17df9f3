"""The player: feeds the records of a tape to an engine, by the byte path or by the column path.

Knows both paths, where to stop and which checkpoint to start from. Must not know what a record does to the state:
that is `core.engine`, the same that runs live.

The byte path decodes every payload with `core.messages`. The column path makes messages from the typed columns and
decodes a payload only where the columns do not hold the whole message. Both give the same state digest.
"""

from collections.abc import Iterator
from typing import Final, TypeAlias

from capture.tape import checkpoints
from capture.tape.reader import Tape
from capture.tape.schema import SCHEMA, Blobs, columns_of
from core import columns, state
from core.engine import Engine, Step
from core.messages import Malformed, Message, decode
from core.records import Kind, Record
from core.store import MarketStateStore
from core.timeline import Timeline

PATHS: Final = ("bytes", "columns")
COLUMNS: Final = tuple(name for name in SCHEMA.names if name != "source")
"""What the column path reads: everything but an import's own spelling of its lines."""

NEVER: Final = 1 << 63
"""Later than any time and any seq."""

CHECKPOINT_RECORDS: Final = 262_144
"""A checkpoint is left behind once in so many records: a few seconds of replay, a few files a day of tape."""

Fed: TypeAlias = tuple[Record, Message | Malformed | None]
"""A record and its message, None where the engine is to decode the payload."""


class Player:
    """Plays one tape forward, from its beginning or from a checkpoint.

    path: "bytes" or "columns". start: "beginning", or "checkpoint" to begin from the checkpoint nearest before the
    target of the first `advance`, where one exists. checkpoint_records: how often a checkpoint is left behind on a
    tape that can be written to; 0 = never.
    position: the seq of the next record. finished: there was none left.
    Raises ValueError for another path or start; `TapeDamaged` when it reaches damage, with the state at that point.
    """

    def __init__(
        self,
        tape: Tape,
        path: str = "bytes",
        *,
        start: str = "beginning",
        checkpoint_records: int = CHECKPOINT_RECORDS,
    ) -> None:
        if path not in PATHS:
            raise ValueError(f"path {path!r} is none of {', '.join(PATHS)}")
        if start not in ("beginning", "checkpoint"):
            raise ValueError(f"start {start!r} is none of beginning, checkpoint")
        self.tape = tape
        self.path = path
        self.engine = Engine()
        self.position = 0
        self.finished = False
        self._start = start
        self._checkpoint_records = checkpoint_records
        self._feed = self._fed(0)
        self._held: tuple[Fed, int] | None = None  # read ahead, and its now_ns
        self._clock: Timeline | None = None  # of what was read; kept from the first limit in time on

    @property
    def store(self) -> MarketStateStore:
        """The state of every market as of the last record played."""
        return self.engine.store

    @property
    def now_ns(self) -> int:
        """`now_ns` (Unix ns) of the last record played, 0 before the first."""
        return self.engine.now_ns

    def advance(self, until_ns: int | None = None, until_seq: int | None = None) -> int:
        """Play every record received, by `now_ns`, up to and including an instant, or a `seq`, or to the end.

        Returns how many records were played. With both limits it stops at the one that comes first.
        """
        played = 0
        for _ in self.play(until_ns, until_seq):
            played += 1
        return played

    def play(self, until_ns: int | None = None, until_seq: int | None = None) -> Iterator[tuple[Record, Step]]:
        """`advance`, yielding each record just after its step; the state may be looked at between two of them.

        On the column path the payload of a record whose columns hold the whole message is left empty.
        """
        if self._start == "checkpoint":
            self._start = "beginning"
            self._jump(until_ns, until_seq)
        if until_ns is not None and self._clock is None:
            self._clock = self.engine.save().timeline
        engine, last_ns = self.engine, NEVER if until_ns is None else until_ns
        last_seq = NEVER if until_seq is None else until_seq
        for fed, now_ns in self._next():
            record = fed[0]
            if now_ns > last_ns or record.seq > last_seq:
                self._held = fed, now_ns
                return
            step = engine.step(record, fed[1])
            self.position = record.seq + 1
            if self._checkpoint_records and self.position % self._checkpoint_records == 0:
                checkpoints.save(self.tape, record.seq, engine.now_ns, state.dump(engine))
            yield record, step
        self.finished = True

    def _next(self) -> Iterator[tuple[Fed, int]]:
        """What comes next with its now_ns (0 while nobody asks for it), beginning with what was read ahead."""
        held, self._held = self._held, None
        if held is not None:
            yield held
        clock = self._clock
        try:
            for fed in self._feed:
                yield fed, 0 if clock is None else clock.advance(fed[0])
        except Exception:
            self._feed = self._fed(self.position)  # whoever plays on meets the same damage again
            raise

    def records(self, from_seq: int = 0) -> Iterator[Record]:
        """The tape's records with their payloads, wherever this player stands."""
        return self.tape.records(from_seq)

    def messages(self, from_seq: int = 0) -> Iterator[tuple[Record, Message | Malformed]]:
        """Every text frame with its decoded message, by this player's path, wherever it stands."""
        for record, message in self._fed(from_seq):
            if record.kind == Kind.FRAME:
                yield record, decode(record.payload) if message is None else message

    def state_digest(self) -> str:
        """SHA-256 (hex) of the whole state: equal on every path, from every start."""
        return state.digest(self.engine)

    def decision_digest(self) -> str:
        """SHA-256 (hex) of no decision: a player alone has no strategies (`replay.hosted` plays with them)."""
        return state.decision_digest()

    def _jump(self, until_ns: int | None, until_seq: int | None) -> None:
        found = checkpoints.nearest(self.tape, seq=until_seq, now_ns=until_ns)
        if found is None:
            return
        seq, blob = found
        try:
            self.engine = state.load(blob)
        except state.StateError:
            return  # checkpoints are disposable
        self.position = seq + 1
        self._feed = self._fed(seq + 1)

    def _fed(self, from_seq: int) -> Iterator[Fed]:
        if self.path == "columns":
            return _by_columns(self.tape, from_seq)
        return ((record, None) for record in self.tape.records(from_seq))


def _by_columns(tape: Tape, from_seq: int) -> Iterator[Fed]:
    """Records with the messages that their columns hold; each column becomes a list once a table."""
    for table in tape.tables(COLUMNS, from_seq):
        if not table.num_rows:
            continue
        raw = [table.column(name).to_pylist() for name in ("seq", "at_ns", "mono_ns", "connection", "kind")]
        kept = Blobs.of_arrow(table.column("payload").combine_chunks())
        ends, first_seq = [0, *kept.ends.tolist()], raw[0][0]
        for seq, at_ns, mono_ns, connection, kind, message in zip(
            *raw, columns.messages(columns_of(table)), strict=True
        ):
            if message is not None:
                yield Record(seq, at_ns, mono_ns, connection, kind, b""), message
                continue
            row = seq - first_seq
            payload = kept.data[ends[row] : ends[row + 1]].tobytes()
            yield Record(seq, at_ns, mono_ns, connection, kind, payload), None
