"""The libraries that exports are for, hftbacktest and nautilus_trader, in a Python of their own (`make libraries`).

They are far larger than all else that tests need, and want other versions of it. TAPEDECK_LIBRARIES_PYTHON names
another Python that has them and what Tapedeck needs.
"""

import json
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[1]
PATIENCE_S: Final = 250.0


@cache
def python() -> str:
    """A Python that has them, "" = none."""
    found = os.environ.get("TAPEDECK_LIBRARIES_PYTHON") or str(ROOT / ".venv-libraries" / "bin" / "python")
    try:
        find = "from importlib.util import find_spec as find; assert find('hftbacktest') and find('nautilus_trader')"
        done = subprocess.run([found, "-c", find], check=False, capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found if done.returncode == 0 else ""


needs_libraries = pytest.mark.skipif(
    not python(),
    reason="no Python with hftbacktest and nautilus_trader: `make libraries`, or TAPEDECK_LIBRARIES_PYTHON",
)


def asked(script: Path, *arguments: str, value: Any = None) -> Any:
    """What a script answers in that Python: JSON in, JSON out. A failure shows what it said."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [python(), str(script), *arguments], input=json.dumps(value), check=False, capture_output=True, text=True,
        timeout=PATIENCE_S, env=env,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4_000:]
    return json.loads(done.stdout)
