"""Where everything of a tape lies, and what its files are called.

Knows paths, names, modes, the label `tape.json` and how a directory is made durable. Must not know what
the other files contain. Names come from numbers and dates only, never from anything an exchange sent.
"""

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from capture.tape.errors import TapeError, TapeFormat, disk_error
from core.records import SCHEMA_VERSION

FORMAT_VERSION: Final = 1
"""Version of the directory, the hot log, the manifest and the sealed files together."""

ARCHIVE_WRITER: Final = "tapedeck archive"
"""Who "wrote" a tape that is the archive of another one: it ends where archiving ended, not where recording did."""

DIR_MODE: Final = 0o700
FILE_MODE: Final = 0o600

DAY_NS: Final = 86_400 * 10**9
_HOT_NAME: Final = re.compile(r"(\d{8,10})\.wal")
_SEALED_NAME: Final = re.compile(r"(\d{8,10})\.parquet")
_CHECKPOINT_NAME: Final = re.compile(r"(\d{1,19})\.(ckpt|info)")
_DAY_DIR: Final = re.compile(r"date=\d{4}-\d{2}-\d{2}")

_HOW_TO_READ: Final = (
    "data/date=*/*.parquet are sealed segments in order of number; wal/*.wal is the hot log that follows them; "
    "MANIFEST chains them. Open with `tapedeck info` or any Parquet reader; check with `tapedeck verify`."
)


class Label(msgspec.Struct, frozen=True, omit_defaults=False):
    """`tape.json`: says that this directory is a tape, of what version, of which environment."""

    format: int
    uuid: str
    environment: str
    schema: int = SCHEMA_VERSION
    writer: str = "tapedeck"
    reading: str = _HOW_TO_READ

    def encoded(self) -> bytes:
        """The file's bytes; the manifest's first line holds their SHA-256."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"

    def digest(self) -> str:
        """SHA-256 (hex) of `encoded()`."""
        return sha256(self.encoded()).hexdigest()


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one tape; makes nothing and opens nothing."""

    root: Path

    @property
    def label(self) -> Path:
        return self.root / "tape.json"

    @property
    def manifest(self) -> Path:
        return self.root / "MANIFEST"

    @property
    def lock(self) -> Path:
        return self.root / "LOCK"

    @property
    def reserve(self) -> Path:
        """Space kept for the last records of a full disk; in tmp/, so that recovery clears what a crash leaves."""
        return self.tmp / "RESERVE"

    @property
    def wal(self) -> Path:
        return self.root / "wal"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def tmp(self) -> Path:
        return self.root / "tmp"

    @property
    def quarantine(self) -> Path:
        return self.root / "quarantine"

    def directories(self) -> tuple[Path, ...]:
        """Every directory a new tape has."""
        return (self.wal, self.data, self.checkpoints, self.tmp, self.quarantine)

    def hot(self, number: int) -> Path:
        return self.wal / f"{number:08d}.wal"

    def sealed(self, number: int, day: str) -> Path:
        """The sealed segment; `day` is the UTC day of its first record, "2026-08-11"."""
        return self.data / f"date={day}" / f"{number:08d}.parquet"

    def partial(self, number: int) -> Path:
        """Where a segment is written aside. The name must not end in .parquet: globs would match it."""
        return self.tmp / f"{number:08d}.parquet.partial"

    def checkpoint(self, seq: int, suffix: str = "ckpt") -> Path:
        return self.checkpoints / f"{seq}.{suffix}"

    def relative(self, path: Path) -> str:
        """How the manifest and messages name a file of this tape: "data/date=2026-08-11/00000003.parquet"."""
        return path.relative_to(self.root).as_posix()


def hot_numbers(layout: Layout) -> list[int]:
    """Numbers of the hot segments that lie there now, ascending."""
    return sorted(int(m[1]) for m in map(_HOT_NAME.fullmatch, _names(layout.wal)) if m)


def checkpoint_seqs(layout: Layout, suffix: str = "ckpt") -> list[int]:
    """The seqs for which a checkpoint file with that suffix lies there now, ascending."""
    found = map(_CHECKPOINT_NAME.fullmatch, _names(layout.checkpoints))
    return sorted(int(match[1]) for match in found if match and match[2] == suffix)


def sealed_files(layout: Layout) -> list[tuple[int, Path]]:
    """(number, path) of every Parquet file under data/ that is named like a segment, in order of number and day."""
    found: list[tuple[int, Path]] = []
    for day in filter(_DAY_DIR.fullmatch, _names(layout.data)):
        matches = map(_SEALED_NAME.fullmatch, _names(layout.data / day))
        found.extend((int(m[1]), layout.data / day / m[0]) for m in matches if m)
    return sorted(found)


def _names(directory: Path) -> list[str]:
    try:
        return sorted(path.name for path in directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def utc_day(at_ns: int) -> str:
    """The UTC day (ISO, "2026-08-11") that holds a Unix time in ns."""
    return datetime.fromtimestamp(at_ns // DAY_NS * 86_400, UTC).date().isoformat()


def day_number(at_ns: int) -> int:
    """Days since 1970-01-01 UTC: cheap to compare."""
    return at_ns // DAY_NS


def fsync_dir(path: Path) -> None:
    """Make the names in a directory survive a power cut; raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_durably(path: Path, content: bytes) -> None:
    """Create or replace a small file whole or not at all, and make it durable; raises OSError."""
    aside = path.with_name(path.name + ".partial")
    fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
    try:
        with open(fd, "wb", closefd=False) as file:
            file.write(content)
        os.fsync(fd)
    finally:
        os.close(fd)
    aside.rename(path)
    fsync_dir(path.parent)


def make_tree(root: Path) -> Layout:
    """Make the directories of a new tape, durably, without the label that would make it one.

    `root` may be an empty directory. Raises TapeError when something lies there, DiskError when the disk refuses.
    """
    layout = Layout(root)
    try:
        root.mkdir(mode=DIR_MODE, parents=True, exist_ok=True)
        if _names(root):
            raise TapeError(f"{root}: cannot make a tape here: the directory is not empty; choose another name")
        for directory in layout.directories():
            directory.mkdir(mode=DIR_MODE)
        fsync_dir(root)
        fsync_dir(root.parent)
    except OSError as error:
        raise disk_error(error, root, "make a tape here") from error
    return layout


def write_label(layout: Layout, label: Label) -> None:
    """Write `tape.json`: the last step of making a tape, for without it the directory is none. Raises DiskError."""
    try:
        write_durably(layout.label, label.encoded())
    except OSError as error:
        raise disk_error(error, layout.label, "write the label") from error


def read_label(root: Path) -> Label:
    """The label of the tape at `root`; raises TapeFormat when it is no tape or of a newer version."""
    path = Layout(root).label
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise TapeFormat(f"{root}: is no tape: it has no {path.name}; give the directory of a tape") from None
    except OSError as error:
        raise disk_error(error, path, "read the label") from error
    try:
        version = msgspec.json.decode(content, type=_Versioned).format
    except (ValueError, RecursionError) as error:
        raise TapeFormat(f"{path}: is no label of a tape ({error}); restore it from a copy of the tape") from None
    if version > FORMAT_VERSION:
        raise TapeFormat(
            f"{path}: has format version {version}, this program reads up to {FORMAT_VERSION}; use a newer Tapedeck"
        )
    try:
        return msgspec.json.decode(content, type=Label)
    except (ValueError, RecursionError) as error:
        raise TapeFormat(f"{path}: is damaged ({error}); restore it from a copy of the tape") from None


class _Versioned(msgspec.Struct, frozen=True):
    """As much of a label as a program of any version understands."""

    format: int
