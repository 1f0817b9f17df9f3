"""The strategy that trades while incidents are recorded: orders, fills, and markets that come and go."""

from core.actions import BookSide
from core.context import Context
from core.strategy import Params, Strategy
from core.window import Window

TOGGLE_NS = 400_000_000


class TraderParams(Params, frozen=True):
    """markets: to be subscribed to; where it toggles the last of them comes and goes. below: of its bid, from the best
    one."""

    markets: tuple[str, ...] = ()
    below: int = 50
    toggles: bool = True


class Trader(Strategy):
    """Keeps a bid near the best one of each market; drops the last market and takes it up again, in turns."""

    Params = TraderParams

    def __init__(self, params: TraderParams) -> None:
        super().__init__(params)
        self.params: TraderParams = params
        self.has_last = True

    def on_start(self, ctx: Context) -> None:
        ctx.subscribe(*self.params.markets)
        if self.params.toggles:
            ctx.wake("toggle", TOGGLE_NS)

    def on_book(self, ctx: Context, market: Window) -> None:
        if ctx.flaw(market.market) or market.bid is None or market.bid <= self.params.below:
            return
        orders = ctx.account.orders(market.market)
        price = market.bid - self.params.below
        for order in orders:
            if abs(order.price - price) > self.params.below:
                ctx.cancel(order)
        if not orders and ctx.account.position(market.market) < 1_000:
            ctx.place(market.market, BookSide.BID, price, 100)

    def on_timer(self, ctx: Context, name: str) -> None:
        last = self.params.markets[-1]
        (ctx.unsubscribe if self.has_last else ctx.subscribe)(last)
        self.has_last = not self.has_last
        ctx.wake(name, TOGGLE_NS)
