"""Recordings of others become a tape: found, recognised, put in order, parsed, sealed.

Knows what a session of imported files is made of. Must not know how a dialect writes a line (`replay.dialects`),
how files are unpacked (`replay.sources`) nor how a tape comes into its place (`replay.assembly`).
"""

from collections import deque
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from itertools import groupby, pairwise
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec
import numpy as np
import numpy.typing as npt

from capture.tape.errors import TapeError
from capture.tape.layout import FORMAT_VERSION, Label, day_number
from capture.tape.schema import RawBatch
from capture.tape.thrift import give_back
from core.cells import NEVER
from core.packed import Packed
from core.records import Coverage, Kind, Session, Source, StoredGap, encode_payload
from core.session import STALL_NS
from replay.assembly import Assembly, refuse_existing
from replay.dialects import BadLineError, Parser, Rows
from replay.progress import Progress, silent
from replay.sources import LINE_LIMIT, Lines, SourceFile
from replay.survey import Recording, survey

SEGMENT_ROWS: Final = 65_536
SEGMENT_BYTES: Final = 64 << 20  # a segment of enormous frames is sealed sooner, so that memory stays bounded

BETWEEN_FILES_NS: Final = STALL_NS  # a recorder that begins a new file goes on sooner; one that was off does not

_MANY_JUMPS: Final = 10  # that many, and one frame in a hundred: real losses come nowhere near
_JUMP_SHARE: Final = 100


class ImportOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to import. filtered: the exchange's seq counts frames of markets that the recording does not hold.

    torn_tail: take what precedes a half last line instead of refusing the file. segment_rows: records of a segment.
    line_limit: bytes. progress: told (bytes of the files read, their sum).
    """

    environment: str = "unknown"
    filtered: bool = False
    torn_tail: bool = False
    segment_rows: int = SEGMENT_ROWS
    line_limit: int = LINE_LIMIT
    progress: Progress = silent


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was imported. first_ns, last_ns: Unix ns. jumps: of `sequenced` frames, how many skip numbers.

    torn: files whose end was missing. skipped: files of a given directory that are no recordings.
    """

    out: str
    environment: str
    filtered: bool
    records: int
    frames: int
    sessions: int
    segments: int
    first_ns: int
    last_ns: int
    sequenced: int
    jumps: int
    sources: tuple[Source, ...]
    torn: tuple[str, ...]
    skipped: tuple[str, ...]
    hints: tuple[str, ...]


def import_recording(files: Sequence[Path], out: Path, options: ImportOptions | None = None) -> ImportReport:
    """Make the tape `out` of recordings (or directories of them); whole or not at all.

    From then on the process gives large blocks of memory back as soon as they are free.
    Raises TapeError: no recording, a damaged or half line, overlapping files, `out` exists, the disk refuses.
    """
    options = options or ImportOptions()
    refuse_existing(out)
    give_back()
    found = survey(files, options.line_limit)
    digest = sha256("\n".join([options.environment, *(item.id.sha256 for item in found.recordings)]).encode())
    label = Label(FORMAT_VERSION, _uuid(digest.digest()), options.environment)
    with Assembly(out, label) as tape:
        work = _Import(tape, options, found.recordings)
        work.run()
        work.batches.flush()
        tape.finish()
        return work.report(found.skipped)


class _Batches:
    """Records on their way into segments: numbers them, and starts a segment when one is full or a day begins."""

    def __init__(self, tape: Assembly, segment_rows: int) -> None:
        self.records = self.frames = 0
        self.last_ns = 0
        self._tape, self._limit = tape, segment_rows
        self._clear()

    def _clear(self) -> None:
        # Packed as they come: Python objects for a whole segment would be most of an import's memory.
        self._numbers: list[npt.NDArray[np.int64]] = []
        self._ends: list[npt.NDArray[np.int64]] = []
        self._text = bytearray()
        self._sources: list[bytes | None] = []
        self._bytes = 0
        self._day = -1

    def add(self, rows: Rows) -> None:
        """Take records that follow those taken so far."""
        start, count = 0, len(rows.at_ns)
        while start < count:
            end = self._end(rows.at_ns, start)
            if end == start:
                self.flush()
                continue
            self._take(rows, start, end)
            if len(self._sources) >= self._limit or self._bytes >= SEGMENT_BYTES:
                self.flush()
            start = end

    def put(self, kind: Kind, at_ns: int, payload: bytes = b"", source: bytes = b"") -> None:
        """Take one record of our own."""
        self.add(Rows([at_ns], [0], [kind.value], [payload], [source or None]))

    def flush(self) -> None:
        """Hand the records taken since the last time over to be sealed."""
        count = len(self._sources)
        if not count:
            return
        sources = None if self._sources.count(None) == count else self._sources
        seq = np.arange(self.records - count, self.records, dtype=np.int64)
        at_ns, connection, kind = np.concatenate(self._numbers, axis=1)
        payloads = Packed(np.frombuffer(self._text, np.uint8), np.concatenate(self._ends))
        self._clear()
        self._tape.seal(RawBatch(seq, at_ns, np.zeros(count, np.int64), connection, kind, payloads, sources))

    def _end(self, at_ns: list[int], start: int) -> int:
        """Up to where the rows from `start` on fit into the segment; times that go back do not begin a day."""
        if self._day < 0:
            self._day = day_number(at_ns[start])
        end = min(len(at_ns), start + self._limit - len(self._sources))
        if day_number(max(at_ns[start:end])) > self._day:
            return next(row for row in range(start, end) if day_number(at_ns[row]) > self._day)
        return end

    def _take(self, rows: Rows, start: int, end: int) -> None:
        span = slice(start, end)
        payloads, sources = rows.payloads[span], rows.sources[span]
        self._numbers.append(np.array((rows.at_ns[span], rows.connection[span], rows.kind[span]), np.int64))
        ends = np.cumsum(np.fromiter(map(len, payloads), np.int64, len(payloads)))
        self._ends.append(ends + len(self._text))
        self._text += b"".join(payloads)
        self._sources += sources
        self._bytes += int(ends[-1]) + sum(map(len, filter(None, sources)))
        self.records += end - start
        self.frames += rows.kind[span].count(Kind.FRAME)
        latest_ns = max(rows.at_ns[span])
        self.last_ns = max(self.last_ns, latest_ns)


class _Import:
    """One import: sessions of files of one dialect, one after the other.

    An answer is a record where its fetch came in: among the frames of a session, else in a session of its own.
    """

    def __init__(self, tape: Assembly, options: ImportOptions, recordings: Sequence[Recording]) -> None:
        self.batches = _Batches(tape, options.segment_rows)
        self._tape, self._options, self._recordings = tape, options, recordings
        self._answers = deque(item for item in recordings if item.is_answer)
        self._frames = [item for item in recordings if not item.is_answer]
        self._followers = {item.path: other for item, other in pairwise(self._frames) if item.timed and other.timed}
        self._total = sum(item.id.size for item in recordings)
        self._done = 0
        self._sessions = 0
        self._torn: list[str] = []
        self._gap_from_ns: int | None = None

    def run(self) -> None:
        """Every session."""
        for name, run in groupby(self._frames, lambda item: item.dialect.name):
            files = list(run)
            self._answered_by(files[0].first_ns)
            self.session(name, files)
        self._answered_by(NEVER)

    def _answered_by(self, until_ns: int) -> None:
        """A session of the answers that came by then, if any did."""
        due = [self._answers.popleft() for _ in range(len(self._answers)) if self._answers[0].first_ns <= until_ns]
        if due:
            self.session(due[0].dialect.name, due)

    def session(self, name: str, files: list[Recording]) -> None:
        """Everything of a run of files of one dialect, from its SESSION to its CLEAN_STOP."""
        first = files[0]
        sources = tuple(Source(item.path.name, item.id.size, item.id.sha256, name) for item in files)
        session = Session(
            uuid=_uuid(sha256("\n".join([name, *(source.sha256 for source in sources)]).encode()).digest()),
            environment=self._options.environment,
            coverage=_coverage(first, self._options.filtered),
            sources=sources,
        )
        self._sessions += 1
        self.batches.put(Kind.SESSION, first.first_ns, encode_payload(session))
        parser = first.dialect.parser()
        self._gap_from_ns = None
        for item in files:
            self._note_hole(item)
            self._file(item, parser)
            self._done += item.id.size
        self.batches.put(Kind.CLEAN_STOP, self.batches.last_ns, source=parser.rest())

    def _note_hole(self, item: Recording) -> None:
        """A long time between two files is a gap: nobody can say that the recorder was running then."""
        from_ns = self.batches.last_ns
        told_otherwise = self._gap_from_ns is not None or item.opens or item.is_answer
        if told_otherwise or not item.timed or item.first_ns - from_ns <= BETWEEN_FILES_NS:
            return
        gap = StoredGap("down", from_ns=from_ns, until_ns=item.first_ns, detail=f"nothing before {item.path.name}")
        self.batches.put(Kind.GAP_CLOSE, item.first_ns, encode_payload(gap))

    def _file(self, item: Recording, parser: Parser) -> None:
        torn: tuple[Lines | None, str] | None = None
        with SourceFile(item.path, line_limit=self._options.line_limit, size=item.id.size) as file:
            for lines in [file.whole()] if item.is_answer else file.lines():
                try:
                    rows = parser.parse(lines.text)
                except BadLineError as error:
                    if lines.ended:
                        raise _bad_line(item, lines, error) from error
                    torn = lines, f"line {lines.number} (byte {lines.offset} of the text) is only half there"
                else:
                    self._take(item, rows)
                self._options.progress(self._done + file.consumed, self._total)
            if file.truncated and torn is None:
                torn = None, f"its packed data stops at byte {file.consumed}, before its end"
            if torn is not None:
                self._tear(item, parser, *torn)
            if not file.unchanged_since(item.id):
                raise TapeError(f"{item.path}: was changed while it was imported; stop its recorder, then import again")

    def _take(self, item: Recording, rows: Rows) -> None:
        if not rows.at_ns:
            return
        if self._gap_from_ns is not None:
            gap = StoredGap("torn_tail", from_ns=self._gap_from_ns, until_ns=rows.at_ns[0])
            self.batches.put(Kind.GAP_CLOSE, rows.at_ns[0], encode_payload(gap))
            self._gap_from_ns = None
        latest_ns = max(rows.at_ns)
        while self._answers and self._answers[0].first_ns < latest_ns:
            rows = self._amid(rows, self._answers.popleft())
        self.batches.add(rows)
        follower = self._followers.get(item.path)
        if follower is not None and latest_ns > follower.first_ns:
            raise TapeError(
                f"{item.path} goes on until {_time(latest_ns)} or later, but {follower.path} begins at "
                f"{_time(follower.first_ns)} already: they overlap; import each into a tape of its own"
            )

    def _amid(self, rows: Rows, answer: Recording) -> Rows:
        """Take records up to an answer, and the answer; the records that are left."""
        at = next(row for row, at_ns in enumerate(rows.at_ns) if at_ns > answer.first_ns)
        self.batches.add(rows.part(0, at))
        self._file(answer, answer.dialect.parser())
        self._done += answer.id.size
        return rows.part(at, len(rows.at_ns))

    def _tear(self, item: Recording, parser: Parser, lines: Lines | None, what: str) -> None:
        if not self._options.torn_tail:
            raise TapeError(
                f"{item.path}: {what}; import what precedes it with --torn-tail, which notes the loss as a gap"
            )
        self._torn.append(f"{item.path}: {what}")
        at_ns = self.batches.last_ns
        gap = StoredGap("torn_tail", from_ns=at_ns, detail=f"{item.path.name}: {what}")
        source = parser.rest() + (lines.text if lines else b"")
        self.batches.put(Kind.GAP_OPEN, at_ns, encode_payload(gap), source)
        self._gap_from_ns = at_ns

    def report(self, skipped: tuple[str, ...]) -> ImportReport:
        """What was done, once it is."""
        numbering = self._tape.numbering
        return ImportReport(
            out=str(self._tape.out),
            environment=self._options.environment,
            filtered=self._options.filtered,
            records=self.batches.records,
            frames=self.batches.frames,
            sessions=self._sessions,
            segments=self._tape.segments,
            first_ns=self._recordings[0].first_ns,
            last_ns=self.batches.last_ns,
            sequenced=numbering.sequenced,
            jumps=numbering.jumps,
            sources=tuple(
                Source(item.path.name, item.id.size, item.id.sha256, item.dialect.name) for item in self._recordings
            ),
            torn=tuple(self._torn),
            skipped=skipped,
            hints=tuple(self._hints()),
        )

    def _hints(self) -> Iterator[str]:
        jumps, sequenced = self._tape.numbering.jumps, self._tape.numbering.sequenced
        if not self._options.filtered and jumps >= _MANY_JUMPS and jumps * _JUMP_SHARE >= sequenced:
            yield (
                f"{jumps:,} of {sequenced:,} numbered frames skip numbers, as in a recording of some of a "
                "subscription's markets; if it is one, import it again with --filtered, else every skip is a gap"
            )


def _coverage(first: Recording, filtered: bool) -> Coverage:
    coverage = first.dialect.coverage
    # A recording that does not begin with a connection being opened cannot be trusted to note the others.
    connections = coverage.connections and first.opens
    return msgspec.structs.replace(coverage, connections=connections, filtered=filtered)


def _uuid(digest: bytes) -> str:
    """A name that the same sources always get."""
    return str(UUID(bytes=digest[:16], version=5))


def _bad_line(item: Recording, lines: Lines, error: BadLineError) -> TapeError:
    number, offset = lines.number + error.line, lines.offset + error.offset
    return TapeError(
        f"{item.path}: line {number} (byte {offset} of the text) is no line of a {item.dialect.name} recording "
        f"({error.reason}); take that line out, or import the parts before and after it as two files"
    )


def _time(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns / 10**9, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
