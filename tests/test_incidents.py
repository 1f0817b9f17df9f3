"""The incidents in data/fixtures/incidents: each fails on code that is broken as it says, and passes on the right one.

How they were made, and what must hold of each meanwhile, is in `incident_making`; a slow test makes all of them anew.
"""

import hashlib
import shutil
from pathlib import Path
from typing import Final

import msgspec
import pytest
from fixture_tapes import FIXTURES, fixture_tape
from hunting import everything, private_values, remains, remains_in
from incident_cases import CASES, Case
from incident_check import first_difference
from incident_making import SEED, make
from shrinking import here

from capture.tape.reader import Tape
from capture.tape.verify import verify
from core.records import Record
from replay.cut import Selection, around
from replay.exchange.ids import CountingIds
from replay.fixture.about import About, Origin
from replay.fixture.making import Privacy, cut_fixture
from replay.fixture.shrink import shrink

INCIDENTS: Final = FIXTURES / "incidents"
BY_NAME: Final = {case.name: case for case in CASES}
NAMES: Final = sorted(path.parent.name for path in INCIDENTS.glob("*/about.json"))
IDS: Final = 3_000
"""Ids that the sandbox gave out first: more than any of these runs took."""

EACH: Final = pytest.mark.parametrize("name", NAMES)


def about(name: str) -> About:
    return msgspec.json.decode((INCIDENTS / name / "about.json").read_bytes(), type=About)


def given_out() -> set[str]:
    """The ids of orders, trades, fills and markets of that sandbox."""
    give = CountingIds(SEED)
    return {give() for _ in range(IDS)}


def test_there_are_thirty_incidents_and_each_is_one_of_those_that_are_made() -> None:
    assert len(NAMES) >= 30
    assert set(NAMES) <= set(BY_NAME)
    kinds = {name: BY_NAME[name].faults[0].partition(",value=")[0] for name in NAMES}
    assert [name for name, kind in kinds.items() if f"--fault {kind}" not in about(name).source] == []


@EACH
def test_an_incident_fails_on_the_broken_code_and_passes_on_the_right_one(name: str) -> None:
    records = list(Tape.open(INCIDENTS / name / "tape").records())
    shrunk = about(name).shrunk
    assert shrunk is not None and BY_NAME[name].breakage in shrunk.check
    assert first_difference(records, "none") == ""
    assert first_difference(records, BY_NAME[name].breakage) != ""
    assert shrunk.minimal and len(records) < shrunk.records


@EACH
def test_an_incident_was_not_edited_and_is_whole(name: str, tmp_path: Path) -> None:
    told, tape = about(name), INCIDENTS / name / "tape"
    files = {path.relative_to(tape).as_posix(): path.read_bytes() for path in tape.rglob("*") if path.is_file()}
    assert {file: hashlib.sha256(text).hexdigest() for file, text in files.items()} == told.sha256
    report = verify(shutil.copytree(tape, tmp_path / "tape"), deep=True)
    assert report.whole, report.problems
    assert told.scrubbed is not None and told.scrubbed.ids


def test_no_incident_holds_an_id_that_the_sandbox_gave_out() -> None:
    ids, texts = given_out(), everything(INCIDENTS)
    assert remains_in(ids, texts) == []
    planted = {**texts, "planted": b"xx" + sorted(ids)[7].replace("-", "").upper().encode()}
    assert len(remains_in(ids, planted)) == 1


def test_an_incident_is_cut_scrubbed_and_shrunk(tmp_path: Path) -> None:
    run = fixture_tape("run-1", tmp_path)
    broken = "lost-connection-trusted"

    def fault(records: list[Record]) -> bool:
        return ": trust: " in first_difference(records, broken)

    seq = int(first_difference(run.records(), broken).split(":")[0].removeprefix("record "))
    span = around(run, seq, 100_000_000, 100_000_000)
    origin = Origin(origin="recorded", source="cut from run-1", proves="a lost connection", command="")
    cut_fixture(run, tmp_path / "cut", Selection(*span), origin, privacy=Privacy())
    report = shrink(Tape.open(tmp_path / "cut" / "tape"), tmp_path / "small", here(fault))
    assert report.minimal and report.records <= 5 < report.before
    made = list(Tape.open(tmp_path / "small" / "tape").records())
    assert fault(made) and first_difference(made, "none") == ""
    assert remains(private_values(run), tmp_path / "small") == []


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_incident_is_made_anew_by_the_commands(case: Case, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    made = make(case, tmp_path / "made", tmp_path / "out")  # raises where something does not hold
    assert made.shrunk["records"] < made.shrunk["before"]
    assert len(given_out() & private_values(Tape.open(made.tape))) > 20  # so those are what a default test looks for
