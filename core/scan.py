"""`ShapeBook.match` and `render` over whole batches, compiled where numba is installed.

Importing this module imports numba, so it is imported only for work worth it. What it computes is what
`core.shapes` computes, frame by frame and byte by byte: a test holds the two equal.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from core import columns, kernels, shapes
from core.columns import INT_COLUMNS, ColumnBuilder, Columns
from core.kernels import FORMATS, intern_texts, render_frames, scan_frames
from core.packed import Packed
from core.shapes import ShapeBook

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

SHAPE_TEXTS: Final = ("market", "market_id", "trade_id")
_WIDEST: Final = 32  # no number is written longer

# Compiled code is cached by the age of its own file alone, so the kernels spell out the constants they share.
assert set(FORMATS) == set(shapes.PATTERNS)
assert (kernels.NULL, kernels.FIRST_DAY, kernels.LAST_DAY) == (columns.NULL, shapes.FIRST_DAY, shapes.LAST_DAY)


class Program:
    """The shapes as arrays: steps, where each shape's end, all literals.

    A step is (format or 0 for a literal, column or offset, sets or length).
    """

    def __init__(self, shapes: ShapeBook) -> None:
        steps: list[tuple[int, int, int]] = []
        literals = bytearray()
        starts = np.zeros(len(shapes.shapes) + 1, np.int64)
        self.widths = np.zeros(len(shapes.shapes) + 1, np.int64)
        for number, shape in enumerate(shapes.shapes, start=1):
            holes = [(FORMATS[hole.format], _column(hole.column), int(hole.sets)) for hole in shape.holes]
            for index, literal in enumerate(shape.literals):
                steps.append((0, len(literals), len(literal)))
                literals += literal
                steps += holes[index : index + 1]
            starts[number] = len(steps)
            self.widths[number] = sum(map(len, shape.literals)) + _WIDEST * len(holes)
        self.arrays = (
            np.array(steps, np.int64).reshape(-1, 3),
            starts,
            np.frombuffer(bytes(literals), np.uint8),
        )


def _column(name: str) -> int:
    return SHAPE_TEXTS.index(name) if name in SHAPE_TEXTS else INT_COLUMNS.index(name)


def match_rows(rows: Ints, payloads: Packed, shapes: ShapeBook, builder: ColumnBuilder) -> Ints:
    """Fill the columns of those `rows` (ascending) whose payload fits a shape; returns the others."""
    if not len(rows) or not shapes.shapes:
        return rows
    program = Program(shapes)
    spans = np.zeros((len(SHAPE_TEXTS), 2, len(rows)), np.int64)
    found = np.zeros(len(rows), np.int16)
    scan_frames(payloads.data, payloads.ends, rows, program.arrays, builder.matrix, spans, found)
    hits = np.flatnonzero(found)
    if not len(hits):
        return rows
    types = np.array([-1, *(builder.code("type", shape.type) for shape in shapes.shapes)], np.int32)
    builder.shape[rows[hits]] = found[hits]
    builder.complete[rows[hits]] = True
    builder.codes["type"][rows[hits]] = types[found[hits]]
    for index, name in enumerate(SHAPE_TEXTS):
        _put_texts(builder, name, payloads.data, spans[index], rows)
    rest: Ints = rows[found == 0]
    return rest


def _put_texts(builder: ColumnBuilder, name: str, buffer: Bytes, spans: Ints, at: Ints) -> None:
    """Enter the texts found at `spans` (start, length; length 0 = none) into a text column."""
    present = np.flatnonzero(spans[1])
    if not len(present):
        return
    starts, lengths = spans[0][present], spans[1][present]
    local = np.zeros(len(present), np.int64)
    firsts = np.zeros(len(present), np.int64)
    table = np.full(1 << max(4, int(2 * len(present)).bit_length()), -1, np.int64)
    count = int(intern_texts(buffer, starts, lengths, table, local, firsts))
    codes = np.empty(count, np.int32)
    for index, first in enumerate(firsts[:count].tolist()):
        start = int(starts[first])
        codes[index] = builder.code(name, buffer[start : start + int(lengths[first])].tobytes().decode())
    builder.codes[name][at[present]] = codes[local]


def render_rows(shapes: ShapeBook, columns: Columns) -> tuple[Bytes, Ints]:
    """The payloads of all rows that have a shape, end to end, and where each row's ends (rows without: empty)."""
    program = Program(shapes)
    names = sorted({hole.column for shape in shapes.shapes for hole in shape.holes} - set(SHAPE_TEXTS))
    matrix = np.empty((len(INT_COLUMNS), columns.rows), np.int64)
    for name in names:
        matrix[INT_COLUMNS.index(name)] = columns.ints[name]
    encoded = [[text.encode() for text in columns.texts[name].values] for name in SHAPE_TEXTS]
    pool = np.frombuffer(b"".join(text for texts in encoded for text in texts), np.uint8)
    codes = np.empty((len(SHAPE_TEXTS), columns.rows), np.int64)
    ends = np.zeros(sum(map(len, encoded)) + 1, np.int64)
    np.cumsum([len(text) for texts in encoded for text in texts], out=ends[1:])
    before = 0
    widest = 0
    for index, name in enumerate(SHAPE_TEXTS):
        np.add(columns.texts[name].codes, before, out=codes[index])
        before += len(encoded[index])
        widest += max(map(len, encoded[index]), default=0)
    used = np.bincount(columns.shape, minlength=len(program.widths))
    room = int(used @ program.widths + used[1:].sum() * widest)
    out = np.empty(room, np.uint8)
    out_ends = np.zeros(columns.rows, np.int64)
    render_frames(columns.shape, program.arrays, matrix, codes, (pool, ends), out, out_ends)
    return out[: out_ends[-1] if columns.rows else 0], out_ends
