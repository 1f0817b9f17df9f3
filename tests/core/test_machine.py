"""The machine: the same tape gives the same state one by one and by rows, as it stands and compiled."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from copies import EACH_COPY, LongWay, needs_compiled
from deck import (
    BTC,
    GOLD,
    HOURLY,
    HOURLY_FRAMES,
    OUTAGE,
    SHORT,
    Deck,
    Told,
    delta,
    gold_files,
    session_record,
    snapshot,
    subscribed,
    ticker,
    told,
    trade,
)
from fates import FATES, INT64_MAX, UUID, records_of, usual_records
from hypothesis import example, given, settings
from tapes import but_the_longest, needs_tapes

from core.cells import (
    H_AT,
    H_DUE,
    H_IS_WATCHED,
    H_STOP,
    M_WAKES,
    NEVER,
    WAKE_BOOK,
    WAKE_TICKER,
    WAKE_TOP,
    WAKE_TRADE,
)
from core.columns import ColumnBuilder, Columns
from core.engine import MAX_NAMES, OTHER, Engine, Step
from core.messages import ErrorReply, Unknown, decode
from core.money import MAX_SIZE
from core.records import Coverage, Kind, Record
from core.remade import Messages
from core.rows import Rows
from core.runs import BOOK_WOKE, DUE, END, TICKER_WOKE, TOP_WOKE, TRADE_WOKE, UNDONE
from core.state import digest, dump, load

ID = UUID.format(1)
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


NUMBERLESS_FIRST: Any = (
    Coverage(connections=False, control=False, filtered=False),
    False,
    [("trade", 1, "doubled", "A", "0e3b1f5a-9d0c-4b8e-8a54-000000000000", "0.0000", False, {}), ("usual", 1, 6, 1)],
)
"""The first frame of a subscription has no number, and the next one has its first."""


@EACH_COPY
@given(fate=FATES)
@example(fate=NUMBERLESS_FIRST)
@settings(max_examples=80, deadline=None)
def test_the_machine_takes_the_steps_of_the_long_way(is_compiled: bool, fate: Any) -> None:
    long, short = LongWay(), Engine(is_compiled=is_compiled)
    for record, message in with_messages(records_of(fate)):
        assert short.step(record, message) == long.step(record, message)
        if record.seq % EVERY == 0:
            assert digest(short) == digest(long)
    assert digest(short) == digest(long)
    assert short.counts == long.counts


@EACH_COPY
@given(fate=FATES)
@settings(max_examples=80, deadline=None)
def test_rows_lead_where_records_do(is_compiled: bool, fate: Any) -> None:
    tape = with_messages(records_of(fate))
    alone, engine = LongWay(), Engine(is_compiled=is_compiled)
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
    alone, engine = LongWay(), Engine(is_compiled=is_compiled)
    by_machine = 0
    for batch in batches(tape, 40):
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
    long = LongWay()
    for each in (long, plain, compiled, engine):
        each.step(session)
    by_machine = 0
    for batch in batches(tape, 20_000):
        by_rows = ByRows(engine, batch)
        assert by_rows.run(len(batch)) == END
        by_machine += by_rows.by_machine
        for record, message in batch:
            long.step(record, message)
            plain.step(record, message)
            compiled.step(record, message)
        assert digest(long) == digest(plain) == digest(compiled) == digest(engine), name
    assert long.counts == plain.counts == compiled.counts == engine.counts
    assert by_machine > 0.8 * len(tape)


# ------------------------------------------------------------------ what is left to Python


def put_through(is_compiled: bool, *messages: Any, coverage: Coverage | None = None) -> tuple[Engine, Engine]:
    """Two engines that were told of a subscription of each channel and then this: one by one, and by rows."""
    decks = [Deck(coverage, Engine(is_compiled=flag)) for flag in (False, is_compiled)]
    for deck in decks:
        deck.opened(1)
        for sid, channel in ((1, "orderbook_delta"), (2, "trade"), (3, "orderbook_delta")):
            deck.frame(subscribed(sid, channel, sid))
    alone, engine = (deck.engine for deck in decks)
    first, now_ns = engine.next_seq, engine.now_ns
    tape = [
        (Record(first + index, now_ns + 1 + index, 0, 1, Kind.FRAME, b""), message)
        for index, message in enumerate(messages)
    ]
    by_rows = ByRows(engine, tape)
    while by_rows.row < len(tape):
        by_rows.row = engine.run(by_rows.rows.cells, len(tape), by_rows.row, len(tape))
        if engine.memory.plain[H_STOP] == UNDONE:
            record, message = tape[by_rows.row]
            engine.step(record, message)
            by_rows.rows.found(message.market, engine.store.states().get(message.market))
            by_rows.row += 1
    for record, message in tape:
        alone.step(record, message)
    return alone, engine


@EACH_COPY
def test_a_snapshot_that_ends_a_gap_of_another_subscription_ends_it_by_rows_too(is_compiled: bool) -> None:
    engines = [Deck(engine=Engine(is_compiled=flag)) for flag in (False, is_compiled)]
    for deck in engines:
        deck.opened(1)
        for message in (subscribed(), subscribed(3, command=2), snapshot(1, sid=3), snapshot(1), delta(2)):
            deck.frame(message)
        deck.frame(ErrorReply(sid=3, seq=2, code=25))
        assert [entry.waiting for entry in deck.engine.connections.open_gaps] == [("M",)]
        assert deck.trusted("M")
    alone, by_rows = (deck.engine for deck in engines)
    record, message = Record(alone.next_seq, alone.now_ns + 1, 0, 1, Kind.FRAME, b""), snapshot(3)
    (gap,) = alone.step(record, message).gaps
    assert gap.until_ns == alone.now_ns
    assert ByRows(by_rows, [(record, message)]).run(1) == END
    assert by_rows.connections.open_gaps == alone.connections.open_gaps == ()
    assert digest(by_rows) == digest(alone)


@EACH_COPY
@pytest.mark.parametrize("seq", [INT64_MAX - 1, INT64_MAX])
def test_the_last_number_there_is_is_counted_as_any_other(is_compiled: bool, seq: int) -> None:
    told = (
        snapshot(INT64_MAX - 2),
        delta(seq),
        delta(seq),
        delta(INT64_MAX),
        delta(5),
        trade(seq, ID),
        trade(seq, UUID.format(2)),
    )
    alone, by_rows = put_through(is_compiled, *told, coverage=Coverage(filtered=True))
    assert digest(alone) == digest(by_rows)
    assert load(dump(alone)).connections.views() == alone.connections.views()
    (connection,) = alone.connections.views()
    assert {view.sid: view.last_seq for view in connection.subscriptions}[1] in (INT64_MAX - 1, INT64_MAX)


@EACH_COPY
def test_what_was_traded_is_summed_up_to_the_largest_number_there_is(is_compiled: bool) -> None:
    largest = [trade(seq, UUID.format(seq), count=MAX_SIZE) for seq in range(1, 9_300)]
    alone, by_rows = put_through(is_compiled, *largest)
    assert alone.store.view("M").traded_size == by_rows.store.view("M").traded_size == INT64_MAX
    assert digest(alone) == digest(by_rows)


@EACH_COPY
@pytest.mark.parametrize("room", [0, 1, 2, 3])
def test_names_beyond_those_that_are_counted_are_the_same_ones_however_often_one_looks(
    is_compiled: bool, room: int
) -> None:
    looked_at, engine = Deck(engine=Engine(is_compiled=is_compiled)), Deck(engine=Engine(is_compiled=is_compiled))
    for deck in (looked_at, engine):
        deck.opened(1)
        for number in range(MAX_NAMES - room):
            deck.frame(Unknown(type=f"type{number}"))
        for message in (snapshot(1), delta(2), delta(3), Unknown(type="new"), delta(4), Unknown(type="newer")):
            deck.frame(message)
            if deck is looked_at:
                deck.engine = load(dump(deck.engine))
    by_type = looked_at.engine.counts.by_type
    assert engine.engine.counts.by_type == by_type
    assert [name in by_type for name in ("orderbook_snapshot", "orderbook_delta", "new")] == [
        room > 0, room > 1, room > 2,
    ]  # fmt: skip
    assert by_type[OTHER] == [6, 5, 2, 1][room]
    assert len(by_type) == MAX_NAMES + 1


# ------------------------------------------------------------------ who is woken


def watched(is_compiled: bool, wakes: int, *messages: Any) -> tuple[list[tuple[int, int]], Engine]:
    """(why, how many records were stepped) of each stop of `run` at these messages of M, of which strategies want to
    know this."""
    deck = Deck(engine=Engine(is_compiled=is_compiled))
    deck.opened(1)
    for message in (subscribed(), subscribed(2, "trade", 2), snapshot(1, yes=((4_000, 5), (4_100, 5))), trade(1)):
        deck.frame(message)
    deck.frame(delta(2, 4_000, 1))
    deck.frame(ticker("M", sid=3, yes_bid=4_000))
    engine = deck.engine
    tape = [
        (Record(engine.next_seq + index, engine.now_ns + 10 * (1 + index), 0, 1, Kind.FRAME, b""), message)
        for index, message in enumerate(messages)
    ]
    by_rows = ByRows(engine, tape)
    plain = engine.memory.plain
    state = engine.store.states()["M"]
    plain[H_IS_WATCHED], plain[state.at + M_WAKES] = 1, wakes
    engine.memory.machine.top_moved(engine.memory.m, state.at, 0)  # they know how it stands
    stops = []
    while by_rows.row < len(tape):
        why = by_rows.run(len(tape))
        stops.append((why, by_rows.row))
        assert why in (END, DUE) or plain[H_AT] == state.at
    return stops, engine


TOLD_OF = (
    delta(3, 4_000, 1),  # below the best
    delta(4, 4_100, 1),  # the best price's size
    trade(2, ID),
    ticker("M", sid=3, yes_bid=4_100),
    delta(5, 4_200, 1),  # a better price
    snapshot(6, yes=((4_200, 1),)),  # what they know already
    snapshot(7, yes=((4_300, 1),)),
)


@EACH_COPY
@pytest.mark.parametrize(
    ("wakes", "stops"),
    [
        (0, []),
        (WAKE_TOP, [(TOP_WOKE, 2), (TOP_WOKE, 5), (TOP_WOKE, 7)]),
        (WAKE_TRADE, [(TRADE_WOKE, 3)]),
        (WAKE_TICKER, [(TICKER_WOKE, 4)]),
        (WAKE_BOOK, [(BOOK_WOKE, 1), (TOP_WOKE, 2), (TOP_WOKE, 5), (BOOK_WOKE, 6), (TOP_WOKE, 7)]),
        (WAKE_TOP | WAKE_TRADE, [(TOP_WOKE, 2), (TRADE_WOKE, 3), (TOP_WOKE, 5), (TOP_WOKE, 7)]),
    ],
)
def test_strategies_are_woken_by_what_they_want_to_know(
    is_compiled: bool, wakes: int, stops: list[tuple[int, int]]
) -> None:
    found, engine = watched(is_compiled, wakes, *TOLD_OF)
    assert [stop for stop in found if stop[0] != END] == stops
    assert engine.counts.by_type["orderbook_delta"] == 4


@EACH_COPY
def test_from_an_instant_on_every_row_stops_it(is_compiled: bool) -> None:
    deck = Deck(engine=Engine(is_compiled=is_compiled))
    engine = deck.engine
    first, now_ns = engine.next_seq, engine.now_ns
    tape = [(Record(first + index, now_ns + index, 0, 0, Kind.TICK, b""), None) for index in range(4)]
    by_rows = ByRows(engine, tape)
    engine.memory.plain[H_DUE] = now_ns + 2
    before = engine.counts.records
    assert [by_rows.run(4) for _ in range(2)] == [DUE, DUE]
    assert (by_rows.row, engine.counts.records - before, engine.now_ns) == (4, 4, now_ns + 3)
    engine.memory.plain[H_DUE] = NEVER
    assert by_rows.run(4) == END
