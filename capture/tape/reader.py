"""Reading a tape: sealed segments, then the hot log, each record exactly once, also while it is being recorded.

Knows where the record with the next seq is. Must not know what it means. Nothing is yielded that no checksum covers;
where the tape is damaged, reading stops with TapeDamaged after everything before that place was yielded.
"""

import contextlib
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Any, Final, Self

from capture.tape import schema, segment
from capture.tape.ahead import Ahead
from capture.tape.errors import DiskError, TapeDamaged, TapeError
from capture.tape.hotlog import Header
from capture.tape.identity import is_recording, load_identified
from capture.tape.layout import Label, Layout, hot_numbers, sealed_files
from capture.tape.lines import Entry, State
from capture.tape.manifest import Manifest
from capture.tape.salvage import joins
from capture.tape.scan import Scan, SegmentReader, Verdict, read_header
from core.records import Kind, Record
from core.shapes import ShapeBook

NEVER: Final = 1 << 63
"""Later than any seq."""

LOOKS: Final = 50
"""How often a place on a tape that is being recorded is looked at before what is missing there is called damage.

Each look takes about a millisecond; the recorder is between two files, or within a line of the manifest, for less.
"""


class Ended(StrEnum):
    """What is known about the end of a tape."""

    CLEAN_STOP = "clean_stop"  # the recorder said that it stopped
    GAP = "gap"  # recovery said that something may be missing
    UNPROVEN = "unproven"  # neither: records may be missing at the end
    RECORDING = "recording"  # somebody writes it now


def ended_by(kind: int) -> Ended:
    """What a last record of that kind says about the end of a tape that nobody writes."""
    match kind:
        case Kind.CLEAN_STOP:
            return Ended.CLEAN_STOP
        case Kind.GAP_OPEN:
            return Ended.GAP
        case _:
            return Ended.UNPROVEN


class Tape:
    """A tape, open for reading. Others may record and seal it meanwhile: what is read is what is there when read.

    path: its directory. manifest: as of the last `refresh`. has_checkpoints: those that lie beside it tell its states,
    and such may be left there; not so where records are told otherwise than they lie.
    """

    has_checkpoints = True

    def __init__(self, path: Path, label: Label, manifest: Manifest) -> None:
        self.path = path
        self.label = label
        self.manifest = manifest
        self.layout = Layout(path)
        self._head: tuple[tuple[int, int], int] | None = None

    @classmethod
    def open(cls, path: Path) -> Self:
        """Raises TapeFormat when it is no tape or of a newer version, TapeDamaged when nothing vouches for it."""
        return cls(path, *load_identified(path))

    @property
    def environment(self) -> str:
        """What was recorded: "prod", "demo", a URL."""
        return self.label.environment

    @property
    def segments(self) -> tuple[Entry, ...]:
        """Every segment that was sealed, in order; the hot log holds what comes after."""
        return self.manifest.entries

    def refresh(self) -> None:
        """Read the manifest again."""
        self.manifest = Manifest.load(self.layout)

    def records(self, from_seq: int = 0, until_seq: int | None = None) -> Iterator[Record]:
        """The records from one seq up to and including another (default: all), in order.

        Raises TapeDamaged at the first place that is not what was written, TapeError where a segment was archived
        or pruned. While the records of a sealed row group are used, the next one is read and rebuilt in a thread.
        """
        last_seq = NEVER if until_seq is None else until_seq
        parts = (part for source in self._sources(from_seq) for part in source.parts())
        found = chain.from_iterable(_runs(parts, last_seq))
        return found if until_seq is None else _up_to(found, from_seq, until_seq)

    def tables(
        self, columns: Sequence[str] | None = None, from_seq: int = 0, *, payloads: bool = False
    ) -> Iterator[Any]:
        """The same as Arrow tables of at most 65,536 rows with the columns of `schema.SCHEMA` (default: all).

        The unsealed tail is decoded on the way. payloads: `payload` holds the bytes of every record; else it is null
        where the typed columns hold the whole message. Raises as `records`.
        """
        names = list(schema.SCHEMA.names if columns is None else columns)
        for source in self._sources(from_seq):
            yield from source.tables(names, payloads and "payload" in names)

    @property
    def head_seq(self) -> int:
        """The seq of the newest whole record now, -1 when there is none."""
        try:
            for number in reversed(hot_numbers(self.layout)):
                if self.manifest.entry(number) is None and (head := self._hot_head(number)) >= 0:
                    return head
        except (FileNotFoundError, DiskError):  # sealed meanwhile
            self.refresh()
        return self.manifest.next_seq - 1

    @property
    def bytes_on_disk(self) -> int:
        """Bytes of all its files."""
        return sum(map(_size, sorted(self.path.rglob("*"))))

    @property
    def ended(self) -> Ended:
        """What is known about its end, now."""
        if is_recording(self.layout):
            return Ended.RECORDING
        self.refresh()
        last = self.manifest.last
        kind, next_seq = (last.last_kind, last.last_seq + 1) if last else (0, 0)
        sound = not self.manifest.faults
        try:
            source = self._find_beyond(next_seq, -1)
            while source is not None:
                for record in source.records():
                    kind = record.kind
                next_seq = source.next_seq
                sound = sound and source.end is not None and source.end.verdict is Verdict.CLEAN
                source = self._find_beyond(next_seq, source.number)
        except TapeError:
            return Ended.UNPROVEN
        return ended_by(kind) if sound else Ended.UNPROVEN

    def _sources(self, from_seq: int) -> Iterator["_Sealed | _Hot"]:
        """What holds the records from that seq on, one segment after the other."""
        seq, after, looks = from_seq, -1, 0
        most_looks = LOOKS if is_recording(self.layout) else 1
        before: Scan | None = None
        while True:
            try:
                source = self._find(seq, after)
            except TapeDamaged:
                # The recorder may have rolled, sealed or rebuilt under us: look again before calling it damage.
                looks += 1
                if looks > most_looks:
                    raise
                self.refresh()
                after = -1
                continue
            if source is None:
                return
            if before is not None and isinstance(source, _Hot) and not joins(before, source.header):
                raise TapeDamaged(f"{source.path}: does not follow the hot segment before it; run `tapedeck recover`")
            yield source
            if source.next_seq > seq:
                looks = 0
            seq, after = source.next_seq, source.number
            before = source.end if isinstance(source, _Hot) else None
            if isinstance(source, _Hot) and before is None:
                self.refresh()

    def _find(self, seq: int, after: int) -> "_Sealed | _Hot | None":
        entries = self.manifest.entries
        index = bisect_left(entries, seq, key=lambda entry: entry.last_seq)
        if index >= self.manifest.sound and self.manifest.faults:
            self.manifest.require_sound()
        if index == len(entries):
            return self._find_beyond(seq, after)
        entry = entries[index]
        if seq < entry.first_seq:
            raise TapeDamaged(
                f"{self.path}: records {seq} to {entry.first_seq - 1}, before {entry.file}, are missing; "
                "restore their segments from a copy"
            )
        if entry.state is not State.PRESENT:
            where = f"was archived to {entry.place}" if entry.state is State.ARCHIVED else "was deleted on purpose"
            raise TapeError(f"{self.path / entry.file}: {segment.span(entry)}: the segment {where}")
        return _Sealed(segment.open_segment(self.path, entry), entry, seq, index + 1 < len(entries))

    def _find_beyond(self, seq: int, after: int) -> "_Hot | None":
        """The hot segment with that seq, among those numbered beyond `after`; None at the end of the tape."""
        starts, problem = self._hot_starts(after)
        fitting = [index for index, (base_seq, _) in enumerate(starts) if base_seq <= seq]
        if fitting:
            limit = starts[fitting[-1] + 1][0] if fitting[-1] + 1 < len(starts) else None
            return _Hot(self.layout.hot(starts[fitting[-1]][1]), seq, limit)
        if problem:
            raise TapeDamaged(f"{problem}; run `tapedeck recover`")
        if starts:
            base_seq, number = starts[0]
            raise TapeDamaged(
                f"{self.layout.hot(number)}: begins with record {base_seq}: records {seq} to {base_seq - 1} before it "
                "are missing; run `tapedeck recover`"
            )
        _require_no_orphan(self.layout, self.manifest)
        return None

    def _hot_starts(self, after: int) -> tuple[list[tuple[int, int]], str]:
        """(first seq, number) of the hot segments beyond `after` that are not sealed, and what is wrong with one."""
        numbers = [n for n in hot_numbers(self.layout) if n > after and self.manifest.entry(n) is None]
        starts, problem = [], ""
        for number in numbers:
            path = self.layout.hot(number)
            with _vanishing(path):
                header = read_header(path)
                if header is not None and header.number == number:
                    starts.append((header.base_seq, number))
                    continue
                scan = SegmentReader(path).scan()
            if scan.verdict is not Verdict.TORN or number != numbers[-1]:  # else: a crash while it was made
                problem = problem or f"{path}: {scan.problem}"
        return starts, problem

    def _hot_head(self, number: int) -> int:
        """The last whole record of a hot segment, -1 when its header is broken; scanned again only when it grew."""
        path = self.layout.hot(number)
        key = (number, path.stat().st_size)
        if self._head is None or self._head[0] != key:
            scan = SegmentReader(path).scan()
            self._head = (key, scan.next_seq - 1 if scan.number == number else -1)
        return self._head[1]


@dataclass(frozen=True, slots=True)
class _Part:
    """Records that are read in one go. last_seq: of the last one, when more sealed ones follow it, else NEVER."""

    runs: Iterable[Iterator[Record]]
    last_seq: int


class _Sealed:
    """A sealed segment as a source of records from a seq on."""

    def __init__(self, file: segment.SegmentFile, entry: Entry, from_seq: int, followed: bool) -> None:
        """followed: by another sealed segment."""
        self.number = -1  # any hot segment may follow
        self._followed = followed
        self.next_seq = entry.last_seq + 1
        self._file = file
        self._from_seq = from_seq

    def parts(self) -> Iterator[_Part]:
        for group in self._file.record_groups(self._from_seq):
            last_seq = group.last_seq
            yield _Part(group.runs(), last_seq if self._followed or last_seq + 1 < self.next_seq else NEVER)

    def tables(self, names: list[str], payloads: bool) -> Iterator[Any]:
        if not payloads:
            yield from self._file.groups(names, self._from_seq)
            return
        wanted = list(dict.fromkeys([*names, *self._file.rebuild_columns]))
        for table in self._file.groups(wanted, self._from_seq):
            yield schema.with_payloads(table.select(names), self._file.payloads(table))


class _Hot:
    """A hot segment as a source of records from a seq on; its end is known once they were read.

    Raises _VanishedError when the file is gone.
    """

    def __init__(self, path: Path, from_seq: int, limit: int | None) -> None:
        self.path = path
        self.end: Scan | None = None
        self._next_seq = self._from_seq = from_seq
        with _vanishing(path):
            self._reader = SegmentReader(path, until_seq=limit)
        self.header = self._reader.header or Header(-1, b"", from_seq, 0, 0)

    @property
    def number(self) -> int:
        """Which segments may follow: any, when this one vanished and is a sealed one by now."""
        return -1 if self.end is None else self.header.number

    @property
    def next_seq(self) -> int:
        """Raises TapeDamaged when the segment is altered behind its last good record."""
        try:
            with _vanishing(self.path):
                self.end = self._reader.scan()
        except _VanishedError:
            return self._next_seq
        if self.end.verdict is Verdict.CORRUPT:
            raise TapeDamaged(f"{self.path}: {self.end.problem}; run `tapedeck recover`")
        return max(self.end.next_seq, self._from_seq)

    def parts(self) -> Iterator[_Part]:
        yield _Part((self.records(),), NEVER)

    def records(self) -> Iterator[Record]:
        try:
            with _vanishing(self.path):
                for _, record in self._reader:
                    if record.seq >= self._from_seq:
                        self._next_seq = record.seq + 1
                        yield record
        except _VanishedError:
            return  # sealed meanwhile: what is left is read from there

    def tables(self, names: list[str], payloads: bool) -> Iterator[Any]:
        shapes = ShapeBook()
        for batch in schema.batches_of(self.records()):
            table, blobs = schema.encode(batch, shapes)
            chosen = table.select(names)
            yield schema.with_payloads(chosen, blobs) if payloads else chosen


class _VanishedError(TapeDamaged):
    """A hot segment was removed while it was looked at: sealed, most likely."""


@contextlib.contextmanager
def _vanishing(path: Path) -> Iterator[None]:
    """Turns the error of a file that is gone into _VanishedError."""
    try:
        yield
    except DiskError as error:
        if path.exists():
            raise
        raise _VanishedError(f"{path}: vanished while it was read; run `tapedeck verify`") from error


def _require_no_orphan(layout: Layout, manifest: Manifest) -> None:
    """Raises TapeDamaged when there is a newer segment than the manifest names, and no hot log to have it from."""
    newest = manifest.last.number if manifest.last else -1
    for number, path in sealed_files(layout):
        if number > newest and not layout.hot(number).exists():
            raise TapeDamaged(
                f"{path}: the manifest does not name this segment: it has lost its end; run `tapedeck recover`"
            )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:
        return 0


def _runs(parts: Iterator[_Part], last_seq: int) -> Iterator[Iterator[Record]]:
    """The runs of one part after the other; after the first run of a part the next part is read ahead.

    Not so before: whoever wants a few records only has nothing to wait for. Nor behind `last_seq`, nor from the hot
    log, of which what there is when its turn comes is to be read.
    """
    ahead = Ahead(parts)
    try:
        while (part := ahead.take()) is not None:
            for number, run in enumerate(part.runs):
                if number == 1 and part.last_seq < last_seq:
                    ahead.begin()
                yield run
    finally:
        ahead.close()


def _up_to(records: Iterator[Record], from_seq: int, until_seq: int) -> Iterator[Record]:
    """The records up to a seq; none beyond it is even looked for, so damage there does no harm."""
    if from_seq > until_seq:
        return
    for record in records:
        yield record
        if record.seq >= until_seq:
            return
