"""Scanner and Market Maker over the real recordings, as if they had run: see what_if."""

import pytest
from imported import RECORDINGS
from strategy_run import Cast
from tapes import needs_tapes
from what_if import SILENCE_NS, WhatIf, facts_of

from core.actions import RiskLimits
from core.ticks import prices_of
from core.times import SECOND_NS
from strategies.market_maker import MakerParams, MarketMaker
from strategies.scanner import Scanner

pytestmark = [pytest.mark.integration, needs_tapes]

MAKER = MakerParams()
LIMITS = RiskLimits()
SHORT = "btc15m/short-30s"


BOTH = (
    Cast("scan", Scanner, {"top": "2", "min_close_s": "0", "max_spread": "10000"}),
    Cast("maker", MarketMaker),
)


def alone(name: str) -> tuple[Cast, ...]:
    """The maker in every market of a recording, however near its close and one-sided."""
    return (Cast("maker", MarketMaker, {"markets": sorted(facts_of(name))}),)


def held_to_the_rules(name: str, casts: tuple[Cast, ...] = BOTH) -> WhatIf:
    """Run strategies over a recording; whatever they may not do fails the test."""
    run = WhatIf(name, *casts, limits=LIMITS).play()
    print(run.report())  # noqa: T201  # the numbers are what these runs are for
    prices = {market: prices_of(run.host.reference.ranges(market)) for market in run.facts}
    for _, asked in run.orders:
        assert asked.price in prices[asked.market], f"{asked.price} is off the tick of {asked.market}"
        assert asked.count > 0
    assert all(order.remaining <= MAKER.size for _, order in run.resting)
    assert all(size <= MAKER.max_position for size in run.largest.values()), run.largest
    assert run.refused == {}
    seconds = max(run.frozen_s.total(), 1)
    writes = run.counts["place"] + run.counts["amend"]
    assert writes <= seconds * MAKER.writes_per_s
    assert run.counts["say"] <= 10 + seconds // 5
    for from_ns, until_ns in run.silences:
        late = [now_ns for now_ns, _ in run.resting if from_ns + SILENCE_NS < now_ns < until_ns]
        assert late == [], f"orders rest {(late[0] - from_ns) / SECOND_NS:g} s into a silence"
    for now_ns, order in run.resting:
        close_ns = run.host.reference.close_ns(order.market)
        assert now_ns < close_ns - (MAKER.close_s - 2) * SECOND_NS
    return run


def test_half_a_minute_of_a_recorded_market_is_quoted_after_its_thaw_with_few_writes() -> None:
    run = held_to_the_rules(SHORT)
    assert run.frozen_s["quoting"] >= 20
    assert run.counts["place"] >= 2
    assert run.counts["amend"] <= 30


@pytest.mark.slow
@pytest.mark.timeout(1_500)
@pytest.mark.parametrize("name", sorted(set(RECORDINGS) - {SHORT}))
def test_a_recording_is_quoted_within_the_rules(name: str) -> None:
    assert held_to_the_rules(name).frozen_s["quoting"] > 40


@pytest.mark.slow
@pytest.mark.timeout(1_500)
@pytest.mark.parametrize("name", ["gold15m/101900-00", "btc15m/outage-22s"])
def test_the_maker_alone_freezes_at_a_recorded_close_and_in_a_recorded_outage(name: str) -> None:
    run = held_to_the_rules(name, alone(name))
    assert run.frozen_s["its close is near"] > 30
    assert bool(run.silences) is ("outage" in name)
