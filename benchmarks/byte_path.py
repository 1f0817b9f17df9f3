"""Nanoseconds a frame of each step of the byte path, beside `json.loads` and beside a loop with books of floats.

Each figure but the sums is a step alone, on what the step before it leaves. CPU time of all threads is used, so that
other work on the machine counts for little; the last table has wall time, in which reading ahead shows.
"""

import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from statistics import median
from typing import Any, Final

from benchmarks.measure import QUICK, interleaved, ratio, show
from benchmarks.recordings import Recording, recordings
from capture.tape.reader import Tape
from capture.tape.schema import NUMBERS
from capture.tape.segment import RecordGroup, SegmentFile, open_segment
from core.engine import Engine
from core.messages import decode
from core.records import Kind
from replay import Player
from replay.importer import ImportOptions, import_recording

REPETITIONS: Final = 1 if QUICK else 5
_GAP: Final = 1e-9  # floats that add up to nothing


def exhaust(things: Iterable[object]) -> None:
    """Take everything, as fast as can be."""
    deque(things, maxlen=0)


class FloatBooks:
    """What a script does: every frame parsed, books as dicts of floats, a callback that reads the best prices."""

    def __init__(self) -> None:
        self.books: dict[str, dict[str, dict[float, float]]] = {}
        self.best: tuple[float, float] = (0.0, 0.0)

    def run(self, frames: Iterable[bytes]) -> None:
        for frame in frames:
            value = json.loads(frame)
            if value["type"] == "orderbook_delta":
                self._delta(value["msg"])
            elif value["type"] == "orderbook_snapshot":
                self._snapshot(value["msg"])

    def _delta(self, msg: Mapping[str, Any]) -> None:
        book = self.books.get(msg["market_ticker"])
        if book is None:
            return
        levels, price = book[msg["side"]], float(msg["price_dollars"])
        size = levels.get(price, 0.0) + float(msg["delta_fp"])
        if size > _GAP:
            levels[price] = size
        else:
            levels.pop(price, None)
        self.on_book(book)

    def _snapshot(self, msg: Mapping[str, Any]) -> None:
        sides = {side: msg.get(f"{side}_dollars_fp", ()) for side in ("yes", "no")}
        book = {side: {float(price): float(size) for price, size in levels} for side, levels in sides.items()}
        self.books[msg["market_ticker"]] = book
        self.on_book(book)

    def on_book(self, book: Mapping[str, Mapping[float, float]]) -> None:
        """The callback."""
        self.best = max(book["yes"], default=0.0), 1.0 - max(book["no"], default=0.0)


class Steps:
    """The steps of the byte path over one tape of sealed segments, each with what it works on made before."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.files: list[SegmentFile] = [open_segment(tape.path, entry) for entry in tape.segments]
        self.records = list(tape.records())
        self.frames = [record.payload for record in self.records if record.kind == Kind.FRAME]
        self.tables = [(file, table) for file in self.files for table in file.groups(self.columns(file))]
        self.groups: list[RecordGroup] = [group for file in self.files for group in file.record_groups()]

    @staticmethod
    def columns(file: SegmentFile) -> list[str]:
        return [*NUMBERS, *file.rebuild_columns]

    def read(self) -> None:
        """Parquet to Arrow."""
        for file in self.files:
            exhaust(file.groups(self.columns(file)))

    def rebuild(self) -> None:
        """Arrow to payloads end to end."""
        for file, table in self.tables:
            file.payloads(table)

    def record(self) -> None:
        """Arrays to records."""
        for group in self.groups:
            for run in group.runs():
                exhaust(run)

    def decode(self) -> None:
        """Payloads to messages."""
        exhaust(map(decode, self.frames))

    def loads(self) -> None:
        """The same payloads by the standard library."""
        exhaust(map(json.loads, self.frames))

    def play(self) -> None:
        """All of it, and the engine."""
        Player(self.tape, "bytes", checkpoint_records=0).advance()

    def live(self) -> None:
        """What a live run does with frames as they come: nothing to read from the disk nor to rebuild."""
        engine = Engine()
        for record in self.records:
            engine.step(record)

    def script(self) -> None:
        """The loop of a script, frames in memory."""
        FloatBooks().run(self.frames)


def cpu_ns(cases: Mapping[str, Callable[[], object]], frames: int) -> dict[str, float]:
    """Median CPU ns a frame of each case; they take turns."""
    times: dict[str, list[int]] = {name: [] for name in cases}
    for _ in range(REPETITIONS):
        for name, run in cases.items():
            start = time.process_time_ns()
            run()
            times[name].append(time.process_time_ns() - start)
    return {name: median(values) / frames for name, values in times.items()}


def rows(recording: Recording, tape: Tape) -> tuple[list[str], list[str]]:
    """A line of the table of steps and a line of the table of the whole."""
    steps = Steps(tape)
    cases = {name: getattr(steps, name) for name in ("read", "rebuild", "record", "decode", "loads")}
    whole = {name: getattr(steps, name) for name in ("play", "live", "script")}
    for run in (*cases.values(), *whole.values()):
        run()  # compiles, fills caches
    spent = cpu_ns(cases, len(steps.frames))
    before = spent["read"] + spent["rebuild"] + spent["record"] + spent["decode"]
    took = interleaved(whole, REPETITIONS)
    cpu = cpu_ns(whole, len(steps.frames))
    return (
        [
            recording.name,
            *(f"{spent[name]:,.0f}" for name in cases),
            ratio(spent["loads"], spent["decode"]),
            ratio(spent["loads"], before),
        ],
        [
            recording.name,
            *(f"{took[name] / len(steps.frames) * 1e9:,.0f}" for name in whole),
            *(ratio(took["script"], took[name]) for name in ("play", "live")),
            *(ratio(cpu["script"], cpu[name]) for name in ("play", "live")),
        ],
    )


def main() -> None:
    """Import each recording once and measure it."""
    parts, wholes = [], []
    with recordings() as (found, place):
        for number, recording in enumerate(found):
            out = place / f"tape-{number}"
            import_recording(recording.files, out, ImportOptions(filtered=recording.filtered))
            part, whole = rows(recording, Tape.open(out))
            parts.append(part)
            wholes.append(whole)
    show(
        "Steps of the byte path, CPU ns a frame",
        ("step", "read", "rebuild", "record", "decode", "json.loads", "json/decode", "json/all four"),
        parts,
        [f"medians of {REPETITIONS}, taking turns; CPU of all threads"],
    )
    show(
        "The byte path with the whole store, wall ns a frame",
        ("replay", "byte path", "live", "script", "script/byte path", "script/live", "in CPU", "in CPU"),
        wholes,
        [
            "byte path: from disk, all state kept; live: the same steps of records in memory, as a live run takes them",
            "script: frames in memory, json.loads, books of floats, best prices",
        ],
    )


if __name__ == "__main__":
    main()
