"""What is ours in the markets: fills, orders, positions. Every message may come twice or late, on any connection.

Knows which of them still says something new. Must not know prices, fees or what a strategy wanted.
"""

from typing import Final

import msgspec

from core.changes import Rejected
from core.market import MarketState
from core.messages.types import Fill, MarketPosition, UserOrder
from core.rings import Pool, Ring
from core.seen import Seen

MAX_FILL_IDS: Final = 8_192
"""Fills known again: a repeat comes within seconds, by another connection."""

MAX_ORDERS: Final = 16_384
"""Working orders kept."""

MAX_FINISHED_ORDERS: Final = 8_192
"""Orders known to be over, so that a late message does not bring one back to life."""

MAX_SUBACCOUNTS: Final = 64
"""Positions kept a market; the exchange has 32 subaccounts."""

_FINISHED: Final = ("canceled", "executed")


class SavedAccount(msgspec.Struct):
    """The account's memory as plain values, for checkpoints; oldest first."""

    fill_ids: tuple[str, ...] = ()
    finished_orders: tuple[str, ...] = ()


class Account:
    """Applies private messages to the market they are about; each method says why not, or None when it did."""

    __slots__ = ("_fill_ids", "_finished", "working")

    def __init__(self, saved: SavedAccount, working: int) -> None:
        self._fill_ids = Seen(MAX_FILL_IDS, saved.fill_ids)
        self._finished = Seen(MAX_FINISHED_ORDERS, saved.finished_orders)
        self.working = working

    def fill(self, state: MarketState, fill: Fill, pool: Pool) -> Rejected | None:
        """One of our orders was filled; two of them may share a trade."""
        if not self._fill_ids.add(f"{fill.trade_id}/{fill.order_id}"):
            return Rejected.DUPLICATE_FILL
        if state.fills is None:
            state.fills = Ring(pool)
        state.fills.append(fill)
        if fill.post_position is not None:
            return _hold(state, fill.subaccount, fill.post_position)
        return None

    def position(self, state: MarketState, report: MarketPosition) -> Rejected | None:
        """The exchange says what we hold."""
        refused = _hold(state, report.subaccount, report.position)
        if refused is None:
            state.position_report = report
        return refused

    def order(self, state: MarketState, order: UserOrder) -> Rejected | None:
        """The exchange says how one of our orders stands; counts are cumulative, so they never go back."""
        order_id = order.order_id
        if order_id in self._finished:
            return Rejected.FINISHED_ORDER
        known = None if state.orders is None else state.orders.get(order_id)
        if order.status in _FINISHED:
            self._finished.add(order_id)
            if known is not None and state.orders is not None:
                del state.orders[order_id]
                self.working -= 1
            return None
        if known is None:
            if self.working >= MAX_ORDERS:
                return Rejected.TOO_MANY_ORDERS
            self.working += 1
        elif order.fill_count < known.fill_count:
            return Rejected.OLD_ORDER
        if state.orders is None:
            state.orders = {}
        state.orders[order_id] = order
        return None

    def save(self) -> SavedAccount:
        """Everything but what lies in the markets, as plain values."""
        return SavedAccount(self._fill_ids.keys(), self._finished.keys())


def _hold(state: MarketState, subaccount: int, position: int) -> Rejected | None:
    positions = state.positions
    if positions is None:
        positions = state.positions = {}
    if subaccount not in positions and len(positions) >= MAX_SUBACCOUNTS:
        return Rejected.TOO_MANY_SUBACCOUNTS
    positions[subaccount] = position
    return None
