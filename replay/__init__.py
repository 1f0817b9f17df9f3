"""Reading tapes: the player and everything made from one. Imports `core` and `capture.tape`, nothing else of ours.

`from replay import open_tape, Player` is the Python face. What it takes is imported when it is first asked for: not
everything here reads tapes, and what does costs a fifth of a second.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from capture.tape.reader import Tape
    from replay.player import Player

__all__ = ["Player", "Tape", "open_tape"]


def open_tape(path: str | Path) -> "Tape":
    """The tape at a path, for reading. Raises `TapeError` when it is none, or of a newer format."""
    from capture.tape.reader import Tape

    return Tape.open(Path(path))


def __getattr__(name: str) -> Any:
    if name == "Player":
        from replay.player import Player

        return Player
    if name == "Tape":
        from capture.tape.reader import Tape

        return Tape
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
