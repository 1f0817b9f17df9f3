"""A check for `tapedeck shrink`: does the fold over a tape, broken in a named way, say what the plain fold says?

`python tests/incident_check.py BREAKAGE TAPE` ends with 0 where both agree at every record, with 1 at the first where
they do not, which is printed. Knows what of the state is compared. `BREAKAGE` none is the code as it is.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import naive
from breakages import BREAKAGES, Slow, broken
from naive_state import Book, State

from capture.tape.reader import Tape
from core.records import Record


def first_difference(records: Iterable[Record], breakage: str) -> str:
    """`record SEQ: WHAT: ours, not theirs`; "" = there is none."""
    with broken(breakage):
        return _compared(records)


def _compared(records: Iterable[Record]) -> str:
    engine, plain = Slow(), naive.fresh()
    gaps: dict[int, tuple[object, ...]] = {}
    for record in records:
        naive.step(plain, record)
        try:
            step = engine.step(record)
        except Exception as error:  # whatever it is, the fold has ended
            return f"record {record.seq}: raised: {type(error).__name__}: {error}"
        for gap in step.gaps:
            missing = None if gap.expected is None else (gap.expected, gap.got)
            told = gap.reason, gap.connection, gap.sid, missing, gap.at_ns, gap.until_ns, gap.markets
            gaps[gap.number] = told
        found = _difference(engine, plain, gaps)
        if found:
            return f"record {record.seq}: {found}"
    return ""


def _difference(engine: Slow, plain: State, gaps: dict[int, tuple[object, ...]]) -> str:
    if engine.now_ns != plain.now_ns:
        return f"time: {engine.now_ns}, not {plain.now_ns}"
    theirs = {number: hole.told for number, hole in plain.holes.all.items()}
    if gaps != theirs:
        number = min(number for number in gaps | theirs if gaps.get(number) != theirs.get(number))
        return f"gap: {gaps.get(number)}, not {theirs.get(number)}"
    states = engine.store.states()
    for market in sorted(set(states) | set(plain.books)):
        state, book = states.get(market), plain.books.get(market, Book())
        ours = _facts(state)
        facts = {
            "yes": tuple(sorted(book.yes.items())), "no": tuple(sorted(book.no.items())), "trust": book.trusted,
            "traded": book.traded,
        }  # fmt: skip
        for what, value in facts.items():
            if ours[what] != value:
                return f"{what}: {ours[what]}, not {value}, of {market}"
    return ""


def _facts(state: Any) -> dict[str, object]:
    if state is None:
        return {"yes": (), "no": (), "trust": False, "traded": 0}
    return {
        "yes": state.book.yes.levels(), "no": state.book.no.levels(), "trust": state.trusted,
        "traded": state.traded_size,
    }  # fmt: skip


def main(breakage: str, tape: str) -> int:
    """The exit code."""
    found = first_difference(Tape.open(Path(tape)).records(), breakage)
    sys.stdout.write(found + "\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in BREAKAGES:
        sys.exit(f"usage: incident_check.py {'|'.join(BREAKAGES)} TAPE")
    sys.exit(main(*sys.argv[1:]))
