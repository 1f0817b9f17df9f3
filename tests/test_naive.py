"""The fold and a plain one that shares no code with it say the same: on recorded tapes, and on what dice make of them.

Whatever is left out, repeated or moved, both must have the same books, trust and gaps at every record.
"""

import random
from pathlib import Path
from typing import Final

import pytest
from fixture_tapes import FIXTURES, fixture_tape
from hypothesis import given, settings
from hypothesis import strategies as st
from incident_check import first_difference

from capture.tape.reader import Tape
from core.records import Kind, Record

NAMES: Final = sorted(path.parent.name for path in FIXTURES.glob("*/about.json"))
LONGEST: Final = 60
"""Records of a stretch that dice choose."""


@pytest.mark.parametrize("name", NAMES)
def test_both_say_the_same_of_a_recorded_tape(name: str, tmp_path: Path) -> None:
    assert first_difference(fixture_tape(name, tmp_path).records(), "none") == ""


def spoilt(records: list[Record], dice: random.Random) -> list[Record]:
    """A stretch of them behind their session, some left out, repeated or swapped."""
    start = dice.randrange(1, max(2, len(records) - LONGEST))
    chosen = [record for record in records[start : start + LONGEST] if dice.random() < dice.choice((0.6, 0.97))]
    for _ in range(dice.randrange(4)):
        at, to = dice.randrange(len(chosen)), dice.randrange(len(chosen))
        if dice.random() < 0.5:
            chosen[at], chosen[to] = chosen[to], chosen[at]
        else:
            chosen.insert(to, chosen[at])
    again = [records[0]] if dice.random() < 0.3 else []
    made = [records[0], *records[1:40], *chosen, *again, *chosen[: len(chosen) // 2 * bool(again)]]
    told = [record for record in made if record.kind != Kind.CLEAN_STOP]
    return [Record(seq, r.at_ns, r.mono_ns, r.connection, r.kind, r.payload) for seq, r in enumerate(told)]


RECORDED: Final = {name: list(Tape.open(FIXTURES / name / "tape").records()) for name in NAMES if name != "hot-1"}


@settings(max_examples=60)
@given(st.sampled_from(sorted(RECORDED)), st.integers(0, 2**32))
def test_both_say_the_same_of_what_dice_make_of_one(name: str, seed: int) -> None:
    assert first_difference(spoilt(RECORDED[name], random.Random(seed)), "none") == ""
