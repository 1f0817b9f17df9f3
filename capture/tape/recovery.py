"""Recovery: whatever a crash or damage left becomes a tape again, each record exactly once and each loss on record.

Knows every state that a crash can leave and what to do about it. Deletes nothing that cannot be had from elsewhere:
what it takes out of the tape lies in quarantine/, under its SHA-256. Doing it twice changes nothing. A crash in the
middle of it is one more crash.
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import chain
from pathlib import Path

import msgspec

from capture.tape import remake, salvage, segment
from capture.tape.errors import DiskError, TapeDamaged, TapeError, disk_error
from capture.tape.layout import (
    Label,
    Layout,
    fsync_dir,
    hot_numbers,
    read_label,
    sealed_files,
    write_durably,
    write_label,
)
from capture.tape.lines import Entry, FileMark, State
from capture.tape.lock import TapeLock
from capture.tape.manifest import Manifest
from capture.tape.reader import Tape, label_problem
from capture.tape.scan import Scan, SegmentReader, Verdict, iter_segment, scan_segment, segment_limit
from capture.tape.schema import batches_of
from capture.tape.sealer import next_number, rewrite_segment, seal_records, unlink_hot
from core.records import Record


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
        report = _Recovery(layout, repair=True).run()
        layout.reserve.unlink(missing_ok=True)  # its writer is gone
    return report


def recover_locked(root: Path) -> RecoveryReport:
    """Recover for a writer that holds the lock. A damaged manifest is left alone.

    Raises TapeDamaged when the manifest is damaged, otherwise as `recover`.
    """
    return _Recovery(Layout(root), repair=False).run()


class _Recovery:
    """One run over one tape."""

    def __init__(self, layout: Layout, *, repair: bool) -> None:
        self.layout = layout
        self.repair = repair
        self.actions: list[str] = []
        self.problems: list[str] = []
        self.manifest = self._sound_manifest()

    def run(self) -> RecoveryReport:
        self._empty_tmp()
        self._settle_orphans()
        lost = self._settle_hot()
        self._explain_end(lost)
        self._require_files()
        tape = Tape(self.layout.root, read_label(self.layout.root), self.manifest)
        return RecoveryReport(
            path=str(self.layout.root),
            actions=tuple(self.actions),
            problems=tuple(self.problems),
            segments=len(self.manifest.entries),
            records=sum(entry.rows for entry in self.manifest.entries),
            ended="",
        )
