from pathlib import Path

import pytest
from sample_records import hot_segment, record_of, sample_records, sealed_tape, session_records

from capture.tape import salvage
from capture.tape.errors import TapeDamaged
from capture.tape.layout import Layout
from capture.tape.scan import Verdict, iter_segment, scan_segment
from core.records import Kind, Record, decode_gap

RECORDS = sample_records(60)


def altered_hot(tmp_path: Path, *places: int) -> Path:
    """A hot segment of RECORDS with one byte of the payload of these records changed."""
    sealed_tape(tmp_path / "tape", [])
    hot_segment(tmp_path / "tape", 1, RECORDS)
    path = Layout(tmp_path / "tape").hot(1)
    content = bytearray(path.read_bytes())
    for place in places:
        at = 40 + sum(len(record.payload) + 36 for record in RECORDS[:place])
        content[at + 33] ^= 0x20
    path.write_bytes(content)
    return path


def test_records_behind_a_broken_place_are_found(tmp_path: Path) -> None:
    path = altered_hot(tmp_path, 20)
    scan = scan_segment(path)
    assert (scan.verdict, scan.next_seq) == (Verdict.CORRUPT, 20)
    assert list(iter_segment(path)) == RECORDS[:20]
    assert list(salvage.behind_damage(scan, None)) == RECORDS[21:]
    assert list(salvage.behind_damage(scan, 40)) == RECORDS[21:40]


def test_a_second_broken_place_ends_what_is_found(tmp_path: Path) -> None:
    scan = scan_segment(altered_hot(tmp_path, 20, 30))
    assert list(salvage.behind_damage(scan, None)) == RECORDS[21:30]


def test_nothing_is_found_behind_a_torn_tail(tmp_path: Path) -> None:
    path = altered_hot(tmp_path)
    path.write_bytes(path.read_bytes()[:-5])
    scan = scan_segment(path)
    assert scan.verdict is Verdict.TORN
    assert list(salvage.behind_damage(scan, None)) == []


def test_records_without_a_hole_pass_unchanged() -> None:
    assert list(salvage.without_holes(RECORDS, 0, None)) == RECORDS
    assert list(salvage.without_holes(RECORDS, 10, RECORDS[9])) == RECORDS[10:]


@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_each_lost_record_has_a_stand_in_and_the_loss_is_one_gap(count: int) -> None:
    kept = RECORDS[:5] + RECORDS[5 + count :]
    filled = list(salvage.without_holes(kept, 0, None))
    assert [record.seq for record in filled] == list(range(60))
    assert filled[:5] == RECORDS[:5]
    assert filled[5 + count :] == RECORDS[5 + count :]
    stand_ins = filled[5 : 5 + count]
    kinds = [record.kind for record in stand_ins]
    assert kinds == [Kind.GAP_OPEN, *[Kind.FAULT] * (count - 2), Kind.GAP_CLOSE][-count:]
    gap = decode_gap(stand_ins[-1].payload)
    assert (gap.reason, gap.missing) == ("damage", count)
    assert (gap.from_ns, gap.until_ns) == (RECORDS[4].at_ns, RECORDS[5 + count].at_ns)
    assert {(record.at_ns, record.mono_ns) for record in stand_ins} == {(RECORDS[4].at_ns, RECORDS[4].mono_ns)}


def test_a_hole_at_the_very_beginning_is_filled_too() -> None:
    filled = list(salvage.without_holes(RECORDS[3:], 0, None))
    assert [record.seq for record in filled] == list(range(60))
    assert filled[3:] == RECORDS[3:]


def test_a_number_far_beyond_is_no_loss_but_damage() -> None:
    far = Record(1 << 40, 0, 0, 0, Kind.FRAME, b"")
    with pytest.raises(TapeDamaged, match="segment before it is missing"):
        list(salvage.without_holes([far], 0, None))


@pytest.mark.parametrize("kind", [Kind.CLEAN_STOP, Kind.GAP_OPEN])
def test_an_end_that_explains_itself_gets_no_gap(kind: Kind) -> None:
    records = [record_of(0, b""), record_of(1, b"{}", kind=kind)]
    assert list(salvage.explained(records)) == records


def test_an_end_without_a_word_gets_a_gap_with_the_stamps_of_the_last_record() -> None:
    *same, gap = salvage.explained(RECORDS)
    assert same == RECORDS
    assert (gap.seq, gap.at_ns, gap.mono_ns, gap.kind) == (60, same[-1].at_ns, same[-1].mono_ns, Kind.GAP_OPEN)
    assert (decode_gap(gap.payload).reason, decode_gap(gap.payload).from_ns) == ("crash", same[-1].at_ns)


def test_a_loss_behind_a_clean_stop_is_a_gap_all_the_same() -> None:
    records = session_records(5)
    *same, gap = salvage.explained(records, lost="torn")
    assert same == records
    assert decode_gap(gap.payload).detail == "torn"
