"""The compiled inner loops of `core.rows`: typed columns of any width in, cells out.

Plain functions over arrays and integers, so that they run the same compiled and not compiled. In numpy the same took
some sixty calls, each of which gave up the interpreter and waited for it while another thread read.
"""

from typing import Any, Final

import numpy as np

from core.cells import NULL
from core.compiled import compiled
from core.runs import (
    O_CLOCK,
    O_CONNECTION,
    O_MARKET,
    O_MORE,
    O_PRICE,
    O_SEQ,
    O_SID,
    O_SIDE,
    O_SIZE,
    OTHER,
    QUIET,
    TICKER,
)

_LETTERS: Final = 36  # of a UUID
_DASH: Final = 45
_MEANINGS: Final = np.full(256, 16, np.int64)
"""Of letters as digits, 16 = none."""
_MEANINGS[[ord(letter) for letter in "0123456789abcdef"]] = range(16)


@compiled
def tell_apart(
    what: Any, kinds: Any, by_kind: Any, complete: Any, types: Any, by_type: Any, markets: Any, is_one: bool, one: int
) -> None:
    """What each row is, into `what`.

    by_kind: of each kind of record what it is, -1 where its message says so; by_type: of each code of `types`, the last
    for -1. is_one: rows of all other markets than `one`, and every ticker, are to be quiet.
    """
    for row in range(len(what)):
        found = by_kind[kinds[row]]
        if found < 0:
            found = by_type[types[row]] if complete[row] and markets[row] >= 0 else OTHER
        if is_one and found > QUIET and (found == TICKER or markets[row] != one):
            found = QUIET
        what[row] = found


@compiled
def put(cells: Any, values: Any, there: Any, plus: int) -> None:
    """A column into its cells, each a number larger: 0 for no value.

    there: where there is a value, empty = everywhere. values: empty = there is none at all.
    """
    if len(values) == 0:
        for row in range(len(cells)):
            cells[row] = plus
    elif len(there) == 0:
        for row in range(len(cells)):
            cells[row] = values[row] + plus
    else:
        for row in range(len(cells)):
            cells[row] = values[row] + plus if there[row] else plus


@compiled
def lay_out(
    cells: Any, what: Any, more: Any, everywhere: Any, connection: Any, markets: Any, places: int,
    sid: Any, has_sid: Any, seq: Any, has_seq: Any, side: Any, price: Any, size: Any, clock: Any, has_clock: Any,
) -> None:  # fmt: skip
    """What every row has, into the columns of cells that `core.runs` names, but for its time.

    more: where the rest of each row lies; everywhere: no flag; places: where that of the first market lies. side,
    price, size: anything where there is none.
    """
    rows = len(what)
    put(cells[0:rows], what, everywhere, 0)
    put(cells[O_CONNECTION * rows : (O_CONNECTION + 1) * rows], connection, everywhere, 0)
    put(cells[O_MARKET * rows : (O_MARKET + 1) * rows], markets, everywhere, places)
    put(cells[O_SID * rows : (O_SID + 1) * rows], sid, has_sid, 0)
    put(cells[O_SEQ * rows : (O_SEQ + 1) * rows], seq, has_seq, 0)
    put(cells[O_SIDE * rows : (O_SIDE + 1) * rows], side, everywhere, 0)
    put(cells[O_PRICE * rows : (O_PRICE + 1) * rows], price, everywhere, 0)
    put(cells[O_SIZE * rows : (O_SIZE + 1) * rows], size, everywhere, 0)
    put(cells[O_CLOCK * rows : (O_CLOCK + 1) * rows], clock, has_clock, 0)
    put(cells[O_MORE * rows : (O_MORE + 1) * rows], more, everywhere, 0)


@compiled
def half(letters: Any, at: int, length: int, dash: int, other: int) -> Any:
    """(is one, value) of the half of a UUID that begins there: 16 digits, read as a signed number of 64 bits. dash,
    other: the places of its dashes, which may be one."""
    first = _MEANINGS[letters[at]]
    value = first - 16 if first >= 8 else first
    wrong = first
    for place in range(1, length):
        if place not in (dash, other):
            digit = _MEANINGS[letters[at + place]]
            wrong |= digit
            value = value * 16 + digit
    if wrong >= 16 or letters[at + dash] != _DASH or letters[at + other] != _DASH:
        return False, 0
    return True, value


@compiled
def ids_in_halves(table: Any, rows: Any, what: Any, bounds: Any, letters: Any) -> None:
    """Trade ids into the last two columns of a table, a line for each of these rows; the row of one that is no UUID in
    the exchange's way of writing is for Python, because such an id has a number in the store only.

    bounds: between which letters each row's id lies.
    """
    for line in range(len(rows)):
        row = rows[line]
        at = bounds[row]
        is_high = is_low = False
        high = low = 0
        if bounds[row + 1] - at == _LETTERS and letters[at + 18] == _DASH:
            is_high, high = half(letters, at, 18, 8, 13)
            is_low, low = half(letters, at + 19, 17, 4, 4)
        table[line, 5] = high
        table[line, 6] = low
        if not (is_high and is_low) or high == NULL:
            what[row] = OTHER
