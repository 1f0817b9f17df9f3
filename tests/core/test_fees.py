"""Tests of fees: the examples of the documents and the recordings, and the three roundings."""

import pytest
from matched import ASK, BID, DOLLARS, START_NS, Exchange

from core.fees import CENT, Charge, FeeOverride, FeeTerms, FeeType, charge, fee_step, terms_in_force, trade_fee
from core.times import SECOND_NS, parse_rfc3339
from replay.exchange.engine import RETAIL, EngineOptions
from replay.exchange.happenings import EventFeesChanged, Filled
from replay.exchange.orders import NewOrder, Placed
from replay.exchange.specs import MarketSpec

QUADRATIC = FeeTerms()
WITH_MAKER = FeeTerms(FeeType.WITH_MAKER_FEES)
WITH_COMBO_MAKER = FeeTerms(FeeType.WITH_COMBO_MAKER_FEES)


@pytest.mark.parametrize(
    ("price", "count", "step", "fee"),
    [
        (5200, 100, 100, 17_500),  # recorded in June 2026: 0.017472, charged 0.017500
        (9900, 100, 100, 700),  # recorded: 0.000693, charged 0.000700
        (5200, 100, 1, 17_472),
        (550, 100, 1, 3_639),  # the later page of the documents: 0.0036383..., charged 0.003639
        (5000, 10_000, 1, 1_750_000),
        (5000, 1, 1, 175),
    ],
)
def test_a_taker_pays_seven_percent_of_price_times_rest_rounded_up(price: int, count: int, step: int, fee: int) -> None:
    assert trade_fee(QUADRATIC, price, count, step, taker=True) == fee


@pytest.mark.parametrize(
    ("terms", "fee"),
    [
        (QUADRATIC, 0),
        (WITH_MAKER, 437_500),
        (WITH_COMBO_MAKER, 875_000),
        (FeeTerms(FeeType.WITH_MAKER_FEES, 5_000), 218_750),
        (FeeTerms(multiplier=0), 0),
        (FeeTerms(FeeType.FLAT, flat=20_000), 2_000_000),
    ],
)
def test_a_maker_pays_what_the_fee_type_says(terms: FeeTerms, fee: int) -> None:
    assert trade_fee(terms, 5000, 10_000, 1, taker=False) == fee


def test_the_multiplier_scales_and_0_is_free() -> None:
    fees = [trade_fee(FeeTerms(multiplier=of), 5000, 10_000, 1, taker=True) for of in (0, 5_000, 10_000, 20_000)]
    assert fees == [0, 875_000, 1_750_000, 3_500_000]


@pytest.mark.parametrize(
    ("at", "step"), [("2026-07-21T00:00:00Z", 100), ("2026-08-31T23:59:59Z", 100), ("2026-09-01T00:00:00Z", 1)]
)
def test_what_fees_are_rounded_up_to_is_told_by_the_date(at: str, step: int) -> None:
    assert fee_step(parse_rfc3339(at)) == step


@pytest.mark.parametrize(
    ("revenue", "fee", "precision", "total"),
    [
        (-55_000, 3_639, RETAIL, 5_000),  # the documents: change -0.06, rounding 0.001361
        (-520_000, 17_472, 100, 17_500),
        (-520_000, 17_500, 100, 17_500),
        (480_000, 17_472, RETAIL, 20_000),
        (-20_502, 0, 100, 98),
    ],
)
def test_a_balance_change_is_rounded_down_and_the_account_pays_the_difference(
    revenue: int, fee: int, precision: int, total: int
) -> None:
    charged = charge(revenue, fee, precision, 0)
    assert charged.fee == total
    assert charged.rounding == total - fee
    assert (revenue - charged.fee) % precision == 0


def test_rounding_comes_back_by_the_cent() -> None:
    rounding, fees = 0, []
    for _ in range(40):
        charged = charge(-52_000, 17_472, RETAIL, rounding)
        rounding = charged.rounding
        fees.append(charged.fee)
    assert [number for number, fee in enumerate(fees) if fee == 18_000 - CENT] == [18, 37]
    assert sum(fees) - 40 * 17_472 == rounding < CENT


def test_a_fee_is_never_below_0_however_much_was_paid_for_rounding() -> None:
    assert charge(-551, 39, RETAIL, 5 * CENT) == Charge(9_449, 5 * CENT + 9_410)


def test_an_override_replaces_only_what_it_names() -> None:
    terms = FeeTerms(FeeType.QUADRATIC, 5_000)
    assert terms_in_force(terms, FeeOverride(), waived=False) == terms
    assert terms_in_force(terms, FeeOverride(multiplier=0), waived=False).multiplier == 0
    assert terms_in_force(terms, FeeOverride(FeeType.WITH_MAKER_FEES), waived=False) == FeeTerms(
        FeeType.WITH_MAKER_FEES, 5_000
    )


def fills(exchange: Exchange) -> list[tuple[str, int]]:
    return [(fill.account, fill.fee) for fill in exchange.told(Filled) if isinstance(fill, Filled)]


def test_an_events_override_charges_from_then_on_until_it_is_cleared() -> None:
    exchange = Exchange(fees=QUADRATIC)
    for override in (FeeOverride(), FeeOverride(FeeType.WITH_MAKER_FEES, 5_000), FeeOverride()):
        exchange.engine.life.override_fees("E", override, exchange.now_ns)
        exchange.ask("ann", 5000, 10_000)
        exchange.take("bob", BID, 5000, 10_000)
    told = exchange.told()
    assert [(fill.account, fill.fee) for fill in told if isinstance(fill, Filled)] == [
        ("ann", 0),
        ("bob", 1_750_000),
        ("ann", 218_800),  # 0.21875, and the rest to 0.0001 for rounding
        ("bob", 875_000),
        ("ann", 0),
        ("bob", 1_750_000),
    ]
    assert sum(isinstance(happening, EventFeesChanged) for happening in told) == 3


def test_before_a_fee_waiver_ends_nothing_is_charged() -> None:
    exchange = Exchange(fees=QUADRATIC)
    spec = MarketSpec(
        ticker="W",
        event_ticker="E",
        market_id="w",
        open_ns=START_NS,
        close_ns=START_NS + 1_000 * SECOND_NS,
        fee_waiver_ns=START_NS + 10 * SECOND_NS,
    )
    exchange.engine.life.add_market(spec, exchange.now_ns)
    for _ in range(2):
        exchange.ask("ann", 5000, 100, market="W")
        exchange.bid("bob", 5000, 100, market="W")
        exchange.later(10)
    assert fills(exchange) == [("ann", 0), ("bob", 0), ("ann", 0), ("bob", 17_500)]


def test_the_answer_tells_the_average_price_and_fee_as_recorded() -> None:
    exchange = Exchange(fees=QUADRATIC, options=EngineOptions(fee_step=100))
    exchange.ask("ann", 5200, 100)
    answer = exchange.engine.place("bob", NewOrder(market="M", side=BID, price=9900, count=100), exchange.now_ns)
    assert isinstance(answer, Placed)
    assert (answer.average_price, answer.average_fee) == (5200, 17_500)
    assert (answer.order.taker_fees, answer.order.maker_fees) == (17_500, 0)


def test_the_average_of_several_prices_is_by_volume() -> None:
    exchange = Exchange()
    exchange.bid("ann", 5000, 100)
    exchange.bid("ann", 4000, 300)
    answer = exchange.engine.place("bob", NewOrder(market="M", side=ASK, price=4000, count=400), exchange.now_ns)
    assert isinstance(answer, Placed)
    assert (answer.average_price, answer.average_fee) == (4250, 0)


def test_a_retail_account_pays_whole_cents() -> None:
    exchange = Exchange("ann", fees=QUADRATIC)
    exchange.funded += 10 * DOLLARS
    exchange.engine.fund("retail", 10 * DOLLARS, precision=RETAIL)
    exchange.ask("ann", 5200, 700)
    exchange.take("retail", BID, 5200, 700)
    assert exchange.balance("retail") == 10 * DOLLARS - 3_640_000 - 130_000  # 0.122304 of fees, 0.007696 of rounding
    assert exchange.missing == 0
