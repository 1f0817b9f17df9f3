"""The time line: how many records were received when, and where on it the marks are.

Knows how outlines become a grid. Must not know who draws it.
"""

from typing import Any, Final

import numpy as np

from core.packed import Ints
from replay.view.outline import MARKS, SECOND_NS, Mark, Outlines, marks_of, outline_of
from replay.view.pages import Page, Pages

CELLS: Final = 2_000
"""Cells of a grid at most: one for each pixel of a wide screen."""

STEPS_NS: Final[tuple[int, ...]] = tuple(base * 10**power for power in range(6, 16) for base in (1, 2, 5))
"""Widths of a cell: 1 ms, 2 ms, 5 ms ... so that cells lie at round times and stay where they are while one scrolls."""

FINE_PAGES: Final = 16
"""Pages that are read for a grid finer than a second; with more, their seconds are spread evenly."""

DRAWN: Final = tuple(mark for mark in MARKS if mark not in (Mark.OUTCOME, Mark.REST, Mark.ORDER))
"""Marks that the time line shows."""


def timeline(pages: Pages, outlines: Outlines, from_ns: int, until_ns: int, cells: int) -> dict[str, Any]:
    """Counts on a grid between two instants (Unix ns), about so many cells, and the marks in each cell.

    {"from_ms", "step_ms", "counts": [...], "marks": {name: [[cell, how many, seq of the first], ...]}}. Where a page
    has no outline yet, its segment's records are spread evenly over its time.
    """
    step_ns = step_of(until_ns - from_ns, min(max(cells, 1), CELLS))
    first = from_ns // step_ns
    grid = np.zeros(until_ns // step_ns - first + 1)
    marks: dict[str, dict[int, list[int]]] = {}
    first_seq, last_seq = pages.until(from_ns), pages.until(until_ns)
    if step_ns < SECOND_NS and last_seq - first_seq < FINE_PAGES * 65_536:
        for page in pages.between(first_seq, last_seq):
            _add(grid, page.when // step_ns - first, np.ones(len(page.when)))
            _mark(marks, _marked(page), (step_ns, first, len(grid)))
    else:
        held = list(outlines.within(first_seq, last_seq))
        for outline in held:
            _spread(grid, outline.seconds, outline.counts, step_ns, first)
            _mark(marks, (outline.seqs, outline.whens, outline.marks), (step_ns, first, len(grid)))
        _rough(grid, pages, outlines, (first_seq, last_seq), (step_ns, first))
    return {
        "from_ms": first * step_ns / 1e6,
        "step_ms": step_ns / 1e6,
        "counts": np.round(grid, 1).tolist(),
        "marks": {name: [[cell, *found] for cell, found in sorted(cells.items())] for name, cells in marks.items()},
    }


def step_of(span_ns: int, cells: int) -> int:
    """The finest width of a cell with which a span has no more cells than that."""
    steps = [step for step in STEPS_NS if span_ns // step < cells]
    return steps[0] if steps else STEPS_NS[-1]


def _marked(page: Page) -> tuple[Ints, Ints, Any]:
    outline = outline_of(page) if marks_of(page).any() else None
    empty = np.empty(0, np.int64)
    return (empty, empty, empty) if outline is None else (outline.seqs, outline.whens, outline.marks)


def _add(grid: Any, cells: Ints, counts: Any) -> None:
    inside = (cells >= 0) & (cells < len(grid))
    grid += np.bincount(cells[inside], counts[inside], len(grid))


def _spread(grid: Any, seconds: Ints, counts: Ints, step_ns: int, first: int) -> None:
    """Seconds on a grid; on a finer one each is spread over its cells."""
    if step_ns >= SECOND_NS:
        _add(grid, seconds * SECOND_NS // step_ns - first, counts)
        return
    cells = SECOND_NS // step_ns
    for part in range(cells):
        _add(grid, seconds * cells + part - first, counts / cells)


def _mark(marks: dict[str, dict[int, list[int]]], found: tuple[Ints, Ints, Any], grid: tuple[int, int, int]) -> None:
    """Put marks (seqs, when, codes) on a grid: width of a cell, number of the first cell, how many."""
    (seqs, whens, codes), (step_ns, first, size) = found, grid
    cells = whens // step_ns - first
    for mark in DRAWN:
        rows = np.flatnonzero((codes == MARKS.index(mark) + 1) & (cells >= 0) & (cells < size))
        if not len(rows):
            continue
        at, starts, counts = np.unique(cells[rows], return_index=True, return_counts=True)
        held = marks.setdefault(mark.value, {})
        for cell, start, count in zip(at.tolist(), starts.tolist(), counts.tolist(), strict=True):
            entry = held.setdefault(cell, [0, int(seqs[rows[start]])])
            entry[0] += count


def _rough(grid: Any, pages: Pages, outlines: Outlines, span: tuple[int, int], scale: tuple[int, int]) -> None:
    """Segments without an outline, by what the manifest says of them."""
    step_ns, first = scale
    for entry in pages.tape.manifest.entries:
        if entry.last_seq < span[0] or entry.first_seq > span[1] or outlines.holds(entry.first_seq) is not None:
            continue
        start, end = entry.first_ns // step_ns - first, max(entry.last_ns, entry.first_ns) // step_ns - first
        cells = np.arange(start, end + 1)
        _add(grid, cells, np.full(len(cells), entry.rows / len(cells)))
