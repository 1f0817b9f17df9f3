"""Parity of a backtest: its result made again in two processes, by both paths, under different hash seeds.

Knows how two results are compared and where they part. Must not know how a backtest is run.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa

from core.errors import ConfigError, TapedeckError
from replay.backtest.result import Result
from replay.backtest.run import in_order, perform
from replay.backtest.setup import setup_of
from replay.backtest.tables import TABLES
from replay.hosted import AROUND
from replay.progress import Progress, silent

SEEDS: Final = ("4242", "77")
"""PYTHONHASHSEED of the second process: the first of them that is not this one's."""

_ORDER: Final = ("decisions", "orders", "fills", "positions", "equity", "spans", "markets")
"""In which tables are compared: what leads to what."""


class Parting(msgspec.Struct, frozen=True, kw_only=True):
    """The first place where a result and its repetition differ. row: from 0. recorded, repeated: the values, None =
    there is no such row."""

    by: str
    table: str
    row: int
    fields: tuple[str, ...]
    recorded: dict[str, Any] | None
    repeated: dict[str, Any] | None


class Repetition(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `tapedeck parity RESULT`. hash_seeds: of the two processes, "random" = Python's own choice.

    changed: what is no longer as it was, so that a difference means nothing: tapes, strategies.
    """

    result: str
    equal: bool
    orders_hash: str
    repeated_hashes: dict[str, str]
    rows: dict[str, int]
    hash_seeds: tuple[str, ...]
    first_difference: Parting | None = None
    changed: tuple[str, ...] = ()


def repeat(directory: Path, progress: Progress = silent) -> Repetition:
    """Make a result again, by columns here and by bytes in another process, and compare every table.

    Raises ResultError, ConfigError, TapeError when it cannot be made again.
    """
    result = Result.read(directory)
    setup = setup_of(result.manifest)
    own = os.environ.get("PYTHONHASHSEED", "random")
    other = next(seed for seed in SEEDS if seed != own)
    with tempfile.TemporaryDirectory(prefix="tapedeck-parity-") as place:
        with _second(directory, Path(place) / "second", other) as second:
            try:
                here = perform(setup, around=AROUND, progress=progress)
                there = _ended(second, Path(place) / "second")
            finally:
                second.kill()
        found = {"columns": here, "bytes": there}
        partings = [parting for by, one in found.items() if (parting := first_difference(result, one, by)) is not None]
    return Repetition(
        result=str(directory),
        equal=not partings,
        orders_hash=result.orders_hash,
        repeated_hashes={by: one.orders_hash for by, one in found.items()},
        rows={name: table.num_rows for name, table in result.tables.items()},
        hash_seeds=(own, other),
        first_difference=partings[0] if partings else None,
        changed=tuple(changes(result)),
    )


def first_difference(result: Result, other: Result, by: str) -> Parting | None:
    """Where two results part first, None = nowhere."""
    assert set(_ORDER) == set(TABLES), "every table is compared"
    for name in _ORDER:
        one, two = _plain(result.tables[name]), _plain(other.tables[name])
        if not one.equals(two):
            row = _row(one, two)
            mine, theirs = _values(one, row), _values(two, row)
            fields = tuple(key for key in one.column_names if mine and theirs and mine[key] != theirs[key])
            return Parting(by=by, table=name, row=row, fields=fields, recorded=mine, repeated=theirs)
    return None


def changes(result: Result) -> Iterator[str]:
    """What of a result's makings is another now."""
    from replay.loading import code_of, find

    setup = setup_of(result.manifest)
    now = {str(tape.path): tape.manifest.chain for tape in in_order(setup)}
    for tape in result.manifest["tapes"]:
        if now.get(tape["path"]) != tape["digest"]:
            yield f"tape {tape['path']} holds something else now"
    for spec in setup.strategies:
        if spec.code and code_of(find(spec.path)) != spec.code:
            yield f"the code of strategy {spec.name} is another now"


def _plain(table: pa.Table) -> pa.Table:
    """Texts as they stand: Arrow holds equal texts for different where their dictionaries are in another order."""
    kinds = [(f.name, f.type.value_type if pa.types.is_dictionary(f.type) else f.type) for f in table.schema]
    return table.cast(pa.schema(kinds))


def _row(one: pa.Table, two: pa.Table) -> int:
    """The first row in which two tables differ, found by halves."""
    low, high = 0, min(one.num_rows, two.num_rows)
    while low < high:
        middle = (low + high + 1) // 2
        if one.slice(0, middle).equals(two.slice(0, middle)):
            low = middle
        else:
            high = middle - 1
    return low


def _values(table: pa.Table, row: int) -> dict[str, Any] | None:
    if row >= table.num_rows:
        return None
    found: dict[str, Any] = table.slice(row, 1).to_pylist()[0]
    return found


def _second(directory: Path, out: Path, hash_seed: str) -> subprocess.Popen[bytes]:
    places = os.pathsep.join(place for place in sys.path if place)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "replay.backtest.proof", os.fspath(directory), os.fspath(out)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": places},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def _ended(process: subprocess.Popen[bytes], out: Path) -> Result:
    _, err = process.communicate()
    if process.returncode:
        said = err.decode(errors="replace").strip().splitlines()
        raise ConfigError(f"the backtest under another PYTHONHASHSEED failed: {said[-1] if said else 'no word of why'}")
    return Result.read(out)


def _answer(directory: str, out: str) -> None:
    """The second process."""
    try:
        setup = setup_of(Result.read(Path(directory)).manifest)
        perform(setup, path="bytes", around=AROUND).write(Path(out))
    except (TapedeckError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from error


if __name__ == "__main__":
    _answer(*sys.argv[1:])
