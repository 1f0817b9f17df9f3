"""capture.tape.tail: everything once and in order, whatever the recorder does between two looks."""

import random
from pathlib import Path

import pytest
from lives import create
from writing import session

from capture.tape import reader
from capture.tape.layout import hot_numbers
from capture.tape.reader import Tape
from capture.tape.recorder import WriterOptions
from capture.tape.tail import Tail
from capture.tape.writer import TapeWriter
from core.records import Kind, Record

ROLLING = WriterOptions(sync_interval_s=0.002, roll_bytes=2_000, roll_s=60, reserve_bytes=4_096)


def append(writer: TapeWriter, count: int) -> None:
    for _ in range(count):
        writer.append(Kind.FRAME, b"%d" % (writer.head_seq + 1), 1)


def test_it_gives_what_has_come_since_and_nothing_twice(tmp_path: Path) -> None:
    with create(tmp_path / "tape") as writer:
        append(writer, 3)
        tail = Tail(Tape.open(tmp_path / "tape"), 0)
        assert [record.seq for record in tail.take()] == [0, 1, 2, 3]
        assert tail.take() == []
        append(writer, 2)
        assert [record.payload for record in tail.take()] == [b"4", b"5"]
        assert tail.next_seq == 6


def test_one_call_gives_no_more_than_asked_for(tmp_path: Path) -> None:
    with create(tmp_path / "tape") as writer:
        append(writer, 9)
        tail = Tail(Tape.open(tmp_path / "tape"), 2)
        assert [[record.seq for record in tail.take(3)] for _ in range(4)] == [[2, 3, 4], [5, 6, 7], [8, 9], []]


def test_what_is_known_already_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    taken = Tail._taken

    def counting(self: Tail, most: int) -> list[Record]:
        found = taken(self, most)
        looked.append(len(found))
        return found

    monkeypatch.setattr(Tail, "_taken", counting)
    monkeypatch.setattr(reader.Tape, "records", None)
    with create(tmp_path / "tape") as writer:
        append(writer, 500)
        tail = Tail(Tape.open(tmp_path / "tape"), 0)
        tail.take()
        offset = tail._hot._offset if tail._hot else 0
        append(writer, 1)
        assert len(tail.take()) == 1
        assert offset > 500
        assert sum(looked) == 502


@pytest.mark.parametrize("seed", range(6))
def test_it_goes_on_through_rolls_and_through_sealing(seed: int, tmp_path: Path) -> None:
    dice = random.Random(seed)
    path = tmp_path / "tape"
    seen: list[Record] = []
    with TapeWriter.create(path, "demo", session(), options=ROLLING) as writer:
        tail = Tail(Tape.open(path), 0)
        for _ in range(40):
            append(writer, dice.randrange(30))
            if dice.random() < 0.3:
                seen += tail.take(dice.choice((5, 10_000)))
        while records := tail.take():
            seen += records
    while records := tail.take():
        seen += records
    assert seen == list(Tape.open(path).records())
    assert [record.seq for record in seen] == list(range(len(seen)))


def test_a_segment_that_is_sealed_and_gone_is_read_from_where_it_is_now(tmp_path: Path) -> None:
    path = tmp_path / "tape"
    with TapeWriter.create(path, "demo", session(), options=ROLLING) as writer:
        append(writer, 20)
        tail = Tail(Tape.open(path), 0)
        first = tail.take(5)
        append(writer, 200)
    tape = Tape.open(path)
    assert not hot_numbers(tape.layout), "all of it is sealed"
    seen = first
    while records := tail.take(50):
        seen += records
    assert seen == list(tape.records())
