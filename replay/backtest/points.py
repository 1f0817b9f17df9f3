"""The points of a sweep: which parameters are tried, from grids and lists, and which of them did best.

Pure. Must not know how a point is run.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec

from core.errors import ConfigError

MOST_POINTS: Final = 100_000
"""More is a slip of the keyboard; and what wins among so many has won by chance."""

Point: TypeAlias = tuple[tuple[str, str], ...]
"""Names with values, as --set has them, in the order in which they were given."""


def grid(given: Sequence[str]) -> list[Point]:
    """Every combination of `name=a,b,c`, the last name turning fastest; raises ConfigError."""
    axes: list[list[tuple[str, str]]] = []
    for pair in given:
        name, equals, values = pair.partition("=")
        chosen = [value.strip() for value in values.split(",")]
        if not equals or not name.strip() or not all(chosen):
            raise ConfigError(f"--grid {pair!r}: write name=1,2,3")
        if len(set(chosen)) < len(chosen):
            raise ConfigError(f"--grid {pair!r}: names a value twice")
        if any(name == axis[0][0] for axis in axes):
            raise ConfigError(f"--grid {pair!r}: {name} has values already")
        axes.append([(name, value) for value in chosen])
    return _limited(list(product(*axes)))


class _Listed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of points: grid: values by name; points: objects, each crossed with the grid."""

    grid: dict[str, list[Any]] = {}
    points: list[dict[str, Any]] = []


def listed(file: Path) -> list[Point]:
    """The points of a file; raises ConfigError.

    A JSON list of objects; or, as JSON or (by its name) TOML, an object with `grid`, lists of values by name, and
    `points`, a list of objects.
    """
    try:
        found = _read(file)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"--points {file}: is neither a list of objects nor an object with `grid` and `points`: {error}"
        ) from error
    empty = [name for name, values in found.grid.items() if not values]
    if empty:
        raise ConfigError(f"--points {file}: {empty[0]} has no values")
    axes = [[(name, _text(value)) for value in values] for name, values in found.grid.items()]
    points = [tuple((name, _text(value)) for name, value in point.items()) for point in found.points]
    if not axes and not points:
        raise ConfigError(f"--points {file}: names no point")
    return crossed(_limited(list(product(*axes))) if axes else [], points)


def _read(file: Path) -> _Listed:
    data = file.read_bytes()
    if file.suffix.lower() == ".toml":
        return msgspec.convert(tomllib.loads(data.decode()), _Listed)
    if data.lstrip().startswith(b"["):
        return _Listed(points=msgspec.json.decode(data, type=list[dict[str, Any]]))
    return msgspec.json.decode(data, type=_Listed)


def crossed(grids: Sequence[Point], lists: Sequence[Point]) -> list[Point]:
    """Every listed point with every point of the grid; raises ConfigError where two say the same name."""
    both = _limited([(*one, *two) for one in lists or [()] for two in grids or [()]])
    for point in both:
        names = [name for name, _ in point]
        if len(set(names)) < len(names):
            raise ConfigError(f"a point of the sweep sets {max(names, key=names.count)} twice")
    if len(set(both)) < len(both):
        raise ConfigError("a point of the sweep is named twice")
    return both


def name_of(setup: Mapping[str, Any]) -> str:
    """The name of a point's row file: a hash of all that goes into its backtest."""
    text = json.dumps(setup, sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()[:32]


def ranked(rows: Sequence[Mapping[str, Any]], by: str) -> list[Mapping[str, Any]]:
    """The rows with the best first; of equals the earlier point. Those without a value come last."""
    return sorted(rows, key=lambda row: (row[by] is None, -(row[by] or 0), row["point"]))


def honest_words(points: int) -> str:
    """What the number of tries says about the best of them."""
    if points < 2:
        return "one point was tried, so nothing was chosen"
    return (
        f"the best of {points:,} points is partly the luckiest of {points:,}: its result on the tapes by which it was "
        "chosen flatters it; only the tapes held out tell what it is worth"
    )


def _limited(points: list[Point]) -> list[Point]:
    if len(points) > MOST_POINTS:
        raise ConfigError(f"{len(points):,} points are more than {MOST_POINTS:,}; try fewer values")
    return points


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
