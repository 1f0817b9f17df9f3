"""Money and positions of one account, and what its orders must be backed by.

Units as in orders.py. Knows arithmetic of cash, cost and collateral. Must not know markets' states or matching.

The rule of collateral. An account has one net position in a market. Buying yes costs its price, buying no the rest of
the dollar; what closes a position instead brings that. A resting order is backed in full by what it may cost: price on
its own scale times size. Only the position itself nets against it: of the orders that would close it, the first to be
filled (best price first, the exchange's priority) are backed by it, for as many contracts as are held. Resting orders
do not net against each other. So no fill can cost more than is reserved for it. Fees are not reserved for orders that
rest; an order that crosses must be able to pay the taker fee of its whole count at its limit.
"""

from typing import Final

import msgspec

from core.messages.types import Side
from core.money import DOLLAR
from replay.exchange.orders import Order
from replay.exchange.views import HoldingView

_YES: Final = Side.YES


class Payout(msgspec.Struct, frozen=True, gc=False):
    """Money a settled position brings, and what rounding keeps of it."""

    paid: int
    kept: int


class Exposure:
    """What an account bids for one outcome in one market: sizes by own price, and what they cost in all."""

    __slots__ = ("cost", "size", "sizes")

    def __init__(self) -> None:
        self.sizes: dict[int, int] = {}
        self.size = 0
        self.cost = 0

    def change(self, price: int, delta: int) -> None:
        """More or less is bid at an own price."""
        self.size += delta
        self.cost += price * delta
        left = self.sizes.get(price, 0) + delta
        if left:
            self.sizes[price] = left
        else:
            del self.sizes[price]

    def reserve(self, cover: int) -> int:
        """Money the bids must be backed by when the first `cover` contracts of them are backed by a position."""
        if cover <= 0:
            return self.cost
        if cover >= self.size:
            return 0
        cost = self.cost
        for price in sorted(self.sizes, reverse=True):
            size = min(cover, self.sizes[price])
            cost -= price * size
            cover -= size
            if not cover:
                break
        return cost


class Holding:
    """One account's position in one market: + yes, - no; cost: of the contracts held, by average."""

    __slots__ = (
        "cost", "fees_paid", "market", "no", "position", "position_fees",
        "realized_pnl", "reserved", "traded", "updated_ns", "volume", "yes",
    )  # fmt: skip

    def __init__(self, market: str) -> None:
        self.market = market
        self.position = 0
        self.cost = 0
        self.realized_pnl = 0
        self.fees_paid = 0
        self.position_fees = 0
        self.volume = 0
        self.traded = 0
        self.reserved = 0
        self.updated_ns = 0
        self.yes = Exposure()
        self.no = Exposure()

    def exposure(self, side: Side) -> Exposure:
        """What is bid for one outcome."""
        return self.yes if side is _YES else self.no

    def cover(self, side: Side) -> int:
        """Contracts held that buying this outcome would close; 0 or less when there are none."""
        return -self.position if side is _YES else self.position

    def needed(self) -> int:
        """Money that all resting orders must be backed by now."""
        if not self.position:
            return self.yes.cost + self.no.cost
        return self.yes.reserve(-self.position) + self.no.reserve(self.position)

    def needed_with(self, order: Order) -> int:
        """The same if this order rested too."""
        exposure, price = self.exposure(order.side), order.own_price
        if self.cover(order.side) <= 0:
            return self.needed() + price * order.remaining
        exposure.change(price, order.remaining)
        needed = self.needed()
        exposure.change(price, -order.remaining)
        return needed

    def trade(self, side: Side, own_price: int, count: int) -> int:
        """Buy contracts of an outcome; gives what comes in, below 0 = goes out, before fees."""
        closing = min(count, max(0, self.cover(side)))
        opening = count - closing
        revenue = closing * (DOLLAR - own_price) - opening * own_price
        if closing:
            held = abs(self.position)
            cost = self.cost * closing // held
            self.cost -= cost
            self.realized_pnl += closing * (DOLLAR - own_price) - cost
            self.position_fees -= self.position_fees * closing // held
        self.cost += opening * own_price
        self.position += count if side is _YES else -count
        self.volume += count
        self.traded += count * own_price
        return revenue

    def pay_fee(self, fee: int, opened: int, count: int) -> None:
        """Book the fee of a fill of `count`, of which `opened` contracts are held now."""
        self.fees_paid += fee
        self.position_fees += fee * opened // count

    def settle(self, value: int, precision: int) -> Payout:
        """End the position at what a yes contract pays, rounded down in all."""
        worth = self.position * value if self.position > 0 else -self.position * (DOLLAR - value)
        kept = worth % precision
        self.realized_pnl += worth - kept - self.cost
        self.position = self.cost = self.position_fees = 0
        return Payout(worth - kept, kept)

    def view(self) -> HoldingView:
        """A picture of it."""
        return HoldingView(
            market=self.market, position=self.position, cost=self.cost, realized_pnl=self.realized_pnl,
            fees_paid=self.fees_paid, position_fee_cost=self.position_fees, volume=self.volume, traded=self.traded,
            reserved=self.reserved, updated_ns=self.updated_ns,
        )  # fmt: skip


class Account:
    """One account: cash, holdings by market, orders by id (those that are over too, while they are kept).

    client_ids: every one it ever used, for they are permanent. past_fees, past_pnl: money, of holdings forgotten since.
    """

    __slots__ = (
        "account", "balance", "client_ids", "holdings", "orders", "past_fees", "past_pnl", "precision", "reserved",
        "resting",
    )  # fmt: skip

    def __init__(self, account: str, precision: int) -> None:
        self.account = account
        self.precision = precision
        self.balance = 0
        self.reserved = 0
        self.past_fees = self.past_pnl = 0
        self.holdings: dict[str, Holding] = {}
        self.orders: dict[str, Order] = {}
        self.resting: dict[str, None] = {}
        self.client_ids: set[str] = set()

    def holding(self, market: str) -> Holding:
        """What it has in a market."""
        holding = self.holdings.get(market)
        if holding is None:
            holding = self.holdings[market] = Holding(market)
        return holding

    def forget(self, market: str) -> None:
        """Let go of what it had in a market, but for what that came to."""
        holding = self.holdings.pop(market, None)
        if holding is not None:
            self.past_fees += holding.fees_paid
            self.past_pnl += holding.realized_pnl

    def back(self, order: Order, delta: int) -> None:
        """More or less of an order rests."""
        holding = self.holding(order.market)
        holding.exposure(order.side).change(order.own_price, delta)
        self.reserve_anew(holding)

    def reserve_anew(self, holding: Holding) -> None:
        """Back the resting orders of one market as they and the position now are."""
        needed = holding.needed()
        self.reserved += needed - holding.reserved
        holding.reserved = needed

    def can_afford(self, order: Order, fee: int) -> bool:
        """Whether an order can be backed, and this fee be paid, with what is available."""
        holding = self.holdings.get(order.market)
        if holding is None:
            return order.own_price * order.remaining + fee <= self.balance - self.reserved
        return holding.needed_with(order) - holding.reserved + fee <= self.balance - self.reserved
