"""Several tapes replayed side by side, each whole in one process; the answers do not depend on how many processes.

Knows processes and the pipes to them. Must not know what a replay does, nor how its result is shown.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec

from capture.tape.thrift import give_back
from core.errors import TapedeckError
from replay import open_tape
from replay.progress import Progress, silent
from replay.run import Comparison, Run, Span, compare, run

BOTH: Final = "both"
"""The path that is both of them, compared."""

STOP_S: Final = 10.0
"""How long a process that has nothing to do may take to end."""

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
_START: Final = "import sys; sys.path[:] = {path!r}; from replay.many import serve; serve({fd}, {parent})"


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """How tapes are replayed: see `replay.run`. path: bytes, columns or both."""

    path: str = "columns"
    span: Span = Span()
    strategies: bool = True


class Unplayed(msgspec.Struct, frozen=True, kw_only=True):
    """A tape that could not be played, and why: one sentence that names it."""

    tape: str
    problem: str


Result: TypeAlias = Run | Comparison | Unplayed


def plain(result: Result) -> Any:
    """What `--json` says of a tape."""
    return result.as_json() if isinstance(result, Comparison) else result


def slow_glances(result: Result) -> tuple[str, ...]:
    """The strategies whose glance was not compiled, and why."""
    if isinstance(result, Comparison):
        result = result.by_columns
    return result.slow_glances if isinstance(result, Run) else ()


def exit_code(results: Sequence[Result]) -> int:
    """2 = a tape could not be played, 1 = two paths differ, else 0."""
    if any(isinstance(result, Unplayed) for result in results):
        return 2
    return 1 if any(isinstance(result, Comparison) and not result.equal for result in results) else 0


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))


def play(tape: Path, terms: Terms, progress: Progress = silent) -> Run | Comparison:
    """Replay one tape in this process, which from now on keeps no large block that is free; progress in records.

    Raises TapeError, ConfigError.
    """
    give_back()
    opened = open_tape(tape)
    if terms.path == BOTH:
        return compare(opened, terms.span, progress, strategies=terms.strategies)
    return run(opened, terms.path, terms.span, progress, strategies=terms.strategies)


def play_all(tapes: Sequence[Path], terms: Terms, jobs: int, progress: Progress = silent) -> list[Result]:
    """Replay each tape in one of at most `jobs` processes; the results in the order of the tapes.

    A tape that cannot be played, or whose process died, is Unplayed, and the others go on. Progress in percent of all
    tapes. Whatever ends this early (Ctrl-C too) ends the processes at once.
    """
    assert jobs >= 1, f"{jobs} processes play nothing"
    found: dict[int, Result] = {}
    done = [0.0] * len(tapes)
    left = deque(enumerate(tapes))
    workers: dict[Connection, _Worker] = {}
    try:
        while len(found) < len(tapes):
            while left and len(workers) < jobs:
                with _uninterrupted():
                    worker = _Worker(terms)
                    workers[worker.pipe] = worker
                worker.give(*left.popleft())
            for pipe in wait(list(workers)):
                worker = workers[pipe]  # type: ignore[index]  # they are those that it was given
                said = worker.take()
                if isinstance(said, float):
                    done[worker.index] = said
                    progress(int(100 * sum(done) / len(done)), 100)
                    continue
                found[worker.index], done[worker.index] = said, 1.0
                if left and not worker.is_dead:
                    worker.give(*left.popleft())
                else:
                    del workers[worker.pipe]
                    worker.stop()
    finally:
        for worker in workers.values():
            worker.kill()
    return [found[index] for index in range(len(tapes))]


class _Worker:
    """A process that replays one tape after another. index, tape: what it has now; is_dead: it plays no more."""

    def __init__(self, terms: Terms) -> None:
        self.index, self.tape = -1, Path()
        self.is_dead = False
        self.pipe, theirs = Pipe()
        with theirs:
            code = _START.format(path=sys.path, fd=theirs.fileno(), parent=os.getpid())
            self._process = subprocess.Popen([sys.executable, "-c", code], pass_fds=(theirs.fileno(),))
        self._send(terms)

    def give(self, index: int, tape: Path) -> None:
        """Have it replay a tape; it must be idle."""
        self.index, self.tape = index, tape
        self._send(tape)

    def take(self) -> float | Result:
        """What it says next: the part of its tape that it has played, or the result. Waits for that."""
        try:
            said: float | Result = self.pipe.recv()
        except (EOFError, OSError):
            self.is_dead = True
            how = f"{self.tape}: the process that replayed it ended ({self._reap()})"
            said = Unplayed(tape=str(self.tape), problem=f"{how}; where memory is short, give fewer --jobs")
        return said

    def stop(self) -> None:
        """End it, which has nothing to do."""
        self.pipe.close()
        self._reap()

    def kill(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self.stop()

    def _send(self, what: Any) -> None:
        with contextlib.suppress(OSError):  # it is gone, and `take` will say so
            self.pipe.send(what)

    def _reap(self) -> str:
        """Wait until it has ended; how it did."""
        try:
            code = self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C waits. A process that is started meanwhile never sees it, even in its first instants: it is ended here."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def serve(fd: int, parent: int) -> None:
    """The process: replay what comes through the pipe until it ends. It dies with its parent."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return  # it died before we asked to be told
    with Connection(fd) as pipe, contextlib.suppress(EOFError):
        terms: Terms = pipe.recv()
        while True:
            pipe.send(_result(pipe.recv(), terms, pipe))


def _result(tape: Path, terms: Terms, pipe: Connection) -> Result:
    try:
        return play(tape, terms, lambda done, total: pipe.send(done / total if total else 0.0))
    except (TapedeckError, OSError) as error:
        said = str(error)
        return Unplayed(tape=str(tape), problem=said if str(tape) in said else f"{tape}: {said}")
