"""Frames a second from a packed recording to a verified tape, beside what any program pays for the same lines."""

import gzip
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.measure import REPETITIONS, interleaved, rate, ratio, show
from benchmarks.recordings import Recording, recordings
from replay.importer import ImportOptions, import_recording


def unpack(recording: Recording) -> int:
    """The least work there is: unpack and split into lines."""
    return sum(len(gzip.decompress(path.read_bytes()).split(b"\n")) for path in recording.files)


def parse(recording: Recording) -> int:
    """What a script does: unpack, split, `json.loads` each line, keep nothing."""
    count = 0
    for path in recording.files:
        with gzip.open(path) as file:
            for line in file:
                json.loads(line)
                count += 1
    return count


class Importer:
    """Imports a recording to a new tape each time."""

    def __init__(self, recording: Recording, place: Path) -> None:
        self._recording = recording
        self._place = place
        self._made = 0

    def __call__(self) -> object:
        self._made += 1
        recording = self._recording
        out = self._place / f"{recording.files[0].name}-{self._made}"
        return import_recording(recording.files, out, ImportOptions(filtered=recording.filtered))


def main() -> None:
    """Import each recording several times, in turn with the two baselines."""
    with recordings() as (found, place):
        rows = []
        for recording in found:
            importer = Importer(recording, place)
            importer()  # compiles, and reads the files from the disk
            cases: dict[str, Callable[[], object]]
            cases = {"import": importer, "parse": partial(parse, recording), "unpack": partial(unpack, recording)}
            took = interleaved(cases)
            frames = len(recording.lines())
            speeds = (rate(frames, took[name]) for name in ("import", "parse", "unpack"))
            shares = (ratio(took["parse"], took["import"]), ratio(took["unpack"], took["import"]))
            rows.append([recording.name, f"{frames:,}", *speeds, *shares])
    header = ("lines a second", "lines", "import", "json.loads", "unpack", "import/json", "import/unpack")
    notes = [
        "import: unpacked, parsed, decoded, written, fsynced, read back and compared, sealed",
        f"json.loads: unpacked and parsed only; unpack: gunzip and split only; medians of {REPETITIONS}, taking turns",
    ]
    show("Import", header, rows, notes)


if __name__ == "__main__":
    main()
