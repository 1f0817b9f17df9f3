"""Shrinking: the smallest tape that still fails, the same one after a kill, and only for the failure that is hunted."""

import ast
import importlib.util
import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from fixture_tapes import fixture_tape
from sample_tapes import Script, story
from shrinking import LONG, Fault, here

from capture.tape.errors import TapeError
from capture.tape.reader import Tape
from capture.tape.verify import verify
from core.engine import Engine
from core.errors import ConfigError
from core.records import Kind, Record
from replay.cut import Selection
from replay.fixture.about import About, Origin, Shrunk, digests
from replay.fixture.check import Check
from replay.fixture.held import write_test
from replay.fixture.making import Privacy, cut_fixture
from replay.fixture.shrink import Limits, shrink


def folded(records: list[Record]) -> Engine:
    engine = Engine()
    for record in records:
        engine.step(record)
    return engine


def rejects(reason: str) -> Fault:
    """Whether a frame is refused for this."""
    return lambda records: reason in folded(records).counts.rejected


def twice(rounds: int = 6) -> Script:
    """Some frames, one of them received twice."""
    script = story(rounds=rounds)
    again = next(r for r in reversed(script.records) if r.kind == Kind.FRAME)
    script.records.insert(-1, again)
    script.records = [Record(n, *fields(record)) for n, record in enumerate(script.records)]
    return script


def fields(record: Record) -> tuple[int, int, int, int, bytes]:
    return record.at_ns, record.mono_ns, record.connection, record.kind, record.payload


def test_of_a_tape_with_a_repeated_frame_the_frame_and_its_repetition_are_left(tmp_path: Path) -> None:
    tape = twice().tape(tmp_path / "tape")
    report = shrink(tape, tmp_path / "small", here(rejects("out_of_order")), proves="a frame comes twice", command="x")
    made = list(Tape.open(tmp_path / "small" / "tape").records())
    assert [record.kind for record in made] == [Kind.SESSION, Kind.FRAME, Kind.FRAME, Kind.CLEAN_STOP]
    assert made[1].payload == made[2].payload
    assert (report.records, report.before, report.minimal, report.fails) == (4, tape.head_seq + 1, True, True)
    assert verify(tmp_path / "small" / "tape", deep=True).whole
    about = json.loads((tmp_path / "small" / "about.json").read_bytes())
    assert about["shrunk"] == {
        "check": "a check of {tape}", "code": 1, "records": report.before, "tries": report.tries, "minimal": True,
    }  # fmt: skip
    assert (about["proves"], about["records"], about["frames"]) == ("a frame comes twice", 4, 2)
    assert about["sha256"] == digests(tmp_path / "small" / "tape")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small", "tape"]


@pytest.mark.parametrize("reason", ["negative_size", "not_owner", "no_snapshot", "duplicate_trade"])
def test_no_single_record_of_what_is_left_can_go(tmp_path: Path, reason: str) -> None:
    odd = Script().session().opened().opened(2).subscribed(1).subscribed(1, connection=2).subscribed(2, "trade")
    odd.snapshot("KXTEST-A", [("0.4000", "9.00")], []).snapshot("KXTEST-B", [("0.3000", "9.00")], [])
    for turn in range(12):
        odd.delta("KXTEST-A", "yes", f"0.4{turn:03}", "1.00").trade("KXTEST-B", "0.3000", "1.00")
    odd.delta("KXTEST-A", "yes", "0.4000", "-900.00").delta("KXTEST-C", "yes", "0.4000", "1.00", connection=2)
    odd.delta("KXTEST-B", "yes", "0.4000", "1.00", connection=2).ping()
    again = next(record for record in odd.records if b"trade_id" in record.payload)
    odd.put(Kind.FRAME, again.payload.replace(b'"seq":1', b'"seq":13'), 1).stop()
    fault = rejects(reason)
    assert fault(odd.records)
    report = shrink(odd.tape(tmp_path / "tape"), tmp_path / "small", here(fault))
    made = list(Tape.open(tmp_path / "small" / "tape").records())
    assert report.minimal and len(made) <= 7
    for absent in range(1, len(made)):
        rest = [record for record in made if record.seq != absent]
        if made[absent].kind != Kind.CLEAN_STOP:
            assert not fault([Record(n, *fields(record)) for n, record in enumerate(rest)]), absent


def test_a_hunt_that_was_killed_goes_on_and_ends_as_one_that_was_not(tmp_path: Path) -> None:
    tape = twice().tape(tmp_path / "tape")
    fault = rejects("out_of_order")
    whole = here(fault)
    shrink(tape, tmp_path / "whole", whole)
    with pytest.raises(KeyboardInterrupt):
        shrink(tape, tmp_path / "killed", here(fault, dies_after=12))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed.tries", "tape", "whole"]
    with (tmp_path / "killed.tries").open("a") as torn:
        torn.write('{"try":"0123')
    rest = here(fault)
    report = shrink(tape, tmp_path / "killed", rest)
    assert report.remembered == 10  # of twelve, two were of the whole tape, to see that it fails
    assert len(rest.asked) == len(whole.asked) - 10
    assert digests(tmp_path / "killed" / "tape") == digests(tmp_path / "whole" / "tape")
    assert not (tmp_path / "killed.tries").exists()


def test_another_failure_is_not_taken_for_the_one_that_is_hunted(tmp_path: Path) -> None:
    tape, fault = twice().tape(tmp_path / "tape"), rejects("out_of_order")
    check = here(lambda records: (1 if len(records) >= 17 else 2) if fault(records) else 0)
    report = shrink(tape, tmp_path / "small", check)
    assert (report.code, report.records, report.minimal) == (1, 17, True)


def test_a_check_that_a_signal_ends_now_and_then_is_asked_again(tmp_path: Path) -> None:
    tape, fault, aborted = twice().tape(tmp_path / "tape"), rejects("out_of_order"), list[int]()

    def aborting(records: list[Record]) -> int:
        aborted.append(0)
        return 134 if len(aborted) % 3 == 0 else int(bool(fault(records)))

    report = shrink(tape, tmp_path / "small", here(aborting))
    assert (report.code, report.records, report.minimal) == (1, 4, True)
    always = shrink(tape, tmp_path / "other", here(lambda records: 134 if fault(records) else 0))
    assert (always.code, always.records) == (134, 4)


def test_answers_of_another_check_or_tape_are_not_taken_over(tmp_path: Path) -> None:
    fault = rejects("out_of_order")
    tape, other = twice().tape(tmp_path / "tape"), twice(5).tape(tmp_path / "other")
    with pytest.raises(KeyboardInterrupt):
        shrink(tape, tmp_path / "small", here(fault, dies_after=9))
    left = (tmp_path / "small.tries").read_bytes()
    for found, name in ((tape, "another check"), (other, "a check")):
        (tmp_path / "small.tries").write_bytes(left)
        assert shrink(found, tmp_path / "small", here(fault, name=name)).remembered == 0
        shutil.rmtree(tmp_path / "small")


def test_when_tries_run_out_what_is_left_still_fails_and_says_so(tmp_path: Path) -> None:
    check = here(rejects("out_of_order"))
    report = shrink(twice().tape(tmp_path / "tape"), tmp_path / "small", check, limits=Limits(tries=8))
    assert (report.tries, report.minimal) == (8, False)
    assert 4 < report.records < report.before
    assert json.loads((tmp_path / "small" / "about.json").read_bytes())["shrunk"]["minimal"] is False
    none = shrink(Tape.open(tmp_path / "tape"), tmp_path / "none", check, limits=Limits(span_s=0))
    assert (none.tries, none.minimal, none.records) == (0, False, none.before)


def test_a_check_that_passes_leaves_nothing_behind(tmp_path: Path) -> None:
    report = shrink(story(rounds=2).tape(tmp_path / "tape"), tmp_path / "small", here(rejects("out_of_order")))
    assert (report.fails, report.code, report.tries) == (False, 0, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["tape"]


def test_a_check_that_depends_on_more_than_the_tape_is_refused(tmp_path: Path) -> None:
    tape = story(rounds=2).tape(tmp_path / "tape")
    asked: Counter[str] = Counter()

    def at_first(times: int) -> Fault:
        def fault(_: list[Record]) -> bool:
            asked[str(times)] += 1
            return asked[str(times)] <= times

        return fault

    for times, words in ((1, "not the same twice: exit 1, then exit 0"), (2, "not on the same records written anew")):
        with pytest.raises(ConfigError, match=words):
            shrink(tape, tmp_path / "small", here(at_first(times)))
    with pytest.raises(ConfigError, match="now does not"):
        shrink(tape, tmp_path / "small", here(at_first(3)), limits=Limits(tries=1))
    assert not (tmp_path / "small").exists()


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    tape = story(rounds=2).tape(tmp_path / "tape")
    for out, test in ((tmp_path / "tape", None), (tmp_path / "small", tmp_path / "tape")):
        with pytest.raises(TapeError, match="exists already"):
            shrink(tape, out, here(len), test=test)
    assert not (tmp_path / "small").exists()


def test_a_shrunk_fixture_says_what_the_one_before_it_said(tmp_path: Path) -> None:
    run = fixture_tape("run-1", tmp_path)
    origin = Origin(origin="recorded", source="cut from monday", proves="it is told", command="")
    times = [record.at_ns for record in run.records()]
    cut_fixture(run, tmp_path / "cut", Selection(times[600], times[640]), origin, privacy=Privacy())
    has_fill = here(lambda records: any(record.kind == Kind.REST for record in records) or len(records) > 30)
    report = shrink(Tape.open(tmp_path / "cut" / "tape"), tmp_path / "small", has_fill, limits=Limits(tries=3))
    about = json.loads((tmp_path / "small" / "about.json").read_bytes())
    assert about["source"] == "shrunk from cut (cut from monday)"
    assert about["scrubbed"] == {"ids": True, "sizes": False} and report.scrubbed
    assert about["proves"] == "it is told"
    plain = shrink(run, tmp_path / "plain", has_fill, limits=Limits(tries=1))
    told = json.loads((tmp_path / "plain" / "about.json").read_bytes())
    assert (told["proves"], told["source"]) == ("a failure of a check of {tape}", "shrunk from run-1")
    assert not plain.scrubbed


def run_test(file: Path, place: Path) -> None:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    place.mkdir()
    module.test_small_tape(place)


def test_the_written_test_fails_until_the_check_passes(tmp_path: Path) -> None:
    (tmp_path / "least").write_text("6")
    text = LONG.format(least="$(cat least)")
    tape = story(rounds=8).tape(tmp_path / "tape")
    report = shrink(
        tape, tmp_path / "small-tape", Check(text, r"^\d+", str(tmp_path)), test=tmp_path / "t" / "test_it.py"
    )
    assert (report.records, report.said) == (6, str(tape.head_seq + 1))
    with pytest.raises(AssertionError, match="ended with 1"):
        run_test(tmp_path / "t" / "test_it.py", tmp_path / "broken")
    (tmp_path / "least").write_text("7")
    run_test(tmp_path / "t" / "test_it.py", tmp_path / "right")
    compile((tmp_path / "t" / "test_it.py").read_text(), "test_it.py", "exec")
    assert str(tmp_path) not in (tmp_path / "t" / "test_it.py").read_text()


@pytest.mark.parametrize("words", ['"""\nimport nothing_at_all', "\\d+ \\N", 'ends with "', "\\"])
def test_a_test_is_python_whatever_words_the_check_is_known_by(tmp_path: Path, words: str) -> None:
    shrunk = Shrunk(check="false {tape}", code=1, records=9, tries=3, minimal=True, match=words)
    about = About(
        origin="recorded", source="made", proves=words, format=1, schema=1, records=2, frames=1, gaps=(), ended="",
        state_version=0, state_digest="", decision_digest="", sha256={}, shrunk=shrunk,
    )  # fmt: skip
    write_test(tmp_path / "test_made.py", tmp_path / "made" / "tape", Check("false {tape}"), about)
    first, *rest = ast.parse((tmp_path / "test_made.py").read_text()).body
    assert isinstance(first, ast.Expr) and "Written by `tapedeck shrink`" in ast.unparse(first)
    assert not any("nothing_at_all" in ast.unparse(node) for node in rest)
