"""From a recording to answers by the program itself, as its users run it: one process a command, from another place.

Then from frames to orders: the Scanner selects, the Market Maker quotes, over lost connections and many markets, in
every regime. Time there is the stage's. Whole live runs over real sockets are in tests/test_live_runs.py.
"""

import gzip
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import forked
import pyarrow.parquet as pq
import pytest
from imported import RECORDINGS, files_of
from pair_stage import Tug, both, pair, resting, selected, told_by, true_book
from strategy_run import decided, replayed
from tapes import needs_tapes

from core.actions import Place
from replay.synthetic import Plan, write_recording
from strategies.regime import Regime

pytestmark = pytest.mark.integration

PROGRAM = Path(__file__).resolve().parents[1] / "tapedeck.py"

MADE = "made up"
EACH = pytest.mark.parametrize(
    "name",
    [
        MADE,
        pytest.param("btc15m/short-30s", marks=needs_tapes),
        pytest.param("gold15m/102030-30", marks=[needs_tapes, pytest.mark.slow]),
    ],
)


class Desk:
    """A directory, and the program run in it."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, str(PROGRAM), *map(str, arguments)]

    def run(self, *arguments: object, code: int = 0) -> forked.Ended:
        """A command in a process of its own."""
        done = forked.run(*map(str, arguments), place=self.place)
        assert done.returncode == code, done.stderr.decode()
        assert b"Traceback" not in done.stderr
        return done

    def ask(self, *arguments: object, code: int = 0) -> Any:
        """The JSON that a command answers: all of its standard output."""
        return json.loads(self.run(*arguments, "--json", code=code).stdout)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """An empty place to work in."""
    return Desk(tmp_path)


def sources(name: str, place: Path) -> tuple[list[Path], bool]:
    """The files of a recording, and whether it is filtered."""
    if name != MADE:
        return files_of(name), RECORDINGS[name].filtered
    path = place / "made.jsonl.gz"
    write_recording(path, Plan(frames=4_000, markets=3, seed=11, reconnects=1))
    return [path], False


def taped(desk: Desk, name: str) -> tuple[Any, list[Path]]:
    files, filtered = sources(name, desk.place)
    return desk.ask("import", *files, "--out", "tape", *(["--filtered"] if filtered else [])), files


@EACH
def test_from_a_recording_to_every_answer(desk: Desk, name: str) -> None:
    made, files = taped(desk, name)
    text = b"".join(gzip.decompress(file.read_bytes()) for file in files)

    report = desk.ask("verify", "tape", "--deep")
    assert report["whole"] is True
    assert report["problems"] == []

    info = desk.ask("info", "tape")
    assert info["frames"] == made["frames"] == sum(info["by_type"].values())
    assert info["malformed"] == info["unknown"] == {}
    assert [gap["reason"] for gap in info["gaps"]] == ["reconnect"] * (info["connections"] - 1)

    runs = [desk.ask("replay", "tape", "--path", path) for path in ("bytes", "columns", "both")]
    assert len({run["state_digest"] for run in runs}) == 1
    assert {run["frames"] for run in runs} == {info["frames"]}
    assert runs[2]["equal"] is True

    market = info["markets"][0]
    middle = (info["first_ns"] + info["last_ns"]) // 2
    book = desk.ask("book", "tape", market, "--at", middle)
    assert (book["market"], book["at_ns"], book["trusted"]) == (market, middle, True)
    assert book["yes"] == sorted(book["yes"])
    assert book["yes"] and book["no"]

    grid = desk.ask("book", "tape", "--every", "1s", "--out", "grid.parquet")
    rows = pq.read_table(desk.place / "grid.parquet")
    assert rows.num_rows == grid["rows"] > 0

    desk.ask("cut", "tape", "--from", middle - 5_000_000_000, "--to", middle, "--market", market, "--out", "cut")
    assert desk.ask("verify", "cut", "--deep")["whole"] is True
    assert desk.ask("book", "cut", market, "--at", middle) == book
    assert desk.ask("replay", "cut", "--path", "both")["equal"] is True

    desk.run("export", "tape", "--to", "jsonl", "--out", "again.jsonl")
    assert (desk.place / "again.jsonl").read_bytes() == text
    assert desk.run("export", "tape").stdout == text


IMPORTED_AND_REPLAYED = """
import contextlib, sys, tapedeck

def run(*arguments):
    sys.argv = ["tapedeck", *arguments]
    try:
        tapedeck.main()
    except SystemExit as ended:
        assert not ended.code

place = sys.argv[1]
with contextlib.redirect_stdout(sys.stderr):
    run("import", "made.jsonl", "--out", place)
run("replay", place, "--path", "both", "--json")
"""


def test_one_digest_under_every_hash_seed(desk: Desk) -> None:
    write_recording(desk.place / "made.jsonl", Plan(frames=2_000, markets=30, seed=12, reconnects=1))
    digests, chains = set(), set()
    for seed in ("0", "1", "random"):
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(PROGRAM.parent)}
        command = [sys.executable, "-c", IMPORTED_AND_REPLAYED, seed]
        compared = json.loads(
            subprocess.run(command, cwd=desk.place, env=env, stdout=subprocess.PIPE, check=True).stdout
        )
        digests |= {compared["state_digest"], compared["by_bytes"]["state_digest"]}
        chains.add((desk.place / seed / "MANIFEST").read_bytes())
    assert len(digests) == len(chains) == 1


def test_the_grid_says_what_the_book_says(desk: Desk) -> None:
    taped(desk, MADE)
    desk.run("book", "tape", "--every", "2500ms", "--out", "grid.parquet")
    rows = pq.read_table(desk.place / "grid.parquet").to_pylist()
    for row in rows[:: len(rows) // 6]:
        book = desk.ask("book", "tape", row["market"], "--at", row["at_ns"])
        assert book["trusted"] == row["trusted"]
        assert book["yes"] == [list(level) for level in zip(row["yes_price_e4"], row["yes_size_e2"], strict=True)]
        assert book["no"] == [list(level) for level in zip(row["no_price_e4"], row["no_size_e2"], strict=True)]


def test_times_are_the_same_in_every_form_and_shown_with_their_zone(desk: Desk) -> None:
    taped(desk, MADE)
    market = desk.ask("info", "tape")["markets"][0]
    forms = ("2026-09-21T14:13:30Z", "2026-09-21 14:13:30", "2026-09-21 10:13:30 ET", "1790000010000000000")
    books = [desk.ask("book", "tape", market, "--at", form) for form in forms]
    assert all(book == books[0] for book in books)
    shown = desk.run("book", "tape", market, "--at", forms[2]).stdout.decode()
    assert "2026-09-21T14:13:30.000Z" in shown
    bare = re.compile(r"\d\d:\d\d:\d\d(?:\.\d+)?(?![\d.Z])")
    assert bare.search(desk.run("info", "tape").stdout.decode()) is None


def test_damage_is_found_named_and_what_is_whole_can_be_had_again(desk: Desk) -> None:
    files, _ = sources(MADE, desk.place)
    desk.run("import", *files, "--out", "tape")
    before = desk.ask("replay", "tape")["state_digest"]
    (segment,) = (desk.place / "tape").rglob("*.parquet")
    good = segment.read_bytes()
    segment.write_bytes(good[: len(good) // 2])
    report = desk.ask("verify", "tape", code=1)
    assert segment.name in report["problems"][0]["file"]
    for command in ("info", "replay", "export"):
        assert segment.name.encode() in desk.run(command, "tape", code=2).stderr
    segment.write_bytes(good)
    assert desk.ask("verify", "tape", "--deep")["whole"] is True
    assert desk.ask("replay", "tape")["state_digest"] == before


def test_an_import_that_is_killed_leaves_nothing_that_looks_like_a_tape(desk: Desk) -> None:
    write_recording(desk.place / "long.jsonl", Plan(frames=15_000, markets=5, seed=3))
    process = subprocess.Popen(
        desk.command("import", "long.jsonl", "--out", "tape"),
        cwd=desk.place,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        while process.poll() is None and not any(desk.place.glob("tape.partial-*")):
            os.sched_yield()
        process.send_signal(signal.SIGKILL)
    if process.returncode == -signal.SIGKILL:
        desk.run("info", "tape", code=2)
    desk.run("import", "long.jsonl", "--out", "tape", code=0 if process.returncode else 2)
    assert desk.ask("verify", "tape", "--deep")["whole"] is True
    assert list(desk.place.glob("tape.partial-*")) == []


def test_the_readers_of_a_closed_pipe_do_not_complain(desk: Desk) -> None:
    taped(desk, MADE)
    program = " ".join(f"'{part}'" for part in desk.command("export", "tape"))
    done = subprocess.run(
        ["bash", "-c", f"{program} | head -1"], cwd=desk.place, capture_output=True, text=True, check=True
    )
    assert len(done.stdout.splitlines()) == 1
    assert "Traceback" not in done.stderr


# ------------------------------------------------------------------ Scanner and Market Maker, from frames to orders


def test_what_the_scanner_selects_the_maker_quotes_and_what_it_drops_is_pulled() -> None:
    casts = pair()
    stage = both(casts)
    chosen = selected(stage)
    assert len(chosen) == 3 and {*resting(stage)} == {*chosen}
    gone = chosen[0]
    stage.act(lambda now_ns: stage.venue.engine.life.deactivate(gone, now_ns))
    stage.wait(8)
    assert gone not in selected(stage) and len(selected(stage)) == 3
    assert {*resting(stage)} == {*selected(stage)}
    assert {order.market for order in stage.run.actions(Place)} <= {*chosen, *selected(stage)}
    assert replayed(stage.records, casts) == decided(stage.records)


def test_over_a_disconnect_nothing_rests_and_afterwards_the_same_markets_are_quoted_again() -> None:
    casts = pair(scan={"rest_every_s": "2"})
    stage = both(casts)
    before = selected(stage)
    stage.reconnect_s = 8
    stage.drop()
    stage.wait(2)
    placed = len(stage.run.actions(Place))
    stage.wait(5)
    assert resting(stage) == {} and len(stage.run.actions(Place)) == placed
    assert {*told_by(stage).values()} == {"rest"}
    stage.wait(8)
    assert {*told_by(stage).values()} == {"ws"}
    assert {*resting(stage)} == {*selected(stage)} == {*before}
    assert max(resting(stage).values()) <= 2
    assert replayed(stage.records, casts) == decided(stage.records)


def test_two_hundred_markets_are_watched_twenty_quoted_and_a_reconnect_makes_every_book_right_again() -> None:
    casts = pair(scan={"series": "", "top": "20"}, make={"writes_per_s": "40"})
    stage = both(casts, markets=200, rate=100, busy_steps=2_000)
    stage.drop()
    stage.wait(8)
    stage.venue.machine.options = replace(stage.venue.machine.options, rate=0)  # what was sent last arrives
    stage.wait(2)
    watched = [market for market in stage.venue.markets() if stage.window(market).connection > 0]
    assert len(watched) >= 190
    for market in watched:
        view = stage.desks.engine.store.view(market)
        assert view.trusted
        assert (dict(view.yes), dict(view.no)) == true_book(stage, market)
    assert len(selected(stage)) == 20
    assert {*resting(stage)} <= {*selected(stage)} and len(resting(stage)) >= 15
    assert replayed(stage.records, casts) == decided(stage.records)


def test_a_market_that_calms_trends_and_shakes_is_told_apart_and_quoted_accordingly() -> None:
    tug = Tug(half_spread=300, max_position=100_000)
    tug.stage.wait(70)
    assert tug.regime() is Regime.QUIET
    quiet = tug.spread()
    for turn in range(14):
        tug.move(4_000 + 60 * turn, 4_400 + 60 * turn)
        tug.stage.wait(5)
    assert tug.regime() is Regime.TRENDING
    for turn in range(24):
        tug.move(*((4_000, 4_400) if turn % 2 else (4_450, 4_850)))
        tug.stage.wait(5)
    assert tug.regime() is Regime.VOLATILE
    tug.stage.wait(3)
    assert tug.spread() == 2 * quiet
    assert replayed(tug.stage.records, tug.casts) == decided(tug.stage.records)


def test_a_lost_connection_freezes_the_regime_and_it_thaws_with_the_book() -> None:
    tug = Tug()
    tug.stage.wait(20)
    tug.stage.reconnect_s = 10
    tug.stage.drop()
    tug.stage.wait(5)
    assert tug.regime() is Regime.FROZEN and resting(tug.stage) == {}
    tug.stage.wait(10)
    assert tug.regime() is Regime.QUIET and resting(tug.stage) == {tug.market: 2}
