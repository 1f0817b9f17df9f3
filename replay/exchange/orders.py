"""Orders: what a client asks for, how an order stands, and what the exchange answers.

Units: prices in 1/10,000 dollar on the yes scale unless a name says own, sizes in 1/100 contract, money in 1/1,000,000
dollar, times in Unix ns; 0 and "" = none. Price times size is money without rounding. Values only: must not know books
or accounts.
"""

from enum import StrEnum
from typing import TypeAlias

import msgspec

from core.messages.types import Side
from core.money import DOLLAR


class BookSide(StrEnum):
    """Direction in the words of V2 orders: a bid is for yes, an ask for no (protocol 13.2)."""

    BID = "bid"
    ASK = "ask"

    @property
    def outcome(self) -> Side:
        """The outcome it buys."""
        return Side.YES if self is BookSide.BID else Side.NO


class TimeInForce(StrEnum):
    """How long an order may stay."""

    GOOD_TILL_CANCELED = "good_till_canceled"
    IMMEDIATE_OR_CANCEL = "immediate_or_cancel"
    FILL_OR_KILL = "fill_or_kill"


class SelfTrade(StrEnum):
    """What happens when an order meets one of the same account: the incoming one ends, or the resting one goes."""

    TAKER_AT_CROSS = "taker_at_cross"
    MAKER = "maker"


class OrderStatus(StrEnum):
    """How an order stands."""

    RESTING = "resting"
    CANCELED = "canceled"
    EXECUTED = "executed"


class Reason(StrEnum):
    """Why an order last changed, in the exchange's words (protocol 8.7).

    Which word a plain cancel, the rest of an IOC order, a triggered group or a deactivated market's orders carry is
    known of no source: DECREASE for the first three and HALT_CANCEL for the last are our choice.
    """

    NONE = ""
    DECREASE = "Decrease"
    AMEND = "Amend"
    SELF_TRADE_CANCEL = "SelfTradeCancel"
    EXPIRY_CANCEL = "ExpiryCancel"
    CLOSE_CANCEL = "CloseCancel"
    HALT_CANCEL = "HaltCancel"
    TRADE = "Trade"
    REDUCE_ONLY_CANCEL = "ReduceOnlyCancel"


class NewOrder(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A request to place an order. price: on the yes scale, for both sides. expiration_ns: 0 = until cancelled."""

    market: str
    side: BookSide
    price: int
    count: int
    time_in_force: TimeInForce = TimeInForce.GOOD_TILL_CANCELED
    self_trade: SelfTrade = SelfTrade.TAKER_AT_CROSS
    client_order_id: str = ""
    expiration_ns: int = 0
    post_only: bool = False
    reduce_only: bool = False
    cancel_on_pause: bool = False
    group_id: str = ""
    subaccount: int = 0


class Amendment(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A request to change a resting order. count: what is filled already plus what shall rest.

    expiration_ns: None = as it is, 0 = none any more. client_order_id: "" = not checked.
    new_client_order_id: "" = as it is.
    """

    order_id: str
    market: str
    side: BookSide
    price: int
    count: int
    client_order_id: str = ""
    new_client_order_id: str = ""
    expiration_ns: int | None = None


class Order(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An order as it stands; a change makes a new value.

    side: the outcome it buys; price: on the yes scale. remaining: 0 once it is over. *_fill_cost: money paid for the
    own outcome; *_fees: money. updated_ns: that of its placement while nothing else happened (as recorded).
    """

    order_id: str
    account: str
    market: str
    exchange_index: int
    side: Side
    price: int
    initial_count: int
    remaining: int
    created_ns: int
    fill_count: int = 0
    status: OrderStatus = OrderStatus.RESTING
    client_order_id: str = ""
    taker_fill_cost: int = 0
    maker_fill_cost: int = 0
    taker_fees: int = 0
    maker_fees: int = 0
    updated_ns: int = 0
    reason: Reason = Reason.NONE
    expiration_ns: int = 0
    time_in_force: TimeInForce = TimeInForce.GOOD_TILL_CANCELED
    self_trade: SelfTrade = SelfTrade.TAKER_AT_CROSS
    post_only: bool = False
    reduce_only: bool = False
    cancel_on_pause: bool = False
    group_id: str = ""
    subaccount: int = 0
    rounding: int = 0
    """Money paid for rounding and not given back yet (protocol 14)."""

    @property
    def own_price(self) -> int:
        """The price on the scale of the outcome it buys: that of its ladder."""
        return self.price if self.side is Side.YES else DOLLAR - self.price

    @property
    def book_side(self) -> BookSide:
        """Its direction in V2 words."""
        return BookSide.BID if self.side is Side.YES else BookSide.ASK


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """The exchange says no: HTTP status, code and message of the error body (protocol 13.5). details: "" = none."""

    status: int
    code: str
    message: str
    details: str = ""


class Placed(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An order was accepted, or amended: what it filled at once and what is left of it.

    order: as it stands after the request. fill_value: yes price times count over these fills, money; fees: money.
    """

    order: Order
    at_ns: int
    fill_count: int = 0
    fill_value: int = 0
    fees: int = 0

    @property
    def average_price(self) -> int | None:
        """Yes price by volume, rounded to the nearest unit; None = nothing was filled."""
        return (2 * self.fill_value + self.fill_count) // (2 * self.fill_count) if self.fill_count else None

    @property
    def average_fee(self) -> int | None:
        """Money a contract, rounded to the nearest unit; None = nothing was filled."""
        return (200 * self.fees + self.fill_count) // (2 * self.fill_count) if self.fill_count else None


class Reduced(msgspec.Struct, frozen=True, gc=False):
    """An order was cancelled or decreased, by `reduced_by`; order: as it stands after it."""

    order: Order
    reduced_by: int
    at_ns: int


PlaceAnswer: TypeAlias = Placed | Refusal
ReduceAnswer: TypeAlias = Reduced | Refusal
