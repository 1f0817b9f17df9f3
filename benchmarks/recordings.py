"""The recordings that are measured: real ones where they lie beside the project, and made ones anywhere."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.measure import QUICK
from replay.synthetic import Plan, write_recording

TAPES: Final = Path(__file__).resolve().parents[2] / "shared" / "tapes"
MADE_FRAMES: Final = 5_000 if QUICK else 200_000


@dataclass(frozen=True, slots=True)
class Recording:
    """Files of one recording, in order. filtered: its seq counts frames of markets that are not in it."""

    name: str
    files: tuple[Path, ...]
    filtered: bool

    def lines(self) -> list[bytes]:
        """Every line, unpacked, line ends included."""
        return [line for path in self.files for line in gzip.decompress(path.read_bytes()).splitlines(keepends=True)]


@contextmanager
def recordings() -> Iterator[tuple[list[Recording], Path]]:
    """What there is to measure, and a directory to work in that goes away afterwards."""
    with TemporaryDirectory(prefix="tapedeck-bench-") as name:
        place = Path(name)
        yield [*([] if QUICK else real()), made(place, MADE_FRAMES)], place


def real() -> list[Recording]:
    """The busiest gold and bitcoin recordings, when they are there."""
    gold = tuple(sorted((TAPES / "gold15m" / "102115-15").glob("*.ndjson.gz")))
    bitcoin = (TAPES / "btc15m" / "outage-22s.jsonl.gz",)
    found = [Recording("gold15m 102115-15", gold, True), Recording("btc15m outage-22s", bitcoin, False)]
    return [recording for recording in found if recording.files and all(path.is_file() for path in recording.files)]


def made(place: Path, frames: int) -> Recording:
    """A synthetic recording of about that many frames."""
    path = place / f"made-{frames}.jsonl.gz"
    write_recording(path, Plan(frames=frames))
    return Recording("synthetic", (path,), False)
