"""The benchmarks run: their figures are not looked at here."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from benchmarks import __main__ as everything
from benchmarks import deep, engines, measure, page, prepare, rooms, workload
from benchmarks.job import EVERY, Seen
from benchmarks.prepare import LAST, LEVEL, SNAPSHOT, Rows, units
from replay.synthetic import Plan, recording

ROOT: Final = Path(__file__).resolve().parents[1]


def test_repetitions_take_turns_and_give_medians() -> None:
    order: list[str] = []
    cases = {"a": lambda: order.append("a"), "b": lambda: order.append("b")}
    took = measure.interleaved(cases, 3)
    assert order == ["a", "b"] * 3
    assert took.keys() == cases.keys()
    assert all(0 <= seconds < 1 for seconds in took.values())


def test_a_table_is_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    measure.show("Sizes", ("what", "bytes"), [["tape", "9"], ["a recording", "1,000"]], ["a note"])
    assert capsys.readouterr().out == (
        "\nSizes\n  what         bytes\n  tape             9\n  a recording  1,000\n  a note\n"
    )


def test_the_facts_name_the_versions_and_not_the_machine() -> None:
    facts = measure.facts()
    assert "pyarrow" in facts
    assert "cores" in facts


def test_figures_replace_those_of_the_same_benchmark_and_no_others() -> None:
    before = "# A\n<!-- begin x -->\nold\n<!-- end x -->\n<!-- begin y -->\nother\n<!-- end y -->\n"
    after = page.put(before, "x", "new\n")
    assert after == before.replace("old", "```text\nnew\n```")
    assert page.put(after, "x", "new") == after
    with pytest.raises(ValueError, match="'z'"):
        page.put(before, "z", "new")


def test_the_page_has_a_place_for_every_benchmark() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert [name for name in everything.ALL if page.put(text, name, "figures") == text] == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--help"], 0, "of comparison, scaling, "),
        (["memry"], 2, "no benchmark 'memry'; there are comparison, "),
        (["--rounds", "2"], 2, "--rounds=N"),
        (["--rounds=0"], 2, "N at least 1"),
        (["--wirte"], 2, "--wirte"),
    ],
)
def test_words_that_are_no_benchmark_run_none(
    words: list[str], code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", *words])
    monkeypatch.setattr(everything, "run", lambda *asked: pytest.fail(f"ran {asked}"))
    with pytest.raises(SystemExit) as ended:
        everything.main()
    assert ended.value.code == code
    out, err = capsys.readouterr()
    assert said in " ".join((out + err).split())


def test_decimals_become_units_and_are_never_rounded() -> None:
    assert [units(text, 4) for text in ("0.5600", "0.56", "1", "0.0001")] == [5_600, 5_600, 10_000, 1]
    assert units("-12.50", 2) == -1_250
    assert units("-0.50", 2) == -50
    with pytest.raises(ValueError, match=r"0\.12345"):
        units("0.12345", 4)


def test_frames_become_rows_and_what_must_be_seen() -> None:
    rows = Rows()
    levels = {"yes_dollars_fp": [["0.4000", "5.00"]], "no_dollars_fp": [["0.5900", "7.00"]]}
    rows.frame(7, {"type": "orderbook_snapshot", "msg": {"market_ticker": "A", **levels}})
    change = {"market_ticker": "A", "side": "no", "price_dollars": "0.5900", "delta_fp": "-7.00"}
    rows.frame(7, {"type": "orderbook_delta", "msg": change})
    assert [row[0] for row in rows.rows] == [7, 7, 7, 8]
    assert rows.rows[2:] == [
        (7, LEVEL, 0, 0, SNAPSHOT | LAST, 4_100, 700, 0, 0),
        (8, LEVEL, 0, 0, LAST, 4_100, 0, 0, 0),
    ]
    assert rows.seen == Seen(books=2, bids=8_000, tight=1, changes=2, top_bids=8_000)


def test_books_of_the_made_frames_stay_as_they_began() -> None:
    rows = Rows()
    for event in recording(Plan(frames=20_000, markets=3)):
        if event.frame is not None:
            rows.frame(event.at_ns, json.loads(event.frame))
    assert 0.15 < rows.seen.changes / rows.seen.books < 0.4
    assert rows.seen.tight / rows.seen.books > 0.2


@pytest.mark.parametrize("levels", [1, 300])
def test_deep_books_are_about_as_deep_as_is_wanted(levels: int) -> None:
    rows = Rows()
    for number, frame in enumerate(deep.frames(4_000, levels)):
        rows.frame(number, json.loads(frame))
    assert len(rows.markets) == deep.MARKETS
    assert sum(row[4] & SNAPSHOT == SNAPSHOT for row in rows.rows) == deep.MARKETS * (2 * levels + 1)
    assert min(row[6] for row in rows.rows) == 0


def test_a_peer_that_cannot_be_had_gives_its_reason(tmp_path: Path) -> None:
    with pytest.raises(rooms.Missing, match=r"no Python 9\.9 or newer"):
        rooms.python_in(rooms.Room("nothing", (), (9, 9)))
    source = tmp_path / "wrong.cpp"
    source.write_text("this is no C++", encoding="utf-8")
    with pytest.raises(rooms.Missing, match=r"cannot be compiled|no C"):
        rooms.program(source, tmp_path)


@pytest.mark.integration
def test_a_checksum_that_is_not_the_expected_one_is_told(tmp_path: Path) -> None:
    prepare.made(tmp_path / "made", lambda path: deep.write_deep(path, 500, 5), for_peers=True)
    right = workload.load(tmp_path / "made", "made")
    wrong = dataclasses.replace(right, expected=dataclasses.replace(right.expected, bids=right.expected.bids + 1))
    for name in (engines.OURS, engines.BY_BYTES, engines.LOOP):
        engine = next(engine for engine in engines.ENGINES if engine.name == name)
        assert engine.run(right, EVERY).wrong == ()
        assert engine.run(wrong, EVERY).wrong == ("bids",)


@pytest.mark.integration
@pytest.mark.parametrize(
    "name",
    [
        "comparison",
        "scaling",
        "stages",
        "queries",
        "storage",
        "import_speed",
        "replay_speed",
        "byte_path",
        "parallel",
        pytest.param("memory", marks=pytest.mark.slow),
        "capture_speed",
        "sealing_speed",
        pytest.param("view_speed", marks=pytest.mark.slow),
    ],
)
def test_a_benchmark_runs(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", name], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 5
