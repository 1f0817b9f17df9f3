"""The player: feeds the records of a tape to an engine, by the byte path or by the column path.

Knows both paths, where to stop and which checkpoint to start from. Must not know what a record does to the state:
that is `core.engine`, the same that runs live.

The byte path decodes every payload with `core.messages`. The column path makes messages from the typed columns and
decodes a payload only where the columns do not hold the whole message. Both give the same state digest.
"""

from collections.abc import Iterator
from typing import Any, Final

from capture.tape import checkpoints
from capture.tape.reader import Tape
from core import state
from core.batch import SCAN_ROWS
from core.cells import NEVER
from core.copies import machine
from core.engine import Engine, Step
from core.messages import Malformed, Message, decode
from core.records import Kind, Record
from core.runs import END
from core.store import MarketStateStore
from replay.feed import ByColumns, Bytes, Fed, Feed

PATHS: Final = ("bytes", "columns")
CHECKPOINT_RECORDS: Final = 262_144
"""A checkpoint is left behind once in so many records: a few seconds of replay, a few files a day of tape."""


class Player:
    """Plays one tape forward, from its beginning or from a checkpoint.

    path: "bytes" or "columns". start: "beginning", or "checkpoint" to begin from the checkpoint nearest before the
    target of the first `advance`, where one exists. checkpoint_records: how often a checkpoint is left behind on a
    tape that can be written to; 0 = never.
    position: the seq of the next record. finished: there was none left. gaps: the numbers of those
    that opened or closed; whoever counts may clear it.
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
        if tape.manifest.next_seq >= SCAN_ROWS:
            machine(is_compiled=True)  # half a second, once a process
        self.engine = Engine()
        self.position = 0
        self.finished = False
        self.gaps: set[int] = set()
        self._start = start if tape.has_checkpoints else "beginning"
        self._spacing = (checkpoint_records if tape.has_checkpoints else 0) or NEVER
        self._feed = self._fed(0)

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
        feed = self._set_out(until_ns, until_seq)
        if isinstance(feed, Bytes) and until_ns is None:
            return self._advance(feed, NEVER if until_seq is None else until_seq)
        if not isinstance(feed, ByColumns) or not self.engine.memory.is_compiled:
            return sum(1 for _ in self.play(until_ns, until_seq))
        from_seq, last_ns = self.position, NEVER if until_ns is None else until_ns
        while self.stride(last_ns, NEVER if until_seq is None else until_seq) != END:
            self.step()
        return self.position - from_seq

    def play(self, until_ns: int | None = None, until_seq: int | None = None) -> Iterator[tuple[Record, Step]]:
        """`advance`, yielding each record just after its step; the state may be looked at between two of them.

        On the column path the payload of a record whose columns hold the whole message is left empty.
        """
        feed, engine = self._set_out(until_ns, until_seq), self.engine
        last_ns, last_seq = NEVER if until_ns is None else until_ns, NEVER if until_seq is None else until_seq
        while (fed := self._here(feed)) is not None:
            record, message = fed
            if record.seq > last_seq or (until_ns is not None and engine.timeline.at(record) > last_ns):
                return
            step = engine.step(record, message)
            feed.stepped(engine, step)
            self._note(step)
            self._reached(record.seq + 1)
            yield record, step
        self.finished = True

    def _advance(self, feed: Bytes, last_seq: int) -> int:
        """`advance` by bytes, up to a seq."""
        engine, spacing, from_seq = self.engine, self._spacing, self.position
        try:
            for record in feed.rest(last_seq):
                step = engine.fold(record)
                if step is not None:
                    self._note(step)
                if engine.next_seq % spacing == 0:
                    self._reached(engine.next_seq)
        except Exception:
            self._reached(engine.next_seq)
            self._feed = self._fed(self.position)  # whoever plays on meets the same damage again
            raise
        self._reached(engine.next_seq)
        self.finished = self.finished or self._here(feed) is None
        return self.position - from_seq

    def stride(self, last_ns: int = NEVER, last_seq: int = NEVER) -> int:
        """Have the machine play on, up to an instant and a seq, both in it; why it stopped (see `core.machine`).

        UNDONE: `step` is to play the next record. Only for the column path.
        """
        feed, engine = self._feed, self.engine
        assert isinstance(feed, ByColumns), f"the machine plays columns, not {self.path}"
        while True:
            stop = min(last_seq, (self.position // self._spacing + 1) * self._spacing - 1)
            try:
                why = feed.run(engine, last_ns, stop)
            except Exception:
                self._reached(engine.next_seq)
                self._feed = self._fed(self.position)  # whoever plays on meets the same damage again
                raise
            self._reached(engine.next_seq)
            if why != END or self.position <= stop or stop == last_seq:
                self.finished = self.finished or (why == END and not _is_left(self, feed))
                return why

    def stretch(self, last_ns: int = NEVER, last_seq: int = NEVER) -> tuple[Any, int, int, int] | None:
        """Rows for the machine, as `ByColumns.stretch` gives them; whoever has it step them says so by `moved`."""
        feed = self._feed
        assert isinstance(feed, ByColumns), f"the machine plays columns, not {self.path}"
        try:
            found = feed.stretch(self.engine, last_ns, last_seq)
        except Exception:
            self._feed = self._fed(self.position)  # whoever plays on meets the same damage again
            raise
        self.finished = self.finished or (found is None and self._here(feed) is None)
        return found

    def moved(self, before: int, row: int) -> None:
        """The machine has stepped the rows of a stretch from `before` to `row`."""
        feed = self._feed
        assert isinstance(feed, ByColumns), f"the machine plays columns, not {self.path}"
        feed.moved(row)
        self.engine.ran(row - before)
        self._reached(self.engine.next_seq)

    def message_at(self, row: int) -> Message | Malformed | None:
        """The message of a row of the stretch."""
        feed = self._feed
        assert isinstance(feed, ByColumns), f"the machine plays columns, not {self.path}"
        return feed.message_at(row)

    def last(self) -> Fed:
        """The record that the machine stepped last."""
        feed = self._feed
        assert isinstance(feed, ByColumns), f"the machine plays columns, not {self.path}"
        return feed.before()

    def step(self, *, dense: bool = False) -> tuple[Record, Step]:
        """Play the next record, which must be there. dense: those after it will be played so, too."""
        feed = self._feed
        fed = feed.here(dense=dense)
        assert fed is not None, "a record is left"
        step = self.engine.step(*fed)
        feed.stepped(self.engine, step)
        self._note(step)
        self._reached(fed[0].seq + 1)
        return fed[0], step

    def records(self, from_seq: int = 0) -> Iterator[Record]:
        """The tape's records with their payloads, wherever this player stands."""
        return self.tape.records(from_seq)

    def messages(self, from_seq: int = 0) -> Iterator[tuple[Record, Message | Malformed]]:
        """Every text frame with its decoded message, by this player's path, wherever it stands."""
        feed = self._fed(from_seq)
        while (fed := feed.here()) is not None:
            record, message = fed
            if record.kind == Kind.FRAME:
                yield record, decode(record.payload) if message is None else message
            feed.skip()

    def state_digest(self) -> str:
        """SHA-256 (hex) of the whole state: equal on every path, from every start."""
        return state.digest(self.engine)

    def decision_digest(self) -> str:
        """SHA-256 (hex) of no decision: a player alone has no strategies (`replay.hosted` plays with them)."""
        return state.decision_digest()

    def _set_out(self, until_ns: int | None, until_seq: int | None) -> Feed:
        if self._start == "checkpoint":
            self._start = "beginning"
            self._jump(until_ns, until_seq)
        return self._feed

    def _here(self, feed: Feed) -> Fed | None:
        try:
            return feed.here()
        except Exception:
            self._feed = self._fed(self.position)  # whoever plays on meets the same damage again
            raise

    def _note(self, step: Step) -> None:
        if step.gaps:
            self.gaps.update(gap.number for gap in step.gaps)

    def _reached(self, position: int) -> None:
        """Stand before another record; leave a checkpoint where one is due."""
        if position <= self.position:
            return
        self.position = position
        if position % self._spacing == 0:
            checkpoints.save(self.tape, position - 1, self.engine.now_ns, state.dump(self.engine))

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

    def _fed(self, from_seq: int) -> Feed:
        return ByColumns(self.tape, from_seq) if self.path == "columns" else Bytes(self.tape, from_seq)


def coming(player: Player, last_ns: int = NEVER, last_seq: int = NEVER) -> int | None:
    """When the next record is (`now_ns`), None = there is none up to an instant and a seq, both in it."""
    fed = player._here(player._feed)
    if fed is None:
        player.finished = True
        return None
    now_ns = player.engine.timeline.at(fed[0])
    return None if fed[0].seq > last_seq or now_ns > last_ns else now_ns


def _is_left(player: Player, feed: ByColumns) -> bool:
    try:
        return feed.is_left()
    except Exception:
        player._feed = player._fed(player.position)  # whoever plays on meets the same damage again
        raise
