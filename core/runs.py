"""Many records at once: the machine goes through rows (`core.rows`) until one is for Python or somebody is to be told.

Functions like those of `core.levels`: they run as they stand or compiled.
"""

from typing import Any, Final

from core.cells import (
    H_AT,
    H_DUE,
    H_FRAMES,
    H_IS_WATCHED,
    H_NOW,
    H_OWN,
    H_RECORDS,
    H_STOP,
    H_TOLD,
    M_BOOK_SUB,
    M_GLANCE,
    M_NO,
    M_OWN,
    M_OWN_NO,
    M_OWN_YES,
    M_TOLD,
    M_TRADES,
    M_WAKES,
    M_YES,
    NO_BID,
    R_AT,
    R_FIRST,
    R_LENGTH,
    R_ROOM,
    S_YES_PRICE,
    TRADE_CELLS,
    WAKE_BOOK,
    WAKE_TICKER,
    WAKE_TOP,
    WAKE_TRADE,
)
from core.copies import inner, inner_with
from core.levels import DOLLAR, DONE, size_at
from core.machine import step_delta, step_snapshot, step_ticker, step_trade
from core.undo import has_undo_room

# Columns of rows: one stretch after the other. O_MARKET: index of the element that holds the market's offset, 0 = none
# known. O_MORE: index of the element where what the columns do not say begins.
O_WHAT, O_NOW, O_CONNECTION, O_MARKET, O_SID, O_SEQ, O_SIDE, O_PRICE, O_SIZE, O_CLOCK, O_MORE = range(11)
ROW_COLUMNS: Final = 11

# What a row is. OTHER is for Python, QUIET changes nothing but counts.
OTHER, QUIET, DELTA, TRADE, TICKER, SNAPSHOT = range(6)

# Why `run` stopped: no row left; a row is not stepped; a row was stepped and somebody is to be told, or (OWN) nobody
# is, but it concerns orders of ours: then m[H_OWN] is 1, as it is whoever is to be told besides.
END, UNDONE, BOOK_WOKE, TOP_WOKE, TRADE_WOKE, TICKER_WOKE, DUE, OWN = range(8)
SAW_BOOK, SAW_TRADE, SAW_TICKER = range(3)
"""What a glance is told has happened."""

LOG_COLUMNS: Final = 7
"""Of a noted wake: row, market and why, now_ns, best yes bid, its size, best no bid, its size."""

WHYS: Final = 8
"""A market's place times this, and why, make one number."""


@inner
def fold_delta(
    m: Any, at: int, number: int, sid: int, seq: int, now: int, side: int, price: int, delta: int, clock: int
) -> bool:
    """An orderbook_delta as a whole record; False when it is out of the ordinary, and then nothing is done."""
    if step_delta(m, at, number, sid, seq, now, side, price, delta, clock) != DONE:
        return False
    m[H_FRAMES] += 1
    m[H_RECORDS] += 1
    return True


@inner
def side_moved(m: Any, at: int, index: int) -> bool:
    """`top_moved` of one side: 0 yes, 1 no."""
    side, told = at + M_YES + 2 * index, at + M_TOLD + 2 * index
    best = m[side + 1]
    size = 0 if best == NO_BID else size_at(m, side, best)
    if m[told] == best and m[told + 1] == size:
        return False
    m[told] = best
    m[told + 1] = size
    return True


@inner
def top_moved(m: Any, at: int, side: int) -> bool:
    """Whether a best price or its size is another than strategies were last told; they are taken to be told now.

    side: the only one that may have, 1 yes, 2 no; 0 = both.
    """
    if side:
        return side_moved(m, at, side - 1)
    yes = side_moved(m, at, 0)
    return side_moved(m, at, 1) or yes


@inner
def step_row(m: Any, rows: Any, stride: int, row: int, at: int) -> int:
    """One row that is one of the four messages, of a market that is known."""
    what = rows[row]
    now = rows[O_NOW * stride + row]
    number = rows[O_CONNECTION * stride + row]
    sid = rows[O_SID * stride + row]
    seq = rows[O_SEQ * stride + row]
    if what == DELTA:
        side = rows[O_SIDE * stride + row]
        price = rows[O_PRICE * stride + row]
        size = rows[O_SIZE * stride + row]
        return step_delta(m, at, number, sid, seq, now, side, price, size, rows[O_CLOCK * stride + row])  # one call
    more = rows[O_MORE * stride + row]
    if what == TRADE:
        return step_trade(m, at, number, sid, seq, now, rows, more)
    if what == TICKER:
        return step_ticker(m, at, number, sid, seq, now, rows, more)
    return step_snapshot(m, at, number, sid, seq, now, rows[O_CLOCK * stride + row], rows, more)


@inner
def woken(m: Any, at: int, what: int, side: int) -> int:
    """Whom a row that was stepped wakes, END = nobody. side: of a delta."""
    if what == QUIET:
        return END
    wakes = m[at + M_WAKES]
    if what == TRADE:
        return TRADE_WOKE if wakes & WAKE_TRADE else END
    if what == TICKER:
        return TICKER_WOKE if wakes & WAKE_TICKER else END
    if top_moved(m, at, side if what == DELTA else 0) and wakes & (WAKE_TOP | WAKE_BOOK):
        return TOP_WOKE
    return BOOK_WOKE if wakes & WAKE_BOOK else END


@inner
def step_any(m: Any, rows: Any, stride: int, row: int) -> bool:
    """One row, whatever it is; False when it is for Python, and then nothing is done. m[H_AT]: at which market."""
    what = rows[row]
    if what == OTHER or (what == QUIET and m[H_IS_WATCHED]):
        return False
    if what != QUIET:
        at = rows[rows[O_MARKET * stride + row]]
        if at == 0 or step_row(m, rows, stride, row, at) != DONE:
            return False
        m[H_FRAMES] += 1
        m[H_AT] = at
    m[H_RECORDS] += 1
    m[H_NOW] = rows[O_NOW * stride + row]
    return True


@inner
def is_ours(m: Any, at: int, what: int, side: int, price: int) -> bool:
    """Whether a row that was stepped concerns orders of ours in its market. side, price: of a delta, as its
    subscription writes them."""
    if what in (QUIET, TICKER) or m[at + M_OWN] == 0:
        return False
    if what != DELTA:
        return True
    cell = at + (M_OWN_YES if side == 1 else M_OWN_NO)
    if side == 2 and m[m[at + M_BOOK_SUB] + S_YES_PRICE]:
        price = DOLLAR - price
    return m[cell] <= price <= m[cell + 1] or price >= m[cell + 2]  # type: ignore[no-any-return]  # cells


@inner
def note_own(m: Any, rows: Any, stride: int, row: int) -> bool:
    """Whether the row that was stepped last concerns orders of ours; m[H_OWN] says it too."""
    if is_ours(m, m[H_AT], rows[row], rows[O_SIDE * stride + row], rows[O_PRICE * stride + row]):
        m[H_OWN] = 1
        return True
    return False


@inner
def run(m: Any, rows: Any, stride: int, first: int, last: int) -> int:
    """Step rows until one is for Python, wakes somebody or is ours; returns the first row not stepped. m[H_STOP] says
    why it stopped, m[H_AT] at which market."""
    m[H_OWN] = 0
    for row in range(first, last):
        if not step_any(m, rows, stride, row):
            m[H_STOP] = UNDONE
            return row
        why = END
        if m[H_NOW] >= m[H_DUE]:
            why = DUE  # whether the top has moved is for whoever is told of the record to find out
        elif m[H_IS_WATCHED]:
            why = woken(m, m[H_AT], rows[row], rows[O_SIDE * stride + row])
        if note_own(m, rows, stride, row) and why == END:
            why = OWN
        if why != END:
            m[H_STOP] = why
            return row + 1
    m[H_STOP] = END
    return last


@inner
def note_wake(m: Any, log: Any, row: int, why: int) -> None:
    """Note in the log whom the row that was stepped last wakes, with the best prices as they are."""
    room = len(log) // LOG_COLUMNS
    told, at = m[H_TOLD], m[H_AT]
    log[told] = row
    log[room + told] = at * WHYS + why
    log[2 * room + told] = m[H_NOW]
    for index in range(2):
        side = at + M_YES + 2 * index
        log[(3 + 2 * index) * room + told] = m[side + 1]
        log[(4 + 2 * index) * room + told] = 0 if m[side + 1] == NO_BID else size_at(m, side, m[side + 1])
    m[H_TOLD] = told + 1


@inner
def can_step(m: Any, rows: Any, stride: int, row: int, log: Any) -> bool:
    """Step a row if it is one to be stepped ahead; m[H_STOP]: why not."""
    is_full = m[H_TOLD] == len(log) // LOG_COLUMNS or not has_undo_room(m)
    if is_full or rows[O_NOW * stride + row] >= m[H_DUE]:
        m[H_STOP] = DUE
        return False
    if not step_any(m, rows, stride, row):
        m[H_STOP] = UNDONE
        return False
    return True


@inner
def run_ahead(m: Any, rows: Any, stride: int, first: int, last: int, log: Any) -> int:
    """Step rows until one is for Python or due, and note in the log whom they wake; returns the first row not stepped.

    log: LOG_COLUMNS one after the other. m[H_STOP]: END, UNDONE or DUE, or OWN: the last one stepped is ours;
    m[H_TOLD]: how many wakes there are.
    """
    m[H_TOLD] = m[H_OWN] = 0
    for row in range(first, last):
        if not can_step(m, rows, stride, row, log):
            return row
        why = woken(m, m[H_AT], rows[row], rows[O_SIDE * stride + row])
        if why != END:
            note_wake(m, log, row, why)
        if note_own(m, rows, stride, row):
            m[H_STOP] = OWN
            return row + 1
    m[H_STOP] = END
    return last


@inner_with
def glanced(m: Any, at: int, why: int, glance: Any, shared: Any, mine: int) -> bool:
    """Whether a glance at what happened to a market wants more. shared, mine: where its numbers are, and how many."""
    yes, no = m[at + M_YES + 1], m[at + M_NO + 1]
    bid_size = 0 if yes == NO_BID else size_at(m, at + M_YES, yes)
    ask_size = 0 if no == NO_BID else size_at(m, at + M_NO, no)
    ask = NO_BID if no == NO_BID else DOLLAR - no
    own = m[at + M_GLANCE]
    what, price, count, taker = SAW_BOOK, 0, 0, 0
    if why == TICKER_WOKE:
        what = SAW_TICKER
    elif why == TRADE_WOKE:
        ring = at + M_TRADES
        place = (m[ring + R_FIRST] + m[ring + R_LENGTH] - 1) % m[ring + R_ROOM]
        cell = m[ring + R_AT] + place * TRADE_CELLS
        what, price, count, taker = SAW_TRADE, m[cell + 1], m[cell + 2], m[cell + 3]
    return glance(  # type: ignore[no-any-return]  # a bool
        shared, m[own : own + mine], m[H_NOW], yes, bid_size, ask, ask_size, what, price, count, taker
    )


@inner_with
def run_glancing(
    m: Any, rows: Any, stride: int, first: int, last: int, log: Any, glance: Any, place: int, shared: int, mine: int
) -> int:
    """`run_ahead` with a strategy whose glance decides whether what would wake it does.

    place, shared: where its numbers lie, and how many; mine: how many it has for each market.
    """
    m[H_TOLD] = m[H_OWN] = 0
    numbers = m[place : place + shared]
    for row in range(first, last):
        if not can_step(m, rows, stride, row, log):
            return row
        why = woken(m, m[H_AT], rows[row], rows[O_SIDE * stride + row])
        if why != END and not glanced(m, m[H_AT], why, glance, numbers, mine):
            why = END
        if why != END:
            note_wake(m, log, row, why)
        if note_own(m, rows, stride, row):
            m[H_STOP] = OWN
            return row + 1
    m[H_STOP] = END
    return last
