"""Sealing in a process of its own, so that it takes no time of the interpreter that receives frames.

Knows the two ends of a pipe: numbers of hot segments go in, one line of JSON a segment comes out. Must not know how a
segment is sealed. The child holds the tape's lock too and dies with its parent, so nobody recovers under its hands.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import msgspec

from capture.tape.errors import TapeError
from capture.tape.layout import Layout, hot_numbers
from capture.tape.sealer import seal_hot_segment
from capture.tape.thrift import give_back

NICENESS: Final = 10
"""Receiving comes first where both want the same core. What keeps up runs at idle priority even: see `_seal_idly`."""

PATIENCE_S: Final = 10.0
"""How long a segment may take: ten times what it needs on an idle machine. Then the child is taken to be starved at
idle priority, from which it cannot rise by itself, and a new one does it, whose first is not idle."""

STOP_S: Final = 10.0
"""How long a child that was told to end may take; it is idle by then."""

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
_START: Final = "import sys; sys.path[:] = {path!r}; from capture.tape.sealing import serve; serve({root!r}, {parent})"


class _Done(msgspec.Struct, frozen=True):
    """What the child says of a segment; problem "" = it is sealed."""

    number: int
    problem: str = ""


class SealProcess:
    """Seals segments in a child that is started with the first one; called by one thread at a time.

    lock_fd: descriptor of the tape's lock, which the child shares.
    """

    def __init__(self, lock_fd: int) -> None:
        self._lock_fd = lock_fd
        self._child: subprocess.Popen[bytes] | None = None

    def __call__(self, root: Path, number: int) -> None:
        """Return when the segment is sealed; TapeError when it is not, and that may be tried again."""
        line = self._ask(root, number)
        if line is None:
            self._reap(kill=True)
            line = self._ask(root, number)
        if not line:
            raise TapeError(f"{root}: the sealing process ended ({self._reap()}); it is started again with a new try")
        done = msgspec.json.decode(line, type=_Done)
        assert done.number == number, f"asked for segment {number}, told of {done.number}"
        if done.problem:
            raise TapeError(done.problem)

    def _ask(self, root: Path, number: int) -> bytes | None:
        """The child's line; b"" when it ended instead, None when it starves. The first of a child may take long."""
        patience_s = None if self._child is None else PATIENCE_S
        child = self._child = self._child or self._start(root)
        assert child.stdin is not None and child.stdout is not None
        try:
            child.stdin.write(b"%d\n" % number)
            child.stdin.flush()
            if not select.select([child.stdout], [], [], patience_s)[0]:
                return None
            line = child.stdout.readline()
        except OSError:
            return b""
        return line if line.endswith(b"\n") else b""

    def stop(self) -> None:
        """End the child, which must be idle."""
        self._reap()

    def _start(self, root: Path) -> "subprocess.Popen[bytes]":
        code = _START.format(path=sys.path, root=str(root.absolute()), parent=os.getpid())
        return subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=(self._lock_fd,)
        )

    def _reap(self, *, kill: bool = False) -> str:
        """End the child whatever it does; how it ended. kill: do not let it finish."""
        child, self._child = self._child, None
        if child is None:
            return "it was not running"
        assert child.stdin is not None and child.stdout is not None
        with contextlib.suppress(OSError):  # it went before it had read everything
            child.stdin.close()
        if kill:
            child.kill()
        try:
            code = child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            code = child.wait()
        child.stdout.close()
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def serve(root: str, parent: int) -> None:
    """The child: seal what standard input names until it ends. It outlives signals to its group, not its parent."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return  # it died before we asked to be told
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICENESS)
    give_back()
    seal = _seal  # the first one also loads, perhaps compiles, what all need: with crumbs of a core that takes hours
    for line in sys.stdin.buffer:
        answer = msgspec.json.encode(seal(Path(root), int(line)))
        seal = _seal_idly
        sys.stdout.buffer.write(answer + b"\n")
        sys.stdout.buffer.flush()


def _seal_idly(root: Path, number: int) -> _Done:
    """As `_seal`, at idle priority when just the segment that is being written is newer.

    Where both want the same core, a merely nice process is let finish its slice of 3 ms first; an idle one goes at
    once. But on a machine without an idle moment it gets 0.3 % of a core or less: not with more segments waiting, nor
    when somebody waits for the last one; see PATIENCE_S. A thread, for only privileged ones may rise again.
    """
    newer = [other for other in hot_numbers(Layout(root)) if other > number]
    if len(newer) != 1:
        return _seal(root, number)
    with ThreadPoolExecutor(1, initializer=_become_idle) as pool:
        return pool.submit(_seal, root, number).result()


def _become_idle() -> None:
    with contextlib.suppress(AttributeError, OSError):  # not Linux, or forbidden: nice it is already
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))  # of this thread alone


def _seal(root: Path, number: int) -> _Done:
    try:
        seal_hot_segment(root, number)
    except TapeError as error:
        return _Done(number, str(error))
    except OSError as error:
        return _Done(number, f"{root}: cannot seal hot segment {number}: {error.strerror or error}; check the disk")
    return _Done(number)
