"""Frames a second of a whole replay with every book kept, by bytes and by columns, beside a loop of `json.loads`."""

import json

from benchmarks.measure import REPETITIONS, interleaved, rate, ratio, show
from benchmarks.recordings import Recording, recordings
from capture.tape.reader import Tape
from core.records import Kind
from replay import Player
from replay.importer import ImportOptions, import_recording


class Replay:
    """Plays a tape from the beginning by one path, checkpoints left out; remembers the state it led to."""

    def __init__(self, tape: Tape, path: str) -> None:
        self._tape = tape
        self._path = path
        self.digest = ""

    def __call__(self) -> None:
        player = Player(self._tape, self._path, checkpoint_records=0)
        player.advance()
        self.digest = player.state_digest()


def parse(frames: list[bytes]) -> None:
    """What a script does, books not counted."""
    for frame in frames:
        json.loads(frame)


def row(recording: Recording, tape: Tape) -> list[str]:
    """One line of the table; the two paths must agree on the state."""
    frames = [record.payload for record in tape.records() if record.kind == Kind.FRAME]
    by_bytes, by_columns = Replay(tape, "bytes"), Replay(tape, "columns")
    by_columns()  # compiles
    took = interleaved({"bytes": by_bytes, "columns": by_columns, "parse": lambda: parse(frames)})
    assert by_bytes.digest == by_columns.digest, f"{recording.name}: the paths disagree"
    speeds = (rate(len(frames), took[name]) for name in ("bytes", "columns", "parse"))
    shares = (ratio(took["parse"], took[name]) for name in ("bytes", "columns"))
    return [recording.name, f"{len(frames):,}", *speeds, *shares]


def main() -> None:
    """Import each recording once and replay it several times."""
    with recordings() as (found, place):
        rows = []
        for number, recording in enumerate(found):
            out = place / f"tape-{number}"
            import_recording(recording.files, out, ImportOptions(filtered=recording.filtered))
            rows.append(row(recording, Tape.open(out)))
    header = ("frames a second", "frames", "bytes", "columns", "json.loads", "bytes/json", "columns/json")
    notes = [
        "bytes, columns: read from disk, all state kept, digest at the end; the digests are equal",
        f"json.loads: frames already in memory, parsed, nothing kept; medians of {REPETITIONS}, taking turns",
    ]
    show("Replay", header, rows, notes)


if __name__ == "__main__":
    main()
