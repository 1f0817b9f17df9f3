"""Peak memory of import, sealing and replay against the length of the tape: ten times as long must take no more.

Each figure is the peak resident size of a process that did nothing else. Must stay light: a child starts with the
peak of the process that forked it.
"""

import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.measure import QUICK, ratio, show

FRAMES: Final = 2_000 if QUICK else 200_000
LENGTHS: Final = (FRAMES, 10 * FRAMES)
WORK: Final = ("nothing", "import", "append and seal", "seal apart", "replay, bytes", "replay, columns", "verify, deep")


def peak_mb(whose: int) -> float:
    """Peak resident size so far, in MB, of this process or of those it started and has seen end."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(whose).ru_maxrss * unit / 1e6


def work(name: str, place: Path, frames: int) -> None:
    """Do one thing, in a process of its own."""
    from benchmarks import memory_work

    memory_work.run(name, place, frames)
    whose = resource.RUSAGE_CHILDREN if name == "seal apart" else resource.RUSAGE_SELF
    sys.stdout.write(f"{peak_mb(whose)}\n")


def measure(name: str, place: Path, frames: int) -> float:
    """Peak MB of a process that does that."""
    command = [sys.executable, "-m", "benchmarks.memory", name, str(place), str(frames)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def main() -> None:
    """Print one line for each kind of work."""
    rows = []
    with TemporaryDirectory(prefix="tapedeck-bench-") as name:
        place = Path(name)
        for frames in LENGTHS:
            measure("make", place, frames)
        for kind in WORK:
            peaks = [measure(kind, place, frames) for frames in LENGTHS]
            rows.append([kind, *(f"{peak:.0f}" for peak in peaks), ratio(peaks[1], peaks[0])])
    header = ("peak resident MB", *(f"{frames:,} frames" for frames in LENGTHS), "ratio")
    notes = [
        "nothing: the same process, everything imported, no tape touched",
        "seal apart: the process that seals full hot segments beside the one that records",
    ]
    show("Memory", header, rows, notes)


if __name__ == "__main__":
    if len(sys.argv) == 4:
        work(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
