import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.records import Kind, Record
from core.timeline import Timeline


def times(*records: tuple[Kind, int, int]) -> list[int]:
    timeline = Timeline()
    return [
        timeline.advance(Record(seq, at_ns, mono_ns, 0, kind, b""))
        for seq, (kind, at_ns, mono_ns) in enumerate(records)
    ]


def test_within_a_session_time_advances_with_the_monotonic_clock_whatever_the_wall_does() -> None:
    assert times(
        (Kind.SESSION, 1_000, 50),
        (Kind.FRAME, 9_000, 60),  # the wall jumped ahead
        (Kind.FRAME, 500, 75),  # and back
    ) == [1_000, 1_010, 1_025]


def test_an_imported_recording_has_the_running_maximum_of_its_receive_times() -> None:
    assert times((Kind.SESSION, 100, 0), (Kind.FRAME, 130, 0), (Kind.FRAME, 120, 0), (Kind.FRAME, 140, 0)) == [
        100,
        130,
        130,
        140,
    ]


def test_a_new_session_never_takes_time_back() -> None:
    assert times(
        (Kind.SESSION, 1_000, 50),
        (Kind.FRAME, 1_000, 90),
        (Kind.SESSION, 900, 7),  # the wall clock was set back, the machine restarted
        (Kind.FRAME, 905, 12),
        (Kind.SESSION, 5_000, 20),
    ) == [1_000, 1_040, 1_040, 1_045, 5_000]


def test_a_monotonic_clock_that_goes_back_does_not_take_time_with_it() -> None:
    assert times((Kind.SESSION, 1_000, 50), (Kind.FRAME, 0, 60), (Kind.FRAME, 0, 55)) == [1_000, 1_010, 1_010]


TIMES = st.lists(st.tuples(st.integers(0, 50), st.sampled_from((0, 0, 1, 5, 30, 60))), max_size=20)


@given(st.lists(st.tuples(st.sampled_from((Kind.SESSION, Kind.FRAME)), st.integers(0, 50), st.integers(0, 60))), TIMES)
def test_the_times_of_many_records_are_those_of_one_after_the_other(
    before: list[tuple[Kind, int, int]], told: list[tuple[int, int]]
) -> None:
    timeline = Timeline()
    for kind, at_ns, mono_ns in before:
        timeline.advance(Record(0, at_ns, mono_ns, 0, kind, b""))
    kept = msgspec.structs.replace(timeline)
    walls, monos = (np.array([pair[index] for pair in told], np.int64) for index in (0, 1))
    found = timeline.following(walls, monos)
    assert timeline == kept  # nothing has moved on
    assert found.tolist() == [timeline.advance(Record(0, at, mono, 0, Kind.FRAME, b"")) for at, mono in told]


@given(
    st.lists(st.tuples(st.sampled_from((Kind.SESSION, Kind.FRAME, Kind.TICK)), st.integers(0, 50), st.integers(0, 60)))
)
def test_the_time_of_the_next_record_is_known_before_it_is_taken(told: list[tuple[Kind, int, int]]) -> None:
    timeline = Timeline()
    for kind, at_ns, mono_ns in told:
        record = Record(0, at_ns, mono_ns, 0, kind, b"")
        kept = msgspec.structs.replace(timeline)
        found = timeline.at(record)
        assert timeline == kept
        assert found == timeline.advance(record) == timeline.now_ns
