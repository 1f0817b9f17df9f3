"""Rows of one market on their way into a file: held in memory by turns, then on disk, then read again piece by piece.

Knows numpy's structured rows. Must not know what they mean.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

ROWS_HELD: Final = 1 << 18
"""Rows in memory, of all markets: some 60 MB."""


class Spool:
    """Rows of one kind in the order in which they were put; count: of those that are on disk."""

    def __init__(self, path: Path, kind: Any) -> None:
        """path: a file of its own, which `remove` takes away. kind: the rows' dtype."""
        self.count = 0
        self._path = path
        self._kind = kind
        self._held: list[tuple[Any, ...]] = []

    def put(self, row: tuple[Any, ...]) -> None:
        """One more row; whoever puts rows calls `flush` before too many are held."""
        self._held.append(row)

    def flush(self) -> None:
        """Write what is held to disk."""
        if self._held:
            with self._path.open("ab") as file:
                file.write(np.array(self._held, self._kind).tobytes())
            self.count += len(self._held)
            self._held.clear()

    def pieces(self, rows: int) -> Iterator[Any]:
        """All rows that were flushed, at most so many at a time."""
        if not self.count:
            return
        with self._path.open("rb") as file:
            while piece := file.read(rows * self._kind.itemsize):
                yield np.frombuffer(piece, self._kind)

    def remove(self) -> None:
        """Let go of the file."""
        self._path.unlink(missing_ok=True)


class Spools:
    """The spools of an export, flushed together whenever ROWS_HELD rows are held."""

    def __init__(self) -> None:
        self._all: list[Spool] = []
        self._held = 0

    def new(self, path: Path, kind: Any) -> Spool:
        """One more."""
        spool = Spool(path, kind)
        self._all.append(spool)
        return spool

    def put(self, spool: Spool, row: tuple[Any, ...]) -> None:
        """One more row of one of them."""
        spool.put(row)
        self._held += 1
        if self._held >= ROWS_HELD:
            self.flush()

    def flush(self) -> None:
        """Write everything that is held to disk."""
        for spool in self._all:
            spool.flush()
        self._held = 0
