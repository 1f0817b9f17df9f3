"""Strategies for tests of the live shell: one places small orders far from the market, then does what it is told to.

Knows the port only. RELEASED: what a strategy that hangs waits for; in a replay it is set.
"""

import threading
from collections.abc import Callable
from typing import Any, Final

from core.actions import BookSide
from core.context import Context
from core.health import Health
from core.orders import OrderState, OwnOrder
from core.strategy import Params, Strategy
from core.window import Window

RELEASED: Final = threading.Event()
RELEASED.set()

SPINS: Final = 6_000_000
"""Turns of an empty loop: some tenths of a second of nothing."""


class QuoterParams(Params, frozen=True):
    """orders: in each market, at price, of count. deed: done once, when an order rests first. every_ms: a timer."""

    markets: tuple[str, ...] = ()
    price: int = 100
    count: int = 100
    orders: int = 1
    deed: str = ""
    every_ms: int = 0


class Quoter(Strategy):
    """Places its orders at the start."""

    Params = QuoterParams

    def __init__(self, params: Any) -> None:
        super().__init__(params)
        self._is_done = False

    def on_start(self, ctx: Context) -> None:
        ctx.subscribe(*self.params.markets)
        for market in self.params.markets * self.params.orders:
            ctx.place(market, BookSide.BID, self.params.price, self.params.count)
        if self.params.every_ms:
            ctx.wake("beat", self.params.every_ms * 1_000_000)

    def on_timer(self, ctx: Context, name: str) -> None:
        ctx.say(name)
        ctx.wake(name, self.params.every_ms * 1_000_000)

    def on_order(self, ctx: Context, order: OwnOrder) -> None:
        if order.state is OrderState.RESTING and self.params.deed and not self._is_done:
            self._is_done = True
            DEEDS[self.params.deed](ctx, order)

    def on_health(self, ctx: Context, health: Health) -> None:
        ctx.say(f"halted: {health.halted}" if health.halted else "not halted")


def _boom(_ctx: Context, _order: OwnOrder) -> None:
    raise RuntimeError("boom")


def _late(ctx: Context, order: OwnOrder) -> None:
    """Everything at once, and far too late."""
    for _ in range(SPINS):
        pass
    ctx.place(order.market, BookSide.BID, order.price, order.count)
    ctx.amend(order, order.price, order.remaining)


def _late_cancel(ctx: Context, order: OwnOrder) -> None:
    for _ in range(SPINS):
        pass
    ctx.cancel(order)


def _hang(ctx: Context, order: OwnOrder) -> None:
    while not RELEASED.is_set():
        pass
    ctx.place(order.market, BookSide.BID, order.price, order.count)


def _lift(ctx: Context, order: OwnOrder) -> None:
    """Take what is offered, at the worst price that still sells."""
    ctx.place(order.market, BookSide.BID, 9_900, 1_000, ioc=True)


DEEDS: Final[dict[str, Callable[[Context, OwnOrder], None]]] = {
    "boom": _boom,
    "late": _late,
    "late-cancel": _late_cancel,
    "hang": _hang,
    "lift": _lift,
}


class Joiner(Strategy):
    """For paper: whenever nothing rests in a market, bids at the best bid, and sells what it has at the best offer."""

    Params = QuoterParams

    def markets(self) -> tuple[str, ...] | None:
        found: tuple[str, ...] = self.params.markets
        return found

    def on_start(self, ctx: Context) -> None:
        ctx.subscribe(*self.params.markets)

    def on_book(self, ctx: Context, market: Window) -> None:
        if ctx.account.orders(market.market) or ctx.flaw(market.market) or market.bid is None or market.ask is None:
            return
        if ctx.account.position(market.market) > 0:
            ctx.place(market.market, BookSide.ASK, market.ask, 100)
        else:
            ctx.place(market.market, BookSide.BID, market.bid, 100, life_s=2)


class Unmakeable(Strategy):
    """One that cannot be made."""

    def __init__(self, params: Any) -> None:
        super().__init__(params)
        raise ValueError("no such luck")
