"""What the machine writes over while it runs ahead, kept so that it can come back: little, and so cheap, by two ways.

Rings are most of the memory and hardly change: what is lost of one is logged where it is lost (`spare`). All the rest
is copied, span by span. Functions like those of `core.levels`: they run as they stand or compiled.
"""

from typing import Any, Final

from core.cells import H_UNDO, H_UNDO_AT
from core.copies import inner

MOST_CELLS: Final = 16
"""Of the log, for what one row overwrites at most: an item of a ring and the links of two blocks given up."""


@inner
def spare(m: Any, first: int, count: int) -> None:
    """Log so many cells, which are about to be overwritten; only while there is a log."""
    at = m[H_UNDO_AT]
    for cell in range(count):
        m[at + cell] = m[first + cell]
    m[at + count] = first
    m[at + count + 1] = count
    m[H_UNDO_AT] = at + count + 2


@inner
def undo(m: Any, start: int) -> None:
    """Take back what was logged from a cell of the log on, the last first."""
    at = m[H_UNDO_AT]
    while at > start:
        count, first = m[at - 1], m[at - 2]
        at -= count + 2
        for cell in range(count):
            m[first + cell] = m[at + cell]
    m[H_UNDO_AT] = start


@inner
def has_undo_room(m: Any) -> bool:
    """Whether one row more may be stepped ahead."""
    return m[H_UNDO] == 0 or m[H_UNDO_AT] + MOST_CELLS <= m[H_UNDO]  # type: ignore[no-any-return]  # cells


@inner
def copy_out(m: Any, kept: Any, spans: Any) -> int:
    """Copy spans of cells, each from one up to another, to a place of their own; how many cells."""
    many = 0
    for index in range(0, len(spans), 2):
        for cell in range(spans[index], spans[index + 1]):
            kept[many] = m[cell]
            many += 1
    return many


@inner
def copy_back(m: Any, kept: Any, spans: Any) -> None:
    """What `copy_out` has copied."""
    many = 0
    for index in range(0, len(spans), 2):
        for cell in range(spans[index], spans[index + 1]):
            m[cell] = kept[many]
            many += 1
