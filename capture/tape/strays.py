"""What lies in a tape's directory and should not, or is not what its own name promises.

Knows which names a tape has. Must not know what segments, hot or sealed, contain.
"""

import re
from collections.abc import Iterator
from hashlib import file_digest
from pathlib import Path
from typing import Final

from capture.tape.checkpoints import Of, is_saving
from capture.tape.layout import Layout, checkpoint_seqs, hot_numbers
from capture.tape.manifest import Manifest

QUARANTINE_DIGITS: Final = 16
"""Hex digits of its SHA-256 that the name of a file in quarantine ends with."""

_KEPT: Final = re.compile(rf".+\.([0-9a-f]{{{QUARANTINE_DIGITS}}})")
_CHUNK: Final = 1 << 20


def kept_name(layout: Layout, path: Path, digest: str) -> str:
    """What a file of the tape is called in quarantine."""
    return f"{layout.relative(path).replace('/', '_')}.{digest[:QUARANTINE_DIGITS]}"


def strays(layout: Layout, manifest: Manifest | None, *, recording: bool) -> Iterator[tuple[Path, str]]:
    """Every file that should not be there or is not what its name promises, and why; raises OSError.

    recording: somebody writes the tape now, so that half-written files are as they should be.
    """
    known = _known_files(layout, manifest)
    directories = {layout.wal, layout.data, layout.checkpoints, layout.tmp, layout.quarantine}
    for path in sorted(layout.root.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            if path not in directories and path.parent != layout.data:
                yield path, "is no directory of a tape"
        elif not path.is_file() or path.is_symlink():
            if path.is_symlink() or path.exists():  # else: gone since it was listed
                yield path, "is no regular file"
        elif path.parent == layout.quarantine:
            if not _is_kept(path):
                yield path, "is not what was put in quarantine"
        elif path in known:
            yield from _altered(layout, path, recording=recording)
        elif path.parent == layout.tmp or path.suffix == ".partial":
            if not recording and not _is_being_written(layout, path):
                yield path, "is half written: a crash has left it"
        elif path.suffix == ".parquet":
            if recording and layout.hot(_number(path)).exists():
                continue  # renamed just now; the manifest's line comes next
            yield path, "is a segment that the manifest does not name"
        else:
            yield path, "is no file of a tape"


def _known_files(layout: Layout, manifest: Manifest | None) -> frozenset[Path]:
    return frozenset(
        (
            layout.label,
            layout.manifest,
            layout.lock,
            layout.reserve,
            *(layout.root / entry.file for entry in (manifest.entries if manifest else ())),
            *(layout.hot(number) for number in hot_numbers(layout)),
            *(layout.checkpoint(seq, of) for of in Of for seq in checkpoint_seqs(layout, of)),
        )
    )


def _is_being_written(layout: Layout, path: Path) -> bool:
    """Whoever reads a tape may leave a checkpoint at any time."""
    return path.parent == layout.checkpoints and (is_saving(layout) or not path.exists())


def _number(path: Path) -> int:
    return int(path.stem) if path.stem.isdecimal() else 0


def _altered(layout: Layout, path: Path, *, recording: bool) -> Iterator[tuple[Path, str]]:
    """The two files that are known by holding nothing."""
    if path == layout.lock and path.stat().st_size:
        yield path, "holds something, and should be empty"
    if path == layout.reserve and not recording and not _is_zero(path):
        yield path, "holds something, and should be room only"


def _is_zero(path: Path) -> bool:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            if any(chunk):
                return False
    return True


def _is_kept(path: Path) -> bool:
    named = _KEPT.fullmatch(path.name)
    with path.open("rb") as file:
        return named is not None and file_digest(file, "sha256").hexdigest().startswith(named[1])
