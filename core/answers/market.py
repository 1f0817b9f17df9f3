"""Market data by REST (protocol 12): markets, events, series, books, trades.

Knows the bodies of today and those of early 2026, when cents stood beside dollars.
"""

import re
from typing import Any, Final

from core.answers.reading import fields_of, items, lenient_page, member, number_or_none, read
from core.answers.types import Answer, BookAnswer, Event, Market, Page, PublicTrade, Series
from core.messages.fields import PRICE, SIZE, Fields, Refused
from core.messages.strict import Fraction
from core.messages.types import Level, PriceRange
from core.money import parse_price, parse_size

_MULTIPLIER: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,12})?")


def parse_market(body: bytes) -> Answer[Market]:
    """`GET /markets/{ticker}`"""
    return read(body, lambda fields: market(member(fields, "market")))


def parse_markets(body: bytes) -> Answer[Page[Market]]:
    """`GET /markets`"""
    return read(body, lambda fields: lenient_page(fields, "markets", market))


def parse_event(body: bytes) -> Answer[Event]:
    """`GET /events/{ticker}`: the markets stand beside the event, or nested in it."""
    return read(body, _event_answer)


def parse_events(body: bytes) -> Answer[Page[Event]]:
    """`GET /events`"""
    return read(body, lambda fields: lenient_page(fields, "events", event))


def parse_series(body: bytes) -> Answer[Series]:
    """`GET /series/{ticker}`"""
    return read(body, lambda fields: series(member(fields, "series")))


def parse_orderbook(body: bytes) -> Answer[BookAnswer]:
    """`GET /markets/{ticker}/orderbook`; an empty book was once `{"orderbook":{}}` (protocol 9.6)."""
    return read(body, _book)


def parse_orderbooks(body: bytes) -> Answer[tuple[tuple[str, BookAnswer], ...]]:
    """`GET /markets/orderbooks`: each market and its book."""
    return read(body, lambda fields: items(fields, "orderbooks", lambda one: (one.name("ticker"), _book(one))))


def parse_trades(body: bytes) -> Answer[Page[PublicTrade]]:
    """`GET /markets/trades`"""
    return read(body, lambda fields: lenient_page(fields, "trades", _trade))


def market(fields: Fields) -> Market:
    """A Market object."""
    return Market(
        ticker=fields.name("ticker"),
        event_ticker=fields.text("event_ticker"),
        status=fields.text("status"),
        title=fields.text("title"),
        yes_title=fields.text("yes_sub_title"),
        open_ns=fields.time("open_time"),
        close_ns=fields.time("close_time"),
        expected_expiration_ns=fields.time("expected_expiration_time"),
        latest_expiration_ns=fields.time("latest_expiration_time"),
        created_ns=fields.time("created_time"),
        updated_ns=fields.time("updated_time"),
        settled_ns=fields.time("settlement_ts"),
        settlement_timer_s=fields.integer("settlement_timer_seconds") or 0,
        yes_bid=number_or_none(fields, PRICE, "yes_bid_dollars", "yes_bid"),
        yes_ask=number_or_none(fields, PRICE, "yes_ask_dollars", "yes_ask"),
        yes_bid_size=number_or_none(fields, SIZE, "yes_bid_size_fp"),
        yes_ask_size=number_or_none(fields, SIZE, "yes_ask_size_fp"),
        last_price=number_or_none(fields, PRICE, "last_price_dollars", "last_price"),
        volume=number_or_none(fields, SIZE, "volume_fp", "volume"),
        volume_24h=number_or_none(fields, SIZE, "volume_24h_fp", "volume_24h"),
        open_interest=number_or_none(fields, SIZE, "open_interest_fp", "open_interest"),
        notional=number_or_none(fields, PRICE, "notional_value_dollars"),
        result=fields.text("result"),
        settlement_value=fields.number(PRICE, "settlement_value_dollars"),
        can_close_early=fields.flag("can_close_early") or False,
        price_level_structure=fields.text("price_level_structure"),
        price_ranges=items(fields, "price_ranges", _range, required=False),
        fee_waiver_until_ns=fields.time("fee_waiver_expiration_time"),
        mve_collection_ticker=fields.text("mve_collection_ticker"),
        exchange_index=fields.integer("exchange_index", least=-1) or 0,
    )


def event(fields: Fields) -> Event:
    """An Event object."""
    multiplier = fields.take("fee_multiplier_override")
    return Event(
        event_ticker=fields.name("event_ticker"),
        series_ticker=fields.text("series_ticker"),
        title=fields.text("title"),
        subtitle=fields.text("sub_title", "subtitle"),
        mutually_exclusive=fields.flag("mutually_exclusive") or False,
        strike_ns=fields.time("strike_date"),
        fee_type=fields.text("fee_type_override") or None,
        fee_multiplier=None if multiplier is None else _decimal("fee_multiplier_override", multiplier),
        markets=items(fields, "markets", market, required=False),
    )


def series(fields: Fields) -> Series:
    """A Series object."""
    multiplier = fields.take("fee_multiplier")
    return Series(
        ticker=fields.name("ticker"),
        title=fields.text("title"),
        category=fields.text("category"),
        frequency=fields.text("frequency"),
        fee_type=fields.text("fee_type"),
        fee_multiplier="" if multiplier is None else _decimal("fee_multiplier", multiplier),
    )


def _event_answer(fields: Fields) -> Event:
    found = event(member(fields, "event"))
    beside = items(fields, "markets", market, required=False)
    if not beside or found.markets:
        return found
    return Event(**{name: getattr(found, name) for name in Event.__struct_fields__} | {"markets": beside})


def _decimal(name: str, value: Any) -> str:
    """A multiplier as its decimal text: 1 and 0.5 as they were written, never a float."""
    text = value.text if isinstance(value, Fraction) else str(value) if type(value) is int else ""
    if not _MULTIPLIER.fullmatch(text):
        raise Refused(f"{name}: not a number")
    return text


def _range(fields: Fields) -> PriceRange:
    return PriceRange(fields.required(PRICE, "start"), fields.required(PRICE, "end"), fields.required(PRICE, "step"))


def _book(fields: Fields) -> BookAnswer:
    book = fields.take("orderbook_fp")
    if book is None:
        book = fields.take("orderbook")
    if book is None:
        raise Refused("orderbook_fp: missing")
    sides = fields_of(book, "orderbook_fp")
    return BookAnswer(_levels(sides, "yes_dollars"), _levels(sides, "no_dollars"))


def _levels(fields: Fields, name: str) -> tuple[Level, ...]:
    value = fields.take(name)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise Refused(f"{name}: not a list of levels")
    try:
        return tuple(sorted((parse_price(price), parse_size(size)) for price, size in value))
    except (ValueError, TypeError, AttributeError):
        raise Refused(f"{name}: not a level") from None


def _trade(fields: Fields) -> PublicTrade:
    return PublicTrade(
        trade_id=fields.name("trade_id"),
        market=fields.name("ticker", "market_ticker"),
        price=fields.required(PRICE, "yes_price_dollars", "yes_price"),
        count=fields.required(SIZE, "count_fp", "count"),
        taker=fields.side("taker_outcome_side", "taker_side"),
        created_ns=fields.time("created_time"),
        is_block=fields.flag("is_block_trade") or False,
    )
