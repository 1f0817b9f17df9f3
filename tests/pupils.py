"""Strategies for tests of replay that behave."""

from typing import Any

from core.actions import BookSide
from core.context import Context
from core.messages.types import Trade
from core.strategy import Params, Strategy
from core.window import Window


class QuoterParams(Params, frozen=True):
    """size: contracts (1/100) of each order. fails_at: the book at which it raises, 0 = never."""

    size: int = 100
    fails_at: int = 0


class Quoter(Strategy):
    """Bids at the best bid of every market, anew when that moved; says how often it looked, once a second."""

    Params = QuoterParams

    def __init__(self, params: QuoterParams) -> None:
        super().__init__(params)
        self.looked = 0

    def on_start(self, ctx: Context) -> None:
        ctx.wake("count", 1_000_000_000)

    def on_book(self, ctx: Context, market: Window) -> None:
        self.looked += 1
        if self.looked == self.params.fails_at:
            raise RuntimeError(f"book {self.looked}")
        price = self.choose(market)
        if not price:
            return
        for order in ctx.account.orders(market.market):
            if order.price == price:
                return
            ctx.cancel(order)
        ctx.place(market.market, BookSide.BID, price, self.params.size)

    def choose(self, market: Window) -> int:
        """The price to bid, 0 = none."""
        return market.bid or 0

    def on_timer(self, ctx: Context, name: str) -> None:
        ctx.say(f"{name} {self.looked} {ctx.dice.below(1_000)}")
        ctx.wake(name, 1_000_000_000)


class TalkerParams(Params, frozen=True):
    """is_loud: says something at every book. fails_at: the trade at which it raises, 0 = never."""

    is_loud: bool = True
    fails_at: int = 0


class Talker(Strategy):
    """Has no orders, so that its failure leads to no decision."""

    Params = TalkerParams

    def __init__(self, params: TalkerParams) -> None:
        super().__init__(params)
        self.heard = 0

    def on_book(self, ctx: Context, market: Window) -> None:
        if self.params.is_loud:
            ctx.say(f"bid {market.bid}", market.market)

    def on_trade(self, ctx: Context, market: Window, trade: Trade) -> None:
        del ctx, market, trade
        self.heard += 1
        if self.heard == self.params.fails_at:
            raise RuntimeError(f"trade {self.heard}")


def _wordy(
    ours: Any,
    mine: Any,
    now_ns: int,
    bid: int,
    bid_size: int,
    ask: int,
    ask_size: int,
    _what: int,
    _price: int,
    _count: int,
    _taker: int,
) -> bool:
    """Whole cents, told by how a price is written: nothing that can be compiled."""
    del ours, mine, now_ns, bid_size, ask, ask_size
    return f"{bid:05d}".endswith("00")


class Wordy(Quoter):
    """Has a glance that runs from Python only."""

    glance = staticmethod(_wordy)
