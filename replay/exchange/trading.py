"""What clients may ask: place, cancel, amend, decrease.

Units as in orders.py. Knows what follows when nothing is refused. Must not know how the asking arrived.

Chosen where the protocol is silent: a refused order does not use up its client_order_id; an IOC or reduce_only order
that meets nothing is accepted and ends at once; an amended order that crosses takes, unless it is post_only: then the
amendment is refused and the order stays; an amended order's initial count is the amendment's.
"""

from msgspec.structs import replace

from replay.exchange import checks, refusals
from replay.exchange.accounts import Account
from replay.exchange.action import Action
from replay.exchange.floor import Floor
from replay.exchange.market import Market
from replay.exchange.matching import match, meet, trigger_groups
from replay.exchange.orders import (
    Amendment,
    NewOrder,
    Order,
    PlaceAnswer,
    Placed,
    Reason,
    ReduceAnswer,
    Reduced,
    Refusal,
    TimeInForce,
)
from replay.exchange.views import Pause

_STAYS = TimeInForce.GOOD_TILL_CANCELED


class Trading:
    """The clients' side of the floor, at the floor's time. KeyError for accounts that were never funded."""

    __slots__ = ("_floor",)

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def place(self, name: str, new: NewOrder) -> PlaceAnswer:
        """Match an order and let the rest of it rest, as its terms say."""
        floor = self._floor
        account, market = floor.accounts[name], floor.markets.get(new.market)
        if market is None:
            return refusals.NOT_FOUND
        refusal = checks.closed_to_orders(floor, market) or checks.refuse_new(floor, account, market, new)
        if refusal is not None:
            return refusal
        order = _order(floor, account, market, new)
        if order.remaining:
            refusal = checks.refuse_entry(floor, account, market, order)
            if refusal is not None:
                return refusal
        if new.client_order_id:
            account.client_ids.add(new.client_order_id)
        placed = self._enter(Action(floor, name), market, order)
        if new.expiration_ns:
            floor.expire_later(placed.order)
        return placed

    def cancel(self, name: str, order_id: str) -> ReduceAnswer:
        """Cancel a resting order."""
        floor = self._floor
        found = checks.resting_order(floor, floor.accounts[name], order_id)
        if isinstance(found, Refusal):
            return found
        action = Action(floor, name)
        over = action.cancel(floor.markets[found.market], found, Reason.DECREASE)
        action.commit()
        return Reduced(over, found.remaining, action.now_ns)

    def cancel_all(self, name: str) -> tuple[Order, ...] | Refusal:
        """Cancel all that rests, but for what rests on a shard where nothing may be done."""
        floor = self._floor
        account = floor.accounts[name]
        orders = [account.orders[order_id] for order_id in account.resting]
        free = [order for order in orders if floor.pause_of(order.exchange_index) is not Pause.EXCHANGE]
        if orders and not free:
            return refusals.EXCHANGE_PAUSED
        action = Action(floor, name)
        over = tuple(action.cancel(floor.markets[order.market], order, Reason.DECREASE) for order in free)
        action.commit()
        return over

    def decrease(self, name: str, order_id: str, by: int | None, to: int | None) -> ReduceAnswer:
        """Make an order smaller; it keeps its place, and ends when nothing is left."""
        floor = self._floor
        found = checks.resting_order(floor, floor.accounts[name], order_id)
        if isinstance(found, Refusal):
            return found
        if (by is None) == (to is None):
            return refusals.invalid("exactly one of reduce_by and reduce_to is required")
        left = found.remaining - (by or 0) if to is None else to
        if left >= found.remaining or (to is not None and to < 0):
            return refusals.INVALID_SIZE
        if left <= 0:
            return self.cancel(name, order_id)
        action = Action(floor, name)
        after = replace(found, remaining=left, reason=Reason.DECREASE, updated_ns=action.now_ns)
        action.resize(floor.markets[found.market], found, after)
        action.commit()
        return Reduced(after, found.remaining - left, action.now_ns)

    def amend(self, name: str, amendment: Amendment) -> PlaceAnswer:
        """Change price, count or expiry of a resting order."""
        floor = self._floor
        account = floor.accounts[name]
        found = checks.resting_order(floor, account, amendment.order_id)
        if isinstance(found, Refusal):
            return found
        market = floor.markets[found.market]
        refusal = checks.closed_to_orders(floor, market)
        refusal = refusal or checks.refuse_amendment(floor, account, market, found, amendment)
        after = _amended(found, amendment, floor.now_ns)
        keeps_place = after.price == found.price and after.remaining <= found.remaining
        if refusal is None and not keeps_place:
            refusal = checks.refuse_move(floor, account, market, found, after)
        if refusal is not None:
            return refusal
        if amendment.new_client_order_id:
            account.client_ids.add(amendment.new_client_order_id)
        action = Action(floor, name)
        if keeps_place:
            action.resize(market, found, after)
            action.commit()
            placed = Placed(order=after, at_ns=action.now_ns)
        else:
            action.lift(market, found)
            placed = self._enter(action, market, after)
        if after.expiration_ns != found.expiration_ns:
            floor.expire_later(placed.order)
        return placed

    def meet(self, name: str, order_id: str, count: int) -> Order:
        """Somebody outside of the floor trades with a resting order, at its price."""
        floor = self._floor
        order = floor.accounts[name].orders[order_id]
        action = Action(floor)
        after = meet(action, floor.markets[order.market], order, count)
        action.commit()
        return after

    def _enter(self, action: Action, market: Market, order: Order) -> Placed:
        """Match an accepted order, and let the rest of it rest or end."""
        matched = match(action, market, order)
        order = matched.order
        if action.hit:
            trigger_groups(action)
        reason = Reason.SELF_TRADE_CANCEL if matched.stopped else self._why_over(order)
        if order.fill_count == order.initial_count:
            self._floor.finish(order)
            action.orders[order.order_id] = order
        elif reason is None:
            action.rest(market, order)
        else:
            order = action.end(order, reason)
        action.commit()
        return Placed(
            order=order, at_ns=action.now_ns, fill_count=matched.count, fill_value=matched.value, fees=matched.fees
        )

    def _why_over(self, order: Order) -> Reason | None:
        """Why an order that is not filled does not rest; None = it does."""
        if not order.remaining:
            return Reason.REDUCE_ONLY_CANCEL
        if order.time_in_force is not _STAYS:
            return Reason.DECREASE
        if order.group_id and self._floor.groups[order.account][order.group_id].triggered:
            return Reason.DECREASE
        return None


def _order(floor: Floor, account: Account, market: Market, new: NewOrder) -> Order:
    side, remaining = new.side.outcome, new.count
    if new.reduce_only:
        remaining = min(remaining, max(0, account.holding(new.market).cover(side)))
    return Order(
        order_id=floor.ids(),
        account=account.account,
        market=new.market,
        exchange_index=market.spec.exchange_index,
        side=side,
        price=new.price,
        initial_count=new.count,
        remaining=remaining,
        created_ns=floor.now_ns,
        updated_ns=floor.now_ns,
        client_order_id=new.client_order_id,
        expiration_ns=new.expiration_ns,
        time_in_force=new.time_in_force,
        self_trade=new.self_trade,
        post_only=new.post_only,
        reduce_only=new.reduce_only,
        cancel_on_pause=new.cancel_on_pause,
        group_id=new.group_id,
        subaccount=new.subaccount,
    )


def _amended(order: Order, amendment: Amendment, now_ns: int) -> Order:
    return replace(
        order,
        price=amendment.price,
        initial_count=amendment.count,
        remaining=amendment.count - order.fill_count,
        client_order_id=amendment.new_client_order_id or order.client_order_id,
        expiration_ns=order.expiration_ns if amendment.expiration_ns is None else amendment.expiration_ns,
        reason=Reason.AMEND,
        updated_ns=now_ns,
    )
