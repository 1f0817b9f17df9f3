"""What happened on the exchange, in the order it happened: everything that frames are worded from.

Units as in orders.py; prices of a BookChanged are on its own ladder's scale, all others on the yes scale. Each value
carries all that its frame needs (protocol 8), so that wording looks nothing up. Must not know frames or sessions.

One action (a command, or something that fell due) tells: first its deltas, then each trade with its two fills, then
orders, positions, groups, life and tickers. The exchange's own order across channels is unknown (protocol 20).
"""

from enum import StrEnum
from typing import TypeAlias

import msgspec

from core.fees import FeeOverride
from core.messages.types import Side
from replay.exchange.orders import Order
from replay.exchange.specs import EventSpec, MarketSpec, Outcome


class BookChanged(msgspec.Struct, frozen=True, gc=False):
    """One order changed one level (`orderbook_delta`).

    Deltas of one action share a clock. owner, client_order_id, subaccount: whose order caused it; "" for what nobody
    asked for, such as an expiry.
    """

    at_ns: int
    market: str
    market_id: str
    clock: int
    side: Side
    price: int
    delta: int
    owner: str = ""
    client_order_id: str = ""
    subaccount: int = 0


class BookCleared(msgspec.Struct, frozen=True, gc=False):
    """A closing market lost its book at once, without deltas.

    As recorded: in four tapes of a closing market the book is full until the close and the next snapshot is empty.
    """

    at_ns: int
    market: str
    market_id: str
    clock: int


class Traded(msgspec.Struct, frozen=True, gc=False):
    """A public trade (`trade`). taker: the outcome the taker bought."""

    at_ns: int
    market: str
    trade_id: str
    price: int
    count: int
    taker: Side


class Filled(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One side of a trade (`fill`). fee: what the account was charged for it, rounding included."""

    at_ns: int
    account: str
    market: str
    exchange_index: int
    trade_id: str
    order_id: str
    client_order_id: str
    side: Side
    price: int
    count: int
    fee: int
    is_taker: bool
    post_position: int
    subaccount: int = 0


class OrderChanged(msgspec.Struct, frozen=True, gc=False):
    """An order is new or stands otherwise than before (`user_order`); account and exchange_index are in it."""

    at_ns: int
    order: Order


class PositionChanged(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What an account holds of a market (`market_position`): + yes, - no; costs, fees and profit in money."""

    at_ns: int
    account: str
    market: str
    position: int
    cost: int
    realized_pnl: int
    fees_paid: int
    position_fee_cost: int
    volume: int
    subaccount: int = 0


class Life(StrEnum):
    """The `event_type` of a `market_lifecycle_v2` frame."""

    CREATED = "created"
    ACTIVATED = "activated"
    DEACTIVATED = "deactivated"
    CLOSE_DATE_UPDATED = "close_date_updated"
    DETERMINED = "determined"
    SETTLED = "settled"
    PRICE_LEVELS_UPDATED = "price_level_structure_updated"
    METADATA_UPDATED = "metadata_updated"


class LifecycleChanged(msgspec.Struct, frozen=True):
    """A market's life went on (`market_lifecycle_v2`). spec: as it is now; outcome: None before determination.

    Opening and closing at the time the spec says make none (protocol 8.8).
    """

    at_ns: int
    event: Life
    spec: MarketSpec
    outcome: Outcome | None = None


class EventCreated(msgspec.Struct, frozen=True):
    """An event was listed (`event_lifecycle`)."""

    at_ns: int
    event: EventSpec


class EventFeesChanged(msgspec.Struct, frozen=True, gc=False):
    """An event's fee override was set, or cleared where it is None (`event_fee_update`)."""

    at_ns: int
    event_ticker: str
    override: FeeOverride


class GroupEvent(StrEnum):
    """The `event_type` of an `order_group_updates` frame."""

    CREATED = "created"
    TRIGGERED = "triggered"
    RESET = "reset"
    DELETED = "deleted"
    LIMIT_UPDATED = "limit_updated"


class GroupChanged(msgspec.Struct, frozen=True, gc=False):
    """An order group changed (`order_group_updates`). contracts_limit: size, told when created and when updated."""

    at_ns: int
    account: str
    group_id: str
    event: GroupEvent
    contracts_limit: int | None = None


class TickerChanged(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A market's summary changed (`ticker`). Empty sides: yes_bid 0, yes_ask one dollar, size 0; no trade: price 0.

    dollar_volume, dollar_open_interest: whole dollars. How the exchange computes them is in no source: here the yes
    price times the contracts of each trade, and the last price times the open contracts.
    """

    at_ns: int
    market: str
    market_id: str
    price: int
    yes_bid: int
    yes_ask: int
    yes_bid_size: int
    yes_ask_size: int
    last_trade_size: int
    volume: int
    open_interest: int
    dollar_volume: int
    dollar_open_interest: int


class Settled(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A position was paid out (it has no frame, REST lists it): counts and costs of the side held, money paid."""

    at_ns: int
    account: str
    market: str
    outcome: Outcome
    yes_count: int
    yes_cost: int
    no_count: int
    no_cost: int
    revenue: int
    fees_paid: int


Happening: TypeAlias = (
    BookChanged
    | BookCleared
    | Traded
    | Filled
    | OrderChanged
    | PositionChanged
    | LifecycleChanged
    | EventCreated
    | EventFeesChanged
    | GroupChanged
    | TickerChanged
    | Settled
)
