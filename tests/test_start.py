"""What a command imports: nothing heavy that it does not need, so that its start stays short.

Asserted on the modules of a fresh process, never on time.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

import tapedeck
from replay import open_tape, summary

pytestmark = pytest.mark.integration

ROOT: Final = Path(__file__).resolve().parents[1]
FIXTURES: Final = ROOT / "data" / "fixtures"
MARKET: Final = "KXDEMO-26SEP21-T1"

HEAVY: Final = (
    *("numpy", "pyarrow", "pyarrow.compute", "pyarrow.dataset", "duckdb", "numba", "pandas", "rich", "asyncio"),
    *("aiohttp", "requests", "websocket", "cryptography", "prometheus_client"),
)
"""Modules that take 10 ms or more."""

TAPE: Final = {"numpy", "pyarrow"}
TABLES: Final = {*TAPE, "pyarrow.compute"}  # segments are read as tables
REST: Final = {"requests", "cryptography"}

COMMANDS: Final = sorted(
    command.name or getattr(command.callback, "__name__", "") for command in tapedeck.app.registered_commands
)

RUN: Final = """
import json, sys
import tapedeck
*commands, heavy = json.loads(sys.argv[1])
codes = []
for arguments in commands:
    sys.argv = ["tapedeck", *arguments]
    try:
        tapedeck.main()
        codes.append(0)
    except SystemExit as end:
        codes.append(end.code or 0)
sys.stdout.flush()
sys.stderr.write("\\n" + json.dumps([codes, [name for name in heavy if name in sys.modules]]))
"""


def imported_by(*commands: Sequence[str], place: Path, path: str = "") -> tuple[list[int], set[str]]:
    """The exit codes of these commands, run one after the other in a fresh process, and what of HEAVY it imported."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("KALSHI_", "PYTHON"))}
    run = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps([*map(list, commands), HEAVY])],
        cwd=place,
        env=variables
        | {"PYTHONPATH": os.pathsep.join(filter(None, (path, str(ROOT)))), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    codes, modules = json.loads(run.stderr.rsplit("\n", 1)[1])
    return codes, set(modules)


@pytest.fixture(name="place")
def _place(tmp_path: Path) -> Path:
    shutil.copytree(FIXTURES / "imported-1" / "tape", tmp_path / "tape")
    for name in ("checkpoints", "tmp", "wal", "quarantine"):
        (tmp_path / "tape" / name).mkdir(exist_ok=True)
    return tmp_path


def test_importing_the_command_line_imports_nothing_heavy(tmp_path: Path) -> None:
    assert imported_by(place=tmp_path) == ([], set())


def test_help_imports_nothing_heavy_but_what_draws_it(tmp_path: Path) -> None:
    assert len(COMMANDS) > 15
    codes, modules = imported_by(["--help"], *([command, "--help"] for command in COMMANDS), place=tmp_path)
    assert set(codes) == {0}
    assert modules == {"rich"}


@pytest.mark.parametrize(
    ("code", "command", "needed"),
    [
        (0, "info tape", TABLES),
        (0, f"book tape {MARKET}", TABLES),
        (0, "verify tape", TAPE),
        (0, "recover tape", TABLES),
        (0, "replay tape", TABLES),
        (0, "replay tape --path bytes", TABLES),
        (0, "export tape --out lines.jsonl", TABLES),
        (0, "archive tape --to elsewhere", TAPE),
        (2, "parity tape", TABLES),
        (2, "causality tape", TABLES),
        (0, "serve --list-faults", set()),
        (2, "sandbox --speed nonsense", {"asyncio"}),
        (2, "run scanner --env prod --out new", set()),
        (2, "cancel-all --env demo", REST),
        (2, "capture --env demo --series KXTEST --out new", {*TAPE, *REST, "websocket"}),
        (1, "doctor --env http://127.0.0.1:9", {*REST, "websocket"}),
    ],
)
def test_a_command_imports_what_it_needs(code: int, command: str, needed: set[str], place: Path) -> None:
    codes, modules = imported_by(command.split(), place=place)
    assert codes == [code]
    assert modules <= needed


def test_what_checkpoints_know_is_told_without_reading_a_table(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary, "MARK_RECORDS", 1)
    assert summary.mark(open_tape(place / "tape")) > 0
    for command in ("info tape", f"book tape {MARKET}"):
        assert imported_by(command.split(), place=place) == ([0], TAPE)


@pytest.mark.parametrize("command", ["info tape", f"book tape {MARKET}", "verify tape", "replay tape"])
def test_reading_a_tape_leaves_pandas_alone_where_it_is_installed(command: str, place: Path) -> None:
    """Arrow's own conversions import it when they find it: a seventh of a second for nothing."""
    library = place / "library" / "pandas"
    library.mkdir(parents=True)
    (library / "__init__.py").write_text("import pathlib\npathlib.Path('imported').touch()\nraise ImportError\n")
    codes, _ = imported_by(command.split(), place=place, path=str(place / "library"))
    assert codes == [0]
    assert not (place / "imported").exists()
