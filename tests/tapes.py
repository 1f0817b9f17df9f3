"""Where the real recordings are, for tests that need them; they lie beside the project and are never copied into it."""

from pathlib import Path
from typing import Final

import pytest

TAPES: Final = Path(__file__).resolve().parents[2] / "shared" / "tapes"

needs_tapes = pytest.mark.skipif(
    not TAPES.is_dir(), reason="the real recordings (../shared/tapes) are not beside the project"
)
