"""How much room the tape's disk has, how fast the tape grows, and how long that will last.

Knows the sizes of a tape's files. Must not know what is in them.
"""

import shutil
from pathlib import Path
from typing import Final

from capture.status import DiskStatus
from capture.tape.layout import DAY_NS, Layout, utc_day
from core.times import SECOND_NS

LOW_BYTES: Final = 1 << 30
"""Less than this free is low: the writer's reserve, a segment, and an hour to do something about it."""

LOW_DAYS: Final = 3.0
"""Fewer days than this until the disk is full is low: an operator may be away for a weekend."""

SURE_NS: Final = 180 * SECOND_NS
"""Growth over a shorter time says nothing: segments are sealed, and thereby get their size, once a minute."""

GROWTH_EVERY_NS: Final = 60 * SECOND_NS
"""How often the files are looked at; a day has 1,440 of them."""


class DiskWatch:
    """Watches the disk of one tape from `now_ns` (wall clock, Unix ns) on."""

    def __init__(self, root: Path, now_ns: int) -> None:
        self._root = root
        self._data = Layout(root).data
        self._from_ns = now_ns
        self._looked_ns = now_ns
        self._bytes_per_day = 0

    def look(self, now_ns: int, problem: str = "") -> DiskStatus:
        """What is to be said of it now. `problem`: what the writer says keeps it from recording."""
        if now_ns - self._looked_ns >= GROWTH_EVERY_NS:
            self._looked_ns = now_ns
            self._bytes_per_day = self._growth(now_ns)
        try:
            free = shutil.disk_usage(self._root).free
        except OSError as error:
            return DiskStatus(problem=problem or f"{self._root}: {error.strerror}", low=True)
        rate = self._bytes_per_day
        days = free / rate if rate else None
        low = free < LOW_BYTES or (days is not None and days < LOW_DAYS)
        return DiskStatus(free_bytes=free, bytes_per_day=rate, days=days, low=low, problem=problem)

    def _growth(self, now_ns: int) -> int:
        """Bytes a day by what was sealed since the start, or in the last day; 0 = too early to say."""
        since_ns = max(self._from_ns, now_ns - DAY_NS)
        span_ns = now_ns - since_ns
        if span_ns < SURE_NS:
            return 0
        first_day = f"date={utc_day(since_ns - DAY_NS)}"
        size = 0
        for day in _entries(self._data):
            if day.name >= first_day:
                size += sum(found for found, at_ns in map(_stat, _entries(day)) if at_ns >= since_ns)
        return size * DAY_NS // span_ns


def _entries(path: Path) -> list[Path]:
    try:
        return list(path.iterdir())
    except OSError:
        return []


def _stat(path: Path) -> tuple[int, int]:
    """Size and time of the last change (Unix ns); (0, 0) when it is gone, for archiving removes files."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns
