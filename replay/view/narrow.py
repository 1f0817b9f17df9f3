"""The records of a tape for one market's sake: what is said of all others is passed over, what concerns all is not.

Knows which records may be left out without that market's book, trades, trust or orders becoming others: complete books
and trades of other markets, and tickers, as long as their numbers follow on one another and no silence is too long.
Where they do not, the record is stepped like any other. Must not know what a step does.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from capture.tape.reader import Tape
from core.cells import H_FILTERED, H_STOP
from core.engine import Engine, Step
from core.packed import Ints
from core.records import Kind
from core.runs import END, O_NOW, UNDONE
from core.session import STALL_NS
from replay.feed import COLUMNS, Batch, ByColumns, Fed

NARROW: Final = tuple(
    name
    for name in COLUMNS
    if name
    not in (
        *("sending_ms", "yes_bid", "yes_ask", "yes_bid_size", "yes_ask_size", "last_trade_size"),
        *("volume", "open_interest", "dollar_volume", "dollar_open_interest"),
    )
)
"""What is read: nothing that tickers alone have."""

MOST_BREAKS: Final = 64
"""Breaks of numbering in one batch that are stepped singly; with more it is quicker to step everything."""


class BrokenError(Exception):
    """Numbers follow so badly on one another that nothing may be left out."""


class Narrow(ByColumns):
    """`ByColumns` of one market, into an engine that knows no other, or none but in passing."""

    def __init__(self, tape: Tape, from_seq: int, tables: Iterator[Any], engine: Engine, market: str) -> None:
        """tables: of the records from that one on, with the columns NARROW at least."""
        super().__init__(tape, from_seq, (Batch(table, market) for table in tables))
        self._engine = engine
        self._streams: _Streams | None = None
        self._stop = 0
        self._breaks = 0
        self._is_due = False

    def run(self, engine: Engine, until_ns: int, until_seq: int) -> int:
        """See ByColumns. Raises BrokenError."""
        while (batch := self._present()) is not None:
            last = self._last(batch, engine, until_ns, until_seq)
            if self._streams is None or self._streams.batch is not batch:
                self._streams, self._breaks = _Streams(batch, self._row), 0
                self._begin()
            if self._row >= last:
                return END
            if self._row < self._stop:
                self._row = engine.run(batch.rows.cells, batch.size, self._row, min(last, self._stop))
                why: int = engine.memory.plain[H_STOP]
                if why != END:
                    self._is_due = True
                    return why
            if self._row == batch.size:
                self._streams.settle(engine, self._row)
            elif self._row == self._stop < last:
                self._breaks += 1
                if self._breaks > MOST_BREAKS:
                    raise BrokenError
                self._is_due = True
                return UNDONE
        return END

    def here(self, *, dense: bool = True) -> Fed | None:  # noqa: ARG002  # few of its records are asked for
        """See Feed."""
        if self._is_due:  # it is stepped next, and judged by all that came before it
            self.settle()
            self._is_due = False
        return super().here(dense=False)

    def stepped(self, engine: Engine, step: Step) -> None:
        """See Feed."""
        super().stepped(engine, step)
        self._begin()

    def settle(self) -> None:
        """Let the engine's connections know of what was passed over."""
        if self._streams is not None and self._streams.batch is self._batch:
            self._streams.settle(self._engine, self._row)

    def _begin(self) -> None:
        """Find how far nothing is out of order, from here on."""
        streams = self._streams
        if streams is not None and streams.batch is self._batch:
            self._stop = streams.begin(self._engine, self._row)
        self._engine.memory.plain[H_FILTERED] = 1  # the machine sees some of the numbers only; Python sees them all


class _Line:
    """Rows of a connection or a subscription. breaks: places of those that do not follow on the one before them."""

    __slots__ = ("breaks", "rows", "values")

    def __init__(self, rows: Ints, values: Ints, broken: Any) -> None:
        self.rows, self.values = rows, values
        self.breaks = np.flatnonzero(broken) + 1

    def place(self, row: int) -> int:
        """Of the first one that is not before a row."""
        return int(np.searchsorted(self.rows, row))

    def broken_after(self, place: int) -> Iterator[int]:
        """The row of the next one that does not follow."""
        at = int(np.searchsorted(self.breaks, place, "right"))
        if at < len(self.breaks):
            yield int(self.rows[self.breaks[at]])


class _Streams:
    """The numbers and times of a batch, by connection and by subscription, from a row on."""

    def __init__(self, batch: Batch, row: int) -> None:
        self.batch = batch
        self._from = row
        connection, kind = batch.numbers[2], batch.numbers[3]
        self._sessions = np.flatnonzero(kind == int(Kind.SESSION))
        self._inbound = np.flatnonzero(kind <= int(Kind.FRAME_CLOSE))
        ints = batch.columns.ints
        sid, seq = ints["sid"], ints["exchange_seq"]
        numbered = np.flatnonzero((kind == int(Kind.FRAME)) & (sid > 0) & (seq > 0))  # no value is far below
        keys = (connection[numbered].astype(np.int64) << 32) | sid[numbered]
        self._numbers: dict[tuple[int, int], tuple[Ints, Ints]] = {}
        for key, places in _apart(keys):
            rows = numbered[places]
            self._numbers[key >> 32, key & 0xFFFF_FFFF] = rows, seq[rows].astype(np.int64)
        self._connection = connection
        self._lines: dict[tuple[int, int], _Line] = {}
        self._sockets: dict[int, _Line] = {}
        self._filtered: bool | None = None

    def begin(self, engine: Engine, row: int) -> int:
        """The first row from one on that must be stepped singly; the size of the batch when none must."""
        if self._filtered is None or (self._sessions == row - 1).any():
            self._look(engine)
        self._from = row
        known = engine.connections.numbering()
        later = self._sessions[self._sessions >= row]
        found = [int(later[0]) if len(later) else self.batch.size]
        for (number, sid), line in self._lines.items():
            place = line.place(row)
            if place == len(line.rows) or (number in known and known[number] is None):
                continue  # a connection that is over brings nothing
            heard = known.get(number)
            expected = 0 if heard is None else heard[1].get(sid, 0)
            if expected < 0:
                continue
            got = int(line.values[place])
            if not expected or (got < expected if self._filtered else got != expected):
                found.append(int(line.rows[place]))
            else:
                found += line.broken_after(place)
        if engine.connections.coverage.control:
            for number, line in self._sockets.items():
                heard, place = known.get(number), line.place(row)
                if heard is None or place == len(line.rows):
                    continue
                if line.values[place] - heard[0] > STALL_NS:
                    found.append(int(line.rows[place]))
                else:
                    found += line.broken_after(place)
        return min(found)

    def settle(self, engine: Engine, row: int) -> None:
        """Tell the connections what came on them up to before a row."""
        for number, line in self._sockets.items():
            place = line.place(row) - 1
            if place >= 0 and line.rows[place] >= self._from:
                engine.connections.passed(number, int(line.values[place]))
        for (number, sid), line in self._lines.items():
            first, place = line.place(self._from), line.place(row) - 1
            if place >= first:
                now_ns = int(self._now(line.rows[place]))
                numbers = int(line.values[first]), int(line.values[place])
                engine.connections.passed(number, now_ns, sid, numbers)

    def _look(self, engine: Engine) -> None:
        """Anew where a session has begun: it has its own times, and may be filtered."""
        self._filtered = engine.connections.coverage.filtered
        for key, (rows, values) in self._numbers.items():
            steps = np.diff(values)
            self._lines[key] = _Line(rows, values, steps <= 0 if self._filtered else steps != 1)
        for number, places in _apart(self._connection[self._inbound]):
            rows = self._inbound[places]
            times = self._now(rows)
            self._sockets[number] = _Line(rows, times, np.diff(times) > STALL_NS)

    def _now(self, rows: Any) -> Any:
        return self.batch.rows.cells[O_NOW * self.batch.size + rows]


def _apart(keys: Any) -> Iterator[tuple[int, Any]]:
    """Each key, which are few, and where it is."""
    left = np.ones(len(keys), np.bool_)
    while left.any():
        key = keys[left.argmax()]
        places = keys == key
        left &= ~places
        yield int(key), np.flatnonzero(places)
