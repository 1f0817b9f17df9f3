"""`tapedeck cut` on the command line: around a record, by connection, as a fixture; and what it refuses."""

import json
import re
from pathlib import Path

import pytest
from console import Cli, console
from fixture_tapes import fixture_tape
from hunting import private_values, remains

from capture.tape.reader import Tape
from core.records import Kind


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    return console(capsys, monkeypatch)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return fixture_tape("run-1", tmp_path).path


def test_around_a_record_is_a_fixture_without_private_values(cli: Cli, run: Path, tmp_path: Path) -> None:
    fill = next(r for r in Tape.open(run).records() if b'"type":"fill"' in r.payload)
    out = tmp_path / "fill"
    options = ("--around", fill.seq, "--before", "100ms", "--after", "200ms", "--proves", "a fill is told")
    report = cli("cut", run, *options, "--out", out, "--json").json
    assert report["carried"] and 20 < report["records"] < 300
    assert report["first_ns"] >= fill.at_ns - 150_000_000 and report["last_ns"] <= fill.at_ns + 250_000_000
    about = json.loads((out / "about.json").read_bytes())
    assert about["command"].startswith("tapedeck cut run-1 --around") and str(tmp_path) not in about["command"]
    assert remains(private_values(Tape.open(run)), out) == []
    assert cli("verify", out / "tape", "--deep").code == 0


def test_a_connection_alone(cli: Cli, run: Path, tmp_path: Path) -> None:
    assert cli("cut", run, "--connection", 2, "--out", tmp_path / "two").code == 0
    assert {record.connection for record in Tape.open(tmp_path / "two").records()} == {0, 2}


def test_a_plain_cut_keeps_its_bytes_and_a_scrubbed_one_gives_the_same_for_the_same_key(
    cli: Cli, run: Path, tmp_path: Path
) -> None:
    key = ("--scrub", "--key-file", tmp_path / "key")
    for name, options in (("plain", ()), ("one", key), ("two", key)):
        assert cli("cut", run, *options, "--out", tmp_path / name).code == 0
    texts = [[r.payload for r in Tape.open(tmp_path / name).records()] for name in ("plain", "one", "two")]
    assert texts[0] == [r.payload for r in Tape.open(run).records()]
    assert texts[1] == texts[2] != texts[0]
    fixture = (*("--proves", "nothing", "--no-scrub"), "--out", tmp_path / "open")
    assert cli("cut", run, *fixture).code == 0
    kept = [r.payload for r in Tape.open(tmp_path / "open" / "tape").records() if r.kind == Kind.FRAME]
    assert kept == [r.payload for r in Tape.open(run).records() if r.kind == Kind.FRAME]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--before", "5s"), ("--before and --after go with --around",)),
        (("--around", 5, "--from", "2026-11-27"), ("--around goes without --from",)),
        (("--around", 5, "--after", "soon"), ("'soon' is not a duration",)),
        (("--around", 99_999), ("holds no record 99999", "2238")),
        (("--around", -1), ("--around", "greater than or equal to 0")),
        (("--connection", 9), ("has no connection 9", "1, 2")),
        (("--key-file", "key"), ("--key-file goes with --scrub",)),
        (("--scrub", "--key-file", "absent/key"), ("absent/key",)),
        (("--scrub-sizes",), ("--scrub-sizes goes with --scrub",)),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(
    cli: Cli, run: Path, tmp_path: Path, options: tuple[object, ...], words: tuple[str, ...]
) -> None:
    ran = cli("cut", run, *options, "--out", tmp_path / "out")
    said = re.sub(r"[\s│]+", " ", ran.err)
    assert (ran.code, ran.out) == (2, "")
    assert [word for word in words if word not in said] == [], said
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()
