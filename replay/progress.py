"""How long work tells how far it is; the command line draws it, everybody else leaves it out."""

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[int, int], None]
"""`progress(done, total)`: units are the caller's (bytes or records), `total` is 0 where it is not known."""


def silent(done: int, total: int) -> None:
    """The progress nobody looks at."""
    del done, total
