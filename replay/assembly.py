"""A tape in the making: aside under another name, sealed by threads of its own, and then all there at once.

Knows what is in place at every instant: nothing called OUT until the whole tape is. What a killed process leaves
lies in `OUT.partial-*` and is removed by the next one that makes OUT. Must not know where the records come from.
"""

import os
import shutil
import tempfile
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np

from capture.tape.errors import DiskError, TapeError, TapeLocked, disk_error
from capture.tape.layout import Label, fsync_dir
from capture.tape.lines import Entry, Facts
from capture.tape.lock import TapeLock
from capture.tape.schema import RawBatch
from capture.tape.sealer import commit_segment, create_tape, write_batch
from capture.tape.segment import open_unverified

WAITING_BATCHES: Final = 2  # being committed, which needs its file alone, and being written
_ATTEMPTS: Final = 16


class Numbering:
    """How often the exchange's numbering skips, per (connection, sid), over batches in order."""

    def __init__(self) -> None:
        self.sequenced = 0
        self.jumps = 0
        self._last: dict[int, int] = {}

    def observe(self, connection: Any, sid: Any, exchange_seq: Any) -> None:
        """The columns (integer arrays) of the frames that have a seq, in tape order."""
        if not len(sid):
            return
        key = (connection.astype(np.int64) << 32) | sid.astype(np.int64)
        order = np.argsort(key, kind="stable")
        key, seq = key[order], exchange_seq[order].astype(np.int64)
        starts = np.flatnonzero(np.diff(key, prepend=key[0] - 1))
        ends = np.append(starts[1:], len(key)) - 1
        steps = np.diff(seq, prepend=seq[0])
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            steps[start] = seq[start] - self._last.get(int(key[start]), int(seq[start]))
            self._last[int(key[start])] = int(seq[end])
        self.sequenced += len(key)
        self.jumps += int((steps > 1).sum())


class Aside:
    """A new directory beside `out`, where what shall lie there is made; a context manager that removes it at the end.

    path: the directory. Raises TapeError when something lies at `out`, DiskError when its directory takes nothing new.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        refuse_existing(out)
        _remove_leftovers(out)
        self.path, self._lock = _claim(out)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def give(self, made: Path) -> None:
        """Put what was made in it in its place, durably. Raises TapeError when something lies there, DiskError."""
        refuse_existing(self.out)
        try:
            made.rename(self.out)
            fsync_dir(self.out.parent)
        except OSError as error:
            raise disk_error(error, self.out, "put the tape in its place") from error

    def remove(self) -> None:
        """Remove whatever was not given."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.release()


class Assembly:
    """A new tape being made; a context manager that removes what is not finished.

    Raises TapeError when something lies at `out`, DiskError when its directory takes no new tape.
    """

    def __init__(self, out: Path, label: Label) -> None:
        self.out = out
        self.numbering = Numbering()
        self.segments = 0
        self._aside = Aside(out)
        # One thread writes segments, the next reads each back and commits it: nearly all of both is outside the GIL.
        self._writer = ThreadPoolExecutor(1, "writer")
        self._committer = ThreadPoolExecutor(1, "committer")
        self._written: Facts | None = None
        self._writing: Future[Facts] | None = None
        self._waiting: deque[Future[Entry]] = deque()
        try:
            self._manifest = create_tape(self._aside.path / "tape", label)
        except BaseException:
            self._remove()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def seal(self, batch: RawBatch) -> None:
        """Hand over the next records, of one UTC day. Raises DiskError.

        Waits until the ones before are written, and those before them committed: with the batch that is filled
        meanwhile there are two in memory.
        """
        if self._writing is not None:
            self._writing.result()
        while len(self._waiting) >= WAITING_BATCHES:
            self._waiting.popleft().result()
        self._writing = self._writer.submit(self._write, batch)
        self._waiting.append(self._committer.submit(self._commit, self._writing))

    def finish(self) -> None:
        """Seal the rest and put the tape in its place, durably. Raises TapeError, DiskError."""
        while self._waiting:
            self._waiting.popleft().result()
        self._aside.give(self._aside.path / "tape")

    def _write(self, batch: RawBatch) -> Facts:
        self._written = write_batch(self._manifest, batch, self._written)
        return self._written

    def _commit(self, written: Future[Facts]) -> Entry:
        entry = commit_segment(self._manifest, written.result())
        self.segments += 1
        names = ["connection", "sid", "exchange_seq"]
        for table in open_unverified(self._manifest.layout.root / entry.file).groups(names):
            numbered = table.drop_null()
            self.numbering.observe(*(numbered.column(name).to_numpy() for name in names))
        return entry

    def _remove(self) -> None:
        self._writer.shutdown(wait=True, cancel_futures=True)
        self._committer.shutdown(wait=True, cancel_futures=True)
        self._aside.remove()


def refuse_existing(out: Path) -> None:
    """Raises TapeError when something lies at the place of a new tape, be it a link to nowhere."""
    if os.path.lexists(out):
        raise TapeError(f"{out}: exists already; choose another name for the new tape, or remove it first")


def _prefix(out: Path) -> str:
    return f"{out.name}.partial-"


def _claim(out: Path) -> tuple[Path, TapeLock]:
    """A new directory beside `out` and the lock that says somebody is at work in it."""
    for _ in range(_ATTEMPTS):
        try:
            aside = Path(tempfile.mkdtemp(prefix=_prefix(out), dir=out.parent))
        except OSError as error:
            raise disk_error(error, out.parent, "make a tape here") from error
        try:
            return aside, TapeLock(aside / "LOCK")
        except (TapeLocked, DiskError):
            if aside.exists():  # else somebody took the new directory, not locked yet, for a leftover
                shutil.rmtree(aside, ignore_errors=True)
                raise
    raise TapeError(f"{out}: other processes keep removing the unfinished tape; try again")


def _remove_leftovers(out: Path) -> None:
    """Remove what killed processes left of the same tape; what is locked belongs to one that lives."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        names = sorted(path.name for path in out.parent.iterdir())
    except OSError as error:
        raise disk_error(error, out.parent, "look for unfinished tapes") from error
    for name in names:
        path = out.parent / name
        if not name.startswith(_prefix(out)) or path.is_symlink() or not path.is_dir():
            continue
        try:
            with TapeLock(path / "LOCK"):
                shutil.rmtree(path, ignore_errors=True)
        except (TapeLocked, DiskError):
            continue
