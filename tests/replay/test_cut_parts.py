"""Cuts by connection and around a record; and the best prices of cuts of recorded and of real tapes, frame by frame."""

from pathlib import Path

import pytest
from cuts import assert_same_books, cut_of, middle_of
from fixture_tapes import fixture_tape
from imported import tape_of
from sample_tapes import MILLI, SECOND, Script, story
from tapes import needs_tapes

from capture.tape.errors import TapeError
from capture.tape.reader import Tape
from core.records import Kind
from replay import Player
from replay.cut import Selection, around, cut
from replay.summary import summarize

ONE = ("KXTEST-A",)


def two_connections(rounds: int = 12) -> Script:
    """Each market on a connection of its own; the second is lost and taken over, with a gap in between on the first."""
    script = Script().session().opened(1).opened(2).subscribed(1).subscribed(1, connection=2)
    script.snapshot("KXTEST-A", [("0.4000", "9.00")], []).snapshot("KXTEST-B", [("0.3000", "9.00")], [], connection=2)
    for turn in range(rounds):
        script.delta("KXTEST-A", "yes", f"0.{4100 + 100 * (turn % 3)}", "1.00")
        script.delta("KXTEST-B", "yes", f"0.{3100 + 100 * (turn % 3)}", "1.00", connection=2)
    script.skip(2).delta("KXTEST-A", "yes", "0.4100", "1.00").snapshot("KXTEST-A", [("0.4200", "5.00")], [])
    script.closed(2).wait(SECOND).opened(3, replaces=2).subscribed(1, connection=3)
    script.snapshot("KXTEST-B", [("0.3300", "5.00")], [], connection=3)
    for turn in range(rounds):
        script.delta("KXTEST-A", "yes", f"0.{4100 + 100 * (turn % 3)}", "1.00")
        script.delta("KXTEST-B", "no", f"0.{3100 + 100 * (turn % 3)}", "1.00", connection=3)
    return script.stop()


@pytest.mark.parametrize(("connections", "market"), [((1,), "KXTEST-A"), ((2, 3), "KXTEST-B")])
@pytest.mark.parametrize(("start", "end"), [(0.0, 1.0), (0.2, 0.6), (0.45, 0.9), (0.6, 1.0)])
def test_books_of_a_connection_are_the_originals(
    tmp_path: Path, start: float, end: float, connections: tuple[int, ...], market: str
) -> None:
    script = two_connections()
    span = middle_of(script, start, end)
    tape = script.tape(tmp_path / "tape")
    part = cut_of(tape, tmp_path, Selection(*span, connections=connections))
    assert_same_books(tape, part, (market,), span)
    assert {record.connection for record in part.records()} <= {0, *connections}


def test_a_book_of_a_connection_that_is_left_out_is_not_trusted(tmp_path: Path) -> None:
    script = two_connections()
    part = cut_of(script.tape(tmp_path / "tape"), tmp_path, Selection(script.records[20].at_ns, connections=(1,)))
    player = Player(part)
    player.advance()
    assert [player.store.view(market).trusted for market in ("KXTEST-A", "KXTEST-B")] == [True, False]
    assert [gap["reason"] for gap in summarize(part).gaps] == ["sequence"]


def test_a_connection_that_takes_over_from_one_that_is_left_out_takes_over_from_none(tmp_path: Path) -> None:
    tape = two_connections().tape(tmp_path / "tape")
    assert [gap["reason"] for gap in summarize(tape).gaps] == ["sequence", "reconnect"]
    part = cut_of(tape, tmp_path, Selection(connections=(1, 3)))
    assert [gap["reason"] for gap in summarize(part).gaps] == ["sequence"]


def test_a_connection_and_a_market_together(tmp_path: Path) -> None:
    script = two_connections()
    span = middle_of(script, 0.3, 0.9)
    tape = script.tape(tmp_path / "tape")
    part = cut_of(tape, tmp_path, Selection(*span, ONE, (1,)))
    assert_same_books(tape, part, ONE, span)


def test_a_connection_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    tape = two_connections(2).tape(tmp_path / "tape")
    with pytest.raises(TapeError, match=r"has no connection 9; it has 1, 2, 3"):
        cut(tape, tmp_path / "cut", Selection(connections=(1, 9)))


def test_a_stretch_around_a_record_is_by_the_tapes_time(tmp_path: Path) -> None:
    script = story()
    tape = script.tape(tmp_path / "tape")
    middle = script.records[60]
    assert around(tape, 60, 5 * MILLI, 9 * MILLI) == (middle.at_ns - 5 * MILLI, middle.at_ns + 9 * MILLI)


@pytest.mark.parametrize("seq", [-1, 400])
def test_around_a_record_that_is_not_there_is_refused(tmp_path: Path, seq: int) -> None:
    script = story(rounds=3)
    with pytest.raises(TapeError, match=f"holds no record {seq}; its last one is {len(script.records) - 1}"):
        around(script.tape(tmp_path / "tape"), seq, SECOND, SECOND)


def tops(tape: Tape, from_ns: int, to_ns: int) -> list[object]:
    """The best prices of the market that each frame is about, with whether they are trusted, frame by frame."""
    player, found = Player(tape), list[object]()
    player.advance(until_ns=from_ns - 1)
    for record, step in player.play(until_ns=to_ns):
        market = getattr(step.message, "market", "")
        if market and record.kind == Kind.FRAME:
            view = player.store.view(market)
            found.append((market, view.yes[-1:], view.no[-1:], view.trusted, record.payload))
    return found


@pytest.mark.parametrize("name", ["run-1", "sandbox-1"])
@pytest.mark.parametrize(("start", "end"), [(0.1, 0.5), (0.5, 0.9)])
def test_a_recorded_session_has_the_originals_best_prices_at_every_frame(
    tmp_path: Path, name: str, start: float, end: float
) -> None:
    tape = fixture_tape(name, tmp_path)
    times = [step.now_ns for _, step in Player(tape).play()]
    span = times[int(len(times) * start)], times[int(len(times) * end)]
    part = cut_of(tape, tmp_path, Selection(*span))
    found = tops(part, *span)
    assert len(found) > 100
    assert found == tops(tape, *span)


@needs_tapes
@pytest.mark.parametrize(
    ("name", "first", "count"), [("gold15m/101900-00", 9_000, 700), ("btc15m/short-30s", 900, 700)]
)
def test_a_real_tape_has_the_originals_best_prices_at_every_frame(
    tmp_path: Path, name: str, first: int, count: int
) -> None:
    tape = tape_of(name)
    span = next(tape.records(first)).at_ns, next(tape.records(first + count)).at_ns
    part = cut_of(tape, tmp_path, Selection(*span))
    found = tops(part, *span)
    assert len(found) > count / 2
    assert found == tops(tape, *span)
