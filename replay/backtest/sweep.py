"""A sweep: many backtests side by side, each point written down when it is done, so that a killed sweep goes on.

Knows a directory of row files, named by the hash of what went in, and processes. What failed is tried again by the next
sweep. Must not know which points there are nor how results are shown.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import ConfigError, TapedeckError
from core.version import VERSION
from replay.backtest.points import Point, honest_words, name_of, ranked
from replay.backtest.run import in_order, perform
from replay.backtest.setup import Setup, setup_of
from replay.progress import Progress, silent

ROWS: Final = "rows"
TABLE: Final = "sweep.parquet"
ANSWER: Final = "sweep.json"

FIGURES: Final = (
    "pnl", "pnl_trusted", "pnl_untrusted", "fees", "max_drawdown", "max_exposure", "decisions", "orders", "fills",
    "contracts", "ordered", "refused_orders", "untrusted_fills", "open_markets", "failed",
)  # fmt: skip
"""Totals that a row holds, integers in the units of a result."""

GOALS: Final = ("pnl", "pnl_trusted", "fills", "contracts")
"""Those of which the most is the best."""

PARTS: Final = ("chosen_by", "held_out")
"""The two parts of a hold-out split."""


class Task(msgspec.Struct, frozen=True):
    """One backtest of a sweep. point: its number, from 0. part: which tapes."""

    point: int
    part: str
    set: Point
    setup: Setup

    @property
    def name(self) -> str:
        """Of its row file: the hash of everything that goes in, the tapes' content included."""
        tapes = [tape.manifest.chain for tape in in_order(self.setup)]
        return name_of({**self.setup.manifest(), "tapes": tapes, "tapedeck": VERSION})


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `tapedeck sweep`. best: the row of the point that did best on the part it was chosen by; held_out:
    the same point's row on the rest, None = nothing was held out. parts: which tapes or days each part is. ran:
    backtests run now; found: done before."""

    by: str
    points: int
    best: dict[str, Any] | None
    held_out: dict[str, Any] | None
    rows: list[dict[str, Any]]
    parts: dict[str, list[str]]
    ran: int
    found: int
    problems: list[str]
    words: str


def swept(tasks: Sequence[Task], place: Path, by: str, jobs: int, progress: Progress = silent) -> Swept:
    """Run every task of which the directory has no row yet, and judge; the table and the answer are left there.

    by: one of GOALS; the most of it is best. Progress in backtests. Raises ConfigError, TapeError, OSError.
    """
    if by not in GOALS:
        raise ConfigError(f"--by {by!r} is none of {', '.join(GOALS)}, of which the most is the best")
    rows, ran = _rows(tasks, place, jobs, progress)
    write_table(rows, place)
    best, held_out = judge(rows, by)
    points = len({task.point for task in tasks})
    problems = [f"point {row['point']} ({row['part']}): {row['problem']}" for row in rows if row["problem"]]
    found = Swept(
        by=by, points=points, best=best, held_out=held_out, rows=rows, parts=_parts(tasks), ran=ran,
        found=len(tasks) - ran, problems=problems, words=honest_words(points),
    )  # fmt: skip
    (place / ANSWER).write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    return found


def _parts(tasks: Sequence[Task]) -> dict[str, list[str]]:
    return {task.part: list(task.setup.days or task.setup.tapes) for task in tasks}


def _rows(tasks: Sequence[Task], place: Path, jobs: int, progress: Progress) -> tuple[list[dict[str, Any]], int]:
    """All rows in the order of tasks, and how many had to be run."""
    rows = place / ROWS
    rows.mkdir(parents=True, exist_ok=True)
    paths = [rows / f"{task.name}.json" for task in tasks]
    kept = {path: row for path in paths if (row := _kept(path)) is not None and not row["problem"]}
    missing = {path: task for path, task in zip(paths, tasks, strict=True) if path not in kept}
    before = len(tasks) - len(missing)
    progress(before, len(tasks))
    kept |= _run(missing, jobs, lambda done: progress(before + done, len(tasks)))
    found = [
        {"point": task.point, "part": task.part, "set": dict(task.set), **kept[path]}
        for path, task in zip(paths, tasks, strict=True)
    ]
    return found, len(missing)


def write_table(rows: Sequence[dict[str, Any]], place: Path) -> None:
    """All rows as one Parquet file: a column for each parameter that was set, and for each figure."""
    names = list(dict.fromkeys(name for row in rows for name in row["set"]))
    columns: dict[str, Any] = {
        "point": pa.array([row["point"] for row in rows], pa.int64()),
        "part": pa.array([row["part"] for row in rows], pa.string()),
        **{name: pa.array([row["set"].get(name) for row in rows], pa.string()) for name in names},
        **{name: pa.array([row[name] for row in rows], pa.int64()) for name in FIGURES},
        "orders_hash": pa.array([row["orders_hash"] for row in rows], pa.string()),
        "problem": pa.array([row["problem"] for row in rows], pa.string()),
    }
    aside = place / f"{TABLE}.partial"
    pq.write_table(pa.table(columns), aside, compression="zstd")
    aside.rename(place / TABLE)


def judge(rows: Sequence[dict[str, Any]], by: str) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """The best point by the part it is chosen by, and the same point held out."""
    chosen = [row for row in rows if row["part"] == PARTS[0] and not row["problem"]]
    if not chosen:
        return None, None
    best = dict(ranked(chosen, by)[0])
    rest = (row for row in rows if row["part"] == PARTS[1] and row["point"] == best["point"])
    return best, next(rest, None)


def _kept(path: Path) -> dict[str, Any] | None:
    """A row that is written down, None = there is none."""
    try:
        found: dict[str, Any] = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except FileNotFoundError:
        return None
    return found


def _run(tasks: Mapping[Path, Task], jobs: int, progress: Callable[[int], None]) -> dict[Path, dict[str, Any]]:
    """In processes, each a backtest; whatever ends this early ends them, and leaves the rows that were written."""
    running: set[subprocess.Popen[bytes]] = set()
    rows: dict[Path, dict[str, Any]] = {}
    with ThreadPoolExecutor(max(min(jobs, len(tasks)), 1)) as pool:
        waiting = {pool.submit(_one, path, task, running): path for path, task in sorted(tasks.items())}
        try:
            for done in as_completed(waiting):
                rows[waiting[done]] = done.result()
                progress(len(rows))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(running):
                process.kill()
    return rows


def _one(path: Path, task: Task, running: set["subprocess.Popen[bytes]"]) -> dict[str, Any]:
    """The row of a task, by a process of its own. One that ends without a row is a problem that is not written down."""
    with _start(path, task) as process:
        running.add(process)
        _, err = process.communicate()
        running.discard(process)
    row = None if process.returncode else _kept(path)
    if row is None:
        said = err.decode(errors="replace").strip().splitlines()
        why = f"its process ended by {process.returncode}{f': {said[-1]}' if said else ''}"
        return {**dict.fromkeys(FIGURES), "orders_hash": None, "problem": why}
    return row


def _start(path: Path, task: Task) -> "subprocess.Popen[bytes]":
    places = os.pathsep.join(place for place in sys.path if place)
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "replay.backtest.sweep", os.fspath(path)],
        env={**os.environ, "PYTHONPATH": places}, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None, "it is a pipe"
    manifest = {**task.setup.manifest(), "tapes": [{"path": tape} for tape in task.setup.tapes]}
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(msgspec.json.encode(manifest))
        process.stdin.close()
    process.stdin = None
    return process


def row_of(setup: Setup) -> dict[str, Any]:
    """One backtest as the figures of a row; what cannot be run is a problem, not the end of the sweep."""
    try:
        result = perform(setup)
    except TapedeckError as error:
        return {**dict.fromkeys(FIGURES), "orders_hash": None, "problem": str(error)}
    faults = result.manifest["faults"]
    problem = f"{faults[0]['where']}: {faults[0]['error']}" if faults else ""
    return {**{name: result.totals[name] for name in FIGURES}, "orders_hash": result.orders_hash, "problem": problem}


def _answer(path: Path) -> None:
    """A process: one backtest, its row written whole or not at all."""
    setup = setup_of(msgspec.json.decode(sys.stdin.buffer.read(), type=dict[str, Any]))
    aside = path.with_suffix(f".{os.getpid()}.partial")
    aside.write_bytes(msgspec.json.encode(row_of(setup)))
    aside.rename(path)


if __name__ == "__main__":
    _answer(Path(sys.argv[1]))
