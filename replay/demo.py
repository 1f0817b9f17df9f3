"""The demonstration: a made-up recording becomes a tape, is verified and replayed, and ends with a picture.

Knows the story and what it proves. Must not know how text reaches people.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from capture.tape.errors import TapeError, disk_error
from capture.tape.reader import Tape
from capture.tape.verify import verify
from replay.books import BookAt, book_at
from replay.importer import import_recording
from replay.player import Player
from replay.run import Comparison, Span, compare
from replay.synthetic import Plan, write_recording

FRAMES: Final = 15_000  # so few that nothing needs compiling first
"""Enough to be felt, few enough for seconds on a small machine without the compiled scanner."""

SEED: Final = 20_260_921


class Demo(msgspec.Struct, frozen=True, kw_only=True):
    """What the demonstration found. whole: verified deeply, no problem. wall_s: the time it took."""

    tape: str
    frames: int
    recording_bytes: int
    tape_bytes: int
    whole: bool
    equal: bool
    state_digest: str
    book: BookAt
    wall_s: float


def demonstrate(place: Path, say: Callable[[str], None], *, frames: int = FRAMES) -> Demo:
    """Run it in a directory, telling each step as it comes; leaves `recording.jsonl.gz` and `tape` there.

    Raises TapeError when the directory is not empty, DiskError.
    """
    started = time.perf_counter()
    recording, path = place / "recording.jsonl.gz", place / "tape"
    try:
        place.mkdir(parents=True, exist_ok=True)
        if any(place.iterdir()):
            raise TapeError(f"{place}: is not empty; choose a new directory for the demonstration")
    except OSError as error:
        raise disk_error(error, place, "make the demonstration here") from error
    say("The data is synthetic: made from a seed, no account needed, nothing is sent anywhere.")
    write_recording(recording, Plan(frames=frames, markets=8, seed=SEED, reconnects=2))
    size = recording.stat().st_size
    say(f"1. made      {recording.name}: {frames:,} frames of 8 markets with 2 reconnects, {size:,} bytes")
    imported = import_recording([recording], path)
    say(f"2. imported  tape: {imported.records:,} records in {imported.segments} segments, every byte kept")
    report = verify(path, deep=True)
    say(f"3. verified  every frame decoded again and compared: {'whole' if report.whole else 'NOT WHOLE'}")
    comparison, book = _replayed(path)
    same = "the same state" if comparison.equal else "DIFFERENT STATES"
    by_bytes, by_columns = comparison.by_bytes, comparison.by_columns
    say(
        f"4. replayed  from the bytes ({by_bytes.frames_per_s:,.0f} frames a second) and from the columns "
        f"({by_columns.frames_per_s:,.0f}): {same}"
    )
    say(f"             {by_columns.state_digest}")
    return Demo(
        tape=str(path),
        frames=frames,
        recording_bytes=size,
        tape_bytes=sum(file.stat().st_size for file in path.rglob("*") if file.is_file()),
        whole=report.whole,
        equal=comparison.equal,
        state_digest=by_columns.state_digest,
        book=book,
        wall_s=round(time.perf_counter() - started, 3),
    )


def _replayed(path: Path) -> tuple[Comparison, BookAt]:
    tape = Tape.open(path)
    comparison = compare(tape, Span())
    player = Player(tape, "columns")
    player.advance()
    views = [player.store.view(market) for market in player.store.markets()]
    deepest = max(views, key=lambda view: min(len(view.yes), len(view.no)))
    return comparison, book_at(tape, deepest.market, None)
