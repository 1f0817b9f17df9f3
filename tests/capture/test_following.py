"""Which markets are without a result: as records, and found again from the tape's end."""

from pathlib import Path

import pytest
from sample_tapes import Script

from capture.following import FOLLOW, FOLLOWING, UNFOLLOW, WHOLE_NS, Journal, unfinished
from capture.tape.reader import Tape
from capture.tape.writer import TapeWriter
from core.records import Control, Kind, Session, encode_payload


def test_the_first_record_names_all_and_later_ones_what_changed() -> None:
    journal = Journal()
    assert journal.update(("A", "B"), 0) == (Control(FOLLOWING, ("A", "B")),)
    assert journal.update(("A", "B"), 1) == ()
    assert journal.update(("B", "C", "D"), 2) == (Control(FOLLOW, ("C", "D")), Control(UNFOLLOW, ("A",)))
    assert journal.update((), 3) == (Control(UNFOLLOW, ("B", "C", "D")),)


def test_all_are_named_again_every_hour_and_after_a_record_was_lost() -> None:
    journal = Journal()
    journal.update(("A",), 0)
    assert journal.update(("A",), WHOLE_NS - 1) == ()
    assert journal.update(("A",), WHOLE_NS) == (Control(FOLLOWING, ("A",)),)
    journal.update(("A", "B"), WHOLE_NS + 1)
    journal.forget()
    assert journal.update(("A", "B"), WHOLE_NS + 2) == (Control(FOLLOWING, ("A", "B")),)


def test_nothing_to_follow_is_told_once() -> None:
    journal = Journal()
    assert journal.update((), 0) == (Control(FOLLOWING, ()),)
    assert journal.update((), 1) == ()


def control(script: Script, action: str, *markets: str) -> Script:
    """A CONTROL record, and frames after it."""
    script.put(Kind.CONTROL, encode_payload(Control(action, markets)), 0)
    for _ in range(10):
        script.delta("KXTEST-A", "yes", "0.4000", "1.00")
    return script


@pytest.mark.parametrize("segment_records", [3, 7, 1_000])
def test_a_later_session_finds_what_is_left_however_the_tape_is_cut_into_segments(
    tmp_path: Path, segment_records: int
) -> None:
    script = Script().session().opened().subscribed()
    control(script, FOLLOWING, "OLD")
    control(script, FOLLOWING, "A", "B")
    control(script, FOLLOW, "C")
    control(script, UNFOLLOW, "A")
    control(script, "stop")
    script.session()
    tape = script.tape(tmp_path / "tape", segment_records=segment_records)
    assert unfinished(tape, len(script.records)) == ("B", "C")


def test_records_at_and_after_the_given_one_are_not_counted(tmp_path: Path) -> None:
    script = control(Script().session().opened(), FOLLOWING, "A")
    before_seq = len(script.records)
    control(script, FOLLOWING, "B")
    tape = script.tape(tmp_path / "tape", segment_records=4)
    assert unfinished(tape, before_seq) == ("A",)
    assert unfinished(tape, before_seq + 1) == ("B",)


def test_a_tape_that_never_followed_anything_has_nothing_left(tmp_path: Path) -> None:
    script = Script().session().opened().subscribed().delta("KXTEST-A", "yes", "0.4000", "1.00")
    assert unfinished(script.tape(tmp_path / "tape", segment_records=2), 100) == ()
    assert unfinished(script.tape(tmp_path / "other"), 0) == ()


def test_what_is_not_sealed_yet_counts_too(tmp_path: Path) -> None:
    with TapeWriter.create(tmp_path / "tape", "test", Session("s", "test")) as writer:
        writer.append(Kind.CONTROL, encode_payload(Control(FOLLOWING, ("A",))))
        assert unfinished(Tape.open(tmp_path / "tape"), writer.head_seq + 1) == ("A",)
