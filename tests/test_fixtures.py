"""The tapes in data/fixtures still say what they said when they were made, whatever became of the code."""

import hashlib
import shutil
from pathlib import Path
from typing import Final

import msgspec
import pytest

from capture.tape.recovery import recover
from capture.tape.verify import verify
from core.state import STATE_VERSION
from replay import Player, open_tape
from replay.exporter import export_jsonl
from replay.fixture.about import About
from replay.parity import judge
from replay.run import Span, run
from replay.summary import summarize

FIXTURES: Final = Path(__file__).resolve().parents[1] / "data" / "fixtures"
NAMES: Final = sorted(path.parent.name for path in FIXTURES.glob("*/about.json"))
LATER_STATES: Final = {
    "hot-1": "f032ce74eaf86b0b282873cd22bd9039139c8116fc58892554b0e5a81cebf3b3",
    "imported-1": "71b6c1d3cffd7baeac14ec4631784ed6ecd89c09c52263883830520028ef7849",
    "sandbox-1": "7665fe90163dbb2306b386b7ae0946e00ca634aac2ba7ca9ab72ad874500b67c",
}
"""State digests by state version 2, of fixtures made by version 1: what is in about.json is never edited."""

EACH: Final = pytest.mark.parametrize("name", NAMES)


def about(name: str) -> About:
    return msgspec.json.decode((FIXTURES / name / "about.json").read_bytes(), type=About)


@pytest.fixture
def tape(name: str, tmp_path: Path) -> Path:
    """A copy of the fixture's tape, so that no test can touch the evidence; git has kept no empty directory of it."""
    return Path(shutil.copytree(FIXTURES / name / "tape", tmp_path / "tape"))


def test_there_are_fixtures_and_each_is_listed() -> None:
    readme = (FIXTURES / "README.md").read_text(encoding="utf-8")
    assert NAMES
    assert [name for name in NAMES if f"| `{name}` |" not in readme] == []


@EACH
def test_a_fixture_was_not_edited(name: str) -> None:
    files = [path for path in sorted((FIXTURES / name / "tape").rglob("*")) if path.is_file()]
    tape = FIXTURES / name / "tape"
    found = {path.relative_to(tape).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    assert found == about(name).sha256


@EACH
@pytest.mark.parametrize("path", ["bytes", "columns"])
def test_a_fixture_replays_as_it_did(name: str, path: str, tape: Path) -> None:
    expected = about(name)
    player = Player(open_tape(tape), path)
    player.advance()
    assert (player.engine.counts.records, player.engine.counts.frames) == (expected.records, expected.frames)
    assert run(open_tape(tape), path, Span()).decision_digest == expected.decision_digest
    is_of_now = expected.state_version == STATE_VERSION
    assert player.state_digest() == (expected.state_digest if is_of_now else LATER_STATES[name])


@pytest.mark.parametrize(("name", "path"), [("run-1", "bytes"), ("run-1", "columns")])
def test_a_recorded_run_still_decides_as_it_did(path: str, tape: Path) -> None:
    found = judge(open_tape(tape), path)
    assert found.equal, found.first_difference
    assert (found.decisions, found.sessions, found.unjudged, found.notes) == (78, 1, 0, ())


@EACH
def test_a_fixture_holds_the_gaps_it_held(name: str, tape: Path) -> None:
    found = summarize(open_tape(tape))
    assert [gap["reason"] for gap in found.gaps] == list(about(name).gaps)
    assert found.ended == about(name).ended
    assert found.malformed == found.unknown == {}


@EACH
def test_a_fixture_verifies_deeply_once_its_end_is_on_record(name: str, tape: Path) -> None:
    if about(name).ended == "unproven":
        assert not verify(tape).whole
        recover(tape)
    report = verify(tape, deep=True)
    assert report.whole, report.problems


@EACH
def test_a_fixture_exports_what_was_imported(name: str, tape: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    export_jsonl(open_tape(tape), out)
    expected = about(name).export_sha256
    assert not expected or hashlib.sha256(out.read_bytes()).hexdigest() == expected
