"""A cut is a tape of its own whose books equal the original's at every instant inside it."""

from pathlib import Path

import pytest
from cuts import assert_same_books, book, cut_of, middle_of
from lived import LiveRun, lived, market_day
from sample_tapes import MILLI, SECOND, START_NS, Script, make_tape, story

from capture.tape.errors import TapeError
from capture.tape.reader import Ended
from capture.tape.verify import verify
from core.actions import decode_decision, decode_progress
from core.records import Coverage, Kind, Record, decode_gap, decode_session
from replay import Player, open_tape
from replay.books import MarketNotFound
from replay.cut import Selection, cut
from replay.loading import specify
from replay.parity import judge
from replay.summary import summarize

IMPORTED = Coverage(connections=False, control=False, sent=False)
ONE = ("KXTEST-A",)


@pytest.mark.parametrize("mono", [False, True])
@pytest.mark.parametrize(("start", "end"), [(0.1, 0.3), (0.2, 0.6), (0.35, 0.95), (0.45, 0.5), (0.7, 1.0)])
def test_books_are_the_originals_at_every_instant(tmp_path: Path, start: float, end: float, mono: bool) -> None:
    script = story(mono=mono)
    span = middle_of(script, start, end)
    tape = script.tape(tmp_path / "tape", segment_records=50)
    part = cut_of(tape, tmp_path, Selection(*span))
    assert_same_books(tape, part, ("KXTEST-A", "KXTEST-B"), span)


@pytest.mark.parametrize("market", ["KXTEST-A", "KXTEST-B"])
@pytest.mark.parametrize(("start", "end"), [(0.0, 1.0), (0.2, 0.6), (0.35, 0.95)])
def test_books_of_one_market_are_the_originals(tmp_path: Path, start: float, end: float, market: str) -> None:
    script = story()
    span = middle_of(script, start, end)
    tape = script.tape(tmp_path / "tape", segment_records=50)
    part = cut_of(tape, tmp_path, Selection(*span, (market,)))
    assert_same_books(tape, part, (market,), span)
    assert summarize(part).markets == (market,)


def test_a_cut_without_limits_holds_the_same_records(tmp_path: Path) -> None:
    script = story()
    part = cut_of(script.tape(tmp_path / "tape"), tmp_path, Selection())
    assert list(part.records()) == script.records


def test_a_cut_begins_with_a_session_that_carries_the_state(tmp_path: Path) -> None:
    script = story()
    span = middle_of(script, 0.2, 0.3)
    part = cut_of(script.tape(tmp_path / "tape"), tmp_path, Selection(*span))
    first, *rest = part.records()
    session, original = decode_session(first.payload), decode_session(script.records[0].payload)
    assert first.kind == Kind.SESSION
    assert session.base is not None
    assert session.coverage == original.coverage
    assert session.environment == original.environment
    assert session.uuid != original.uuid
    inside = [record for record in script.records if span[0] <= record.at_ns <= span[1]]
    assert [record.payload for record in rest[:-1]] == [record.payload for record in inside]
    assert rest[-1].kind == Kind.CLEAN_STOP
    assert part.ended is Ended.CLEAN_STOP


def test_a_cut_from_the_beginning_carries_nothing(tmp_path: Path) -> None:
    script = story()
    report = cut(script.tape(tmp_path / "tape"), tmp_path / "cut", Selection(None, START_NS + 20 * MILLI))
    assert not report.carried
    assert report.records == 22
    assert report.frames == 19
    assert decode_session(next(open_tape(tmp_path / "cut").records()).payload).base is None


def test_an_open_gap_is_carried_and_heals_where_the_originals_does(tmp_path: Path) -> None:
    script = Script().session().opened().subscribed()
    for market in ("KXTEST-A", "KXTEST-B"):
        script.snapshot(market, [("0.4000", "1.00")], [])
    script.skip().delta("KXTEST-A", "yes", "0.4100", "1.00")
    start_ns = script.now_ns
    script.delta("KXTEST-B", "yes", "0.4100", "1.00").snapshot("KXTEST-A", [("0.3000", "1.00")], [])
    script.delta("KXTEST-B", "yes", "0.4100", "1.00").snapshot("KXTEST-B", [("0.3000", "1.00")], []).stop()
    tape = script.tape(tmp_path / "tape")
    part = cut_of(tape, tmp_path, Selection(start_ns))
    assert_same_books(tape, part, ("KXTEST-A", "KXTEST-B"), (start_ns, script.now_ns))
    assert [gap["reason"] for gap in summarize(part).gaps] == ["sequence"]
    assert summarize(part).gaps[0]["until_ns"] is not None


def test_a_gap_that_numbering_showed_is_said_in_a_cut_by_market(tmp_path: Path) -> None:
    script = story()
    tape = script.tape(tmp_path / "tape")
    part = cut_of(tape, tmp_path, Selection(markets=ONE))
    stored = [decode_gap(record.payload) for record in part.records() if record.kind == Kind.GAP_CLOSE]
    original = summarize(tape).gaps[0]
    assert [(gap.reason, gap.markets, gap.missing) for gap in stored] == [("sequence", ONE, 2)]
    assert stored[0].from_ns == original["at_ns"]
    assert [gap["reason"] for gap in summarize(part).gaps] == ["sequence", "reconnect"]
    assert summarize(part).filtered


def test_a_stall_is_said_in_a_cut_by_market(tmp_path: Path) -> None:
    script = Script().session().opened().subscribed()
    for market in ("KXTEST-A", "KXTEST-B"):
        script.snapshot(market, [("0.4000", "1.00")], [])
    script.wait(26 * SECOND).delta("KXTEST-B", "yes", "0.4000", "1.00").wait(SECOND)
    script.delta("KXTEST-A", "yes", "0.4000", "1.00").wait(SECOND).stop()
    tape = script.tape(tmp_path / "tape")
    part = cut_of(tape, tmp_path, Selection(markets=ONE))
    assert_same_books(tape, part, ONE, (START_NS, script.now_ns))
    assert [gap["reason"] for gap in summarize(part).gaps] == ["stall"]


def test_quiet_of_one_market_is_no_stall(tmp_path: Path) -> None:
    script = Script().session().opened().subscribed()
    for market in ("KXTEST-A", "KXTEST-B"):
        script.snapshot(market, [("0.4000", "1.00")], [])
    for _ in range(6):
        script.wait(9 * SECOND).delta("KXTEST-B", "yes", "0.4000", "1.00")
    script.delta("KXTEST-A", "yes", "0.4000", "1.00").stop()
    tape = script.tape(tmp_path / "tape")
    part = cut_of(tape, tmp_path, Selection(markets=ONE))
    assert_same_books(tape, part, ONE, (START_NS, script.now_ns))
    assert summarize(part).gaps == ()


def test_a_reconnect_that_numbering_alone_showed_is_said_in_a_cut_by_market(tmp_path: Path) -> None:
    """The frame that shows it belongs to another market, so without a record of it the cut would not notice."""
    script = Script().session(coverage=IMPORTED).skip(5_000)
    for market in ("KXTEST-A", "KXTEST-B"):
        script.snapshot(market, [("0.4000", "1.00")], [])
    script.skip(-5_002).wait(SECOND).snapshot("KXTEST-B", [("0.3000", "1.00")], []).wait(SECOND)
    script.skip(9_000).delta("KXTEST-A", "yes", "0.4000", "1.00").wait(SECOND)
    script.snapshot("KXTEST-A", [("0.2000", "1.00")], []).stop()
    tape = script.tape(tmp_path / "tape")
    part = cut_of(tape, tmp_path, Selection(markets=ONE))
    assert_same_books(tape, part, ONE, (START_NS, script.now_ns))
    assert summarize(part).gaps[0]["reason"] == "reconnect"


def test_a_frame_that_came_too_late_by_its_number_stays_without_effect(tmp_path: Path) -> None:
    script = Script().session().opened().subscribed()
    for market in ("KXTEST-A", "KXTEST-B"):
        script.snapshot(market, [("0.4000", "1.00")], [])
    script.skip().delta("KXTEST-B", "yes", "0.4000", "1.00")
    script.skip(-2).delta("KXTEST-A", "yes", "0.4000", "9.00").skip().stop()
    tape = script.tape(tmp_path / "tape")
    report = cut(tape, tmp_path / "cut", Selection(markets=ONE))
    assert report.too_late == 1
    assert_same_books(tape, open_tape(tmp_path / "cut"), ONE, (START_NS, script.now_ns))


def test_sessions_inside_are_kept_and_their_books_too(tmp_path: Path) -> None:
    script = story(rounds=6).wait(SECOND).session().opened().subscribed()
    script.snapshot("KXTEST-A", [("0.4000", "1.00")], []).delta("KXTEST-A", "yes", "0.4000", "1.00").stop()
    span = middle_of(script, 0.4, 1.0)
    tape = script.tape(tmp_path / "tape", segment_records=9)
    for index, markets in enumerate(((), ONE)):
        place = tmp_path / str(index)
        place.mkdir()
        part = cut_of(tape, place, Selection(*span, markets))
        assert_same_books(tape, part, ONE, span)
        assert summarize(part).sessions == 2


def test_a_cut_of_a_cut_has_the_originals_books(tmp_path: Path) -> None:
    script = story()
    tape = script.tape(tmp_path / "tape")
    first, second = middle_of(script, 0.2, 0.9), middle_of(script, 0.4, 0.8)
    once = cut_of(tape, tmp_path, Selection(*first, ONE))
    (tmp_path / "again").mkdir()
    for selection in (Selection(*second), Selection(markets=ONE)):
        place = tmp_path / "again" / str(len(selection.markets))
        place.mkdir()
        twice = cut_of(once, place, selection)
        assert_same_books(tape, twice, ONE, second)


def test_the_same_cut_gives_the_same_bytes(tmp_path: Path) -> None:
    script = story()
    span = middle_of(script, 0.2, 0.5)
    tape = script.tape(tmp_path / "tape")
    for name in ("one", "two"):
        cut(tape, tmp_path / name, Selection(*span))
    one, two = (open_tape(tmp_path / name).manifest.chain for name in ("one", "two"))
    assert one == two


def test_a_cut_from_a_checkpoint_is_the_same(tmp_path: Path) -> None:
    script = story()
    selection = Selection(*middle_of(script, 0.5, 0.8), ONE)
    tape = script.tape(tmp_path / "tape")
    cut(tape, tmp_path / "plain", selection)
    Player(tape, checkpoint_records=10).advance()
    cut(tape, tmp_path / "quick", selection)
    assert list(open_tape(tmp_path / "plain").records()) == list(open_tape(tmp_path / "quick").records())


def test_days_are_parted_and_order_is_kept(tmp_path: Path) -> None:
    script = Script(step_ns=6 * 3_600 * SECOND).session().opened().subscribed()
    for _ in range(8):
        script.ping()
    part = cut_of(script.tape(tmp_path / "tape"), tmp_path, Selection())
    assert [entry.rows for entry in part.segments] == [4, 4, 4]
    assert [record.seq for record in part.records()] == list(range(12))


def test_a_market_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(MarketNotFound, match="KXTEST-A"):
        cut(story(rounds=2).tape(tmp_path / "tape"), tmp_path / "cut", Selection(markets=("KXTEST-X",)))
    assert not (tmp_path / "cut").exists()


def test_a_quiet_stretch_is_a_cut_with_the_state_alone(tmp_path: Path) -> None:
    script = story()
    opened = next(record for record in script.records[5:] if record.kind == Kind.OPENED)
    span = opened.at_ns - 10 * SECOND, opened.at_ns - 5 * SECOND
    tape = script.tape(tmp_path / "tape")
    part = cut_of(tape, tmp_path, Selection(*span))
    assert [record.kind for record in part.records()] == [Kind.SESSION, Kind.CLEAN_STOP]
    for market in ("KXTEST-A", "KXTEST-B"):
        books = [Player(which) for which in (tape, part)]
        for player in books:
            player.advance(until_ns=span[1])
        assert book(books[0].store.view(market)) == book(books[1].store.view(market))


@pytest.mark.parametrize("late", [True, False])
def test_a_stretch_outside_the_tape_makes_no_tape(tmp_path: Path, late: bool) -> None:
    script = story(rounds=2)
    selection = Selection(script.now_ns + SECOND) if late else Selection(START_NS - 9, START_NS - 1)
    with pytest.raises(TapeError, match="holds no record"):
        cut(script.tape(tmp_path / "tape"), tmp_path / "cut", selection)
    assert [path.name for path in tmp_path.iterdir()] == ["tape"]


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    tape = story(rounds=2).tape(tmp_path / "tape")
    with pytest.raises(TapeError, match="exists already"):
        cut(tape, tmp_path / "tape", Selection())
    assert verify(tmp_path / "tape").whole


def run_of_two_sessions() -> list[Record]:
    run = LiveRun(specify("pupil", "pupils:Quoter", {}))
    return run.live(market_day(4)).live(market_day(4, after_s=60)).records


def test_decisions_name_the_same_records_in_a_cut(tmp_path: Path) -> None:
    records = run_of_two_sessions()
    second = [record for record in records if record.kind == Kind.SESSION][1]
    part = cut_of(make_tape(tmp_path / "tape", records), tmp_path, Selection(second.at_ns))
    found = judge(part, "columns")
    assert found.equal
    assert found.decisions == sum(r.kind == Kind.DECISION and r.seq > second.seq for r in records) > 0


def test_a_cut_by_market_lets_decisions_and_progress_name_the_record_before_one_that_is_gone(tmp_path: Path) -> None:
    records = lived()
    part = list(cut_of(make_tape(tmp_path / "tape", records), tmp_path, Selection(markets=ONE)).records())
    old = [r for r in records if b"KXTEST-B" not in r.payload or r.kind != Kind.FRAME]
    assert [r.payload for r in part if r.kind == Kind.FRAME] == [r.payload for r in old if r.kind == Kind.FRAME]
    for before, after in zip(old, part, strict=True):
        if before.kind == Kind.DECISION:
            cause, now = decode_decision(before.payload).cause, decode_decision(after.payload).cause
        elif before.kind == Kind.PROGRESS:
            cause, now = decode_progress(before.payload).stepped, decode_progress(after.payload).stepped
        else:
            continue
        assert old[now].seq == max(record.seq for record in old if record.seq <= cause)


def test_a_cut_from_the_middle_of_a_run_is_not_judged(tmp_path: Path) -> None:
    records = run_of_two_sessions()
    tape = make_tape(tmp_path / "tape", records)
    found = judge(cut_of(tape, tmp_path, Selection(records[20].at_ns)), "columns")
    assert (found.equal, found.sessions, found.skipped) == (True, 1, 1)
    (note,) = found.notes
    assert note.startswith("session 1 begins in the middle of a run")
