"""What can be read of the exchange: frozen pictures of markets, accounts, groups and pauses.

Units as in orders.py. Values only: must not know how they come about.
"""

from enum import IntEnum

import msgspec

from core.fees import FeeTerms
from replay.exchange.happenings import TickerChanged
from replay.exchange.orders import Order
from replay.exchange.specs import MarketSpec, MarketStatus, Outcome


class Pause(IntEnum):
    """How much is stopped: in a trading pause orders may be cancelled, in an exchange pause nothing may be done."""

    NONE = 0
    TRADING = 1
    EXCHANGE = 2


class MarketView(msgspec.Struct, frozen=True):
    """A market. ticker: its summary, whether told already or not. fees: what it charges now, overrides included."""

    spec: MarketSpec
    status: MarketStatus
    ticker: TickerChanged
    fees: FeeTerms
    outcome: Outcome | None = None
    updated_ns: int = 0
    settled_ns: int = 0


class BalanceView(msgspec.Struct, frozen=True, gc=False):
    """An account's money. balance: cash; reserved: of it for resting orders; portfolio: positions at the last price;
    fees_paid, realized_pnl: of all it ever traded, in markets that were forgotten since too."""

    balance: int
    reserved: int
    portfolio: int
    fees_paid: int
    realized_pnl: int

    @property
    def available(self) -> int:
        """What a new order may cost."""
        return self.balance - self.reserved


class HoldingView(msgspec.Struct, frozen=True, gc=False):
    """What an account has, or had, in a market. volume: contracts traded; traded: money it paid for them."""

    market: str
    position: int
    cost: int
    realized_pnl: int
    fees_paid: int
    position_fee_cost: int
    volume: int
    traded: int
    reserved: int
    updated_ns: int


class GroupView(msgspec.Struct, frozen=True):
    """An order group. contracts_limit: None = never triggers by itself. matched: in the last 15 seconds."""

    group_id: str
    contracts_limit: int | None
    is_triggered: bool
    matched: int
    orders: tuple[Order, ...]
