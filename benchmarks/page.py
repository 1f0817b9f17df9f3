"""The page of results: each benchmark's figures stand between two marks of its own and are replaced as a whole."""

from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "BENCHMARKS.md"


def put(page: str, name: str, text: str) -> str:
    """The page with a benchmark's figures; ValueError when it has no place for them."""
    begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->\n"
    before, begun, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    if not begun or not ended:
        raise ValueError(f"the page has no place for {name!r}: {begin.strip()} and {end.strip()}")
    return f"{before}{begin}```text\n{text.strip()}\n```\n{end}{after}"
