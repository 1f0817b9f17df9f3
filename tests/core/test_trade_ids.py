"""Trade ids in cells: the last ones are known again, however their places in the table collide."""

import random
from collections import deque

from copies import EACH_COPY

from core.cells import H_SEEN, Memory
from core.trade_ids import MAX_TRADE_IDS, SEEN_CELLS


@EACH_COPY
def test_the_last_ids_are_known_and_the_oldest_forgotten(is_compiled: bool) -> None:
    memory, dice = Memory(is_compiled), random.Random(5)
    block = memory.take(SEEN_CELLS)
    memory.plain[H_SEEN] = block
    machine, model = memory.machine, deque[tuple[int, int]](maxlen=MAX_TRADE_IDS)
    known: set[tuple[int, int]] = set()
    for _ in range(MAX_TRADE_IDS + 3_000):
        half = (dice.getrandbits(20) << 11, dice.randrange(-3_000, 3_000))  # so few homes that most collide
        assert bool(memory.plain[machine.seen_cell(memory.m, *half)]) == (half in known)
        if half in known:
            continue
        if len(model) == MAX_TRADE_IDS:
            known.discard(model[0])
        model.append(half)
        known.add(half)
        machine.see(memory.m, *half)
    assert len(known) == MAX_TRADE_IDS
    assert all(memory.plain[machine.seen_cell(memory.m, *half)] for half in model)
