"""Answers as text: every line says what it should to somebody who sees only that."""

import re
from pathlib import Path

from sample_tapes import SECOND, START_NS, Script, story

from capture.tape.recovery import RecoveryReport
from capture.tape.verify import Problem, VerifyReport
from core.records import Coverage
from replay import render
from replay.books import BookAt, GridReport
from replay.cut import Selection, cut
from replay.exporter import ExportReport
from replay.exports.terms import Exported
from replay.rebuild import RebuildReport
from replay.run import Comparison, Run, Span, compare, run
from replay.summary import summarize


def a_run(path: str = "bytes") -> Run:
    return Run(
        tape="t",
        path=path,
        frames=10,
        records=12,
        state_digest="aa",
        decision_digest="bb",
        rejected={"no_snapshot": 1_234},
        gaps=0,
        now_ns=START_NS,
        wall_s=0.5,
        frames_per_s=20.0,
    )


def test_info_shows_counts_connections_gaps_and_silences(tmp_path: Path) -> None:
    text = "\n".join(render.info_lines(summarize(story().tape(tmp_path / "tape"))))
    assert "(test)" in text
    assert "markets      2: KXTEST-A, KXTEST-B" in text
    assert "unknown      type:novelty 1" in text
    assert "connections  2 in 1 sessions" in text
    assert "open to the end" in text
    assert re.search(r"sequence .*  connection 1 sid 1, expected \d+ got \d+", text)
    assert "12.0 s  connection 1" in text
    assert "not recorded nothing is left out" in text


def test_info_shows_what_a_recording_leaves_out(tmp_path: Path) -> None:
    script = Script().session(coverage=Coverage(control=False, sent=False, filtered=True)).ping()
    text = "\n".join(render.info_lines(summarize(script.tape(tmp_path / "tape"))))
    assert "(test, filtered)" in text
    assert "not recorded pings (a silence proves nothing), commands" in text
    assert "gaps         none" in text


def test_long_lists_are_cut_short_and_say_so(tmp_path: Path) -> None:
    script = Script().session()
    for number in range(1, 31):
        script.opened(number).ping(number)
    lines = list(render.info_lines(summarize(script.tape(tmp_path / "tape"))))
    assert "  ... and 10 more (--json lists all)" in lines


def test_a_gap_that_is_open_says_so(tmp_path: Path) -> None:
    script = Script().session().opened().subscribed().snapshot("KXTEST-A", [("0.4000", "1.00")], [])
    script.skip().delta("KXTEST-A", "yes", "0.4000", "1.00")
    assert any("still open" in line for line in render.info_lines(summarize(script.tape(tmp_path / "tape"))))


def test_a_replay_shows_digests_counts_and_speed() -> None:
    text = "\n".join(render.run_lines(a_run()))
    for words in ("12 records, 10 frames by the path bytes", "20 frames a second", "no_snapshot 1,234", "aa", "bb"):
        assert words in text


def test_two_paths_that_agree_or_part(tmp_path: Path) -> None:
    equal = compare(story(rounds=2).tape(tmp_path / "tape"), Span())
    assert "the same state throughout" in "\n".join(render.comparison_lines(equal))
    parted = Comparison(equal=False, by_bytes=a_run(), by_columns=a_run("columns"), first_seq=8, last_seq=15)
    assert "records 8 to 15" in "\n".join(render.comparison_lines(parted))


def test_a_ladder_has_offers_above_bids_and_the_spread_between() -> None:
    book = BookAt(START_NS, "M", True, ((4000, 100), (4550, 250)), ((5000, 700), (5100, 5)))
    lines = list(render.book_lines(book))
    assert lines[0] == "M  at 2026-08-11T01:00:00.000Z  trusted"
    cells = [line.split() for line in lines[2:]]
    assert cells == [
        ["0.5000", "7.00", "0.5000"],
        ["0.5100", "0.05", "0.4900"],
        ["spread", "0.0350"],
        ["0.4550", "2.50"],
        ["0.4000", "1.00"],
    ]


def test_a_ladder_may_be_empty_crossed_one_sided_or_untrusted() -> None:
    def text(yes: tuple[tuple[int, int], ...], no: tuple[tuple[int, int], ...], trusted: bool = True) -> str:
        return "\n".join(render.book_lines(BookAt(START_NS, "M", trusted, yes, no)))

    assert "nobody bids" in text((), ())
    assert "crossed" in text(((6000, 1),), ((5000, 1),))
    assert "one side" in text(((6000, 1),), ())
    assert "NOT TRUSTED" in text(((6000, 1),), (), False)


def test_a_deep_ladder_shows_its_best_levels_and_counts_the_rest() -> None:
    levels = tuple((price, 100) for price in range(1000, 2500, 100))
    text = "\n".join(render.book_lines(BookAt(START_NS, "M", True, levels, levels)))
    assert text.count("5 more levels") == 2
    assert "0.2400" in text
    assert "0.1000" not in text


def test_a_grid_says_where_it_is_and_what_it_spans() -> None:
    written = GridReport("g.parquet", 20, 10, 2, START_NS, START_NS + 9 * SECOND)
    assert "20 rows, 10 instants, 2 markets" in "\n".join(render.grid_lines(written))
    assert "no instant" in "\n".join(render.grid_lines(GridReport("g.parquet", 0, 0, 0, 0, 0)))


def test_problems_name_file_place_and_remedy() -> None:
    problem = Problem("data/x.parquet", "records 3 to 9", "is altered", "restore it from a copy")
    report = VerifyReport("t", False, (problem,), ("segment 4: pruned",), 2, 30, "unproven")
    lines = list(render.verify_lines(report))
    assert lines[0] == "DAMAGE  data/x.parquet, records 3 to 9: is altered; restore it from a copy"
    assert lines[1] == "note    segment 4: pruned"
    assert "NOT WHOLE, 1 problems" in lines[2]
    assert "ended: unproven" in lines[2]
    assert list(render.verify_lines(VerifyReport("t", True, (), (), 2, 30, "clean_stop"))) == [
        "t: whole; 2 segments, 30 records checked; ended: clean_stop"
    ]


def test_recovery_says_what_it_did_or_that_it_had_nothing_to_do() -> None:
    lines = list(render.recovery_lines(RecoveryReport("t", (), (), 2, 30, "clean_stop")))
    assert lines == ["nothing to do", "t: 30 records in 2 segments; ended: clean_stop"]
    lines = list(render.recovery_lines(RecoveryReport("t", ("did this",), ("lost that",), 2, 30, "gap")))
    assert lines[:2] == ["did this", "LOST    lost that"]


def test_rebuild_cut_and_export_say_what_they_left_out(tmp_path: Path) -> None:
    assert len(list(render.rebuild_lines(RebuildReport("t", 4, 1, 0, 100, 90)))) == 1
    assert "2 archived or pruned" in list(render.rebuild_lines(RebuildReport("t", 4, 1, 2, 100, 90)))[1]
    tape = story().tape(tmp_path / "tape")
    report = cut(tape, tmp_path / "cut", Selection(markets=("KXTEST-B",)))
    text = "\n".join(render.cut_lines(report))
    assert f"left out {report.dropped:,} frames of other markets" in text
    assert "from the beginning of a session" in text
    skipped = ExportReport("x", 5, 4, 3, {"TICK": 2})
    assert "2 TICK" in "\n".join(render.export_lines(skipped))


def test_every_line_of_a_replay_is_short_enough_for_a_terminal(tmp_path: Path) -> None:
    result = run(story().tape(tmp_path / "tape"), "bytes", Span())
    assert max(len(line) for line in render.run_lines(result)) <= 100


def test_an_export_says_what_is_not_as_on_the_tape() -> None:
    report = Exported(
        out="x", format="csv", files=2, markets=1, rows={"deltas": 1_000, "trades": 0}, left_out={"tickers": 3},
        changed={"exchange times after receipt: ours instead": 2}, doubted={"deltas refused": 1},
        clock_ahead_ns=285_000_000,
    )  # fmt: skip
    assert list(render.exported_lines(report)) == [
        "wrote     x: csv, 2 files, markets: 1",
        "rows      deltas 1,000",
        "clocks    the exchange's was ahead by 285 ms: taken from its times",
        "left out  3  tickers",
        "changed   2  exchange times after receipt: ours instead",
        "doubted   1  deltas refused",
    ]
