"""What can go wrong with a tape, one class per thing a caller does differently.

Knows only words. Every message is one sentence that names the file, the place in it and the remedy.
"""

import errno
from pathlib import Path
from typing import Final

from core.errors import TapedeckError


class TapeError(TapedeckError):
    """A tape cannot be used as asked; the text is for the operator."""


class TapeLocked(TapeError):  # noqa: N818  reads as what happened
    """Another process is writing this tape."""


class TapeDamaged(TapeError):  # noqa: N818  reads as what happened
    """Bytes of the tape are not what was written; nothing from that place on was used."""


class TapeFormat(TapeError):  # noqa: N818  reads as what happened
    """No tape at all, or one of a newer format version."""


class DiskError(TapeError):
    """The file system refused; the tape is as it was before the attempt."""


_REMEDIES: Final = {
    errno.ENOSPC: "free some space and try again",
    errno.EDQUOT: "raise the quota or free some space and try again",
    errno.EFBIG: "raise the limit on file size and try again",
    errno.EROFS: "remount it writable or choose another place",
    errno.EACCES: "fix its permissions or choose another place",
    errno.EPERM: "fix its permissions or choose another place",
    errno.ENOENT: "check that the path exists",
    errno.EEXIST: "choose another name",
    errno.ENOTDIR: "give the path of a directory",
    errno.EMFILE: "raise the limit on open files and try again",
    errno.EIO: "check the disk, then run `tapedeck recover`",
}


def disk_error(error: OSError, path: Path, action: str) -> DiskError:
    """`error` as one sentence: `action` completes "cannot ..."."""
    what = error.strerror or type(error).__name__
    remedy = _REMEDIES.get(error.errno or 0, "check the disk and try again")
    return DiskError(f"{path}: cannot {action}: {what}; {remedy}")
