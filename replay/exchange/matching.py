"""Price, then time: how an order meets the book, and what a trade does to both sides.

Units as in orders.py. Knows matching, self-trade prevention and fills. Must not know who may place what.
A market may have others outside of the floor (`replay.exchange.market.Outside`): their orders are met like those here,
each by its price and its place, but nothing on the floor changes them.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from core.fees import FeeTerms, charge, fee_step, trade_fee
from core.messages.types import Side
from core.money import DOLLAR
from replay.exchange.action import Action
from replay.exchange.happenings import Filled, Traded
from replay.exchange.ladder import NO_BID
from replay.exchange.market import Market
from replay.exchange.orders import Order, OrderStatus, Reason, SelfTrade

_YES: Final = Side.YES


class Matched(msgspec.Struct, frozen=True, gc=False):
    """What came of an order's meeting the book. value: yes price times count, money. stopped: at an own order."""

    order: Order
    count: int
    value: int
    fees: int
    stopped: bool


class _Terms(msgspec.Struct, frozen=True, gc=False):
    """What holds for one trade."""

    trade_id: str
    price: int
    count: int
    fees: FeeTerms
    step: int


def crosses(market: Market, order: Order) -> bool:
    """Whether an order would meet a resting one now."""
    return market.facing(order.side).best + order.own_price >= DOLLAR or bool(_outside(market, order))


def can_fill(market: Market, order: Order) -> bool:
    """Whether all that remains of an order can be filled at once, self-trade prevention considered."""
    ladder, lowest = market.facing(order.side), DOLLAR - order.own_price
    outside = dict(_outside(market, order))
    wanted = order.remaining
    for price in sorted({*ladder.prices_from_best(lowest), *outside}, reverse=True):
        others = outside.get(price, 0)
        for maker in ladder.queues[price].orders.values() if price in ladder.queues else ():
            if maker.account != order.account:
                wanted -= maker.remaining
            elif order.self_trade is SelfTrade.TAKER_AT_CROSS:
                return wanted <= min(others, _before(market, maker))
        wanted -= others
        if wanted <= 0:
            return True
    return False


def match(action: Action, market: Market, order: Order) -> Matched:
    """Fill an order with what it crosses, at the resting prices; what remains is the caller's to rest or end."""
    facing, own_price = market.facing(order.side), order.own_price
    taker, value, stopped = order, 0, False
    outside = list(reversed(_outside(market, order)))
    while taker.remaining:
        best, others = outside[-1] if outside else (NO_BID, 0)
        if max(best, facing.best) + own_price < DOLLAR:
            break
        maker = facing.queues[facing.best].first if facing.best >= best else None
        first = others if maker is None else min(others, _before(market, maker)) if facing.best == best else 0
        if first:
            count = min(first, taker.remaining)
            value += _yes_price(order, best) * count
            taker = _take(action, market, taker, best, count=count)
            outside[-1] = best, others - count
            if count == others:
                outside.pop()
        elif maker is None or maker.account == taker.account:
            assert maker is not None, f"{market.spec.ticker}: nothing is offered at {best}"
            if taker.self_trade is SelfTrade.TAKER_AT_CROSS:
                stopped = True
                break
            action.cancel(market, maker, Reason.SELF_TRADE_CANCEL)
        else:
            count = min(maker.remaining, taker.remaining)
            value += maker.price * count
            taker = _trade(action, market, maker, taker, count=count)
    filled = order.remaining - taker.remaining
    return Matched(taker, filled, value, taker.taker_fees - order.taker_fees, stopped)


def meet(action: Action, market: Market, maker: Order, count: int) -> Order:
    """Somebody outside trades with a resting order, at its price; gives the order as it stands then."""
    assert 0 < count <= maker.remaining, f"{maker.order_id}: {count} of {maker.remaining}"
    terms = _terms(action, market, maker.price, count)
    after = _fill(action, market, maker, terms, taker=False)
    market.ladder(maker.side).change(maker, after)
    if after.remaining:
        action.floor.keep(after)
    else:
        action.floor.finish(after)
    action.orders[after.order_id] = after
    trigger_groups(action)
    return after


def trigger_groups(action: Action) -> None:
    """Trigger the groups whose limit this action's fills hit; once it is over, so that an order fills as it can."""
    for group in action.hit.values():
        if group.is_due(action.now_ns):
            action.trigger(group)


def _trade(action: Action, market: Market, maker: Order, taker: Order, *, count: int) -> Order:
    floor = action.floor
    terms = _terms(action, market, maker.price, count)
    action.trades.append(Traded(action.now_ns, maker.market, terms.trade_id, maker.price, count, taker.side))
    after = _fill(action, market, maker, terms, taker=False)
    market.ladder(maker.side).change(maker, after)
    action.delta(market, maker.side, (maker.own_price, -count), taker)
    if after.remaining:
        floor.keep(after)
    else:
        floor.finish(after)
    action.orders[after.order_id] = after
    taker = _fill(action, market, taker, terms, taker=True)
    market.last_price, market.last_size = maker.price, count
    market.volume += count
    market.traded += maker.price * count
    return taker


def _take(action: Action, market: Market, taker: Order, price: int, *, count: int) -> Order:
    """Trade with somebody outside, whose own price is given."""
    outside = market.outside
    assert outside is not None, "somebody is there"
    outside.take(_other(taker.side), price, count)
    return _fill(action, market, taker, _terms(action, market, _yes_price(taker, price), count), taker=True)


def _terms(action: Action, market: Market, price: int, count: int) -> _Terms:
    floor = action.floor
    step = floor.options.fee_step or fee_step(action.now_ns)
    return _Terms(floor.ids(), price, count, market.terms(action.now_ns), step)


def _outside(market: Market, order: Order) -> Sequence[tuple[int, int]]:
    """What others outside bid that an order would meet: own prices and sizes, best first."""
    if market.outside is None:
        return ()
    return market.outside.levels(_other(order.side), DOLLAR - order.own_price)


def _before(market: Market, order: Order) -> int:
    """How much of others outside is served before a resting order at its price."""
    return 0 if market.outside is None else market.outside.ahead(order)


def _other(side: Side) -> Side:
    return Side.NO if side is _YES else _YES


def _yes_price(taker: Order, price: int) -> int:
    """The yes price of what is bid at an own price of the side that a taker meets."""
    return DOLLAR - price if taker.side is _YES else price


def _fill(action: Action, market: Market, order: Order, terms: _Terms, *, taker: bool) -> Order:
    """Book one side of a trade; gives the order as it stands then. The maker's ladder is the caller's."""
    floor, count = action.floor, terms.count
    account = floor.accounts[order.account]
    holding = account.holding(order.market)
    own_price = terms.price if order.side is _YES else DOLLAR - terms.price
    before = holding.position
    revenue = holding.trade(order.side, own_price, count)
    cost = charge(
        revenue,
        trade_fee(terms.fees, terms.price, count, terms.step, taker=taker),
        account.precision,
        order.rounding,
    )
    account.balance += revenue - cost.fee
    floor.house += cost.fee
    opened = min(count, abs(holding.position)) if (order.side is _YES) == (holding.position > 0) else 0
    holding.pay_fee(cost.fee, opened, count)
    holding.updated_ns = action.now_ns
    market.open_interest += max(holding.position, 0) - max(before, 0)
    if not taker:
        holding.exposure(order.side).change(own_price, -count)
    account.reserve_anew(holding)
    if order.group_id:
        group = floor.groups[order.account][order.group_id]
        group.count(count, action.now_ns)
        action.hit[group.group_id] = group
    action.holdings[order.account, order.market] = holding
    action.trades.append(_filled(order, terms, action.now_ns, fee=cost.fee, taker=taker, position=holding.position))
    return _after(order, action.now_ns, count, own_price * count, taker=taker, charged=(cost.fee, cost.rounding))


def _filled(order: Order, terms: _Terms, now_ns: int, *, fee: int, taker: bool, position: int) -> Filled:
    return Filled(
        at_ns=now_ns,
        account=order.account,
        market=order.market,
        exchange_index=order.exchange_index,
        trade_id=terms.trade_id,
        order_id=order.order_id,
        client_order_id=order.client_order_id,
        side=order.side,
        price=terms.price,
        count=terms.count,
        fee=fee,
        is_taker=taker,
        post_position=position,
        subaccount=order.subaccount,
    )


def _after(order: Order, now_ns: int, count: int, cost: int, *, taker: bool, charged: tuple[int, int]) -> Order:
    fee, rounding = charged
    remaining = order.remaining - count
    return replace(
        order,
        remaining=remaining,
        fill_count=order.fill_count + count,
        status=order.status if remaining else OrderStatus.EXECUTED,
        taker_fill_cost=order.taker_fill_cost + (cost if taker else 0),
        maker_fill_cost=order.maker_fill_cost + (0 if taker else cost),
        taker_fees=order.taker_fees + (fee if taker else 0),
        maker_fees=order.maker_fees + (0 if taker else fee),
        updated_ns=now_ns,
        reason=Reason.TRADE,
        rounding=rounding,
    )
