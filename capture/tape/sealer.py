"""Sealing: records become a Parquet file that the manifest names, at every instant readable exactly once.

Knows the order of the steps; the manifest's line is the commit. Must not know who writes the hot log. Whoever calls
holds the tape's lock. A crash before the commit leaves the hot log in charge, one after it leaves a hot segment that
recovery removes.
"""

import contextlib
from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path

from capture.tape import segment
from capture.tape.bulk import HotBatches
from capture.tape.errors import TapeDamaged, disk_error
from capture.tape.layout import DIR_MODE, Label, Layout, fsync_dir, make_tree, write_label
from capture.tape.lines import Entry, Facts, FileMark, segment_file
from capture.tape.manifest import Manifest
from capture.tape.salvage import hot_limits
from capture.tape.schema import RawBatch, batches_of
from core.records import Record


class Step(StrEnum):
    """What sealing has just finished."""

    WRITTEN = "written"  # aside, fsynced
    CHECKED = "checked"  # read back and found equal
    ANNOUNCED = "announced"  # only when a segment is replaced: the manifest accepts both files
    RENAMED = "renamed"
    NAMED = "named"  # the directories are durable
    COMMITTED = "committed"
    UNLINKED = "unlinked"  # the hot segment is gone


Hook = Callable[[Step], None]


def _no_hook(_: Step) -> None:
    pass


def create_tape(root: Path, label: Label) -> Manifest:
    """Make an empty tape; raises TapeError when something lies at `root`, DiskError when the disk refuses."""
    layout = make_tree(root)
    manifest = Manifest.create(layout, label)
    write_label(layout, label)
    return manifest


def next_number(manifest: Manifest) -> int:
    """The number of the segment that follows the newest sealed one."""
    return manifest.last.number + 1 if manifest.last else 1


def seal_hot_segment(
    root: Path, number: int, *, manifest: Manifest | None = None, hook: Hook = _no_hook
) -> Entry | None:
    """Seal a finished hot segment and remove it; None when it holds no record. Doing it twice is fine.

    manifest: the tape's, when the caller has it read already. Raises TapeDamaged when the hot segment is not whole,
    DiskError; the hot segment is there still then.
    """
    layout = Layout(root)
    manifest = manifest or Manifest.load(layout)
    entry, path = manifest.entry(number), layout.hot(number)
    if entry is not None:  # done before
        unlink_hot(layout, number)
        return entry
    hot = HotBatches(path, until_seq=hot_limits(layout).get(number))
    if not hot.is_empty():
        entry = _seal(manifest, hot, number, hot.last_crc, hook)
    unlink_hot(layout, number)
    hook(Step.UNLINKED)
    return entry


def seal_records(
    manifest: Manifest, records: Iterable[Record], number: int, hot_crc: int, *, hook: Hook = _no_hook
) -> Entry:
    """Seal records (at least one) that follow the manifest's last one; removes nothing. Raises as `commit_segment`."""
    return _seal(manifest, batches_of(records), number, lambda: hot_crc, hook)


def unlink_hot(layout: Layout, number: int) -> None:
    """Remove a hot segment whose records are sealed, durably; raises DiskError."""
    path = layout.hot(number)
    try:
        path.unlink(missing_ok=True)
        fsync_dir(layout.wal)
    except OSError as error:
        raise disk_error(error, path, "remove a sealed hot segment") from error


def _seal(
    manifest: Manifest, batches: Iterable[RawBatch], number: int, hot_crc: Callable[[], int], hook: Hook
) -> Entry:
    manifest.require_sound()
    facts = _write(manifest.layout, batches, number, manifest.chain, hot_crc)
    return commit_segment(manifest, facts, hook=hook)


def write_batch(manifest: Manifest, batch: RawBatch, before: Facts | None) -> Facts:
    """Write records of one UTC day aside as a segment; `commit_segment` does the rest.

    The next batch can be written while this one is committed. before: what this gave for the batch before, None for
    the first after what the manifest names. Raises DiskError, and then nothing is left aside.
    """
    if before is None:
        manifest.require_sound()
        return _write(manifest.layout, [batch], next_number(manifest), manifest.chain)
    return _write(manifest.layout, [batch], before.number + 1, before.chain)


def _write(
    layout: Layout, batches: Iterable[RawBatch], number: int, after: str, hot_crc: Callable[[], int] = lambda: 0
) -> Facts:
    aside = layout.partial(number)
    try:
        return segment.write_segment(aside, batches, number=number, after=after, hot_crc=hot_crc)
    except BaseException:
        _discard(aside)
        raise


def commit_segment(manifest: Manifest, facts: Facts, *, hook: Hook = _no_hook) -> Entry:
    """Check a segment that was written aside, put it in its place and name it in the manifest: only now it counts.

    Raises TapeDamaged when it does not follow the manifest's last or reads back differently, DiskError; the segment
    is not on the tape then.
    """
    layout = manifest.layout
    aside = layout.partial(facts.number)
    try:
        hook(Step.WRITTEN)
        if facts.first_seq != manifest.next_seq:
            raise TapeDamaged(
                f"{layout.root}: segment {facts.number} begins with record {facts.first_seq} where "
                f"{manifest.next_seq} must follow; run `tapedeck recover`"
            )
        mark = _check(aside, facts)
        hook(Step.CHECKED)
        _put_in_place(layout, aside, segment_file(layout, facts), hook)
        entry = manifest.seal(facts, mark)
    finally:
        _discard(aside)
    hook(Step.COMMITTED)
    return entry


def _discard(aside: Path) -> None:
    with contextlib.suppress(OSError):  # a full or failing disk has been reported; recovery empties tmp/ anyway
        aside.unlink(missing_ok=True)


def _check(aside: Path, facts: Facts) -> FileMark:
    """The mark of a file that was read back equal to what was written into it; raises TapeDamaged, DiskError."""
    file = segment.open_unverified(aside)
    if file.facts != facts or file.raw_sha256() != facts.raw_sha256:
        raise TapeDamaged(f"{aside}: reads back differently than it was written; check the memory and the disk")
    return _mark(aside)


def _mark(path: Path) -> FileMark:
    try:
        return segment.mark_of(path)
    except OSError as error:
        raise disk_error(error, path, "read a segment back") from error


def _put_in_place(layout: Layout, aside: Path, file: str, hook: Hook) -> None:
    """Rename a written segment to its place, durably; raises DiskError."""
    target = layout.root / file
    try:
        if not target.parent.is_dir():
            target.parent.mkdir(mode=DIR_MODE)
            fsync_dir(layout.data)
        aside.rename(target)
        hook(Step.RENAMED)
        fsync_dir(target.parent)
    except OSError as error:
        raise disk_error(error, target, "put a segment in its place") from error
    hook(Step.NAMED)


def rebuild_segment(root: Path, entry: Entry, *, manifest: Manifest | None = None, hook: Hook = _no_hook) -> Entry:
    """Decode a segment again with today's decoder and replace its file; its raw content and chain stay the same.

    manifest: the tape's, when the caller has it read already. At every instant one of the two files is in place and
    the manifest accepts it. Raises TapeDamaged when the segment is not what was sealed, DiskError.
    """
    layout = Layout(root)
    manifest = manifest or Manifest.load(layout)
    old = segment.open_segment(root, entry)
    return rewrite_segment(manifest, entry, old.batches(), _mark(old.path), hook=hook)


def rewrite_segment(
    manifest: Manifest, entry: Entry, batches: Iterable[RawBatch], in_place: FileMark, *, hook: Hook = _no_hook
) -> Entry:
    """Make a sealed segment's file again from its raw content; `in_place` is the file that lies there now.

    Raises TapeDamaged when `batches` are not the records that were sealed, DiskError.
    """
    layout = manifest.layout
    aside = layout.partial(entry.number)
    try:
        facts = segment.write_segment(
            aside, batches, number=entry.number, after=entry.after, hot_crc=lambda: entry.hot_crc
        )
        hook(Step.WRITTEN)
        if facts.raw_sha256 != entry.raw_sha256:
            raise TapeDamaged(
                f"{layout.root / entry.file}: its source does not hold the records that were sealed; "
                "restore it from a copy"
            )
        mark = _check(aside, facts)
        hook(Step.CHECKED)
        if mark == in_place == entry.marks[0]:
            return entry
        replaced = manifest.replace(entry.number, mark, in_place, facts.decoder)
        hook(Step.ANNOUNCED)
        _put_in_place(layout, aside, entry.file, hook)
    finally:
        _discard(aside)
    return replaced
