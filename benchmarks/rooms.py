"""A virtual environment for each peer, `.venv-bench-<name>` beside the project's own, made once.

A peer that cannot be installed is no error: whoever asks gets the reason. `--quick` installs nothing.
"""

import functools
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.measure import QUICK

ROOT: Final = Path(__file__).resolve().parents[1]
NAMES: Final = ("python3.13", "python3.12", "python3.14", "python3")
INSTALL_S: Final = 900
SAID: Final = 160
"""Characters of an installer's last words that are shown."""


class Missing(Exception):  # noqa: N818  # it is no error that a peer is not there
    """Why something cannot be run here."""


@dataclass(frozen=True, slots=True)
class Room:
    """An environment. packages: of the newest versions that pip finds. oldest: Python that the peer's newest needs."""

    name: str
    packages: tuple[str, ...]
    oldest: tuple[int, int] = (3, 11)


NAUTILUS: Final = Room("nautilus", ("nautilus_trader",), (3, 12))
CRYPTOFEED: Final = Room("cryptofeed", ("cryptofeed",), (3, 13))
HFTBACKTEST: Final = Room("hftbacktest", ("hftbacktest",))
PANDAS: Final = Room("pandas", ("pandas",))


@functools.cache
def python_in(room: Room) -> str:
    """The interpreter of an environment, which is made now if it is not there; raises Missing."""
    place = ROOT / f".venv-bench-{room.name}"
    python, ready = place / "bin" / "python", place / "ready"
    if ready.exists():
        return str(python)
    if QUICK:
        raise Missing("not installed, and --quick installs nothing")
    chosen = next((name for name in _interpreters() if _is_new_enough(name, room.oldest)), None)
    if chosen is None:
        raise Missing(f"no Python {'.'.join(map(str, room.oldest))} or newer")
    _run([chosen, "-m", "venv", "--clear", str(place)])
    _run([str(python), "-m", "pip", "install", "--quiet", "--upgrade", *room.packages])
    ready.touch()
    return str(python)


def _interpreters() -> Iterator[str]:
    yield sys.executable
    yield from NAMES
    for path in sorted((Path.home() / ".pyenv" / "versions").glob("*/bin/python3")):
        yield str(path)


def _is_new_enough(python: str, oldest: tuple[int, int]) -> bool:
    test = f"import sys; sys.exit(sys.version_info < {oldest})"
    try:
        return subprocess.run([python, "-c", test], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def _run(command: list[str]) -> None:
    """Raises Missing with the last line that it said."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    env |= {name: os.environ[name] for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL") if name in os.environ}
    env["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=INSTALL_S, env=env)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{type(error).__name__}: {' '.join(command)[:SAID]}") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no word"]
        raise Missing(f"cannot be installed: {lines[-1][:SAID]}")


@functools.cache
def program(source: Path, place: Path) -> str:
    """A C++ program, compiled for this machine into a directory; raises Missing."""
    out = place / source.stem
    try:
        command = ["g++", "-O3", "-march=native", "-std=c++20", str(source), "-lsimdjson", "-o", str(out)]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=INSTALL_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing("no C++ compiler") from error
    if done.returncode:
        wrong = next((line for line in done.stderr.splitlines() if "error" in line), "no word")
        raise Missing(f"cannot be compiled: {wrong.strip()[:SAID]}")
    return str(out)
