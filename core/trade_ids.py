"""The memory of trade ids in the cells of `core.cells`: what was met lately is known again.

Functions like those of `core.levels`: they run as they stand or compiled. An id is two integers (`core.ids`).
"""

from typing import Any, Final

from core.cells import H_SEEN
from core.copies import inner

MAX_TRADE_IDS: Final = 16_384
_SLOTS: Final = 32_768
SEEN_CELLS: Final = 2 + 2 * MAX_TRADE_IDS + _SLOTS
"""Of remembered trade ids: which is the oldest, how many there are, the ids as a ring, a hash table of their places."""


@inner
def seen_cell(m: Any, high: int, low: int) -> int:
    """The cell of the hash table that names an id's place, or (holding 0) would."""
    ids = m[H_SEEN] + 2
    table = ids + 2 * MAX_TRADE_IDS
    slot = (low ^ (high >> 11)) & (_SLOTS - 1)
    while m[table + slot] != 0:
        cell = ids + 2 * (m[table + slot] - 1)
        if m[cell] == high and m[cell + 1] == low:
            break
        slot = (slot + 1) & (_SLOTS - 1)
    return table + slot  # type: ignore[no-any-return]  # a cell


@inner
def forget(m: Any, high: int, low: int) -> None:
    """Take an id out of the hash table; what lies behind it moves up."""
    ids = m[H_SEEN] + 2
    table = ids + 2 * MAX_TRADE_IDS
    hole = seen_cell(m, high, low) - table
    slot = hole
    while True:
        slot = (slot + 1) & (_SLOTS - 1)
        place = m[table + slot]
        if place == 0:
            break
        cell = ids + 2 * (place - 1)
        home = (m[cell + 1] ^ (m[cell] >> 11)) & (_SLOTS - 1)
        if ((slot - home) & (_SLOTS - 1)) >= ((slot - hole) & (_SLOTS - 1)):
            m[table + hole] = place
            hole = slot
    m[table + hole] = 0


@inner
def see(m: Any, high: int, low: int) -> None:
    """Remember an id that is not remembered; the oldest is forgotten when there are too many."""
    seen = m[H_SEEN]
    ids = seen + 2
    first = m[seen]
    if m[seen + 1] == MAX_TRADE_IDS:
        forget(m, m[ids + 2 * first], m[ids + 2 * first + 1])
        first = first + 1 if first + 1 < MAX_TRADE_IDS else 0
        m[seen] = first
        m[seen + 1] -= 1
    place = first + m[seen + 1]
    if place >= MAX_TRADE_IDS:
        place -= MAX_TRADE_IDS
    m[seen + 1] += 1
    m[ids + 2 * place] = high
    m[ids + 2 * place + 1] = low
    m[seen_cell(m, high, low)] = place + 1
