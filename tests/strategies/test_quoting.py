"""Quotes as arithmetic: on a tick, inside the limits, never across others, and worth more than the fee."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.fees import FeeTerms, FeeType
from core.money import DOLLAR
from core.ticks import STRUCTURES, prices_of
from strategies.quoting import NONE, Shape, Top, fair_price, fee_per_contract, quotes, unquotable, without_own

NOW_NS = 1_795_420_800_000_000_000
FREE = FeeTerms(FeeType.QUADRATIC)
MAKER = FeeTerms(FeeType.WITH_MAKER_FEES)
CENTS, DECI = STRUCTURES["linear_cent"], STRUCTURES["deci_cent"]
SHAPE = Shape(half_spread=150, edge=20, skew=200, size=500, most=2_000)
PRICES = {name: prices_of(ranges) for name, ranges in STRUCTURES.items()}
TOP = Top(4_000, 5_000, 4_400, 5_000)


def quoted(top: Top = TOP, shape: Shape = SHAPE, position: int = 0, terms: FeeTerms = FREE) -> tuple[object, object]:
    return quotes(top, shape, position, terms=terms, ranges=DECI, now_ns=NOW_NS)


prices = st.integers(1, DOLLAR - 1)
sizes = st.integers(1, 1_000_000)
tops = st.tuples(prices, sizes, prices, sizes).map(
    lambda t: Top(min(t[0], t[2]), t[1], max(t[0], t[2]) + (t[0] == t[2]), t[3])
)
shapes = st.builds(
    Shape,
    half_spread=st.integers(0, 2_000),
    edge=st.integers(0, 500),
    skew=st.integers(0, 2_000),
    size=st.integers(1, 5_000),
    most=st.integers(1, 10_000),
)


@given(
    top=tops,
    shape=shapes,
    position=st.integers(-20_000, 20_000),
    fee_type=st.sampled_from([FeeType.QUADRATIC, FeeType.WITH_MAKER_FEES, FeeType.WITH_COMBO_MAKER_FEES]),
    structure=st.sampled_from(sorted(STRUCTURES)),
)
def test_quotes_are_on_a_tick_within_limits_behind_others_and_earn_more_than_their_fee(
    top: Top, shape: Shape, position: int, fee_type: FeeType, structure: str
) -> None:
    terms, ranges = FeeTerms(fee_type), STRUCTURES[structure]
    bid, ask = quotes(top, shape, position, terms=terms, ranges=ranges, now_ns=NOW_NS)
    assert top.bid is not None
    assert top.ask is not None
    fair = fair_price(top)
    assert fair is not None
    fair -= shape.skew * max(-shape.most, min(position, shape.most)) // shape.most
    fair = max(1, min(fair, DOLLAR - 1))
    on_tick = PRICES[structure]
    for quote, signed in ((bid, 1), (ask, -1)):
        if quote == NONE:
            continue
        assert quote.price in on_tick
        assert 0 < quote.size <= shape.size
        assert signed * position + quote.size <= shape.most
        away = signed * (fair - quote.price)
        assert away >= shape.half_spread
        assert away >= shape.edge + fee_per_contract(terms, quote.price, NOW_NS)
    assert bid == NONE or bid.price < top.ask
    assert ask == NONE or ask.price > top.bid
    assert NONE in (bid, ask) or bid.price < ask.price


def test_both_sides_are_quoted_half_a_spread_from_the_fair_price() -> None:
    assert quoted() == ((4_050, 500), (4_350, 500))


def test_the_fair_price_is_drawn_to_the_side_with_less_on_offer() -> None:
    assert fair_price(TOP) == 4_200
    assert fair_price(TOP._replace(ask_size=1_000)) == (4_000 * 1_000 + 4_400 * 5_000) // 6_000


def test_a_position_moves_the_fair_price_against_itself() -> None:
    assert quoted(position=1_000) == ((3_950, 500), (4_250, 500))
    assert quoted(position=-1_000) == ((4_150, 500), (4_450, 500))


@pytest.mark.parametrize(("position", "sizes_left"), [(1_800, (200, 500)), (2_000, (0, 500)), (-2_500, (500, 0))])
def test_a_full_position_is_offered_and_not_added_to(position: int, sizes_left: tuple[int, int]) -> None:
    bid, ask = quotes(TOP, SHAPE, position, terms=FREE, ranges=DECI, now_ns=NOW_NS)
    assert (bid.size, ask.size) == sizes_left


def test_a_maker_fee_and_the_edge_widen_quotes_that_would_not_pay() -> None:
    narrow = SHAPE._replace(half_spread=0)
    bid, ask = quotes(TOP, narrow, 0, terms=MAKER, ranges=CENTS, now_ns=NOW_NS)
    assert fee_per_contract(MAKER, 4_100, NOW_NS) == 43  # of 42.33, rounded up
    assert (bid.price, ask.price) == (4_100, 4_300)
    bid, ask = quotes(TOP, narrow._replace(edge=60), 0, terms=MAKER, ranges=CENTS, now_ns=NOW_NS)
    assert (bid.price, ask.price) == (4_000, 4_400)


@pytest.mark.parametrize(
    ("bid", "ask", "wanted"),
    [(100, 200, (0, 300)), (9_800, 9_900, (9_700, 0)), (5, 15, (0, 200)), (9_985, 9_995, (9_800, 0))],
)
def test_at_the_edges_there_is_one_quote_or_none(bid: int, ask: int, wanted: tuple[int, int]) -> None:
    made = quotes(Top(bid, 100, ask, 100), SHAPE, 0, terms=FREE, ranges=CENTS, now_ns=NOW_NS)
    assert tuple(quote.price for quote in made) == wanted


@pytest.mark.parametrize(
    ("top", "why"),
    [
        (TOP, ""),
        (TOP._replace(bid=None), "nobody else bids"),
        (TOP._replace(ask=None), "nobody else offers"),
        (Top(4_400, 1, 4_400, 1), "crossed"),
        (Top(4_000, 1, 5_001, 1), "the spread is too wide"),
    ],
)
def test_what_cannot_be_quoted_says_why(top: Top, why: str) -> None:
    assert unquotable(top, 1_000) == why
    assert why in ("", "the spread is too wide") or quoted(top) == (NONE, NONE)


def test_a_fractional_size_of_ours_is_taken_out_of_a_level() -> None:
    levels = ((4_000, 533), (3_990, 33), (3_980, 100))
    assert without_own(levels, {}) == (4_000, 533)
    assert without_own(levels, {4_000: 500}) == (4_000, 33)
    assert without_own(levels, {4_000: 533, 3_990: 50}) == (3_980, 100)
    assert without_own(levels[:1], {4_000: 533}) is None
