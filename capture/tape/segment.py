"""A sealed segment: one Parquet file of records, their typed columns, and what it says of itself.

Knows how the file is written and read. Must not know the manifest's file nor the order of sealing. A file is used
only after its bytes had the SHA-256 that its entry promises, for Parquet protects neither its footer nor its names.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from capture.tape import schema
from capture.tape.buffers import flat
from capture.tape.errors import TapeDamaged, disk_error
from capture.tape.layout import FILE_MODE
from capture.tape.lines import Entry, Facts, FileMark, chain_after
from capture.tape.schema import GROUP_ROWS, NUMBERS, RUN_ROWS, SCHEMA, Blobs, RawBatch, RawHasher
from core.batch import SCAN_ROWS
from core.columns import DECODER_VERSION
from core.records import SCHEMA_VERSION, Record
from core.shapes import ShapeBook

ZSTD_LEVEL: Final = (
    6  # measured on real recordings: level 3 is 2-3 % larger and 0.1 us a row faster, 9 under 1 % smaller
)

CHECK_ROWS: Final = SCAN_ROWS
"""Rows whose payloads are rebuilt at once while a file is checked: few enough to stay in a core's cache."""

_DICTIONARY: Final = (
    *("connection", "kind", "shape", "type", "malformed", "sid", "market", "market_id"),
    *("side", "price", "size", "yes_bid", "yes_ask"),
)
_DELTA: Final = (
    *("seq", "at_ns", "mono_ns", "volume", "open_interest", "dollar_volume", "dollar_open_interest"),
    *("yes_price.list.element", "no_price.list.element"),
)
_SPLIT: Final = ("exchange_seq", "yes_bid_size", "yes_ask_size", "last_trade_size")
_ENCODINGS: Final = {
    **dict.fromkeys(_DELTA, "DELTA_BINARY_PACKED"),
    **dict.fromkeys(_SPLIT, "BYTE_STREAM_SPLIT"),
    "trade_id": "DELTA_LENGTH_BYTE_ARRAY",
}
"""Smallest encoding of each column on real recordings; the rest is plain, which zstd likes best for its repeats."""

_STATISTICS: Final = ("seq", "at_ns", "kind", "type", "market", "price", "exchange_us")
_FACTS: Final = "tapedeck.facts"
_SHAPES: Final = "tapedeck.shapes"

_VERIFIED_LIMIT: Final = 65_536  # segments; a fortnight's worth of one a minute, three times over
_SETTLED_NS: Final = 2 * 10**9  # a file changed less than this ago may change again within one tick of its clock
_verified: dict[tuple[int, int, int, int, int], str] = {}


def write_segment(
    path: Path, batches: Iterable[RawBatch], *, number: int, after: str, hot_crc: Callable[[], int] = lambda: 0
) -> Facts:
    """Write records to a new file at `path` (mode 0600), whole and durable; says what it holds.

    At least one record. hot_crc: asked once the batches are all there. Raises DiskError and what `batches` and
    `hot_crc` raise; what was written so far may then lie at `path`.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE))
        facts = _write(path, batches, number, after, hot_crc)
        with path.open("rb") as file:
            os.fsync(file.fileno())
    except OSError as error:
        raise disk_error(error, path, "write a segment") from error
    return facts


def _write(path: Path, batches: Iterable[RawBatch], number: int, after: str, hot_crc: Callable[[], int]) -> Facts:
    shapes, hasher = ShapeBook(), RawHasher()
    first: Any = None
    last: Any = None
    rows = 0
    with pa.OSFile(str(path), "wb") as sink, _parquet_writer(sink) as writer:
        for batch in batches:
            for group in batch.groups():
                table, payloads = schema.encode(group, shapes)
                hasher.update(table, payloads)
                writer.write_table(table, row_group_size=GROUP_ROWS)
                first = first or (group.seq[0], group.at_ns[0])
                last = (group.seq[-1], group.at_ns[-1], group.kind[-1])
                rows += group.rows
                del table, payloads, group  # else they are still there while the next ones are made
            del batch
        crc = hot_crc()
        assert rows, "a segment holds at least one record"
        raw = hasher.hexdigest()
        facts = Facts(
            number=number,
            rows=rows,
            first_seq=int(first[0]),
            last_seq=int(last[0]),
            first_ns=int(first[1]),
            last_ns=int(last[1]),
            last_kind=int(last[2]),
            raw_sha256=raw,
            after=after,
            chain=chain_after(after, raw),
            schema=SCHEMA_VERSION,
            decoder=DECODER_VERSION,
            hot_crc=crc,
        )
        assert facts.last_seq - facts.first_seq + 1 == rows, "records have consecutive seqs"
        writer.add_key_value_metadata(
            {_FACTS: msgspec.json.encode(facts).decode(), _SHAPES: msgspec.json.encode(shapes.texts).decode()}
        )
    return facts


def _parquet_writer(sink: Any) -> Any:
    return pq.ParquetWriter(
        sink,
        SCHEMA,
        compression="zstd",
        compression_level=ZSTD_LEVEL,
        use_dictionary=list(_DICTIONARY),
        column_encoding=_ENCODINGS,
        write_statistics=list(_STATISTICS),
        write_page_checksum=True,
        store_schema=False,
    )


@dataclass(frozen=True, slots=True)
class RecordGroup:
    """Some consecutive records as arrays: their numbers in the order of `schema.NUMBERS`, and their payloads."""

    numbers: Sequence[Any]
    payloads: Blobs

    @property
    def last_seq(self) -> int:
        """The seq of the last one, -1 when there is none."""
        return int(self.numbers[0][-1]) if len(self.numbers[0]) else -1

    def runs(self) -> Iterator[Iterator[Record]]:
        """The records, RUN_ROWS at a time, each made when it is asked for.

        From one run to the next nothing here gives up the interpreter: a thread that waits for it asks for it only
        after a while in which nobody did, and would else hardly get it.
        """
        for number, payloads in enumerate(self.payloads.runs(RUN_ROWS)):
            rows = slice(number * RUN_ROWS, (number + 1) * RUN_ROWS)
            yield map(Record, *[column[rows].tolist() for column in self.numbers], payloads)


_DICTIONARIES: Final = [f.name for f in SCHEMA if pa.types.is_dictionary(f.type)]
_BLOBS: Final = [f.name for f in SCHEMA if pa.types.is_large_binary(f.type)]


class SegmentFile:
    """An open segment. `facts` and `shapes` are what the file says of itself; `rebuild_columns` what payloads need."""

    def __init__(self, path: Path, source: Any) -> None:
        """Raises TapeDamaged when it is no segment of ours."""
        self.path = path
        try:
            self._file = pq.ParquetFile(source, page_checksum_verification=True, read_dictionary=_DICTIONARIES)
            # dictionaries come as such only where no type is asked for, payloads of any length only where one is
            self._blobs = pq.ParquetFile(
                source, metadata=self._file.metadata, page_checksum_verification=True, binary_type=pa.large_binary()
            )
            metadata = self._file.metadata.metadata or {}
            self.facts = msgspec.json.decode(metadata[_FACTS.encode()], type=Facts)
            self.shapes = ShapeBook(msgspec.json.decode(metadata[_SHAPES.encode()], type=list[str]))
            self.rebuild_columns = schema.rebuild_columns(self.shapes)
        except (pa.ArrowException, OSError, KeyError, ValueError, RecursionError) as error:
            raise TapeDamaged(f"{path}: is no whole segment ({_brief(error)}); restore it from a copy") from error

    def groups(self, columns: Sequence[str] | None = None, from_seq: int = 0) -> Iterator[Any]:
        """Its rows from that seq on as Arrow tables, a row group at a time; all columns unless some are named.

        Raises TapeDamaged where a page does not have its checksum.
        """
        names = list(SCHEMA.names if columns is None else columns)
        seq = self.facts.first_seq
        for index in range(self._file.metadata.num_row_groups):
            rows = self._file.metadata.row_group(index).num_rows
            if seq + rows > from_seq:
                yield self._group(index, names).slice(max(0, from_seq - seq))
            seq += rows

    def _group(self, index: int, names: list[str]) -> Any:
        try:
            table = self._file.read_row_group(index, columns=[name for name in names if name not in _BLOBS])
            blobs = [name for name in names if name in _BLOBS]
            if blobs:
                read = self._blobs.read_row_group(index, columns=blobs)
                for name in blobs:
                    table = table.append_column(name, read.column(name))
            return schema.as_in_schema(table, names)
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            place = f"row group {index}"
            raise TapeDamaged(
                f"{self.path}: {place} cannot be read ({_brief(error)}); restore it from a copy"
            ) from error

    def payloads(self, table: Any) -> Blobs:
        """The payloads of a table that holds at least `rebuild_columns`."""
        try:
            return schema.payloads(table, self.shapes)
        except ValueError as error:
            raise TapeDamaged(f"{self.path}: a payload cannot be rebuilt ({error}); restore it from a copy") from error

    def raw_sha256(self) -> str:
        """Digest of its raw columns, payloads rebuilt: what `facts.raw_sha256` promises."""
        hasher = RawHasher()
        for table in self.groups([*NUMBERS, "source", *self.rebuild_columns]):
            for start in range(0, table.num_rows, CHECK_ROWS):
                part = table.slice(start, CHECK_ROWS)
                hasher.update(part, self.payloads(part))
            del table, part  # else they are still there while the next group is read
        return hasher.hexdigest()

    def record_groups(self, from_seq: int = 0) -> Iterator["RecordGroup"]:
        """Its records from that seq on, a row group at a time, read and rebuilt but not made into objects yet."""
        for table in self.groups([*NUMBERS, *self.rebuild_columns], from_seq):
            yield RecordGroup([flat(table.column(name)) for name in NUMBERS], self.payloads(table))

    def records(self, from_seq: int = 0) -> Iterator[Record]:
        """Its records from that seq on, as they were appended."""
        return chain.from_iterable(run for group in self.record_groups(from_seq) for run in group.runs())

    def batches(self) -> Iterator[RawBatch]:
        """Its raw content, a row group at a time: enough to write it again."""
        for table in self.groups([*NUMBERS, "source", *self.rebuild_columns]):
            sources = table.column("source")
            held = None if sources.null_count == table.num_rows else sources.to_pylist()
            seq, at_ns, mono_ns, connection, kind = (flat(table.column(name)) for name in NUMBERS)
            yield RawBatch(seq, at_ns, mono_ns, connection, kind, self.payloads(table), held)


def _brief(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__


def open_unverified(path: Path) -> SegmentFile:
    """A segment whose bytes nobody has vouched for yet; only page checksums protect it."""
    return SegmentFile(path, str(path))


def open_segment(root: Path, entry: Entry) -> SegmentFile:
    """The segment of a manifest's entry, its bytes checked against the entry first (once a process while unchanged).

    Raises TapeDamaged when the file is missing or its bytes are not what was sealed.
    """
    path = root / entry.file
    try:
        with path.open("rb") as file:
            stat = os.fstat(file.fileno())
            key = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
            if FileMark(stat.st_size, _verified.get(key, "")) in entry.marks:
                return SegmentFile(path, str(path))
            if stat.st_size not in (mark.bytes for mark in entry.marks):
                raise TapeDamaged(
                    f"{path}: has {stat.st_size} bytes where {entry.bytes} were sealed: {span(entry)} cannot be "
                    "trusted; restore it from a copy"
                )
            content = file.read()
    except FileNotFoundError:
        raise TapeDamaged(f"{path}: is missing: {span(entry)} are lost; restore it from a copy") from None
    except OSError as error:
        raise disk_error(error, path, "read a segment") from error
    digest = hashlib.sha256(content).hexdigest()
    if FileMark(len(content), digest) not in entry.marks:
        raise TapeDamaged(f"{path}: is altered: {span(entry)} cannot be trusted; restore it from a copy")
    if time.time_ns() - max(stat.st_mtime_ns, stat.st_ctime_ns) > _SETTLED_NS:
        if len(_verified) >= _VERIFIED_LIMIT:
            _verified.clear()
        _verified[key] = digest
    return SegmentFile(path, pa.BufferReader(content))


def span(entry: Facts) -> str:
    """How messages name the records of a segment."""
    return f"records {entry.first_seq} to {entry.last_seq}"


def mark_of(path: Path) -> FileMark:
    """Size and SHA-256 of a file; raises OSError."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return FileMark(os.fstat(file.fileno()).st_size, digest)
