"""The time of a run's charts: that of its tape, or several tapes put end to end.

Recordings of a quarter of an hour, days apart, would be slivers on a common clock; end to end each is as wide as it
lasted, and the page's labels still tell the true time. Unix ns in, ms of the axis out.
"""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final

import numpy as np

from replay.report.parts import Axis, Part
from replay.report.thinning import Array

MS_NS: Final = 1_000_000


def axis_of(tapes: Sequence[Mapping[str, Any]]) -> Axis:
    """The axis of the tapes that a manifest names."""
    is_joined = len(tapes) > 1
    parts: list[Part] = []
    for number, tape in enumerate(tapes):
        from_ms, until_ms = int(tape["from_ns"]) // MS_NS, -(-int(tape["until_ns"]) // MS_NS)
        at = (parts[-1].until if parts else 0) if is_joined else from_ms
        name = PurePath(str(tape["path"])).name or f"tape {number}"
        parts.append(Part(name, at, at + max(until_ms - from_ms, 1), from_ms))
    return Axis(is_joined, parts)


def place(axis: Axis, tape: Array, at_ns: Array) -> Array:
    """Where instants of tapes lie on the axis (ms); an instant outside its tape lies at the nearer end."""
    if not len(at_ns):
        return np.zeros(0, np.int64)
    begins = np.array([part.at for part in axis.parts], np.int64)[tape]
    ends = np.array([part.until for part in axis.parts], np.int64)[tape]
    unix = np.array([part.unix for part in axis.parts], np.int64)[tape]
    found: Array = np.clip(begins + at_ns // MS_NS - unix, begins, ends)
    return found
