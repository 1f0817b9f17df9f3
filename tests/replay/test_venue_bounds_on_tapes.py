"""The bounds that hold on random recordings hold on every real one, with the Market Maker and with a naive maker."""

from collections import Counter
from typing import Any, Final

import pytest
from bounds import within
from imported import RECORDINGS, tape_of
from sample_tapes import MILLI
from tapes import needs_tapes

from core.actions import Amend, Cancel, Decision, Place, RunTerms, StrategySpec
from replay.backtest import chooser
from replay.books import markets_of
from replay.hosted import Hosted
from replay.loading import load, specify
from replay.truth import CASH, LIMITS, Deed, Repeater
from replay.venue import told
from replay.venue.queues import MODELS
from replay.venue.terms import DEFAULT_QUEUE, Latency, VenueTerms

pytestmark = needs_tapes

ORDER_NS: Final = 30 * MILLI
JOINER: Final = "joiner"
MAKER: Final = "maker"


def specs(name: str, tape: Any) -> tuple[StrategySpec, ...]:
    """A maker that rests orders whatever happens, or the Market Maker in whatever the tape has."""
    if name == JOINER:
        given = {"markets": tuple(sorted(markets_of(tape))), "count": 2_500, "every_s": 3, "life_s": 2}
        return (specify(JOINER, "replay.truth:Joiner", given),)
    given = {"max_markets": 20, "half_spread": 50, "edge": 0, "size": 2_500, "max_position": 10**6, "max_loss": CASH}
    return (
        specify(chooser.NAME, chooser.PATH, {"markets": ("*",)}),
        specify(MAKER, "strategies.market_maker:MarketMaker", given),
    )


def terms(queue: str, name: str) -> VenueTerms:
    ticks = "linear_cent" if name.startswith("gold") else "tapered_deci_cent"
    return VenueTerms(queue, Latency(0, ORDER_NS, ORDER_NS), cash=CASH, fees="quadratic:1", ticks=ticks)


def traded(name: str, which: str) -> tuple[list[told.Happening], list[Deed]]:
    """What a strategy's backtest by the default model comes to, and what it decided about orders."""
    tape, heard, deeds = tape_of(name), list[told.Happening](), list[Deed]()
    hosted = Hosted(
        tape, "columns", specs(which, tape), load=load, venue=terms(DEFAULT_QUEUE, name), listener=heard.append,
        run_terms=RunTerms(limits=LIMITS),
    )  # fmt: skip
    for _, _, reaction in hosted.run():
        deeds += [deed for decision in reaction.decisions if (deed := _deed(hosted, decision)) is not None]
    assert not hosted.faults
    return heard, deeds


def _deed(hosted: Hosted, decision: Decision) -> Deed | None:
    action = decision.action
    if decision.refused or not isinstance(action, Place | Amend | Cancel):
        return None
    return Deed(hosted.host.now_ns, action)


def repeated(name: str, deeds: list[Deed], queue: str) -> tuple[list[told.Happening], Counter[str]]:
    """The same decisions by a queue model; what was filled of each order, by the name it had first."""
    repeater, heard = Repeater(deeds), list[told.Happening]()
    hosted = Hosted(
        tape_of(name), "columns", (StrategySpec("repeater", "-"),), load=lambda _spec: repeater,
        venue=terms(queue, name), listener=heard.append, run_terms=RunTerms(limits=LIMITS),
    )  # fmt: skip
    for _ in hosted.run():
        pass
    names = {key: first for first, key in repeater.keys.items()}
    filled = Counter[str]()
    for happening in heard:
        if isinstance(happening, told.Filled):
            filled[names[happening.client_order_id]] += happening.count
    return heard, filled


def hold(name: str, which: str) -> Counter[str]:
    """Check one strategy on one tape by every model; why its orders were filled, by the default one."""
    heard, deeds = traded(name, which)
    whys = within(tape_of(name), heard, order_ns=ORDER_NS)
    sums = {}
    for queue in MODELS:
        again, filled = repeated(name, deeds, queue)
        within(tape_of(name), again, order_ns=ORDER_NS)
        sums[queue] = filled
    totals = [sums[queue].total() for queue in MODELS]
    assert totals == sorted(totals)
    if which == JOINER:  # orders that nothing amends: then each by itself
        for key in {key for filled in sums.values() for key in filled}:
            told_of = [sums[queue][key] for queue in MODELS]
            assert told_of == sorted(told_of)
    return whys


def test_no_fill_beyond_the_tape_on_a_cut_of_a_real_one() -> None:
    assert hold("btc15m/short-30s", JOINER).total() > 0


@pytest.mark.slow
@pytest.mark.parametrize("which", [JOINER, MAKER])
@pytest.mark.parametrize("name", sorted(RECORDINGS))
def test_no_fill_beyond_the_tape_on_every_real_one(name: str, which: str) -> None:
    whys = hold(name, which)
    assert whys.total() > 10 or RECORDINGS[name].frames < 5_000
    assert set(whys) <= {"trade", "through", "crossed", "gap", "took"}
