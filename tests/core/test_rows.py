from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from copies import EACH_COPY
from deck import Deck, delta, snapshot, subscribed, ticker, trade
from fates import UUID

from core.cells import M_ID, NULL, Memory
from core.columns import ColumnBuilder
from core.engine import Engine
from core.market import TICKER_VALUES, MarketState
from core.messages import Malformed, Ok, Side, Ticker
from core.records import Kind
from core.rings import Pool
from core.rows import Rows
from core.runs import (
    DELTA,
    O_CLOCK,
    O_CONNECTION,
    O_MARKET,
    O_MORE,
    O_NOW,
    O_PRICE,
    O_SEQ,
    O_SID,
    O_SIDE,
    O_SIZE,
    O_WHAT,
    OTHER,
    QUIET,
    SNAPSHOT,
    TICKER,
    TRADE,
)
from core.timeline import Timeline


def rows_of(*messages: Any, kinds: Sequence[Kind] = (), connection: int = 1, times: Sequence[int] = ()) -> Rows:
    """Text frames that say this (None: another record, of the kind at its place)."""
    builder = ColumnBuilder(len(messages))
    for row, message in enumerate(messages):
        if message is not None:
            builder.put(row, message)
    at_ns = np.array(times or range(1, len(messages) + 1), np.int64)
    kind = np.array([int(kind) for kind in kinds or [Kind.FRAME] * len(messages)], np.int64)
    numbers = [at_ns, np.zeros(len(messages), np.int64), np.full(len(messages), connection, np.int64), kind]
    return Rows(numbers, builder.finish())


def cell(rows: Rows, column: int, row: int = 0) -> int:
    return int(rows.cells[column * rows.rows + row])


def whats(rows: Rows) -> list[int]:
    return [cell(rows, O_WHAT, row) for row in range(rows.rows)]


def more(rows: Rows, count: int, row: int = 0) -> list[int]:
    start = cell(rows, O_MORE, row)
    return [int(value) for value in rows.cells[start : start + count]]


def test_a_delta_is_all_in_its_columns() -> None:
    told = msgspec.structs.replace(delta(7, 4_010, -25, Side.NO, market="B", sid=3), clock=9)
    rows = rows_of(told, delta(8), connection=5)
    assert [cell(rows, column) for column in (O_CONNECTION, O_SID, O_SEQ, O_SIDE, O_PRICE, O_SIZE, O_CLOCK)] == [
        5, 3, 7, 2, 4_010, -25, 9,
    ]  # fmt: skip
    assert cell(rows, O_SIDE, 1) == 1
    assert cell(rows, O_CLOCK, 1) == 0


def test_a_trade_has_its_id_in_halves() -> None:
    told = msgspec.structs.replace(
        trade(1, UUID.format(7), price=4_100, count=3), taker=Side.NO, is_block=True, exchange_ns=5_000
    )
    high, low = (int(half, 16) for half in (UUID.format(7).replace("-", "")[:16], UUID.format(7).replace("-", "")[16:]))
    assert more(rows_of(told), 7) == [4_100, 3, 2, 1, 5_000, high, low - 2**64]
    assert more(rows_of(trade(1, UUID.format(7))), 5) == [4_000, 5, 1, 0, 0]


def test_a_ticker_has_its_values_in_order_and_says_where_there_is_none() -> None:
    values = {name: number for number, name in enumerate(TICKER_VALUES)}
    told = Ticker(sid=3, market="M", market_id="m", sending_ms=4, exchange_ns=6_000, **values)  # type: ignore[arg-type]  # by name, each an int
    rows = rows_of(Ticker(sid=3, market="M", market_id="l", yes_bid=0), told)
    assert more(rows, 13, 0) == [0, 0, 0, NULL, 0, *[NULL] * 8]
    assert more(rows, 13, 1) == [1, 4, 6_000, *range(10)]


def test_a_snapshot_has_its_sides_behind_each_other() -> None:
    rows = rows_of(snapshot(1, no=((5_000, 1),)), snapshot(2, yes=((1, 2), (3, 4)), no=((5, 6), (7, 8), (9, 10))))
    assert more(rows, 6, 0) == [1, 1, 4_000, 100, 5_000, 1]
    assert more(rows, 12, 1) == [2, 3, 1, 3, 2, 4, 5, 7, 9, 6, 8, 10]


def test_what_the_machine_cannot_step_is_for_python() -> None:
    odd = msgspec.structs.replace(delta(1), unknown_fields=("msg.new",))
    mine = msgspec.structs.replace(delta(1), client_order_id="mine")
    answer = msgspec.structs.replace(snapshot(1), id=4)
    exact = msgspec.structs.replace(delta(1), exchange_ns=1)  # a column holds microseconds
    assert whats(rows_of(delta(1), trade(1, UUID.format(1)), ticker("M"), snapshot(1))) == [
        DELTA, TRADE, TICKER, SNAPSHOT,
    ]  # fmt: skip
    told = (odd, mine, answer, exact, trade(1, "no uuid"), trade(1, "80000000-0000-0000-0000-000000000001"))
    assert whats(rows_of(*told, Ok(sid=1, seq=1), Malformed("not-json"))) == [OTHER] * 8
    assert whats(rows_of()) == []


@pytest.mark.parametrize("kind", list(Kind))
def test_a_record_is_quiet_only_when_it_says_nothing_of_connections_and_markets(kind: Kind) -> None:
    deck = Deck()
    deck.opened(1)
    deck.frame(subscribed())
    deck.frame(snapshot(1))
    (what,) = whats(rows_of(None, kinds=(kind,)))
    assert what in (OTHER, QUIET)
    if what == QUIET:
        before = deck.engine.store.save(), deck.engine.connections.save(), deck.engine.counts.frames
        deck.put(kind, b"{}", connection=1)
        assert (deck.engine.store.save(), deck.engine.connections.save(), deck.engine.counts.frames) == before
    else:
        assert kind <= Kind.FRAME_CLOSE or kind.name in (
            "SESSION", "OPENED", "CLOSED", "SENT", "GAP_OPEN", "GAP_CLOSE", "REST",
        )  # fmt: skip


@EACH_COPY
def test_rows_find_their_markets_and_lose_them_again(is_compiled: bool) -> None:
    pool = Pool(Memory(is_compiled))
    one, other = MarketState("M", pool), MarketState("other", pool)
    rows = rows_of(delta(1), delta(2, market="N"), Ok(sid=1, seq=3), trade(1, UUID.format(1)))

    def places() -> list[int]:
        return [int(rows.cells[cell(rows, O_MARKET, row)]) for row in range(4)]

    assert places() == [0, 0, 0, 0]
    rows.find({"M": one, "other": other})
    assert places() == [one.at, 0, 0, one.at]
    rows.found("N", other)
    rows.found("nobody's", other)
    assert places() == [one.at, other.at, 0, one.at]
    rows.found("M", None)
    assert places() == [0, other.at, 0, 0]
    rows.find({})
    assert places() == [0, 0, 0, 0]


def test_a_market_knows_the_code_of_its_market_id_in_these_rows() -> None:
    state = MarketState("M", Pool())
    plain = state.memory.plain
    rows = rows_of(*(Ticker(market="M", market_id=text) for text in ("a", "b", "")))
    codes = [more(rows, 1, row)[0] for row in range(3)]
    for text in ("a", "b", ""):
        state.take_ticker(Ticker(market="M", market_id=text), 5)
        rows.found("M", state)
        assert plain[state.at + M_ID] == codes[("a", "b", "").index(text)]
    state.take_ticker(Ticker(market="M", market_id="not here"), 5)
    rows.found("M", state)
    assert plain[state.at + M_ID] not in codes


def test_rows_have_the_times_that_follow_and_say_how_far_an_instant_reaches() -> None:
    rows = rows_of(*[delta(seq) for seq in range(1, 6)], times=(10, 30, 20, 40, 40))
    rows.time(Timeline(now_ns=15), 0)
    assert [cell(rows, O_NOW, row) for row in range(5)] == [15, 30, 30, 40, 40]
    assert [rows.until(0, 5, last_ns) for last_ns in (14, 15, 30, 39, 40)] == [0, 1, 3, 3, 5]
    assert [rows.until(1, 4, last_ns) for last_ns in (14, 30, 40)] == [1, 3, 4]
    rows.time(Timeline(now_ns=35), 3)
    assert [cell(rows, O_NOW, row) for row in range(5)] == [15, 30, 30, 40, 40]
    rows.time(Timeline(now_ns=50), 3)
    assert [cell(rows, O_NOW, row) for row in range(5)] == [15, 30, 30, 50, 50]


@EACH_COPY
def test_a_row_does_what_its_message_does(is_compiled: bool) -> None:
    deck = Deck(engine=Engine(is_compiled=is_compiled))
    deck.opened(1)
    for message in (subscribed(), snapshot(1, no=((5_000, 10),)), delta(2)):
        deck.frame(message)
    engine = deck.engine
    rows = rows_of(delta(3, 5_010, 7, Side.NO), delta(4, 4_000, 1), times=(deck.now_ns + 1, deck.now_ns + 2))
    rows.time(engine.timeline, 0)
    rows.find(engine.store.states())
    assert engine.run(rows.cells, rows.rows, 0, 2) == 0  # the grid has to become finer first
    deck.frame(delta(3, 5_010, 7, Side.NO), after_ns=1)
    assert engine.run(rows.cells, rows.rows, 1, 2) == 2
    view = engine.store.view("M")
    assert (view.yes, view.no, view.last_seq) == (((4_000, 111),), ((5_000, 10), (5_010, 7)), 4)
    assert engine.now_ns == deck.now_ns + 1
