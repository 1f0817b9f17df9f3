"""The log of what is overwritten, and spans that are copied: both copies of the machine."""

import random
from typing import Any

from copies import EACH_COPY

from core.cells import H_UNDO, H_UNDO_AT, Memory
from core.copies import machine
from core.undo import MOST_CELLS

LOG = 400


def _filled(is_compiled: bool) -> tuple[Memory, int, int]:
    """A memory with a block of 100 cells that are not 0 and a log; where these are."""
    memory = Memory(is_compiled)
    block, log = memory.take(100), memory.take(LOG)
    for cell in range(100):
        memory.plain[block + cell] = cell + 1
    memory.plain[H_UNDO], memory.plain[H_UNDO_AT] = log + LOG, log
    return memory, block, log


@EACH_COPY
def test_what_was_logged_comes_back_the_last_first(is_compiled: bool) -> None:
    memory, block, log = _filled(is_compiled)
    dice, made = random.Random(7), machine(is_compiled)
    for turn in range(30):
        first, count = dice.randrange(90), dice.randrange(1, 9)
        made.spare(memory.m, block + first, count)
        for cell in range(first, first + count):
            memory.plain[block + cell] = 1_000 * turn + cell
    assert list(memory.plain[block : block + 100]) != list(range(1, 101))
    made.undo(memory.m, log)
    assert list(memory.plain[block : block + 100]) == list(range(1, 101))
    assert memory.plain[H_UNDO_AT] == log


@EACH_COPY
def test_there_is_room_until_a_row_might_not_fit_and_always_where_there_is_no_log(is_compiled: bool) -> None:
    memory, _, log = _filled(is_compiled)
    made = machine(is_compiled)
    memory.plain[H_UNDO_AT] = log + LOG - MOST_CELLS
    assert made.has_undo_room(memory.m)
    memory.plain[H_UNDO_AT] += 1
    assert not made.has_undo_room(memory.m)
    memory.plain[H_UNDO] = 0
    assert made.has_undo_room(memory.m)


@EACH_COPY
def test_spans_are_copied_out_and_back_and_what_lies_between_is_left(is_compiled: bool) -> None:
    memory, block, _ = _filled(is_compiled)
    made = machine(is_compiled)
    spans: Any = memory.values([block, block + 10, block + 10, block + 10, block + 50, block + 53])
    kept = memory.values([0] * 20)
    assert made.copy_out(memory.m, kept, spans) == 13
    assert list(kept) == [*range(1, 11), 51, 52, 53, *[0] * 7]
    for cell in range(100):
        memory.plain[block + cell] = -1
    made.copy_back(memory.m, kept, spans)
    found = list(memory.plain[block : block + 100])
    assert found == [*range(1, 11), *[-1] * 40, 51, 52, 53, *[-1] * 47]
