"""May this be asked for? The run's limits against the worst that its orders and positions can come to.

Knows worst cases: every order fills, whatever is not known to be over counts as alive, and a position is worth nothing
where nobody bids. Must not know why a strategy wants an order. Units as in core.actions.
"""

from collections.abc import Callable, Iterable

from core.actions import Amend, BookSide, Place, RiskLimits
from core.holdings import Holding, Holdings
from core.money import DOLLAR, format_money, format_size
from core.orders import Ledger, OwnOrder


class Risk:
    """The gate that every Place and Amend passes. `worth`: what a position would bring at once (money)."""

    __slots__ = ("_holdings", "_ledger", "_limits", "_worth", "earlier_pnl", "is_halted")

    def __init__(
        self, limits: RiskLimits, ledger: Ledger, holdings: Holdings, worth: Callable[[Holding], int], earlier_pnl: int,
        *, is_halted: bool = False,
    ) -> None:  # fmt: skip
        """earlier_pnl, is_halted: of earlier sessions of the same day."""
        self.is_halted = is_halted
        self._limits = limits
        self._ledger = ledger
        self._holdings = holdings
        self._worth = worth
        self.earlier_pnl = earlier_pnl

    @property
    def realized(self) -> int:
        """Money won or lost for good today, earlier sessions of the tape included."""
        return self.earlier_pnl + self._holdings.realized

    @property
    def day_pnl(self) -> int:
        """The same with what is held at what it would bring now."""
        open_pnl = sum(self._worth(held) - held.cost for held in self._holdings.all() if held.position)
        return self.realized + open_pnl

    def halt(self) -> str:
        """Why nothing may be placed at all, "" = it may. Once the day's limit was reached, that holds for the day."""
        self.is_halted = self.is_halted or self.day_pnl <= -self._limits.day_loss
        return (
            f"the day's loss has reached its limit of {format_money(self._limits.day_loss)}" if self.is_halted else ""
        )

    def begin_day(self) -> None:
        """A new day: nothing is lost yet, what is held counts at what it cost."""
        self.earlier_pnl = -self._holdings.realized
        self.is_halted = False

    def refuse(self, action: Place | Amend) -> str:
        """Why this order would break a limit, "" = it would not. Amending counts both forms of the order."""
        limits, market = self._limits, action.market
        others = [order for order in self._all() if order.client_order_id != action.client_order_id]
        old = self._ledger.get(action.client_order_id)
        filled = 0 if old is None else old.filled
        adding = action.count - filled
        if adding > limits.order:
            return f"order of {format_size(adding)}, the limit is {format_size(limits.order)}"
        held = self._holdings.of(market).position
        here = [order for order in others if order.market == market]
        at_most = _pending(here, action.side) + max(adding, 0) + (0 if old is None else old.unseen)
        reach = held + at_most if action.side is BookSide.BID else held - at_most
        if abs(reach) > limits.market and abs(reach) > abs(held):
            return f"{market}: position could come to {format_size(reach)}, the limit is {format_size(limits.market)}"
        taken = {order.market: None for order in others} | {h.market: None for h in self._holdings.all() if h.position}
        if market not in taken and len(taken) >= limits.markets:
            return f"{market} would be market {len(taken) + 1}, the limit is {limits.markets}"
        own_price = action.price if action.side is BookSide.BID else DOLLAR - action.price
        exposure = self.exposure(others) + own_price * max(adding, 0)
        if exposure > limits.exposure and not _closes(held, action.side, at_most):
            return f"exposure could come to {format_money(exposure)}, the limit is {format_money(limits.exposure)}"
        return ""

    def exposure(self, orders: Iterable[OwnOrder] | None = None) -> int:
        """Money that could be lost: what positions cost, and what the orders would."""
        orders = self._all() if orders is None else orders
        return sum(held.cost for held in self._holdings.all()) + sum(map(_cost, orders))

    def _all(self) -> list[OwnOrder]:
        return [*self._ledger.live(), *self._ledger.unsettled()]


def _cost(order: OwnOrder) -> int:
    dearest = max(order.price, order.new_price) if order.side is BookSide.BID else DOLLAR - _lowest(order)
    return dearest * (order.remaining + order.unseen)


def _lowest(order: OwnOrder) -> int:
    return min(order.price, order.new_price or order.price)


def _pending(orders: Iterable[OwnOrder], side: BookSide) -> int:
    return sum(order.remaining + order.unseen for order in orders if order.side is side)


def _closes(held: int, side: BookSide, count: int) -> bool:
    """Whether so much on that side can only make the position smaller."""
    return held >= count > 0 if side is BookSide.ASK else -held >= count > 0
