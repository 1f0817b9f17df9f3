"""The account by REST: balance, positions, orders, fills, settlements (protocol 13.1).

Knows that cents in `balance` are cut off while `balance_dollars` is exact, and takes the exact one.
"""

from typing import Final

from core.answers.reading import member, page, read
from core.answers.types import Answer, Balance, FillAnswer, OrderAnswer, Page, PositionAnswer, Settlement
from core.messages.fields import CHANGE, MONEY, PRICE, SIZE, Fields, Refused
from core.messages.types import Side

CENT: Final = 10_000
"""Money in a cent."""

_OUTCOMES: Final = {"bid": Side.YES, "ask": Side.NO}
_OTHER: Final = {Side.YES: Side.NO, Side.NO: Side.YES}


def parse_balance(body: bytes) -> Answer[Balance]:
    """`GET /portfolio/balance`"""
    return read(body, _balance)


def parse_positions(body: bytes) -> Answer[Page[PositionAnswer]]:
    """`GET /portfolio/positions`"""
    return read(body, lambda fields: page(fields, "market_positions", _position))


def parse_order(body: bytes) -> Answer[OrderAnswer]:
    """`GET /portfolio/orders/{id}`"""
    return read(body, lambda fields: _order(member(fields, "order")))


def parse_orders(body: bytes) -> Answer[Page[OrderAnswer]]:
    """`GET /portfolio/orders`"""
    return read(body, lambda fields: page(fields, "orders", _order))


def parse_fills(body: bytes) -> Answer[Page[FillAnswer]]:
    """`GET /portfolio/fills`"""
    return read(body, lambda fields: page(fields, "fills", _fill))


def parse_settlements(body: bytes) -> Answer[Page[Settlement]]:
    """`GET /portfolio/settlements`"""
    return read(body, lambda fields: page(fields, "settlements", _settlement))


def outcome(fields: Fields) -> Side:
    """The outcome that an order or fill buys: bid is yes, ask is no; by the older names selling yes is buying no.

    Protocol 13.2; bodies of before May 2026 have the older names alone.
    """
    book_side, given, action = fields.text("book_side"), fields.text("outcome_side"), fields.text("action")
    if given in ("yes", "no"):
        return Side(given)
    if book_side in _OUTCOMES:
        return _OUTCOMES[book_side]
    side = fields.side("side")
    return _OTHER[side] if action == "sell" else side


def _balance(fields: Fields) -> Balance:
    cents = fields.integer("balance", least=-(10**14), most=10**14)
    exact = fields.number(MONEY, "balance_dollars")
    if exact is None and cents is None:
        raise Refused("balance: missing")
    worth = fields.integer("portfolio_value", least=-(10**14), most=10**14) or 0
    return Balance((cents or 0) * CENT if exact is None else exact, worth * CENT, fields.time("updated_ts"))


def _position(fields: Fields) -> PositionAnswer:
    return PositionAnswer(
        market=fields.name("ticker"),
        position=fields.required(CHANGE, "position_fp", "position"),
        exposure=fields.number(MONEY, "market_exposure_dollars"),
        realized_pnl=fields.number(MONEY, "realized_pnl_dollars"),
        fees_paid=fields.number(MONEY, "fees_paid_dollars"),
        updated_ns=fields.time("last_updated_ts"),
    )


def _order(fields: Fields) -> OrderAnswer:
    return OrderAnswer(
        order_id=fields.name("order_id"),
        market=fields.name("ticker"),
        status=fields.text("status"),
        side=outcome(fields),
        price=fields.required(PRICE, "yes_price_dollars", "yes_price"),
        client_order_id=fields.text("client_order_id"),
        initial_count=fields.number(SIZE, "initial_count_fp", "initial_count") or 0,
        fill_count=fields.number(SIZE, "fill_count_fp", "fill_count") or 0,
        remaining_count=fields.number(SIZE, "remaining_count_fp", "remaining_count") or 0,
        taker_fees=fields.number(MONEY, "taker_fees_dollars") or 0,
        maker_fees=fields.number(MONEY, "maker_fees_dollars") or 0,
        created_ns=fields.time("created_time"),
        updated_ns=fields.time("last_update_time"),
        expiration_ns=fields.time("expiration_time"),
        order_group_id=fields.text("order_group_id"),
        subaccount=fields.integer("subaccount_number") or 0,
    )


def _fill(fields: Fields) -> FillAnswer:
    return FillAnswer(
        trade_id=fields.name("trade_id", "fill_id"),
        order_id=fields.name("order_id"),
        market=fields.name("ticker", "market_ticker"),
        side=outcome(fields),
        price=fields.required(PRICE, "yes_price_dollars", "yes_price"),
        count=fields.required(SIZE, "count_fp", "count"),
        is_taker=fields.flag("is_taker") or False,
        fee=fields.number(MONEY, "fee_cost") or 0,
        created_ns=fields.time("created_time", "ts"),
    )


def _settlement(fields: Fields) -> Settlement:
    return Settlement(
        market=fields.name("ticker"),
        result=fields.text("market_result"),
        yes_count=fields.number(SIZE, "yes_count_fp", "yes_count") or 0,
        no_count=fields.number(SIZE, "no_count_fp", "no_count") or 0,
        revenue=(fields.integer("revenue", least=-(10**14), most=10**14) or 0) * CENT,
        fee=fields.number(MONEY, "fee_cost") or 0,
        settled_ns=fields.time("settled_time"),
    )
