"""One action on the floor: what it does to books and orders, and afterwards what is told of it.

Units as in orders.py. Knows how state changes together (ladder, order, account, group). Must not know when it may.
"""

from msgspec.structs import replace

from core.messages.types import Side
from replay.exchange.accounts import Holding
from replay.exchange.floor import Floor
from replay.exchange.groups import Group
from replay.exchange.happenings import (
    BookChanged,
    BookCleared,
    Filled,
    GroupChanged,
    GroupEvent,
    Happening,
    LifecycleChanged,
    OrderChanged,
    PositionChanged,
    Settled,
    Traded,
)
from replay.exchange.market import Market
from replay.exchange.orders import Order, OrderStatus, Reason

_Delta = tuple[Market, Side, tuple[int, int], Order | None]


class Action:
    """Collects what one command, or one thing due, changes; `commit` tells it. All its deltas share one clock.

    owner: the account whose command it is, "" = nobody's: what falls due.
    """

    __slots__ = (
        "_deltas", "cleared", "floor", "groups", "hit", "holdings", "life", "now_ns", "orders", "owner", "tickers",
        "trades",
    )  # fmt: skip

    def __init__(self, floor: Floor, owner: str = "") -> None:
        self.floor = floor
        self.now_ns = floor.now_ns
        self.owner = owner
        self._deltas: list[_Delta] = []
        self.cleared: list[Market] = []
        self.trades: list[Traded | Filled] = []
        self.orders: dict[str, Order] = {}
        self.holdings: dict[tuple[str, str], Holding] = {}
        self.groups: list[GroupChanged] = []
        self.hit: dict[str, Group] = {}
        self.life: list[LifecycleChanged | Settled] = []
        self.tickers: dict[str, Market] = {}

    def delta(self, market: Market, side: Side, change: tuple[int, int], cause: Order | None) -> None:
        """A level changed: (own price, size). cause: the order of its own owner that did it."""
        self._deltas.append((market, side, change, cause))
        self.tickers[market.spec.ticker] = market

    def rest(self, market: Market, order: Order) -> None:
        """Let what remains of an order rest."""
        floor = self.floor
        market.ladder(order.side).add(order)
        account = floor.accounts[order.account]
        account.orders[order.order_id] = order
        account.resting[order.order_id] = None
        account.back(order, order.remaining)
        if order.group_id:
            floor.groups[order.account][order.group_id].orders[order.order_id] = None
        self.delta(market, order.side, (order.own_price, order.remaining), order)
        self.orders[order.order_id] = order

    def resize(self, market: Market, before: Order, after: Order) -> None:
        """An order keeps its place and price under its new value, which is smaller or as large."""
        market.ladder(before.side).change(before, after)
        self.floor.keep(after)
        if after.remaining != before.remaining:
            self.floor.accounts[before.account].back(before, after.remaining - before.remaining)
            self.delta(market, before.side, (before.own_price, after.remaining - before.remaining), after)
        self.orders[after.order_id] = after

    def lift(self, market: Market, order: Order) -> None:
        """Take an order off the book and out of its group without ending it."""
        market.ladder(order.side).remove(order)
        if order.group_id:
            self.floor.groups[order.account][order.group_id].orders.pop(order.order_id, None)
        self.floor.accounts[order.account].back(order, -order.remaining)
        cause = order if order.account == self.owner else None
        self.delta(market, order.side, (order.own_price, -order.remaining), cause)

    def cancel(self, market: Market, order: Order, reason: Reason) -> Order:
        """End a resting order."""
        self.lift(market, order)
        return self.end(order, reason)

    def end(self, order: Order, reason: Reason) -> Order:
        """End an order that does not rest (any more), whatever remains of it."""
        over = replace(order, remaining=0, status=OrderStatus.CANCELED, reason=reason, updated_ns=self.now_ns)
        self.floor.finish(over)
        self.orders[over.order_id] = over
        return over

    def sweep(self, market: Market, reason: Reason) -> None:
        """End all orders of a market at once; its book is told as cleared, without deltas."""
        if not market.yes.queues and not market.no.queues:
            return
        for side in Side:
            for order in market.ladder(side).orders():
                market.ladder(side).remove(order)
                self.floor.accounts[order.account].back(order, -order.remaining)
                self.end(order, reason)
        self.cleared.append(market)
        self.tickers[market.spec.ticker] = market

    def trigger(self, group: Group) -> None:
        """End a group's orders; it takes no new ones."""
        group.triggered = True
        self.end_group(group)
        self.groups.append(GroupChanged(self.now_ns, group.account, group.group_id, GroupEvent.TRIGGERED))

    def end_group(self, group: Group) -> None:
        """End all resting orders of a group."""
        account = self.floor.accounts[group.account]
        for order_id in list(group.orders):
            order = account.orders[order_id]
            self.cancel(self.floor.markets[order.market], order, Reason.DECREASE)

    def commit(self) -> None:
        """Tell all of it, in the order happenings.py promises."""
        floor, now_ns = self.floor, self.now_ns
        out = floor.happenings
        if self._deltas or self.cleared:
            floor.clock += 1
        for market, side, (price, delta), cause in self._deltas:
            market.clock = clock = floor.clock
            name, market_id = market.spec.ticker, market.spec.market_id
            if cause is None:
                out.append(BookChanged(now_ns, name, market_id, clock, side, price, delta))
            else:
                own = (cause.account, cause.client_order_id, cause.subaccount)
                out.append(BookChanged(now_ns, name, market_id, clock, side, price, delta, *own))
        for market in self.cleared:
            market.clock = floor.clock
            out.append(BookCleared(now_ns, market.spec.ticker, market.spec.market_id, floor.clock))
        out.extend(self.trades)
        out.extend([OrderChanged(now_ns, order) for order in self.orders.values()])
        out.extend([_position(now_ns, account, held) for (account, _), held in self.holdings.items()])
        out.extend(self.groups)
        out.extend(self.life)
        out.extend(self._tickers())

    def _tickers(self) -> list[Happening]:
        now_ns = self.now_ns
        told: list[Happening] = []
        for market in self.tickers.values():
            news = market.news(now_ns)
            if news is not None:
                told.append(news)
        return told


def _position(now_ns: int, account: str, holding: Holding) -> PositionChanged:
    return PositionChanged(
        at_ns=now_ns,
        account=account,
        market=holding.market,
        position=holding.position,
        cost=holding.cost,
        realized_pnl=holding.realized_pnl,
        fees_paid=holding.fees_paid,
        position_fee_cost=holding.position_fees,
        volume=holding.volume,
    )
