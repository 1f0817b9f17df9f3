"""Recovery: whatever a crash or damage left becomes a tape again, each record exactly once and each loss on record.

Knows every state that a crash can leave and what to do about it. Deletes nothing that cannot be had from elsewhere:
what it takes out of the tape lies in quarantine/, under its SHA-256. Doing it twice changes nothing. A crash in the
middle of it is one more crash.
"""

import os
from collections.abc import Iterable
from hashlib import sha256
from itertools import chain
from pathlib import Path

import msgspec

from capture.tape import remake, salvage, segment
from capture.tape.errors import TapeDamaged, TapeError, disk_error
from capture.tape.identity import label_problem
from capture.tape.layout import (
    DIR_MODE,
    Label,
    Layout,
    fsync_dir,
    hot_numbers,
    read_label,
    sealed_files,
    write_durably,
    write_label,
)
from capture.tape.lines import Entry, FileMark, State, facts_of
from capture.tape.lock import TapeLock
from capture.tape.manifest import Manifest
from capture.tape.reader import ended_by
from capture.tape.scan import Scan, Verdict, iter_segment, scan_segment
from capture.tape.schema import batches_of
from capture.tape.sealer import next_number, rewrite_segment, seal_records, unlink_hot
from capture.tape.strays import kept_name
from core.records import Kind, Record


class RecoveryReport(msgspec.Struct, frozen=True):
    """What recovery found and did. actions: one sentence each, empty when there was nothing to do.

    problems: what it cannot repair. records: how many the tape has now. ended: a `reader.Ended`.
    """

    path: str
    actions: tuple[str, ...]
    problems: tuple[str, ...]
    segments: int
    records: int
    ended: str


def recover(path: Path) -> RecoveryReport:
    """Recover a tape that nobody is writing, a damaged manifest included.

    Raises TapeLocked, TapeFormat, DiskError, TapeError when the tape cannot be recovered.
    """
    layout = Layout(path)
    if not layout.manifest.exists():
        read_label(path)  # neither of the two: no tape
    with TapeLock(layout.lock):
        report = _run(layout, repair=True)
        layout.reserve.unlink(missing_ok=True)  # its writer is gone
    return report


def recover_locked(root: Path) -> RecoveryReport:
    """Recover for a writer that holds the lock. A damaged manifest is left alone.

    Raises TapeDamaged when the manifest is damaged, otherwise as `recover`.
    """
    return _run(Layout(root), repair=False)


def _run(layout: Layout, *, repair: bool) -> RecoveryReport:
    try:
        return _Recovery(layout, repair=repair).run()
    except OSError as error:
        raise disk_error(error, layout.root, "recover the tape") from error


class _Recovery:
    """One run over one tape."""

    def __init__(self, layout: Layout, *, repair: bool) -> None:
        self.layout = layout
        self.actions: list[str] = []
        self.problems: list[str] = []
        self.manifest = self._sound_manifest(repair)

    def run(self) -> RecoveryReport:
        for directory in self.layout.directories():  # a copy may have lost the empty ones
            directory.mkdir(mode=DIR_MODE, exist_ok=True)
        self._empty_tmp()
        for number, path in sealed_files(self.layout):
            self._settle_file(number, path)
        self._settle_hot()
        self._require_files()
        entries = self.manifest.entries
        return RecoveryReport(
            path=str(self.layout.root),
            actions=tuple(self.actions),
            problems=tuple(self.problems),
            segments=len(entries),
            records=sum(entry.rows for entry in entries),
            ended=str(ended_by(entries[-1].last_kind if entries else 0)),
        )

    def _sound_manifest(self, repair: bool) -> Manifest:
        layout = self.layout
        if not layout.manifest.exists():
            return self._remade(read_label(layout.root), (), "was missing")
        manifest = Manifest.load(layout)
        if manifest.faults:
            if not repair:
                manifest.require_sound()
            label = manifest.genesis.label if manifest.genesis else read_label(layout.root)
            _keep_copy(layout, layout.manifest, layout.manifest.read_bytes())
            manifest = self._remade(label, manifest.entries, f"line {manifest.faults[0].line} was damaged")
        if manifest.torn_bytes:
            manifest = self._without_torn_line(manifest)
        if manifest.genesis is not None and label_problem(layout, manifest):
            if layout.label.exists():
                _keep_copy(layout, layout.label, layout.label.read_bytes())
            write_label(layout, manifest.genesis.label)
            self.actions.append(f"{layout.label}: was missing or altered and was written again from the manifest")
        return manifest

    def _remade(self, label: Label, known: Iterable[Entry], why: str) -> Manifest:
        count, problems = remake.remake_manifest(self.layout, label, known)
        self.problems += problems
        self.actions.append(f"{self.layout.manifest}: {why} and was made again; it names {count} segments")
        return Manifest.load(self.layout)

    def _without_torn_line(self, manifest: Manifest) -> Manifest:
        path = self.layout.manifest
        content = path.read_bytes()
        whole = len(content) - manifest.torn_bytes
        _keep_copy(self.layout, path, content[whole:])
        with path.open("r+b") as file:
            file.truncate(whole)
            os.fsync(file.fileno())
        self.actions.append(f"{path}: the last {manifest.torn_bytes} bytes were a torn line and were cut off")
        return Manifest.load(self.layout)

    def _empty_tmp(self) -> None:
        layout = self.layout
        places = (layout.tmp.glob("*"), layout.root.glob("*.partial"), layout.checkpoints.glob("*.partial"))
        for path in sorted(chain.from_iterable(places)):
            if path.is_file() and path != layout.reserve:
                path.unlink()
                self.actions.append(f"{path}: was half written and was removed")

    def _settle_file(self, number: int, path: Path) -> None:
        """A Parquet file that the manifest does not name is taken in, or taken out."""
        entry = self.manifest.entry(number)
        if entry is not None and entry.file == self.layout.relative(path):
            return
        hot = self.layout.hot(number)
        if entry is None and hot.exists() and scan_segment(hot).verdict is Verdict.CLEAN:
            path.unlink()
            self.actions.append(f"{path}: sealing it was not finished; it is sealed again from the hot log")
            return
        try:
            found = remake.vouch(self.layout, path)
            last = self.manifest.last
            if last is not None and found.number <= last.number:
                raise TapeDamaged("the manifest names what holds these records")
            if (found.first_seq, found.after) != (self.manifest.next_seq, self.manifest.chain):
                raise TapeDamaged(f"{path}: does not follow the last segment that the manifest names")
        except TapeDamaged as error:
            self._move_away(path, str(error))
            return
        fsync_dir(path.parent)
        self.manifest.seal(facts_of(found), FileMark(found.bytes, found.sha256))
        self.actions.append(f"{path}: the manifest had lost this segment; it names it again")

    def _settle_hot(self) -> None:
        """Every hot segment becomes a sealed one, or was one already, and the end of the tape is explained."""
        unsealed: list[tuple[Scan, int | None]] = []
        leftovers: list[Path] = []
        before: Scan | None = None
        lost = ""
        for number, limit in salvage.hot_limits(self.layout).items():
            entry = self.manifest.entry(number)
            if entry is not None:
                self._settle_sealed(entry)
                continue
            path = self.layout.hot(number)
            scan = scan_segment(path, until_seq=limit)
            is_cut = scan.verdict is not Verdict.CLEAN and scan.resumes_at is None
            lost = f"{self.layout.relative(path)}: {scan.problem}" if is_cut else ""
            holds_records = scan.next_seq > scan.base_seq or scan.resumes_at is not None
            if scan.number == number and holds_records and salvage.joins(before, scan):
                unsealed.append((scan, limit))
                before = scan
            else:
                leftovers.append(path)
        for scan, limit in unsealed:
            self._seal(scan, limit, lost if scan is before else None)
        self._explain_end(lost)
        for path in leftovers:  # after the gap is on record: they are what tells of it
            self._move_away(path, "holds no record that follows")

    def _settle_sealed(self, entry: Entry) -> None:
        """A hot segment that the manifest names as sealed: it goes, once the sealed file is known to be right."""
        sealed, hot = self.layout.root / entry.file, self.layout.hot(entry.number)
        try:
            mark = segment.mark_of(sealed)
        except OSError:
            mark = FileMark(0, "")
        if mark not in entry.marks and entry.state is State.PRESENT:
            try:
                rewrite_segment(self.manifest, entry, batches_of(iter_segment(hot)), mark)
                self.actions.append(f"{sealed}: was damaged and was made again from the hot log")
            except TapeDamaged as error:
                self.problems.append(str(error))
                return
        unlink_hot(self.layout, entry.number)
        self.actions.append(f"{hot}: was sealed already and was removed")

    def _seal(self, scan: Scan, limit: int | None, lost: str | None) -> None:
        """Seal what is whole of a hot segment, with stand-ins for what is lost in it or before it.

        lost: None when another segment follows, else what is known to be missing at the end.
        """
        path, manifest = scan.path, self.manifest
        if scan.verdict is not Verdict.CLEAN:
            whole = path.read_bytes()
            _keep_copy(self.layout, path, whole if scan.verdict is Verdict.CORRUPT else whole[scan.end_offset :])
            self.actions.append(f"{path}: {scan.problem}; what is whole was kept")
        if scan.number < next_number(manifest):
            self._move_away(path, "is older than the segments that are sealed")
            return
        records = chain(iter_segment(path, until_seq=limit), salvage.behind_damage(scan, limit))
        filled = salvage.without_holes(records, manifest.next_seq, self._last_record())
        first = next(filled, None)
        if first is None:
            self._move_away(path, "holds no record that is not sealed already")
            return
        if first.seq < scan.base_seq:
            self.actions.append(f"{path}: records {first.seq} to {scan.base_seq - 1} before it are lost")
        filled = chain([first], filled)
        ended = filled if lost is None else salvage.explained(filled, lost=lost)
        seal_records(manifest, ended, scan.number, scan.last_crc)
        unlink_hot(self.layout, scan.number)
        self.actions.append(f"{path}: was sealed")

    def _last_record(self) -> Record | None:
        """The newest sealed record, as much of it as can still be known."""
        entry = self.manifest.last
        if entry is None:
            return None
        try:
            file = segment.open_segment(self.layout.root, entry)
            return next(file.records(entry.last_seq))
        except TapeError:
            return Record(entry.last_seq, entry.last_ns, 0, 0, entry.last_kind, b"")

    def _explain_end(self, lost: str) -> None:
        """A tape that ends without a word, or behind whose last record something is lost, ends in a gap."""
        last = self._last_record()
        if last is None or last.kind == Kind.GAP_OPEN or (last.kind in salvage.FINAL and not lost):
            return
        gap = salvage.end_gap(last, lost or "the recorder ended without a word")
        number = max(next_number(self.manifest), *(number + 1 for number in (0, *hot_numbers(self.layout))))
        seal_records(self.manifest, [gap], number, 0)
        self.actions.append(f"{self.layout.root}: ends in a gap from record {gap.seq} on")

    def _require_files(self) -> None:
        """Tell of sealed segments that are gone or have another size; whether their bytes are right, `verify` tells."""
        for entry in self.manifest.entries:
            path = self.layout.root / entry.file
            if entry.state is not State.PRESENT:
                continue
            if not path.exists():
                self.problems.append(f"{path}: is missing: {segment.span(entry)} are lost; restore it from a copy")
            elif path.stat().st_size not in (mark.bytes for mark in entry.marks):
                self._settle_altered(entry, path)

    def _settle_altered(self, entry: Entry, path: Path) -> None:
        """Another file than the manifest names: the outcome of a rebuild whose line was lost, or damage."""
        try:
            found = remake.vouch(self.layout, path)
            if (found.number, found.chain) != (entry.number, entry.chain):
                raise TapeDamaged("it holds other records")
        except TapeDamaged:
            self.problems.append(f"{path}: is altered: {segment.span(entry)} cannot be trusted; restore it from a copy")
            return
        self.manifest.replace(entry.number, found.marks[0], found.marks[0], found.decoder)
        self.actions.append(f"{path}: was rebuilt; the manifest names the new file")

    def _move_away(self, path: Path, why: str) -> None:
        place = self.layout.quarantine / kept_name(self.layout, path, segment.mark_of(path).sha256)
        path.rename(place)
        fsync_dir(place.parent)
        fsync_dir(path.parent)
        self.actions.append(f"{path}: was moved to {self.layout.relative(place)}: {why}")


def _keep_copy(layout: Layout, path: Path, content: bytes) -> None:
    write_durably(layout.quarantine / kept_name(layout, path, sha256(content).hexdigest()), content)
