"""Reading ahead changes nothing but the time it takes: what is read, where reading stops, and what is touched."""

import threading
from itertools import islice
from pathlib import Path

import pytest
from sample_records import hot_segment, record_of, sealed_tape

from capture.tape.errors import TapeDamaged
from capture.tape.reader import Tape
from capture.tape.schema import RUN_ROWS
from core.records import Record

ROWS = 2 * RUN_ROWS + 10
"""Of a segment: three runs of records, so that the second one begins to read ahead."""

RECORDS = [record_of(seq, b"%d" % seq) for seq in range(3 * ROWS)]


def tape(tmp_path: Path) -> Tape:
    root = tmp_path / "tape"
    sealed_tape(root, RECORDS, rows=ROWS)
    return Tape.open(root)


def spoil(opened: Tape, segment: int) -> None:
    path = opened.path / opened.segments[segment].file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def readers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "tape-ahead"]


@pytest.mark.parametrize("start", [0, 1, RUN_ROWS - 1, RUN_ROWS, ROWS - 1, ROWS, ROWS + RUN_ROWS + 5, 3 * ROWS])
def test_records_come_in_order_from_anywhere(tmp_path: Path, start: int) -> None:
    assert list(tape(tmp_path).records(start)) == RECORDS[start:]


@pytest.mark.parametrize("taken", [1, RUN_ROWS, RUN_ROWS + 1, ROWS, ROWS + RUN_ROWS + 1, 3 * ROWS])
def test_whoever_stops_early_leaves_no_thread_behind(tmp_path: Path, taken: int) -> None:
    records = tape(tmp_path).records()
    assert list(islice(records, taken)) == RECORDS[:taken]
    del records
    assert readers() == []


def test_damage_that_was_read_ahead_is_met_after_everything_before_it(tmp_path: Path) -> None:
    opened = tape(tmp_path)
    spoil(opened, 1)
    found: list[Record] = []
    with pytest.raises(TapeDamaged, match=f"records {ROWS} to {2 * ROWS - 1}"):
        found.extend(opened.records())
    assert found == RECORDS[:ROWS]
    assert readers() == []


def test_damage_behind_the_last_wanted_record_does_no_harm(tmp_path: Path) -> None:
    opened = tape(tmp_path)
    spoil(opened, 1)
    assert list(opened.records(0, ROWS - 1)) == RECORDS[:ROWS]


def test_the_next_segment_is_not_opened_for_the_first_records_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = tape(tmp_path)
    looked_for: list[int] = []
    find = Tape._find

    def seen(self: Tape, seq: int, after: int) -> object:
        looked_for.append(seq)
        return find(self, seq, after)

    monkeypatch.setattr(Tape, "_find", seen)
    records = opened.records()
    assert list(islice(records, RUN_ROWS)) == RECORDS[:RUN_ROWS]
    assert looked_for == [0]
    next(records)
    del records
    assert looked_for == [0, ROWS]


def test_records_appended_while_the_last_sealed_ones_are_read_are_read_too(tmp_path: Path) -> None:
    opened = tape(tmp_path)
    later = [record_of(3 * ROWS + number, b"later") for number in range(5)]
    records = opened.records(2 * ROWS)
    found = list(islice(records, ROWS))
    hot_segment(opened.path, 4, later)
    assert [*found, *records] == [*RECORDS[2 * ROWS :], *later]
