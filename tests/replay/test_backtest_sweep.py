"""Sweeps: points of grids and lists, rows that survive a kill, the best point and what it did on what was held out."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from trials import STRATEGIES, made_tape
from typer.testing import CliRunner

import tapedeck
from core.errors import ConfigError
from replay import synthetic
from replay.backtest import sweep
from replay.backtest.points import crossed, grid, honest_words, listed, name_of, ranked
from replay.backtest.run import backtest, strategy
from replay.backtest.shown import swept_lines
from replay.backtest.spans import DAY_NS
from replay.backtest.sweep import FIGURES, Swept, judge
from replay.venue.terms import VenueTerms

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tapes(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    place = tmp_path_factory.mktemp("sweep")
    later = synthetic.START_NS + 86_400 * 1_000_000_000
    return [
        str(made_tape(place, frames=1_500)), str(made_tape(place, frames=1_500, seed=6, start_ns=later)),
    ]  # fmt: skip


def words(tapes: list[str], out: Path, *more: str) -> list[str]:
    named = [word for tape in tapes for word in ("--tape", tape)]
    supposed = ["--fees", "quadratic:1", "--ticks", "linear_cent", "--out", str(out)]
    return ["sweep", f"{STRATEGIES}:Joiner", *named, *supposed, *more]


def run(*given: str) -> Any:
    return CliRunner().invoke(tapedeck.app, list(given))


def test_a_grid_is_every_combination_and_a_list_is_crossed_with_it(tmp_path: Path) -> None:
    assert grid(["a=1,2", "b=x"]) == [(("a", "1"), ("b", "x")), (("a", "2"), ("b", "x"))]
    file = tmp_path / "points.json"
    file.write_text('[{"c": 5, "d": true}, {"c": [1, 2]}]')
    points = listed(file)
    assert points == [(("c", "5"), ("d", "true")), (("c", "1,2"),)]
    assert len(crossed(grid(["a=1,2"]), points)) == 4
    assert crossed([], points) == points
    assert crossed([], []) == [()]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["a"], "write name=1,2,3"), (["a=1,,2"], "write name=1,2,3"), (["=1"], "write name=1,2,3"),
        (["a=1,1"], "names a value twice"), (["a=1", "a=2"], "a has values already"),
        ([f"p{n}=" + ",".join(map(str, range(10))) for n in range(6)], "1,000,000 points are more than 100,000"),
    ],
)  # fmt: skip
def test_a_grid_that_cannot_be_is_refused(given: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        grid(given)


def test_a_file_holds_grids_and_lists_as_json_or_toml(tmp_path: Path) -> None:
    told = {"grid": {"a": [1, True], "b": [[1, 2]]}, "points": [{"c": "x"}, {"c": 0.5}]}
    (tmp_path / "p").write_text(json.dumps(told))
    (tmp_path / "p.toml").write_text("""
[grid]
a = [1, true]
b = [[1, 2]]
[[points]]
c = "x"
[[points]]
c = 0.5
""")
    points = listed(tmp_path / "p")
    assert points == [
        (("c", c), ("a", a), ("b", "1,2")) for c in ("x", "0.5") for a in ("1", "true")
    ]  # fmt: skip
    assert listed(tmp_path / "p.toml") == points
    assert len(crossed(grid(["d=1,2"]), points)) == 8
    (tmp_path / "q.toml").write_text("grid = {a = [1, 2]}")
    assert listed(tmp_path / "q.toml") == [(("a", "1"),), (("a", "2"),)]


def test_lists_that_cannot_be_are_refused(tmp_path: Path) -> None:
    for name, text in (
        ("p", '{"points": 3}'), ("q", '{"point": []}'), ("r", "{"), ("s", "[3]"), ("t.toml", "a ="),
        ("u.toml", "points = 3"), ("v", '{"grid": {"a": 1}}'),
    ):  # fmt: skip
        (tmp_path / name).write_text(text)
        with pytest.raises(ConfigError, match="is neither a list of objects nor"):
            listed(tmp_path / name)
    with pytest.raises(ConfigError, match="is neither a list of objects nor"):
        listed(tmp_path / "none")
    for text, said in (("{}", "names no point"), ('{"grid": {"a": []}}', "a has no values")):
        (tmp_path / "p").write_text(text)
        with pytest.raises(ConfigError, match=said):
            listed(tmp_path / "p")
    with pytest.raises(ConfigError, match="sets a twice"):
        crossed([(("a", "1"),)], [(("a", "2"),)])
    with pytest.raises(ConfigError, match="is named twice"):
        crossed([], [(("a", "1"),), (("a", "1"),)])


def test_the_name_of_a_point_is_of_all_that_goes_in_and_of_no_order_of_keys() -> None:
    assert name_of({"a": 1, "b": [2]}) == name_of({"b": [2], "a": 1})
    assert name_of({"a": 1}) != name_of({"a": 2})


def row(point: int, part: str, pnl: int | None, problem: str = "") -> dict[str, Any]:
    return {**dict.fromkeys(FIGURES, 0), "point": point, "part": part, "set": {"a": str(point)}, "pnl": pnl,
            "problem": problem, "orders_hash": "x"}  # fmt: skip


def test_the_best_is_chosen_by_one_part_and_judged_by_the_other() -> None:
    rows = [row(0, "chosen_by", 5), row(0, "held_out", 100), row(1, "chosen_by", 9), row(1, "held_out", -7)]
    best, held_out = judge(rows, "pnl")
    assert best is not None
    assert held_out is not None
    assert (best["point"], held_out["pnl"]) == (1, -7)
    assert judge([row(0, "chosen_by", None, "failed")], "pnl") == (None, None)
    assert [one["point"] for one in ranked([row(2, "", 1), row(1, "", 1), row(3, "", None), row(0, "", 4)], "pnl")] == [
        0,
        1,
        2,
        3,
    ]
    assert "luckiest of 40" in honest_words(40)
    assert "one point was tried" in honest_words(1)


def test_nothing_that_ran_is_told_without_a_division() -> None:
    rows = [row(0, "chosen_by", None, "no tape")]
    found = Swept(
        by="pnl", points=1, best=None, held_out=None, rows=rows, parts={"chosen_by": ["a"]}, ran=1, found=0,
        problems=["no tape"], words="w",
    )  # fmt: skip
    assert "best         none: every point failed" in list(swept_lines(found))


def test_every_point_is_shown_with_what_it_did_on_what_was_held_out() -> None:
    rows = [row(0, "chosen_by", 5), row(0, "held_out", 1_000_000), row(1, "chosen_by", 9), row(1, "held_out", -7)]
    best, held_out = judge(rows, "pnl")
    found = Swept(
        by="pnl", points=2, best=best, held_out=held_out, rows=rows, ran=4, found=0, problems=[], words="w",
        parts={"chosen_by": [f"day {n}" for n in range(9)], "held_out": ["monday"]},
    )  # fmt: skip
    shown = list(swept_lines(found))
    assert shown[1].startswith("chosen by    day 0, ")
    assert shown[1].endswith(" and 1 more")
    assert shown[2] == "held out     monday"
    assert shown[3].startswith("  a=1 ")
    assert shown[4].startswith("  a=0 ")
    assert shown[4].endswith("held out $1.0000")


def test_a_sweep_is_shown_kept_as_one_table_and_gone_on_with(tapes: list[str], tmp_path: Path) -> None:
    out = tmp_path / "s"
    more = ("--grid", "size=50,200", "--hold-out", f"{tapes[1]}/", "--jobs", "2", "--json")
    first = json.loads(run(*words(tapes, out, *more)).output)
    assert (first["points"], first["ran"], first["found"], first["problems"]) == (2, 4, 0, [])
    table = pq.read_table(out / sweep.TABLE)
    assert table.column("size").to_pylist() == ["50", "50", "200", "200"]
    assert table.column("part").to_pylist() == ["chosen_by", "held_out"] * 2
    assert first["best"]["pnl"] == max(r["pnl"] for r in first["rows"] if r["part"] == "chosen_by")
    assert first["held_out"]["point"] == first["best"]["point"]
    lost, failed = sorted((out / sweep.ROWS).iterdir())[:2]
    lost.unlink()
    failed.write_text(json.dumps(json.loads(failed.read_text()) | {"pnl": None, "problem": "the disk was away"}))
    again = json.loads(run(*words(tapes, out, *more)).output)
    assert (again["ran"], again["found"]) == (2, 2), "what failed is tried again"
    assert again["rows"] == first["rows"]


def test_a_killed_sweep_leaves_whole_rows_and_goes_on(tapes: list[str], tmp_path: Path) -> None:
    out = tmp_path / "s"
    given = words(tapes[:1], out, "--grid", "size=10,20,30,40", "--jobs", "1", "--json")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tests")))}
    process = subprocess.Popen(
        [sys.executable, "-m", "tapedeck", *given], env=env, stdout=subprocess.DEVNULL, start_new_session=True
    )
    rows = out / sweep.ROWS
    while process.poll() is None and not list(rows.glob("*.json")):
        os.sched_yield()
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    done = len(list(rows.glob("*.json")))
    assert 1 <= done < 4
    for path in rows.glob("*.json"):
        json.loads(path.read_text())
    again = json.loads(run(*given).output)
    assert (again["ran"], again["found"]) == (4 - done, done)
    assert all(r["orders_hash"] for r in again["rows"])


def test_what_cannot_be_swept_is_refused_before_anything_runs(tapes: list[str], tmp_path: Path) -> None:
    for more, said in (
        (("--by", "luck"), "--by 'luck' is none of pnl"),
        (("--by", "max_drawdown"), "--by 'max_drawdown' is none of pnl, pnl_trusted, fills, contracts"),
        (("--hold-out", "elsewhere"), "--hold-out elsewhere is none of the tapes, and no day"),
        (("--hold-out", tapes[0], "--hold-out", tapes[1]), "all tapes are held out"),
        (("--hold-out", tapes[0], "--hold-out", "2026-09-22"), "hold out tapes or days, not both"),
        (("--hold-out", "2026-09-30"), "the tapes have no frames of that day; they have 2026-09-21, 2026-09-22"),
        (("--hold-out", "2026-09-31"), "'2026-09-31' is no UTC day"),
        (("--hold-out", "2026-09-21", "--hold-out", "2026-09-22"), "all days are held out"),
        (("--grid", "sizes=1,2"), "Joiner has no parameter 'sizes'"),
        (("--grid", "size=1,big"), "size='big'"),
    ):
        found = run(*words(tapes, tmp_path / "s", *more))
        assert isinstance(found.exception, ConfigError)
        assert said in str(found.exception)
    assert not (tmp_path / "s" / sweep.ROWS).exists()


def test_days_are_held_out_of_tapes_that_hold_several(tmp_path: Path) -> None:
    midnight = (synthetic.START_NS // DAY_NS + 1) * DAY_NS
    tape = str(made_tape(tmp_path, frames=1_500, start_ns=midnight - 8_000_000_000))
    more = ("--grid", "size=50", "--hold-out", "2026-09-22", "--jobs", "1", "--json")
    found = json.loads(run(*words([tape], tmp_path / "s", *more)).output)
    chosen, held_out = found["rows"]
    assert found["parts"] == {"chosen_by": ["2026-09-21"], "held_out": ["2026-09-22"]}
    assert (chosen["part"], held_out["part"], found["held_out"]) == ("chosen_by", "held_out", held_out)
    for part, (start, end) in ((chosen, (None, midnight - 1)), (held_out, (midnight, None))):
        alone = backtest(
            tape, strategy(f"{STRATEGIES}:Joiner", size=50), venue=VenueTerms(fees="quadratic:1", ticks="linear_cent"),
            start=start, end=end,
        )  # fmt: skip
        assert part["orders"] == alone.totals["orders"] > 0
        assert part["pnl"] == alone.totals["pnl"]
        assert part["orders_hash"] == alone.orders_hash


@pytest.mark.slow
def test_a_point_whose_process_dies_is_a_problem_of_its_own_and_is_tried_again(
    tapes: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "s"
    more = (
        f"{STRATEGIES}:Dier",
        "--tape",
        tapes[0],
        "--fees",
        "quadratic:1",
        "--ticks",
        "linear_cent",
        "--out",
        str(out),
    )
    given = ("sweep", *more, "--grid", "dies=false,true", "--jobs", "2", "--json")
    for ran in (2, 1):
        found = run(*given)
        assert found.exit_code == 1
        told = json.loads(found.output)
        assert (told["ran"], told["problems"]) == (ran, ["point 1 (chosen_by): its process ended by -9"])
        assert told["best"]["point"] == 0


@pytest.mark.slow
def test_a_point_that_fails_is_a_row_with_its_problem(tapes: list[str], tmp_path: Path) -> None:
    found = run(*words(tapes[:1], tmp_path / "s", "--grid", "fails_after=0,3"))
    assert found.exit_code == 1
    assert "point 1 (chosen_by): strategy Joiner" in found.output
    assert "nothing is known of how it does on other days" in found.output
