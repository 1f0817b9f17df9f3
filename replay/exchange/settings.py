"""How an exchange is set up. Knows the limits and their reasons only."""

from typing import Final

import msgspec

DIRECT: Final = 100
"""Precision of a direct member's balance, in money units: $0.0001 (protocol 14)."""

RETAIL: Final = 10_000
"""Precision of everybody else's balance: $0.01."""

OPEN_ORDERS: Final = 200_000  # an account; protocol 11
ORDER_GROUPS: Final = 100_000  # an account; protocol 11
FINISHED_KEPT: Final = 100_000  # about 60 MB, and hours of what synthetic traders do


class EngineOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the exchange is set up.

    fee_step: trade fees are rounded up to it (money units); None = as the date says. finished_kept: orders that are
    over and can still be read; older ones are forgotten. open_orders, order_groups: most that an account may have.
    """

    fee_step: int | None = None
    finished_kept: int = FINISHED_KEPT
    open_orders: int = OPEN_ORDERS
    order_groups: int = ORDER_GROUPS
