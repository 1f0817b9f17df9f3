"""The frames that all engines get, once they are prepared: where their files lie and what must be seen in them.

Light to import: the process that starts the engines must stay small, for a child begins with its parent's peak of
memory.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.job import Seen
from benchmarks.measure import QUICK
from benchmarks.rooms import ROOT

SYNTHETIC: Final = "synthetic"
REAL: Final = "real"
DEEP: Final = "deep"
PEERS: Final = "peers"

FRAMES: Final = 5_000 if QUICK else 1_000_000
MARKETS: Final = 20 if QUICK else 200
INPUTS: Final = "TAPEDECK_BENCH_INPUTS"
"""Environment variable: a directory in which prepared inputs stay for the next run. Without it they are removed."""


@dataclass(frozen=True, slots=True)
class Workload:
    """Prepared frames. place: where their files lie. bytes: of all frames as text."""

    name: str
    place: Path
    frames: int
    bytes: int
    markets: tuple[str, ...]
    expected: Seen

    @property
    def tape(self) -> Path:
        """The sealed tape."""
        return self.place / "tape"


@contextmanager
def inputs() -> Iterator[Path]:
    """Where prepared inputs lie: the directory that INPUTS names, or one that goes away afterwards."""
    kept = os.environ.get(INPUTS)
    if kept and not QUICK:
        Path(kept).mkdir(parents=True, exist_ok=True)
        yield Path(kept)
        return
    with TemporaryDirectory(prefix="tapedeck-bench-") as name:
        yield Path(name)


def synthetic(place: Path) -> Workload:
    """Made frames, for the peers too."""
    where = place / SYNTHETIC
    _prepare(where, [SYNTHETIC, str(FRAMES), str(MARKETS), PEERS])
    return load(where, SYNTHETIC)


def sized(place: Path, frames: int, markets: int) -> Workload:
    """Made frames of some length and number of markets, for ours alone."""
    where = place / f"{SYNTHETIC}-{frames}-{markets}"
    _prepare(where, [SYNTHETIC, str(frames), str(markets)])
    return load(where, SYNTHETIC)


def deep(place: Path, frames: int, levels: int) -> Workload:
    """Made frames of books with so many levels a side."""
    where = place / f"{DEEP}-{frames}-{levels}"
    _prepare(where, [DEEP, str(frames), str(levels)])
    return load(where, DEEP)


def real(place: Path) -> Workload | None:
    """The gold and bitcoin recordings joined, when they are there; not for --quick."""
    if QUICK:
        return None
    where = place / REAL
    _prepare(where, [REAL])
    return load(where, REAL) if (where / "about.json").exists() else None


def _prepare(where: Path, words: list[str]) -> None:
    """Have it done in a process of its own, if it is not done."""
    if not (where / "about.json").exists():
        subprocess.run([sys.executable, "-m", "benchmarks.prepare", str(where), *words], cwd=ROOT, check=True)


def load(where: Path, name: str) -> Workload:
    """What was prepared."""
    about = json.loads((where / "about.json").read_text(encoding="utf-8"))
    expected = Seen(**about["expected"])
    return Workload(name, where, about["frames"], about["bytes"], tuple(about["markets"]), expected)
