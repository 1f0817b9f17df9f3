"""What an order may be told: all or nothing, reduce only, what happens where it meets our own, expiry, pauses.

The last test holds every combination against a market that is a plain list of offers, ours among them.
"""

from dataclasses import dataclass
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from venues import MARKET, Day, answered, ask, backtest, bid, ms

from replay.venue import told
from replay.venue.terms import Latency, VenueTerms

SOON: Final = 10_000
OFFERED: Final = 1_000  # at 50 and at 51, as in `Day`; ten contracts are bid at 40 and at 39


def test_all_or_nothing_fills_all_or_is_refused_in_the_exchanges_words() -> None:
    deeds = {100: bid(5_000, 1_001, fok=True), 200: bid(5_100, 1_500, fok=True), 300: bid(5_100, 501, fok=True)}
    found = backtest(Day().at(SOON).ping(), deeds)
    assert [fill[:3] for fill in found.fills] == [(205, 5_000, 1_000), (205, 5_100, 500)]
    killed = "refused:fill_or_kill_insufficient_resting_volume"
    assert found.ends == [(105, killed), (205, "executed"), (305, killed)]
    assert found.orders[0] == (110, "gone", 0, killed.removeprefix("refused:"))


def test_reduce_only_takes_what_brings_the_position_to_nothing() -> None:
    deeds = {
        100: ask(4_000, 100, reduce_only=True), 200: bid(5_000, 300, ioc=True), 300: bid(5_000, 100, reduce_only=True),
        400: ask(4_000, 500, reduce_only=True), 500: ask(4_000, 100, reduce_only=True),
    }  # fmt: skip
    found = backtest(Day().at(SOON).ping(), deeds)
    assert [fill[:3] for fill in found.fills] == [(205, 5_000, 300), (405, 4_000, 300)]
    assert [end for _, end in found.ends] == ["canceled", "executed", "canceled", "canceled", "canceled"]
    assert found.actor.seen[-1][0] == "order"
    assert [order for order in found.orders if order[1] == "resting"] == [], "nothing of them rests"


def test_all_or_nothing_cannot_reduce_only() -> None:
    deeds = {100: bid(5_000, 300, ioc=True), 200: ask(4_000, 100, fok=True, reduce_only=True)}
    found = backtest(Day().at(SOON).ping(), deeds)
    assert found.ends == [(105, "executed"), (205, "refused:invalid_parameters")]


def test_an_order_that_meets_our_own_ends_there_or_sends_it_away() -> None:
    """Our offer at 49 is the best; a bid at 50 comes to it first."""
    deeds: dict[int, Any] = {100: ask(4_900, 200), 200: bid(5_000, 300, ioc=True)}
    ends = backtest(Day().at(SOON).ping(), deeds)
    assert ends.fills == []
    assert ends.ends == [(205, "canceled")]
    deeds[200] = bid(5_000, 300, ioc=True, cancels_own=True)
    goes_on = backtest(Day().at(SOON).ping(), deeds)
    assert [fill[:3] for fill in goes_on.fills] == [(205, 5_000, 300)]
    assert goes_on.ends == [(205, "canceled"), (205, "executed")]


def test_a_bid_that_stays_is_ended_by_meeting_our_own_and_does_not_rest() -> None:
    found = backtest(Day().at(SOON).ping(), {100: ask(4_900, 200), 200: bid(4_950 + 50, 300, post_only=False)})
    assert found.ends == [(205, "canceled")]


def test_a_pause_of_trading_cancels_what_was_to_be_cancelled_and_refuses_what_comes() -> None:
    status = {"exchange_active": True, "trading_active": False}
    day = Day().at(200)
    answered(day, "/exchange/status", status)
    day.at(400)
    answered(day, "/exchange/status", {"exchange_active": True, "trading_active": True})
    day.at(SOON).ping()
    found = backtest(day, {100: bid(4_000, 300), 300: bid(3_900, 100), 500: bid(3_800, 100)})
    assert found.ends == [(200, "canceled"), (305, "refused:trading_is_paused")]
    assert [ms(rested.at_ns) for rested in found.of(told.Rested)] == [105, 505]


@pytest.mark.parametrize("at_ms", [2_999, 3_000])
def test_an_order_is_there_until_its_second_and_no_longer(at_ms: int) -> None:
    day = Day().at(at_ms).traded("0.3900", "1.00", "no").at(SOON).ping()
    found = backtest(day, {100: bid(4_000, 300, life_s=3)})
    assert [fill[:3] for fill in found.fills] == ([(at_ms, 4_000, 100)] if at_ms < 3_000 else [])
    assert found.ends == [(3_000, "expired")]


# ------------------------------------------------------------------ against a plain list


@dataclass
class Mine:
    """An offer of ours in the list."""

    key: int
    price: int
    left: int


@dataclass
class Plain:
    """The market by hand: others' offers by price, ours behind them at each price, and the position. No fees."""

    others: dict[int, int]
    mine: list[Mine]
    position: int = 0

    def take(self, price: int, count: int, terms: dict[str, bool]) -> tuple[str, list[tuple[int, int]], list[int]]:
        """A bid comes that does not rest: how it ends, what it trades (price, count), which of ours it sends away."""
        left = min(count, max(-self.position, 0)) if terms["reduce_only"] else count
        if terms["fok"] and terms["reduce_only"]:
            return "refused:invalid_parameters", [], []
        steps: list[tuple[int, int]] = []
        gone: list[int] = []
        is_stopped = False
        wanted, mine = left, list(self.mine)
        for at in sorted({*self.others, *(one.price for one in mine)}):
            if at > price or not wanted or is_stopped:
                break
            some = min(self.others.get(at, 0), wanted)
            if some:
                steps.append((at, some))
                wanted -= some
            for one in [one for one in mine if one.price == at and wanted]:
                if not terms["cancels_own"]:
                    is_stopped = True
                    break
                gone.append(one.key)
        if terms["fok"] and wanted:
            return "refused:fill_or_kill_insufficient_resting_volume", [], []
        for at, some in steps:
            self.others[at] -= some
            self.position += some
        self.mine = [one for one in self.mine if one.key not in gone]
        return "executed" if not wanted and left == count else "canceled", steps, gone


FLAGS: Final = ("fok", "reduce_only", "cancels_own")
TAKES = st.fixed_dictionaries(
    {"price": st.integers(48, 53), "count": st.integers(1, 30), **{name: st.booleans() for name in FLAGS}}
)
OFFERS = st.lists(st.tuples(st.integers(49, 52), st.integers(1, 12)), max_size=3)


GIVEN: Final = given(short=st.integers(0, 10), offers=OFFERS, takes=st.lists(TAKES, min_size=1, max_size=4))


@settings(max_examples=10, deadline=None)
@GIVEN
def test_what_takes_does_as_in_a_plain_list_of_offers(
    short: int, offers: list[tuple[int, int]], takes: list[dict[str, Any]]
) -> None:
    compare(short, offers, takes)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@GIVEN
def test_and_in_many_more_of_them(short: int, offers: list[tuple[int, int]], takes: list[dict[str, Any]]) -> None:
    compare(short, offers, takes)


def compare(short: int, offers: list[tuple[int, int]], takes: list[dict[str, Any]]) -> None:
    """Have both do it."""
    deeds: dict[int, Any] = {}
    plain = Plain({5_000: OFFERED, 5_100: OFFERED}, [])
    if short:  # a position to reduce: sold to those who bid 40
        deeds[10] = ask(4_000, 100 * short, ioc=True)
        plain.position = -100 * short
    for number, (cents, count) in enumerate(offers):
        deeds[100 + number] = ask(100 * cents, 100 * count)
        plain.mine.append(Mine(number + bool(short), 100 * cents, 100 * count))
    expected: list[tuple[str, list[tuple[int, int]]]] = []
    sent_away: list[int] = []
    for number, given_ in enumerate(takes):
        terms = {name: given_[name] for name in FLAGS}
        price, count = 100 * given_["price"], 100 * given_["count"]
        deeds[200 + number] = bid(price, count, ioc=True, **terms)
        end, steps, gone = plain.take(price, count, terms)
        expected.append((end, steps))
        sent_away += gone
    terms_ = VenueTerms("pessimistic@1", Latency(order_ns=0, answer_ns=0), fees="quadratic:0", ticks="linear_cent")
    found = backtest(Day().at(SOON).ping(), deeds, terms_)
    keys = found.actor.keys
    first = len(keys) - len(takes)
    ends = {end.client_order_id: end.end for end in found.of(told.Ended)}
    told_of = [
        (ends[key], [(fill.price, fill.count) for fill in found.of(told.Filled) if fill.client_order_id == key])
        for key in keys[first:]
    ]
    assert told_of == expected
    assert [keys.index(key) for key, end in ends.items() if end == "canceled" and key in keys[:first]] == sent_away
    assert found.venue is not None
    assert found.venue.positions().get(MARKET, (0, 0))[0] == plain.position
