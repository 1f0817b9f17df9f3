"""Real recordings are played the same with the machine ahead of strategies as record by record."""

from collections import Counter

import pytest
from imported import tape_of
from seers import (
    Choosy,
    ChoosyEveryone,
    Everyone,
    Glancing,
    GlancingEveryone,
    Seer,
    Trader,
    compare,
    needs_numba,
    play,
    ran,
    spec,
)
from tapes import but_the_longest, needs_tapes
from ways_played import counted

from capture.tape.reader import Tape

pytestmark = [needs_numba, needs_tapes]


def _on_tape(tape: Tape, *kinds: type[Seer], every: int) -> Counter[str]:
    casts = tuple(spec(kind.__name__, kind, seed=every, every=every) for kind in kinds)
    expected = play(tape, "bytes", casts)
    with counted() as counts:
        compare(expected, ran(tape, casts, least=64, singles=32))
    return counts


@pytest.mark.parametrize("name", but_the_longest(["btc15m/short-30s", "gold15m/101900-00", "gold15m/102115-15"]))
@pytest.mark.parametrize(("kinds", "every"), [((Trader,), 100), ((Glancing,), 2), ((Everyone, Choosy), 100)])
def test_real_recordings_are_played_the_same(name: str, kinds: tuple[type[Seer], ...], every: int) -> None:
    counts = _on_tape(tape_of(name), *kinds, every=every)
    assert min(counts[way] for way in ("ahead", "rewound", "due")) > 2, counts


@pytest.mark.slow
@pytest.mark.parametrize("name", ["btc15m/outage-22s", "gold15m/102000-00", "gold15m/102030-30"])
@pytest.mark.parametrize("kind", [Trader, GlancingEveryone, ChoosyEveryone])
@pytest.mark.parametrize("every", [30, 1_000])
def test_outages_midnight_and_reconnects_are_played_the_same(name: str, kind: type[Seer], every: int) -> None:
    counts = _on_tape(tape_of(name), kind, every=every)
    ways = ("ahead", "rewound", "singly", "due") if every == 30 else ("ahead", "due")
    assert min(counts[way] for way in ways) > 2, counts
