"""Frames to columns and back, a batch at a time: compiled when numba is installed and the batch is worth it.

`decode_columns` and `render` are each other's inverse for every row that has a shape. What they give does not
depend on whether numba is installed.
"""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from core.columns import ColumnBuilder, Columns
from core.compiled import INSTALLED
from core.messages import Malformed, Message, decode
from core.packed import packed
from core.records import Kind
from core.shapes import ShapeBook, render_each

SCAN_ROWS: Final = 16_384
"""From this many rows on, loading the compiled scanner (0.5 s, once a process) pays."""


class _Tally:
    """Counts rows that are rendered, over all calls: many small segments make a large one."""

    def __init__(self) -> None:
        self.rows = 0

    def pays(self, rows: int) -> bool:
        """Whether, with so many rows more, the compiled scanner has become worth loading."""
        self.rows += rows
        return self.rows >= SCAN_ROWS


_RENDERED: Final = _Tally()

_FRAME: Final = int(Kind.FRAME)  # comparing with the enum would cost more than all else in that loop

Bytes: TypeAlias = npt.NDArray[np.uint8]
Ints: TypeAlias = npt.NDArray[np.int64]


def decode_columns(
    kinds: Sequence[int] | npt.NDArray[Any], payloads: Sequence[bytes], shapes: ShapeBook, *, scan: bool | None = None
) -> Columns:
    """The typed columns of records in order; learns new shapes into `shapes` on the way.

    A text frame's row says what `core.messages.decode` says of it; every other record's row stays null.
    scan: force or forbid the batch scanner (default: by size and by whether numba is there).
    """
    builder = ColumnBuilder(len(payloads))
    frames = np.flatnonzero(np.asarray(kinds) == _FRAME)
    if scan is None:
        scan = INSTALLED and len(frames) >= SCAN_ROWS
    decoded: dict[int, Message | Malformed] = {}
    if scan:
        from core.scan import match_rows  # imports numba

        payloads = packed(payloads)
        frames = match_rows(frames, payloads, shapes, builder)
        while _learn_one(frames.tolist(), payloads, shapes, decoded):
            frames = match_rows(frames, payloads, shapes, builder)
    for row in frames.tolist():
        payload = payloads[row]
        if not scan and shapes.match(payload, row, builder):
            continue
        message = decoded.get(row) or decode(payload)
        if scan or not (shapes.learn(payload, message) and shapes.match(payload, row, builder)):
            builder.put(row, message)
    return builder.finish()


def render(shapes: ShapeBook, columns: Columns, *, scan: bool | None = None) -> tuple[Bytes, Ints]:
    """The payloads of all rows that have a shape, end to end, and where each row's ends (rows without: empty)."""
    if scan is None:
        scan = _RENDERED.pays(columns.rows) and INSTALLED
    if scan:
        from core.scan import render_rows  # imports numba

        return render_rows(shapes, columns)
    payloads = render_each(shapes, columns)
    ends = np.cumsum(np.fromiter(map(len, payloads), np.int64, len(payloads)), dtype=np.int64)
    return np.frombuffer(b"".join(payloads), np.uint8), ends


def _learn_one(
    rows: Sequence[int], payloads: Sequence[bytes], shapes: ShapeBook, decoded: dict[int, Message | Malformed]
) -> bool:
    """Learn a shape from the first of these rows that has a new one; every row is decoded and tried once only."""
    for row in rows:
        if row not in decoded:
            decoded[row] = decode(payloads[row])
            if shapes.learn(payloads[row], decoded[row]):
                return True
    return False
