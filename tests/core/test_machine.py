"""The machine: the same tape gives the same state one by one and by rows, as it stands and compiled."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from copies import EACH_COPY, needs_compiled
from deck import (
    BTC,
    GOLD,
    HOURLY,
    HOURLY_FRAMES,
    OUTAGE,
    SHORT,
    Deck,
    Told,
    begun,
    delta,
    gold_files,
    session_record,
    snapshot,
    subscribed,
    ticker,
    told,
    trade,
)
from fates import FATES, INT64_MAX, records_of, usual_records
from hypothesis import given, settings
from tapes import but_the_longest, needs_tapes

from core.cells import (
    H_AT,
    H_DUE,
    H_IS_WATCHED,
    H_RECORDS,
    H_STOP,
    M_WAKES,
    NEVER,
    WAKE_BOOK,
    WAKE_TICKER,
    WAKE_TOP,
    WAKE_TRADE,
)
from core.columns import ColumnBuilder, Columns, Messages
from core.engine import Engine, Step
from core.machine import BOOK_WOKE, DUE, END, TICKER_WOKE, TOP_WOKE, TRADE_WOKE, UNDONE
from core.messages import BookDelta, Side, decode
from core.records import Coverage, Kind, Record
from core.rows import Rows
from core.state import digest

EVERY = 7  # records between two looks at the whole state


class ByRows:
    """Steps one batch as a reader of columns does: by the machine while it can, else one by one."""

    def __init__(self, engine: Engine, tape: Sequence[Told]) -> None:
        builder = ColumnBuilder(len(tape))
        for row, (_, message) in enumerate(tape):
            if message is not None:
                builder.put(row, message)
        columns: Columns = builder.finish()
        self.engine = engine
        self.tape = tape
        self.messages = Messages(columns, dense=False)
        self.rows = Rows(numbers_of(tape), columns)
        self.rows.time(engine.timeline, 0)
        self.rows.find(engine.store.states())
        self.row = self.by_machine = 0

    def run(self, last: int) -> int:
        """Step up to this row; why it stopped."""
        while self.row < last:
            first = self.row
            self.row = self.engine.run(self.rows.cells, self.rows.rows, first, last)
            self.by_machine += self.row - first
            why: int = self.engine.memory.plain[H_STOP]
            if why != UNDONE:
                return why
            self.step()
        return END

    def step(self) -> Step:
        """Step one row as Python does."""
        shuffles = self.engine.store.shuffles
        record = self.tape[self.row][0]
        message = self.messages.at(self.row)
        step = self.engine.step(record, message)
        self.row += 1
        if record.kind == Kind.SESSION:
            self.rows.time(self.engine.timeline, self.row)
        if shuffles != self.engine.store.shuffles:
            self.rows.find(self.engine.store.states())
        elif step.message is not None:
            market = getattr(step.message, "market", "")
            self.rows.found(market, self.engine.store.states().get(market))
        return step


def numbers_of(tape: Sequence[Told]) -> list[Any]:
    records = [record for record, _ in tape]
    columns = ([r.at_ns for r in records], [r.mono_ns for r in records], [r.connection for r in records])
    return [np.array(column, np.int64) for column in (*columns, [int(r.kind) for r in records])]


def with_messages(records: Sequence[Record]) -> list[Told]:
    return [(record, decode(record.payload) if record.kind == Kind.FRAME else None) for record in records]


def batches(tape: Sequence[Told], size: int) -> Iterator[Sequence[Told]]:
    for start in range(0, len(tape), size):
        yield tape[start : start + size]


# ------------------------------------------------------------------ every way gives the same state


@needs_compiled
@given(FATES)
@settings(max_examples=150, deadline=None)
def test_both_copies_take_the_same_steps(fate: Any) -> None:
    plain, compiled = Engine(is_compiled=False), Engine(is_compiled=True)
    for record, message in with_messages(records_of(fate)):
        assert plain.step(record, message) == compiled.step(record, message)
        if record.seq % EVERY == 0:
            assert digest(plain) == digest(compiled)
    assert digest(plain) == digest(compiled)
    assert plain.counts == compiled.counts


@EACH_COPY
@given(fate=FATES)
@settings(max_examples=150, deadline=None)
def test_rows_lead_where_records_do(is_compiled: bool, fate: Any) -> None:
    tape = with_messages(records_of(fate))
    alone, engine = Engine(is_compiled=False), Engine(is_compiled=is_compiled)
    for batch in batches(tape, 50):
        by_rows = ByRows(engine, batch)
        for last in range(EVERY, len(batch) + EVERY, EVERY):
            assert by_rows.run(min(last, len(batch))) == END
            for record, message in batch[last - EVERY : last]:
                alone.step(record, message)
            assert digest(engine) == digest(alone)
            assert engine.counts == alone.counts
            assert (engine.next_seq, engine.now_ns) == (alone.next_seq, alone.now_ns)


@EACH_COPY
def test_nearly_all_of_a_usual_tape_is_for_the_machine(is_compiled: bool) -> None:
    tape = with_messages(usual_records(4_000, 3))
    alone, engine = Engine(is_compiled=False), Engine(is_compiled=is_compiled)
    by_machine = 0
    for batch in batches(tape, 1_000):
        by_rows = ByRows(engine, batch)
        by_rows.run(len(batch))
        by_machine += by_rows.by_machine
        for record, message in batch:
            alone.step(record, message)
        assert digest(engine) == digest(alone)
    assert by_machine > 0.6 * len(tape)


RECORDINGS = [
    ("101900-00", gold_files("101900-00"), GOLD),
    ("102000-00", gold_files("102000-00"), GOLD),
    ("102030-30", gold_files("102030-30"), GOLD),
    ("102115-15", gold_files("102115-15"), GOLD),
    ("short", [SHORT], BTC),
    ("outage", [OUTAGE], BTC),
    ("hourly", [HOURLY_FRAMES], HOURLY),
]


@needs_tapes
@needs_compiled
@pytest.mark.parametrize(("name", "paths", "coverage"), but_the_longest(RECORDINGS))
def test_a_recording_gives_one_state_by_every_way(name: str, paths: list[Any], coverage: Coverage) -> None:
    tape = told(*paths)
    session = session_record(coverage)
    plain, compiled, engine = (Engine(is_compiled=flag) for flag in (False, True, True))
    for each in (plain, compiled, engine):
        each.step(session)
    by_machine = 0
    for batch in batches(tape, 20_000):
        by_rows = ByRows(engine, batch)
        assert by_rows.run(len(batch)) == END
        by_machine += by_rows.by_machine
        for record, message in batch:
            plain.step(record, message)
            compiled.step(record, message)
        assert digest(plain) == digest(compiled) == digest(engine), name
    assert plain.counts == compiled.counts == engine.counts
    assert by_machine > 0.9 * len(tape)
