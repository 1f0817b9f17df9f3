"""The recorded sessions in data/fixtures, as tapes of a test's own."""

import shutil
from pathlib import Path
from typing import Final

from capture.tape.reader import Tape
from replay import open_tape

FIXTURES: Final = Path(__file__).resolve().parents[1] / "data" / "fixtures"


def fixture_tape(name: str, place: Path) -> Tape:
    """A copy of the fixture's tape in `place`, so that no test can touch the evidence."""
    return open_tape(shutil.copytree(FIXTURES / name / "tape", place / name))
