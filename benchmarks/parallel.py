"""What a second process brings when several tapes are replayed: four equal tapes, two at a time against one.

The yardstick of the same run: a loop that only counts, in one process and divided between two. Where something else is
running on the machine, that gains less than twice, too.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.measure import QUICK, REPETITIONS, interleaved, ratio, show
from benchmarks.recordings import made
from replay.importer import import_recording
from replay.many import Terms, cores, play_all
from replay.run import Run

TAPES: Final = 4
JOBS: Final = 2
FRAMES: Final = 5_000 if QUICK else 400_000
"""Of each tape: where a replay takes a tenth of a second the start of a process is most of what is measured."""

TURNS: Final = 1_000_000 if QUICK else 200_000_000
PATHS: Final = ("bytes", "columns")


def count(jobs: int) -> None:
    """A loop of TURNS, divided between so many processes."""
    command = [sys.executable, "-c", f"for _ in range({TURNS // jobs}): pass"]
    for process in [subprocess.Popen(command) for _ in range(jobs)]:
        process.wait()


def replay(tapes: list[Path], path: str, jobs: int) -> None:
    """Replay all tapes; equal tapes must lead to equal states."""
    results = play_all(tapes, Terms(path=path), jobs)
    states = {result.state_digest if isinstance(result, Run) else repr(result) for result in results}
    assert len(states) == 1, states


def main() -> None:
    """Make the tapes once and replay them several times."""
    with TemporaryDirectory(prefix="tapedeck-bench-") as name:
        place = Path(name)
        tapes = [place / f"tape-{number}" for number in range(TAPES)]
        import_recording(made(place, FRAMES).files, tapes[0])
        for tape in tapes[1:]:
            shutil.copytree(tapes[0], tape)
        replay(tapes, "columns", JOBS)  # compiles, and leaves checkpoints
        cases: dict[str, Callable[[], None]] = {}
        for jobs in (1, JOBS):
            cases |= {f"{path} {jobs}": partial(replay, tapes, path, jobs) for path in PATHS}
            cases[f"count {jobs}"] = partial(count, jobs)
        took = interleaved(cases)
    rows = []
    for case in (*PATHS, "count"):
        one, several = took[f"{case} 1"], took[f"{case} {JOBS}"]
        rows.append([case, f"{one:.2f}", f"{several:.2f}", ratio(one, several)])
    notes = [
        f"{TAPES} equal tapes of {FRAMES:,} frames, {cores()} cores; processes started anew each time, states equal",
        f"medians of {REPETITIONS}, taking turns",
    ]
    show("Replay of several tapes, seconds", ("path", "1 job", f"{JOBS} jobs", "speed-up"), rows, notes)


if __name__ == "__main__":
    main()
