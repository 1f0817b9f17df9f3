"""Scanner and Market Maker together at a sandbox: the one selects, the other quotes what is selected."""

from typing import Any, Final

from strategy_run import Cast
from strategy_stage import Stage

from core.actions import RiskLimits, Select
from strategies.market_maker import MarketMaker
from strategies.regime import Regime
from strategies.scanner import Scanner

SERIES: Final = "KXSANDTEMP"
SCAN: Final = {"series": SERIES, "top": "3", "min_close_s": "0", "max_spread": "10000"}
MAKE: Final = {"max_spread": "10000", "max_markets": "20"}
PLENTY: Final = RiskLimits(markets=40, exposure=10**12)


def pair(scan: dict[str, Any] | None = None, make: dict[str, Any] | None = None) -> list[Cast]:
    """The two, with these parameters changed."""
    return [Cast("scan", Scanner, SCAN | (scan or {})), Cast("maker", MarketMaker, MAKE | (make or {}))]


def both(casts: list[Cast], **options: Any) -> Stage:
    """They have run for six seconds."""
    stage = Stage(*casts, **{"markets": 10, "rate": 40} | options)
    stage.start(limits=PLENTY)
    stage.wait(6)
    return stage


def selected(stage: Stage) -> tuple[str, ...]:
    """What the Scanner has chosen."""
    found: Select = stage.run.actions(Select)[-1]
    return found.markets


def told_by(stage: Stage) -> dict[str, str]:
    """Where the Scanner has each market's figures from, ws or rest."""
    return {quote.market: quote.source.value for quote in stage.run.strategy("scan").quotes(stage.now_ns)}


def reasons(stage: Stage) -> dict[str, str]:
    """Why the Market Maker does not quote each market, "" = it does."""
    found: dict[str, str] = stage.run.strategy("maker").reasons()
    return found


def resting(stage: Stage) -> dict[str, int]:
    """How many own orders rest at the exchange, by market."""
    reads = stage.venue.machine.engine.reads
    found = {market: len(reads.resting("trader", market)) for market in stage.venue.markets()}
    return {market: count for market, count in found.items() if count}


def true_book(stage: Stage, market: str) -> tuple[dict[int, int], dict[int, int]]:
    """The exchange's own book: sizes by price of either side."""
    book = stage.venue.machine.engine.reads.book(market)
    return dict(book.yes), dict(book.no)


class Tug:
    """One market that both have, in which others bid and ask where the test says and nobody else acts."""

    def __init__(self, **make: Any) -> None:
        self.market = next(m for m in Stage(busy_steps=0, seed=2).venue.markets() if "BTC" in m)
        self.casts = pair({"series": "", "markets": self.market}, make)
        self.stage = Stage(*self.casts, busy_steps=0, seed=2)
        self._orders: dict[str, str] = {}
        self._ask = 0
        self.move(4_000, 4_400)
        self.stage.start(limits=PLENTY)
        self.stage.until(lambda: resting(self.stage) == {self.market: 2}, "two quotes")

    def move(self, bid: int, ask: int) -> None:
        """Others are there from now on; both sides are there all the time, and never cross."""
        sides = (("bid", bid), ("ask", ask))
        for side, price in reversed(sides) if ask > self._ask else sides:
            body = {
                "ticker": self.market, "side": side, "count": "50.00", "price": f"0.{price:04}",
                "time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross",
            }  # fmt: skip
            placed = self.stage.rest("POST", "/portfolio/events/orders", body)["order_id"]
            if side in self._orders:
                path = f"/portfolio/events/orders/{self._orders[side]}"
                self.stage.rest("DELETE", path, market_ticker=self.market)
            self._orders[side] = placed
        self._ask = ask
        self.stage.wait()

    def regime(self) -> Regime:
        """What the Market Maker takes the market for."""
        found: Regime = self.stage.run.strategy("maker").regime(self.market, self.stage.now_ns)
        return found

    def spread(self) -> int:
        """Between the Market Maker's own quotes."""
        reads = self.stage.venue.machine.engine.reads
        prices = {order.book_side.value: order.price for order in reads.resting("trader", self.market)}
        return prices["ask"] - prices["bid"]
