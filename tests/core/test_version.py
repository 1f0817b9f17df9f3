"""The version stands in one place of the source and in pyproject.toml, and nowhere else."""

import tomllib
from pathlib import Path

from capture import startup
from core.version import VERSION


def test_the_version_is_that_of_the_project_and_of_what_is_recorded() -> None:
    project = Path(__file__).resolve().parents[2] / "pyproject.toml"
    assert tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"] == VERSION
    assert startup.VERSION == VERSION
