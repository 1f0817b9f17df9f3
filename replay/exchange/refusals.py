"""The exchange's words for no (protocol 13.5). Knows statuses, codes and texts. Must not know when they apply.

Recorded: NOT_FOUND, ORDER_EXISTS, INVALID_PRICE, INSUFFICIENT_BALANCE, POST_ONLY_CROSS, the two pauses, and (by several
clients) KILLED. The others' codes are documented or, where a comment says so, chosen here.
"""

from typing import Final

from replay.exchange.orders import Refusal

NOT_FOUND: Final = Refusal(404, "not_found", "not found")
ORDER_EXISTS: Final = Refusal(409, "order_already_exists", "order already exists")
INVALID_PRICE: Final = Refusal(400, "invalid_price", "invalid price")
INVALID_SIZE: Final = Refusal(400, "invalid_order_size", "invalid order size")
INSUFFICIENT_BALANCE: Final = Refusal(400, "insufficient_balance", "insufficient balance")
POST_ONLY_CROSS: Final = Refusal(400, "invalid_order", "invalid order", "post only cross")
TRADING_PAUSED: Final = Refusal(409, "trading_is_paused", "trading is paused")
EXCHANGE_PAUSED: Final = Refusal(409, "exchange_is_paused", "exchange is paused")
MARKET_INACTIVE: Final = Refusal(409, "MARKET_INACTIVE", "market inactive")  # documented as "4xx": 409 is chosen
KILLED: Final = Refusal(
    409, "fill_or_kill_insufficient_resting_volume", "fill or kill insufficient resting volume"
)  # reported by several clients
TOO_MANY_ORDERS: Final = Refusal(409, "too_many_open_orders", "too many open orders")  # chosen
GROUP_TRIGGERED: Final = Refusal(409, "order_group_triggered", "order group triggered")  # chosen
TOO_MANY_GROUPS: Final = Refusal(409, "too_many_order_groups", "too many order groups")  # chosen


def invalid(details: str) -> Refusal:
    """Parameters that do not fit together."""
    return Refusal(400, "invalid_parameters", "invalid parameters", details)


def mismatch(what: str) -> Refusal:
    """An amendment that names another order than it means: `what` is side, ticker or client_order_id."""
    return Refusal(400, f"order_{what}_mismatch", f"order {what.replace('_', ' ')} mismatch")
