"""`tapedeck shrink` on the command line: what it makes and says, and what it refuses."""

import json
import re
from pathlib import Path

import pytest
from console import Cli, console
from sample_tapes import story
from shrinking import LONG


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    monkeypatch.chdir(tmp_path)
    return console(capsys, monkeypatch)


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    return story(rounds=4).tape(tmp_path / "tape").path


def test_a_fixture_and_a_test_are_made_and_it_says_how_much_is_left(cli: Cli, tape: Path, tmp_path: Path) -> None:
    options = ("--check", LONG.format(least=5), "--out", "small", "--test", "tests/test_small.py", "--proves", "five")
    ran = cli("shrink", tape, *options)
    assert ran.code == 0, ran.err
    assert re.search(r"^small: 5 records left of 37, in \d+ tries$", ran.out, re.MULTILINE)
    assert "no longer does without any one part" in ran.out and "not scrubbed" in ran.out
    assert (tmp_path / "tests" / "test_small.py").is_file()
    about = json.loads((tmp_path / "small" / "about.json").read_bytes())
    assert about["proves"] == "five" and about["shrunk"]["minimal"]
    assert about["command"].startswith("tapedeck shrink tape --check") and str(tmp_path) not in about["command"]
    assert cli("verify", "small/tape", "--deep").code == 0
    assert cli("shrink", "small/tape", "--check", LONG.format(least=5), "--out", "again", "--json").json["records"] == 5


def test_a_check_that_passes_is_a_no(cli: Cli, tape: Path, tmp_path: Path) -> None:
    for options, words in (
        ((LONG.format(least=99),), "the check passes (exit 0) on the whole tape"),
        ((LONG.format(least=5), "--match", "nothing like it"), "ends with 1, but does not say what --match wants"),
    ):
        ran = cli("shrink", tape, "--out", "small", "--check", *options)
        assert ran.code == 1 and words in ran.out
    assert [path.name for path in tmp_path.iterdir()] == ["tape"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--check", "true"), ("--check 'true' has no {tape}",)),
        (("--check", "{tape}", "--match", "["), ("--match '[' is no regular expression",)),
        (("--check", "no-such-check {tape}"), ("cannot be run (exit 127)", "no-such-check")),
        (("--check", "false {tape}", "--tries", "0"), ("--tries", "greater than or equal to 1")),
        (("--check", "false {tape}", "--for", "soon"), ("'soon' is not a duration",)),
        (("--check", "false {tape}", "--test", "tape"), ("tape: exists already",)),
        (("--check", "test -e seen && exit 0; touch seen; ls {tape}; exit 1"), ("same twice: exit 1, then exit 0",)),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(
    cli: Cli, tape: Path, tmp_path: Path, options: tuple[str, ...], words: tuple[str, ...]
) -> None:
    ran = cli("shrink", tape, "--out", "small", *options)
    said = re.sub(r"[\s│]+", " ", ran.err)
    assert (ran.code, ran.out) == (2, "")
    assert [word for word in words if word not in said] == [], said
    assert "Traceback" not in said
    assert not (tmp_path / "small").exists()


def test_no_tape_is_refused(cli: Cli) -> None:
    ran = cli("shrink", "absent", "--check", "false {tape}", "--out", "small")
    assert ran.code == 2 and "absent" in ran.err
