"""Reading tapes: the player and everything made from one. Imports `core` and `capture.tape`, nothing else of ours.

`from replay import open_tape, Player` is the Python face.
"""

from pathlib import Path

from capture.tape.reader import Tape
from replay.player import Player

__all__ = ["Player", "Tape", "open_tape"]


def open_tape(path: str | Path) -> Tape:
    """The tape at a path, for reading. Raises `TapeError` when it is none, or of a newer format."""
    return Tape.open(Path(path))
