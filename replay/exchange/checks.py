"""Why the exchange would refuse: the rules of protocol 13, as questions to the floor that change nothing.

Units as in orders.py. Knows who may do what, when and with what money. Must not know what follows if nothing is
refused.

Chosen where the protocol is silent: the order in which refusals are tried, as in the code below; a market that was
never heard of is `not_found`; a deactivated market refuses orders and amendments but lets cancel and decrease; a
trading pause lets decrease as it lets cancel; only subaccount 0 exists.
"""

from core.fees import fee_step, trade_fee
from core.money import MAX_SIZE
from replay.exchange import refusals
from replay.exchange.accounts import Account
from replay.exchange.floor import Floor
from replay.exchange.market import OVER, Market
from replay.exchange.matching import can_fill, crosses
from replay.exchange.orders import Amendment, NewOrder, Order, Refusal, TimeInForce
from replay.exchange.specs import MarketStatus
from replay.exchange.views import Pause

_STAYS = TimeInForce.GOOD_TILL_CANCELED
_KILLS = TimeInForce.FILL_OR_KILL
_TAKES = TimeInForce.IMMEDIATE_OR_CANCEL
_ACTIVE = MarketStatus.ACTIVE


def step_of(floor: Floor) -> int:
    """What trade fees are rounded up to now."""
    return floor.options.fee_step or fee_step(floor.now_ns)


def closed_to_orders(floor: Floor, market: Market) -> Refusal | None:
    """Why this market takes no orders and no amendments now."""
    if floor.pauses:
        match floor.pause_of(market.spec.exchange_index):
            case Pause.EXCHANGE:
                return refusals.EXCHANGE_PAUSED
            case Pause.TRADING:
                return refusals.TRADING_PAUSED
            case Pause.NONE:
                pass
    return None if market.status is _ACTIVE else refusals.MARKET_INACTIVE


def resting_order(floor: Floor, account: Account, order_id: str) -> Order | Refusal:
    """The resting order of this account that may be cancelled or changed now, or why there is none."""
    order = account.orders.get(order_id)
    if order is None:
        return refusals.NOT_FOUND
    if floor.pause_of(order.exchange_index) is Pause.EXCHANGE:
        return refusals.EXCHANGE_PAUSED
    market = floor.markets.get(order.market)
    if market is None or market.status in OVER:
        return refusals.MARKET_INACTIVE
    return order if order_id in account.resting else refusals.NOT_FOUND


def refuse_new(floor: Floor, account: Account, market: Market, new: NewOrder) -> Refusal | None:
    """Why an order cannot be what it says, whatever the book and the balance are."""
    if new.price not in market.prices:
        return refusals.INVALID_PRICE
    if not 0 < new.count <= MAX_SIZE:
        return refusals.INVALID_SIZE
    if new.client_order_id and new.client_order_id in account.client_ids:
        return refusals.ORDER_EXISTS
    if new.subaccount:
        return refusals.invalid("unknown subaccount")
    if new.reduce_only and new.time_in_force is not _TAKES:
        return refusals.invalid("reduce_only requires immediate_or_cancel")
    if new.expiration_ns:
        if new.time_in_force is not _STAYS:
            return refusals.invalid("expiration_time requires good_till_canceled")
        if new.expiration_ns <= floor.now_ns:
            return refusals.invalid("expiration_time must be in the future")
    if new.group_id:
        group = floor.groups.get(account.account, {}).get(new.group_id)
        if group is None:
            return refusals.NOT_FOUND
        if group.triggered:
            return refusals.GROUP_TRIGGERED
    return refusals.TOO_MANY_ORDERS if len(account.resting) >= floor.options.open_orders else None


def refuse_entry(floor: Floor, account: Account, market: Market, order: Order) -> Refusal | None:
    """Why an order that is sound cannot enter this book with this money."""
    taker_fee = 0
    if crosses(market, order):
        if order.post_only:
            return refusals.POST_ONLY_CROSS
        terms = market.terms(floor.now_ns)
        taker_fee = trade_fee(terms, order.price, order.remaining, step_of(floor), taker=True)
    if not account.can_afford(order, taker_fee):
        return refusals.INSUFFICIENT_BALANCE
    if order.time_in_force is _KILLS and not can_fill(market, order):
        return refusals.KILLED
    return None


def refuse_amendment(
    floor: Floor, account: Account, market: Market, order: Order, amendment: Amendment
) -> Refusal | None:
    """Why an order cannot become what an amendment says, whatever the book and the balance are."""
    if amendment.market != order.market:
        return refusals.mismatch("ticker")
    if amendment.side.outcome is not order.side:
        return refusals.mismatch("side")
    if amendment.client_order_id not in ("", order.client_order_id):
        return refusals.mismatch("client_order_id")
    if amendment.price != order.price and amendment.price not in market.prices:
        return refusals.INVALID_PRICE
    if not order.fill_count < amendment.count <= MAX_SIZE:
        return refusals.INVALID_SIZE
    if amendment.new_client_order_id in account.client_ids:
        return refusals.ORDER_EXISTS
    if amendment.expiration_ns and amendment.expiration_ns <= floor.now_ns:
        return refusals.invalid("expiration_time must be in the future")
    return None


def refuse_move(floor: Floor, account: Account, market: Market, order: Order, after: Order) -> Refusal | None:
    """Why a resting order cannot enter the book anew as `after`."""
    exposure = account.holding(order.market).exposure(order.side)
    exposure.change(order.own_price, -order.remaining)
    refusal = refuse_entry(floor, account, market, after)
    exposure.change(order.own_price, order.remaining)
    return refusal
