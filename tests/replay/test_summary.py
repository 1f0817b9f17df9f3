"""What `info` says: counts, connections, gaps and silences of scripted recordings."""

from pathlib import Path

import pytest
from sample_tapes import MILLI, SECOND, START_NS, Script, make_tape, story

from core.records import Coverage, Kind
from replay import open_tape
from replay.cut import Selection, cut
from replay.summary import SILENCE_NS, Info, summarize

IMPORTED = Coverage(connections=False, control=False, sent=False)


def info_of(script: Script, tmp_path: Path, segment_records: int = 1_000) -> Info:
    return summarize(script.tape(tmp_path / "tape", segment_records=segment_records))


def test_counts_are_those_of_the_records(tmp_path: Path) -> None:
    script = story()
    info = info_of(script, tmp_path, 50)
    frames = [record for record in script.records if record.kind == Kind.FRAME]
    assert info.records == len(script.records)
    assert info.frames == len(frames)
    assert info.segments == -(-len(script.records) // 50)
    assert info.by_type["trade"] == sum(b'"trade_id"' in frame.payload for frame in frames)
    assert info.by_type["orderbook_snapshot"] == 6
    assert sum(info.malformed.values()) == 1
    assert info.unknown == {"type:novelty": 1}
    assert info.markets == ("KXTEST-A", "KXTEST-B")
    assert info.sessions == 1
    assert info.environment == "test"
    assert info.first_ns == START_NS
    assert info.last_ns == script.records[-1].at_ns
    assert not info.filtered


def test_bytes_are_those_of_the_files(tmp_path: Path) -> None:
    info = info_of(story(), tmp_path)
    held = sum(path.stat().st_size for path in (tmp_path / "tape").rglob("*.parquet"))
    assert held <= info.bytes <= held + 20_000


def test_gaps_are_listed_with_reason_scope_and_times(tmp_path: Path) -> None:
    info = info_of(story(), tmp_path)
    assert [gap["reason"] for gap in info.gaps] == ["sequence", "reconnect"]
    sequence, reconnect = info.gaps
    assert sequence["got"] == sequence["expected"] + 2
    assert (sequence["connection"], sequence["sid"]) == (1, 1)
    assert sequence["markets"] == ("KXTEST-A", "KXTEST-B")
    assert sequence["until_ns"] > sequence["at_ns"]
    assert "expected" not in reconnect
    assert "got" not in reconnect
    assert reconnect["until_ns"] - reconnect["at_ns"] == pytest.approx(12 * SECOND, abs=10 * MILLI)


def test_a_gap_that_never_closes_has_no_end(tmp_path: Path) -> None:
    script = Script().session().opened().subscribed().snapshot("KXTEST-A", [("0.4000", "1.00")], [])
    info = info_of(script.skip().delta("KXTEST-A", "yes", "0.4000", "1.00"), tmp_path)
    assert [gap["until_ns"] for gap in info.gaps] == [None]


def test_a_silence_is_longer_than_a_ping_that_comes_late_explains(tmp_path: Path) -> None:
    script = Script(step_ns=0).session().opened().ping()
    script.wait(SILENCE_NS).ping().wait(SILENCE_NS + 1).ping()
    info = info_of(script, tmp_path)
    assert [(row.at_ns, row.duration_ns) for row in info.silences] == [(START_NS + SILENCE_NS, SILENCE_NS + 1)]


def test_a_silence_may_lie_before_the_first_frame_or_after_the_last(tmp_path: Path) -> None:
    script = Script(step_ns=0).session().opened().wait(11 * SECOND).ping().wait(12 * SECOND).stop()
    assert [row.duration_ns for row in info_of(script, tmp_path).silences] == [11 * SECOND, 12 * SECOND]


def test_the_time_between_two_sessions_is_no_silence(tmp_path: Path) -> None:
    script = Script(step_ns=0).session().opened().ping().stop().wait(60 * SECOND).session().opened().ping()
    info = info_of(script, tmp_path)
    assert info.silences == ()
    assert info.sessions == 2


def test_connections_are_listed_with_their_times(tmp_path: Path) -> None:
    script = Script(step_ns=0).session().opened(1).ping(1).wait(SECOND).ping(1).wait(SECOND).closed(1)
    script.wait(SECOND).opened(2, replaces=1).ping(2)
    info = info_of(script, tmp_path)
    assert info.connections == 2
    first, second = info.connection_list
    assert (first.connection, first.opened_ns, first.closed_ns) == (1, START_NS, START_NS + 2 * SECOND)
    assert (first.frames, first.last_frame_ns, first.implied) == (2, START_NS + SECOND, False)
    assert (second.connection, second.opened_ns, second.closed_ns) == (2, START_NS + 3 * SECOND, None)
    assert (second.replaces, second.frames) == (1, 1)


def test_a_connection_that_was_replaced_without_a_close_is_over(tmp_path: Path) -> None:
    script = Script(step_ns=SECOND).session().opened(1).ping(1).opened(2, replaces=1).ping(2)
    first, second = info_of(script, tmp_path).connection_list
    assert first.closed_ns == second.opened_ns


def test_connections_that_show_in_the_frames_alone_are_counted_too(tmp_path: Path) -> None:
    script = Script(step_ns=0).session(coverage=IMPORTED)
    script.skip(5_000).snapshot("KXTEST-A", [("0.4000", "1.00")], [])
    script.wait(SECOND).delta("KXTEST-A", "yes", "0.4000", "1.00")
    script.skip(-5_002).wait(11 * SECOND).snapshot("KXTEST-A", [("0.4000", "2.00")], [])
    info = info_of(script, tmp_path)
    assert [gap["reason"] for gap in info.gaps] == ["reconnect"]
    assert info.connections == 2
    first, second = info.connection_list
    assert first.implied
    assert second.implied
    assert (first.frames, second.frames) == (2, 1)
    assert (first.closed_ns, second.opened_ns) == (START_NS + SECOND, START_NS + 12 * SECOND)
    assert len(info.silences) == 1


def test_a_cut_counts_the_connections_that_it_begins_with(tmp_path: Path) -> None:
    tape = story().tape(tmp_path / "tape")
    cut(tape, tmp_path / "cut", Selection(START_NS + 20 * MILLI, START_NS + 30 * MILLI))
    info = summarize(open_tape(tmp_path / "cut"))
    assert info.connections == 1
    assert info.connection_list[0].opened_ns == START_NS + MILLI
    assert info.connection_list[0].frames == 11


def test_filtered_is_said(tmp_path: Path) -> None:
    script = Script().session(coverage=Coverage(filtered=True)).opened().subscribed()
    script.snapshot("KXTEST-A", [("0.4000", "1.00")], []).skip(500).delta("KXTEST-A", "yes", "0.4000", "1.00")
    info = info_of(script, tmp_path)
    assert info.filtered
    assert info.gaps == ()


def test_an_empty_tape_has_nothing_in_it(tmp_path: Path) -> None:
    info = summarize(make_tape(tmp_path / "tape", []))
    assert (info.records, info.frames, info.connections, info.markets) == (0, 0, 0, ())


def test_progress_is_told_in_records(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    script = story()
    summarize(script.tape(tmp_path / "tape"), lambda done, total: seen.append((done, total)))
    assert seen == [(0, len(script.records))]
