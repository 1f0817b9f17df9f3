"""capture.tape.recorder: stamps, clock steps, when a segment is full, and what a full disk means."""

import threading
from pathlib import Path

import msgspec
import pytest
from by_hand import OPTIONS, Deck
from writing import DAY_NS, EIO, ENOSPC, HandClock

from capture.tape.clock import ClockStep
from capture.tape.errors import DiskError, TapeError
from capture.tape.hotlog import OVERHEAD
from capture.tape.recorder import WriterOptions
from core.records import Kind, StoredGap

SMALL_MEMORY = WriterOptions(sync_bytes=4_000, memory_bytes=8_000, reserve_bytes=0, retry_s=3_600)


@pytest.fixture
def deck(tmp_path: Path) -> Deck:
    return Deck(tmp_path / "tape")


def test_a_record_gets_the_next_seq_and_both_stamps(deck: Deck) -> None:
    assert deck.frame(b"a") == 0
    deck.clock.advance(1.5)
    assert deck.frame(b"b") == 1
    first, second = deck.records()
    assert second.at_ns - first.at_ns == second.mono_ns - first.mono_ns == 1_500_000_000
    assert (second.at_ns, second.mono_ns) == (deck.clock.wall, deck.clock.mono)
    assert (second.kind, second.connection, second.payload) == (Kind.FRAME, 1, b"b")


def test_a_clock_that_is_set_is_recorded_before_the_next_record_with_its_stamps(deck: Deck) -> None:
    deck.frame()
    deck.clock.wall -= 3_600 * 10**9
    assert deck.frame() == 2
    first, step, second = deck.records()
    assert msgspec.json.decode(step.payload, type=ClockStep) == ClockStep(-3_600 * 10**9)
    assert (step.kind, step.connection) == (Kind.CLOCK_STEP, 0)
    assert (step.at_ns, step.mono_ns) == (second.at_ns, second.mono_ns)
    assert second.at_ns < first.at_ns, "stamps are told as they were; order is seq"
    deck.frame()
    assert deck.kinds().count(Kind.CLOCK_STEP) == 1


def test_49_ms_are_no_step_and_51_are(deck: Deck) -> None:
    deck.frame()
    deck.clock.wall += 49_000_000
    deck.frame()
    assert deck.kinds() == [Kind.FRAME] * 2
    deck.clock.wall += 51_000_000
    deck.frame()
    assert deck.kinds() == [Kind.FRAME, Kind.FRAME, Kind.CLOCK_STEP, Kind.FRAME]


def test_a_step_is_not_lost_when_the_disk_refuses_its_record(deck: Deck) -> None:
    deck.frame()
    deck.clock.wall += 10**9
    deck.disk.faults["write"] = [ENOSPC, ENOSPC]
    with pytest.raises(DiskError):
        deck.frame()
    deck.clock.advance(2)
    deck.frame()
    assert deck.kinds() == [Kind.FRAME, Kind.CLOCK_STEP, Kind.GAP_CLOSE, Kind.FRAME]


def test_a_segment_ends_by_time_at_the_first_record_after_it(deck: Deck) -> None:
    deck.frame()
    deck.clock.advance(59.9)
    deck.frame()
    deck.clock.advance(0.2)
    deck.frame()
    assert [len(segment) for segment in deck.segments()] == [2, 1]
    assert deck.finished == [1]


def test_a_quiet_segment_ends_by_time_alone(deck: Deck) -> None:
    deck.frame()
    deck.clock.advance(61)
    deck.tick()
    assert deck.finished == [1]
    deck.clock.advance(61)
    deck.tick()
    assert deck.finished == [1], "an empty segment is kept"
    deck.frame()
    assert [len(segment) for segment in deck.segments()] == [1, 1]


def test_a_segment_ends_by_size(deck: Deck) -> None:
    for _ in range(30):
        deck.frame(bytes(1_000 - OVERHEAD))
    assert [len(segment) for segment in deck.segments()] == [10, 10, 10]


def test_one_record_may_be_larger_than_a_segment(deck: Deck) -> None:
    for _ in range(3):
        deck.frame(bytes(20_000))
    assert [len(segment) for segment in deck.segments()] == [1, 1, 1]


@pytest.mark.parametrize("start", [0, 59 * DAY_NS, 20_323 * DAY_NS])
def test_no_segment_spans_two_days(tmp_path: Path, start: int) -> None:
    clock = HandClock(wall_ns=start + DAY_NS - 30 * 10**9)
    deck = Deck(tmp_path / "tape", WriterOptions(roll_s=1e6, reserve_bytes=0), clock)
    for _ in range(24):
        deck.frame()
        clock.advance(3_600 * 3)
    days = [{record.at_ns // DAY_NS for record in segment} for segment in deck.segments()]
    assert all(len(day) == 1 for day in days)
    assert [day for segment in days for day in segment] == [start // DAY_NS + index for index in range(4)]


def test_a_clock_set_back_over_midnight_begins_a_segment_of_the_day_before(tmp_path: Path) -> None:
    clock = HandClock(wall_ns=100 * DAY_NS + 5)
    deck = Deck(tmp_path / "tape", OPTIONS, clock)
    deck.frame()
    clock.wall -= 60 * 10**9
    deck.frame()
    assert [[record.at_ns // DAY_NS for record in segment] for segment in deck.segments()] == [[100], [99, 99]]


def test_a_sync_is_asked_for_every_so_many_bytes(deck: Deck) -> None:
    for count in range(1, 9):
        deck.frame(bytes(1_000 - OVERHEAD))
        assert deck.wakes == count // 4


def test_too_much_in_memory_makes_append_wait_for_the_disk(tmp_path: Path) -> None:
    deck = Deck(tmp_path / "tape", SMALL_MEMORY)
    for _ in range(8):
        deck.frame(bytes(1_000 - OVERHEAD))
    waiting = threading.Thread(target=deck.frame, daemon=True)
    waiting.start()
    waiting.join(0.05)
    assert waiting.is_alive() and deck.log.head_seq == 7
    deck.log.sync()
    waiting.join(20)
    assert (deck.log.head_seq, deck.log.durable_seq) == (8, 7)


@pytest.mark.parametrize("what", ["halt", "outage"])
def test_whoever_waits_for_the_disk_is_told_when_that_is_in_vain(tmp_path: Path, what: str) -> None:
    deck = Deck(tmp_path / "tape", SMALL_MEMORY)
    for _ in range(8):
        deck.frame(bytes(1_000 - OVERHEAD))
    told: list[str] = []

    def wait() -> None:
        with pytest.raises(TapeError) as raised:
            deck.frame()
        told.append(str(raised.value))

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    waiting.join(0.05)
    with deck.lock:
        if what == "halt":
            deck.recorder.halt("stopped by the test")
        else:
            deck.recorder.suspend(OSError(EIO, "broken by the test"), sync=True)
    waiting.join(20)
    assert len(told) == 1 and "by the test" in told[0]


def test_a_full_disk_refuses_frees_the_reserve_and_says_so(deck: Deck) -> None:
    deck.frame()
    deck.disk.faults["write"] = [ENOSPC]
    with pytest.raises(DiskError, match="No space left on device; free some space, then recording resumes by itself"):
        deck.frame(b"lost")
    assert not deck.layout.reserve.exists()
    opened = StoredGap("disk_full", from_ns=deck.clock.wall, detail="No space left on device")
    assert deck.gaps() == [(Kind.GAP_OPEN, opened)]
    assert deck.recorder.problem


def test_while_the_disk_is_full_frames_are_refused_without_asking_it_and_last_words_are_not(deck: Deck) -> None:
    deck.disk.faults["write"] = [ENOSPC]
    with pytest.raises(DiskError):
        deck.frame()
    deck.disk.calls.clear()
    for kind in (Kind.FRAME, Kind.FRAME_PING, Kind.SENT, Kind.DECISION):
        with pytest.raises(DiskError):
            deck.frame(kind=kind)
    assert deck.disk.calls == []
    deck.frame(kind=Kind.HEARTBEAT)
    deck.frame(kind=Kind.CLOSED)
    assert deck.kinds() == [Kind.GAP_OPEN, Kind.HEARTBEAT, Kind.CLOSED]


def test_recording_resumes_by_itself_with_the_whole_gap_and_the_number_of_frames_missing(deck: Deck) -> None:
    deck.frame(b"before")
    from_ns = deck.clock.wall
    deck.disk.faults["write"] = [ENOSPC]
    deck.disk.always["reserve"] = ENOSPC
    for index in range(31):
        with pytest.raises(DiskError):
            deck.frame(b"%d" % index, kind=Kind.FRAME if index % 2 else Kind.FRAME_PING)
        with pytest.raises(DiskError):
            deck.frame(kind=Kind.TICK)
        deck.clock.advance(0.1)
    assert deck.disk.calls.count("reserve") == 3, "tried once a second"
    deck.disk.always.clear()
    deck.clock.advance(1)
    assert deck.frame(b"after") == 3
    assert deck.layout.reserve.exists()
    assert deck.recorder.problem == ""
    closed = StoredGap(
        "disk_full", from_ns=from_ns, until_ns=deck.clock.wall, missing=31, detail="No space left on device"
    )
    assert deck.gaps()[1:] == [(Kind.GAP_CLOSE, closed)]
    assert deck.kinds() == [Kind.FRAME, Kind.GAP_OPEN, Kind.GAP_CLOSE, Kind.FRAME]


def test_an_outage_ends_without_a_record_to_append(deck: Deck) -> None:
    deck.disk.faults["write"] = [ENOSPC]
    with pytest.raises(DiskError):
        deck.frame()
    deck.tick()
    assert deck.kinds() == [Kind.GAP_OPEN]
    deck.clock.advance(1)
    deck.tick()
    assert deck.kinds() == [Kind.GAP_OPEN, Kind.GAP_CLOSE]


def test_when_not_even_the_opening_of_the_gap_can_be_written_its_close_tells_all(deck: Deck) -> None:
    from_ns = deck.clock.wall
    deck.disk.faults["write"] = [ENOSPC, ENOSPC]
    with pytest.raises(DiskError):
        deck.frame()
    deck.clock.advance(1)
    deck.frame()
    ((kind, gap),) = deck.gaps()
    assert (kind, gap.from_ns, gap.until_ns, gap.missing) == (Kind.GAP_CLOSE, from_ns, deck.clock.wall, 1)


def test_when_the_first_record_after_the_reserve_is_refused_the_reserve_is_given_up_again(deck: Deck) -> None:
    deck.disk.faults["write"] = [ENOSPC, 0, ENOSPC]
    with pytest.raises(DiskError):
        deck.frame()
    deck.clock.advance(1)
    with pytest.raises(DiskError):
        deck.frame()
    assert not deck.layout.reserve.exists()
    deck.clock.advance(1)
    deck.frame()
    assert deck.kinds() == [Kind.GAP_OPEN, Kind.GAP_CLOSE, Kind.FRAME]
    assert deck.gaps()[1][1].missing == 2


def test_a_bad_disk_is_no_full_one(deck: Deck) -> None:
    deck.disk.always["write"] = EIO
    with pytest.raises(DiskError, match="Input/output error"):
        deck.frame()
    deck.disk.always.clear()
    deck.clock.advance(1)
    deck.frame()
    assert [gap.reason for _, gap in deck.gaps()] == ["write_failed"]


def test_a_failed_sync_that_cannot_be_moved_stops_appends_until_it_can(deck: Deck) -> None:
    deck.frame(b"a")
    deck.frame(b"b")
    deck.disk.faults["fdatasync"], deck.disk.always["create"] = [EIO], EIO
    with pytest.raises(OSError) as raised:
        deck.log.sync()
    with deck.lock:
        deck.recorder.suspend(raised.value, sync=True)
    with pytest.raises(DiskError):
        deck.frame(b"lost")
    assert deck.log.durable_seq == -1
    deck.disk.always.clear()
    deck.clock.advance(1)
    deck.frame(b"c")
    assert [record.payload for record in deck.records() if record.kind == Kind.FRAME] == [b"a", b"b", b"c"]
    ((kind, gap),) = deck.gaps()
    assert (kind, gap.reason, gap.missing) == (Kind.GAP_CLOSE, "sync_failed", 1)
    assert deck.log.durable_seq == 1


def test_without_room_for_a_new_segment_the_old_one_grows(deck: Deck) -> None:
    deck.disk.always["create"] = ENOSPC
    for _ in range(25):
        deck.frame(bytes(1_000 - OVERHEAD))
        deck.clock.advance(0.001)
        deck.log.sync()
    assert [len(segment) for segment in deck.segments()] == [25]
    assert deck.disk.calls.count("create") == 2, "tried again after as many bytes, not at every record"
    deck.disk.always.clear()
    deck.clock.advance(1)
    deck.frame()
    assert [len(segment) for segment in deck.segments()] == [25, 1]


def test_a_roll_on_demand_finishes_the_segment_or_says_why_not(deck: Deck) -> None:
    with deck.lock:
        deck.recorder.roll()
        assert deck.finished == []
    deck.frame()
    deck.disk.faults["create"] = [ENOSPC]
    with deck.lock:
        with pytest.raises(DiskError, match="cannot begin a segment: No space left"):
            deck.recorder.roll()
        deck.recorder.roll()
    assert deck.finished == [1]


def test_a_halted_recorder_refuses_everything_and_says_why(deck: Deck) -> None:
    deck.frame()
    with deck.lock:
        deck.recorder.halt("tape: closed")
    for kind in (Kind.FRAME, Kind.CLEAN_STOP):
        with pytest.raises(TapeError, match="tape: closed"):
            deck.frame(kind=kind)
    assert deck.recorder.problem == "tape: closed"


def test_a_record_that_fits_nowhere_is_refused_and_changes_nothing(deck: Deck) -> None:
    deck.frame()
    with deck.lock, pytest.raises(ValueError, match="does not fit"):
        deck.recorder.append(Kind.FRAME, b"", 1 << 24)
    assert deck.frame() == 1
    assert deck.recorder.problem == ""
