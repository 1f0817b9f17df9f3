from typing import Any, Final

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.times import SECOND_NS
from strategies.regime import (
    FIFTEEN_MINUTES,
    SLOW,
    Cause,
    Detector,
    Numbers,
    Parameters,
    Reading,
    Regime,
    decide,
    measure,
)

START_NS: Final = 1_780_000_000 * SECOND_NS
SMALL: Final = Parameters(
    bucket_ns=10,
    buckets=6,
    trend_enter_net=100,
    trend_leave_net=50,
    volatile_enter_ppm=20_000,
    volatile_leave_ppm=5_000,
    silent_ns=25,
    thaw_ns=5,
)
"""Short times, so that a few events reach every regime."""

Event = tuple[int, str, int, int]
"""(ns since the event before, what, and two numbers)."""

PRICES: Final = st.tuples(st.integers(0, 30), st.just("prices"), st.integers(0, 9_800), st.integers(0, 200))
TRADES: Final = st.tuples(st.integers(0, 30), st.just("trade"), st.integers(-500, 500), st.just(0))
STATUS: Final = st.tuples(st.integers(0, 30), st.just("status"), st.integers(0, 1), st.integers(0, 1))
HEARD: Final = st.tuples(st.integers(0, 30), st.just("heard"), st.just(0), st.just(0))
NEAR: Final = st.tuples(st.integers(0, 12), st.just("prices"), st.integers(4_900, 5_300), st.just(100))
EVENTS: Final = st.lists(st.one_of(NEAR, NEAR, PRICES, TRADES, STATUS, HEARD), max_size=80)


def tell(detector: Detector, now_ns: int, event: Event) -> None:
    """An event to a detector; prices of no width stand for a side that is missing."""
    _, what, first, second = event
    match what:
        case "prices":
            detector.on_prices(now_ns, first if second else None, first + second)
        case "trade":
            detector.on_trade(now_ns, first)
        case "status":
            detector.on_status(now_ns, trusted=bool(first), active=bool(second))
        case _:
            detector.on_heard(now_ns)


def readings(events: list[Event], start_ns: int = START_NS, parameters: Parameters = SMALL) -> list[Reading]:
    """What is read just after each event."""
    detector, now_ns, read = Detector(parameters), start_ns, []
    for event in events:
        now_ns += event[0]
        tell(detector, now_ns, event)
        read.append(detector.at(now_ns))
    return read


def walk(mids: list[int], parameters: Parameters = SMALL) -> list[Reading]:
    """What is read at the end of each bucket when the mid, in 1/10,000 dollar, stands at these in turn."""
    detector, read = Detector(parameters), []
    for number, mid in enumerate(mids):
        detector.on_prices(START_NS + number * parameters.bucket_ns, mid - 10, mid + 10)
        read.append(detector.at(START_NS + (number + 1) * parameters.bucket_ns))
    return read


def moved(reading: Reading, by_ns: int) -> Reading:
    return msgspec.structs.replace(reading, since_ns=reading.since_ns and reading.since_ns + by_ns)


@given(EVENTS)
def test_the_same_events_give_the_same_readings_at_any_time(events: list[Event]) -> None:
    assert [moved(reading, 12_345) for reading in readings(events)] == readings(events, START_NS + 12_345)


@given(EVENTS)
def test_looking_in_between_changes_nothing(events: list[Event]) -> None:
    detector, now_ns, read = Detector(SMALL), START_NS, []
    for event in events:
        for look_ns in range(now_ns, now_ns + event[0]):
            detector.at(look_ns)
        now_ns += event[0]
        tell(detector, now_ns, event)
        read.append(detector.at(now_ns))
    assert read == readings(events)


@given(EVENTS)
def test_prices_told_twice_and_trades_told_in_parts_change_nothing(events: list[Event]) -> None:
    parts: list[Event] = []
    for wait, what, first, second in events:
        parts.append((wait, what, first // 2 if what == "trade" else first, second))
        parts.append((0, what, first - first // 2 if what == "trade" else first, second))
    # Halves of one direction: a trade of -1 falls into -1 and 0, never into +1 and -2.
    assert readings(parts)[1::2] == readings(events)


@given(EVENTS)
def test_the_mirror_of_a_market_is_in_the_same_regime(events: list[Event]) -> None:
    detector, mirror, now_ns = Detector(SMALL), Detector(SMALL), START_NS
    for event in events:
        wait, what, first, second = event
        now_ns += wait
        tell(detector, now_ns, event)
        if what == "prices":
            mirror.on_prices(now_ns, 10_000 - first - second, 10_000 - first if second else None)
        else:
            tell(mirror, now_ns, (wait, what, -first if what == "trade" else first, second))
        left, right = detector.at(now_ns), mirror.at(now_ns)
        assert right.numbers == msgspec.structs.replace(left.numbers, net=-left.numbers.net, flow=-left.numbers.flow)
        assert (left.regime, left.since_ns, left.cause) == (right.regime, right.since_ns, right.cause)


@settings(max_examples=20)
@given(EVENTS, st.integers(1, 500))
def test_a_long_silence_is_the_same_in_one_step_and_in_many(events: list[Event], buckets: int) -> None:
    one, many, now_ns = Detector(SMALL), Detector(SMALL), START_NS
    for event in events:
        now_ns += event[0]
        tell(one, now_ns, event)
        tell(many, now_ns, event)
    for _ in range(buckets):
        now_ns += 7
        many.at(now_ns)
    assert one.at(now_ns) == many.at(now_ns)
    one.on_heard(now_ns)
    many.on_heard(now_ns)
    assert [one.at(now_ns + ns) for ns in range(20)] == [many.at(now_ns + ns) for ns in range(20)]


def test_memory_does_not_grow() -> None:
    detector = Detector(SMALL)
    for number in range(2_000):
        detector.on_prices(START_NS + number * 3, 5_000 + number % 97, 5_100 + number % 97)
        detector.on_trade(START_NS + number * 3, 1)
    held = [getattr(detector, name) for name in Detector.__slots__]
    assert sum(len(part) for part in held if hasattr(part, "__len__")) <= len(Numbers.__struct_fields__) + 13


@given(st.integers(1_000, 9_000), st.integers(1, 900), st.lists(st.booleans(), max_size=40))
def test_moves_forth_and_back_never_trend(low: int, step: int, ups: list[bool]) -> None:
    assert all(reading.regime is not Regime.TRENDING for reading in walk([low + step * up for up in ups]))


@given(st.lists(st.integers(20, 40), min_size=6, max_size=40), st.booleans())
def test_moves_all_one_way_trend(steps: list[int], up: bool) -> None:
    mids = [5_000]
    for step in steps:
        mids.append(mids[-1] + (step if up else -step))
    last = walk(mids)[-1]
    assert last.regime is Regime.TRENDING
    assert (last.numbers.net > 0) is up


def test_a_trend_that_turns_round_is_a_new_trend() -> None:
    up = list(range(5_000, 5_400, 50))
    read = walk(up + [5_350 - 200 * number for number in range(1, 7)])
    assert read[7].regime is Regime.TRENDING and read[7].numbers.net > 0
    assert read[-1].regime is Regime.TRENDING and read[-1].numbers.net < 0
    assert read[-1].since_ns > read[7].since_ns


def test_a_trend_that_turns_round_within_one_bucket_is_a_new_trend_too() -> None:
    lasting = msgspec.structs.replace(SMALL, trend_leave_pct=0)
    before, after = walk([5_000, 5_200, 5_400, 5_370, 5_340, 5_310, 5_280, 5_280, 5_170], lasting)[-2:]
    assert before.regime is after.regime is Regime.TRENDING
    assert (before.numbers.net, after.numbers.net) == (160, -460)
    assert after.since_ns == START_NS + 90 > before.since_ns


def test_a_single_jump_is_volatile_and_no_trend_and_quiet_when_the_window_has_passed() -> None:
    read = walk([5_000] * 3 + [6_500] * 8)
    assert [reading.regime for reading in read] == [Regime.QUIET] * 3 + [Regime.VOLATILE] * 6 + [Regime.QUIET] * 2
    assert [reading.since_ns for reading in read[3:]] == [START_NS + 40] * 6 + [START_NS + 100] * 2


def test_swings_are_volatile() -> None:
    assert walk([5_000, 6_000] * 5)[-1].regime is Regime.VOLATILE


def test_the_same_swings_weigh_more_near_an_edge() -> None:
    assert walk([5_000, 5_200] * 5)[-1].regime is Regime.QUIET
    assert walk([400, 600] * 5)[-1].regime is Regime.VOLATILE


def test_a_trend_does_not_begin_against_the_flow_of_trades() -> None:
    for bought, expected in ((-100, Regime.QUIET), (100, Regime.TRENDING)):
        detector = Detector(SMALL)
        for number in range(7):
            detector.on_prices(START_NS + number * 10, 5_000 + number * 40, 5_020 + number * 40)
            detector.on_trade(START_NS + number * 10, bought)
        assert detector.at(START_NS + 70).regime is expected


def test_a_trade_counts_for_one_window() -> None:
    detector = Detector(SMALL)
    detector.on_prices(START_NS, 4_000, 4_100)
    detector.on_trade(START_NS, -250)
    read = [detector.at(START_NS + number * 10).numbers for number in range(9)]
    assert [numbers.traded for numbers in read] == [0] + [250] * 6 + [0] * 2
    assert [numbers.flow for numbers in read] == [0] + [-250] * 6 + [0] * 2


def test_prices_that_cross_or_lock_are_no_mid() -> None:
    detector = Detector(SMALL)
    detector.on_prices(START_NS, 4_000, 4_100)
    detector.on_prices(START_NS + 1, 6_000, 6_000)
    detector.on_prices(START_NS + 2, 7_000, 6_000)
    found = detector.at(START_NS + 10)
    assert (found.cause, found.numbers) == (Cause.CROSSED, Numbers())


@given(st.sampled_from([Regime.QUIET, Regime.VOLATILE, Regime.TRENDING]), st.data())
def test_numbers_between_leaving_and_entering_change_no_regime(before: Regime, data: st.DataObject) -> None:
    p = SMALL
    for _ in range(5):
        numbers = Numbers(
            net=data.draw(st.integers(2 * p.trend_leave_net, 2 * p.trend_enter_net - 1)),
            path=1_000,
            efficiency_pct=data.draw(st.integers(p.trend_leave_pct, p.trend_enter_pct - 1)),
            movement_ppm=data.draw(st.integers(p.volatile_leave_ppm, p.volatile_enter_ppm - 1)),
        )
        assert decide(before, True, numbers, p) is before


@pytest.mark.parametrize(
    ("before", "efficiency_pct", "net", "movement_ppm", "after"),
    [
        (Regime.QUIET, 60, 200, 0, Regime.TRENDING),
        (Regime.QUIET, 59, 200, 0, Regime.QUIET),
        (Regime.QUIET, 60, 199, 0, Regime.QUIET),
        (Regime.VOLATILE, 60, 200, 90_000, Regime.TRENDING),
        (Regime.TRENDING, 39, 200, 0, Regime.QUIET),
        (Regime.TRENDING, 40, 99, 0, Regime.QUIET),
        (Regime.TRENDING, 39, 200, 20_000, Regime.VOLATILE),
        (Regime.QUIET, 0, 0, 20_000, Regime.VOLATILE),
        (Regime.QUIET, 0, 0, 19_999, Regime.QUIET),
        (Regime.VOLATILE, 0, 0, 5_000, Regime.VOLATILE),
        (Regime.VOLATILE, 0, 0, 4_999, Regime.QUIET),
    ],
)
def test_thresholds_count_from_the_very_value(
    before: Regime, efficiency_pct: int, net: int, movement_ppm: int, after: Regime
) -> None:
    numbers = Numbers(net=net, path=1_000, efficiency_pct=efficiency_pct, movement_ppm=movement_ppm)
    assert decide(before, True, numbers, SMALL) is after


def test_a_trend_ends_when_the_net_move_is_the_other_way() -> None:
    for net, after in ((150, Regime.TRENDING), (-150, Regime.QUIET)):
        assert decide(Regime.TRENDING, True, Numbers(net=net, path=300, efficiency_pct=50), SMALL) is after


def test_the_numbers_are_those_of_a_calculation_by_hand() -> None:
    # Mids 0.50, 0.53, 0.52, 0.54: moves .03, -.01, .02; .0014 of .25 is 5,600 millionths.
    assert measure((10_000, 10_600, 10_400, 10_800), ((5, 7), (-2, 2)), 200) == Numbers(
        net=800, path=1_200, largest=600, efficiency_pct=66, movement_ppm=5_600, flow=3, traded=9
    )
    # A cent at 0.1 cents is measured as at 2 cents: .0001 of .0196.
    assert measure((20, 220), (), 200).movement_ppm == 5_102
    assert measure((19_980, 19_780), (), 200).movement_ppm == 5_102


def test_a_market_never_heard_of_is_frozen() -> None:
    assert Detector().at(START_NS) == Reading(Regime.FROZEN, 0, Cause.SILENT, Numbers())


@example(0)
@given(st.integers(0, 4))
def test_a_frozen_market_thaws_when_all_has_been_well_for_a_time(early_ns: int) -> None:
    detector = Detector(SMALL)
    detector.on_prices(START_NS, 4_000, 4_100)
    assert detector.at(START_NS + early_ns).cause is Cause.THAWING
    assert detector.at(START_NS + 5) == Reading(Regime.QUIET, START_NS + 5, Cause.PRICES, Numbers())


@pytest.mark.parametrize(
    ("event", "cause"),
    [
        ((0, "prices", 4_000, 0), Cause.ONE_SIDED),
        ((0, "prices", 4_000, -100), Cause.CROSSED),
        ((0, "status", 0, 1), Cause.UNTRUSTED),
        ((0, "status", 1, 0), Cause.INACTIVE),
    ],
)
def test_what_cannot_be_relied_on_freezes_at_once_and_stays_one_freeze_while_it_comes_and_goes(
    event: Event, cause: Cause
) -> None:
    detector = Detector(SMALL)
    detector.on_prices(START_NS, 4_000, 4_100)
    for at_ns in (8, 12, 16):
        tell(detector, START_NS + at_ns, event)
        found = detector.at(START_NS + at_ns)
        assert (found.regime, found.since_ns, found.cause) == (Regime.FROZEN, START_NS + 8, cause)
        detector.on_status(START_NS + at_ns + 1, trusted=True, active=True)
        detector.on_prices(START_NS + at_ns + 1, 4_000, 4_100)
        assert detector.at(START_NS + at_ns + 1).cause is Cause.THAWING
    assert detector.at(START_NS + 22).cause is Cause.PRICES


def test_silence_freezes_from_the_instant_at_which_it_was_too_long() -> None:
    detector = Detector(SMALL)
    detector.on_prices(START_NS, 4_000, 4_100)
    assert detector.at(START_NS + 24).regime is Regime.QUIET
    for wait_ns in (25, 90):
        found = detector.at(START_NS + wait_ns)
        assert (found.regime, found.since_ns, found.cause) == (Regime.FROZEN, START_NS + 25, Cause.SILENT)


def test_a_market_that_falls_silent_is_quiet_while_its_connection_lives() -> None:
    detector = Detector(SMALL)
    for number in range(10):
        detector.on_prices(START_NS + number * 10, 4_000 + number * 50, 4_100 + number * 50)
    assert detector.at(START_NS + 100).regime is Regime.TRENDING
    for number in range(10, 20):
        detector.on_heard(START_NS + number * 10)
    assert detector.at(START_NS + 200) == Reading(Regime.QUIET, START_NS + 160, Cause.PRICES, Numbers())


def test_what_moved_while_frozen_is_one_move_when_it_is_over() -> None:
    detector = Detector(SMALL)
    detector.on_prices(START_NS, 4_000, 4_100)
    detector.on_status(START_NS + 10, trusted=False, active=True)
    detector.on_prices(START_NS + 500, 6_000, 6_100)
    detector.on_status(START_NS + 500, trusted=True, active=True)
    found = detector.at(START_NS + 510)
    assert (found.regime, found.numbers.largest, found.numbers.path) == (Regime.VOLATILE, 4_000, 4_000)


def test_time_never_goes_back() -> None:
    detector = Detector()
    detector.on_heard(START_NS)
    with pytest.raises(AssertionError, match="time went back"):
        detector.at(START_NS - 1)


@pytest.mark.parametrize(
    ("given_values", "words"),
    [
        ({"bucket_ns": 0}, "bucket_ns is 0, the least is 1"),
        ({"buckets": 2}, "buckets is 2, the least is 3"),
        ({"buckets": 1_001}, "buckets is 1001, the most is 1000"),
        ({"trend_enter_pct": 33}, "trend_enter_pct is 33, the least is 34"),
        ({"trend_leave_pct": 61}, "trend_leave_pct is 61, the most is 60"),
        ({"trend_enter_net": 10_001}, "trend_enter_net is 10001, the most is 10000"),
        ({"trend_leave_net": 401}, "trend_leave_net is 401, the most is 400"),
        ({"jump_pct": 100}, "jump_pct is 100, the most is 99"),
        ({"against_pct": -1}, "against_pct is -1, the least is 0"),
        ({"volatile_leave_ppm": 60_001}, "volatile_leave_ppm is 60001, the most is 60000"),
        ({"edge_price": 5_001}, "edge_price is 5001, the most is 5000"),
        ({"silent_ns": 0}, "silent_ns is 0, the least is 1"),
        ({"thaw_ns": -1}, "thaw_ns is -1, the least is 0"),
    ],
)
def test_a_parameter_out_of_its_limits_is_refused_by_name(given_values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Parameters(**given_values)


def test_a_slow_market_has_slower_parameters() -> None:
    assert SLOW.bucket_ns * SLOW.buckets == 3_600 * SECOND_NS
    assert FIFTEEN_MINUTES.bucket_ns * FIFTEEN_MINUTES.buckets == 60 * SECOND_NS
