"""The real recordings as tapes, imported once a test process, and what is stated of each of them."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from tapes import TAPES

from capture.tape.reader import Tape
from replay.importer import ImportOptions, import_recording

_PLACE: Final = TemporaryDirectory(prefix="tapedeck-tests-")


class Known(NamedTuple):
    """A recording: its files in order, how many text frames it holds, whether it keeps some markets of many."""

    files: tuple[str, ...]
    frames: int
    filtered: bool


RECORDINGS: Final = {
    "gold15m/101900-00": Known(("2026-08-10.ndjson.gz",), 23_003, True),
    "gold15m/102000-00": Known(("2026-08-10.ndjson.gz", "2026-08-11.ndjson.gz"), 47_658, True),
    "gold15m/102030-30": Known(("2026-08-11.ndjson.gz",), 34_334, True),
    "gold15m/102115-15": Known(("2026-08-11.ndjson.gz",), 184_861, True),
    "btc15m/short-30s": Known((".jsonl.gz",), 2_996, False),
    "btc15m/outage-22s": Known((".jsonl.gz",), 102_555, False),
    "hourly-btc/kalshi_ws_frames": Known((".jsonl",), 74, False),
}
"""By name; the README beside the recordings counts a `connected` line of btc15m as a frame, this table does not."""

GOLD: Final = tuple(name for name in RECORDINGS if name.startswith("gold15m"))
BTC: Final = tuple(name for name in RECORDINGS if name.startswith("btc15m"))
SMALL: Final = ("btc15m/short-30s", "hourly-btc/kalshi_ws_frames")


def files_of(name: str) -> list[Path]:
    """The files of a recording."""
    known = RECORDINGS[name]
    return [TAPES / f"{name}{'' if file.startswith('.') else '/'}{file}" for file in known.files]


@cache
def tape_of(name: str) -> Tape:
    """The tape of a recording. Nobody may change it."""
    path = Path(_PLACE.name) / name.replace("/", "-")
    import_recording(files_of(name), path, ImportOptions(environment="prod", filtered=RECORDINGS[name].filtered))
    return Tape.open(path)
