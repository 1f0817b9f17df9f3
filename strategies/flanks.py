"""One side of a quoted market: what has to be done so that the wanted quote rests, and what was refused there lately.

Knows orders in every state: asked for, resting, in doubt, on their way out. Must not know prices' reasons or health.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from core.actions import BookSide
from core.messages.types import Level
from core.money import DOLLAR
from core.orders import OrderState, OwnOrder
from core.times import SECOND_NS
from core.window import Window
from strategies.quoting import Quote, Top, without_own

RETRY_NS: Final = SECOND_NS
"""How long a side is left alone on which the exchange refused an order; twice as long at every further refusal."""

MAX_DOUBLED: Final = 6
"""How often that is doubled: to about a minute."""

REFUSED_NS: Final = 10 * SECOND_NS
"""The same when a limit of the run refused it."""

ANSWER_NS: Final = 2 * SECOND_NS
"""A request about an order is waited for so long before its market is quoted anew without its answer."""

LEVELS: Final = 8
"""Levels looked at to find somebody else's price behind our own."""

_ENDS: Final = ("executed", "canceled", "expired", "Trade")
"""Ends of an order that are no refusal."""


class Do(StrEnum):
    """What an order needs."""

    NOTHING = "nothing"
    AMEND = "amend"
    RENEW = "renew"


@dataclass(slots=True)
class Flank:
    """not_before_ns: when an order may be placed again. refusals: in a row. asked: the order whose amendment is under
    way, with price, count and expiration it will have if the exchange agrees."""

    not_before_ns: int = 0
    refusals: int = 0
    asked: tuple[str, int, int, int] | None = None

    def amending(self, order: OwnOrder | None) -> None:
        """An amendment was asked for; order: as it is since."""
        if order is not None:
            self.asked = order.client_order_id, order.new_price, order.new_count, order.new_expires_ns

    def hear(self, order: OwnOrder, now_ns: int) -> bool:
        """Something is known anew of an order of this side; True = its amendment was refused, so it rests as it was."""
        if not order.is_live:
            if not order.filled and order.asked != "cancel" and order.why not in _ENDS:
                self.refuse(now_ns)
            return False
        if order.asked or order.state is not OrderState.RESTING:
            return False
        asked, self.asked = self.asked, None
        if asked is None or asked[0] != order.client_order_id:
            self.refusals = 0
            return False
        if asked[1:] == (order.price, order.count, order.expires_ns):
            return False
        self.refuse(now_ns)
        return True

    def refuse(self, now_ns: int) -> None:
        """The exchange refused something on this side."""
        self.not_before_ns = now_ns + (RETRY_NS << min(self.refusals, MAX_DOUBLED))
        self.refusals += 1


def flanks() -> dict[str, Flank]:
    """Both sides of a market."""
    return {side: Flank() for side in BookSide}


def needs(order: OwnOrder, quote: Quote, tolerance: int, now_ns: int) -> Do:
    """What an order that is to be this quote needs: a change only when price or size must change.

    tolerance: so much further from the fair price than wanted it may stay; nearer to it never, that would cost.
    """
    if order.state is not OrderState.RESTING or order.asked or order.wants_cancel:
        return Do.NOTHING
    further = quote.price - order.price if order.side is BookSide.BID else order.price - quote.price
    if not 0 <= further <= tolerance or _must_resize(order, quote):
        return Do.AMEND
    half_life_ns = max(order.expires_ns - order.asked_ns, 0) // 2
    return Do.RENEW if not order.expires_ns or order.expires_ns - now_ns < half_life_ns else Do.NOTHING


def is_answered(orders: Iterable[OwnOrder], now_ns: int) -> bool:
    """Whether nothing is under way: until then the book holds sizes of ours of which nobody can say where they are."""
    return not any(order.asked and now_ns - order.asked_ns < ANSWER_NS for order in orders)


def is_new(window: Window, quoted_ns: int) -> bool:
    """Whether REST's book came after that: an older one shows orders of ours where they no longer are."""
    return window.rest is not None and window.rest.now_ns > quoted_ns


def meets_own(orders: Iterable[OwnOrder], side: BookSide, price: int) -> bool:
    """Whether an order at this price would trade with one of our own: then that one has to move first."""
    for order in orders:
        if order.side is side:
            continue
        prices = (order.price, order.new_price or order.price)
        if (min(prices) <= price) if side is BookSide.BID else (max(prices) >= price):
            return True
    return False


def others(window: Window, source: str, orders: Iterable[OwnOrder]) -> Top:
    """The best prices of others: in REST's book where that is the source, else in the socket's; orders: all of ours."""
    if source == "rest" and window.rest is not None:
        bids: tuple[Level, ...] = tuple(reversed(window.rest.yes))
        asks = tuple((DOLLAR - price, size) for price, size in reversed(window.rest.no))
    else:
        bids, asks = window.depth(LEVELS)
    own: dict[BookSide, dict[int, int]] = {side: {} for side in BookSide}
    for order in orders:
        own[order.side][order.price] = own[order.side].get(order.price, 0) + order.remaining
    bid = without_own(bids, own[BookSide.BID]) or (None, 0)
    ask = without_own(asks, own[BookSide.ASK]) or (None, 0)
    return Top(*bid, *ask)


def _must_resize(order: OwnOrder, quote: Quote) -> bool:
    """Whether the size has to change: too much always, too little when half of it is gone."""
    return order.remaining > quote.size or order.remaining * 2 <= quote.size
