"""How the benchmarks measure and print: interleaved repetitions, medians, ratios, and what machine this was.

Knows nothing of tapes. Light to import, so that a benchmark of memory may use it.
"""

import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

QUICK: Final = "--quick" in sys.argv
"""A small made recording and one repetition: shows that a benchmark runs, its figures mean nothing."""

ROUNDS: Final = "--rounds="

REPETITIONS: Final = next(
    (int(word.removeprefix(ROUNDS)) for word in sys.argv if word.startswith(ROUNDS)), 1 if QUICK else 3
)

LIBRARIES: Final = ("msgspec", "numpy", "pyarrow", "numba")


def seconds(run: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def interleaved(cases: Mapping[str, Callable[[], object]], repetitions: int = REPETITIONS) -> dict[str, float]:
    """Median seconds of each case; they take turns, so that a slow spell of the machine falls on all of them."""
    times: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(repetitions):
        for name, run in cases.items():
            times[name].append(seconds(run))
    return {name: statistics.median(values) for name, values in times.items()}


def facts() -> str:
    """The day, the machine without its name, and the versions."""
    found = []
    for library in LIBRARIES:
        try:
            found.append(f"{library} {version(library)}")
        except ModuleNotFoundError:
            found.append(f"no {library}")
    python = f"{platform.python_implementation()} {platform.python_version()}"
    machine = f"{os.cpu_count()} cores ({processor()}), {platform.system()} {platform.machine()}"
    return f"{datetime.now(UTC).date()}: {machine}, {python}, {', '.join(found)}"


def processor() -> str:
    """The model, where the system says it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or "of unknown make"


def show(title: str, header: Sequence[str], rows: Iterable[Sequence[str]], notes: Sequence[str] = ()) -> None:
    """Print a table: first column to the left, the others to the right."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    print(f"\n{title}")
    for line in lines:
        cells = [
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        print("  " + "  ".join(cells).rstrip())
    for note in notes:
        print(f"  {note}")


def rate(frames: int, taken_s: float) -> str:
    """Frames a second, with thousands separated."""
    return f"{frames / taken_s:,.0f}"


def ratio(value: float, other: float) -> str:
    """`value` as a multiple of `other`."""
    return f"{value / other:.2f}x"


def quantile(values: list[float], share: float) -> float:
    """Between two of these, which rise."""
    place = (len(values) - 1) * share
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (place - low)
