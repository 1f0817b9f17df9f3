"""The strategy that decided in the tape data/fixtures/run-1. Never edited: its decisions are compared for ever."""

from core.actions import BookSide
from core.context import Context
from core.messages.types import Fill
from core.orders import OwnOrder
from core.strategy import Params, Strategy
from core.window import Window


class KeeperParams(Params, frozen=True):
    """markets: to be subscribed to. below: distance of its bid from the best one (1/10,000 dollar)."""

    markets: tuple[str, ...] = ()
    below: int = 100


class Keeper(Strategy):
    """Keeps a bid below the best bid, moves it along, throws dice for its size, and says how much it saw."""

    Params = KeeperParams

    def __init__(self, params: KeeperParams) -> None:
        super().__init__(params)
        self.params: KeeperParams = params
        self.books = 0

    def on_start(self, ctx: Context) -> None:
        ctx.subscribe(*self.params.markets)
        ctx.fetch("/exchange/status")
        ctx.wake("look", 500_000_000)

    def on_book(self, ctx: Context, market: Window) -> None:
        self.books += 1
        if ctx.flaw(market.market) or market.bid is None or market.bid <= self.params.below:
            return
        price = market.bid - self.params.below
        orders = ctx.account.orders(market.market)
        for order in orders:
            if abs(order.price - price) > self.params.below and not ctx.amend(order, price, order.remaining):
                ctx.cancel(order)
        if not orders and ctx.account.position(market.market) < 1_000:
            ctx.place(market.market, BookSide.BID, price, 100 * (1 + ctx.dice.below(3)))

    def on_order(self, ctx: Context, order: OwnOrder) -> None:
        if not order.is_live:
            ctx.say(f"{order.client_order_id[-3:]} is over: {order.why}", order.market)

    def on_fill(self, ctx: Context, fill: Fill) -> None:
        ctx.say(f"filled {fill.count} at {fill.price}", fill.market)

    def on_timer(self, ctx: Context, name: str) -> None:
        ctx.say(f"{name}: {self.books} books, cash {ctx.account.cash}")
        ctx.wake(name, 500_000_000)
