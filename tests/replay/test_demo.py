"""The demonstration's proof says no where something is wrong, and leaves what is there alone."""

from pathlib import Path

import pytest
from sample_tapes import make_tape, story

from capture.tape.errors import DiskError, TapeError
from capture.tape.reader import Tape
from core.records import Kind
from replay.demo import Demo, make_room, prove


def proved(tmp_path: Path, lose: int = 0) -> tuple[Demo, str]:
    """The proof of a made tape, as if so many of the frames that were sent had been lost."""
    make_tape(tmp_path / "tape", story(mono=True).records)
    frames = [record.payload for record in Tape.open(tmp_path / "tape").records() if record.kind == Kind.FRAME]
    said: list[str] = []
    return prove(tmp_path, [*frames, *[b"lost"] * lose], 0.0, said.append), "\n".join(said)


def test_it_tells_what_it_found(tmp_path: Path) -> None:
    demo, said = proved(tmp_path)
    assert demo.whole and demo.equal
    assert demo.sent == demo.recorded > 0
    assert (tmp_path / "recording.jsonl.gz").stat().st_size == demo.recording_bytes
    for words in ("the same bytes in the same order", "whole", "the same state", demo.state_digest):
        assert words in said


def test_a_lost_frame_is_told_and_nothing_holds(tmp_path: Path) -> None:
    demo, said = proved(tmp_path, lose=1)
    assert (demo.recorded, demo.holds) == (0, False)
    assert "NOT THE SAME" in said


def test_a_directory_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep")
    with pytest.raises(TapeError, match="is not empty"):
        make_room(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_place_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DiskError, match="file"):
        make_room(tmp_path / "file" / "demo")
