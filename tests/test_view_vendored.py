"""What the view brings along of others is what DECISIONS says it is, and lies in the wheel with its licence."""

import hashlib
import re
from pathlib import Path

from replay.view.server import ASSETS

ROOT = Path(__file__).resolve().parents[1]


def test_the_chart_library_is_the_file_that_was_published() -> None:
    text = (ROOT / "DECISIONS.md").read_text(encoding="utf-8")
    [path] = (ASSETS / "vendor").glob("*.js")
    [digest] = re.findall(rf"{re.escape(path.name)}` \(SHA-256\n([0-9a-f]{{64}})", text)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
    assert f"v{path.stem.rpartition('-')[2]}" in path.read_text(encoding="utf-8")[:200]
    assert "Apache License" in (ASSETS / "vendor" / "lightweight-charts-LICENSE").read_text(encoding="utf-8")
