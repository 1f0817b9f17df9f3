"""The report on the command line: of a true backtest, by both ways, and what is refused."""

import json
from pathlib import Path

import pytest
from backtest_sample import walk
from typer.testing import CliRunner, Result

import tapedeck

TRADER = "pupils:Quoter"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(tapedeck.app, [*map(str, arguments)])


@pytest.fixture(name="place", scope="module")
def _place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("cli-report")
    walk(30).tape(place / "tape")
    supposed = ("--fees", "quadratic:1", "--ticks", "linear_cent")
    out = ("--out", place / "result", "--report", place / "at-once.html")
    done = run("backtest", TRADER, "--tape", place / "tape", "--market", "*", *supposed, *out)
    assert done.exit_code == 0, done.output
    return place


def test_a_backtest_makes_its_report_at_once_or_later(place: Path) -> None:
    done = run("report", place / "result", "--out", place / "later.html")
    assert done.exit_code == 0, done.output
    assert "charts of 2 markets" in done.output
    assert (place / "later.html").read_text("utf-8") == (place / "at-once.html").read_text("utf-8")


def test_without_its_tape_a_report_is_made_and_says_so(place: Path) -> None:
    done = run("report", place / "result", "--out", place / "bare.html", "--tape", place / "moved")
    assert done.exit_code == 0, done.output
    assert "the tape could not be read" in done.output


def test_a_page_that_cannot_be_written_and_a_result_that_is_none_are_refused(place: Path) -> None:
    for arguments, why in (
        ((place / "result", "--out", place), "is a directory"),
        ((place / "result", "--out", place / "none" / "page.html"), "there is no directory"),
        ((place / "tape", "--out", place / "page.html"), "is no result of a backtest"),
        ((place / "result", "--out", place / "page.html", "-t", "a", "-t", "b"), "given 2 times"),
    ):
        done = run("report", *arguments)
        assert done.exception is not None
        assert why in str(done.exception)
    assert not (place / "page.html").exists()


def test_charts_as_pictures_lie_where_they_are_wanted(place: Path) -> None:
    pytest.importorskip("matplotlib")
    done = run("report", place / "result", "--out", place / "with.html", "--png", place / "png", "--json")
    assert done.exit_code == 0, done.output
    named = json.loads(done.output)["pictures"]
    assert sorted(named) == sorted(map(str, (place / "png").iterdir()))
    assert len(named) == 4


def test_pictures_that_cannot_be_drawn_are_refused_before_any_work(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backtest = ("backtest", TRADER, "--tape", place / "tape")
    for arguments, why in (
        ((*backtest, "--png", place / "none"), "--png is of a page"),
        ((*backtest, "--report", place / "more.html", "--png", place / "at-once.html"), "is no directory"),
    ):
        assert why in str(run(*arguments).exception)
    monkeypatch.setattr("replay.report.pictures.find_spec", lambda _: None)
    refused = run("report", place / "result", "--out", place / "more.html", "--png", place / "none")
    assert "matplotlib, which is not installed" in str(refused.exception)
    assert not (place / "more.html").exists() and not (place / "none").exists()
