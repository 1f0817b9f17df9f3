"""What the documents claim: README's commands run, ARCHITECTURE names the modules there are, the examples work.

A block of README that follows the line `<!-- run -->` is run as it stands, all of them in order in one directory.
"""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from door import Door
from typer.testing import CliRunner

import tapedeck
from replay.importer import import_recording
from replay.synthetic import Plan, write_recording

ROOT: Final = Path(__file__).resolve().parents[1]
PRODUCT: Final = ("capture", "core", "replay", "strategies")
README: Final = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS: Final = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])

_MARKED: Final = re.compile(r"^<!-- run -->\n```(bash|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ROW: Final = re.compile(r"^\| `tapedeck ([a-z-]+)([^`]*)`", re.MULTILINE)
_CRITERION: Final = re.compile(r"^\| (\d+)\. [^|]+ \| (.+) \|$", re.MULTILINE)
_NAMED: Final = re.compile(r"`(tests/\w+\.py)::(test_\w+)`")
_LINK: Final = re.compile(r"\]\((?!https?:|#)([^)#]+)")


@contextmanager
def environment(home: Path) -> Iterator[dict[str, str]]:
    """An environment in which `tapedeck` is this tree's, whether or not it is installed."""
    place = home / "bin"
    place.mkdir()
    path = f"{place}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with Door(place / "tapedeck"):
        yield {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}


def run(command: list[str | Path], place: Path, env: dict[str, str]) -> str:
    """What a command prints; a failure shows everything it said."""
    done = subprocess.run(
        command, cwd=place, env=env, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def shortened(text: str) -> str:
    """The same commands, which record for a shorter time."""
    for said, done in (("--for 5s", "--for 2s"), ("--for 8s", "--for 3s"), ("--seconds 3", "--seconds 1.5")):
        text = text.replace(said, done)
    return text


def test_the_readme_has_something_to_run() -> None:
    assert {kind for kind, _ in _MARKED.findall(README)} == {"bash", "python"}


@pytest.mark.integration
def test_the_readmes_commands_run_as_they_stand(tmp_path: Path) -> None:
    place = tmp_path / "here"
    place.mkdir()
    (place / "examples").symlink_to(ROOT / "examples")
    with environment(tmp_path) as env:
        for kind, text in _MARKED.findall(README):
            shell = ["bash", "-euo", "pipefail"] if kind == "bash" else [sys.executable]
            run([*shell, "-c", shortened(text)], place, env)


@pytest.mark.integration
def test_the_example_of_fixtures_runs_as_it_stands(tmp_path: Path) -> None:
    place = tmp_path / "here"
    place.mkdir()
    (place / "data").symlink_to(ROOT / "data")
    with environment(tmp_path) as env:
        for _, text in _MARKED.findall((ROOT / "docs" / "FIXTURES.md").read_text(encoding="utf-8")):
            said = run(["bash", "-euo", "pipefail", "-c", text], place, env)
    assert "incident/tape: 23 records" in said and "lost: 4 records left of 23" in said
    assert re.search(r"^gaps +1$", said, re.MULTILINE)


@pytest.mark.integration
def test_every_example_runs_on_a_tape(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    write_recording(tmp_path / "recording.jsonl", Plan(frames=3_000, markets=5))
    import_recording([tmp_path / "recording.jsonl"], tmp_path / "tape")
    examples = sorted((ROOT / "examples").glob("*.py"))
    assert examples
    for example in examples:
        assert run([sys.executable, example, "tape"], tmp_path, env)


def test_architecture_lists_every_module_with_the_first_line_of_its_docstring() -> None:
    listed = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").partition("| module | knows |\n|---|---|\n")[2]
    paths = [path for package in PRODUCT for path in (ROOT / package).rglob("*.py") if path.name != "__init__.py"]
    assert listed.splitlines() == [module_row(path) for path in sorted([*paths, *ROOT.glob("tapedeck*.py")])]


def module_row(path: Path) -> str:
    """A module's row in ARCHITECTURE.md."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return f"| `{path.relative_to(ROOT).as_posix()}` | {text.partition(chr(10))[0]} |"


def help_of(*command: str) -> str:
    """What `--help` prints, wide enough that nothing is broken over lines."""
    result = CliRunner().invoke(tapedeck.app, [*command, "--help"], env={"TERMINAL_WIDTH": "200", "NO_COLOR": "1"})
    assert result.exit_code == 0
    return result.output


def test_the_readme_names_every_command_and_no_other() -> None:
    offered = set(re.findall(r"^[ │|]+([a-z][a-z-]*)  +\S", help_of(), re.MULTILINE))
    assert {command for command, _ in _ROW.findall(README)} == offered


def test_the_readmes_options_are_in_the_help() -> None:
    for command, rest in _ROW.findall(README):
        text = help_of(command)
        assert [option for option in re.findall(r"--[a-z-]+", rest) if option not in text] == [], command


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    links = _LINK.findall(document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_the_changelog_speaks_of_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"## {project['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_decisions_are_numbered_without_a_hole() -> None:
    numbers = re.findall(r"^## (\d+)\. ", (ROOT / "DECISIONS.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert [int(number) for number in numbers] == list(range(1, len(numbers) + 1))


def test_the_readmes_make_targets_exist() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(re.findall(r"\bmake ([a-z-]+)", README)) <= set(targets)


# ------------------------------------------------------------------ the ten success criteria


def marks_of(path: Path, name: str) -> set[str] | None:
    """What marks a test, its module's marks included, those of single cases left out; None = there is no such test."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    named = [node for node in body if isinstance(node, ast.FunctionDef) and node.name == name]
    given = [n.value for n in body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "pytestmark"]
    plain = [mark for node in named for mark in node.decorator_list if not isinstance(mark, ast.Call)]
    texts = " ".join(map(ast.unparse, [*plain, *given]))
    return set(re.findall(r"pytest\.mark\.\w+|needs_\w+", texts)) if named else None


def test_every_success_criterion_has_tests_that_there_are_and_that_always_run() -> None:
    rows = _CRITERION.findall(README.partition("### The ten success criteria")[2])
    assert [int(number) for number, _ in rows] == list(range(1, 11))
    for number, cell in rows:
        tests = _NAMED.findall(cell)
        assert 2 <= len(tests) <= 4 and len(tests) == cell.count("::"), f"criterion {number}"
        for file, name in tests:
            marks = marks_of(ROOT / file, name)
            assert marks is not None, f"criterion {number}: {file} has no {name}"
            assert marks <= {"pytest.mark.integration"}, (
                f"criterion {number}: {name} is {marks} and does not always run"
            )


def test_make_leaves_live_tests_out_and_plain_pytest_does_not() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "DEFAULT := not (live or slow or soak or performance)" in makefile
    runs = re.findall(r"-m pytest -n auto(.*)", makefile)
    assert [run for run in runs if "$(DEFAULT)" not in run and '-m "slow or' not in run] == []
    options = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["ini_options"]
    assert options["addopts"][-2:] == ["-m", "not slow and not soak and not performance"]
