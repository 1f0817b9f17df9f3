"""What a record costs, and peak memory, against the length of the tape, the number of markets and of levels.

Each figure is of a process of its own; medians, the sizes taking turns. Goals: flat in the length of the tape, at most
logarithmic in markets and levels.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.engines import BY_BYTES, ENGINES, OURS, Engine, Outcome
from benchmarks.job import EVERY, TOP
from benchmarks.measure import QUICK, REPETITIONS, ratio, show
from benchmarks.workload import Workload, deep, inputs, sized

LENGTHS: Final = (2_000, 8_000) if QUICK else (250_000, 1_000_000, 4_000_000)
MARKETS: Final = (1, 20) if QUICK else (1, 20, 200, 1_000, 5_000)
LEVELS: Final = (10, 100) if QUICK else (10, 100, 1_000, 4_000)
FRAMES: Final = 4_000 if QUICK else 250_000
"""Of a tape whose markets or levels are varied."""

MANY_MARKETS: Final = 20 if QUICK else 200
LIMIT_MB: Final = 400


@dataclass(frozen=True, slots=True)
class Way:
    """One way to play. name: as the tables call it."""

    name: str
    engine: Engine
    strategy: str


def ways() -> list[Way]:
    """Those that are watched."""
    engines = {engine.name: engine for engine in ENGINES}
    return [
        Way("top", engines[OURS], TOP),
        Way("every record", engines[OURS], EVERY),
        Way("by bytes", engines[BY_BYTES], EVERY),
    ]


def played(workloads: Sequence[Workload]) -> dict[tuple[str, int], list[Outcome]]:
    """Every way over every workload, taking turns; by the way's name and the workload's place among them."""
    found: dict[tuple[str, int], list[Outcome]] = {}
    for _ in range(REPETITIONS):
        for number, workload in enumerate(workloads):
            for way in ways():
                outcome = way.engine.run(workload, way.strategy)
                assert not outcome.wrong, f"{way.name}, {workload.place.name}: {outcome.wrong}"
                found.setdefault((way.name, number), []).append(outcome)
    return found


def growth(title: str, sizes: Sequence[int], workloads: Sequence[Workload]) -> None:
    """Print CPU ns a record, of all threads, and peak memory for each size."""
    found = played(workloads)
    rows = []
    for way in ways():
        runs = [found[way.name, number] for number in range(len(sizes))]
        counts = [workload.frames for workload in workloads]
        each = [
            statistics.median(run.cpu_s for run in some) / count * 1e9 for some, count in zip(runs, counts, strict=True)
        ]
        peaks = [max(run.peak_mb for run in some) for some in runs]
        rows.append([f"{way.name}, CPU ns a record", *(f"{value:,.0f}" for value in each), *trend(each, sizes)])
        rows.append([f"{way.name}, peak MB", *(f"{peak:.0f}" for peak in peaks), *trend(peaks, sizes)])
    header = (title, *(f"{size:,}" for size in sizes), "last/first", "exponent")
    logs = math.log(sizes[-1]) / math.log(max(sizes[0], 2))
    notes = [
        f"medians of {REPETITIONS}; exponent: 0 = flat, 1 = in proportion; the sizes' logarithms grow {logs:.1f}x",
        f"peaks must stay under {LIMIT_MB} MB",
    ]
    show(f"Growth with {title}", header, rows, notes)


def trend(values: Sequence[float], sizes: Sequence[int]) -> tuple[str, str]:
    """The last by the first, and the power of the size that would make as much."""
    grown = values[-1] / values[0]
    return ratio(values[-1], values[0]), f"{math.log(grown) / math.log(sizes[-1] / sizes[0]):.2f}"


def main() -> None:
    """Length, markets, levels."""
    with inputs() as place:
        by_length = [sized(place, frames, MANY_MARKETS) for frames in LENGTHS]
        growth("frames", LENGTHS, by_length)
        by_markets = [sized(place, FRAMES, markets) for markets in MARKETS]
        growth("markets", MARKETS, by_markets)
        growth("levels of a side", LEVELS, [deep(place, FRAMES, levels) for levels in LEVELS])


if __name__ == "__main__":
    main()
