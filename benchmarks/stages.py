"""What each step of a replay costs a record, by bytes and by columns: read, decode, book, host, callback.

Each row does what the one above it does and something more; a step's cost is the difference of their medians.
"""

import statistics
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks import ours
from benchmarks.job import EVERY, TOP, Clock
from benchmarks.measure import REPETITIONS, show
from benchmarks.workload import Workload, inputs, real, synthetic
from capture.tape.reader import Tape
from core.engine import Engine
from core.messages import decode
from core.records import Kind
from core.strategy import Strategy


class Deaf(Strategy):
    """Hears of nothing: what is left is what hosting costs."""


def read(tape: Path) -> None:
    """Every record from the disk."""
    for _ in Tape.open(tape).records():
        pass


def decoded(tape: Path) -> None:
    """Every frame as a message."""
    for record in Tape.open(tape).records():
        if record.kind == Kind.FRAME:
            decode(record.payload)


def stepped(tape: Path) -> None:
    """Every record folded in, as it is live."""
    engine = Engine()
    for record in Tape.open(tape).records():
        engine.step(record)


def by_bytes(tape: Path) -> dict[str, Callable[[], object]]:
    """The steps of the byte path, which is that of the live store."""
    return {
        "read": partial(read, tape),
        "decode": partial(decoded, tape),
        "book and all other state": partial(stepped, tape),
        "host without a hook": partial(ours.hosted, tape, "bytes", Deaf),
        "callback at every record": partial(ours.hosted, tape, "bytes", ours.STRATEGIES[EVERY]),
    }


def by_columns(tape: Path) -> dict[str, Callable[[], object]]:
    """The steps of the columns path: reading and decoding are one."""
    return {
        "read, book and all other state": partial(ours.bare, tape, "columns"),
        "host without a hook": partial(ours.hosted, tape, "columns", Deaf),
        "callback at changes of the top": partial(ours.hosted, tape, "columns", ours.STRATEGIES[TOP]),
        "callback at every record": partial(ours.hosted, tape, "columns", ours.STRATEGIES[EVERY]),
    }


def measure(workload: Workload) -> None:
    """Print both tables."""
    for name, steps in (("bytes", by_bytes), ("columns", by_columns)):
        cases = steps(workload.tape)
        ours.bare(workload.tape, name, ours.WARM_RECORDS)  # compiles
        clocks = [Clock() for _ in range(REPETITIONS)]
        for clock in clocks:
            for step, run in cases.items():
                clock.time(step, run)
        rows, before = [], 0.0
        for step in cases:
            wall, cpu = (
                statistics.median(times[step] for times in some) / workload.frames * 1e9
                for some in ([clock.parts for clock in clocks], [clock.cpu for clock in clocks])
            )
            rows.append([step, f"{wall:,.0f}", f"{cpu:,.0f}", f"{cpu - before:+,.0f}"])
            before = cpu
        title = f"Stages by {name}, {workload.name}, {workload.frames:,} frames"
        notes = [f"medians of {REPETITIONS}, taking turns; CPU: of all threads"]
        show(title, ("ns a record", "in all", "CPU", "CPU of the step"), rows, notes)


def main() -> None:
    """Real frames where they are, else synthetic ones."""
    with inputs() as place:
        measure(real(place) or synthetic(place))


if __name__ == "__main__":
    main()
