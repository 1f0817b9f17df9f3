"""Leaves checkpoints behind while a tape is recorded, in a process of its own that comes and goes.

Knows when it is due and how the process is started and ended. Must not know what a checkpoint holds. The recorder's own
fold cannot do it: it began with its session, not with the tape, and writing a state down would hold up the thread that
keeps the books. A process takes nothing from the recorder but idle time of a core, and whatever becomes of it, the tape
and its sealing do not depend on it.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from capture.tape.errors import TapeError
from capture.tape.layout import Layout
from capture.tape.reader import Tape
from replay.summary import mark

REST_S: Final = 60.0
"""From one start to the next at least: a start costs a third of a second of an idle core."""

MOST_FAILURES: Final = 3
"""So many in a row, and it is left alone: a tape that cannot be folded does not become one that can."""

NICENESS: Final = 19
"""Everything else comes first."""

STOP_S: Final = 5.0
"""What a process that was told to end gets: it does within a few thousand records, or once a state is written."""


class Marker:
    """Looks whether segments of a tape were sealed, and has checkpoints left behind now and then; used by one thread.

    What an earlier recorder left unmarked is due at once, what this one seals then and when. clock: monotonic seconds.
    """

    def __init__(self, tape: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._tape = tape
        self._manifest = Layout(tape).manifest
        self._clock = clock
        self._child: subprocess.Popen[bytes] | None = None
        self._is_new = not self._manifest.exists()
        self._marked_size = -1  # of the manifest, which grows with each segment that is sealed
        self._due_s = clock()
        self._failures = 0

    def observe(self) -> None:
        """Start a process if one is due; returns at once."""
        if self._child is not None:
            code = self._child.poll()
            if code is None:
                return
            self._child = None
            self._failures = self._failures + 1 if code else 0
        size = self._manifest_size()
        if self._is_new and size >= 0:  # nothing is sealed yet, or so little that the next time will do
            self._is_new, self._marked_size = False, size
        if size > self._marked_size and self._clock() >= self._due_s and self._failures < MOST_FAILURES:
            self._marked_size, self._due_s = size, self._clock() + REST_S
            self._child = _start(self._tape)

    def _manifest_size(self) -> int:
        try:
            return self._manifest.stat().st_size
        except OSError:
            return -1

    def wait(self, timeout_s: float) -> int | None:
        """Return when what is under way is done: its exit code, None = there is none. Raises TimeoutExpired."""
        return None if self._child is None else self._child.wait(timeout_s)

    def close(self) -> None:
        """End what is under way; it leaves nothing half written. More than once is fine."""
        child, self._child = self._child, None
        if child is None:
            return
        child.terminate()
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _start(tape: Path) -> "subprocess.Popen[bytes]":
    places = os.pathsep.join(place for place in sys.path if place)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "replay.marking", os.fspath(tape.absolute()), str(os.getpid())],
        env={**os.environ, "PYTHONPATH": places},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def serve(tape: str, parent: int) -> None:
    """The process: mark a tape once; it ends early when it is told to, or when whoever started it is gone.

    SystemExit 1 when the tape cannot be folded: a segment was archived, or there is damage, which `verify` tells of.
    """
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: told.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the whole group: the recorder tells us when it is done
    os.nice(NICENESS)

    def _stay(_done: int, _total: int) -> None:
        if told or os.getppid() != parent:
            raise SystemExit(0)

    try:
        mark(Tape.open(Path(tape)), _stay)
    except TapeError as error:
        raise SystemExit(1) from error


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
