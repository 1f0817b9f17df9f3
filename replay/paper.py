"""The paper venue "touch": answers orders where none are real, so that it rather loses than flatters.

The model. An order that would cross is refused if it is post-only; if not, it takes what the book shows at its limit,
pays the taker's fee, and the rest is cancelled or rests. A resting order fills only when somebody trades *through* its
price (a bid at 45 needs a trade at 44 or less), for no more than that trade's size, or when the other side of the book
comes to cross it: as if every other order at its price were served first. It pays the maker's fee by the dearest known
terms. Nothing here moves the market. A better venue comes with the backtest.

Knows the store it reads. Must not know who decided. What it says is on the tape, so a replay needs no venue.
"""

from dataclasses import dataclass
from typing import Final

from core.actions import Amend, BookSide, Cancel, Decision, Done, Outcome, PaperEvent, PaperFill, Place
from core.engine import Engine, Step
from core.fees import FeeTerms, FeeType, fee_step, trade_fee
from core.messages.types import BookDelta, BookSnapshot, Trade
from core.times import SECOND_NS

NAME: Final = "touch"
TERMS: Final = FeeTerms(FeeType.WITH_MAKER_FEES)
"""Fees of the dearer of the common kinds: paper does not flatter."""


@dataclass(slots=True)
class _Order:
    key: str
    market: str
    side: BookSide
    price: int
    left: int
    filled: int
    expires_ns: int


class PaperVenue:
    """One run's paper orders; called by one thread, for every record and every decision in their order."""

    def __init__(self, order_life_s: int) -> None:
        self._life_ns = order_life_s * SECOND_NS
        self._orders: dict[str, _Order] = {}
        self._engine: Engine | None = None
        self._fills: list[PaperFill] = []
        self._count = 0
        self._now_ns = 0

    def act(self, decision: Decision) -> Outcome | None:
        """What becomes of a decision, None = it is none about an order."""
        action, number = decision.action, decision.number
        match action:
            case Place():
                return self._place(number, action)
            case Amend():
                order = self._orders.get(action.client_order_id)
                if order is None:
                    return Outcome(number, Done.REFUSED, 404, "not_found")
                order.price, order.left = action.price, max(action.count - order.filled, 0)
                order.expires_ns = action.expires_s * SECOND_NS
                return Outcome(number, Done.DONE, 200, order_id=order.key, filled=order.filled, remaining=order.left)
            case Cancel():
                order = self._orders.pop(action.client_order_id, None)
                if order is None:
                    return Outcome(number, Done.REFUSED, 404, "not_found")
                return Outcome(number, Done.DONE, 200, order_id=order.key, remaining=order.left)
            case _:
                return None

    def saw(self, step: Step, engine: Engine) -> PaperEvent | None:
        """What a record makes of the orders that rest, None = nothing."""
        self._engine, self._now_ns = engine, step.now_ns
        message = step.message
        if isinstance(message, Trade):
            self._traded(message)
        elif isinstance(message, BookDelta | BookSnapshot) and self._orders:
            self._crossed(message.market)
        over = tuple(order.key for order in self._orders.values() if 0 < order.expires_ns <= self._now_ns)
        for key in over:
            del self._orders[key]
        fills, self._fills = tuple(self._fills), []
        for key in [key for key, order in self._orders.items() if not order.left]:
            del self._orders[key]
        return PaperEvent(fills, over) if fills or over else None

    def _place(self, number: int, action: Place) -> Outcome:
        order = _Order(
            action.client_order_id, action.market, action.side, action.price, action.count, 0,
            action.expires_s * SECOND_NS,
        )  # fmt: skip
        other = self._other(order)
        crosses = other is not None and (
            order.price >= other[0] if order.side is BookSide.BID else order.price <= other[0]
        )
        if crosses and action.post_only:
            return Outcome(number, Done.REFUSED, 400, "invalid_order", "post only cross")
        if crosses and other is not None:
            self._fill(order, other[0], min(order.left, other[1]), is_taker=True)
        if order.left and not action.ioc:
            self._orders[order.key] = order
        return Outcome(
            number, Done.DONE, 201, order_id=order.key, filled=order.filled,
            remaining=order.left if not action.ioc else 0,
        )  # fmt: skip

    def _traded(self, trade: Trade) -> None:
        left = trade.count
        for order in self._orders.values():
            through = trade.price < order.price if order.side is BookSide.BID else trade.price > order.price
            if order.market == trade.market and through and left:
                count = min(order.left, left)
                left -= count
                self._fill(order, order.price, count, is_taker=False)

    def _crossed(self, market: str) -> None:
        for order in self._orders.values():
            if order.market == market and order.left:
                other = self._other(order)
                if other is not None and (
                    other[0] < order.price if order.side is BookSide.BID else other[0] > order.price
                ):
                    self._fill(order, order.price, min(order.left, other[1]), is_taker=False)

    def _other(self, order: _Order) -> tuple[int, int] | None:
        """The best price on the other side, and its size, of a book that can be trusted."""
        if self._engine is None:
            return None
        window = self._engine.store.window(order.market, self._now_ns)
        price = window.ask if order.side is BookSide.BID else window.bid
        size = window.ask_size if order.side is BookSide.BID else window.bid_size
        return None if price is None or not window.is_trusted else (price, size)

    def _fill(self, order: _Order, price: int, count: int, *, is_taker: bool) -> None:
        if not count:
            return
        self._count += 1
        order.left -= count
        order.filled += count
        fee = trade_fee(TERMS, price, count, fee_step(self._now_ns), taker=is_taker)
        self._fills.append(PaperFill(order.key, f"paper-{self._count}", price, count, fee, is_taker))
