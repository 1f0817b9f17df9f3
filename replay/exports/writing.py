"""Which function writes which format.

Knows their names. What a format needs is imported when it is asked for.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from capture.tape.reader import Tape
from replay.exports.terms import Choice, Exported
from replay.progress import Progress, silent

FORMATS: Final = ("csv", "hftbacktest")


def export_to(form: str, tape: Tape, out: Path, choice: Choice, progress: Progress = silent) -> Exported:
    """Write one of FORMATS. Raises ValueError for another, and what its own function raises."""
    write: Callable[[Tape, Path, Choice, Progress], Exported]
    match form:
        case "csv":
            from replay.exports.tables import export_csv as write
        case "hftbacktest":
            from replay.exports.hft import export_hftbacktest as write
        case _:
            raise ValueError(f"format {form!r} is none of {', '.join(FORMATS)}")
    return write(tape, out, choice, progress)
