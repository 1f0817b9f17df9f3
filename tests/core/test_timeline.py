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
