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
    """The gate that every Place and Amend passes. `worth`: what a position would bring at once (money).

    halted: which loss ended the placing of orders, "" = none; it stays until the next day.
    """

    __slots__ = ("_holdings", "_ledger", "_limits", "_worth", "earlier_pnl", "halted")

    def __init__(
        self, limits: RiskLimits, ledger: Ledger, holdings: Holdings, worth: Callable[[Holding], int], earlier_pnl: int
    ) -> None:
        self._limits = limits
        self._ledger = ledger
        self._holdings = holdings
        self._worth = worth
        self.earlier_pnl = earlier_pnl
        self.halted = ""

    @property
    def realized(self) -> int:
        """Money won or lost for good today, earlier sessions of the tape included."""
        return self.earlier_pnl + self._holdings.realized

    @property
    def day_pnl(self) -> int:
        """The same with what is held at what it would bring now."""
        return self.realized + self._open

    @property
    def _open(self) -> int:
        return sum(self._worth(held) - held.cost for held in self._holdings.all() if held.position)

    def new_day(self) -> None:
        """What was lost until now, for good or not, was lost before today."""
        self.earlier_pnl = -self._holdings.realized - self._open
        self.halted = ""

    def halt(self) -> str:
        """Why nothing may be placed at all today, "" = it may."""
        pnl, most = self.day_pnl, self._limits.day_loss
        if not self.halted and pnl <= -most:
            self.halted = f"lost {format_money(-pnl)} today, the limit is {format_money(most)}"
        return self.halted

    def refuse(self, action: Place | Amend) -> str:
        """Why this order would break a limit, "" = it would not. Amending counts both forms of the order."""
        limits, market = self._limits, action.market
        old = self._ledger.get(action.client_order_id)
        before, unseen = (0, 0) if old is None else (old.remaining, old.unseen)
        adding = max(action.count - (0 if old is None else old.filled), 0)
        if adding > limits.order:
            return f"order of {format_size(adding)}, the limit is {format_size(limits.order)}"
        others = [order for order in self._all() if order.client_order_id != action.client_order_id]
        held = self._holdings.of(market).position
        here = [order for order in others if order.market == market]
        at_most = _pending(here, action.side) + max(adding, before) + unseen
        reach = held + at_most if action.side is BookSide.BID else held - at_most
        is_over = reach > limits.market if action.side is BookSide.BID else -reach > limits.market
        if is_over and (old is None or adding >= before):  # to make an order smaller is never too much
            return f"{market}: position could come to {format_size(reach)}, the limit is {format_size(limits.market)}"
        taken = {order.market: None for order in self._all()}
        taken |= {held.market: None for held in self._holdings.all() if held.position}
        if market not in taken and len(taken) >= limits.markets:
            return f"{market} would be market {len(taken) + 1}, the limit is {limits.markets}"
        return self._refuse_cost(action, others, old, adding) if not _closes(held, action.side, at_most) else ""

    def _refuse_cost(self, action: Place | Amend, others: list[OwnOrder], old: OwnOrder | None, adding: int) -> str:
        own_price = action.price if action.side is BookSide.BID else DOLLAR - action.price
        cost, before = own_price * adding, 0
        if old is not None:  # either form may be the one that fills, and what has filled already is not held yet
            before = _cost(old)
            cost = max(_dearest(old), own_price) * (max(adding, old.remaining) + old.unseen)
        exposure = self.exposure(others) + cost
        if exposure > self._limits.exposure and (old is None or cost > before):
            most = format_money(self._limits.exposure)
            return f"exposure could come to {format_money(exposure)}, the limit is {most}"
        return ""

    def exposure(self, orders: Iterable[OwnOrder] | None = None) -> int:
        """Money that could be lost: what positions cost, and what the orders would."""
        orders = self._all() if orders is None else orders
        return sum(held.cost for held in self._holdings.all()) + sum(map(_cost, orders))

    def _all(self) -> list[OwnOrder]:
        return [*self._ledger.live(), *self._ledger.unsettled()]


def _cost(order: OwnOrder) -> int:
    return _dearest(order) * (order.remaining + order.unseen)


def _dearest(order: OwnOrder) -> int:
    """What a contract of it may cost, of either form."""
    if order.side is BookSide.BID:
        return max(order.price, order.new_price)
    return DOLLAR - min(order.price, order.new_price or order.price)


def _pending(orders: Iterable[OwnOrder], side: BookSide) -> int:
    return sum(order.remaining + order.unseen for order in orders if order.side is side)


def _closes(held: int, side: BookSide, count: int) -> bool:
    """Whether so much on that side can only make the position smaller."""
    return held >= count > 0 if side is BookSide.ASK else -held >= count > 0
