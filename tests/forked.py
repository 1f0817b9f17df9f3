"""The program's commands, each in a process of its own that is forked from one which has imported everything already.

What a command does is the same as from a shell; only its start costs milliseconds and not most of a second.
"""

import multiprocessing
import os
import sys
from pathlib import Path
from typing import Final, NamedTuple

import tapedeck

READY: Final = (
    *("tapedeck", "numba", "pyarrow.parquet", "replay.importer", "replay.summary", "replay.run", "replay.books"),
    *("replay.cut", "replay.exporter", "replay.render", "capture.tape.verify", "capture.tape.recovery"),
)
"""What the commands for tapes import; what is missing here is only imported later, by each."""

PATIENCE_S: Final = 60.0
"""How long a command may take; only a failure takes that long."""

_CONTEXT: Final = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(list(READY))


class Ended(NamedTuple):
    """How a command ended, and what it wrote."""

    returncode: int
    stdout: bytes
    stderr: bytes


def run(arguments: list[str], place: Path) -> Ended:
    """`tapedeck ARGUMENTS` in a directory, with nothing on its standard input."""
    files = place / ".stdout", place / ".stderr"
    process = _CONTEXT.Process(target=_command, args=(arguments, place, dict(os.environ), *files))
    process.start()
    process.join(PATIENCE_S)
    code = process.exitcode
    if code is None:
        process.kill()
        process.join()
    process.close()
    assert code is not None, f"{arguments} did not end in {PATIENCE_S} s"
    written = [file.read_bytes() for file in files]
    for file in files:
        file.unlink()
    return Ended(code, *written)


def _command(arguments: list[str], place: Path, environ: dict[str, str], out: Path, err: Path) -> None:
    os.chdir(place)
    os.environ.clear()
    os.environ.update(environ)
    for number, file in ((1, out), (2, err)):
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.argv = ["tapedeck", *arguments]
    tapedeck.main()
