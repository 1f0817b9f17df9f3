from typing import Any

from copies import EACH_COPY
from fates import FATES, records_of
from hypothesis import given, settings
from hypothesis import strategies as st

from core.cells import H_CELLS, H_DUE, H_END, HEADER, NEVER, SCRATCH, TICKER_VALUES, Memory
from core.engine import Engine
from core.records import Kind, Record, Session, encode_payload


@EACH_COPY
@given(
    told=st.lists(
        st.tuples(st.just("take"), st.sampled_from((1, 4, 8, 24, 48, 107, 3_000)))
        | st.tuples(st.just("give"), st.integers(0, 50)),
        max_size=80,
    )
)
@settings(deadline=None)
def test_blocks_never_overlap_come_zeroed_and_keep_what_is_in_them(is_compiled: bool, told: list[Any]) -> None:
    memory, blocks, stamp = Memory(is_compiled), list[tuple[int, int, int]](), 0
    for what, number in told:
        if what == "take":
            at = memory.take(number)
            assert at >= HEADER
            assert memory.plain[at : at + number].tolist() == [0] * number
            assert all(at + number <= start or start + cells <= at for start, cells, _ in blocks)
            stamp += 1
            for cell in range(at, at + number):
                memory.plain[cell] = stamp
            blocks.append((at, number, stamp))
        elif blocks:
            at, cells, _ = blocks.pop(number % len(blocks))
            memory.give_back(at, cells)
        assert memory.used == sum(cells for _, cells, _ in blocks)
    for at, cells, written in blocks:
        assert memory.plain[at : at + cells].tolist() == [written] * cells
    header, untouched = memory.plain[:HEADER].tolist(), Memory(is_compiled).plain[:HEADER].tolist()
    for cell in (H_END, H_CELLS):
        header[cell] = untouched[cell]
    assert header == untouched


@EACH_COPY
def test_a_memory_that_grows_keeps_everything_on_both_faces(is_compiled: bool) -> None:
    memory = Memory(is_compiled)
    first = memory.take(10)
    memory.plain[first] = -7
    before, plain = len(memory.plain), memory.plain
    last = memory.take(3 * before)
    assert memory.plain is not plain
    assert len(memory.plain) >= last + 3 * before
    memory.m[last + 3 * before - 1] = 1 << 62
    assert memory.plain[last + 3 * before - 1] == 1 << 62
    assert (memory.m[first], memory.plain[first], memory.m[H_DUE]) == (-7, -7, NEVER)


@EACH_COPY
def test_both_faces_are_the_same_cells(is_compiled: bool) -> None:
    memory = Memory(is_compiled)
    at = memory.take(4)
    memory.plain[at] = -(1 << 63)
    memory.m[at + 1] = (1 << 63) - 1
    assert (memory.m[at], memory.plain[at + 1]) == (-(1 << 63), (1 << 63) - 1)
    assert memory.is_compiled is is_compiled


def test_what_is_handed_over_fits_between_the_header_and_the_blocks() -> None:
    assert SCRATCH + 3 + TICKER_VALUES <= HEADER


# ------------------------------------------------------------------ nothing leaks


def in_a_new_session(engine: Engine) -> int:
    """Cells in use after one more SESSION."""
    seq, payload = max(engine.next_seq, 0), encode_payload(Session("a-uuid", "test"))
    engine.step(Record(seq, engine.now_ns + 1, 0, 0, Kind.SESSION, payload))
    return engine.memory.used


@EACH_COPY
@given(fate=FATES)
@settings(max_examples=40, deadline=None)
def test_a_new_session_has_every_cell_back(is_compiled: bool, fate: Any) -> None:
    lived = Engine(is_compiled=is_compiled)
    for record in records_of(fate):
        lived.step(record)
    assert in_a_new_session(lived) == in_a_new_session(Engine(is_compiled=is_compiled))


@EACH_COPY
@given(fate=FATES)
@settings(max_examples=25, deadline=None)
def test_to_go_on_from_the_same_base_again_and_again_takes_no_more(is_compiled: bool, fate: Any) -> None:
    engine = Engine(is_compiled=is_compiled)
    for record in records_of(fate):
        engine.step(record)
    state = engine.base_state()
    engine.load_base(state)
    once = engine.memory.used
    for _ in range(3):
        engine.load_base(state)
    assert engine.memory.used == once
