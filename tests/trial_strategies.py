"""Strategies for tests of backtests: one that joins the best prices, one that never trades, one that fails."""

import os
import signal
from typing import Any

from core.actions import BookSide
from core.context import Context
from core.strategy import Params, Strategy
from core.window import Window


class JoinerParams(Params, frozen=True):
    """size: of an order. every_ns: between two looks at a market. fails_after: orders, 0 = never."""

    size: int = 100
    every_ns: int = 200_000_000
    fails_after: int = 0
    takes: bool = False


class Joiner(Strategy):
    """Keeps an order at each best price, wherever it is; one that was left behind is amended."""

    Params = JoinerParams

    def __init__(self, params: Any) -> None:
        super().__init__(params)
        self._looked_ns: dict[str, int] = {}
        self._placed = 0

    def on_book(self, ctx: Context, market: Window) -> None:
        name, bid, ask = market.market, market.bid, market.ask
        if ctx.now_ns - self._looked_ns.get(name, 0) < self.params.every_ns or ctx.flaw(name):
            return
        self._looked_ns[name] = ctx.now_ns
        for side, price in ((BookSide.BID, bid), (BookSide.ASK, ask)):
            if price is not None and 0 < price < 10_000:
                self._have(ctx, name, side, price)

    def _have(self, ctx: Context, market: str, side: BookSide, price: int) -> None:
        orders = [order for order in ctx.account.orders(market) if order.side is side]
        if not orders:
            self._placed += 1
            if self._placed == self.params.fails_after:
                raise RuntimeError("as it was told to")
            ctx.place(market, side, price, self.params.size)
        elif orders[0].price != price:
            ctx.amend(orders[0], price, self.params.size)


class DierParams(Params, frozen=True):
    """dies: at its start, with its whole process."""

    dies: bool = False


class Dier(Strategy):
    """Does nothing, or takes its process with it, as a machine without memory would."""

    Params = DierParams

    def on_start(self, ctx: Context) -> None:
        del ctx
        if self.params.dies:
            os.kill(os.getpid(), signal.SIGKILL)


class Idler(Strategy):
    """Says a word and does nothing."""

    def on_start(self, ctx: Context) -> None:
        ctx.say("nothing to do")
