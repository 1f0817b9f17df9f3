"""The demonstration's proof says no where something is wrong, and leaves what is there alone."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from lived import anew, lived
from sample_tapes import make_tape

from capture.tape.errors import DiskError, TapeError
from capture.tape.reader import Tape
from core.records import Kind, Record
from replay.demo import Account, Demo, Traded, make_room, prove

ACCOUNT = Account(cash=10_000_000_000, fees=0, positions={})


def proved(tmp_path: Path, records: list[Record] | None = None, lose: int = 0, **theirs: Any) -> tuple[Demo, str]:
    """The proof of a made run, as if so many frames had been lost, or the exchange had another account."""
    make_tape(tmp_path / "tape", records or lived())
    frames = [record.payload for record in Tape.open(tmp_path / "tape").records() if record.kind == Kind.FRAME]
    said: list[str] = []
    run = Traded(
        sent=(*frames, *[b"lost"] * lose), ours=ACCOUNT, theirs=msgspec.structs.replace(ACCOUNT, **theirs), pnl=0
    )
    return prove(tmp_path, run, 0.0, said.append), "\n".join(said)


def test_it_tells_what_it_found(tmp_path: Path) -> None:
    demo, said = proved(tmp_path)
    assert demo.whole and demo.equal and demo.parity and demo.account_equal and demo.holds
    assert demo.sent == demo.recorded > 0 and demo.decisions > demo.orders > 0
    assert (tmp_path / "recording.jsonl.gz").stat().st_size == demo.recording_bytes
    for words in ("the same bytes in the same order", "whole", "the same state", demo.state_digest, "one by one"):
        assert words in said
    assert demo.picture[0].startswith("KXTEST-") and len(demo.picture) > 5


def test_a_lost_frame_is_told_and_nothing_holds(tmp_path: Path) -> None:
    demo, said = proved(tmp_path, lose=1)
    assert (demo.recorded, demo.holds) == (0, False)
    assert "NOT THE SAME" in said


def test_a_decision_that_is_not_the_replays_is_told_and_nothing_holds(tmp_path: Path) -> None:
    records = lived()
    first = next(number for number, record in enumerate(records) if record.kind == Kind.DECISION)
    demo, said = proved(tmp_path, anew(records[:first] + records[first + 1 :]))
    assert (demo.parity, demo.holds) == (False, False)
    assert "NOT EQUAL" in said


@pytest.mark.parametrize(
    "theirs", [{"cash": 9_999_999_999}, {"fees": 1}, {"positions": {"KXTEST-A": 100}}, {"resting": 1}]
)
def test_another_account_at_the_exchange_is_told_and_nothing_holds(tmp_path: Path, theirs: dict[str, Any]) -> None:
    demo, said = proved(tmp_path, **theirs)
    assert (demo.account_equal, demo.holds) == (False, False)
    assert "NOT AS THE EXCHANGE HAS IT" in said


def test_a_directory_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep")
    with pytest.raises(TapeError, match="is not empty"):
        make_room(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_place_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DiskError, match="file"):
        make_room(tmp_path / "file" / "demo")
