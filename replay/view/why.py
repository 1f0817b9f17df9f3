"""Why a decision was taken: the record that caused it, the state it was taken in, and what became of it.

Knows how decisions name their cause and outcomes their decision. Must not know strategies: what one thought is not on
the tape, what it was told is.
"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
import numpy as np

from core.actions import Decision, Outcome, Say, Select, decode_decision, decode_outcome
from core.records import Kind, Record
from replay.view.answers import Answers, NotOnTapeError, book_answer, ms, record_answer
from replay.view.outline import Mark, mark_codes, marks_of
from replay.view.pages import Page
from replay.view.wording import action_line, decision_line, outcome_line, short

LISTED: Final = 200
"""Decisions of a list at most."""

LOOKED_PAGES: Final = 60
"""Pages gone through for a list, or for a decision's outcome: minutes of the busiest tape."""

_WANTED: Final = mark_codes((Mark.DECISION, Mark.OUTCOME))
_STOPS: Final = mark_codes((Mark.DECISION, Mark.OUTCOME, Mark.SESSION))


def decisions_answer(answers: Answers, seq: int, count: int) -> dict[str, Any]:
    """The decisions up to a record, newest first, each with what became of it, if that is on the tape by then."""
    answers.require(seq)
    count = min(max(count, 1), LISTED)
    outcomes: dict[int, str] = {}
    rows: list[dict[str, Any]] = []
    for page, row in _back(answers, seq):
        payload = page.payloads.at(row)
        if page.kind[row] == Kind.OUTCOME:
            outcome = _outcome(payload)
            if outcome is not None:
                outcomes.setdefault(outcome.decision, outcome_line(outcome).partition(": ")[2])
            continue
        decision = _decision(payload)
        if decision is not None:
            rows.append(
                {
                    "seq": page.first_seq + row,
                    "when_ms": ms(int(page.when[row])),
                    "strategy": decision.strategy,
                    "market": getattr(decision.action, "market", ""),
                    "line": short(action_line(decision.action)),
                    "refused": decision.refused,
                    "cause": decision.cause,
                    "outcome": outcomes.pop(decision.number, ""),
                }
            )
            if len(rows) >= count:
                break
    return {"rows": rows}


def why_answer(answers: Answers, seq: int) -> dict[str, Any]:
    """A decision (the record `seq`), the record that caused it, the market's state after that record, its outcome."""
    answers.require(seq)
    record = answers.pages.records(seq)[0]
    decision = _decision(record.payload) if record.kind == Kind.DECISION else None
    if decision is None:
        raise NotOnTapeError(f"record {seq} is no decision: it is a {record_answer(record)['kind']}")
    answers.require(decision.cause)
    cause = answers.pages.records(decision.cause)[0]
    market = getattr(decision.action, "market", "")
    found = _outcome_of(answers, seq, decision.number)
    return {
        "seq": seq,
        "line": decision_line(decision),
        "strategy": decision.strategy,
        "market": market,
        "number": decision.number,
        "refused": decision.refused,
        "silent": isinstance(decision.action, Say | Select),
        "cause": record_answer(cause),
        "after_ms": ms(record.at_ns - cause.at_ns),
        "book": book_answer(answers.stands.at(decision.cause, market, "why"), market) if market else None,
        "outcome": None if found is None else _outcome_answer(record, *found),
    }


def _outcome_answer(record: Record, seq: int, at_ns: int, outcome: Outcome) -> dict[str, Any]:
    return {"seq": seq, "line": outcome_line(outcome), "done": str(outcome.done), "after_ms": ms(at_ns - record.at_ns)}


def _outcome_of(answers: Answers, seq: int, number: int) -> tuple[int, int, Outcome] | None:
    """The outcome of a decision: (seq, when in ns, outcome); None where the session ends without."""
    at = seq + 1
    for _ in range(LOOKED_PAGES):
        if at >= answers.tape.next_seq:
            return None
        page = answers.pages.at(at)
        for row in np.flatnonzero((page.kind == Kind.OUTCOME) | (page.kind == Kind.SESSION)).tolist():
            if page.first_seq + row < at:
                continue
            if page.kind[row] == Kind.SESSION:
                return None
            outcome = _outcome(page.payloads.at(row))
            if outcome is not None and outcome.decision == number:
                return page.first_seq + row, int(page.when[row]), outcome
        at = page.last_seq + 1
    return None


def _back(answers: Answers, seq: int) -> Iterator[tuple[Page, int]]:
    """Decisions and outcomes up to a record, newest first, within its session."""
    for _ in range(LOOKED_PAGES):
        if seq < 0:
            return
        outline = answers.outline(seq)
        if not np.isin(outline.marks, _STOPS).any():
            seq = outline.first_seq - 1
            continue
        page = answers.pages.at(seq)
        rows = np.flatnonzero(np.isin(marks_of(page), _WANTED) | (page.kind == Kind.SESSION))
        for row in rows[rows <= seq - page.first_seq][::-1].tolist():
            if page.kind[row] == Kind.SESSION:
                return
            yield page, row
        seq = page.first_seq - 1


def _decision(payload: bytes) -> Decision | None:
    try:
        return decode_decision(payload)
    except msgspec.DecodeError:
        return None


def _outcome(payload: bytes) -> Outcome | None:
    try:
        outcome = decode_outcome(payload)
    except msgspec.DecodeError:
        return None
    return outcome if isinstance(outcome, Outcome) else None
