"""Each order's life as a row, and what a journal keeps of decisions."""

from typing import Any

from sample_tapes import MILLI, START_NS
from told_by_hand import MARKET, OTHER, Told

from core.actions import Action, BookSide, Cancel, Decision, Place, Say, Subscribe
from core.decider import Reaction
from core.records import Fault, Kind, Record, Session, encode_payload
from replay.backtest.columns import table_of
from replay.backtest.journal import FAULTS_KEPT, Journal
from replay.backtest.order_rows import order_rows
from replay.backtest.resting import Resting
from replay.backtest.tables import DECISIONS, ORDERS
from replay.venue.told import Answered, Ended, Rested


def rows(told: Told) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = table_of(ORDERS, order_rows(told.journal)).to_pylist()
    return found


def test_an_order_is_told_from_its_placing_to_its_end() -> None:
    told = Told(tape=3).at(1)
    key = told.place(BookSide.ASK, 5_500, 300)
    told.at(2).amend(key, 5_600, 400)
    told.tell(Rested(told.now_ns, key, 900))
    told.at(3).fill(key, 5_600, 150, seq=9, fee=20).at(4).fill(key, 5_600, 250, seq=11, fee=30).end(key, "executed")
    assert rows(told) == [
        {
            "tape": 3, "client_order_id": key, "strategy": "hand", "market": MARKET, "side": "ask", "price": 5_600,
            "count": 400, "post_only": True, "ioc": False, "decided_ns": START_NS + 900 * MILLI, "filled": 400,
            "amendments": 1, "fees": 50, "end": "executed", "trusted": True, "arrived_ns": START_NS + 1_000 * MILLI,
            "answered_ns": START_NS + 1_050 * MILLI, "ended_ns": START_NS + 4_000 * MILLI, "ahead": 300,
        }
    ]  # fmt: skip


def test_an_order_that_never_arrived_or_never_ended_says_so() -> None:
    told = Told()
    place = Place(market=OTHER, client_order_id="late", side=BookSide.BID, price=4_000, count=100)
    told.journal.took(None, START_NS + 5, Reaction([Decision(1, 7, 0, "hand", place)]))
    told.at(1).place(BookSide.BID, 4_100, 100)
    late, resting = rows(told)
    assert (late["end"], late["arrived_ns"], late["trusted"], late["decided_ns"]) == (
        "resting",
        None,
        False,
        START_NS + 5,
    )
    assert (resting["end"], resting["ended_ns"], resting["ahead"]) == ("resting", None, 300)


def test_an_order_that_the_venue_refuses_is_a_row_and_one_that_the_run_refuses_is_a_decision_only() -> None:
    told = Told().at(1)
    told.place(BookSide.BID, 4_100, 100, refused="order of 100, the limit is 1")
    key = told.place(BookSide.BID, 6_100, 100)
    told.end(key, "refused:invalid_order")
    assert [(row["client_order_id"], row["end"]) for row in rows(told)] == [(key, "refused:invalid_order")]
    decisions = table_of(DECISIONS, told.journal.decisions).to_pylist()
    assert [row["refused"] for row in decisions] == ["order of 100, the limit is 1", ""]
    assert decisions[0]["market"] == MARKET
    assert '"do":"place"' in decisions[0]["action"]


def test_a_journal_numbers_sessions_and_knows_which_markets_matter_since_when() -> None:
    journal = Journal(0)
    session = Record(0, 5, 0, 0, Kind.SESSION, encode_payload(Session("u", "test")))
    actions: list[Action] = [
        Subscribe(("A", "B")),
        Say("words", "A"),
        Cancel(market="C", client_order_id="x", order_id="y"),
    ]
    journal.took(session, 10, Reaction([Decision(1, 0, 0, "s", actions[0])]))
    journal.took(None, 20, Reaction([Decision(2, 3, 0, "s", actions[1])]))
    journal.took(session, 30, Reaction([Decision(1, 8, 0, "", actions[2])]))
    found = [(row[1], row[2], row[4], row[6], row[7]) for row in journal.decisions]
    assert found == [(0, 1, 10, "subscribe", ""), (0, 2, 20, "say", "A"), (1, 1, 30, "cancel", "C")]
    assert journal.interest == {"A": 10, "B": 10}


def test_a_journal_counts_every_failure_and_keeps_the_first() -> None:
    journal = Journal(0)
    for number in range(FAULTS_KEPT + 5):
        journal.took(None, 1, Reaction(faults=[Fault("strategy s", f"ValueError: {number}")]))
    assert (journal.failed, len(journal.faults)) == (FAULTS_KEPT + 5, FAULTS_KEPT)
    assert journal.faults[0].error == "ValueError: 0"


def test_what_rests_is_counted_with_what_it_may_cost() -> None:
    told = Told().at(1)
    bid, ask = told.place(BookSide.BID, 4_000, 100), told.place(BookSide.ASK, 7_000, 200, OTHER)
    told.fill(bid, 4_000, 40, seq=5)
    resting = Resting()
    seen = []
    for happening in told.amend(bid, 4_500, 100).end(ask, "canceled").fill(bid, 4_500, 60, seq=6).journal.happenings:
        resting.happened(happening)
        if not isinstance(happening, Answered):
            seen.append((resting.count, resting.cost, resting.markets))
    assert seen == [
        (0, 0, ()), (1, 400_000, (MARKET,)), (1, 400_000, (MARKET,)), (2, 1_000_000, (MARKET, OTHER)),
        (2, 840_000, (OTHER, MARKET)), (2, 870_000, (OTHER, MARKET)), (1, 270_000, (MARKET,)), (0, 0, ()),
    ]  # fmt: skip
    resting.happened(Ended(1, "nobody's", "canceled"))
    assert resting.count == 0
