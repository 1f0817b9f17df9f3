"""The outage recording with one record left out, and what the engine must then say of it."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Final

import msgspec
from deck import BTC, OUTAGE, Told, begun, told

from core.engine import Engine, Step
from core.gaps import Gap
from core.messages import BookDelta, BookSnapshot
from core.state import dump, load

EVERY: Final = 2_048
"""Records from one checkpoint of the outage recording to the next."""


def run(engine: Engine, tape: Iterable[Told]) -> list[Step]:
    """Step these records, whatever their seq says."""
    return [engine.step(msgspec.structs.replace(record, seq=engine.next_seq), message) for record, message in tape]


def gaps_of(steps: Iterable[Step]) -> list[Gap]:
    return [gap for step in steps for gap in step.gaps]


def removable(tape: Sequence[Told]) -> list[int]:
    """Places of numbered frames that something numbered follows on their subscription."""
    places = []
    followed: set[tuple[int, int]] = set()
    for index in range(len(tape) - 1, -1, -1):
        record, message = tape[index]
        if message is not None and message.seq:
            key = (record.connection, message.sid)
            if key in followed:
                places.append(index)
            followed.add(key)
    return places[::-1]


@cache
def checkpoints() -> tuple[bytes, ...]:
    """The state of the outage recording before every EVERY-th record."""
    engine = begun(BTC)
    states = []
    for index, (record, message) in enumerate(told(OUTAGE)):
        if index % EVERY == 0:
            states.append(dump(engine))
        engine.step(record, message)
    return tuple(states)


def without(place: int, until: int | None) -> tuple[Engine, list[Step]]:
    """The outage recording with one record left out, from the checkpoint before it."""
    tape = told(OUTAGE)
    start = place // EVERY
    engine = load(checkpoints()[start])
    run(engine, tape[start * EVERY : place])
    return engine, run(engine, tape[place + 1 : until])


def check_removed(place: int, steps: Sequence[Step]) -> Gap:
    """Exactly one gap, at the place of the missing frame, by the numbers that were expected and came."""
    tape = told(OUTAGE)
    record, missing = tape[place]
    opening = [gap for gap in gaps_of(steps) if gap.reason != "reconnect"]
    assert {gap.number for gap in opening} == {opening[0].number}
    gap = opening[0]
    assert (gap.reason, gap.connection, gap.sid) == ("sequence", record.connection, missing.sid)
    assert (gap.expected, gap.got) == (missing.seq, missing.seq + 1)
    vouched = [
        r.at_ns for r, m in tape[:place] if m is not None and r.connection == record.connection and m.sid == missing.sid
    ]
    assert gap.at_ns == vouched[-1]
    finding = next(step for step in steps if gap in step.gaps)
    assert isinstance(finding.message, BookDelta | BookSnapshot)
    assert (finding.message.sid, finding.message.seq) == (missing.sid, gap.got)
    return gap
