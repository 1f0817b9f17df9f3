"""What can be read of the floor, as of the last command.

Units as in orders.py. Knows how to picture state. Must not change it.
"""

from core.fees import FeeOverride
from core.money import DOLLAR
from replay.exchange.floor import Floor
from replay.exchange.orders import Order
from replay.exchange.specs import BookView, EventSpec
from replay.exchange.views import BalanceView, HoldingView, MarketView, Pause


class Reads:
    """Frozen pictures. KeyError for markets, events and accounts that are not there."""

    __slots__ = ("_floor",)

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def markets(self) -> tuple[str, ...]:
        """Every market, in the order they were listed."""
        return tuple(self._floor.markets)

    def market(self, market: str) -> MarketView:
        """A market, whatever its state."""
        return self._floor.markets[market].view(self._floor.now_ns)

    def event(self, event_ticker: str) -> EventSpec:
        """An event as listed."""
        return self._floor.events[event_ticker]

    def override(self, event_ticker: str) -> FeeOverride:
        """An event's fee override; both parts None = none."""
        return self._floor.overrides.get(event_ticker, FeeOverride())

    def book(self, market: str) -> BookView:
        """A market's book now."""
        return self._floor.markets[market].book()

    def pause(self, exchange_index: int) -> Pause:
        """How much is stopped on a shard."""
        return self._floor.pause_of(exchange_index)

    def accounts(self) -> tuple[str, ...]:
        """Every account, in the order they were funded."""
        return tuple(self._floor.accounts)

    def balance(self, account: str) -> BalanceView:
        """An account's money; positions count at the last price, or at their cost where nothing was traded."""
        found = self._floor.accounts[account]
        portfolio = 0
        for holding in found.holdings.values():
            price = self._floor.markets[holding.market].last_price
            portfolio += holding.position * price if holding.position > 0 else -holding.position * (DOLLAR - price)
        holdings = found.holdings.values()
        return BalanceView(
            balance=found.balance,
            reserved=found.reserved,
            portfolio=portfolio,
            fees_paid=found.past_fees + sum(holding.fees_paid for holding in holdings),
            realized_pnl=found.past_pnl + sum(holding.realized_pnl for holding in holdings),
        )

    def holdings(self, account: str) -> tuple[HoldingView, ...]:
        """All an account has, or had, in any market, in the order of its first order there."""
        return tuple(holding.view() for holding in self._floor.accounts[account].holdings.values())

    def orders(self, account: str) -> tuple[Order, ...]:
        """An account's orders, oldest first: all that rest, and those that are over and still kept."""
        return tuple(self._floor.accounts[account].orders.values())

    def order(self, account: str, order_id: str) -> Order | None:
        """One order of an account; None = not its, unknown or forgotten."""
        return self._floor.accounts[account].orders.get(order_id)

    def resting(self, account: str, market: str = "") -> tuple[Order, ...]:
        """An account's resting orders, oldest first; of one market if given."""
        found = self._floor.accounts[account]
        orders = [found.orders[order_id] for order_id in found.resting]
        return tuple(order for order in orders if market in ("", order.market))

    def queue_position(self, order: Order) -> int:
        """Contracts (1/100) that rest before an order at its price; 0 when it does not rest."""
        return self._floor.markets[order.market].ladder(order.side).ahead(order)

    @property
    def house(self) -> int:
        """Money the exchange kept: fees and what payouts were rounded down by."""
        return self._floor.house

    @property
    def collateral(self) -> int:
        """Money that backs open positions: a dollar for each open contract. Balances + this + house = funded."""
        return sum(market.open_interest for market in self._floor.markets.values()) * DOLLAR
