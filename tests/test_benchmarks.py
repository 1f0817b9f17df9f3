"""The benchmarks run: their figures are not looked at here."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from benchmarks import measure

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


@pytest.mark.integration
@pytest.mark.parametrize(
    "name",
    [
        "storage",
        "import_speed",
        "replay_speed",
        "byte_path",
        "parallel",
        pytest.param("memory", marks=pytest.mark.slow),
        "capture_speed",
    ],
)
def test_a_benchmark_runs(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", name], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 5
