"""Spans in which a book was not to be trusted, and whether something fell into one; and how a walk finds them."""

from pathlib import Path

import pytest
from sample_tapes import SECOND, START_NS, Script
from told_by_hand import MARKET, OTHER, quiet_tape
from wild import MARKETS, wild

from capture.tape.reader import Tape
from core.cells import NEVER
from core.compiled import INSTALLED
from core.copies import machine
from core.records import Coverage
from replay.backtest.trust import NO_SNAPSHOT, Distrusted, Trust
from replay.backtest.walk import Walk

PATHS = ("bytes", "columns")


def test_a_gap_reaches_back_to_the_last_instant_that_was_vouched_for() -> None:
    trust = Trust(["A"])
    assert trust.told("A", 10, trusted=True)
    assert trust.told("A", 50, trusted=False, since_ns=40, reason="reconnect")
    assert not trust.told("A", 55, trusted=False, since_ns=1, reason="other")
    assert trust.told("A", 60, trusted=True)
    trust.finish(100)
    assert list(trust.spans({"A": 5})) == [Distrusted("A", 5, 10, NO_SNAPSHOT), Distrusted("A", 40, 60, "reconnect")]
    assert list(trust.spans({"A": 45})) == [Distrusted("A", 45, 60, "reconnect")]
    assert [trust.was("A", at, at) for at in (9, 10, 39, 40, 59, 60, 100)] == [
        False, True, True, False, False, True, True,
    ]  # fmt: skip
    assert trust.was("A", 10, 39)
    assert not trust.was("A", 39, 61)
    assert not trust.was("A", 30, 41)
    assert trust.was("A", 60, 70)


def test_after_its_close_a_market_has_no_book_to_doubt() -> None:
    trust = Trust(["A", "B"])
    for market in trust.markets:
        trust.told(market, 10, trusted=True)
        trust.told(market, 40, trusted=False)
        trust.told(market, 50, trusted=True)
        trust.told(market, 60, trusted=False)
    trust.finish(100)
    trust.closed("A", 45)
    trust.closed("C", 45)
    spans = list(trust.spans({"A": 0, "B": 0}))
    assert [(span.from_ns, span.until_ns) for span in spans if span.market == "A"] == [(0, 10), (40, 45)]
    assert [(span.from_ns, span.until_ns) for span in spans if span.market == "B"] == [(0, 10), (40, 50), (60, 100)]
    assert [trust.was("A", at, at) for at in (9, 40, 45, 60, 99)] == [False, False, True, True, True]
    assert not trust.was("A", 44, 99)


def test_what_was_vouched_for_after_an_earlier_span_stays_trusted() -> None:
    trust = Trust(["A"])
    trust.told("A", 10, trusted=True)
    trust.told("A", 50, trusted=False, since_ns=3, reason="reconnect")
    trust.finish(70)
    assert [span.from_ns for span in trust.spans({"A": 0})] == [0, 10]


def test_a_market_that_is_not_watched_is_not_trusted_and_has_no_span() -> None:
    trust = Trust(["A"])
    assert not trust.told("B", 5, trusted=True)
    trust.finish(9)
    assert not trust.was("B", 1, 2)
    assert not trust.was("A", 1, 2)


@pytest.fixture(scope="module")
def gap(tmp_path_factory: pytest.TempPathFactory) -> Tape:
    machine(is_compiled=INSTALLED)
    return quiet_tape(tmp_path_factory.mktemp("walk") / "tape", seconds=30, gap_at_s=12)


@pytest.mark.parametrize("path", PATHS)
def test_a_walk_stops_where_trust_changes_and_goes_on(gap: Tape, path: str) -> None:
    walk = Walk(gap, path, [MARKET, OTHER])
    assert walk.player.engine.memory.is_compiled == INSTALLED
    stops = []
    while not walk.to_ns(START_NS + 20 * SECOND):
        stops.append(((walk.now_ns - START_NS) // SECOND, sorted(walk.changed)))
        walk.changed.clear()
    assert stops[:2] == [(0, [MARKET]), (0, [OTHER])]
    assert [second for second, _ in stops[2:]] == [12, 17, 17]
    assert stops[2][1] == [MARKET, OTHER]
    assert walk.now_ns == START_NS + 20 * SECOND
    assert walk.window(MARKET).is_trusted
    walk.trust.finish(walk.now_ns)
    since = dict.fromkeys(walk.trust.markets, START_NS)
    spans = [
        ((s.from_ns - START_NS) // SECOND, (s.until_ns - START_NS) // SECOND, s.reason) for s in walk.trust.spans(since)
    ]
    assert spans == [(11, 17, "sequence")] * 2


@pytest.mark.parametrize("is_recorded", [True, False], ids=["frames lost", "reconnect not recorded"])
@pytest.mark.parametrize("path", PATHS)
def test_a_gap_that_is_found_by_the_snapshot_that_ends_it_is_a_span(
    tmp_path: Path, path: str, is_recorded: bool
) -> None:
    machine(is_compiled=INSTALLED)
    levels = [("0.4000", "10.00")]
    script = Script(step_ns=SECOND).session(coverage=Coverage(connections=is_recorded)).subscribed(1)
    for market in (MARKET, OTHER):
        script.snapshot(market, levels, levels)
    script.delta(MARKET, "yes", "0.4100", "1.00").wait(10 * SECOND)
    if is_recorded:
        script.skip()
    else:
        script.numbers.clear()
    for market in (MARKET, OTHER):
        script.snapshot(market, levels, levels)
    walk = Walk(script.tape(tmp_path / "tape"), path, [MARKET, OTHER])
    while not walk.to_seq(99):
        assert walk.changed
        walk.changed.clear()
    walk.trust.finish(walk.now_ns)
    found = [
        (s.market, (s.from_ns - START_NS) // SECOND, (s.until_ns - START_NS) // SECOND, s.reason)
        for s in walk.trust.spans(dict.fromkeys(walk.trust.markets, START_NS + 4 * SECOND))
    ]
    reason = "sequence" if is_recorded else "reconnect"
    assert found == [(MARKET, 4, 15, reason), (OTHER, 4, 16, reason)]


@pytest.mark.parametrize("path", PATHS)
def test_a_walk_goes_to_a_record_and_no_further_than_its_last(gap: Tape, path: str) -> None:
    walk = Walk(gap, path, [], last_seq=9)
    assert walk.to_seq(7)
    assert walk.player.position == 8
    assert walk.to_seq(3)
    assert walk.player.position == 8
    assert not walk.is_over
    assert walk.to_ns(START_NS + 29 * SECOND)
    assert (walk.player.position, walk.is_over) == (10, True)


def snapshots() -> Script:
    """Books that are told again while they are trusted, after a gap, and after a change that cannot be."""
    script, levels = Script().session().opened().subscribed(1), [("0.4000", "10.00")]
    for _ in range(3):
        script.snapshot("KXTEST-A", levels, levels).delta("KXTEST-A", "yes", "0.4100", "1.00")
        script.snapshot("KXTEST-A", levels, levels).delta("KXTEST-A", "yes", "0.4100", "1.00")
        script.skip().delta("KXTEST-A", "yes", "0.4100", "1.00").snapshot("KXTEST-A", levels, levels)
        script.delta("KXTEST-A", "no", "0.4000", "-11.00")
    return script


@pytest.mark.parametrize("script", [snapshots(), wild(0, 150), wild(1, 150)], ids=["snapshots", "wild-0", "wild-1"])
def test_by_the_machine_no_change_of_trust_is_passed_over(tmp_path: Path, script: Script) -> None:
    """Held against every record by itself: gaps, reconnects, snapshots that restore trust and such as change none."""
    machine(is_compiled=INSTALLED)
    tape = script.tape(tmp_path / "tape", segment_records=150)
    by_hand = Walk(tape, "bytes", [])
    trusted = dict.fromkeys(MARKETS, False)
    changes: list[tuple[int, list[str]]] = []
    for _ in by_hand.player.play():
        now = {market: by_hand.window(market).is_trusted for market in MARKETS}
        if now != trusted:
            changes.append((by_hand.player.position, sorted(m for m in MARKETS if now[m] != trusted[m])))
        trusted = now
    walk, found = Walk(tape, "columns", MARKETS), []
    while not walk.to_ns(NEVER):
        found.append((walk.player.position, sorted(walk.changed)))
        walk.changed.clear()
    assert len(changes) > 3
    assert found == changes
