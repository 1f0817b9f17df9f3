"""Archiving: sealed segments are copied to another place, checked there, and only then removed here, if asked.

Knows that the archive is a tape itself, which ends where the last run of archiving ended. The tape may be recorded
meanwhile: its lock stays with the recorder, and a line that both would add to the manifest is tried again.
"""

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from capture.tape import segment
from capture.tape.errors import TapeDamaged, TapeError, disk_error
from capture.tape.identity import load_identified
from capture.tape.layout import ARCHIVE_WRITER, DAY_NS, DIR_MODE, FILE_MODE, Label, Layout, fsync_dir
from capture.tape.lines import Entry, FileMark, State, facts_of
from capture.tape.lock import TapeLock
from capture.tape.manifest import Manifest
from capture.tape.sealer import create_tape

TRIES: Final = 8
"""How often a line is added to a manifest that the recorder adds lines to as well; it does so once a minute."""

Progress = Callable[[int, int], None]
"""progress(segments done, segments in all)."""


class ArchiveReport(msgspec.Struct, frozen=True):
    """What was done. copied, removed: segments, and the bytes they have. kept: segments that are only here and there.

    problems: segments that are not what was sealed and were left alone, a sentence each.
    """

    tape: str
    archive: str
    copied: int
    copied_bytes: int
    removed: int
    removed_bytes: int
    kept: int
    problems: tuple[str, ...]


def archive(
    tape: Path, to: Path, *, now_ns: int, keep_days: int | None = None, progress: Progress | None = None
) -> ArchiveReport:
    """Copy every sealed segment that is not there yet to `to`/<name of the tape>; remove old ones that are.

    keep_days: remove what ended more than so many days before now_ns (Unix ns) and lies in the archive with the right
    hash; None removes nothing. The newest segment always stays. Raises TapeFormat, TapeDamaged (nothing vouches for the
    tape, or the archive is another tape's), TapeLocked (another archiver works there), DiskError.
    """
    label, source = load_identified(tape)
    source.require_sound()
    place = to / tape.absolute().name
    if place.resolve() == tape.resolve():
        raise TapeError(f"{tape}: cannot be archived into itself; choose another directory for --to")
    archived = _open_archive(place, label)
    with TapeLock(archived.layout.lock):
        archived = Manifest.load(archived.layout)
        archived.require_sound()
        copied, problems = _copy_all(source, archived, progress or _silent)
        removed = [] if keep_days is None else _remove_all(source, archived, now_ns - keep_days * DAY_NS)
    kept = sum(entry.state is State.PRESENT for entry in source.entries)
    return ArchiveReport(
        tape=str(tape),
        archive=str(place),
        copied=len(copied),
        copied_bytes=sum(entry.bytes for entry in copied),
        removed=len(removed),
        removed_bytes=sum(entry.bytes for entry in removed),
        kept=kept,
        problems=tuple(problems),
    )


def _silent(done: int, total: int) -> None:
    del done, total


def _open_archive(place: Path, label: Label) -> Manifest:
    """The archive's manifest, of a new one if there is none; raises TapeError when something else lies there."""
    if not place.exists():
        try:
            place.parent.mkdir(mode=DIR_MODE, parents=True, exist_ok=True)
        except OSError as error:
            raise disk_error(error, place, "make the archive") from error
        return create_tape(place, msgspec.structs.replace(label, writer=ARCHIVE_WRITER))
    there, manifest = load_identified(place)
    if there.uuid != label.uuid or there.writer != ARCHIVE_WRITER:
        raise TapeError(f"{place}: is not the archive of this tape but something else; choose another directory")
    return manifest


def _copy_all(source: Manifest, archived: Manifest, progress: Progress) -> tuple[list[Entry], list[str]]:
    """The segments that were copied, and why copying stopped if it did: a segment must follow the one before it."""
    entries = [entry for entry in source.entries if archived.entry(entry.number) is None]
    copied: list[Entry] = []
    for done, entry in enumerate(entries):
        progress(done, len(entries))
        if entry.state is not State.PRESENT:
            continue  # removed here before it was copied there: nothing to copy
        mark = _mark_here(source.layout, entry)
        if mark is None:
            return copied, [f"{entry.file}: {segment.span(entry)}: is not what was sealed; run `tapedeck verify`"]
        _copy(source.layout.root / entry.file, archived.layout, entry, mark)
        archived.seal(facts_of(entry), mark)
        copied.append(entry)
    progress(len(entries), len(entries))
    return copied, []


def _mark_here(layout: Layout, entry: Entry) -> FileMark | None:
    """What lies in the segment's place, None when it is not one of the files that were sealed."""
    try:
        mark = segment.mark_of(layout.root / entry.file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise disk_error(error, layout.root / entry.file, "read a segment") from error
    return mark if mark in entry.marks else None


def _copy(path: Path, there: Layout, entry: Entry, mark: FileMark) -> None:
    """Copy a file aside, make it durable, read it back, and only then give it its name."""
    target, aside = there.root / entry.file, there.partial(entry.number)
    try:
        shutil.copyfile(path, aside)
        aside.chmod(FILE_MODE)
        with aside.open("rb") as file:
            os.fsync(file.fileno())
        if segment.mark_of(aside) != mark:
            raise TapeDamaged(f"{aside}: reads back differently than it was written; check the disk")
        if not target.parent.is_dir():
            target.parent.mkdir(mode=DIR_MODE)
            fsync_dir(target.parent.parent)
        aside.rename(target)
        fsync_dir(target.parent)
    except OSError as error:
        raise disk_error(error, target, "copy a segment there") from error
    finally:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)


def _remove_all(source: Manifest, archived: Manifest, before_ns: int) -> list[Entry]:
    """Remove the segments that ended before that instant and lie in the archive, byte for byte."""
    removed = []
    for entry in source.entries[:-1]:
        if entry.state is not State.PRESENT or entry.last_ns >= before_ns:
            continue
        there = archived.entry(entry.number)
        if there is None or there.raw_sha256 != entry.raw_sha256 or _mark_here(archived.layout, there) is None:
            continue
        source = _mark_archived(source, entry.number, str(archived.layout.root))
        path = source.layout.root / entry.file
        try:
            path.unlink(missing_ok=True)
            fsync_dir(path.parent)
        except OSError as error:
            raise disk_error(error, path, "remove an archived segment") from error
        removed.append(entry)
    return removed


def _mark_archived(manifest: Manifest, number: int, place: str) -> Manifest:
    """Add the line that says where the segment is; the manifest as it is then.

    The recorder may have added a line since the manifest was read: then it is read again.
    """
    for _ in range(TRIES - 1):
        try:
            manifest.archive(number, place)
        except TapeDamaged:
            manifest = Manifest.load(manifest.layout)
        else:
            return manifest
    manifest.archive(number, place)
    return manifest
