"""The report as one HTML file that needs nothing else: no network, no other file.

Knows the assets beside it and how data is put into a page safely. Must not know what the data mean. The page's
policy allows exactly the scripts that were written into it, by their hashes, and no connection to anywhere.
"""

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Final

import msgspec

from replay.progress import Progress, silent
from replay.report.building import look, page_of
from replay.report.curves import COLUMNS
from replay.report.parts import Page
from replay.report.sights import MakeJudge
from replay.report.source import Result

LIMIT_BYTES: Final = 3_000_000
"""The largest file: what a mail takes, and a browser opens at once."""

LEAST_COLUMNS: Final = 75
"""Thinner charts than this are not worth drawing."""

SCRIPTS: Final = ("echarts.min.js", "format.js", "frame.js", "run.js", "market.js", "report.js")
"""In the order in which they need each other."""


def write_report(
    result: Result,
    out: Path,
    tapes: Sequence[Path] = (),
    make_judge: MakeJudge | None = None,
    progress: Progress = silent,
) -> Page:
    """Write the report of a backtest; what it shows.

    tapes: where the result's tapes lie, in its order; without them the page says what it leaves out. make_judge: tells
    regimes, such as `strategies.regime.Detector`. The markets' charts are drawn coarser where the file would exceed
    LIMIT_BYTES. Raises OSError.
    """
    drawn = look(result, tapes, make_judge, progress)
    columns = COLUMNS
    while True:
        page = page_of(result, drawn, columns)
        text = html_of(page).encode()
        if len(text) <= LIMIT_BYTES or columns <= LEAST_COLUMNS:
            break
        columns //= 2
    aside = out.with_name(out.name + ".partial")
    aside.write_bytes(text)
    aside.rename(out)
    return page


def html_of(page: Page) -> str:
    """The text of the file."""
    assets = files("replay.report") / "assets"
    scripts = [(assets / name).read_text("utf-8") for name in SCRIPTS]
    policy = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {' '.join(map(_hashed, scripts))}"
    )
    parts = {
        "policy": escape(policy),
        "title": escape(page.top.title),
        "style": (assets / "report.css").read_text("utf-8"),
        "data": data_of(page),
        "scripts": "\n".join(f"<script>{script}</script>" for script in scripts),
    }
    text = (assets / "report.html").read_text("utf-8")
    for piece in text.split("<!--")[1:]:
        name = piece.partition("-->")[0]
        assert name in parts, f"report.html asks for {name}"
    head, *rest = text.split("<!--")
    return head + "".join(parts[name] + tail for name, _, tail in (piece.partition("-->") for piece in rest))


def data_of(page: Page) -> str:
    """The page's data as JSON that no HTML parser takes for anything else: `<`, `>` and `&` are written as escapes."""
    text = msgspec.json.encode(page).decode()
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _hashed(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
