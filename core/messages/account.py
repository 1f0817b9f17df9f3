"""Parsers of what is ours alone: fills, positions, orders, order groups (protocol 8.5-8.7, 8.10).

Each takes the fields of `msg` and the head around it and gives the message; it raises Refused when that cannot be.
"""

from core.messages.fields import CHANGE, MONEY, PRICE, SIZE, Fields, Head
from core.messages.types import Fill, MarketPosition, OrderGroupUpdate, Side, UserOrder


def fill(msg: Fields, head: Head) -> Fill:
    """`fill`"""
    msg.ignore(("exchange_index", "book_side"))
    return Fill(
        **head,
        market=msg.name("market_ticker"),
        trade_id=msg.name("trade_id"),
        order_id=msg.name("order_id"),
        side=_bought(msg),
        price=msg.required(PRICE, "yes_price_dollars", "yes_price"),
        count=msg.required(SIZE, "count_fp", "count"),
        is_taker=msg.flag("is_taker") or False,
        client_order_id=msg.text("client_order_id"),
        fee=msg.number(MONEY, "fee_cost"),
        post_position=msg.number(CHANGE, "post_position_fp", "post_position"),
        exchange_ns=msg.time("ts_ms", "ts"),
        subaccount=msg.integer("subaccount") or 0,
    )


def _bought(msg: Fields) -> Side:
    """The outcome we hold more of after a fill."""
    action = msg.text("action")
    if msg.take("outcome_side") is not None or msg.take("purchased_side") is not None:
        msg.ignore(("side",))
        return msg.side("outcome_side", "purchased_side")
    side = msg.side("side")
    if action.startswith("sell"):  # selling yes is buying no (protocol 13.2)
        return Side.NO if side is Side.YES else Side.YES
    return side


def market_position(msg: Fields, head: Head) -> MarketPosition:
    """`market_position`; until April 2026 its money was in whole centi-cents."""
    msg.ignore(("user_id",))
    return MarketPosition(
        **head,
        market=msg.name("market_ticker"),
        position=msg.required(CHANGE, "position_fp", "position"),
        position_cost=msg.number(MONEY, "position_cost_dollars", "position_cost"),
        realized_pnl=msg.number(MONEY, "realized_pnl_dollars", "realized_pnl"),
        fees_paid=msg.number(MONEY, "fees_paid_dollars", "fees_paid"),
        position_fee_cost=msg.number(MONEY, "position_fee_cost_dollars", "position_fee_cost"),
        volume=msg.number(SIZE, "volume_fp", "volume"),
        subaccount=msg.integer("subaccount") or 0,
    )


def user_order(msg: Fields, head: Head) -> UserOrder:
    """`user_order`; amounts were left out when zero until March 2026."""
    msg.ignore(("user_id", "exchange_index", "is_yes", "book_side", "self_trade_prevention_type"))
    return UserOrder(
        **head,
        market=msg.name("ticker"),
        order_id=msg.name("order_id"),
        status=msg.name("status"),
        side=msg.side("outcome_side", "side"),
        price=msg.required(PRICE, "yes_price_dollars", "yes_price"),
        initial_count=msg.number(SIZE, "initial_count_fp", "initial_count") or 0,
        fill_count=msg.number(SIZE, "fill_count_fp", "fill_count") or 0,
        remaining_count=msg.number(SIZE, "remaining_count_fp", "remaining_count") or 0,
        client_order_id=msg.text("client_order_id"),
        taker_fill_cost=msg.number(MONEY, "taker_fill_cost_dollars") or 0,
        maker_fill_cost=msg.number(MONEY, "maker_fill_cost_dollars") or 0,
        taker_fees=msg.number(MONEY, "taker_fees_dollars") or 0,
        maker_fees=msg.number(MONEY, "maker_fees_dollars") or 0,
        created_ns=msg.time("created_time", "created_ts_ms"),
        updated_ns=msg.time("last_update_time", "last_updated_ts_ms"),
        expiration_ns=msg.time("expiration_time", "expiration_ts_ms"),
        update_reason=msg.text("last_update_reason"),
        order_group_id=msg.text("order_group_id"),
        subaccount=msg.integer("subaccount_number") or 0,
    )


def order_group_update(msg: Fields, head: Head) -> OrderGroupUpdate:
    """`order_group_updates`"""
    return OrderGroupUpdate(
        **head,
        order_group_id=msg.name("order_group_id"),
        event=msg.name("event_type"),
        contracts_limit=msg.number(SIZE, "contracts_limit_fp", "contracts_limit"),
        exchange_ns=msg.time("ts_ms"),
    )
