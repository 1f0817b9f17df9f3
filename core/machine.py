"""Steps of the four messages that make up a tape: is it the next one, and what does it change.

Knows numbering, books, trades, tickers, all as cells. Functions like those of `core.levels`: the same run live, by
bytes and by columns, as they stand or compiled. `step_...` does the whole step of one message, or nothing at all where
anything about it is out of the ordinary (UNUSUAL): then `core.engine` takes the long way.
"""

from typing import Any, Final

from core.cells import (
    C_HEARD,
    C_OPEN,
    H_DELTAS,
    H_FILTERED,
    H_OPEN_GAPS,
    H_SEEN,
    H_SNAPSHOTS,
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
    M_TRADE_SUB,
    M_TRADED,
    M_TRADES,
    M_TRUSTED,
    M_YES,
    NO_BID,
    NULL,
    POINT_CELLS,
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
)
from core.copies import inner
from core.levels import DOLLAR, DONE, MAX_SIZE, UNUSUAL, append, apply_delta, apply_snapshot, has_room, note, size_at
from core.trade_ids import see, seen_cell

STALL_NS: Final = 25_000_000_000
MAX_TOTAL: Final = 2**63 - 1


@inner
def is_next(m: Any, told: int, number: int, sid: int, seq: int, now: int) -> bool:
    """Whether a frame is the next one of a subscription that is known to carry the market; the first number
    goes the long way, which notes it. told: the market's cells of that subscription and its serial."""
    sub = m[told]
    if sub == 0 or m[sub + S_SERIAL] != m[told + 1] or m[sub + S_NUMBER] != number or m[sub + S_SID] != sid:
        return False
    connection = m[sub + S_CONNECTION]
    if m[connection + C_OPEN] == 0 or now - m[connection + C_HEARD] > STALL_NS:
        return False
    expected = m[sub + S_NEXT]
    if seq == 0:
        return True
    return expected > 1 and seq < MAX_TOTAL and (seq == expected or (m[H_FILTERED] == 1 and seq > expected))


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
    if not is_next(m, told, number, sid, seq, now) or not has_room(m, at + M_TRADES, TRADE_CELLS):
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
    if m[at + M_HAS_BOOK] == 0 and not has_room(m, at + M_PRICES, POINT_CELLS):
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
        yes_best = NO_BID if bid in (NULL, 0) else bid
        no_best = NO_BID if ask in (NULL, DOLLAR) else DOLLAR - ask
        note(m, at, now, yes_best, no_best)
