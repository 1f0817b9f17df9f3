"""What the command line cannot use: one clear sentence that names file, place and remedy, exit 2, nothing half made."""

import gzip
import subprocess
import sys
from pathlib import Path

import pytest
from console import Cli, assert_refused, console, recording
from sample_tapes import SECOND, START_NS, story

from capture.tape.layout import FORMAT_VERSION, Label, Layout
from capture.tape.lock import TapeLock
from capture.tape.sealer import create_tape

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs `tapedeck` with these arguments in this process."""
    return console(capsys, monkeypatch)


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """A sealed tape of several segments."""
    return story().tape(tmp_path / "tape", segment_records=40).path


@pytest.mark.parametrize("command", ["info", "verify", "recover", "rebuild", "replay", "export"])
def test_a_directory_that_is_no_tape(cli: Cli, tmp_path: Path, command: str) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        assert_refused(cli(command, path), str(path), "no tape")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["info", "verify", "recover", "rebuild", "replay", "export"])
def test_a_tape_of_a_newer_format(cli: Cli, tmp_path: Path, command: str) -> None:
    create_tape(tmp_path / "newer", Label(FORMAT_VERSION + 1, "some-uuid", "test"))
    version = f"version {FORMAT_VERSION + 1}"
    assert_refused(cli(command, tmp_path / "newer"), str(tmp_path / "newer"), version, "newer Tapedeck")


def test_a_file_that_is_no_recording(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("dear diary\n")
    (tmp_path / "picture").write_bytes(bytes(range(256)))
    (tmp_path / "empty").write_bytes(b"")
    for name in ("notes.txt", "picture", "empty", "nowhere"):
        assert_refused(cli("import", tmp_path / name, "--out", tmp_path / "t"), name)
    assert not (tmp_path / "t").exists()


def test_half_a_line(cli: Cli, tmp_path: Path) -> None:
    source = recording(tmp_path / "r.jsonl")
    source.write_bytes(source.read_bytes()[:-30])
    assert_refused(cli("import", source, "--out", tmp_path / "t"), "r.jsonl", "line 23", "--torn-tail")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.jsonl"]
    assert cli("import", source, "--torn-tail", "--out", tmp_path / "t").code == 0
    assert "torn_tail" in cli("info", tmp_path / "t").out


def test_a_packed_file_that_stops_early(cli: Cli, tmp_path: Path) -> None:
    packed = gzip.compress(recording(tmp_path / "r.jsonl", lines=2_000).read_bytes())
    (tmp_path / "r.gz").write_bytes(packed[: len(packed) // 2])
    assert_refused(cli("import", tmp_path / "r.gz", "--out", tmp_path / "t"), "r.gz")
    assert not (tmp_path / "t").exists()


def test_an_output_that_is_there_already(cli: Cli, tape: Path, tmp_path: Path) -> None:
    source = recording(tmp_path / "r.jsonl")
    assert_refused(cli("import", source, "--out", tape), str(tape), "exists already")
    assert_refused(cli("cut", tape, "--out", tape), str(tape), "exists already")
    assert_refused(cli("export", tape, "--out", source), "r.jsonl", "exists already")
    assert_refused(cli("book", tape, "--every", "1s", "--out", source), "r.jsonl", "exists already")
    assert cli("verify", tape).code == 0


def test_a_second_writer(cli: Cli, tape: Path) -> None:
    with TapeLock(Layout(tape).lock):
        assert_refused(cli("rebuild", tape), str(tape), "another process")
        assert_refused(cli("recover", tape), str(tape), "another process")


def test_a_place_where_nothing_can_be_made(cli: Cli, tape: Path, tmp_path: Path) -> None:
    source = recording(tmp_path / "r.jsonl")
    for command in (("import", source), ("cut", tape), ("export", tape), ("book", tape, "--every", "1s")):
        assert_refused(cli(*command, "--out", source / "below"), str(source))
    assert cli("verify", tape).code == 0


def test_a_full_disk(tape: Path) -> None:
    device = Path("/dev/full")
    if not device.exists():
        pytest.skip("this system has no /dev/full")
    code = f"import sys; sys.argv = ['tapedeck', 'export', {str(tape)!r}]; import tapedeck; tapedeck.main()"
    with device.open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_damage_stops_every_reader(cli: Cli, tape: Path, tmp_path: Path) -> None:
    file = sorted(tape.rglob("*.parquet"))[1]
    file.write_bytes(file.read_bytes()[:-9])
    for command in (("info", tape), ("replay", tape), ("export", tape, "--out", tmp_path / "x"), ("rebuild", tape)):
        assert_refused(cli(*command), file.name)
    assert_refused(cli("cut", tape, "--out", tmp_path / "x"), file.name)
    assert_refused(cli("book", tape, "KXTEST-A", "--at", "end"), file.name)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("book", "TAPE", "KXTEST-A", "--at", "yesterday"),
        ("book", "TAPE"),
        ("book", "TAPE", "--at", "end"),
        ("book", "TAPE", "--every", "1s"),
        ("book", "TAPE", "--every", "soon", "--out", "x"),
        ("book", "TAPE", "--every", "1s", "--out", "x", "--at", "2026-08-11"),
        ("replay", "TAPE", "--from", "10:00"),
        ("replay", "TAPE", "--path", "rows"),
        ("replay", "TAPE", "--from", "2026-08-12", "--to", "2026-08-11"),
        ("cut", "TAPE"),
        ("export", "TAPE", "--json"),
        ("export", "TAPE", "--to", "xml"),
        ("frobnicate", "TAPE"),
        ("import", "--out", "x"),
    ],
)
def test_a_command_that_makes_no_sense(cli: Cli, tape: Path, arguments: tuple[str, ...]) -> None:
    ran = cli(*[tape if argument == "TAPE" else argument for argument in arguments])
    assert ran.code == 2
    assert ran.out == ""
    assert "Usage: " in ran.err
    assert "Traceback" not in ran.err


def test_a_book_at_an_instant_before_the_tape_is_not_trusted(cli: Cli, tape: Path) -> None:
    book = cli("book", tape, "KXTEST-A", "--at", START_NS - SECOND, "--json").json
    assert (book["trusted"], book["yes"], book["no"]) == (False, [], [])
