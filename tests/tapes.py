"""Where the real recordings are, for tests that need them; they lie beside the project and are never copied into it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pytest

TAPES: Final = Path(__file__).resolve().parents[2] / "shared" / "tapes"

needs_tapes = pytest.mark.skipif(
    not TAPES.is_dir(), reason="the real recordings (../shared/tapes) are not beside the project"
)

LONGEST: Final = "102115-15"
"""A window of gold15m: nearly half of all recorded frames, and of a sort with three other recordings."""


def but_the_longest(cases: Iterable[Any]) -> list[Any]:
    """These parameters (a tuple each, or one value that begins with a recording's name), the longest for slow tests."""
    values = [case if isinstance(case, tuple) else (case,) for case in cases]
    return [pytest.param(*each, marks=[pytest.mark.slow] if LONGEST in str(each[0]) else []) for each in values]
