"""Verifying a tape: every byte of every file against what vouches for it, and every file against what should be there.

Knows what each file of a tape is checked by. Changes nothing. `deep` decodes every payload again and compares it with
the typed columns.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from capture.tape import checkpoints, redecode, salvage, segment
from capture.tape.errors import DiskError, TapeDamaged, disk_error
from capture.tape.identity import is_recording, label_problem, require_version
from capture.tape.layout import ARCHIVE_WRITER, Layout, read_label
from capture.tape.lines import Entry, FileMark, State, facts_of
from capture.tape.manifest import Manifest
from capture.tape.reader import Ended, Tape
from capture.tape.scan import Scan, Verdict, scan_segment
from capture.tape.strays import strays
from core.columns import DECODER_VERSION

Progress: TypeAlias = Callable[[int, int], None]
"""progress(records done, records in all); the hot log's are not counted."""


_LOOKS: Final = 5  # at a tape that is being recorded: a segment that is sealed between two looks is in neither place
_RESTORE: Final = "restore it from a copy"


class Problem(msgspec.Struct, frozen=True):
    """Something that is not as it was written. place: byte, line or records within the file."""

    file: str
    place: str
    what: str
    remedy: str


class VerifyReport(msgspec.Struct, frozen=True):
    """What a verification found. whole: there is no problem. notes: what is worth knowing and no damage.

    segments, records: how many were found good, the hot log's records included. ended: a `reader.Ended`.
    """

    path: str
    whole: bool
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]
    segments: int
    records: int
    ended: str


def verify(path: Path, deep: bool = False, progress: Progress | None = None) -> VerifyReport:
    """Check a whole tape; what is wrong is in the report. deep: decode everything again, and compare.

    Raises TapeFormat when it is no tape or of a newer version, DiskError when it cannot be read.
    """
    layout = Layout(path)
    if not layout.manifest.exists():
        read_label(path)
    for _ in range(_LOOKS - 1):
        try:
            report = _Verification(layout, deep, progress or _silent).run()
        except DiskError:
            if not is_recording(layout):
                raise
            continue
        if report.whole or not is_recording(layout):
            return report
    return _Verification(layout, deep, progress or _silent).run()


def _silent(done: int, total: int) -> None:
    del done, total


class _Verification:
    """One look at one tape."""

    def __init__(self, layout: Layout, deep: bool, progress: Progress) -> None:
        self.layout = layout
        self.deep = deep
        self.progress = progress
        self.recording = is_recording(layout)
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        self.segments = self.records = 0

    def run(self) -> VerifyReport:
        try:
            # The hot log first, then the manifest: what is sealed meanwhile is in both rather than in neither.
            limits = salvage.hot_limits(self.layout)
            manifest = self._check_manifest()
            entries = manifest.entries if manifest else ()
            total, done = sum(entry.rows for entry in entries), 0
            next_seq = 0
            for entry in entries:
                self._check_order(entry, next_seq)
                self._check_segment(entry)
                next_seq = entry.last_seq + 1
                done += entry.rows
                self.progress(done, total)
            self._check_hot(manifest, limits, next_seq)
            self._check_strays(manifest)
            ended = self._check_end(manifest)
        except OSError as error:
            raise disk_error(error, self.layout.root, "verify the tape") from error
        return VerifyReport(
            path=str(self.layout.root),
            whole=not self.problems,
            problems=tuple(self.problems),
            notes=tuple(self.notes),
            segments=self.segments,
            records=self.records,
            ended=str(ended),
        )

    def _report(self, path: Path, place: str, what: str, remedy: str = "run `tapedeck recover`") -> None:
        self.problems.append(Problem(self.layout.relative(path), place, what, remedy))

    def _check_manifest(self) -> Manifest | None:
        layout = self.layout
        if not layout.manifest.exists():
            self._report(layout.manifest, "", "is missing: nothing vouches for the segments")
            return None
        manifest = Manifest.load(layout)
        for fault in manifest.faults:
            self._report(layout.manifest, f"line {fault.line}", fault.what)
        if manifest.torn_bytes:
            self._report(layout.manifest, f"the last {manifest.torn_bytes} bytes", "are no whole line")
        if manifest.genesis is None:
            require_version(layout)
        elif problem := label_problem(layout, manifest):
            self._report(layout.label, "", problem)
        return manifest

    def _check_order(self, entry: Entry, next_seq: int) -> None:
        if entry.first_seq != next_seq:
            place = f"records {next_seq} to {entry.first_seq - 1}"
            self._report(self.layout.root / entry.file, place, "before this segment are missing", _RESTORE)

    def _check_segment(self, entry: Entry) -> None:
        path, span = self.layout.root / entry.file, segment.span(entry)
        if entry.state is not State.PRESENT:
            where = f"archived to {entry.place}" if entry.state is State.ARCHIVED else "pruned"
            self.notes.append(f"{entry.file}: {span}: {where}")
            return
        try:
            mark = segment.mark_of(path)
        except FileNotFoundError:
            self._report(path, span, "is missing", _RESTORE)
            return
        if mark not in entry.marks:
            cut = f"has {mark.bytes} bytes where {entry.bytes} were sealed"
            self._report(path, span, "is altered" if mark.bytes == entry.bytes else cut, _RESTORE)
            return
        if mark != FileMark(entry.bytes, entry.sha256):
            self.notes.append(f"{entry.file}: rebuilding it was not finished; it is as it was before")
        if not self.deep or self._is_true(path, entry):
            self.segments += 1
            self.records += entry.rows

    def _is_true(self, path: Path, entry: Entry) -> bool:
        """Whether a segment whose bytes are right says what they say."""
        before = len(self.problems)
        try:
            file = segment.open_unverified(path)
            if msgspec.structs.replace(file.facts, decoder=entry.decoder) != facts_of(entry):
                self._report(path, segment.span(entry), "names itself another segment", _RESTORE)
            elif file.facts.decoder == DECODER_VERSION:
                for seq, column in redecode.differences(file):
                    what = f"column {column} is not what the payload says"
                    self._report(path, f"record {seq}", what, "run `tapedeck rebuild`")
            else:
                self.notes.append(f"{entry.file}: decoded by version {file.facts.decoder}; run `tapedeck rebuild`")
                if file.raw_sha256() != entry.raw_sha256:
                    self._report(path, segment.span(entry), "does not hold what was sealed", _RESTORE)
        except TapeDamaged as error:
            self._report(path, segment.span(entry), str(error), _RESTORE)
        return len(self.problems) == before

    def _check_hot(self, manifest: Manifest | None, limits: Mapping[int, int | None], next_seq: int) -> None:
        previous: Scan | None = None
        for number, limit in limits.items():
            path = self.layout.hot(number)
            try:
                scan = scan_segment(path, until_seq=limit)
            except DiskError:
                sealed = self._sealed_since(number)
                if sealed is None:
                    raise
                next_seq, previous = max(next_seq, sealed.last_seq + 1), None
                continue
            if manifest is not None and manifest.entry(number) is not None:
                self._check_sealed_twice(scan)
                continue
            self._check_scan(scan, is_newest=number == max(limits))
            if scan.number == number:
                self._check_place(scan, next_seq, previous)
                self.records += scan.next_seq - scan.base_seq
                next_seq, previous = max(next_seq, scan.next_seq), scan

    def _sealed_since(self, number: int) -> Entry | None:
        """The entry of a segment that was sealed while we looked elsewhere, None when it was not."""
        return Manifest.load(self.layout).entry(number) if self.recording else None

    def _check_sealed_twice(self, scan: Scan) -> None:
        if scan.verdict is not Verdict.CLEAN:
            self._check_scan(scan, is_newest=False)
        elif not self.recording:
            self.notes.append(f"{self.layout.relative(scan.path)}: is sealed already; `tapedeck recover` removes it")

    def _check_scan(self, scan: Scan, *, is_newest: bool) -> None:
        match scan.verdict:
            case Verdict.CORRUPT:
                self._report(scan.path, f"byte {scan.end_offset}", f"is altered: {scan.problem}")
            case Verdict.TORN if not (is_newest and self.recording):
                self._report(scan.path, f"byte {scan.end_offset}", f"is cut short: {scan.problem}")
            case _:
                pass

    def _check_place(self, scan: Scan, next_seq: int, previous: Scan | None) -> None:
        """Whether a hot segment goes on where what is before it ends."""
        if scan.base_seq > next_seq:
            self._report(scan.path, f"records {next_seq} to {scan.base_seq - 1}", "before this segment are missing")
        elif scan.base_seq < next_seq:
            self._report(scan.path, f"record {scan.base_seq}", f"is here a second time: {next_seq} must follow")
        elif not salvage.joins(previous, scan):
            self._report(scan.path, f"record {scan.base_seq}", "does not follow the hot segment before it")

    def _check_strays(self, manifest: Manifest | None) -> None:
        found = list(strays(self.layout, manifest, recording=self.recording))
        if found and self.recording:
            found = list(strays(self.layout, Manifest.load(self.layout), recording=True))
        for path, what in found:
            self._report(path, "", what, "run `tapedeck recover`, or remove it if you put it there")
        for path, what in checkpoints.problems(self.layout):
            self._report(path, "", what, "remove it: it is only a short cut")
        kept = sum(1 for _ in self.layout.quarantine.glob("*"))
        if kept:
            self.notes.append(f"quarantine: holds {kept} files that were taken out of the tape")

    def _check_end(self, manifest: Manifest | None) -> Ended:
        if manifest is None or manifest.genesis is None:
            return Ended.UNPROVEN
        tape = Tape(self.layout.root, manifest.genesis.label, manifest)
        ended = tape.ended
        if ended is Ended.UNPROVEN and not self.records and not self.problems:
            self.notes.append("the tape holds no record")
        elif ended is Ended.UNPROVEN and tape.label.writer == ARCHIVE_WRITER and not self.problems:
            self.notes.append(f"an archive: what follows record {tape.head_seq} is on the tape that it was copied from")
        elif ended is Ended.UNPROVEN and not self.problems:
            what = "the recorder ended without a word: records may be missing at the end"
            self._report(self.layout.manifest, f"after record {tape.head_seq}", what)
        return ended
