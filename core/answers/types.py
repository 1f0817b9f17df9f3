"""What a REST answer says, in our units: one frozen struct for each kind of object.

Units: prices in 1/10,000 dollar, sizes in 1/100 contract, money in 1/1,000,000 dollar, times in Unix ns. None where an
answer gives no value; 0 = no time given. Field meanings: protocol description, sections 11 to 13.
"""

from typing import Generic, TypeAlias, TypeVar

import msgspec

from core.messages.types import Level, Malformed, PriceRange, Side

T = TypeVar("T")
Answer: TypeAlias = T | Malformed


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page of a listing; cursor "" = it was the last. refused: why items were left out, one reason for each."""

    items: tuple[T, ...]
    cursor: str = ""
    refused: tuple[str, ...] = ()


class ApiError(msgspec.Struct, frozen=True):
    """What the exchange says of a request it refused; "" = it does not say. Never longer than a line."""

    code: str = ""
    message: str = ""
    details: str = ""


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """A market. status: initialized, inactive, active, closed, determined, disputed, amended, finalized, or what comes.

    result: yes, no, scalar, "" = not known yet. notional: what a contract pays at most, in price units. Prices,
    sizes and volumes are None also where what was said is no such thing. mve_collection_ticker: not empty for combos.
    """

    ticker: str
    event_ticker: str = ""
    status: str = ""
    title: str = ""
    yes_title: str = ""
    open_ns: int = 0
    close_ns: int = 0
    expected_expiration_ns: int = 0
    latest_expiration_ns: int = 0
    created_ns: int = 0
    updated_ns: int = 0
    settled_ns: int = 0
    settlement_timer_s: int = 0
    yes_bid: int | None = None
    yes_ask: int | None = None
    yes_bid_size: int | None = None
    yes_ask_size: int | None = None
    last_price: int | None = None
    volume: int | None = None
    volume_24h: int | None = None
    open_interest: int | None = None
    notional: int | None = None
    result: str = ""
    settlement_value: int | None = None
    can_close_early: bool = False
    price_level_structure: str = ""
    price_ranges: tuple[PriceRange, ...] = ()
    fee_waiver_until_ns: int = 0
    mve_collection_ticker: str = ""
    exchange_index: int = 0


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """An event. fee_multiplier: decimal text, None = not overridden. markets: those nested in the answer."""

    event_ticker: str
    series_ticker: str = ""
    title: str = ""
    subtitle: str = ""
    mutually_exclusive: bool = False
    strike_ns: int = 0
    fee_type: str | None = None
    fee_multiplier: str | None = None
    markets: tuple[Market, ...] = ()


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """A series. fee_multiplier: decimal text, "" = not given."""

    ticker: str
    title: str = ""
    category: str = ""
    frequency: str = ""
    fee_type: str = ""
    fee_multiplier: str = ""


class BookAnswer(msgspec.Struct, frozen=True):
    """A book by REST: no time, no number, perhaps from a cache. Levels ascending, each side on its own scale."""

    yes: tuple[Level, ...] = ()
    no: tuple[Level, ...] = ()


class Group(msgspec.Struct, frozen=True):
    """An order group. contracts_limit: 1/100 contract in 15 s, None = not said."""

    group_id: str
    contracts_limit: int | None = None
    is_auto_cancel_enabled: bool = False


class PublicTrade(msgspec.Struct, frozen=True):
    """A public trade; price is the yes price, taker the outcome the taker bought."""

    trade_id: str
    market: str
    price: int
    count: int
    taker: Side
    created_ns: int = 0
    is_block: bool = False


class ExchangeStatus(msgspec.Struct, frozen=True):
    """Is the exchange open. is_trading_active False alone: no placing, cancels are taken. resume_ns: as estimated.

    shards: (exchange_index, exchange active, trading active) where the answer tells of them.
    """

    is_exchange_active: bool
    is_trading_active: bool
    resume_ns: int = 0
    shards: tuple[tuple[int, bool, bool], ...] = ()


class Hours(msgspec.Struct, frozen=True):
    """Regular hours of one weekday (0 = Monday), minutes after midnight, New York time; close 0 = midnight after.

    from_ns, until_ns: when they are in force; 0 = no limit.
    """

    weekday: int
    open_min: int
    close_min: int
    from_ns: int = 0
    until_ns: int = 0


class Window(msgspec.Struct, frozen=True):
    """A maintenance window, Unix ns."""

    from_ns: int
    until_ns: int


class Schedule(msgspec.Struct, frozen=True):
    """The exchange's schedule; empty `hours` = the answer names none."""

    hours: tuple[Hours, ...] = ()
    maintenance: tuple[Window, ...] = ()


class Limits(msgspec.Struct, frozen=True):
    """Request budgets in tokens: refill a second, and the bucket."""

    tier: str
    read_rate: int
    read_capacity: int
    write_rate: int
    write_capacity: int


class Costs(msgspec.Struct, frozen=True):
    """What requests cost in tokens: (method, path pattern, tokens), for those that differ from `default`."""

    default: int
    costs: tuple[tuple[str, str, int], ...] = ()


class Balance(msgspec.Struct, frozen=True):
    """Money of the account; portfolio: what its positions are worth."""

    balance: int
    portfolio: int
    updated_ns: int = 0


class PositionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A position: positive = yes, negative = no."""

    market: str
    position: int
    exposure: int | None = None
    realized_pnl: int | None = None
    fees_paid: int | None = None
    updated_ns: int = 0


class OrderAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An order; counts are cumulative. side: the outcome it buys. price: the yes price."""

    order_id: str
    market: str
    status: str
    side: Side
    price: int
    client_order_id: str = ""
    initial_count: int = 0
    fill_count: int = 0
    remaining_count: int = 0
    taker_fees: int = 0
    maker_fees: int = 0
    created_ns: int = 0
    updated_ns: int = 0
    expiration_ns: int = 0
    order_group_id: str = ""
    subaccount: int = 0


class FillAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A fill; price is the yes price, side the outcome that was bought, fee the whole fill's."""

    trade_id: str
    order_id: str
    market: str
    side: Side
    price: int
    count: int
    is_taker: bool = False
    fee: int = 0
    created_ns: int = 0


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """What a settled market paid. revenue: money."""

    market: str
    result: str
    yes_count: int = 0
    no_count: int = 0
    revenue: int = 0
    fee: int = 0
    settled_ns: int = 0


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to create, amend or decrease. error: of one item of a batch, None = it was carried out."""

    order_id: str = ""
    client_order_id: str = ""
    fill_count: int = 0
    remaining_count: int = 0
    at_ns: int = 0
    error: ApiError | None = None


class Cancelled(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a cancel: by how much the order was reduced."""

    order_id: str
    client_order_id: str = ""
    reduced_by: int = 0
    at_ns: int = 0
    error: ApiError | None = None
