"""The command line: what each command answers, its exit codes, and one clear sentence for whatever it cannot use."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from console import Cli, assert_refused, console, recording
from sample_tapes import MILLI, START_NS, make_tape, story

from replay.when import format_time

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = (
    *("demo", "capture", "run", "cancel-all", "backtest", "sweep", "report", "serve", "sandbox"),
    *("import", "info", "verify", "recover", "rebuild", "replay", "book", "export", "cut", "shrink", "sql"),
    *("parity", "causality", "doctor", "archive", "view"),
)
HEAVY = ("pyarrow", "duckdb", "numba", "numpy", "replay")


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs `tapedeck` with these arguments in this process."""
    return console(capsys, monkeypatch)


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """A sealed tape of several segments."""
    return story().tape(tmp_path / "tape", segment_records=40).path


# ------------------------------------------------------------------ help


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_a_command_does_and_gives_an_example(cli: Cli, command: str) -> None:
    ran = cli(command, "--help")
    assert ran.code == 0
    assert f"Example: tapedeck {command} " in re.sub(r"\s+", " ", ran.out)
    assert "--json" in ran.out


def test_help_lists_every_command_on_a_line_of_its_own(cli: Cli) -> None:
    assert tuple(re.findall(r"^[ │|]+([a-z][a-z-]*)  +\S", cli("--help").out, re.MULTILINE)) == COMMANDS


def test_no_argument_at_all_shows_the_help(cli: Cli) -> None:
    ran = cli()
    assert "tapedeck demo" in ran.out + ran.err


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import atexit, sys, tapedeck\n"
        f"atexit.register(lambda: print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr))\n"
        "sys.argv = ['tapedeck', '--help']\n"
        "tapedeck.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


# ------------------------------------------------------------------ answers


def test_import_makes_a_tape_that_the_others_read(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "made"
    made = cli("import", recording(tmp_path / "r.jsonl"), "--out", path, "--env", "demo", "--json").json
    assert made["frames"] == 22
    assert made["environment"] == "demo"
    assert cli("verify", path, "--deep").code == 0
    assert cli("book", path, "KXTEST-A", "--at", "end", "--json").json["yes"] == [[4000, 3000]]


def test_import_of_a_filtered_recording_claims_no_gap(cli: Cli, tmp_path: Path) -> None:
    lines = recording(tmp_path / "all.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "some.jsonl").write_bytes(b"".join(lines[:8] + lines[10:]))
    for option, reasons in (((), ["sequence"]), (("--filtered",), [])):
        path = tmp_path / f"tape{len(option)}"
        assert cli("import", tmp_path / "some.jsonl", "--out", path, *option).code == 0
        info = cli("info", path, "--json").json
        assert [gap["reason"] for gap in info["gaps"]] == reasons
        assert info["filtered"] is bool(option)


def test_info_has_every_key_that_scripts_rely_on(cli: Cli, tape: Path) -> None:
    info = cli("info", tape, "--json").json
    kinds = {
        **dict.fromkeys(("frames", "records", "connections", "bytes", "segments"), int),
        **dict.fromkeys(("markets", "gaps", "silences", "connection_list"), list),
        **dict.fromkeys(("by_type", "malformed", "unknown"), dict),
        "filtered": bool,
    }
    assert {name: type(info[name]) for name in kinds} == kinds
    assert info["markets"] == ["KXTEST-A", "KXTEST-B"]
    scope = {"reason", "connection", "sid", "at_ns", "until_ns", "markets"}
    assert [scope <= set(gap) for gap in info["gaps"]] == [True, True]
    assert [("expected" in gap, "got" in gap) for gap in info["gaps"]] == [(True, True), (False, False)]
    assert set(info["silences"][0]) == {"at_ns", "until_ns", "duration_ns"}


def test_info_for_people_names_gaps_with_zoned_times(cli: Cli, tape: Path) -> None:
    text = cli("info", tape).out
    gap = cli("info", tape, "--json").json["gaps"][1]
    assert f"reconnect  {format_time(gap['at_ns'])} to {format_time(gap['until_ns'])}" in text
    assert "12.0 s" in text


@pytest.mark.parametrize("path", ["bytes", "columns", "both"])
def test_replay_has_every_key_that_scripts_rely_on(cli: Cli, tape: Path, path: str) -> None:
    run = cli("replay", tape, "--path", path, "--json").json
    kinds = {
        **dict.fromkeys(("frames", "records", "gaps"), int),
        **dict.fromkeys(("state_digest", "decision_digest", "path"), str),
        **dict.fromkeys(("wall_s", "frames_per_s"), float),
        "rejected": dict,
    }
    assert {name: type(run[name]) for name in kinds} == kinds
    assert run["path"] == path
    assert run["gaps"] == 2


def test_replay_gives_one_digest_by_every_path(cli: Cli, tape: Path) -> None:
    runs = [cli("replay", tape, "--path", path, "--json").json for path in ("bytes", "columns", "both")]
    assert len({run["state_digest"] for run in runs}) == 1
    assert runs[2]["equal"] is True
    assert "the same state" in cli("replay", tape, "--path", "both").out


@pytest.mark.integration
def test_replay_of_several_tapes_answers_in_their_order_and_goes_on_after_one_that_it_cannot_play(
    cli: Cli, tape: Path, tmp_path: Path
) -> None:
    short = story(3).tape(tmp_path / "short").path
    ran = cli("replay", tape, short, "--jobs", "2")
    assert ran.code == 0
    assert [line.split()[1] for line in ran.out.splitlines() if line.startswith("tape ")] == [str(tape), str(short)]
    both = cli("replay", short, tape, "--json", "--path", "both").json
    assert [(found["tape"], found["equal"]) for found in both] == [(str(short), True), (str(tape), True)]
    assert both[1]["state_digest"] == cli("replay", tape, "--json").json["state_digest"]
    ran = cli("replay", tape, tmp_path / "none", short, "--json")
    assert ran.code == 2
    assert ran.err == f"tapedeck: {json.loads(ran.out)[1]['problem']}\n"
    assert [found["tape"] for found in json.loads(ran.out)] == [str(tape), str(tmp_path / "none"), str(short)]


def test_replay_of_a_stretch_counts_that_stretch(cli: Cli, tape: Path) -> None:
    start, end = format_time(START_NS + 20 * MILLI), START_NS + 29 * MILLI
    assert cli("replay", tape, "--from", start, "--to", end, "--json").json["records"] == 10


def test_a_book_has_every_key_that_scripts_rely_on(cli: Cli, tape: Path) -> None:
    at_ns = START_NS + 6 * MILLI
    book = cli("book", tape, "KXTEST-A", "--at", at_ns, "--json").json
    assert book["at_ns"] == at_ns
    assert book["market"] == "KXTEST-A"
    assert book["trusted"] is True
    assert book["yes"] == [[4000, 1125], [4550, 250]]
    assert book["no"] == [[5000, 700]]


@pytest.mark.parametrize("at", ["2026-08-11T01:00:00.006Z", "2026-08-11 01:00:00.006", "2026-08-10 21:00:00.006 ET"])
def test_an_instant_may_be_written_in_any_form(cli: Cli, tape: Path, at: str) -> None:
    assert cli("book", tape, "KXTEST-A", "--at", at, "--json").json["at_ns"] == START_NS + 6 * MILLI


def test_a_book_for_people_is_a_ladder_with_a_zoned_time(cli: Cli, tape: Path) -> None:
    lines = cli("book", tape, "KXTEST-A", "--at", START_NS + 6 * MILLI).out.splitlines()
    assert lines[0] == "KXTEST-A  at 2026-08-11T01:00:00.006Z  trusted"
    prices = re.findall(r"0\.\d{4}", "\n".join(lines[2:]))
    assert prices == ["0.5000", "0.5000", "0.0450", "0.4550", "0.4000"]


def test_a_market_that_is_not_there_is_a_no_with_the_nearest_names(cli: Cli, tape: Path) -> None:
    ran = cli("book", tape, "KXTEST-X", "--at", "end")
    assert (ran.code, ran.out) == (1, "")
    assert "no market KXTEST-X" in ran.err
    assert "KXTEST-A" in ran.err


def test_without_a_time_the_book_is_that_of_the_end(cli: Cli, tape: Path) -> None:
    assert cli("book", tape, "KXTEST-A", "--json").json == cli("book", tape, "KXTEST-A", "--at", "end", "--json").json


def test_a_grid_of_books_is_a_parquet_file(cli: Cli, tape: Path, tmp_path: Path) -> None:
    out = tmp_path / "grid.parquet"
    report = cli("book", tape, "KXTEST-A", "--every", "100ms", "--out", out, "--json").json
    table = pq.read_table(out)
    assert table.num_rows == report["rows"] > 100
    assert {"at_ns", "market", "trusted", "yes_bid", "yes_bid_e4", "yes_price_e4", "no_size_e2"} <= set(
        table.column_names
    )
    assert cli("book", tape, "--every", "1s", "--market", "KXTEST-B", "--out", tmp_path / "b.parquet").code == 0


def test_a_cut_has_the_books_of_the_original(cli: Cli, tape: Path, tmp_path: Path) -> None:
    start, end = START_NS + 30 * MILLI, START_NS + 60 * MILLI
    report = cli(
        "cut", tape, "--from", start, "--to", end, "--market", "KXTEST-A", "--out", tmp_path / "cut", "--json"
    ).json
    assert report["carried"] is True
    assert cli("verify", tmp_path / "cut", "--deep").code == 0
    for at_ns in range(start, end + 1, 10 * MILLI):
        answers = [cli("book", path, "KXTEST-A", "--at", at_ns, "--json").json for path in (tape, tmp_path / "cut")]
        assert answers[0] == answers[1]


def test_an_export_gives_the_imported_lines_back(cli: Cli, tmp_path: Path) -> None:
    source = recording(tmp_path / "r.jsonl")
    assert cli("import", source, "--out", tmp_path / "t").code == 0
    report = cli("export", tmp_path / "t", "--to", "jsonl", "--out", tmp_path / "again.jsonl", "--json").json
    assert report["frames"] == 22
    assert (tmp_path / "again.jsonl").read_bytes() == source.read_bytes()


def test_an_export_for_another_tool_is_a_folder_and_says_what_is_not_as_on_the_tape(
    cli: Cli, tape: Path, tmp_path: Path
) -> None:
    report = cli("export", tape, "--to", "hftbacktest", "--out", tmp_path / "hft", "--json").json
    assert (report["format"], report["markets"], report["files"]) == ("hftbacktest", 2, 3)
    assert report["rows"]["books cleared"] == 4
    assert report["left_out"] == {"deltas of a book that is not trusted": 1}
    shown = cli("export", tape, "--to", "csv", "--out", tmp_path / "csv", "--market", "KXTEST-A").out
    assert shown.splitlines()[0] == f"wrote     {tmp_path / 'csv'}: csv, 12 files, markets: 1"
    assert "doubted   1  deltas not trusted" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--to", "csv"), "--to csv makes a folder, give it a name"),
        (("--to", "xml", "--out", "x"), "'xml' is not one of 'jsonl', 'csv', 'hftbacktest', 'nautilus'"),
        (("--market", "KXTEST-A", "--out", "x"), "--to jsonl writes whole tapes; cut the part first"),
        (("--to", "csv", "--out", "x", "--from", "200", "--until", "100"), "is later than --until"),
        (("--to", "csv", "--out", "."), "exists already"),
        (("--to", "csv", "--out", "no/where/x"), "cannot write the export"),
    ],
)
def test_an_export_that_cannot_be_made_says_why_and_leaves_nothing(
    cli: Cli, tape: Path, arguments: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tape.with_name("here")
    here.mkdir()
    monkeypatch.chdir(here)
    ran = cli("export", tape, *arguments)
    assert ran.code == 2
    assert said in " ".join(ran.err.replace("│", " ").split())
    assert list(here.iterdir()) == []


def test_an_export_of_a_market_that_is_not_there_is_a_no(cli: Cli, tape: Path, tmp_path: Path) -> None:
    ran = cli("export", tape, "--to", "hftbacktest", "--out", tmp_path / "hft", "--market", "../KXTEST-X")
    assert (ran.code, ran.out) == (1, "")
    assert "no market ../KXTEST-X" in ran.err


def test_rebuild_and_recover_leave_a_whole_tape_as_it_is(cli: Cli, tape: Path) -> None:
    before = cli("replay", tape, "--json").json["state_digest"]
    assert cli("rebuild", tape, "--json").json["segments"] > 3
    assert cli("recover", tape, "--json").json["problems"] == []
    assert cli("recover", tape).code == 0
    assert cli("replay", tape, "--json").json["state_digest"] == before


# ------------------------------------------------------------------ verify


def test_a_whole_tape_is_a_yes(cli: Cli, tape: Path) -> None:
    ran = cli("verify", tape)
    assert ran.code == 0
    assert "whole" in ran.out
    assert cli("verify", tape, "--json").json["problems"] == []


def test_damage_is_a_no_that_names_file_and_records(cli: Cli, tape: Path) -> None:
    file = sorted(tape.rglob("*.parquet"))[1]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 4
    file.write_bytes(content)
    ran = cli("verify", tape)
    assert ran.code == 1
    assert file.name in ran.out
    assert "records 40 to 79" in ran.out
    report = cli("verify", tape, "--json").json
    assert report["whole"] is False
    assert set(report["problems"][0]) == {"file", "place", "what", "remedy"}


def test_an_end_that_nothing_proves_is_a_no(cli: Cli, tmp_path: Path) -> None:
    make_tape(tmp_path / "tape", story().records[:-1])
    ran = cli("verify", tmp_path / "tape")
    assert ran.code == 1
    assert "unproven" in ran.out
    assert cli("recover", tmp_path / "tape").code == 0
    assert cli("verify", tmp_path / "tape").code == 0


# ------------------------------------------------------------------ demo, progress


def test_the_demo_shows_that_it_works(cli: Cli, tmp_path: Path) -> None:
    started = time.monotonic()
    ran = cli("demo", "--out", tmp_path / "demo", "--seconds", "1.5")
    assert ran.code == 0, ran.out
    assert time.monotonic() - started < 60
    assert "stays on this machine" in ran.out
    assert "the same bytes in the same order; 1 gap where the connection was cut on purpose, 0 others" in ran.out
    assert "the same state" in ran.out
    assert cli("verify", tmp_path / "demo" / "tape").code == 0
    assert_refused(cli("demo", "--out", tmp_path / "demo"), "is not empty")


def test_progress_is_drawn_on_stderr_and_only_for_a_terminal(tape: Path) -> None:
    code = f"import sys; sys.argv = ['tapedeck', 'info', {str(tape)!r}, '--json']; import tapedeck; tapedeck.main()"
    master, slave = os.openpty()
    with os.fdopen(slave, "wb") as terminal:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=terminal, check=True
        )
    drawn = os.read(master, 65_536)
    os.close(master)
    assert json.loads(done.stdout)["sessions"] == 1
    assert b"reading" in drawn
    plain = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert plain.stderr == b""
