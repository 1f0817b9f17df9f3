"""What a frame says, in our units: one frozen struct for each kind of server message.

Units: prices in 1/10,000 dollar, sizes in 1/100 contract, money in 1/1,000,000 dollar, times in Unix ns.
`0` stands for "not given" in sid, seq, id, clock and times (the exchange numbers from 1); a value whose zero
means something is `int | None`. Field meanings: protocol description, sections 5 and 8.
"""

from enum import StrEnum
from typing import Final, TypeAlias

import msgspec

Level: TypeAlias = tuple[int, int]  # (price_1e4, size_1e2)


class Side(StrEnum):
    """Which ladder of bids, and which outcome."""

    YES = "yes"
    NO = "no"


class Base(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What every server message may carry.

    sid: subscription, 0 = none. seq: its number within (connection, sid), 0 = this channel has none.
    id: the command it answers, 0 = none. sending_ms: Unix ms when the exchange queued the frame, 0 = not given.
    unknown_fields: names met that this decoder does not know, sorted.
    """

    sid: int = 0
    seq: int = 0
    id: int = 0
    sending_ms: int = 0
    unknown_fields: tuple[str, ...] = ()


class Subscribed(Base, frozen=True, gc=False, kw_only=True):
    """A channel was accepted; `sid` is the new subscription's. Takes no seq."""

    channel: str


class Ok(Base, frozen=True, gc=False, kw_only=True):
    """An update was carried out. On a sequenced channel it takes a slot of its sid.

    markets: the full list after the update, None when the reply names none (skip_ticker_ack).
    """

    markets: tuple[str, ...] | None = None


class SubscriptionList(Base, frozen=True, gc=False, kw_only=True):
    """The answer to list_subscriptions: (channel, sid) pairs."""

    subscriptions: tuple[tuple[str, int], ...] = ()


class Unsubscribed(Base, frozen=True, gc=False, kw_only=True):
    """The sid is over; takes its last slot."""


class ErrorReply(Base, frozen=True, gc=False, kw_only=True):
    """The exchange refused a command, or ended a subscription (codes 10 and 25 are terminal)."""

    code: int
    text: str = ""
    markets: tuple[str, ...] = ()


class BookSnapshot(Base, frozen=True, gc=False, kw_only=True):
    """The whole book of a market; a missing side is empty. Levels as sent, in the subscription's own price scale."""

    market: str
    yes: tuple[Level, ...] = ()
    no: tuple[Level, ...] = ()
    market_id: str = ""
    clock: int = 0


class BookDelta(Base, frozen=True, gc=False, kw_only=True):
    """A relative change of one level. `price` is in the subscription's own scale (use_yes_price is in SENT)."""

    market: str
    side: Side
    price: int
    delta: int
    exchange_ns: int = 0
    market_id: str = ""
    clock: int = 0
    client_order_id: str = ""


class Ticker(Base, frozen=True, gc=False, kw_only=True):
    """Summary of a market; None where the frame gives no value ("" or absent)."""

    market: str
    price: int | None = None
    yes_bid: int | None = None
    yes_ask: int | None = None
    yes_bid_size: int | None = None
    yes_ask_size: int | None = None
    last_trade_size: int | None = None
    volume: int | None = None
    open_interest: int | None = None
    dollar_volume: int | None = None  # whole dollars
    dollar_open_interest: int | None = None  # whole dollars
    exchange_ns: int = 0
    market_id: str = ""


class Trade(Base, frozen=True, gc=False, kw_only=True):
    """A public trade. `price` is the yes price; `taker` the outcome the taker bought."""

    market: str
    trade_id: str
    price: int
    count: int
    taker: Side
    is_block: bool = False
    exchange_ns: int = 0


class Fill(Base, frozen=True, gc=False, kw_only=True):
    """A fill of our own order. `price` is always the yes price; `fee` the whole fill's."""

    market: str
    trade_id: str
    order_id: str
    side: Side
    price: int
    count: int
    is_taker: bool = False
    client_order_id: str = ""
    fee: int | None = None
    post_position: int | None = None
    exchange_ns: int = 0
    subaccount: int = 0


class MarketPosition(Base, frozen=True, gc=False, kw_only=True):
    """Our position in a market: positive = yes, negative = no. Carries no time of its own."""

    market: str
    position: int
    position_cost: int | None = None
    realized_pnl: int | None = None
    fees_paid: int | None = None
    position_fee_cost: int | None = None
    volume: int | None = None
    subaccount: int = 0


class UserOrder(Base, frozen=True, gc=False, kw_only=True):
    """State of one of our orders: counts are cumulative, not changes."""

    market: str
    order_id: str
    status: str  # resting, canceled, executed, unknown, or what the exchange adds
    side: Side
    price: int
    initial_count: int = 0
    fill_count: int = 0
    remaining_count: int = 0
    client_order_id: str = ""
    taker_fill_cost: int = 0
    maker_fill_cost: int = 0
    taker_fees: int = 0
    maker_fees: int = 0
    created_ns: int = 0
    updated_ns: int = 0
    expiration_ns: int = 0
    update_reason: str = ""
    order_group_id: str = ""
    subaccount: int = 0


class PriceRange(msgspec.Struct, frozen=True, gc=False):
    """Prices from start to end (1/10,000 dollar) move in steps of `step`."""

    start: int
    end: int
    step: int


class MarketLifecycle(Base, frozen=True, gc=False, kw_only=True):
    """A change in a market's life; fields are read by presence, not by event (market_lifecycle_v2 and multivariate)."""

    market: str
    event: str  # created, activated, deactivated, close_date_updated, determined, settled, ... or what comes
    multivariate: bool = False
    event_ticker: str = ""
    open_ns: int = 0
    close_ns: int = 0
    determined_ns: int = 0
    settled_ns: int = 0
    is_deactivated: bool | None = None
    result: str = ""
    settlement_value: int | None = None  # price units
    price_level_structure: str = ""
    price_ranges: tuple[PriceRange, ...] = ()


class EventLifecycle(Base, frozen=True, gc=False, kw_only=True):
    """An event was created."""

    event_ticker: str
    series_ticker: str = ""
    title: str = ""
    collateral_return_type: str = ""
    strike_ns: int = 0


class EventFeeUpdate(Base, frozen=True, gc=False, kw_only=True):
    """Fee override of an event; None clears it. The multiplier is kept as its decimal text."""

    event_ticker: str
    fee_type: str | None = None
    multiplier: str | None = None


class OrderGroupUpdate(Base, frozen=True, gc=False, kw_only=True):
    """A change of one of our order groups."""

    order_group_id: str
    event: str
    contracts_limit: int | None = None
    exchange_ns: int = 0


class Communication(Base, frozen=True, gc=False, kw_only=True):
    """A request for quotes or an answer to one (rfq_*, quote_*, rfq_batch_*, batch_quote_*): name and market only."""

    type: str
    market: str = ""


class Reference(Base, frozen=True, gc=False, kw_only=True):
    """A value, or a list of names, from a reference feed (cfbenchmarks_*, pyth_*): kept as text."""

    type: str
    name: str = ""
    value: str = ""
    exchange_ns: int = 0


class Unknown(Base, frozen=True, gc=False, kw_only=True):
    """A well-formed message of a type this decoder does not know."""

    type: str


class Malformed(msgspec.Struct, frozen=True, gc=False):
    """A frame that says nothing we can use; its bytes stay on the tape.

    reason: short and countable, such as "not-json", "not-an-object", "no-type", "delta_fp: not a size".
    """

    reason: str


Message: TypeAlias = (
    Subscribed
    | Ok
    | SubscriptionList
    | Unsubscribed
    | ErrorReply
    | BookSnapshot
    | BookDelta
    | Ticker
    | Trade
    | Fill
    | MarketPosition
    | UserOrder
    | MarketLifecycle
    | EventLifecycle
    | EventFeeUpdate
    | OrderGroupUpdate
    | Communication
    | Reference
    | Unknown
)

_TYPE_NAMES: Final[dict[type, str]] = {
    Subscribed: "subscribed",
    Ok: "ok",
    SubscriptionList: "ok",
    Unsubscribed: "unsubscribed",
    ErrorReply: "error",
    BookSnapshot: "orderbook_snapshot",
    BookDelta: "orderbook_delta",
    Ticker: "ticker",
    Trade: "trade",
    Fill: "fill",
    MarketPosition: "market_position",
    UserOrder: "user_order",
    MarketLifecycle: "market_lifecycle_v2",
    EventLifecycle: "event_lifecycle",
    EventFeeUpdate: "event_fee_update",
    OrderGroupUpdate: "order_group_updates",
}


def type_of(message: Message) -> str:
    """The exchange's own name for the message's type."""
    name = _TYPE_NAMES.get(type(message))
    if name is None:
        return message.type if isinstance(message, Communication | Reference | Unknown) else ""
    if isinstance(message, MarketLifecycle) and message.multivariate:
        return "multivariate_market_lifecycle"
    return name
