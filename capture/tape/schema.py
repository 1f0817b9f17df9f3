"""The columns of a sealed segment as Arrow types, and the ways between them, records and `core.columns`.

Knows Arrow tables. Must not know files: `segment` writes and reads them.
"""

import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from capture.tape.buffers import flat, present
from capture.tape.typed import columns_of, whole
from core.batch import decode_columns, render
from core.columns import NULL, TYPED, Columns, Lists
from core.packed import Bytes, Ints, Packed
from core.records import Record
from core.shapes import ShapeBook

GROUP_ROWS: Final = 65_536
"""Rows of a row group: what sealing and reading hold in memory at once (about 20 MB of frames)."""

GROUP_BYTES: Final = 32 << 20
"""Bytes of payloads after which a row group ends all the same: a run of enormous frames is no more to hold."""

RUN_ROWS: Final = 1_024
"""Rows that become Python objects at once: what is made is used before a processor's cache has lost it."""

Column: TypeAlias = Sequence[int] | npt.NDArray[Any]

_TYPES: Final = {
    "i32": pa.int32(),
    "i64": pa.int64(),
    "u8": pa.uint8(),
    "bool": pa.bool_(),
    "dict": pa.dictionary(pa.int32(), pa.string()),
    "str": pa.string(),
    "list_i32": pa.list_(pa.field("element", pa.int32(), nullable=False)),
    "list_i64": pa.list_(pa.field("element", pa.int64(), nullable=False)),
}

_RAW: Final = (
    pa.field("seq", pa.int64(), nullable=False),
    pa.field("at_ns", pa.int64(), nullable=False),
    pa.field("mono_ns", pa.int64(), nullable=False),
    pa.field("connection", pa.int32(), nullable=False),
    pa.field("kind", pa.uint8(), nullable=False),
    pa.field("payload", pa.large_binary()),  # null where `shape` says how to rebuild it
    pa.field("shape", pa.int16(), nullable=False),
    pa.field("source", pa.large_binary()),  # imports: the recording's own bytes, where they cannot be regenerated
)

SCHEMA: Final = pa.schema([*_RAW, *(pa.field(c.name, _TYPES[c.type], nullable=c.name != "complete") for c in TYPED)])
"""Every column of a sealed segment, in the order of the file."""

NUMBERS: Final = ("seq", "at_ns", "mono_ns", "connection", "kind")
"""A record's own numbers, in the order of `core.records.Record`."""


@dataclass(frozen=True, slots=True)
class RawBatch:
    """Records as columns, in seq order without a hole. `sources`: an import's own bytes of each record, or None."""

    seq: Column
    at_ns: Column
    mono_ns: Column
    connection: Column
    kind: Column
    payloads: Packed
    sources: Sequence[bytes | None] | None = None

    @classmethod
    def of(cls, records: Sequence[Record]) -> "RawBatch":
        """The same records as columns."""
        return cls(
            seq=[record.seq for record in records],
            at_ns=[record.at_ns for record in records],
            mono_ns=[record.mono_ns for record in records],
            connection=[record.connection for record in records],
            kind=[record.kind for record in records],
            payloads=Packed.of([record.payload for record in records]),
        )

    @property
    def rows(self) -> int:
        """How many records."""
        return len(self.payloads)

    def groups(self) -> Iterator["RawBatch"]:
        """The batch in pieces of at most GROUP_ROWS."""
        if 0 < self.rows <= GROUP_ROWS:
            yield self
            return
        for start in range(0, self.rows, GROUP_ROWS):
            span = slice(start, start + GROUP_ROWS)
            yield RawBatch(
                self.seq[span],
                self.at_ns[span],
                self.mono_ns[span],
                self.connection[span],
                self.kind[span],
                self.payloads[span],
                None if self.sources is None else self.sources[span],
            )


def batches_of(records: Iterable[Record]) -> Iterator[RawBatch]:
    """Consecutive records in batches that end with GROUP_ROWS records or GROUP_BYTES of payload, whichever is first."""
    group: list[Record] = []
    size = 0
    for record in records:
        group.append(record)
        size += len(record.payload)
        if len(group) >= GROUP_ROWS or size >= GROUP_BYTES:
            yield RawBatch.of(group)
            group, size = [], 0
    if group:
        yield RawBatch.of(group)


class Blobs(Packed):
    """Byte strings of which some may be null: `present` None means that none is; a null one reads as b""."""

    __slots__ = ("present",)

    def __init__(self, data: Bytes, ends: Ints, present: npt.NDArray[np.bool_] | None = None) -> None:
        super().__init__(data, ends)
        self.present = present

    @classmethod
    def of_optional(cls, values: Sequence[bytes | None]) -> "Blobs":
        """From byte strings of which some may be None."""
        whole = cls.of([value or b"" for value in values])
        present = np.fromiter((value is not None for value in values), np.bool_, len(values))
        return cls(whole.data, whole.ends, None if present.all() else present)

    @classmethod
    def of_arrow(cls, array: Any) -> "Blobs":
        """From a large_binary array, sharing its memory."""
        _, offsets, data = array.buffers()
        if not len(array):
            return cls(np.empty(0, np.uint8), np.empty(0, np.int64))
        bounds = np.frombuffer(offsets, np.int64, len(array) + 1, array.offset * 8)
        first, last = int(bounds[0]), int(bounds[-1])
        held = np.frombuffer(data, np.uint8, last - first, first) if last > first else np.empty(0, np.uint8)
        mask = None if array.null_count == 0 else present(array)
        return cls(held, bounds[1:] - first, mask)

    def arrow(self) -> Any:
        """As a large_binary array, sharing the memory."""
        bounds = np.concatenate((np.zeros(1, np.int64), self.ends))
        mask = None if self.present is None else pa.array(self.present).buffers()[1]
        buffers = [mask, pa.py_buffer(bounds), pa.py_buffer(np.ascontiguousarray(self.data))]
        return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(self.ends), buffers)

    def at(self, row: int) -> bytes:
        """One of them (b"" for null)."""
        start = int(self.ends[row - 1]) if row else 0
        return self.data[start : int(self.ends[row])].tobytes()

    def lengths(self) -> Ints:
        """Length of each string, -1 for null."""
        lengths = np.diff(self.ends, prepend=0)
        return lengths if self.present is None else np.where(self.present, lengths, -1)

    def split(self) -> list[bytes]:
        """As Python byte strings (b"" for null)."""
        return [text for run in self.runs(len(self.ends)) for text in run]

    def runs(self, rows: int) -> Iterator[Iterator[bytes]]:
        """As `split`, so many at a time, each made when it is asked for."""
        lengths = np.diff(self.ends, prepend=0)
        start = 0
        for first in range(0, len(self.ends), max(rows, 1)):
            wanted = lengths[first : first + rows].tolist()
            end = start + sum(wanted)
            # Reading from memory costs two thirds of slicing: no slice object is made.
            yield map(io.BytesIO(self.data[start:end].tobytes()).read, wanted)
            start = end


class RawHasher:
    """SHA-256 over the raw columns of a run of records, column by column, so that no grouping of rows shows in it."""

    def __init__(self) -> None:
        self._hashes = [hashlib.sha256() for _ in range(9)]

    def update(self, table: Any, payloads: Packed) -> None:
        """Take in the next rows: a table with at least the raw columns, and their whole payloads."""
        parts: list[Any] = [flat(table.column(name)) for name in NUMBERS]
        sources = Blobs.of_arrow(whole(table.column("source")))
        parts += [np.diff(payloads.ends, prepend=0), payloads.data, sources.lengths(), sources.data]
        for digest, part in zip(self._hashes, parts, strict=True):
            digest.update(np.ascontiguousarray(part).data)

    def hexdigest(self) -> str:
        """The digest of everything taken in."""
        return hashlib.sha256(b"".join(digest.digest() for digest in self._hashes)).hexdigest()


def raw_sha256(batch: RawBatch) -> str:
    """The digest of a batch as `RawHasher` gives it."""
    hasher = RawHasher()
    hasher.update(_raw_table(batch), batch.payloads)
    return hasher.hexdigest()


def encode(batch: RawBatch, shapes: ShapeBook) -> tuple[Any, Blobs]:
    """The rows of a segment that hold these records, and the payloads that they must give back.

    Decodes every text frame and learns new shapes into `shapes`.
    """
    columns = decode_columns(np.asarray(batch.kind), batch.payloads, shapes)
    payloads = Blobs(batch.payloads.data, batch.payloads.ends)
    table = _raw_table(batch)
    arrays = [table.column(name) for name in NUMBERS]
    arrays += [_kept(payloads, columns.shape), pa.array(columns.shape), table.column("source")]
    arrays += [_typed_array(columns, spec.name, spec.type) for spec in TYPED]
    return pa.Table.from_arrays(arrays, schema=SCHEMA), payloads


def _raw_table(batch: RawBatch) -> Any:
    fields = [field for field in _RAW if field.name not in ("payload", "shape")]
    columns = (batch.seq, batch.at_ns, batch.mono_ns, batch.connection, batch.kind)
    arrays = [
        pa.array(np.ascontiguousarray(column, str(field.type)))  # Arrow and numpy name integers alike
        for column, field in zip(columns, fields, strict=False)
    ]
    if batch.sources is None:
        arrays.append(pa.nulls(batch.rows, pa.large_binary()))
    else:
        arrays.append(Blobs.of_optional(batch.sources).arrow())
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _kept(payloads: Blobs, shape: npt.NDArray[np.int16]) -> Any:
    """The payload column: null where a shape rebuilds it."""
    if not shape.any():
        return payloads.arrow()
    kept: list[bytes | None] = [None] * len(payloads)
    for row in np.flatnonzero(shape == 0).tolist():
        kept[row] = payloads[row]
    return pa.array(kept, pa.large_binary())


def _typed_array(columns: Columns, name: str, kind: str) -> Any:
    if name == "complete":
        return pa.array(columns.complete)
    if name in columns.ints:
        return _int_array(columns.ints[name], _TYPES[kind])
    if name in columns.lists:
        return _list_array(columns.lists[name], _TYPES[kind])
    texts = columns.texts[name]
    codes = pa.array(texts.codes, mask=texts.codes < 0)
    array = pa.DictionaryArray.from_arrays(codes, pa.array(texts.values, pa.string()))
    return array if kind == "dict" else array.cast(pa.string())


def _int_array(values: Ints, kind: Any) -> Any:
    missing = values == NULL
    if missing.all():
        return pa.nulls(len(values), kind)
    if missing.any():
        return pa.array(values, pa.int64(), mask=missing).cast(kind)
    return pa.array(values, pa.int64()).cast(kind)


def _list_array(lists: Lists, kind: Any) -> Any:
    if not lists.present.any():
        return pa.nulls(len(lists.present), kind)
    values = pa.array(lists.values, pa.int64()).cast(kind.value_type)
    return pa.ListArray.from_arrays(pa.array(lists.offsets), values, type=kind, mask=pa.array(~lists.present))


def rebuild_columns(shapes: ShapeBook) -> tuple[str, ...]:
    """The columns that `payloads` needs to rebuild what these shapes stand for."""
    return ("payload", "shape", *sorted({hole.column for shape in shapes.shapes for hole in shape.holes}))


def as_in_schema(table: Any, names: Sequence[str]) -> Any:
    """The named columns of a table in the types of SCHEMA. Only what differs is touched.

    Every call into Arrow gives up the interpreter and waits for its turn again, which counts where this is done while
    another thread is busy.
    """
    fields = [SCHEMA.field(name) for name in names]
    columns = [table.column(name) for name in names]
    same = [c if c.type == field.type else c.cast(field.type) for c, field in zip(columns, fields, strict=True)]
    return pa.Table.from_arrays(same, schema=pa.schema(fields))


def payloads(table: Any, shapes: ShapeBook) -> Blobs:
    """The payload of every row: as stored, or rebuilt by its shape; the table holds `rebuild_columns(shapes)`.

    Raises ValueError when a row names a shape that the segment does not hold.
    """
    stored = Blobs.of_arrow(whole(table.column("payload")))
    shape = flat(table.column("shape"))
    if not shape.any():
        return Blobs(stored.data, stored.ends)
    if int(shape.max()) > len(shapes.texts) or int(shape.min()) < 0:
        raise ValueError(f"shape {int(shape.max())} of {len(shapes.texts)}")
    data, ends = render(shapes, columns_of(table))
    kept = np.flatnonzero(shape == 0).tolist()
    if not kept:
        return Blobs(data, ends)
    return Blobs(_interleave(data, ends, stored, kept), ends + stored.ends)


def with_payloads(table: Any, payloads: Blobs) -> Any:
    """The table with whole payloads in its column `payload`."""
    return table.set_column(table.column_names.index("payload"), SCHEMA.field("payload"), payloads.arrow())


def _interleave(data: Any, ends: Ints, stored: Blobs, kept: Sequence[int]) -> npt.NDArray[np.uint8]:
    """Rebuilt payloads with the stored ones put in at their rows."""
    pieces: list[Any] = []
    rebuilt, held = data.data, stored.data.data
    done = 0
    for row in kept:
        until = int(ends[row])
        pieces.append(rebuilt[done:until])
        pieces.append(held[int(stored.ends[row - 1]) if row else 0 : int(stored.ends[row])])
        done = until
    pieces.append(rebuilt[done:])
    return np.frombuffer(b"".join(pieces), np.uint8)
