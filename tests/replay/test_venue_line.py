"""Own orders in line: who is ahead of them, and what fills them, step by step."""

from collections.abc import Callable
from typing import Final

import pytest

from core.actions import BookSide
from replay.venue.line import Fill, Line, Why
from replay.venue.pairing import WINDOW_NS
from replay.venue.queues import MODELS

BID: Final = BookSide.BID
ASK: Final = BookSide.ASK
EVERY: Final = tuple(MODELS)
HONEST: Final = tuple(name for name, model in MODELS.items() if not model.is_first)
SECOND: Final = 1_000_000_000


def _line(model: str, *, ahead: int = 1_000, count: int = 500) -> Line:
    line = Line(model)
    line.rest("a", BID, 4_500, count, ahead)
    return line


def _always(size: int) -> Callable[[BookSide, int], int]:
    return lambda _side, _price: size


@pytest.mark.parametrize("model", HONEST)
def test_a_trade_serves_those_ahead_first(model: str) -> None:
    line = _line(model)
    assert line.trade(0, ASK, 4_500, 700) == []
    assert line.ahead("a") == 300
    assert line.trade(1, ASK, 4_500, 400) == [Fill("a", 100, Why.TRADE)]
    assert line.ahead("a") == 0
    assert line.trade(2, ASK, 4_500, 900) == [Fill("a", 400, Why.TRADE)]
    with pytest.raises(KeyError):
        line.ahead("a")


@pytest.mark.parametrize("model", EVERY)
@pytest.mark.parametrize("stamp_ns", [0, 7])
def test_a_trade_and_its_change_count_once_whichever_comes_first(model: str, stamp_ns: int) -> None:
    for first in ("change", "trade"):
        line = _line(model, ahead=1_000, count=10_000)
        fills = []
        for what in (first, "trade" if first == "change" else "change"):
            if what == "change":
                fills += line.level(5, BID, 4_500, 2_000, 1_400, stamp_ns=stamp_ns)
            else:
                fills += line.trade(5, ASK, 4_500, 600, stamp_ns=stamp_ns)
        fills += line.flush(5 + 2 * WINDOW_NS)
        assert line.ahead("a") == 400
        assert sum(fill.count for fill in fills) == (600 if MODELS[model].is_first else 0)


@pytest.mark.parametrize(
    ("model", "ahead"),
    [("pessimistic@1", 1_000), ("power@1", 850), ("proportional@1", 700), ("optimistic@1", 400)],
)
def test_what_nobody_traded_was_cancelled(model: str, ahead: int) -> None:
    line = _line(model)
    assert line.level(5, BID, 4_500, 2_000, 1_400) == []
    assert line.ahead("a") == 1_000
    line.flush(5 + WINDOW_NS)
    assert line.ahead("a") == 1_000
    line.flush(6 + WINDOW_NS)
    assert line.ahead("a") == ahead


@pytest.mark.parametrize("model", EVERY)
def test_a_later_trade_tells_that_what_left_before_it_was_cancelled(model: str) -> None:
    line = _line(model, ahead=1_000)
    line.level(5, BID, 4_500, 1_000, 100, stamp_ns=5)
    assert line.ahead("a") == 1_000
    assert line.trade(6, ASK, 4_500, 300, stamp_ns=6) == [Fill("a", 300 if MODELS[model].is_first else 200, Why.TRADE)]


@pytest.mark.parametrize("model", HONEST)
def test_what_left_before_we_came_did_not_meet_us_though_its_trade_is_told_later(model: str) -> None:
    line = Line(model)
    line.level(5, BID, 4_500, 1_000, 400, stamp_ns=5)
    line.rest("a", BID, 4_500, 500, 400)
    line.rest("better", BID, 4_600, 500, 0)
    assert line.trade(6, ASK, 4_500, 600, stamp_ns=5) == []
    assert line.ahead("a") == 400


@pytest.mark.parametrize("model", HONEST)
def test_what_was_traded_before_we_came_and_leaves_after_was_ahead_of_us(model: str) -> None:
    line = Line(model)
    line.trade(5, ASK, 4_500, 600, stamp_ns=5)
    line.rest("a", BID, 4_500, 500, 1_000)
    line.level(6, BID, 4_500, 1_000, 400, stamp_ns=5)
    assert line.ahead("a") == 400


@pytest.mark.parametrize("model", EVERY)
def test_a_trade_beyond_our_price_fills_all_that_it_may(model: str) -> None:
    line = _line(model, ahead=1_000, count=500)
    assert line.trade(1, ASK, 4_400, 300) == [Fill("a", 300, Why.THROUGH)]
    assert line.trade(2, ASK, 4_400, 300) == [Fill("a", 200, Why.THROUGH)]
    line.rest("offer", ASK, 5_000, 500, 1_000)
    assert line.trade(3, BID, 5_100, 700) == [Fill("offer", 500, Why.THROUGH)]


@pytest.mark.parametrize("model", EVERY)
def test_trades_of_the_other_side_and_of_better_prices_leave_us_alone(model: str) -> None:
    line = _line(model)
    assert line.trade(1, BID, 4_500, 5_000) == []
    assert line.trade(1, ASK, 4_600, 5_000) == []
    assert line.ahead("a") == 1_000


@pytest.mark.parametrize("model", EVERY)
def test_an_offer_that_comes_to_cross_us_fills_what_came(model: str) -> None:
    line = _line(model, count=500)
    assert line.level(1, ASK, 4_600, 0, 300) == []
    assert line.level(1, ASK, 4_500, 0, 300) == [Fill("a", 300, Why.CROSSED)]
    assert line.level(2, ASK, 4_500, 300, 100) == []
    assert line.level(3, ASK, 4_400, 100, 800) == [Fill("a", 200, Why.CROSSED)]


@pytest.mark.parametrize("model", HONEST)
def test_own_orders_keep_their_order_and_share_a_trade(model: str) -> None:
    line = Line(model)
    line.rest("first", BID, 4_500, 300, 100)
    line.rest("second", BID, 4_500, 300, 200)
    line.rest("best", BID, 4_600, 50, 900)
    fills = line.trade(1, ASK, 4_500, 600)
    assert fills == [Fill("best", 50, Why.THROUGH), Fill("first", 300, Why.TRADE), Fill("second", 50, Why.TRADE)]


@pytest.mark.parametrize("model", EVERY)
def test_fills_of_one_trade_are_never_more_than_it(model: str) -> None:
    line = Line(model)
    for number in range(5):
        line.rest(f"{number}", BID, 4_500 + 100 * (number % 2), 300, 0)
    assert sum(fill.count for fill in line.trade(1, ASK, 4_500, 700)) == 700


@pytest.mark.parametrize("model", EVERY)
def test_a_shrunk_order_keeps_its_place_and_a_dropped_one_is_gone(model: str) -> None:
    line = _line(model, ahead=0, count=500)
    line.rest("b", BID, 4_500, 500, 0)
    line.shrink("a", 100)
    assert line.trade(1, ASK, 4_500, 150) == [Fill("a", 100, Why.TRADE), Fill("b", 50, Why.TRADE)]
    line.drop("b")
    line.drop("b")
    assert line.trade(2, ASK, 4_500, 150) == []
    with pytest.raises(AssertionError, match="shrinks to 600"):
        _line(model, count=500).shrink("a", 600)


@pytest.mark.parametrize("model", EVERY)
def test_a_snapshot_that_is_smaller_than_what_was_ahead_is_believed(model: str) -> None:
    line = _line(model, ahead=1_000)
    assert line.replace(lambda side, price: 300 if (side, price) == (BID, 4_500) else 9) == []
    assert line.ahead("a") == 300
    line.replace(_always(900))
    assert line.ahead("a") == 300


@pytest.mark.parametrize("model", HONEST)
def test_what_may_still_turn_out_to_have_been_traded_stays_ahead_through_a_snapshot(model: str) -> None:
    line = _line(model, ahead=1_000)
    line.level(1, BID, 4_500, 1_000, 0, stamp_ns=1)
    line.replace(_always(0))
    assert line.trade(2, ASK, 4_500, 1_000, stamp_ns=1) == []
    assert line.ahead("a") == 0
    line = _line(model, ahead=1_000)
    line.level(1, BID, 4_500, 1_000, 0, stamp_ns=1)
    line.flush(SECOND)
    assert line.ahead("a") == 0


@pytest.mark.parametrize("model", EVERY)
def test_a_gap_fills_nothing_and_only_an_optimist_guesses(model: str) -> None:
    line = _line(model, ahead=1_000)
    line.level(1, BID, 4_500, 1_000, 600)
    assert line.lost() == []
    assert line.level(2, ASK, 4_400, 0, 500) == []
    assert line.level(3, BID, 4_500, 600, 0) == []
    assert line.flush(SECOND) == []
    assert line.ahead("a") == (0 if MODELS[model].is_first else 1_000)
    assert line.replace(_always(700)) == []
    assert line.ahead("a") == (0 if MODELS[model].is_first else 700)
    assert line.level(SECOND, ASK, 4_400, 0, 200) == [Fill("a", 200, Why.CROSSED)]


@pytest.mark.parametrize("model", EVERY)
def test_offers_at_our_price_after_a_gap_have_met_us_first(model: str) -> None:
    line = _line(model, ahead=1_000)
    line.rest("behind", BID, 4_400, 500, 0)
    line.rest("other", ASK, 4_600, 500, 0)
    line.lost()
    offers = {4_300: 300, 4_400: 100, 4_500: 250, 4_600: 900}

    def offered(side: BookSide, price: int) -> int:
        return sum(size for at, size in offers.items() if at <= price) if side is BID else 0

    assert line.replace(_always(0), offered) == [Fill("a", 500, Why.GAP)]
    line.lost()
    assert line.replace(_always(0), offered) == [Fill("behind", 400, Why.GAP)]
    assert line.replace(_always(0), offered) == [], "there was no gap"


@pytest.mark.parametrize("model", EVERY)
def test_what_had_crossed_us_before_a_gap_and_is_still_there_fills_us_once(model: str) -> None:
    line = _line(model)
    assert line.level(1, ASK, 4_500, 0, 200) == [Fill("a", 200, Why.CROSSED)]
    line.lost()
    assert line.replace(_always(0), _always(200)) == []
    line.lost()
    assert line.replace(_always(0), _always(260)) == [Fill("a", 60, Why.GAP)]


@pytest.mark.parametrize("model", HONEST)
def test_trades_that_are_seen_within_a_gap_count(model: str) -> None:
    line = _line(model, ahead=1_000)
    line.lost()
    assert line.trade(1, ASK, 4_500, 1_200) == [Fill("a", 200, Why.TRADE)]
    assert line.trade(1, ASK, 4_400, 100) == [Fill("a", 100, Why.THROUGH)]


def test_an_earlier_order_of_ours_that_may_have_been_filled_does_not_make_way_for_a_later_one() -> None:
    line = Line("pessimistic@1")
    line.rest("first", BID, 4_500, 300, 400)
    line.level(1, BID, 4_500, 400, 600, stamp_ns=1)
    line.rest("second", BID, 4_500, 300, 600)
    line.level(2, BID, 4_500, 600, 300, stamp_ns=2)  # 300 cancelled, all of them ahead of the first perhaps
    line.trade(3, ASK, 4_500, 100, stamp_ns=3)
    line.trade(4, ASK, 4_500, 300, stamp_ns=4)  # the first, perhaps
    line.drop("first")
    assert line.ahead("second") == 200  # those that came between the two
    assert line.trade(5, ASK, 4_500, 200, stamp_ns=5) == []
