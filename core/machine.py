"""The machine that steps the four messages which make up a tape: is it the next one, what does it change, who is woken.

Knows numbering, books, trades, tickers, all as cells. Functions like those of `core.levels`: the same run live, by
bytes and by columns, as they stand or compiled. `step_...` does the whole step of one message, or nothing at all where
anything about it is out of the ordinary (UNUSUAL): then `core.engine` takes the long way. `run` steps many.
"""

from typing import Any, Final

from core.cells import (
    C_HEARD,
    C_OPEN,
    H_AT,
    H_DELTAS,
    H_DUE,
    H_FILTERED,
    H_FRAMES,
    H_IS_WATCHED,
    H_NOW,
    H_OPEN_GAPS,
    H_RECORDS,
    H_SEEN,
    H_SNAPSHOTS,
    H_STOP,
    H_TICKERS,
    H_TRADES,
    M_BOOK_SUB,
    M_CONNECTION,
    M_HAS_BOOK,
    M_HEARD_NS,
    M_ID,
    M_NO,
    M_PRICES,
    M_SEQ,
    M_SID,
    M_TICKER,
    M_TICKER_SUB,
    M_TOLD,
    M_TRADE_SUB,
    M_TRADED,
    M_TRADES,
    M_TRUSTED,
    M_WAKES,
    M_YES,
    NO_BID,
    NULL,
    S_CONNECTION,
    S_HEARD,
    S_NEXT,
    S_NUMBER,
    S_SERIAL,
    S_SID,
    S_YES_PRICE,
    T_EXCHANGE_NS,
    T_HAS,
    T_SENDING_MS,
    T_SEQ,
    T_SID,
    T_VALUES,
    TICKER_VALUES,
    TRADE_CELLS,
    WAKE_BOOK,
    WAKE_TICKER,
    WAKE_TOP,
    WAKE_TRADE,
)
from core.copies import inner
from core.levels import (
    DOLLAR as DOLLAR,
)
from core.levels import (
    DONE as DONE,
)
from core.levels import (
    MAX_SIZE as MAX_SIZE,
)
from core.levels import (
    NO_ROOM as NO_ROOM,
)
from core.levels import (
    PASSED as PASSED,
)
from core.levels import (
    TOO_HIGH as TOO_HIGH,
)
from core.levels import (
    TOO_LOW as TOO_LOW,
)
from core.levels import (
    UNUSUAL as UNUSUAL,
)
from core.levels import (
    append,
    apply_delta,
    apply_snapshot,
    has_room,
    note,
    size_at,
)
from core.levels import (
    change as change,
)
from core.levels import (
    clear as clear,
)
from core.levels import (
    highest as highest,
)

STALL_NS: Final = 25_000_000_000
MAX_TOTAL: Final = 2**63 - 1
MAX_TRADE_IDS: Final = 16_384
_SLOTS: Final = 32_768
SEEN_CELLS: Final = 2 + 2 * MAX_TRADE_IDS + _SLOTS
"""Of remembered trade ids: which is the oldest, how many there are, the ids as a ring, a hash table of their places."""

# Columns of rows: one stretch after the other. O_MARKET: index of the element that holds the market's offset, 0 = none
# known. O_MORE: index of the element where what the columns do not say begins.
O_WHAT, O_NOW, O_CONNECTION, O_MARKET, O_SID, O_SEQ, O_SIDE, O_PRICE, O_SIZE, O_CLOCK, O_MORE = range(11)
ROW_COLUMNS: Final = 11

# What a row is. OTHER is for Python, QUIET changes nothing but counts.
OTHER, QUIET, DELTA, TRADE, TICKER, SNAPSHOT = range(6)

# Why `run` stopped: no row left; a row is not stepped; a row was stepped and somebody is to be told.
END, UNDONE, BOOK_WOKE, TOP_WOKE, TRADE_WOKE, TICKER_WOKE, DUE = range(7)


@inner
def is_next(m: Any, told: int, number: int, sid: int, seq: int, now: int) -> bool:
    """Whether a frame is the next one of a subscription that is known to carry the market. told: the market's cells of
    that subscription and its serial."""
    sub = m[told]
    if sub == 0 or m[sub + S_SERIAL] != m[told + 1] or m[sub + S_NUMBER] != number or m[sub + S_SID] != sid:
        return False
    connection = m[sub + S_CONNECTION]
    if m[connection + C_OPEN] == 0 or now - m[connection + C_HEARD] > STALL_NS:
        return False
    expected = m[sub + S_NEXT]
    if seq == 0:
        return True
    return expected > 0 and seq < MAX_TOTAL and (seq == expected or (m[H_FILTERED] == 1 and seq > expected))


@inner
def count(m: Any, told: int, seq: int, now: int) -> None:
    """The frame was that one."""
    sub = m[told]
    if seq:
        m[sub + S_NEXT] = seq + 1
        m[sub + S_HEARD] = now
    m[m[sub + S_CONNECTION] + C_HEARD] = now


@inner
def step_delta(
    m: Any, at: int, number: int, sid: int, seq: int, now: int, side: int, price: int, delta: int, clock: int
) -> int:
    """An orderbook_delta. side: 1 yes, 2 no; price: as the subscription writes it."""
    told = at + M_BOOK_SUB
    if m[at + M_CONNECTION] != number or m[at + M_SID] != sid or not is_next(m, told, number, sid, seq, now):
        return UNUSUAL
    if side == 2 and m[m[told] + S_YES_PRICE]:
        price = DOLLAR - price
    size = size_at(m, at + (M_YES if side == 1 else M_NO), price) + delta
    if size < 0 or size > MAX_SIZE or (seq and seq <= m[at + M_SEQ]):
        return UNUSUAL
    if apply_delta(m, at, now, seq, side, price, delta, clock) != DONE:
        return UNUSUAL
    count(m, told, seq, now)
    m[H_DELTAS] += 1
    return DONE


@inner
def step_snapshot(
    m: Any, at: int, number: int, sid: int, seq: int, now: int, clock: int, source: Any, more: int
) -> int:
    """An orderbook_snapshot of a trusted book, while no gap is open. source[more]: how many yes and no levels, then the
    yes prices, sizes, no prices, sizes."""
    told = at + M_BOOK_SUB
    if m[at + M_CONNECTION] != number or m[at + M_SID] != sid or not is_next(m, told, number, sid, seq, now):
        return UNUSUAL
    if m[H_OPEN_GAPS] or not m[at + M_TRUSTED] or seq <= m[at + M_SEQ]:
        return UNUSUAL
    mirrored = m[m[told] + S_YES_PRICE]
    if apply_snapshot(m, at, now, clock, source, more + 2, source[more], source[more + 1], mirrored) != DONE:
        return UNUSUAL
    m[at + M_SEQ] = seq
    count(m, told, seq, now)
    m[H_SNAPSHOTS] += 1
    return DONE


@inner
def step_trade(m: Any, at: int, number: int, sid: int, seq: int, now: int, source: Any, more: int) -> int:
    """A trade that was not met before. source[more]: price, count, 1 or 2, is_block, exchange_ns, the id's halves."""
    told = at + M_TRADE_SUB
    if not is_next(m, told, number, sid, seq, now) or not has_room(m, at + M_TRADES):
        return UNUSUAL
    if m[H_SEEN] == 0 or m[seen_cell(m, source[more + 5], source[more + 6])] != 0:
        return UNUSUAL
    see(m, source[more + 5], source[more + 6])
    apply_trade(m, at, now, source, more)
    count(m, told, seq, now)
    m[H_TRADES] += 1
    return DONE


@inner
def apply_trade(m: Any, at: int, now: int, source: Any, more: int) -> None:
    """Keep a trade; only where its ring has room."""
    cell = append(m, at + M_TRADES, TRADE_CELLS)
    m[cell] = now
    for index in range(TRADE_CELLS - 1):
        m[cell + 1 + index] = source[more + index]
    size = source[more + 1]
    traded = m[at + M_TRADED]
    m[at + M_TRADED] = MAX_TOTAL if traded > MAX_TOTAL - size else traded + size
    m[at + M_HEARD_NS] = now


@inner
def step_ticker(m: Any, at: int, number: int, sid: int, seq: int, now: int, source: Any, more: int) -> int:
    """A ticker with the same market_id as the one before it. source[more]: code of the market_id, sending_ms,
    exchange_ns, the values."""
    told = at + M_TICKER_SUB
    if not is_next(m, told, number, sid, seq, now) or m[at + M_TICKER + T_HAS] == 0 or source[more] != m[at + M_ID]:
        return UNUSUAL
    if m[at + M_HAS_BOOK] == 0 and not has_room(m, at + M_PRICES):
        return UNUSUAL
    apply_ticker(m, at, sid, seq, now, source, more)
    count(m, told, seq, now)
    m[H_TICKERS] += 1
    return DONE


@inner
def apply_ticker(m: Any, at: int, sid: int, seq: int, now: int, source: Any, more: int) -> None:
    """Keep a ticker, and its prices where there has been no book; only where their ring has room."""
    cell = at + M_TICKER
    values = cell + T_VALUES
    bid, ask = source[more + 4], source[more + 5]
    moved = m[cell + T_HAS] == 0 or m[values + 1] != bid or m[values + 2] != ask
    m[cell + T_HAS] = 1
    m[cell + T_SID] = sid
    m[cell + T_SEQ] = seq
    m[cell + T_SENDING_MS] = source[more + 1]
    m[cell + T_EXCHANGE_NS] = source[more + 2]
    for index in range(TICKER_VALUES):
        m[values + index] = source[more + 3 + index]
    m[at + M_HEARD_NS] = now
    if moved and m[at + M_HAS_BOOK] == 0:
        # nobody bidding is shown as a bid of 0 and an ask of 1
        yes_best = NO_BID if bid == NULL or bid == 0 else bid
        no_best = NO_BID if ask == NULL or ask == DOLLAR else DOLLAR - ask  # noqa: SIM109  # compiles to as much
        note(m, at, now, yes_best, no_best)


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


@inner
def top_moved(m: Any, at: int) -> bool:
    """Whether a best price or its size is another than strategies were last told; they are taken to be told now."""
    told = at + M_TOLD
    moved = False
    for index in range(2):
        side = at + M_YES + 2 * index
        best = m[side + 1]
        size = 0 if best == NO_BID else size_at(m, side, best)
        if m[told + 2 * index] != best or m[told + 2 * index + 1] != size:
            m[told + 2 * index] = best
            m[told + 2 * index + 1] = size
            moved = True
    return moved


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
def woken(m: Any, at: int, what: int) -> int:
    """Whom a row that was stepped wakes, END = nobody."""
    wakes = m[at + M_WAKES]
    if what == TRADE:
        return TRADE_WOKE if wakes & WAKE_TRADE else END
    if what == TICKER:
        return TICKER_WOKE if wakes & WAKE_TICKER else END
    if top_moved(m, at) and wakes & (WAKE_TOP | WAKE_BOOK):
        return TOP_WOKE
    return BOOK_WOKE if wakes & WAKE_BOOK else END


@inner
def run(m: Any, rows: Any, stride: int, first: int, last: int) -> int:
    """Step rows until one is for Python or wakes somebody; returns the first row not stepped. m[H_STOP] says why it
    stopped, m[H_AT] at which market."""
    for row in range(first, last):
        what = rows[row]
        now = rows[O_NOW * stride + row]
        why = END
        if what == OTHER:
            m[H_STOP] = UNDONE
            return row
        if what != QUIET:
            at = rows[rows[O_MARKET * stride + row]]
            if at == 0 or step_row(m, rows, stride, row, at) != DONE:
                m[H_STOP] = UNDONE
                return row
            m[H_FRAMES] += 1
            if m[H_IS_WATCHED]:
                why = woken(m, at, what)
                m[H_AT] = at
        m[H_RECORDS] += 1
        m[H_NOW] = now
        if why == END and now >= m[H_DUE]:
            why = DUE
        if why != END:
            m[H_STOP] = why
            return row + 1
    m[H_STOP] = END
    return last
