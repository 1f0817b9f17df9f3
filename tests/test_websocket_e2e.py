"""From a recording to answers by the program itself, as its users run it: one process a command, from another place."""

import gzip
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import forked
import pyarrow.parquet as pq
import pytest
from imported import RECORDINGS, files_of
from tapes import needs_tapes

from replay.synthetic import Plan, write_recording

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
        assert book["yes"] == [list(level) for level in zip(row["yes_price"], row["yes_size"], strict=True)]
        assert book["no"] == [list(level) for level in zip(row["no_price"], row["no_size"], strict=True)]


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
