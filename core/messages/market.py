"""Parsers of public market data: the book, the ticker, trades and the lives of markets (protocol 8.1-8.4, 8.8, 8.9).

Each takes the fields of `msg` and the head around it and gives the message; it raises Refused when that cannot be.
"""

import re
from typing import Any, Final

from core.messages.fields import CHANGE, INT64_MAX, MAX_SID, PRICE, SIZE, Fields, Head, Refused
from core.messages.strict import Fraction
from core.messages.types import (
    BookDelta,
    BookSnapshot,
    EventFeeUpdate,
    EventLifecycle,
    Level,
    MarketLifecycle,
    PriceRange,
    Ticker,
    Trade,
)
from core.money import DOLLAR, parse_price, parse_size, price_from_cents, size_from_count

MAX_LEVELS: Final = DOLLAR + 1  # one for every price there is
_MAX_RANGES: Final = 1000  # price ranges of a market; real ones have up to 3

_MULTIPLIER: Final = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,12})?")


def _sequenced(head: Head) -> Head:
    """A book frame without its place in the sequence cannot be trusted to follow the one before."""
    for name, value in (("sid", head["sid"]), ("seq", head["seq"])):
        if not value:
            raise Refused(f"{name}: missing")
    return head


def _levels(msg: Fields, side: str) -> tuple[Level, ...]:
    """A side's levels, from the newest notation that is given."""
    notations = (
        (f"{side}_dollars_fp", _fixed_level),  # since January 2026
        (f"{side}_dollars", _mixed_level),  # September 2025 to March 2026
        (side, _whole_level),  # until March 2026
    )
    given = [(name, value, read) for name, read in notations if (value := msg.take(name)) is not None]
    if not given:
        return ()
    name, value, read = given[0]
    if not isinstance(value, list):
        raise Refused(f"{name}: not a list of levels")
    if len(value) > MAX_LEVELS:
        raise Refused(f"{name}: too many levels")
    try:
        levels = tuple([read(*level) if type(level) is list and len(level) == 2 else _no_level() for level in value])
    except ValueError:
        raise Refused(f"{name}: not a level") from None
    if any(size < 0 for _, size in levels):
        raise Refused(f"{name}: not a level")
    return levels


def _no_level() -> Level:
    raise ValueError("not a pair")


def _fixed_level(price: Any, size: Any) -> Level:
    if not isinstance(price, str) or not isinstance(size, str):
        return _no_level()
    return parse_price(price), parse_size(size)


def _mixed_level(price: Any, count: Any) -> Level:
    if not isinstance(price, str) or type(count) is not int:
        return _no_level()
    return parse_price(price), size_from_count(count)


def _whole_level(cents: Any, count: Any) -> Level:
    if type(cents) is not int or type(count) is not int:
        return _no_level()
    return price_from_cents(cents), size_from_count(count)


def book_snapshot(msg: Fields, head: Head) -> BookSnapshot:
    """`orderbook_snapshot`"""
    return BookSnapshot(
        **_sequenced(head),
        market=msg.name("market_ticker"),
        yes=_levels(msg, "yes"),
        no=_levels(msg, "no"),
        market_id=msg.text("market_id"),
        clock=msg.integer("clock") or 0,
    )


def book_delta(msg: Fields, head: Head) -> BookDelta:
    """`orderbook_delta`"""
    msg.ignore(("subaccount",))
    return BookDelta(
        **_sequenced(head),
        market=msg.name("market_ticker"),
        side=msg.side("side"),
        price=msg.required(PRICE, "price_dollars", "price"),
        delta=msg.required(CHANGE, "delta_fp", "delta"),
        exchange_ns=msg.time("ts", "ts_ms"),
        market_id=msg.text("market_id"),
        clock=msg.integer("clock") or 0,
        client_order_id=msg.text("client_order_id"),
    )


def ticker(msg: Fields, head: Head) -> Ticker:
    """`ticker`"""
    msg.ignore(("Clock",))  # undocumented, early 2026: neither the `clock` of today nor a sequence
    price = msg.number(PRICE, "price_dollars", "price")
    if not msg.text("price_dollars"):
        price = price or None  # a market without trades had 0 cents, which is the price of no trade
    return Ticker(
        **head,
        market=msg.name("market_ticker"),
        price=price,
        yes_bid=msg.number(PRICE, "yes_bid_dollars", "yes_bid"),
        yes_ask=msg.number(PRICE, "yes_ask_dollars", "yes_ask"),
        yes_bid_size=msg.number(SIZE, "yes_bid_size_fp"),
        yes_ask_size=msg.number(SIZE, "yes_ask_size_fp"),
        last_trade_size=msg.number(SIZE, "last_trade_size_fp"),
        volume=msg.number(SIZE, "volume_fp", "volume"),
        open_interest=msg.number(SIZE, "open_interest_fp", "open_interest"),
        dollar_volume=msg.integer("dollar_volume", least=-INT64_MAX),
        dollar_open_interest=msg.integer("dollar_open_interest", least=-INT64_MAX),
        exchange_ns=msg.time("time", "ts_ms", "ts"),
        market_id=msg.text("market_id"),
    )


def trade(msg: Fields, head: Head) -> Trade:
    """`trade`"""
    msg.ignore(("no_price_dollars", "no_price", "taker_book_side"))
    return Trade(
        **head,
        market=msg.name("market_ticker"),
        trade_id=msg.name("trade_id"),
        price=msg.required(PRICE, "yes_price_dollars", "yes_price"),
        count=msg.required(SIZE, "count_fp", "count"),
        taker=msg.side("taker_outcome_side", "taker_side"),
        is_block=msg.flag("is_block_trade") or False,
        exchange_ns=msg.time("ts_ms", "ts"),
    )


def market_lifecycle(msg: Fields, head: Head, *, multivariate: bool = False) -> MarketLifecycle:
    """`market_lifecycle_v2` and `multivariate_market_lifecycle`, read by presence and not by event."""
    msg.ignore(("exchange_index", "strike_type", "floor_strike", "cap_strike", "custom_strike"))
    msg.ignore(("yes_sub_title", "no_sub_title"))
    metadata = msg.take("additional_metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise Refused("additional_metadata: not an object")
    return MarketLifecycle(
        **head,
        market=msg.name("market_ticker"),
        event=msg.name("event_type"),
        multivariate=multivariate,
        event_ticker=Fields(metadata or {}).text("event_ticker"),
        open_ns=msg.time("open_ts"),
        close_ns=msg.time("close_ts"),
        determined_ns=msg.time("determination_ts"),
        settled_ns=msg.time("settled_ts"),
        is_deactivated=msg.flag("is_deactivated"),
        result=msg.text("result"),
        settlement_value=msg.number(PRICE, "settlement_value"),
        price_level_structure=msg.text("price_level_structure"),
        price_ranges=_price_ranges(msg),
    )


def _price_ranges(msg: Fields) -> tuple[PriceRange, ...]:
    ranges = msg.take("price_ranges")
    if ranges is None:
        return ()
    if not isinstance(ranges, list) or len(ranges) > _MAX_RANGES or not all(isinstance(one, dict) for one in ranges):
        raise Refused("price_ranges: not a list of price ranges")
    return tuple([_price_range(Fields(one)) for one in ranges])


def _price_range(one: Fields) -> PriceRange:
    return PriceRange(one.required(PRICE, "start"), one.required(PRICE, "end"), one.required(PRICE, "step"))


def event_lifecycle(msg: Fields, head: Head) -> EventLifecycle:
    """`event_lifecycle`"""
    msg.ignore(("exchange_index", "subtitle", "sub_title", "strike_period"))
    return EventLifecycle(
        **head,
        event_ticker=msg.name("event_ticker"),
        series_ticker=msg.text("series_ticker"),
        title=msg.text("title"),
        collateral_return_type=msg.text("collateral_return_type"),
        strike_ns=msg.time("strike_date"),
    )


def event_fee_update(msg: Fields, head: Head) -> EventFeeUpdate:
    """`event_fee_update`; null clears an override."""
    return EventFeeUpdate(
        **head,
        event_ticker=msg.name("event_ticker"),
        fee_type=None if msg.take("fee_type_override") is None else msg.text("fee_type_override"),
        multiplier=_multiplier(msg.take("fee_multiplier_override")),
    )


def _multiplier(value: Any) -> str | None:
    match value:
        case None:
            return None
        case Fraction(text=text) | str(text):
            pass
        case int() if type(value) is int and abs(value) <= MAX_SID:
            text = str(value)
        case _:
            text = ""
    if _MULTIPLIER.fullmatch(text) is None:
        raise Refused("fee_multiplier_override: not a decimal number")
    return text
