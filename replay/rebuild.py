"""Makes the typed columns of a whole tape again with today's decoder: the raw records stay exactly as they are.

Knows the order of work. Must not know how a segment is replaced: that is the sealer's.
"""

from pathlib import Path

import msgspec

from capture.tape import sealer
from capture.tape.layout import Layout, read_label
from capture.tape.lines import State
from capture.tape.lock import TapeLock
from capture.tape.manifest import Manifest
from replay.progress import Progress, silent


class RebuildReport(msgspec.Struct, frozen=True):
    """What was done. replaced: segments whose file came out different. skipped: archived and pruned ones."""

    tape: str
    segments: int
    replaced: int
    skipped: int
    bytes_before: int
    bytes_after: int


def rebuild(path: Path, progress: Progress = silent) -> RebuildReport:
    """Decode every sealed segment of a tape again; it stays readable all the while.

    Progress in segments. Raises TapeError: no tape, TapeLocked while somebody
    records, TapeDamaged at the first segment that is not what was sealed (those before it are done), DiskError.
    """
    read_label(path)
    replaced = skipped = before = after = 0
    layout = Layout(path)
    with TapeLock(layout.lock):
        manifest = Manifest.load(layout)
        manifest.require_sound()
        entries = manifest.entries
        for done, entry in enumerate(entries, start=1):
            if entry.state is State.PRESENT:
                now = sealer.rebuild_segment(path, entry, manifest=manifest)
                replaced += now.sha256 != entry.sha256
                before, after = before + entry.bytes, after + now.bytes
            else:
                skipped += 1
            progress(done, len(entries))
    return RebuildReport(str(path), len(entries), replaced, skipped, before, after)
