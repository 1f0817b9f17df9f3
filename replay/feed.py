"""A tape's records as a player takes them: one by one with their messages, or, by columns, many at once by the machine.

Knows tables and where in them the next record is. Must not know what a step does, nor when playing is to stop.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final, Protocol, TypeAlias

import numpy as np

from capture.tape.ahead import Ahead
from capture.tape.buffers import flat
from capture.tape.reader import Tape
from capture.tape.schema import SCHEMA, Blobs
from capture.tape.typed import columns_of
from core.cells import H_STOP, NEVER
from core.columns import Columns
from core.engine import Engine, Step
from core.messages import Malformed, Message
from core.records import Kind, Record
from core.remade import Messages
from core.rows import Room, Rows
from core.runs import END

_PASSED_OVER: Final = ("shape", "source", "malformed", "unknown_fields")
COLUMNS: Final = tuple(name for name in SCHEMA.names if name not in _PASSED_OVER)
"""What the column path reads; of a row that is not complete the payload says all."""

Fed: TypeAlias = tuple[Record, Message | Malformed | None]
"""A record and its message, None where the engine is to decode the payload."""

_SESSION: Final = int(Kind.SESSION)


class Feed(Protocol):
    """The records of a tape from some seq on."""

    def here(self, *, dense: bool = True) -> Fed | None:
        """The next record; None when there is none. dense: those after it will be asked for, too."""

    def stepped(self, engine: Engine, step: Step) -> None:
        """It was stepped, and did this."""

    def skip(self) -> None:
        """Pass it over; nothing of this feed may be stepped any more."""


class Bytes:
    """Every record with its payload, for the engine to decode."""

    def __init__(self, tape: Tape, from_seq: int) -> None:
        self._records = tape.records(from_seq)
        self._here: Record | None = None

    def here(self, *, dense: bool = True) -> Fed | None:  # noqa: ARG002  # as Feed has it
        """See Feed."""
        if self._here is None:
            self._here = next(self._records, None)
        return None if self._here is None else (self._here, None)

    def rest(self, last_seq: int) -> Iterator[Record]:
        """All records up to a seq; each counts as stepped when the next one is asked for."""
        if (fed := self.here()) is None or fed[0].seq > last_seq:
            return
        self._here = None
        yield fed[0]
        if fed[0].seq == last_seq:
            return
        for record in self._records:
            if record.seq > last_seq:
                self._here = record
                return
            yield record

    def stepped(self, engine: Engine, step: Step) -> None:  # noqa: ARG002  # as Feed has it
        """See Feed."""
        self._here = None

    def skip(self) -> None:
        """See Feed."""
        self._here = None


class ByColumns:
    """Records with the messages that their columns hold; `run` has the machine step many of them."""

    def __init__(self, tape: Tape, from_seq: int, batches: "Iterator[Batch] | None" = None) -> None:
        """batches: the same records by another way, each made when it is asked for; no thread reads then."""
        # The thread only reads: batches made ahead would lie twice in memory, and cost as much where they are played.
        self._tables = Ahead(table for table in tape.tables(COLUMNS, from_seq) if table.num_rows)
        self._is_ahead = batches is None
        room = Room()  # of one batch at a time: the one before it is over when a batch is asked for
        self._batches = batches or (Batch(table, room=room) for table in iter(self._tables.take, None))
        self._batch: Batch | None = None
        self._row = 0

    def here(self, *, dense: bool = True) -> Fed | None:
        """See Feed."""
        batch = self._present()
        return None if batch is None else batch.fed(self._row, dense=dense)

    def is_left(self) -> bool:
        """Whether there is a next record: `here` without making its message."""
        return self._present() is not None

    def stepped(self, engine: Engine, step: Step) -> None:
        """See Feed."""
        assert self._batch is not None, "a record was here"
        self._row += 1
        self._batch.changed(engine, step, self._row)

    def skip(self) -> None:
        """See Feed."""
        self._row += 1

    def run(self, engine: Engine, until_ns: int, until_seq: int) -> int:
        """Have the machine step what it can, up to an instant and a seq, both in it. Why it stopped.

        END: there, or nothing is left. UNDONE: the next record (`here`) is to be stepped by Python, and then `stepped`.
        Anything else: as `core.machine` says of the record `before`.
        """
        while (batch := self._present()) is not None:
            last = self._last(batch, engine, until_ns, until_seq)
            if self._row >= last:
                return END
            self._row = engine.run(batch.rows.cells, batch.size, self._row, last)
            why: int = engine.memory.plain[H_STOP]
            if why != END:
                return why
        return END

    def stretch(self, engine: Engine, last_ns: int, last_seq: int) -> tuple[Any, int, int, int] | None:
        """The rows that come next, up to an instant and a seq: cells, stride, first, last; None = there are none."""
        batch = self._present()
        if batch is None:
            return None
        last = self._last(batch, engine, last_ns, last_seq)
        return (batch.rows.cells, batch.size, self._row, last) if self._row < last else None

    def moved(self, row: int) -> None:
        """The machine has stepped the rows before this one."""
        self._row = row

    def message_at(self, row: int) -> Message | None:
        """The message of a row of this batch, None where its columns do not hold it."""
        assert self._batch is not None, "a stretch was given"
        return self._batch.message(row, dense=False)

    def before(self) -> Fed:
        """The record that was stepped last."""
        assert self._batch is not None, "run has stopped somewhere"
        return self._batch.fed(self._row - 1, dense=False)

    def _present(self) -> "Batch | None":
        while self._batch is None or self._row >= self._batch.size:
            batch = next(self._batches, None)
            if batch is None:
                return None
            self._batch, self._row = batch, 0
        return self._batch

    def _last(self, batch: "Batch", engine: Engine, last_ns: int, last_seq: int) -> int:
        """The first row not to be stepped; where that is the end of the batch, the next one is read meanwhile."""
        last = batch.last(engine, self._row, last_ns, last_seq)
        if last == batch.size and not batch.is_followed and self._is_ahead:
            batch.is_followed = True
            self._tables.begin()
        return last


class Batch:
    """One table. is_followed: the next one is being read.

    numbers: at_ns, mono_ns, connection, kind.
    """

    def __init__(self, table: Any, only: str | None = None, room: Room | None = None) -> None:
        self.size = table.num_rows
        self.is_followed = False
        self.numbers = [flat(table.column(name)) for name in ("at_ns", "mono_ns", "connection", "kind")]
        self._sessions = np.flatnonzero(self.numbers[-1] == _SESSION)
        self.first_seq: int = table.column("seq")[0].as_py()
        self.columns: Columns = columns_of(table)
        self._payloads = Blobs.of_arrow(table.column("payload").combine_chunks())
        self._messages: Messages | None = None
        self._shuffles = -1
        self._for_rows = only, room

    @cached_property
    def rows(self) -> Rows:
        """The same for the machine; made when it is first asked for, for who steps one by one needs none."""
        return Rows(self.numbers, self.columns, *self._for_rows)

    def last(self, engine: Engine, row: int, until_ns: int, until_seq: int) -> int:
        """The first row from one on that lies beyond an instant or a seq."""
        if self._shuffles < 0:
            self.rows.time(engine.timeline, row)
        if self._shuffles != engine.store.shuffles:
            self._shuffles = engine.store.shuffles
            self.rows.find(engine.store.states())
        last: int = min(self.size, until_seq - self.first_seq + 1)
        return last if until_ns == NEVER else min(last, self._until(engine, row, until_ns))

    def _until(self, engine: Engine, row: int, until_ns: int) -> int:
        """The first row from one on that is later than an instant, or begins a session: it alone sets what time is."""
        behind = np.searchsorted(self._sessions, row)
        session = int(self._sessions[behind]) if behind < len(self._sessions) else self.size
        if session > row:
            return self.rows.until(row, session, until_ns)
        return row + (engine.timeline.at(self.fed(row, dense=False)[0]) <= until_ns)

    def changed(self, engine: Engine, step: Step, row: int) -> None:
        """A row before this one was stepped otherwise."""
        if self._shuffles < 0:
            return
        if step.message is None:
            if self.numbers[-1][row - 1] == _SESSION and row < self.size:
                self.rows.time(engine.timeline, row)
            return
        market = getattr(step.message, "market", "")
        if market:
            self.rows.found(market, engine.store.states().get(market))

    def message(self, row: int, *, dense: bool) -> Message | None:
        """The message of a row, None where its columns do not hold it. dense: most rows will be asked for."""
        if self._messages is None or (dense and not self._messages.dense):
            self._messages = Messages(self.columns, dense=dense)
        return self._messages.at(row)

    def fed(self, row: int, *, dense: bool) -> Fed:
        """The record of a row with its message. dense: most rows will be asked for."""
        message = self.message(row, dense=dense)
        payload = b"" if message is not None else self._payloads.at(row)
        at_ns, mono_ns, connection, kind = [int(column[row]) for column in self.numbers]
        return Record(self.first_seq + row, at_ns, mono_ns, connection, kind, payload), message
