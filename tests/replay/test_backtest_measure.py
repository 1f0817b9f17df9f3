"""What a journal was worth: rows where they are due, mark-outs, positions, and profit split by trust."""

from pathlib import Path
from typing import Any

import pytest
from sample_tapes import SECOND, START_NS
from told_by_hand import MARKET, OTHER, Told, quiet_tape

from capture.tape.reader import Tape
from core.actions import BookSide
from core.compiled import INSTALLED
from core.copies import machine
from core.money import DOLLAR
from replay.backtest.columns import table_of
from replay.backtest.market_rows import market_rows
from replay.backtest.measure import Measured, measure
from replay.backtest.money import Account, Unbalanced
from replay.backtest.order_rows import order_rows
from replay.backtest.tables import ORDERS
from replay.venue.told import Determined

BID, ASK = BookSide.BID, BookSide.ASK
CASH = 1_000_000_000
PATHS = pytest.mark.parametrize("path", ["bytes", "columns"])


@pytest.fixture(scope="module", autouse=True)
def _compiled() -> None:
    machine(is_compiled=INSTALLED)


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Tape:
    return quiet_tape(tmp_path_factory.mktemp("measure") / "quiet")


@pytest.fixture(scope="module")
def gap(tmp_path_factory: pytest.TempPathFactory) -> Tape:
    return quiet_tape(tmp_path_factory.mktemp("measure") / "gap", seconds=40, gap_at_s=12)


def seconds(table: Any, column: str = "at_ns") -> list[float]:
    """Since the tape's beginning."""
    return [(at_ns - START_NS) / SECOND for at_ns in table.column(column).to_pylist()]


def bought_at_three(count: int = 200) -> Told:
    """A bid of 0.43 is filled at second 3, where the bid of others has just come to 0.43, and pays 100 of fees."""
    told = Told()
    key = told.at(2.5).place(BID, 4_300, count)
    return told.at(3).fill(key, 4_300, count, seq=8, fee=100).end(key, "executed")


def balanced(found: Measured, start: int = CASH) -> None:
    """Every row adds up."""
    for row in found.equity.to_pylist():
        assert row["cash"] + row["value"] == row["equity"]
    last = found.equity.to_pylist()[-1]
    assert last["equity"] == start + sum(market.pnl for market in found.markets.values())


@PATHS
def test_a_row_at_the_fill_and_one_a_second_while_something_is_held_or_rests(quiet: Tape, path: str) -> None:
    found = measure(quiet, bought_at_three().journal, Account(CASH), path)
    assert seconds(found.equity) == [0, 3, 3, *range(4, 91), 90]
    rows = found.equity.to_pylist()
    # The order that rests, then the fill, then second after second; the bid rises to 0.50, falls to 0.40, and so on.
    assert [(row["orders"], row["exposure"]) for row in rows[:3]] == [(0, 0), (0, 860_000), (0, 860_000)]
    assert [row["value"] for row in rows[1:6]] == [860_000, 860_000, 880_000, 900_000, 920_000]
    assert {row["fees"] for row in rows[1:]} == {100}
    assert rows[1]["cash"] == CASH - 860_100
    assert all(row["trusted"] for row in rows)
    balanced(found)


def test_an_order_that_rests_counts_until_it_is_over(quiet: Tape) -> None:
    told = Told()
    key = told.at(1.5).place(ASK, 6_000, 100)
    told.at(2.2).amend(key, 5_500, 200)
    told.at(4.5).end(key, "canceled")
    rows = measure(quiet, told.journal, Account(CASH)).equity.to_pylist()
    assert [(row["at_ns"] - START_NS, row["orders"], row["exposure"]) for row in rows] == [
        (0, 0, 0), (2 * SECOND, 1, 400_000), (3 * SECOND, 1, 900_000), (4 * SECOND, 1, 900_000), (90 * SECOND, 0, 0),
    ]  # fmt: skip


@PATHS
def test_mark_outs_are_the_middle_so_long_after_the_fill(quiet: Tape, path: str) -> None:
    fill = measure(quiet, bought_at_three().journal, Account(CASH), path).fills.to_pylist()[0]
    assert (fill["mid"], fill["mark_1s"], fill["mark_10s"], fill["mark_60s"]) == (5_150.0, 5_200.0, 5_350.0, 5_150.0)
    assert (fill["rested_ns"], fill["position"], fill["settlement"]) == (SECOND, 200, None)


def test_a_mark_out_beyond_the_end_or_in_a_gap_is_not_known(gap: Tape) -> None:
    told = Told()
    key = told.at(2.5).place(BID, 4_300, 400)
    told.at(3).fill(key, 4_300, 200, seq=8)
    told.at(35).fill(key, 4_300, 200, seq=40)
    first, second = measure(gap, told.journal, Account(CASH)).fills.to_pylist()
    assert (first["mark_1s"], first["mark_10s"], first["mark_60s"]) == (5_200.0, None, None)
    assert second["mark_1s"] is not None
    assert second["mark_10s"] is None


def test_a_fill_that_takes_between_two_records_is_seen_before_the_next_one(quiet: Tape) -> None:
    told = Told()
    key = told.at(3.5).place(BID, 6_000, 100)
    told.fill(key, 6_000, 100, seq=8, is_taker=True, why="took", rested_ns=-1).end(key, "executed")
    fill = measure(quiet, told.journal, Account(CASH)).fills.to_pylist()[0]
    assert (fill["mid"], fill["rested_ns"]) == (5_150.0, None)


@PATHS
def test_profit_is_split_by_trust_and_a_span_reaches_back_to_what_was_vouched_for(gap: Tape, path: str) -> None:
    found = measure(gap, bought_at_three().journal, Account(CASH), path)
    balanced(found)
    spans = [row for row in found.spans.to_pylist() if row["market"] == MARKET]
    assert [((row["from_ns"] - START_NS) // SECOND, (row["until_ns"] - START_NS) // SECOND) for row in spans] == [
        (11, 17)
    ]
    rows = {(row["at_ns"] - START_NS) / SECOND: row for row in found.equity.to_pylist()}
    assert [second for second, row in rows.items() if not row["trusted"]] == [11, 12, 13, 14, 15, 16]
    # Bought at 0.43 for 100 of fees; 0.50 when trust was lost; 0.40 in the new book, which rises to 0.50 again.
    market = found.markets[MARKET]
    assert market.pnl == 200 * (rows[40]["value"] // 200 - 4_300) - 100
    in_gap = rows[17]["value"] - rows[10]["value"]
    assert in_gap == 200 * (4_000 - 5_000)
    assert market.pnl_trusted == market.pnl - in_gap


def test_a_fill_in_doubt_is_untrusted_profit_whatever_the_spans_say(quiet: Tape) -> None:
    told = Told()
    key = told.at(2.5).place(BID, 4_100, 100)
    told.at(3).fill(key, 4_100, 100, seq=8, trusted=False)
    market = measure(quiet, told.journal, Account(CASH)).markets[MARKET]
    assert market.pnl - market.pnl_trusted == 100 * (4_300 - 4_100)


def test_what_is_held_in_a_market_that_has_closed_is_not_in_doubt(tmp_path: Path) -> None:
    """The recorder is cut off from second 20 on; the market had closed by then, as an answer told later."""
    tape = quiet_tape(tmp_path / "tape", gap_at_s=20)
    for closes, trusted in (({}, {True, False}), ({MARKET: START_NS + 19 * SECOND}, {True})):
        found = measure(tape, bought_at_three().journal, Account(CASH), closes=closes)
        rows = [row for row in found.equity.to_pylist() if row["at_ns"] > START_NS + 4 * SECOND]
        assert {row["trusted"] for row in rows} == trusted
        assert (found.markets[MARKET].pnl == found.markets[MARKET].pnl_trusted) or not closes


def test_a_result_that_is_known_but_not_paid_marks_what_is_held_and_what_was_traded(quiet: Tape) -> None:
    told = bought_at_three()
    key = told.at(5.5).place(ASK, 6_000, 300, OTHER)
    told.at(6).fill(key, 6_000, 300, seq=11)
    back = told.at(6.5).place(BID, 6_000, 300, OTHER)
    told.at(7).fill(back, 6_000, 300, seq=12)
    told.at(70).tell(Determined(told.now_ns, MARKET, DOLLAR), Determined(told.now_ns, OTHER, 0))
    found = measure(quiet, told.journal, Account(CASH))
    balanced(found)
    held, flat = found.markets[MARKET], found.markets[OTHER]
    assert held.mark is not None
    assert (held.mark.by, held.position, held.pnl, held.settlement) == ("result", 200, 200 * 5_700 - 100, DOLLAR)
    assert (flat.mark, flat.position, flat.settlement) == (None, 0, 0)
    assert found.fills.column("settlement").to_pylist() == [DOLLAR, 0, 0]


def test_a_market_that_pays_is_over_and_one_that_does_not_is_marked(quiet: Tape) -> None:
    told = bought_at_three()
    key = told.at(5.5).place(ASK, 6_000, 300, OTHER)
    told.at(6).fill(key, 6_000, 300, seq=11)
    told.at(80.5).settle(MARKET, DOLLAR, 200, 2_000_000)
    found = measure(quiet, told.journal, Account(CASH))
    balanced(found)
    paid, open_ = found.markets[MARKET], found.markets[OTHER]
    assert (paid.pnl, paid.position, paid.settlement, paid.mark) == (200 * 5_700 - 100, 0, DOLLAR, None)
    assert open_.mark is not None
    assert (open_.pnl, open_.position, open_.mark.by, open_.settlement) == (0, -300, "ask", None)
    assert found.fills.column("settlement").to_pylist() == [DOLLAR, None]
    assert [(row["market"], row["position"]) for row in found.positions.to_pylist()] == [
        (MARKET, 200), (OTHER, -300), (MARKET, 0),
    ]  # fmt: skip
    orders = table_of(ORDERS, order_rows(told.journal))
    rows = market_rows(0, orders, found.fills, found.markets, lambda market: f"of {market}")
    assert [row[1:] for row in rows] == [
        (MARKET, 1, 1, 200, 0, 100, 1_139_900, 1_139_900, 0, 0, "settled", f"of {MARKET}", None, DOLLAR,
         START_NS + 80_500_000_000),
        (OTHER, 1, 1, 0, 300, 0, 0, 0, 0, -300, "ask", f"of {OTHER}", 6_000.0, None, None),
    ]  # fmt: skip


def test_a_venue_that_pays_something_else_than_the_books_say_is_an_error(quiet: Tape) -> None:
    with pytest.raises(Unbalanced, match="the venue paid 1 for 200, by our books it is 2000000 for 200"):
        measure(quiet, bought_at_three().at(80).settle(MARKET, DOLLAR, 200, 1).journal, Account(CASH))


def test_books_that_do_not_balance_stop_the_measuring(quiet: Tape) -> None:
    account = Account(CASH)
    account.locked = 1
    with pytest.raises(Unbalanced, match="by 1"):
        measure(quiet, bought_at_three().journal, account)


def test_two_tapes_share_an_account(quiet: Tape, gap: Tape) -> None:
    account = Account(CASH)
    first = measure(quiet, bought_at_three().journal, account)
    second = measure(gap, bought_at_three(300).journal, account)
    begins, ends = second.equity.to_pylist()[0], first.equity.to_pylist()[-1]
    assert (begins["cash"], begins["value"], begins["equity"]) == (ends["cash"], ends["value"], ends["equity"])
    assert account.cash + account.locked == CASH + first.markets[MARKET].pnl + second.markets[MARKET].pnl


@PATHS
def test_nothing_happened_is_a_flat_line(quiet: Tape, path: str) -> None:
    found = measure(quiet, Told().journal, Account(CASH), path)
    assert [(row["equity"], row["orders"]) for row in found.equity.to_pylist()] == [(CASH, 0)] * 2
    assert (found.fills.num_rows, found.positions.num_rows, found.spans.num_rows, found.markets) == (0, 0, 0, {})


def test_both_paths_measure_the_same(gap: Tape) -> None:
    told = bought_at_three()
    key = told.at(9.25).place(ASK, 5_100, 500)
    told.at(20).fill(key, 5_100, 500, seq=25).at(30).end(key, "expired")
    one, other = (measure(gap, told.journal, Account(CASH), path) for path in ("bytes", "columns"))
    for name in ("fills", "equity", "positions", "spans"):
        assert getattr(one, name).equals(getattr(other, name)), name
    assert one.markets == other.markets
