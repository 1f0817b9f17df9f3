"""What happens to ladders, rings and books in the cells of `core.cells`: plain functions over one flat memory.

They run as they stand, or compiled where numba is installed (`core.copies.machine` chooses), with the same result.
Every one either does all of what it is for, or nothing and says why. `at` is the offset of a market, `side` that of one
of its sides, `ring` that of a ring's four cells.
"""

from typing import Any, Final

from core.cells import (
    BLOCK,
    FIRST_ROOM,
    GROWTH,
    H_CELLS,
    H_END,
    H_FREED,
    H_POOL,
    H_POOL_CAPACITY,
    H_UNDO,
    L_FACTOR,
    L_SHIFT,
    L_SIZES,
    L_SLOTS,
    L_STEP,
    M_BOOK_NS,
    M_CLOCK,
    M_HAS_BOOK,
    M_HEARD_NS,
    M_NO,
    M_NO_BEST,
    M_PRICES,
    M_SEQ,
    M_TRUSTED,
    M_YES,
    M_YES_BEST,
    NO_BID,
    POINT_CELLS,
    R_AT,
    R_FIRST,
    R_LENGTH,
    R_ROOM,
    RING_CAPACITY,
)
from core.copies import inner
from core.undo import spare

DOLLAR: Final = 10_000
MAX_SIZE: Final = 10**15

# What became of a change.
DONE, TOO_LOW, TOO_HIGH, PASSED, NO_ROOM, UNUSUAL = range(6)


@inner
def slot_of(m: Any, ladder: int, price: int) -> int:
    """The slot of a price, -1 where the ladder has none for it or is none."""
    if ladder == 0 or price < 0 or price > DOLLAR:
        return -1
    slot = (price * m[ladder + L_FACTOR]) >> m[ladder + L_SHIFT]
    return slot if slot * m[ladder + L_STEP] == price else -1


@inner
def size_at(m: Any, side: int, price: int) -> int:
    """Contracts bid at a price; 0 beyond the ladder."""
    ladder = m[side]
    slot = slot_of(m, ladder, price)
    if slot < 0:
        return 0
    return m[ladder + L_SIZES + slot]  # type: ignore[no-any-return]  # a cell


@inner
def highest(m: Any, ladder: int, slot: int) -> int:
    """The price of the highest taken slot at or below one, NO_BID when there is none."""
    sizes = ladder + L_SIZES
    blocks = sizes + m[ladder + L_SLOTS]
    block = slot // BLOCK
    while slot >= block * BLOCK:
        if m[sizes + slot] > 0:
            return slot * m[ladder + L_STEP]  # type: ignore[no-any-return]  # a cell
        slot -= 1
    block -= 1
    while block >= 0 and m[blocks + block] == 0:
        block -= 1
    if block < 0:
        return NO_BID
    slot = block * BLOCK + BLOCK - 1
    while m[sizes + slot] == 0:
        slot -= 1
    return slot * m[ladder + L_STEP]  # type: ignore[no-any-return]  # a cell


@inner
def change(m: Any, side: int, price: int, delta: int) -> int:
    """Add to one level, which goes when it comes to 0.

    TOO_LOW: the level is removed. TOO_HIGH: it stays as it was. NO_ROOM: the ladder has no such price, nothing done.
    """
    ladder = m[side]
    slot = slot_of(m, ladder, price)
    if slot < 0:
        return NO_ROOM
    cell = ladder + L_SIZES + slot
    count = ladder + L_SIZES + m[ladder + L_SLOTS] + slot // BLOCK
    before = m[cell]
    size = before + delta
    if size > MAX_SIZE:
        return TOO_HIGH
    if size > 0:
        m[cell] = size
        if before == 0:
            m[count] += 1
            m[side + 1] = max(price, m[side + 1])
        return DONE
    if before > 0:
        m[cell] = 0
        m[count] -= 1
        if price == m[side + 1]:
            m[side + 1] = highest(m, ladder, slot)
    return DONE if size == 0 else TOO_LOW


@inner
def clear(m: Any, side: int) -> None:
    """Empty a ladder."""
    ladder = m[side]
    m[side + 1] = NO_BID
    if ladder:
        slots = m[ladder + L_SLOTS]
        for cell in range(ladder + L_SIZES, ladder + L_SIZES + slots + slots // BLOCK + 1):
            m[cell] = 0


@inner
def has_room(m: Any, ring: int, cells: int) -> bool:
    """Whether a ring of items of so many cells takes one more."""
    room = m[ring + R_ROOM]
    if room == RING_CAPACITY and m[ring + R_LENGTH] == room:
        return True
    if m[H_POOL] >= m[H_POOL_CAPACITY]:
        return False
    return m[ring + R_LENGTH] < room or m[H_END] + more_room(room) * cells <= m[H_CELLS]  # type: ignore[no-any-return]  # cells


@inner
def more_room(room: int) -> int:
    """Items that a ring has room for after it has grown."""
    return min(GROWTH * room, RING_CAPACITY) if room else FIRST_ROOM


@inner
def grow(m: Any, ring: int, cells: int) -> None:
    """Move a full ring to a larger block at the end of all; the old one is chained to those that are free."""
    old, length, room, first = m[ring + R_AT], m[ring + R_LENGTH], m[ring + R_ROOM], m[ring + R_FIRST]
    new = m[H_END]
    m[H_END] = new + more_room(room) * cells
    for item in range(length):
        place = first + item if first + item < room else first + item - room
        for cell in range(cells):
            m[new + item * cells + cell] = m[old + place * cells + cell]
    if room:
        if m[H_UNDO]:
            spare(m, old, 2)
        m[old] = m[H_FREED]
        m[old + 1] = room * cells
        m[H_FREED] = old
    m[ring + R_AT] = new
    m[ring + R_ROOM] = more_room(room)
    m[ring + R_FIRST] = 0


@inner
def append(m: Any, ring: int, cells: int) -> int:
    """Where the ring's next item of so many cells goes; the oldest goes when it is full. Only where it has room."""
    if m[ring + R_LENGTH] == m[ring + R_ROOM] and m[ring + R_ROOM] < RING_CAPACITY:
        grow(m, ring, cells)
    room, first, length = m[ring + R_ROOM], m[ring + R_FIRST], m[ring + R_LENGTH]
    place = first + length
    if place >= room:
        place -= room
    cell = m[ring + R_AT] + place * cells
    if length < room:
        m[ring + R_LENGTH] = length + 1
        m[H_POOL] += 1
    else:
        if m[H_UNDO]:
            spare(m, cell, cells)
        m[ring + R_FIRST] = first + 1 if first + 1 < room else 0
    return cell  # type: ignore[no-any-return]  # a cell


@inner
def note(m: Any, at: int, now: int, yes_best: int, no_best: int) -> None:
    """The best prices are these from now on; only where their ring has room."""
    cell = append(m, at + M_PRICES, POINT_CELLS)
    m[cell] = now
    m[cell + 1] = yes_best
    m[cell + 2] = no_best


@inner
def apply_delta(m: Any, at: int, now: int, seq: int, side: int, price: int, delta: int, clock: int) -> int:
    """Change one level of a book. side: 1 yes, 2 no; price: on the side's own scale. NO_ROOM, PASSED: nothing done."""
    if seq and seq <= m[at + M_SEQ]:
        return PASSED
    if not has_room(m, at + M_PRICES, POINT_CELLS):
        return NO_ROOM
    place = at + (M_YES if side == 1 else M_NO)
    best = m[place + 1]
    done = change(m, place, price, delta)
    if done == NO_ROOM:
        return NO_ROOM
    if seq:
        m[at + M_SEQ] = seq
    if clock:
        m[at + M_CLOCK] = clock
    m[at + M_BOOK_NS] = now
    m[at + M_HEARD_NS] = now
    if m[place + 1] != best:
        note(m, at, now, m[at + M_YES_BEST], m[at + M_NO_BEST])
    if done != DONE:
        m[at + M_TRUSTED] = 0
    return done


@inner
def fits(m: Any, side: int, levels: Any, first: int, count: int, mirrored: int) -> int:
    """Whether a snapshot's side can be told as it is: DONE, TOO_HIGH (a size that cannot be), NO_ROOM (its prices).

    levels: prices from `first` on, then as many sizes. mirrored: prices are on the other side's scale.
    """
    ladder = m[side]
    for index in range(first, first + count):
        if not 0 <= levels[index + count] <= MAX_SIZE:
            return TOO_HIGH
    for index in range(first, first + count):
        price = DOLLAR - levels[index] if mirrored else levels[index]
        if slot_of(m, ladder, price) < 0:
            return NO_ROOM
    return DONE


@inner
def replace(m: Any, side: int, levels: Any, first: int, count: int, mirrored: int) -> None:
    """Hold these levels and no others; of two of one price the later counts. Only what `fits`."""
    clear(m, side)
    ladder = m[side]
    best = NO_BID
    for index in range(first, first + count):
        price = DOLLAR - levels[index] if mirrored else levels[index]
        slot = slot_of(m, ladder, price)
        cell = ladder + L_SIZES + slot
        taken = ladder + L_SIZES + m[ladder + L_SLOTS] + slot // BLOCK
        if m[cell] > 0:
            m[taken] -= 1
        m[cell] = levels[index + count]
        if m[cell] > 0:
            m[taken] += 1
    if count > 0:
        best = highest(m, ladder, m[ladder + L_SLOTS] - 1)
    m[side + 1] = best


@inner
def apply_snapshot(
    m: Any, at: int, now: int, clock: int, levels: Any, first: int, yes: int, no: int, mirrored: int
) -> int:
    """Replace a book by `yes` levels and, behind them, `no` levels. TOO_HIGH, NO_ROOM: nothing done.

    Whose book it is and what it counts from is for the caller to set.
    """
    if not has_room(m, at + M_PRICES, POINT_CELLS):
        return NO_ROOM
    for_yes = fits(m, at + M_YES, levels, first, yes, 0)
    for_no = fits(m, at + M_NO, levels, first + 2 * yes, no, mirrored)
    if for_yes == TOO_HIGH or for_no == TOO_HIGH:
        return TOO_HIGH
    if for_yes != DONE or for_no != DONE:
        return NO_ROOM
    yes_best, no_best = m[at + M_YES_BEST], m[at + M_NO_BEST]
    replace(m, at + M_YES, levels, first, yes, 0)
    replace(m, at + M_NO, levels, first + 2 * yes, no, mirrored)
    m[at + M_HAS_BOOK] = 1
    m[at + M_CLOCK] = clock
    m[at + M_TRUSTED] = 1
    m[at + M_BOOK_NS] = now
    m[at + M_HEARD_NS] = now
    if m[at + M_YES_BEST] != yes_best or m[at + M_NO_BEST] != no_best:
        note(m, at, now, m[at + M_YES_BEST], m[at + M_NO_BEST])
    return DONE
