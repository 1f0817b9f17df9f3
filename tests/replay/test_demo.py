"""The demonstration holds what it says, is the same every time, and leaves what is there alone."""

from pathlib import Path

import pytest

from capture.tape.errors import DiskError, TapeError
from replay.demo import demonstrate


def test_it_proves_what_it_tells(tmp_path: Path) -> None:
    said: list[str] = []
    demo = demonstrate(tmp_path / "new" / "demo", said.append, frames=3_000)
    assert demo.whole
    assert demo.equal
    assert demo.frames == 3_000
    assert demo.tape_bytes < demo.recording_bytes
    assert demo.book.trusted
    assert demo.book.yes
    assert demo.book.no
    assert demo.wall_s > 0
    text = "\n".join(said)
    for words in ("synthetic", "no account", "whole", "the same state", demo.state_digest):
        assert words in text


def test_it_is_the_same_every_time(tmp_path: Path) -> None:
    first, second = (demonstrate(tmp_path / name, lambda _: None, frames=2_000) for name in ("one", "two"))
    assert first.state_digest == second.state_digest
    assert first.book == second.book
    assert (tmp_path / "one" / "recording.jsonl.gz").read_bytes() == (
        tmp_path / "two" / "recording.jsonl.gz"
    ).read_bytes()


def test_a_directory_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep")
    with pytest.raises(TapeError, match="is not empty"):
        demonstrate(tmp_path, lambda _: None)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_place_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DiskError, match="file"):
        demonstrate(tmp_path / "file" / "demo", lambda _: None)
