"""Selects markets by name for strategies that quote what is selected, where no scanner can ask the exchange for them.

A market is selected while its book has a side: from its first prices on until they are gone, which is how a market
closes where nothing else tells. Must not know what strategies do with them.
"""

import re
from typing import Any, Final

from core.context import Context
from core.strategy import Params, Strategy
from core.window import Window

ANY: Final = "*"
NAME: Final = "markets"
PATH: Final = "replay.backtest.chooser:Chooser"


class ChooserParams(Params, frozen=True, kw_only=True):
    """markets: names or patterns such as KXGOLD15M-*, the first that fits a market deciding its place."""

    markets: tuple[str, ...] = (ANY,)


class Chooser(Strategy):
    """See the module."""

    Params = ChooserParams

    def __init__(self, params: Any) -> None:
        super().__init__(params)
        self._patterns = [fitting(pattern) for pattern in params.markets]
        self._places: dict[str, int] = {}  # by market: the pattern that fits, -1 = none does
        self._chosen: dict[str, None] = {}

    def on_book(self, ctx: Context, market: Window) -> None:
        """A market has opened, or closed."""
        self._look(ctx, market)

    def _look(self, ctx: Context, market: Window) -> None:
        name = market.market
        place = self._places.get(name)
        if place is None:
            place = next((at for at, pattern in enumerate(self._patterns) if pattern.fullmatch(name)), -1)
            self._places[name] = place
        if place < 0:
            return
        is_open = market.bid is not None or market.ask is not None
        if is_open == (name in self._chosen):
            return
        if is_open:
            self._chosen[name] = None
        else:
            del self._chosen[name]
        ctx.select(*sorted(self._chosen, key=lambda chosen: self._places[chosen]))


def fitting(pattern: str) -> re.Pattern[str]:
    """What matches the whole of a market's name if it fits; * is anything."""
    return re.compile(".*".join(map(re.escape, pattern.split(ANY))))
