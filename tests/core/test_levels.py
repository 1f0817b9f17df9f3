"""Ladders, books and rings in cells against plain models of them, by both copies of the machine."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from copies import EACH_COPY
from hypothesis import given, settings
from hypothesis import strategies as st

from core.book import Book
from core.cells import (
    BLOCK,
    FIRST_ROOM,
    GROWTH,
    H_CELLS,
    H_POOL,
    H_POOL_CAPACITY,
    L_SIZES,
    L_SLOTS,
    L_STEP,
    M_HAS_BOOK,
    M_NO,
    M_TRUSTED,
    M_YES,
    MARKET_CELLS,
    NO_BID,
    R_AT,
    R_FIRST,
    R_LENGTH,
    R_ROOM,
    RING_CAPACITY,
    Memory,
)
from core.levels import DONE, NO_ROOM, PASSED, TOO_HIGH, TOO_LOW
from core.messages import Side
from core.money import DOLLAR, MAX_SIZE
from core.rings import Pool

Model = dict[int, int]

coarse = st.sampled_from((0, 100, 3_100, 3_200, 3_300, 4_000, 9_900, DOLLAR))  # about the edges of blocks, too
prices = coarse | coarse | st.integers(0, DOLLAR) | st.integers(0, DOLLAR // 10).map(lambda tenth: 10 * tenth)
sizes = st.sampled_from((1, 5, 100, MAX_SIZE - 1, MAX_SIZE)) | st.integers(1, 300)
deltas = sizes | sizes.map(int.__neg__) | st.just(0)
bad_sizes = st.sampled_from((-1, MAX_SIZE + 1, -(2**63), 2**63 - 1))
levels = st.lists(st.tuples(prices, st.just(0) | sizes), max_size=12).map(tuple)
bad_levels = st.tuples(levels, st.tuples(prices, bad_sizes), levels).map(lambda parts: (*parts[0], parts[1], *parts[2]))
sides = st.sampled_from(Side)
DEEDS = st.lists(
    st.tuples(st.just("delta"), sides, prices, deltas)
    | st.tuples(st.just("delta"), sides, prices, deltas)
    | st.tuples(st.just("best gone"), sides)
    | st.tuples(st.just("snapshot"), levels, levels, st.booleans())
    | st.tuples(st.just("bad snapshot"), bad_levels, levels, st.booleans()),
    max_size=40,
)


def changed(model: Model, price: int, delta: int) -> int:
    """What becomes of a change, which the model takes over."""
    size = model.get(price, 0) + delta
    if size > MAX_SIZE:
        return TOO_HIGH
    model.pop(price, None)
    if size > 0:
        model[price] = size
    return DONE if size >= 0 else TOO_LOW


def told(side: Any, *, mirrored: bool = False) -> Model:
    """What levels say: of two of one price the later counts, and a size of 0 is none."""
    model = {(DOLLAR - price if mirrored else price): size for price, size in side}
    return {price: size for price, size in model.items() if size}


def check(book: Book, models: dict[Side, Model]) -> None:
    """The book is as its models are, in every way that one can look at it."""
    for side, ladder in ((Side.YES, book.yes), (Side.NO, book.no)):
        model = models[side]
        assert ladder.levels() == book.ladder(side) == tuple(sorted(model.items()))
        assert ladder.best == max(model, default=NO_BID)
        assert ladder.top(3) == tuple(sorted(model.items(), reverse=True)[:3])
        for price in (0, 1, 10, 100, 3_150, DOLLAR, *model):
            assert ladder.size(price) == model.get(price, 0)


def check_counts(memory: Memory, side: int) -> None:
    """The number of taken slots of each block is right."""
    plain, ladder = memory.plain, memory.plain[side]
    if ladder:
        slots = plain[ladder + L_SLOTS]
        assert slots == DOLLAR // plain[ladder + L_STEP] + 1
        taken = plain[ladder + L_SIZES : ladder + L_SIZES + slots]
        counts = plain[ladder + L_SIZES + slots : ladder + L_SIZES + slots + slots // BLOCK + 1]
        assert list(counts) == [sum(size > 0 for size in taken[b : b + BLOCK]) for b in range(0, slots, BLOCK)]


@EACH_COPY
@given(deeds=DEEDS)
@settings(max_examples=60, deadline=None)
def test_a_book_is_what_its_model_is(is_compiled: bool, deeds: list[Any]) -> None:
    memory = Memory(is_compiled)
    before = memory.used
    book = Book(Pool(memory))
    at = book._at
    models: dict[Side, Model] = {side: {} for side in Side}
    noted: list[list[int]] = []
    for now_ns, (what, *rest) in enumerate(deeds):
        best = [max(model, default=NO_BID) for model in models.values()]
        if what == "delta":
            side, price, delta = rest
            assert book.delta(side, price, delta, now_ns) == changed(models[side], price, delta)
        elif what == "best gone":
            side = rest[0]
            if models[side]:
                price = max(models[side])
                assert book.delta(side, price, -models[side].pop(price), now_ns) == DONE
        elif what == "snapshot":
            yes, no, mirrored = rest
            assert book.snapshot(yes, no, now_ns, mirrored=mirrored)
            models = {Side.YES: told(yes), Side.NO: told(no, mirrored=mirrored)}
            assert memory.plain[at + M_TRUSTED] == memory.plain[at + M_HAS_BOOK] == 1
        else:
            yes, no, mirrored = rest
            one, other = (yes, no) if now_ns % 2 else (no, yes)
            assert not book.snapshot(one, other, now_ns, mirrored=mirrored)
        check(book, models)
        after = [max(model, default=NO_BID) for model in models.values()]
        noted += [[now_ns, *after]] if after != best else []
    check_counts(memory, at + M_YES)
    check_counts(memory, at + M_NO)
    assert [list(item) for item in book.prices.items()] == noted
    book.release()
    memory.give_back(at, MARKET_CELLS)
    assert memory.used == before


@EACH_COPY
@pytest.mark.parametrize("step", [100, 10, 1])
def test_when_the_best_level_goes_the_next_one_is_best_wherever_it_lies(is_compiled: bool, step: int) -> None:
    book = Book(Pool(Memory(is_compiled)))
    last = DOLLAR // step
    slots = [0, 1, BLOCK - 2, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK - 1, 2 * BLOCK, 3 * BLOCK, last - 1, last]
    for lower, higher in combinations(slots, 2):
        assert book.snapshot(((lower * step, 5), (higher * step, 5)), ())
        assert book.yes.top(2) == ((higher * step, 5), (lower * step, 5))
        assert book.delta(Side.YES, higher * step, -5) == DONE
        assert book.yes.best == lower * step
        assert book.delta(Side.YES, lower * step, -5) == DONE
        assert book.yes.best == NO_BID


@EACH_COPY
@pytest.mark.parametrize("low", [False, True])
def test_a_change_that_cannot_be_takes_the_trust(is_compiled: bool, low: bool) -> None:
    memory = Memory(is_compiled)
    book = Book(Pool(memory))
    assert book.snapshot(((4_000, MAX_SIZE),), ())
    assert memory.plain[book._at + M_TRUSTED] == 1
    assert book.delta(Side.YES, 4_000, -MAX_SIZE - 1 if low else 1) == (TOO_LOW if low else TOO_HIGH)
    assert memory.plain[book._at + M_TRUSTED] == 0
    assert book.ladder(Side.YES) == (() if low else ((4_000, MAX_SIZE),))


@EACH_COPY
def test_what_is_not_done_leaves_every_cell_as_it_was(is_compiled: bool) -> None:
    memory = Memory(is_compiled)
    book = Book(Pool(memory))
    machine, at = memory.machine, book._at
    assert book.snapshot(((4_000, 5),), ((5_000, 5),), 1)
    assert book.delta(Side.YES, 4_000, 1, 2, seq=7) == DONE
    before = memory.plain.tolist()
    assert machine.apply_delta(memory.m, at, 9, 7, 1, 4_000, 1, 3) == PASSED
    assert machine.apply_delta(memory.m, at, 9, 8, 1, 4_001, 1, 3) == NO_ROOM  # off its grid
    for price in (-1, -100, DOLLAR + 1, DOLLAR + 100):
        assert machine.apply_delta(memory.m, at, 9, 8, 1, price, 1, 3) == NO_ROOM
        assert machine.size_at(memory.m, at + M_YES, price) == 0
    for prices_, expected in (((4_100, 4_101), NO_ROOM), ((4_100, DOLLAR + 100), NO_ROOM), ((4_100, -100), NO_ROOM)):
        for source in snapshots_of(memory, prices_, (1, 1)):
            assert machine.apply_snapshot(memory.m, at, 9, 3, source, 0, 2, 0, 0) == expected
            assert machine.apply_snapshot(memory.m, at, 9, 3, source, 0, 0, 2, 0) == expected
    for bad in (-1, MAX_SIZE + 1):
        for source in snapshots_of(memory, (4_100, 4_101), (1, bad)):
            assert machine.apply_snapshot(memory.m, at, 9, 3, source, 0, 2, 0, 0) == TOO_HIGH
            assert machine.apply_snapshot(memory.m, at, 9, 3, source, 0, 0, 2, 1) == TOO_HIGH
    memory.plain[H_POOL_CAPACITY] = memory.plain[H_POOL]
    before[H_POOL_CAPACITY] = before[H_POOL]
    assert machine.apply_delta(memory.m, at, 9, 8, 1, 4_000, 1, 3) == NO_ROOM  # no room for a price that would move
    assert memory.plain.tolist() == before


def snapshots_of(memory: Memory, prices_: tuple[int, ...], sizes_: tuple[int, ...]) -> list[Any]:
    """One side's levels as the machine of this memory takes them."""
    return [np.array(prices_ + sizes_, np.int64) if memory.is_compiled else list(prices_ + sizes_)]


@EACH_COPY
@pytest.mark.parametrize("cells", [1, 3])
@pytest.mark.parametrize("count", [1, FIRST_ROOM, FIRST_ROOM + 1, GROWTH * FIRST_ROOM + 1, RING_CAPACITY + 40])
def test_a_ring_grows_until_it_is_as_long_as_any_may_be_and_then_keeps_its_last_items(
    is_compiled: bool, cells: int, count: int
) -> None:
    memory = Memory(is_compiled)
    machine, ring = memory.machine, memory.take(4)
    memory.plain[H_POOL_CAPACITY] = 2 * RING_CAPACITY
    for value in range(count):
        memory.reserve(RING_CAPACITY * cells)
        assert machine.has_room(memory.m, ring, cells)
        cell = machine.append(memory.m, ring, cells)
        for index in range(cells):
            memory.plain[cell + index] = value * cells + index
    start, room = memory.plain[ring + R_AT], memory.plain[ring + R_ROOM]
    first, length = memory.plain[ring + R_FIRST], memory.plain[ring + R_LENGTH]
    places = [start + (first + index) % room * cells for index in range(length)]
    found = [memory.plain[place + index] for place in places for index in range(cells)]
    assert found == list(range(count * cells))[-RING_CAPACITY * cells :]
    assert memory.plain[H_POOL] == length == min(count, RING_CAPACITY)
    assert memory.used == 4 + room * cells  # what it grew out of was given back


@EACH_COPY
def test_a_ring_that_would_grow_beyond_the_memory_has_no_room(is_compiled: bool) -> None:
    memory = Memory(is_compiled)
    ring = memory.take(4)
    memory.plain[H_POOL_CAPACITY] = 10
    memory.take(memory.plain[H_CELLS] - memory.end - FIRST_ROOM)
    assert memory.machine.has_room(memory.m, ring, 1)
    assert not memory.machine.has_room(memory.m, ring, 2)


@EACH_COPY
def test_a_ring_as_long_as_any_may_be_takes_one_more_whatever_the_pool_holds(is_compiled: bool) -> None:
    memory = Memory(is_compiled)
    ring = memory.take(4)
    memory.plain[ring + R_AT], memory.plain[ring + R_ROOM] = memory.take(RING_CAPACITY), RING_CAPACITY
    memory.plain[ring + R_LENGTH] = memory.plain[H_POOL] = memory.plain[H_POOL_CAPACITY] = RING_CAPACITY
    assert memory.machine.has_room(memory.m, ring, 1)
    memory.plain[ring + R_LENGTH] -= 1
    assert not memory.machine.has_room(memory.m, ring, 1)
