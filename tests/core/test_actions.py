"""Tests of the forms in which decisions and what became of them lie on a tape."""

import msgspec
import pytest

from core.actions import (
    Action,
    Amend,
    BookSide,
    Cancel,
    Decision,
    Done,
    Fetch,
    Outcome,
    PaperEvent,
    PaperFill,
    Place,
    Progress,
    RiskLimits,
    RunTerms,
    Say,
    Select,
    StrategySpec,
    Subscribe,
    Tick,
    Unsubscribe,
    decode_decision,
    decode_outcome,
    decode_progress,
    decode_tick,
    renumbered,
    terms_of,
)  # fmt: skip
from core.records import Kind, Session, encode_payload

ACTIONS: tuple[Action, ...] = (
    Place(market="M", client_order_id="k", side=BookSide.ASK, price=4_000, count=100, expires_s=9, post_only=False),
    Amend(market="M", client_order_id="k", order_id="o", side=BookSide.BID, price=4_000, count=100),
    Cancel(market="M", client_order_id="k", order_id="o"),
    Subscribe(("M", "N")), Unsubscribe(("M",)), Fetch("/markets", (("limit", "5"),)), Select(("M",)), Say("why", "M"),
)  # fmt: skip


@pytest.mark.parametrize("action", ACTIONS)
def test_a_decision_is_read_as_written(action: Action) -> None:
    decision = Decision(3, 7, 1, "maker", action, "halted")
    assert decode_decision(encode_payload(decision)) == decision
    assert b'"do":' in encode_payload(decision)


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(3, Done.DONE, 201, order_id="o", filled=0, remaining=100), Outcome(3, Done.FAILED),
        PaperEvent((PaperFill("k", "t", 4_000, 100, 7, is_taker=True),), ("j",)), PaperEvent(),
    ],
)  # fmt: skip
def test_an_outcome_answers_a_decision_or_none(outcome: Outcome | PaperEvent) -> None:
    assert decode_outcome(encode_payload(outcome)) == outcome


def test_ticks_and_progress_are_read_as_written() -> None:
    assert decode_tick(encode_payload(Tick(5))) == Tick(5)
    assert decode_progress(encode_payload(Progress(5, 2, 20_000, -3))) == Progress(5, 2, 20_000, -3)


@pytest.mark.parametrize("decode", [decode_decision, decode_outcome, decode_tick, decode_progress])
def test_what_is_no_payload_is_refused(decode: object) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(b"[]")  # type: ignore[operator]  # each is a function


def test_records_that_name_others_are_numbered_anew() -> None:
    decision, progress = Decision(3, 7, 1, "a", Say("x")), Progress(7, 2)
    found = renumbered(Kind.DECISION, encode_payload(decision), lambda seq: seq + 100)
    assert decode_decision(found) == msgspec.structs.replace(decision, cause=107)
    found = renumbered(Kind.PROGRESS, encode_payload(progress), lambda seq: seq + 100)
    assert decode_progress(found) == msgspec.structs.replace(progress, stepped=107)
    assert renumbered(Kind.TICK, b"x", lambda seq: seq + 100) == b"x"


def test_a_session_has_the_terms_of_its_run() -> None:
    terms = RunTerms((StrategySpec("a", "m:C", {"x": [1]}),), RiskLimits(order=5), "queue", day=3, day_pnl=-4)
    session = Session("u", "demo", run=terms)
    read = msgspec.json.decode(encode_payload(session), type=Session)
    assert terms_of(read) == terms
    assert terms_of(Session("u", "demo")) is None
    with pytest.raises(msgspec.ValidationError):
        terms_of(Session("u", "demo", run={"limits": 5}))
