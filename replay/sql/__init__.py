"""SQL over tapes: `replay.sql.connect(*tapes)` gives a plain DuckDB connection with ready views (docs/SQL.md)."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from replay.query import Connection

__all__ = ["connect"]


def connect(*tapes: str | Path) -> "Connection":
    """A DuckDB connection over one or more tapes, as they are now. Raises `TapeError`."""
    from replay.sql.session import connect as connect_to

    return connect_to(*tapes)
