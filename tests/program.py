"""The program as a process of its own, as a script starts it, and the first lines that it prints."""

import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
READY_S: Final = 30.0


@contextmanager
def running(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """The program as its own process; killed at the end if it is still there."""
    command = [sys.executable, str(ROOT / "tapedeck.py"), *map(str, arguments)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def first_lines(process: subprocess.Popen[str], count: int) -> list[str]:
    """The first lines of standard output, each within the deadline."""
    assert process.stdout is not None
    text = b""
    while text.count(b"\n") < count:
        assert select.select([process.stdout], [], [], READY_S)[0], "nothing was printed"
        more = os.read(process.stdout.fileno(), 65_536)
        assert more, f"the program ended: {process.communicate()[1]}"
        text += more
    return text.decode().splitlines(keepends=True)
