"""A Market Maker in one market of a sandbox in which nobody else acts but the test."""

from typing import Any, Final

from strategy_run import Cast
from strategy_stage import Stage

from capture.account_api import ORDERS
from core.actions import Action, Amend, BookSide, Cancel, Place, Say
from core.money import format_price, format_size
from core.orders import OwnOrder
from strategies.market_maker import MarketMaker

BID, ASK = BookSide.BID, BookSide.ASK
OTHERS: Final = ((BID, 4_000), (ASK, 4_400))
"""Where others rest 50 contracts each at first: the fair price is 42 cents."""

SEED: Final = 2
"""Of a sandbox whose markets close in twenty minutes, so that a test has time."""

WRITES: Final = (Place, Amend, Cancel)


class Booth:
    """The stage with a maker that quotes unless said otherwise. market: ticks of a tenth of a cent, no maker fee.

    before: strategies whose turn is before the maker's. Other parameters are the maker's; its tolerance is 0, so that
    every price tells.
    """

    def __init__(self, *before: Cast, start: bool = True, limits: Any = None, **params: Any) -> None:
        market = next(market for market in Stage(busy_steps=0, seed=SEED).venue.markets() if "BTC" in market)
        self.market = market
        self.casts = [*before, Cast("maker", MarketMaker, {"markets": [market], "tolerance": 0} | params)]
        self.stage = Stage(*self.casts, busy_steps=0, seed=SEED)
        self.others = [self.other(side, price) for side, price in OTHERS]
        self.prices = OTHERS[0][1], OTHERS[1][1]
        if start:
            self.start(limits=limits)

    def start(self, **terms: Any) -> None:
        """Go, and until it quotes."""
        self.stage.start(**{name: value for name, value in terms.items() if value is not None})
        self.stage.until(lambda: len(self.resting()) == 2, "two quotes")

    @property
    def why(self) -> str:
        """Why the market is not quoted, "" = it is."""
        found: str = self.stage.run.strategy("maker").reasons()[self.market]
        return found

    def other(self, side: BookSide, price: int, count: int = 5_000, *, ioc: bool = False) -> str:
        """Somebody else's order; its order_id."""
        self._orders = getattr(self, "_orders", 0) + 1
        tif = "immediate_or_cancel" if ioc else "good_till_canceled"
        body = {
            "ticker": self.market, "side": side.value, "price": format_price(price), "count": format_size(count),
            "time_in_force": tif, "self_trade_prevention_type": "taker_at_cross",
            "client_order_id": f"other-{self._orders}",
        }  # fmt: skip
        found: str = self.stage.rest("POST", ORDERS, body)["order_id"]
        self.stage.wait()
        return found

    def adopt(self, bids: dict[str, int]) -> None:
        """Begin while a bid of an earlier run rests in each of these markets, and have the maker take them over."""
        for number, (market, price) in enumerate(bids.items()):
            body = {
                "ticker": market, "side": "bid", "price": format_price(price), "count": "5.00",
                "time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross",
                "client_order_id": f"td-0-{number}",
            }  # fmt: skip
            self.stage.rest("POST", ORDERS, body, account="trader")
        self.stage.start(adopted=tuple(f"td-0-{number}" for number in range(len(bids))))

    def gone(self, order_id: str) -> None:
        """That order is cancelled."""
        self.stage.rest("DELETE", f"{ORDERS}/{order_id}", market_ticker=self.market)
        self.stage.wait()

    def move(self, bid: int, ask: int) -> None:
        """Others bid and offer there now, and nowhere else; there are both sides all the time, and never crossed."""
        wanted = ((BID, bid), (ASK, ask))
        is_up = ask > self.prices[1]
        for at in (1, 0) if is_up else (0, 1):
            new = self.other(*wanted[at])
            self.gone(self.others[at])
            self.others[at] = new
        self.prices = bid, ask

    def resting(self) -> dict[str, tuple[int, int]]:
        """Price and remaining size of what rests at the exchange, by side."""
        orders = self.stage.venue.machine.engine.reads.resting("trader", self.market)
        return {order.book_side.value: (order.price, order.remaining) for order in orders}

    def own(self, side: BookSide) -> OwnOrder:
        """The maker's order on a side, as the run knows it."""
        return next(order for order in self.stage.run.host.trading.ledger.live() if order.side is side)

    def since(self, count: int, *kinds: type[Action]) -> list[Any]:
        """The actions taken since there were so many decisions, of these kinds."""
        kinds = kinds or WRITES
        found = [d.action for d in self.stage.run.decisions[count:] if not d.refused]
        return [action for action in found if isinstance(action, kinds)]

    @property
    def decided(self) -> int:
        """How many decisions there are."""
        return len(self.stage.run.decisions)

    def said(self) -> list[str]:
        """What it said."""
        return [action.text for action in self.since(0, Say)]
