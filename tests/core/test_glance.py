"""A glance from Python: what it is given, what it keeps of whom, and why one cannot be compiled."""

from typing import Any

import pytest
from seers import needs_numba
from stretch import BOTH, MARKET, NOW_NS, known

from core.cells import M_GLANCE, Memory
from core.compiled import INSTALLED
from core.engine import Engine
from core.glance import MAX_NUMBERS, Blocks, Glance
from core.store import state_at
from core.window import Window


def counts(
    ours: Any,
    mine: Any,
    now_ns: int,
    bid: int,
    bid_size: int,
    ask: int,
    ask_size: int,
    _what: int,
    _price: int,
    _count: int,
    _taker: int,
) -> bool:
    """Keeps all that it is given."""
    ours[0] += 1
    mine[0], mine[1], mine[2], mine[3], mine[4] = now_ns, bid, bid_size, ask, ask_size
    return bool(ours[0] % 2)


def glance_of(engine: Engine, function: Any = counts, numbers: tuple[int, int] = (1, 5)) -> Glance:
    return Glance(engine.memory, Blocks(engine.memory), function, numbers)


@BOTH
def test_it_is_given_the_best_prices_and_keeps_its_numbers(is_compiled: bool) -> None:
    engine, at = known(is_compiled=is_compiled)
    glance, window = glance_of(engine), engine.store.window(MARKET, NOW_NS)
    assert [glance.look(window) for _ in range(3)] == [True, False, True]
    assert glance.numbers() == (3,)
    own = engine.memory.plain[at + M_GLANCE]
    assert glance.admit(at) == own
    assert list(engine.memory.plain[own : own + 5]) == [NOW_NS, 4_000, 1_000, 5_000, 700]


@BOTH
def test_nobody_bids_and_nobody_offers_is_told_as_minus_one(is_compiled: bool) -> None:
    engine, _ = known(is_compiled=is_compiled)
    engine.store.states()[MARKET].book.snapshot((), ())
    glance = glance_of(engine)
    glance.look(engine.store.window(MARKET, NOW_NS))
    own = glance.admit(engine.store.states()[MARKET].at)
    assert list(engine.memory.plain[own + 1 : own + 5]) == [-1, 0, -1, 0]


def test_each_glance_has_its_own_part_of_a_markets_block() -> None:
    engine, at = known(is_compiled=False)
    blocks = Blocks(engine.memory)
    first, none, second = (Glance(engine.memory, blocks, counts, numbers) for numbers in ((1, 5), (1, 0), (1, 5)))
    window = engine.store.window(MARKET, NOW_NS)
    for glance in (first, second, second):
        glance.look(window)
    assert (first.numbers(), none.numbers(), second.numbers()) == ((1,), (0,), (2,))
    assert second.admit(at) - first.admit(at) == 5
    used = engine.memory.used
    for glance in (first, none, second):
        glance.release()
    assert used - engine.memory.used == 3 + 10


def test_one_that_keeps_nothing_of_markets_takes_nothing() -> None:
    engine, at = known(is_compiled=False)
    glance = Glance(engine.memory, Blocks(engine.memory), lambda *_: False, (0, 0))
    used = engine.memory.used
    assert not glance.look(engine.store.window(MARKET, NOW_NS))
    assert (engine.memory.used, glance.admit(at), glance.numbers()) == (used, 0, ())


def test_an_index_beyond_its_numbers_raises() -> None:
    engine, _ = known(is_compiled=False)
    glance = glance_of(engine, counts, (1, 4))
    with pytest.raises(IndexError):
        glance.look(engine.store.window(MARKET, NOW_NS))


@pytest.mark.parametrize("numbers", [(-1, 0), (0, MAX_NUMBERS + 1)])
def test_too_many_numbers_are_refused(numbers: tuple[int, int]) -> None:
    memory = Memory(is_compiled=False)
    with pytest.raises(ValueError, match="the most is 1024"):
        Glance(memory, Blocks(memory), counts, numbers)


def test_one_that_runs_from_python_says_why() -> None:
    engine, _ = known(is_compiled=False)
    glance = glance_of(engine)
    assert glance.compiled is None
    assert glance.why == ("the machine is not compiled" if INSTALLED else "numba is not installed")


def test_a_block_is_claimed_before_any_is_made() -> None:
    engine, at = known(is_compiled=False)
    blocks = Blocks(engine.memory)
    Glance(engine.memory, blocks, counts, (1, 5)).admit(at)
    with pytest.raises(AssertionError, match="no market has a block yet"):
        blocks.claim(1)


def _named(
    ours: Any,
    _mine: Any,
    _now_ns: int,
    bid: int,
    _b: int,
    _ask: int,
    _a: int,
    _what: int,
    _price: int,
    _count: int,
    _taker: int,
) -> bool:
    return bool(ours.market == {"bid": bid}["bid"])


def _fractions(
    ours: Any,
    _mine: Any,
    _now_ns: int,
    bid: int,
    _b: int,
    _ask: int,
    _a: int,
    _what: int,
    _price: int,
    _count: int,
    _taker: int,
) -> bool:
    ours[0] = bid / 2
    return True


def _nothing(
    ours: Any,
    _mine: Any,
    _now_ns: int,
    bid: int,
    _b: int,
    _ask: int,
    _a: int,
    _what: int,
    _price: int,
    _count: int,
    _taker: int,
) -> None:
    ours[0] = bid


def _half(
    _ours: Any,
    _mine: Any,
    _now_ns: int,
    bid: int,
    _b: int,
    ask: int,
    _a: int,
    _what: int,
    _price: int,
    _count: int,
    _taker: int,
) -> float:
    return bid / ask


@needs_numba
@pytest.mark.parametrize(
    ("function", "why"),
    [
        (_named, "TypingError: Unknown attribute 'market'"),
        (_fractions, "it keeps float64, not an integer"),
        (_nothing, "it gives none, not True or False"),
        (_half, "it gives float64, not True or False"),
        (lambda ours: ours, "TypeError"),
    ],
)
def test_one_that_cannot_be_compiled_says_why(function: Any, why: str) -> None:
    engine, _ = known(is_compiled=True)
    glance = glance_of(engine, function)
    assert glance.compiled is None
    assert why in glance.why
    assert "\n" not in glance.why


def _divides(
    ours: Any,
    _mine: Any,
    _now_ns: int,
    _bid: int,
    bid_size: int,
    _ask: int,
    ask_size: int,
    _what: int,
    _price: int,
    _count: int,
    _taker: int,
) -> bool:
    return bool((ours[0] + ask_size) // bid_size > 1)


def _beyond(
    ours: Any,
    _mine: Any,
    _now_ns: int,
    _bid: int,
    _b: int,
    _ask: int,
    _a: int,
    _what: int,
    _price: int,
    _count: int,
    _taker: int,
) -> bool:
    return bool(ours[1] > 1)


@needs_numba
@pytest.mark.parametrize(("function", "error"), [(_divides, ZeroDivisionError), (_beyond, IndexError)])
def test_a_compiled_one_raises_as_the_plain_one_does(function: Any, error: type[Exception]) -> None:
    """To compile it does not call it: what it is tried with might be what it cannot do."""
    engine, at = known(is_compiled=True)
    glance = glance_of(engine, function, (1, 1))
    assert (glance.compiled is None, glance.why) == (False, "")
    ours = engine.memory.m[glance.place : glance.place + 1]
    for call in (glance.compiled, function):
        with pytest.raises(error):
            call(
                ours if call is glance.compiled else memoryview(engine.memory.plain)[glance.place :][:1],
                ours,
                1,
                -1,
                0,
                -1,
                0,
                *(0,) * 4,
            )
    assert Window(MARKET, state_at(engine.store, at), engine.store.window(MARKET, 1)._sight).bid == 4_000
