"""A glance says the same by record and with the machine ahead, compiled or not, and where it raises."""

from pathlib import Path

import pytest
from seers import (
    Dividing,
    Glancing,
    GlancingEveryone,
    Seer,
    Uncompiled,
    compare,
    needs_numba,
    play,
    ran,
    spec,
)
from ways_played import counted
from wild import MARKETS, busy

pytestmark = needs_numba


@pytest.mark.parametrize("kind", [Glancing, GlancingEveryone, Uncompiled])
def test_a_glance_says_no_to_the_same_books_on_every_way(kind: type[Seer], tmp_path: Path) -> None:
    tape = busy(300).tape(tmp_path / "tape")
    for every in (0, 6):
        casts = (spec("a", kind, every=every),)
        expected = play(tape, "bytes", casts)
        books = sum(entry[0] == "book" for entry in expected.seen[0])
        assert 20 < books < 250
        for least in (2, 512):
            compare(expected, ran(tape, casts, least=least))


def test_two_glances_keep_their_numbers_apart(tmp_path: Path) -> None:
    tape = busy(200).tape(tmp_path / "tape")
    alone = [play(tape, "bytes", (spec("a", kind, every=0),)).seen[0] for kind in (Glancing, GlancingEveryone)]
    casts = tuple(spec(name, kind, every=0) for name, kind in (("a", Glancing), ("b", GlancingEveryone)))
    assert play(tape, "bytes", casts).seen == alone
    compare(play(tape, "bytes", casts), ran(tape, casts))


@pytest.mark.parametrize("least", [1, 8, 512])
def test_a_glance_that_raises_ends_its_strategy_at_its_record(least: int, tmp_path: Path) -> None:
    script = busy(100)
    script.snapshot(MARKETS[0], [], [("0.5000", "7.00")])  # nobody bids
    for turn in range(100):
        script.delta(MARKETS[turn % 2], "no", f"0.{3000 + 100 * (turn % 7)}", "1.00")
    tape = script.tape(tmp_path / "tape")
    casts = (spec("a", Dividing, every=0),)
    expected = play(tape, "bytes", casts)
    assert [fault.error for _, fault in expected.faults] == [
        "glance: ZeroDivisionError: integer division or modulo by zero"
    ]
    with counted() as counts:
        compare(expected, ran(tape, casts, least=least))
    assert counts["ahead"]
