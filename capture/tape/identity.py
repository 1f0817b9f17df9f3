"""What a directory claims to be: its label against its manifest, its version, and whether somebody writes it now.

Knows the label, the first line of the manifest and the lock. Must not know segments.
"""

import fcntl
import os
from hashlib import sha256
from pathlib import Path

import msgspec

from capture.tape.errors import TapeDamaged, TapeFormat, disk_error
from capture.tape.layout import FORMAT_VERSION, Label, Layout, read_label
from capture.tape.manifest import Manifest


class _Claim(msgspec.Struct, frozen=True):
    format: int


def claimed_version(layout: Layout) -> int:
    """The format version that the label claims, 0 when it cannot be read."""
    try:
        return msgspec.json.decode(layout.label.read_bytes(), type=_Claim).format
    except (OSError, ValueError, RecursionError):
        return 0


def require_version(layout: Layout) -> None:
    """Raises TapeFormat, naming both versions, when the label claims a newer one than this program reads."""
    version = claimed_version(layout)
    if version > FORMAT_VERSION:
        raise TapeFormat(
            f"{layout.label}: has format version {version}, this program reads up to {FORMAT_VERSION}; "
            "use a newer Tapedeck"
        )


def load_identified(root: Path) -> tuple[Label, Manifest]:
    """The label and the manifest of a tape, each vouched for by the other.

    Raises TapeFormat when it is no tape or of a newer version, TapeDamaged when one of them is missing or altered.
    """
    layout = Layout(root)
    if not layout.manifest.exists():
        read_label(root)
    require_version(layout)
    manifest = Manifest.load(layout)
    if manifest.genesis is None:
        manifest.require_sound()
    problem = label_problem(layout, manifest)
    if problem:
        raise TapeDamaged(f"{layout.label}: {problem}; run `tapedeck recover`, or restore it from a copy of the tape")
    return read_label(root), manifest


def label_problem(layout: Layout, manifest: Manifest) -> str:
    """What is wrong with the label by the first line of the manifest, which is readable; empty when nothing is."""
    assert manifest.genesis is not None, "the first line was read"
    try:
        content = layout.label.read_bytes()
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        raise disk_error(error, layout.label, "read the label") from error
    if sha256(content).hexdigest() == manifest.genesis.label.digest():
        return ""
    version = claimed_version(layout)
    return f"is altered: it claims format version {version}" if version > FORMAT_VERSION else "is altered"


def is_recording(layout: Layout) -> bool:
    """Whether somebody holds the tape's lock now."""
    try:
        fd = os.open(layout.lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False  # never written to since it was made, or not ours to open
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(fd)
    return False
