"""Fixtures are cut: the tape, what it says of itself, and pseudonyms by a key that is kept only where somebody asks."""

import hashlib
import json
from pathlib import Path

import pytest
from fixture_tapes import fixture_tape
from hunting import private_values, remains
from sample_tapes import story

from capture.tape.errors import DiskError, TapeError
from capture.tape.reader import Tape
from capture.tape.verify import verify
from replay.cut import Selection
from replay.fixture.about import Origin
from replay.fixture.making import Privacy, cut_fixture, cut_private, key_of

ORIGIN = Origin(origin="recorded", source="cut from run-1", proves="an order is filled", command="tapedeck cut run-1")
KEY = b"a key of sixteen bytes or more"


def payloads(tape: Path) -> list[bytes]:
    return [record.payload for record in Tape.open(tape).records()]


@pytest.fixture
def run(tmp_path: Path) -> Tape:
    return fixture_tape("run-1", tmp_path)


def test_a_fixture_says_what_it_is_and_holds_no_private_value(run: Tape, tmp_path: Path) -> None:
    times = [record.at_ns for record in run.records()]
    out = tmp_path / "fixture"
    report = cut_fixture(run, out, Selection(times[100], times[700]), ORIGIN, privacy=Privacy())
    about = json.loads((out / "about.json").read_bytes())
    files = [path for path in (out / "tape").rglob("*") if path.is_file()]
    assert {path.relative_to(out / "tape").as_posix() for path in files} == set(about["sha256"])
    for name, digest in about["sha256"].items():
        assert hashlib.sha256((out / "tape" / name).read_bytes()).hexdigest() == digest
    assert (about["records"], about["frames"]) == (report.records, report.frames)
    assert (about["proves"], about["command"]) == (ORIGIN.proves, ORIGIN.command)
    assert about["scrubbed"] == {"ids": True, "sizes": False}
    assert about["ended"] == "clean_stop" and about["gaps"] == []
    assert verify(out / "tape", deep=True).whole
    assert remains(private_values(run), out) == []


def test_the_same_key_gives_the_same_tape_and_none_another_each_time(run: Tape, tmp_path: Path) -> None:
    for name, key in (("a", KEY), ("b", KEY), ("c", b""), ("d", b"")):
        cut_private(run, tmp_path / name, Selection(), Privacy(key=key))
    a, b, c, d = (payloads(tmp_path / name) for name in "abcd")
    assert a == b
    assert a != c and c != d and a != payloads(run.path)
    assert Tape.open(tmp_path / "c").label.uuid != Tape.open(tmp_path / "d").label.uuid


def test_without_scrubbing_the_bytes_stay(run: Tape, tmp_path: Path) -> None:
    cut_private(run, tmp_path / "cut", Selection(), Privacy(scrub=False))
    assert payloads(tmp_path / "cut") == payloads(run.path)


def test_what_is_there_is_not_overwritten_and_nothing_is_left_of_what_cannot_be(tmp_path: Path) -> None:
    tape = story(rounds=2).tape(tmp_path / "tape")
    with pytest.raises(TapeError, match="exists already"):
        cut_fixture(tape, tmp_path / "tape", Selection(), ORIGIN, privacy=Privacy())
    with pytest.raises(TapeError, match="holds no record"):
        cut_fixture(tape, tmp_path / "late", Selection(2**62), ORIGIN, privacy=Privacy())
    assert not (tmp_path / "late" / "tape").exists()


def test_a_key_is_made_for_its_owner_alone_and_taken_again(tmp_path: Path) -> None:
    file = tmp_path / "key"
    key = key_of(file)
    assert len(key) == 32 and key_of(file) == key
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_key_that_is_none_is_refused_with_its_length(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"short")
    with pytest.raises(TapeError, match=r"holds 5 bytes; a key has 16 to 4096"):
        key_of(file)
    with pytest.raises(DiskError, match="cannot keep the key"):
        key_of(tmp_path / "absent" / "key")
    assert [path.name for path in tmp_path.iterdir()] == ["key"]
