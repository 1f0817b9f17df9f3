"""A tape in pages: stretches of records whose columns are read at once, found by seq or by time, and kept for a while.

Knows where a page begins, which columns are shown, and when each of its records was received. Must not know what is
shown of them. `when` is the wall clock's running maximum (Unix ns): time as people read it, which never goes back.
"""

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from capture.tape.buffers import flat
from capture.tape.lines import Entry
from capture.tape.schema import GROUP_ROWS, NUMBERS, Blobs
from capture.tape.segment import SegmentFile, open_segment
from capture.tape.typed import columns_of
from core.columns import Columns
from core.packed import Ints
from core.records import Kind, Record
from replay.view.narrow import NARROW
from replay.view.watched import Watched

PAGE_ROWS: Final = GROUP_ROWS
"""A row group of a sealed segment, which is read as a whole whatever is wanted of it."""

PAGES_KEPT: Final = 20
"""Pages in memory, some 6 MB each: what a window of a few minutes of the busiest tape needs, twice."""

RAW_KEPT: Final = 3
"""Row groups kept from which whole records are made: of a record, a decision and its cause."""

SEGMENTS_KEPT: Final = 16
"""Open segment files, so that their footers are read once."""

ASIDE_ROWS: Final = 64
"""Records of a session of answers at most: more of them are worth their place on the time line."""

_ASIDE: Final = (Kind.SESSION, Kind.REST, Kind.CLEAN_STOP)

SHOWN: Final = (
    *("at_ns", "kind", "connection", "type", "malformed", "market", "side", "price", "size", "yes_bid", "yes_ask"),
    "payload",
)
"""What lists and outlines show."""

PLAYED: Final = tuple(dict.fromkeys((*SHOWN, *NARROW)))
"""And what a market's player needs besides: read at once, it costs less than twice as much."""


@dataclass(frozen=True)
class Page:
    """Records first_seq to last_seq. payloads: those that are kept as bytes, which our own records' are, else empty.

    table: the columns as they were read.
    """

    first_seq: int
    last_seq: int
    when: Ints
    kind: npt.NDArray[np.uint8]
    connection: Ints
    columns: Columns
    payloads: Blobs
    table: Any

    @cached_property
    def markets(self) -> Ints:
        """How many records each market has here, in the order of the market column's values."""
        texts = self.columns.texts["market"]
        return np.bincount(texts.codes[texts.codes >= 0], minlength=len(texts.values))

    def code(self, column: str, text: str) -> int:
        """The code of a text in a text column, -2 = it does not occur here."""
        values = self.columns.texts[column].values
        return values.index(text) if text in values else -2

    def text(self, column: str, row: int) -> str:
        """What a text column says of a row, "" for nothing."""
        texts = self.columns.texts[column]
        code = int(texts.codes[row])
        return texts.values[code] if code >= 0 else ""

    def of_market(self, market: str) -> npt.NDArray[np.bool_]:
        """Which records are frames that name a market."""
        found: npt.NDArray[np.bool_] = self.columns.texts["market"].codes == self.code("market", market)
        return found

    def of_type(self, *types: str) -> npt.NDArray[np.bool_]:
        """Which records are messages of one of these types."""
        return np.isin(self.columns.texts["type"].codes, [self.code("type", name) for name in types])

    def rows_until(self, when_ns: int) -> int:
        """How many of its records had been received by an instant."""
        return int(np.searchsorted(self.when, when_ns, "right"))


class Pages:
    """The pages of a tape; used by one thread. columns: what is read, SHOWN at least."""

    def __init__(self, tape: Watched, most: int = PAGES_KEPT, columns: Sequence[str] = PLAYED) -> None:
        self.tape = tape
        self._most = most
        self._columns = columns
        self._raw: OrderedDict[int, Any] = OrderedDict()
        self._kept: OrderedDict[int, Page] = OrderedDict()
        self._files: OrderedDict[str, SegmentFile] = OrderedDict()
        self._lasts: list[int] = []  # of each segment: when its last record was received

    def at(self, seq: int) -> Page:
        """The page with that record, which must be on the tape. Raises TapeDamaged, TapeError as `Tape.records`."""
        first_seq, last_seq, before_ns = self._bounds(seq)
        page = self._kept.get(first_seq)
        if page is None or page.last_seq < last_seq:
            page = self._kept[first_seq] = self._read(first_seq, last_seq, before_ns)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        self._kept.move_to_end(first_seq)
        return page

    def between(self, first_seq: int, last_seq: int) -> list[Page]:
        """The pages that hold any of these records, in order."""
        found, seq = [], max(first_seq, 0)
        while seq <= min(last_seq, self.tape.next_seq - 1):
            page = self.at(seq)
            found.append(page)
            seq = page.last_seq + 1
        return found

    def when(self, seq: int) -> int:
        """When a record was received."""
        page = self.at(seq)
        return int(page.when[seq - page.first_seq])

    def until(self, when_ns: int) -> int:
        """The last record received by an instant; the first one where there is none."""
        entries, lasts = self.tape.manifest.entries, self._segment_ends()
        index = bisect_right(lasts, when_ns)
        seq = entries[index].first_seq if index < len(entries) else self.tape.manifest.next_seq
        while seq < self.tape.next_seq:
            page = self.at(seq)
            rows = page.rows_until(when_ns)
            if rows <= page.last_seq - page.first_seq:
                return max(page.first_seq + rows - 1, 0)
            seq = page.last_seq + 1
        return max(self.tape.next_seq - 1, 0)

    def records(self, first_seq: int, count: int = 1) -> list[Record]:
        """At most so many whole records of the page with the first one; nothing else is rebuilt."""
        if first_seq >= self.tape.memory_seq:
            table = next(self.tape.tables([*NUMBERS, "payload"], first_seq)).slice(0, count)
            payloads = Blobs.of_arrow(table.column("payload").combine_chunks())
        else:
            file = self._file(self._entry(first_seq))
            table = self._raw_from(file, first_seq).slice(0, count)
            payloads = file.payloads(table)
        numbers = [flat(table.column(name)).tolist() for name in NUMBERS]
        return list(map(Record, *numbers, payloads.split()))

    def _raw_from(self, file: SegmentFile, seq: int) -> Any:
        """All that records are made of, from one on to the end of its row group."""
        for first_seq, table in self._raw.items():
            if first_seq <= seq < first_seq + table.num_rows:
                self._raw.move_to_end(first_seq)
                return table.slice(seq - first_seq)
        first_seq = self._bounds(seq)[0]
        for table in file.groups([*NUMBERS, *file.rebuild_columns], first_seq):
            if seq < first_seq + table.num_rows:
                break
            first_seq += table.num_rows  # large payloads ended a row group early
        self._raw[first_seq] = table
        while len(self._raw) > RAW_KEPT:
            self._raw.popitem(last=False)
        return table.slice(seq - first_seq)

    def _bounds(self, seq: int) -> tuple[int, int, int]:
        """First and last record of the page, and when the last record before it had been received at the latest."""
        tape = self.tape
        assert 0 <= seq < tape.next_seq, f"record {seq} of {tape.next_seq}"
        pieces = tape.pieces
        if pieces and seq >= pieces[0].first_seq:
            piece = pieces[bisect_right(pieces, seq, key=lambda each: each.first_seq) - 1]
            return piece.first_seq, piece.last_seq, self._before(piece.first_seq)
        entry = self._entry(seq)
        first_seq = entry.first_seq + (seq - entry.first_seq) // PAGE_ROWS * PAGE_ROWS
        return first_seq, min(first_seq + PAGE_ROWS - 1, entry.last_seq), self._before(entry.first_seq)

    def end_ns(self) -> int:
        """When the last record was received, 0 = there is none; sessions of nothing but REST answers at the end left
        out: those that are imported were fetched days later, beside which a tape of minutes would be a sliver.
        """
        last_seq = self.tape.next_seq - 1
        for entry in reversed(self.tape.manifest.entries):
            is_all = entry.first_seq == 0 or entry.last_seq != last_seq or entry.rows > ASIDE_ROWS
            if is_all or not np.isin(self.at(entry.first_seq).kind, _ASIDE).all():
                break
            last_seq = entry.first_seq - 1
        return self.when(last_seq) if last_seq >= 0 else 0

    def _before(self, seq: int) -> int:
        entries = self.tape.manifest.entries
        index = bisect_left(entries, seq, key=lambda entry: entry.last_seq)
        return self._segment_ends()[index - 1] if index else 0

    def _segment_ends(self) -> list[int]:
        entries = self.tape.manifest.entries
        if len(self._lasts) != len(entries):
            self._lasts = list(accumulate((entry.last_ns for entry in entries), max))
        return self._lasts

    def _entry(self, seq: int) -> Entry:
        entries = self.tape.manifest.entries
        return entries[bisect_left(entries, seq, key=lambda entry: entry.last_seq)]

    def _file(self, entry: Entry) -> SegmentFile:
        file = self._files.get(entry.sha256)
        if file is None:
            next(self.tape.tables(["seq"], entry.first_seq))  # it says why, where a segment is not to be had
            file = self._files[entry.sha256] = open_segment(self.tape.path, entry)
            while len(self._files) > SEGMENTS_KEPT:
                self._files.popitem(last=False)
        return file

    def _read(self, first_seq: int, last_seq: int, before_ns: int) -> Page:
        rows = last_seq - first_seq + 1
        table = self._table(first_seq, rows)
        at_ns = flat(table.column("at_ns"))
        payloads = table.column("payload").combine_chunks()
        if isinstance(payloads, pa.ChunkedArray):
            payloads = pa.concat_arrays(payloads.chunks)
        return Page(
            first_seq=first_seq,
            last_seq=last_seq,
            when=np.maximum(np.maximum.accumulate(at_ns), before_ns),
            kind=flat(table.column("kind")),
            connection=flat(table.column("connection")),
            columns=columns_of(table),
            payloads=Blobs.of_arrow(payloads),
            table=table,
        )

    def _table(self, first_seq: int, rows: int) -> Any:
        """Usually one row group; more where large payloads ended one early."""
        in_memory = first_seq >= self.tape.memory_seq
        entry = None if in_memory else self._entry(first_seq)
        names = self._columns
        tables = self.tape.tables(names, first_seq) if entry is None else self._file(entry).groups(names, first_seq)
        parts: list[Any] = []
        while rows > 0:
            part = next(tables).slice(0, rows)
            rows -= part.num_rows
            parts.append(part)
        return parts[0] if len(parts) == 1 else pa.concat_tables(parts).unify_dictionaries().combine_chunks()
