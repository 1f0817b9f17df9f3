"""Tests of what is known beside prices, and of which source is the newer one."""

import msgspec
import pytest
from deck import Deck

from core.answers.types import Event, ExchangeStatus, Market, Page, Schedule, Series
from core.answers.types import Window as Maintenance
from core.fees import ONE, FeeTerms, FeeType
from core.fetched import Fetched
from core.messages.types import EventFeeUpdate, MarketLifecycle, PriceRange
from core.reference import CACHED_NS, MAX_KEPT, NOT_CHARGEABLE, Reference, told_fees
from core.times import SECOND_NS

HOUR_NS = 3_600 * SECOND_NS
CENTS = (PriceRange(0, 10_000, 100),)


class Known:
    """A reference over a store, told things in order."""

    def __init__(self, *values: object) -> None:
        self.deck = Deck()
        self.deck.opened(1)
        self.reference = Reference(self.deck.engine.store)
        for value in values:
            self.answered(value)

    def answered(self, value: object, after_ns: int = 0) -> None:
        self.deck.now_ns += after_ns
        self.reference.take(Fetched("", (), value, "", self.deck.now_ns))

    def life(self, event: str, market: str = "S-E-M", **more: object) -> None:
        self.deck.frame(MarketLifecycle(sid=7, market=market, event=event, **more))  # type: ignore[arg-type]  # by tests
        self.reference.heard(market, self.deck.now_ns)

    @property
    def now_ns(self) -> int:
        return self.deck.now_ns


def market(**more: object) -> Market:
    given = {"ticker": "S-E-M", "event_ticker": "S-E", "status": "active"} | more
    return msgspec.convert(given, Market)


SERIES = Series(ticker="S", fee_type="quadratic_with_maker_fees", fee_multiplier="0.5")
EVENT = Event(event_ticker="S-E", series_ticker="S")


# ------------------------------------------------------------------ fees


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ((), NOT_CHARGEABLE),
        ((SERIES,), FeeTerms(FeeType.WITH_MAKER_FEES, ONE // 2)),  # by the name of the market
        ((Series(ticker="S", fee_type="quadratic", fee_multiplier="1"),), FeeTerms(FeeType.QUADRATIC, ONE)),
        ((Series(ticker="S", fee_type="quadratic", fee_multiplier="0"),), FeeTerms(FeeType.QUADRATIC, 0)),
        ((Series(ticker="S", fee_type="novel", fee_multiplier="1"),), NOT_CHARGEABLE),
        ((Series(ticker="S", fee_type="flat", fee_multiplier="1"),), NOT_CHARGEABLE),
        ((Series(ticker="S", fee_type="quadratic", fee_multiplier=""),), NOT_CHARGEABLE),
        ((Series(ticker="S", fee_type="quadratic", fee_multiplier="1e3"),), NOT_CHARGEABLE),
        ((SERIES, Event(event_ticker="S-E", series_ticker="T"), market()), NOT_CHARGEABLE),  # it is of T
        ((SERIES, Event(event_ticker="S-E"), market()), FeeTerms(FeeType.WITH_MAKER_FEES, ONE // 2)),
    ],
)
def test_fees_are_the_series_and_else_more_than_is_charged(told: tuple[object, ...], expected: FeeTerms) -> None:
    known = Known(*told)
    assert known.reference.fees("S-E-M", known.now_ns) == expected


def test_an_events_override_comes_before_the_series() -> None:
    known = Known(SERIES, market(), Event(event_ticker="S-E", series_ticker="S", fee_multiplier="2"))
    assert known.reference.fees("S-E-M", 0) == FeeTerms(FeeType.WITH_MAKER_FEES, 2 * ONE)
    known.reference.override(EventFeeUpdate(event_ticker="S-E", fee_type="quadratic"), known.now_ns)
    assert known.reference.fees("S-E-M", 0) == FeeTerms(FeeType.QUADRATIC, ONE // 2)
    known.answered(EVENT, CACHED_NS)  # perhaps from a cache
    assert known.reference.fees("S-E-M", 0) == FeeTerms(FeeType.QUADRATIC, ONE // 2)
    known.reference.override(EventFeeUpdate(event_ticker="S-E"), known.now_ns)  # cleared
    assert known.reference.fees("S-E-M", 0) == FeeTerms(FeeType.WITH_MAKER_FEES, ONE // 2)
    known.answered(Event(event_ticker="S-E", fee_multiplier="3"), CACHED_NS + 1)
    assert known.reference.fees("S-E-M", 0).multiplier == 3 * ONE


@pytest.mark.parametrize(
    ("update", "expected"),
    [
        (EventFeeUpdate(event_ticker="S-E", fee_type="novel"), NOT_CHARGEABLE),
        (EventFeeUpdate(event_ticker="S-E", fee_type="flat"), NOT_CHARGEABLE),
        (EventFeeUpdate(event_ticker="S-E", multiplier="x"), NOT_CHARGEABLE),
        (EventFeeUpdate(event_ticker="S-E", fee_type="margin_market_maker_program_fees"), NOT_CHARGEABLE),
    ],
)
def test_an_override_nobody_understands_is_dear(update: EventFeeUpdate, expected: FeeTerms) -> None:
    known = Known(SERIES, market())
    known.reference.override(update)
    assert known.reference.fees("S-E-M", 0) == expected
    assert told_fees(known.reference, "S-E-M", 0) is None


def test_fees_are_waived_for_a_time() -> None:
    known = Known(SERIES, market(fee_waiver_until_ns=100))
    assert [known.reference.fees("S-E-M", at_ns).multiplier for at_ns in (99, 100)] == [0, ONE // 2]


def test_whether_fees_are_known() -> None:
    known = Known()
    assert not known.reference.knows_fees("S-E-M")
    known.answered(SERIES)
    assert known.reference.knows_fees("S-E-M")
    assert known.reference.series_of("S-E-M") == "S"


# ------------------------------------------------------------------ markets


def test_pages_and_events_bring_their_markets() -> None:
    known = Known(Page((market(), Event(event_ticker="T-F", series_ticker="U", markets=(Market(ticker="T-F-N"),)))))
    assert known.reference.market("S-E-M") == market()
    assert known.reference.market("T-F-N") == Market(ticker="T-F-N")
    assert known.reference.market("X") is None


@pytest.mark.parametrize(
    ("status", "is_open"),
    [("active", True), ("open", True), ("inactive", False), ("closed", False), ("finalized", False)],
)
def test_by_rest_a_market_is_open_as_its_status_says(status: str, is_open: bool) -> None:
    known = Known(market(status=status))
    assert known.reference.is_open("S-E-M", known.now_ns) is is_open


def test_a_market_opens_and_closes_by_the_clock() -> None:
    known = Known(market(status="initialized", open_ns=100, close_ns=200))
    assert [known.reference.is_open("S-E-M", at_ns) for at_ns in (99, 100, 199, 200)] == [False, True, True, False]
    assert not known.reference.is_open("unheard of", 100)


def test_lifecycle_messages_are_newer_than_what_rest_said_before() -> None:
    known = Known(market(close_ns=10**19))
    known.life("deactivated", is_deactivated=True)
    assert not known.reference.is_open("S-E-M", known.now_ns)
    known.answered(market(close_ns=10**19), CACHED_NS)
    assert not known.reference.is_open("S-E-M", known.now_ns)
    known.life("activated", is_deactivated=False)
    known.life("close_date_updated", close_ns=2 * 10**18)
    assert known.reference.close_ns("S-E-M") == 2 * 10**18
    assert known.reference.is_open("S-E-M", known.now_ns)
    assert not known.reference.is_open("S-E-M", 2 * 10**18)


def test_rest_is_newer_once_no_cache_can_be_so_old() -> None:
    known = Known(market(close_ns=5))
    known.life("deactivated", is_deactivated=True, close_ns=6)
    known.answered(market(close_ns=10**19), CACHED_NS + 1)
    assert known.reference.close_ns("S-E-M") == 10**19
    assert known.reference.is_open("S-E-M", known.now_ns)


def test_a_market_that_only_messages_told_of() -> None:
    known = Known()
    known.life("created", open_ns=100, close_ns=10**19, price_level_structure="linear_cent", event_ticker="S-E")
    assert known.reference.is_open("S-E-M", 100)
    assert known.reference.close_ns("S-E-M") == 10**19
    assert known.reference.ranges("S-E-M") == CENTS
    known.life("determined", determined_ns=5)
    assert not known.reference.is_open("S-E-M", 100)


def test_price_ranges_by_message_by_rest_or_not_at_all() -> None:
    known = Known(market(price_ranges=CENTS))
    assert known.reference.ranges("S-E-M") == CENTS
    bands = (PriceRange(0, 10_000, 10),)
    known.life("price_level_structure_updated", price_level_structure="", price_ranges=bands)
    assert known.reference.ranges("S-E-M") == bands
    assert Known(market(price_level_structure="novel")).reference.ranges("S-E-M") == ()
    assert known.reference.ranges("X") == ()
    assert known.reference.close_ns("X") == 0


def test_the_oldest_are_forgotten() -> None:
    known = Known(Page(tuple(Market(ticker=f"M{n}") for n in range(MAX_KEPT + 1))))
    assert known.reference.market("M0") is None
    assert known.reference.market("M1") is not None


# ------------------------------------------------------------------ the exchange


@pytest.mark.parametrize(
    ("status", "shards"),
    [
        (ExchangeStatus(True, True), [True, True]),
        (ExchangeStatus(True, False), [False, False]),
        (ExchangeStatus(False, True), [False, False]),
        (ExchangeStatus(True, True, shards=((0, True, False), (1, True, True))), [False, True]),
        (ExchangeStatus(True, True, shards=((0, True, True), (1, False, True))), [True, False]),
    ],
)
def test_the_exchange_trades_as_it_says_by_shard(status: ExchangeStatus, shards: list[bool]) -> None:
    known = Known()
    assert known.reference.is_trading()
    known.answered(status)
    assert [known.reference.is_trading(index) for index in (0, 1)] == shards


def test_the_next_pause_by_the_schedule() -> None:
    known = Known()
    now_ns = known.now_ns
    weekly = known.reference.pause_ns(now_ns)
    assert now_ns < weekly <= now_ns + 7 * 24 * HOUR_NS
    known.answered(Schedule(maintenance=(Maintenance(now_ns + 5, now_ns + 9),)))
    assert known.reference.pause_ns(now_ns) == now_ns + 5
    assert known.reference.pause_ns(now_ns + 9) == weekly
