"""Every frame of a sandbox has the shape that the documents give it, and the schemas that say so can fail."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import pytest
from frame_schemas import BY_EVENT_TYPE, GROUPS, LIVES, UNSEQUENCED, faults_of, kind_of, load
from sandbox_day import Day

STEPS: Final = 2_000
NIGHT_NS: Final = 2 * 3_600 * 10**9
"""Longer than combos live: others have taken their place when it is over."""

OF_A_SANDBOX: Final = (
    "orderbook_snapshot", "orderbook_delta", "trade", "event_lifecycle", "event_fee_update", *UNSEQUENCED,
    *(f"market_lifecycle_v2/{event}" for event in LIVES),
    *(f"order_group_updates/{event}" for event in GROUPS),
    *(f"multivariate_market_lifecycle/{event}" for event in BY_EVENT_TYPE["multivariate_market_lifecycle"]),
)  # fmt: skip
"""What a sandbox must have said by the end of its day."""

Samples: TypeAlias = tuple[Counter[str], dict[str, dict[str, Any]], list[str]]


@pytest.fixture(scope="module")
def samples() -> Samples:
    """A day's frames by kind, the last of each kind, and what was wrong."""
    counts: Counter[str] = Counter()
    last: dict[str, dict[str, Any]] = {}
    faults: list[str] = []
    for payload in days(Day(5, rate=60.0), STEPS):
        frame = load(payload)
        counts[kind_of(frame)] += 1
        last[kind_of(frame)] = frame
        faults += [f"{kind_of(frame)}: {fault}" for fault in faults_of(frame)]
    return counts, last, faults


def days(day: Day, steps: int) -> Iterator[bytes]:
    """The frames of two days with a night between them."""
    yield from day.frames(steps)
    day.venue.machine.skip(NIGHT_NS)
    yield from day.frames(steps)


def test_every_frame_of_a_sandbox_day_has_its_shape(samples: Samples) -> None:
    counts, _last, faults = samples
    assert not faults, Counter(faults).most_common(10)
    assert counts.total() > 5_000


@pytest.mark.parametrize("kind", OF_A_SANDBOX)
def test_a_sandbox_day_has_frames_of_every_kind(samples: Samples, kind: str) -> None:
    assert samples[0][kind], f"only {sorted(samples[0])} came"


@pytest.mark.parametrize("kind", OF_A_SANDBOX)
def test_a_frame_that_lacks_a_required_field_or_holds_a_wrong_type_fails(samples: Samples, kind: str) -> None:
    frame = samples[1][kind]
    assert not faults_of(frame)
    assert faults_of({name: value for name, value in frame.items() if name != "msg"})
    assert faults_of({**frame, "sid": "1"})
    assert faults_of({**frame, "msg": {**frame["msg"], "surprise": 1}})
    required = 0
    for field in frame["msg"]:
        wrong = {**frame, "msg": {**frame["msg"], field: [object()]}}
        assert faults_of(wrong), f"{kind}: anything passes as {field}"
        lacking = {**frame, "msg": {name: value for name, value in frame["msg"].items() if name != field}}
        required += bool(faults_of(lacking))
    assert required, f"{kind}: no field is required"


def test_numbers_are_where_they_belong(samples: Samples) -> None:
    for kind, frame in samples[1].items():
        is_numbered = kind.partition("/")[0] not in UNSEQUENCED
        changed = {name: value for name, value in frame.items() if name != "seq"}
        assert bool(faults_of(changed)) == is_numbered, kind
        assert bool(faults_of({**changed, "seq": 7})) != is_numbered, kind


def test_a_frame_of_an_unknown_type_or_turn_fails() -> None:
    assert faults_of({"type": "orderbook", "sid": 1, "msg": {}})
    for kind in BY_EVENT_TYPE:
        assert faults_of({"type": kind, "sid": 1, "seq": 1, "msg": {"event_type": "born", "market_ticker": "M"}})


@pytest.mark.slow
def test_two_hundred_thousand_frames_have_their_shape() -> None:
    counts: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    for seed in range(100, 200):
        for payload in days(Day(seed, rate=60.0), STEPS):
            frame = load(payload)
            counts[kind_of(frame)] += 1
            faults.update(faults_of(frame))
        if counts.total() >= 200_000:
            break
    assert not faults, faults.most_common(10)
    assert counts.total() >= 200_000
    assert set(OF_A_SANDBOX) <= set(counts), sorted(set(OF_A_SANDBOX) - set(counts))
