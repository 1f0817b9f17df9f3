"""The paper venue "touch": answers orders where none are real, so that it rather loses than flatters.

The model. An order that would cross is refused if it is post-only; if not, it takes what the book shows up to its
limit, pays the taker's fee, and the rest is cancelled or rests; amending is the same. A resting order fills only when
somebody trades *through* its price after it was placed (a bid at 45 needs a trade at 44 or less), for no more than that
trade's size, or when the other side of the book comes to cross it, for no more than is offered there: as if every other
order at its price were served first. It pays the maker's fee by the dearest known terms. Nothing here moves the market.
A better venue comes with the backtest.

Knows the store it reads. Must not know who decided. What it says is on the tape, so a replay needs no venue.
"""

from dataclasses import dataclass, replace
from typing import Final

from core.actions import Amend, BookSide, Cancel, Decision, Done, Outcome, PaperEvent, PaperFill, Place
from core.engine import Engine, Step
from core.fees import FeeTerms, FeeType, fee_step, trade_fee
from core.messages.types import BookDelta, BookSnapshot, Trade
from core.times import SECOND_NS

NAME: Final = "touch"
TERMS: Final = FeeTerms(FeeType.WITH_MAKER_FEES)
"""Fees of the dearer of the common kinds: paper does not flatter."""

DEPTH: Final = 100
"""Levels of a book that an order may go through: on a grid of cents all there are."""

_CROSSES: Final = ("invalid_order", "post only cross")
_KILLED: Final = ("fill_or_kill_insufficient_resting_volume",)


@dataclass(slots=True)
class _Order:
    key: str
    market: str
    side: BookSide
    price: int
    left: int
    filled: int
    expires_ns: int
    post_only: bool = True

    def crosses(self, price: int) -> bool:
        """Whether it would trade with an order of the other side at this price."""
        return price <= self.price if self.side is BookSide.BID else price >= self.price

    def is_through(self, price: int) -> bool:
        """Whether a price is beyond its own."""
        return price < self.price if self.side is BookSide.BID else price > self.price


class PaperVenue:
    """One run's paper orders; called by one thread, for every record and every decision in their order."""

    def __init__(self) -> None:
        self._orders: dict[str, _Order] = {}
        self._over: list[str] = []
        self._engine: Engine | None = None
        self._fills: list[PaperFill] = []
        self._held: dict[str, int] = {}  # by its own fills: paper begins with nothing
        self._count = 0
        self._now_ns = 0

    def act(self, decision: Decision) -> Outcome | None:
        """What becomes of a decision, None = it is none about an order."""
        action, number = decision.action, decision.number
        match action:
            case Place():
                return self._place(number, action)
            case Amend():
                return self._amend(number, action)
            case Cancel():
                order = self._orders.pop(action.client_order_id, None)
                if order is None:
                    return Outcome(number, Done.REFUSED, 404, "not_found")
                return Outcome(number, Done.DONE, 200, order_id=order.key, remaining=order.left)
            case _:
                return None

    def saw(self, step: Step, engine: Engine) -> None:
        """Take in a record: what it makes of the orders that rest."""
        self._engine, self._now_ns = engine, step.now_ns
        if not self._orders:
            return
        over = [order.key for order in self._orders.values() if 0 < order.expires_ns <= self._now_ns]
        for key in over:  # a trade at the very instant is not ours
            del self._orders[key]
        self._over += over
        message = step.message
        if isinstance(message, Trade):
            self._traded(message)
        elif isinstance(message, BookDelta | BookSnapshot):
            self._crossed(message.market)
        self._forget()

    def events(self) -> PaperEvent | None:
        """Fills and ends since the last call, None = there are none."""
        fills, over = tuple(self._fills), tuple(self._over)
        self._fills, self._over = [], []
        return PaperEvent(fills, over) if fills or over else None

    def _place(self, number: int, action: Place) -> Outcome:
        order = _Order(
            action.client_order_id, action.market, action.side, action.price, action.count, 0,
            action.expires_s * SECOND_NS, action.post_only,
        )  # fmt: skip
        if order.post_only and self._offered(order):
            return Outcome(number, Done.REFUSED, 400, *_CROSSES)
        if action.reduce_only:
            held = self._held.get(order.market, 0)
            order.left = min(order.left, max(held if order.side is BookSide.ASK else -held, 0))
        if action.fok and sum(size for _, size in self._offered(order)) < order.left:
            return Outcome(number, Done.REFUSED, 409, *_KILLED)
        self._take(order)
        if order.left and not action.ioc:
            self._orders[order.key] = order
        return Outcome(
            number, Done.DONE, 201, order_id=order.key, filled=order.filled,
            remaining=order.left if not action.ioc else 0,
        )  # fmt: skip

    def _amend(self, number: int, action: Amend) -> Outcome:
        order = self._orders.get(action.client_order_id)
        if order is None:
            return Outcome(number, Done.REFUSED, 404, "not_found")
        new = replace(
            order, price=action.price, left=max(action.count - order.filled, 0), expires_ns=action.expires_s * SECOND_NS
        )
        if new.post_only and self._offered(new):
            return Outcome(number, Done.REFUSED, 400, *_CROSSES)
        self._orders[new.key] = new
        self._take(new)
        self._forget()
        return Outcome(number, Done.DONE, 200, order_id=new.key, filled=new.filled, remaining=new.left)

    def _take(self, order: _Order) -> None:
        """Trade with what the book shows up to the order's limit."""
        for price, size in self._offered(order):
            self._fill(order, price, min(order.left, size), is_taker=True)

    def _traded(self, trade: Trade) -> None:
        left = trade.count
        for order in self._orders.values():
            if order.market == trade.market and order.is_through(trade.price):
                count = min(order.left, left)
                left -= count
                self._fill(order, order.price, count, is_taker=False)

    def _crossed(self, market: str) -> None:
        """Several orders of ours share what is offered beyond their prices, as they would."""
        taken = 0
        for order in self._orders.values():
            if order.market == market:
                offered = sum(size for price, size in self._offered(order) if order.is_through(price))
                count = min(order.left, max(offered - taken, 0))
                taken += count
                self._fill(order, order.price, count, is_taker=False)

    def _offered(self, order: _Order) -> list[tuple[int, int]]:
        """Prices and sizes of the other side that the order would trade with, best first, in a book to be trusted."""
        if self._engine is None:
            return []
        window = self._engine.store.window(order.market, self._now_ns)
        best = window.ask if order.side is BookSide.BID else window.bid
        if best is None or not order.crosses(best) or not window.is_trusted:
            return []
        bids, offers = window.depth(DEPTH)
        return [(p, size) for p, size in (offers if order.side is BookSide.BID else bids) if order.crosses(p)]

    def _forget(self) -> None:
        for key in [key for key, order in self._orders.items() if not order.left]:
            del self._orders[key]

    def _fill(self, order: _Order, price: int, count: int, *, is_taker: bool) -> None:
        if not count:
            return
        self._count += 1
        order.left -= count
        order.filled += count
        bought = count if order.side is BookSide.BID else -count
        self._held[order.market] = self._held.get(order.market, 0) + bought
        fee = trade_fee(TERMS, price, count, fee_step(self._now_ns), taker=is_taker)
        self._fills.append(PaperFill(order.key, f"paper-{self._count}", price, count, fee, is_taker))
