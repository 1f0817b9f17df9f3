"""The work whose memory is measured, one kind a process. Each needs what `make` left in the same place."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from capture.tape.reader import Tape
from capture.tape.recorder import WriterOptions
from capture.tape.verify import verify
from capture.tape.writer import TapeWriter
from core.records import Kind, Session
from replay import Player
from replay.importer import import_recording
from replay.synthetic import Plan, recording, write_recording


def run(name: str, place: Path, frames: int) -> None:
    """Do one kind of work on a recording of that many frames."""
    WORK[name](place / str(frames), frames)


def _nothing(place: Path, frames: int) -> None:
    del place, frames


def _make(place: Path, frames: int) -> None:
    place.mkdir()
    write_recording(place / "recording.jsonl.gz", Plan(frames=frames))


def _import(place: Path, frames: int) -> None:
    del frames
    import_recording([place / "recording.jsonl.gz"], place / "tape")


def _append(place: Path, frames: int) -> None:
    _record(place / "appended", frames, WriterOptions(sync_interval_s=1.0, roll_bytes=16 << 20))


def _append_apart(place: Path, frames: int) -> None:
    _record(place / "apart", frames, WriterOptions(sync_interval_s=1.0, seal_apart=True))


def _record(tape: Path, frames: int, options: WriterOptions) -> None:
    session = Session(uuid="benchmark", environment="benchmark")
    with TapeWriter.create(tape, "benchmark", session, options=options) as writer:
        for event in recording(Plan(frames=frames)):
            if event.frame is not None:
                writer.append(Kind.FRAME, event.frame.encode(), connection=event.connection)


def _replay(path: str) -> Callable[[Path, int], None]:
    def play(place: Path, frames: int) -> None:
        del frames
        player = Player(Tape.open(place / "tape"), path, checkpoint_records=0)
        player.advance()

    return play


def _verify(place: Path, frames: int) -> None:
    del frames
    report = verify(place / "tape", deep=True)
    assert not report.problems, report.problems


WORK: Final[dict[str, Callable[[Path, int], None]]] = {
    "make": _make,
    "nothing": _nothing,
    "import": _import,
    "append and seal": _append,
    "seal apart": _append_apart,
    "replay, bytes": _replay("bytes"),
    "replay, columns": _replay("columns"),
    "verify, deep": _verify,
}
