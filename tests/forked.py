"""Commands of the program, each in a process of its own that is forked from one which has imported everything already.

What a command does is the same as from a shell, and so are its signals and its pipes; only its start costs milliseconds
and not most of a second. What a start itself promises is for tests that start a shell's way.
"""

import contextlib
import dataclasses
import io
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Final, NamedTuple

import tapedeck
from capture import daemon, startup

READY: Final = (
    *("tapedeck", "numba", "pyarrow.parquet", "replay.importer", "replay.summary", "replay.run", "replay.books"),
    *("replay.cut", "replay.exporter", "replay.render", "replay.progress", "capture.tape.verify"),
    *("capture.tape.recovery", "capture.daemon", "capture.doctor", "capture.dryrun", "capture.preview"),
    *("capture.reporting", "capture.selection", "capture.startup", "capture.status", "typer._adapters"),
)
"""What the commands import, for the process that is forked; what is missing here each of them imports later."""

PATIENCE_S: Final = 60.0
"""How long a command may take to end; only a failure takes that long."""

ROOT: Final = Path(__file__).resolve().parents[1]

_CONTEXT: Final = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(list(READY))


class _Kept(NamedTuple):
    """What a command is to be: as the parameters of Command."""

    arguments: Sequence[str]
    place: Path
    variables: dict[str, str]
    often: bool = False
    roll_bytes: int = 0


class Ended(NamedTuple):
    """How a command ended, and what was left to read of its output."""

    returncode: int
    stdout: bytes
    stderr: bytes


class Command:
    """`tapedeck ARGUMENTS` that runs in `place` with these variables (default: ours) and nothing on standard input.

    often: the status comes ten times a second, not once; otherwise a test waits for it that needs nothing else.
    roll_bytes: how large a hot segment gets before it is sealed, 0 = as large as for everybody.
    """

    def __init__(
        self,
        *arguments: str,
        place: Path = ROOT,
        environ: Mapping[str, str] | None = None,
        often: bool = False,
        roll_bytes: int = 0,
    ) -> None:
        pipes = [_CONTEXT.Pipe(duplex=False) for _ in range(2)]
        variables = dict(os.environ if environ is None else environ)
        ends = tuple(writing for _, writing in pipes)
        kept = _Kept(arguments, place, variables, often, roll_bytes)
        self._process = _CONTEXT.Process(target=_command, args=(kept, *ends))
        self._process.start()
        self.stdout, self.stderr = (_stream(reading) for reading, _ in pipes)
        for end in ends:
            end.close()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process.pid is not None
        return self._process.pid

    def send(self, number: signal.Signals) -> None:
        """A signal, if it is still there."""
        if self._process.exitcode is None:
            os.kill(self.pid, number)

    def ended(self, timeout_s: float = PATIENCE_S) -> Ended:
        """Wait for its end; AssertionError when it does not come in time."""
        texts: dict[io.BufferedReader, bytes] = {}
        streams = (self.stdout, self.stderr)
        readers = [
            threading.Thread(target=lambda stream=stream: texts.update({stream: stream.read()})) for stream in streams
        ]
        for reader in readers:
            reader.start()
        self._process.join(timeout_s)
        code = self._process.exitcode
        if code is None:
            self._process.kill()
        for reader in readers:
            reader.join()
        assert code is not None, f"no end within {timeout_s:g} s; {texts}"
        return Ended(code, *(texts[stream] for stream in streams))

    def close(self) -> None:
        """Kill it if it is still there, and leave nothing behind."""
        self._process.kill()
        self._process.join()
        self._process.close()
        self.stdout.close()
        self.stderr.close()


def run(*arguments: str, place: Path = ROOT, environ: Mapping[str, str] | None = None) -> Ended:
    """A command from its start to its end."""
    command = Command(*arguments, place=place, environ=environ)
    try:
        return command.ended()
    finally:
        command.close()


def call(work: Callable[..., Any], *arguments: Any) -> int:
    """The exit code of a process that does some work: a function of a module."""
    process = _CONTEXT.Process(target=work, args=arguments)
    process.start()
    process.join(PATIENCE_S)
    code = process.exitcode
    process.kill()
    process.join()
    process.close()
    assert code is not None, f"{work} did not end in {PATIENCE_S:g} s"
    return code


@contextlib.contextmanager
def started(
    arguments: list[str], place: Path, variables: dict[str, str], *outputs: Connection
) -> Iterator[ForkServerProcess]:
    """A command that writes to these: standard output and error, which are closed here. It is killed at the end."""
    process = _CONTEXT.Process(target=_command, args=(_Kept(arguments, place, variables), *outputs))
    process.start()
    for output in outputs:
        output.close()
    try:
        yield process
    finally:
        process.kill()
        process.join()
        process.close()


def _stream(reading: Any) -> io.BufferedReader:
    number = os.dup(reading.fileno())
    reading.close()
    return os.fdopen(number, "rb")


def _command(kept: _Kept, *ends: Any) -> None:
    os.chdir(kept.place)
    os.environ.clear()
    os.environ.update(kept.variables)
    for number, end in enumerate(ends, start=1):
        os.dup2(end.fileno(), number)
        end.close()
    if kept.often:
        daemon.EVERY_S = 0.1  # type: ignore[misc]  # a constant, and this process the test's own
    if kept.roll_bytes:
        options = dataclasses.replace(startup.OPTIONS, roll_bytes=kept.roll_bytes)
        startup.OPTIONS = options  # type: ignore[misc]  # as above
    sys.argv = ["tapedeck", *kept.arguments]
    tapedeck.main()
