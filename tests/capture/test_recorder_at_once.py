"""capture.tape.recorder: frames that were received at once."""

from pathlib import Path

import pytest
from by_hand import Deck
from writing import ENOSPC

from capture.tape.errors import DiskError
from core.records import Kind


@pytest.fixture
def deck(tmp_path: Path) -> Deck:
    return Deck(tmp_path / "tape")


def test_frames_received_at_once_share_their_stamps_and_one_write(deck: Deck) -> None:
    deck.frame(b"first")
    deck.disk.calls.clear()
    assert deck.frames(b"a", b"b", b"c") == 3
    assert deck.disk.calls == ["write"]
    assert [record.payload for record in deck.records()] == [b"first", b"a", b"b", b"c"]
    assert len({(record.at_ns, record.mono_ns) for record in deck.records()[1:]}) == 1
    assert deck.frames() == 3


def test_frames_received_at_once_are_kept_where_each_alone_would_be(deck: Deck) -> None:
    deck.frames(b"a", b"b")  # the first of a log sets its limits
    deck.clock.advance(60)
    deck.frames(b"c", b"d")
    deck.clock.wall += 3_600 * 10**9
    deck.frames(b"e")
    assert [record.payload for record in deck.segments()[0]] == [b"a", b"b"]
    assert deck.kinds().count(Kind.CLOCK_STEP) == 1
    assert [record.payload for record in deck.records() if record.kind == Kind.FRAME] == [b"a", b"b", b"c", b"d", b"e"]


def test_of_frames_that_a_full_disk_refuses_each_is_counted(deck: Deck) -> None:
    deck.frame(b"before")
    deck.disk.faults["write"] = [ENOSPC, ENOSPC]
    with pytest.raises(DiskError):
        deck.frames(b"a", b"b", b"c")
    deck.clock.advance(2)
    deck.frames(b"d", b"e")
    assert [record.payload for record in deck.records() if record.kind == Kind.FRAME] == [b"before", b"d", b"e"]
    assert deck.gaps()[-1][1].missing == 3


def test_many_frames_at_once_ask_for_a_sync_and_end_a_segment_by_size(deck: Deck) -> None:
    deck.frame()
    deck.frames(*[b"x" * 1_000] * 5)
    assert deck.wakes == 1
    deck.frames(*[b"x" * 1_000] * 6)
    deck.frame(b"next")
    assert [len(segment) for segment in deck.segments()] == [12, 1]
