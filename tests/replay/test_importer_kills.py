"""An import that is killed, interrupted or out of disk leaves no half-made tape, and the next one succeeds."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from capture.tape.reader import Tape
from capture.tape.verify import verify
from replay.importer import ImportOptions, import_recording
from replay.synthetic import Plan, write_recording

ROOT = Path(__file__).resolve().parents[2]
MS = 1_786_401_938_338
DAY_MS = 86_400_000


def child(code: str, *arguments: object) -> "subprocess.Popen[str]":
    """A process that runs some code after the imports, with `files, out` from its arguments, and says "go" before."""
    head = (
        "import sys, resource; from pathlib import Path; from capture.tape.errors import TapeError;"
        "from replay.importer import ImportOptions, import_recording;"
        "*files, out = map(Path, sys.argv[1:]); print('go', flush=True)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", head + code, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    assert process.stdout.readline() == "go\n"
    return process


IMPORT = "import_recording(files, out, ImportOptions(segment_rows=400))"


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made-up") / "recording.jsonl.gz"
    write_recording(path, Plan(frames=4000, markets=5, reconnects=1))
    return path


@pytest.mark.integration
def test_a_disk_that_takes_no_more_leaves_nothing(made_up: Path, tmp_path: Path) -> None:
    code = "resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))\n"
    code += f"try: {IMPORT}\nexcept TapeError as error: print(error)"
    with child(code, made_up, tmp_path / "tape") as process:
        out, err = process.communicate()
    assert re.fullmatch(
        r"\S+tape\.partial-\S+: cannot [^\n]+ File too large; raise the limit on file size and try again\n", out
    ), err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.integration
def test_an_interrupted_import_leaves_nothing(made_up: Path, tmp_path: Path) -> None:
    heeds = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # also where ours is ignored
    code = f"{heeds}\ntry: {IMPORT}\nexcept KeyboardInterrupt: print('stopped')"
    with child(code, made_up, tmp_path / "tape") as process:
        while not any(tmp_path.glob("*/tape/data/*/*.parquet")):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert (out, err, list(tmp_path.iterdir())) == ("stopped\n", "", [])


def delays(seed: int, count: int, longest_s: float) -> Iterator[float]:
    """Random instants of an import, more of them in its first and last tenth."""
    dice = random.Random(seed)
    for _ in range(count):
        share = dice.choice([dice.random(), dice.random(), dice.uniform(0, 0.1), dice.uniform(0.9, 1.1)])
        yield share * longest_s


def kill_imports(recording: Path, place: Path, seed: int, count: int) -> int:
    """Kill so many imports at random instants; what is there afterwards is whole, and the next import succeeds.

    Returns how many were killed before the tape was there.
    """
    whole = import_recording([recording], place / "whole", ImportOptions(segment_rows=400))
    started = time.monotonic()
    with child(IMPORT, recording, place / "timed") as process:
        process.wait()
    longest_s = time.monotonic() - started - 0.2
    early = 0
    for number, delay_s in enumerate(delays(seed, count, longest_s)):
        out = place / f"tape-{number}"
        with child(IMPORT, recording, out) as process:
            try:
                process.wait(delay_s)
            except subprocess.TimeoutExpired:
                process.kill()
        if not out.exists():
            early += 1
            report = import_recording([recording], out, ImportOptions(segment_rows=400))
            assert msgspec.structs.replace(report, out="") == msgspec.structs.replace(whole, out="")
        else:
            out.rename(out.with_name(f"kept-{number}"))
            out = out.with_name(f"kept-{number}")
        assert verify(out).problems == (), f"seed {seed}, kill {number} after {delay_s} s"
        assert sum(entry.rows for entry in Tape.open(out).segments) == whole.records
    return early


@pytest.mark.integration
def test_a_killed_import_never_leaves_half_a_tape(made_up: Path, tmp_path: Path) -> None:
    kill_imports(made_up, tmp_path, 0, 3)


@pytest.mark.slow
@pytest.mark.integration
def test_a_hundred_killed_imports_never_leave_half_a_tape(made_up: Path, tmp_path: Path) -> None:
    early = kill_imports(made_up, tmp_path, 99, 100)
    assert early > 20
    assert not [path for path in tmp_path.iterdir() if ".partial-" in path.name and "tape-" not in path.name]
