"""Which function writes which format.

Knows their names. What a format needs is imported when it is asked for.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from capture.tape.reader import Tape
from core.errors import ConfigError
from replay.exports.terms import Choice, Exported
from replay.progress import Progress, silent

FORMATS: Final = ("csv", "hftbacktest", "nautilus")


def export_to(form: str, tape: Tape, out: Path, choice: Choice, progress: Progress = silent) -> Exported:
    """Write one of FORMATS. Raises ValueError for another, ConfigError where its library is missing, and what its own
    function raises."""
    write: Callable[[Tape, Path, Choice, Progress], Exported]
    match form:
        case "csv":
            from replay.exports.tables import export_csv as write
        case "hftbacktest":
            from replay.exports.hft import export_hftbacktest as write
        case "nautilus":
            write = _nautilus()
        case _:
            raise ValueError(f"format {form!r} is none of {', '.join(FORMATS)}")
    return write(tape, out, choice, progress)


def _nautilus() -> Callable[[Tape, Path, Choice, Progress], Exported]:
    try:
        from replay.exports.nautilus import export_nautilus
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "nautilus_trader":
            raise
        raise ConfigError(
            "--to nautilus needs nautilus_trader, which is not installed: pip install 'tapedeck[nautilus]'"
        ) from error
    return export_nautilus
