"""Ours beside the peers: the same frames, the same strategy, the same checksum, taking turns; and the goals.

Each run is a process of its own. Its seconds are those of loading and playing; not those of starting Python, of
imports, of compiling, nor of what a peer is given ready made (the notes say what).
"""

import math
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from benchmarks import engines
from benchmarks.engines import ENGINES, OURS, Engine, Outcome, available
from benchmarks.job import BARE, EVERY, TOP
from benchmarks.measure import REPETITIONS, rate, ratio, show
from benchmarks.rooms import Missing
from benchmarks.workload import Workload, inputs, real, synthetic

TITLES: Final = {
    TOP: "called when the top of a book changes",
    EVERY: "called at every record",
    BARE: "every book kept, nobody called",
}
NOTES: Final = (
    "seconds: loading and playing, median (least-most); ratio: its seconds by ours, of each round, median (least-most)",
    "not counted: starting, imports, compiling, and in nautilus_trader from memory the making of its objects",
    "CPU s, by CPU: of all threads in the same span; tells a busy machine from a slow engine",
    "nautilus_trader also simulates a venue, hftbacktest queues and latencies; hftbacktest gets no tickers",
)

Results = dict[tuple[str, str], list[Outcome]]
"""By engine and strategy, a run of each round."""


@dataclass(frozen=True, slots=True)
class Goal:
    """How many times as fast as a peer a way of ours must be, each with its strategy."""

    text: str
    ours: str
    strategy: str
    peer: str
    peer_strategy: str
    least: float


GOALS: Final = (
    Goal("at the top, nautilus_trader from memory", OURS, TOP, engines.NAUTILUS_MEMORY, TOP, 30),
    Goal("at the top, nautilus_trader from its catalog", OURS, TOP, engines.NAUTILUS_CATALOG, TOP, 40),
    Goal("every record, nautilus_trader from memory", OURS, EVERY, engines.NAUTILUS_MEMORY, EVERY, 8),
    Goal("every record, cryptofeed playback", OURS, EVERY, engines.PLAYBACK, EVERY, 15),
    Goal("compiled, hftbacktest, all markets", engines.COMPILED, EVERY, engines.HFT_ALL, EVERY, 12),
    Goal("compiled, hftbacktest, one by one", engines.COMPILED, EVERY, engines.HFT_ONE, EVERY, 2),
    Goal("compiled, simdjson that only parses", engines.COMPILED, EVERY, engines.PARSE, BARE, 1),
    Goal("byte path, full store, json and dicts", engines.BY_BYTES, BARE, engines.LOOP, BARE, 2),
    Goal("byte path with strategy, json and dicts", engines.BY_BYTES, EVERY, engines.LOOP, EVERY, 2),
)


@dataclass(slots=True)
class Rounds:
    """All runs over one workload. dropped: what failed on the way, with its reason."""

    workload: Workload
    results: Results = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)

    def run(self, chosen: Sequence[Engine]) -> None:
        """Every engine with each of its strategies, once a round."""
        for number in range(REPETITIONS):
            for engine in chosen:
                for strategy in engine.strategies:
                    if engine.name not in self.dropped:
                        progress = f"\r{self.workload.name}, round {number + 1}: {engine.name}, {strategy}"
                        print(f"{progress:<79}", end="", file=sys.stderr, flush=True)
                        self._once(engine, strategy)
        print(file=sys.stderr)

    def _once(self, engine: Engine, strategy: str) -> None:
        try:
            outcome = engine.run(self.workload, strategy)
        except Missing as reason:
            self.dropped[engine.name] = str(reason)
        else:
            self.results.setdefault((engine.name, strategy), []).append(outcome)

    def pairs(self, peer: tuple[str, str], own: tuple[str, str]) -> list[tuple[Outcome, Outcome]]:
        """The peer's run and ours of each round; empty where one of the two did not run."""
        return list(zip(self.results.get(peer, []), self.results.get(own, []), strict=False))

    def ratios(self, peer: tuple[str, str], own: tuple[str, str]) -> list[float]:
        """The peer's seconds by ours, of each round."""
        return [theirs.seconds / mine.seconds for theirs, mine in self.pairs(peer, own)]

    def cpu_ratio(self, peer: tuple[str, str], own: tuple[str, str]) -> float:
        """The peer's CPU seconds by ours, median of the rounds; not a number where one of the two did not run."""
        found = [theirs.cpu_s / mine.cpu_s for theirs, mine in self.pairs(peer, own)]
        return statistics.median(found) if found else math.nan


def spread(values: Sequence[float], form: str) -> str:
    """Median, and the least and the most."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:{form}} ({low:{form}}-{high:{form}})"


def table(rounds: Rounds, strategy: str, *, is_compiled: bool) -> None:
    """Print one comparison, slowest first; of compiled strategies ours in Python is shown too."""
    found = [
        (engine, rounds.results[engine.name, strategy])
        for engine in ENGINES
        if (engine.name, strategy) in rounds.results
        if engine.is_compiled == is_compiled or engine.name == OURS
    ]
    found.sort(key=lambda pair: -statistics.median(run.seconds for run in pair[1]))
    compiled = (engines.COMPILED, strategy)
    own = compiled if is_compiled and compiled in rounds.results else (OURS, strategy)
    rows = [row(rounds, (engine.name, strategy), own) for engine, _ in found]
    header = ("engine", "version", "frames/s", "seconds", "CPU s", f"ratio to {own[0]}", "by CPU", "peak MB", "sums")
    kind = "strategy compiled" if is_compiled else "strategy in Python"
    show(f"{rounds.workload.name}, {kind}, {TITLES[strategy]}", header, rows, remarks(strategy, found))


def row(rounds: Rounds, which: tuple[str, str], own: tuple[str, str]) -> list[str]:
    """An engine's line, with its ratio to ours."""
    runs, ratios = rounds.results[which], rounds.ratios(which, own)
    return [
        which[0],
        runs[0].version,
        rate(rounds.workload.frames, statistics.median(run.seconds for run in runs)),
        spread([run.seconds for run in runs], ".3f"),
        f"{statistics.median(run.cpu_s for run in runs):.3f}",
        "1" if which == own else spread(ratios, ".2f") if ratios else "-",
        "1" if which == own else f"{rounds.cpu_ratio(which, own):.2f}",
        f"{max(run.peak_mb for run in runs):.0f}",
        sight(which[1], runs),
    ]


def sight(strategy: str, runs: Sequence[Outcome]) -> str:
    """Whether an engine saw what it should have."""
    if strategy == BARE:
        return "-"
    return "equal" if not any(run.wrong for run in runs) else "differs"


def remarks(strategy: str, found: Sequence[tuple[Engine, Sequence[Outcome]]]) -> list[str]:
    """What is to be said below a table: where checksums differ and why."""
    return [
        f"{engine.name} differs in {', '.join(runs[0].wrong)}: {engine.why or 'nobody knows why'}"
        for engine, runs in found
        if sight(strategy, runs) == "differs"
    ]


def goals(rounds: Rounds) -> None:
    """Print what must be shown, and whether it is."""
    rows = []
    for goal in GOALS:
        peer, own = (goal.peer, goal.peer_strategy), (goal.ours, goal.strategy)
        found = rounds.ratios(peer, own)
        if not found:
            rows.append([goal.text, f"{goal.least:g}x", "-", "-", "not measured"])
            continue
        reached = "yes" if statistics.median(found) >= goal.least else "no"
        rows.append(
            [goal.text, f"{goal.least:g}x", spread(found, ".2f"), f"{rounds.cpu_ratio(peer, own):.2f}", reached]
        )
    show(f"Goals, {rounds.workload.name}", ("faster than", "at least", "measured", "by CPU", "reached"), rows)


def compare(workload: Workload) -> None:
    """All of one workload."""
    print(
        f"\n{workload.name}: {workload.frames:,} frames, {len(workload.markets)} markets, "
        f"{workload.bytes / workload.frames:.0f} bytes a frame; the top moves at "
        f"{ratio(workload.expected.changes, workload.expected.books)} of the changes of a book; "
        f"{REPETITIONS} rounds",
        flush=True,
    )
    rounds = Rounds(workload)
    rounds.run(available(workload, print))
    for name, reason in rounds.dropped.items():
        print(f"  skipped: {name}: {reason}")
    ours = [run for (name, _), runs in rounds.results.items() if name.startswith(OURS) for run in runs]
    assert not any(run.wrong for run in ours), "our own checksum is wrong"
    for strategy in (TOP, EVERY, BARE):
        table(rounds, strategy, is_compiled=False)
    for strategy in (EVERY, TOP, BARE):
        table(rounds, strategy, is_compiled=True)
    for note in NOTES:
        print(f"  {note}")
    goals(rounds)


def main() -> None:
    """The synthetic frames, and the real ones where they are."""
    with inputs() as place:
        for workload in (synthetic(place), real(place)):
            if workload is not None:
                compare(workload)


if __name__ == "__main__":
    main()
