"""What an open position is worth, by a rule that a result can state: never better than somebody would pay at once.

Pure: a sight of the market in, a mark out. Units: prices 1/10,000 dollar on the yes scale, counts 1/100 contract.
"""

from typing import Final

from core.holdings import Holding
from core.lifecycle import Lifecycle
from core.money import DOLLAR
from core.window import Window
from replay.backtest.money import Mark

BY_BID: Final = "bid"
BY_ASK: Final = "ask"
BY_NOBODY: Final = "nobody"
"""The book is trusted and has one side only, the other one: nobody would take the position, so it is worth nothing."""

BY_RESULT: Final = "result"
"""The tape says what the market pays, but not that it has paid."""

BY_TRADE: Final = "last trade"
BY_BOOK: Final = "last book"
BY_COST: Final = "cost"

RULE: Final = (
    "Open positions are worth what the book's worse side pays: the best bid for yes, the best offer for no, nothing "
    "where that side alone is empty; where the whole book is empty or not to be trusted, the last trade; without one, "
    "the last trusted book; without that, what they cost."
)


def mark(held: Holding, window: Window, last: Mark | None, told: int | None = None) -> Mark:
    """What a position is worth now. last: its mark before, which stands where nothing else is known. told: what a yes
    contract pays, as REST says it."""
    value = result(window.lifecycle) if told is None else told
    if value is not None:
        return _at(held, value, BY_RESULT)
    bid, ask = window.bid, window.ask
    if window.is_trusted and not (bid is None and ask is None):
        if held.position > 0:
            return _at(held, 0, BY_NOBODY) if bid is None else _at(held, bid, BY_BID)
        return _at(held, DOLLAR, BY_NOBODY) if ask is None else _at(held, ask, BY_ASK)
    trade = window.last_trade
    if trade is not None:
        return _at(held, trade.price, BY_TRADE)
    if last is not None and last.price is not None:
        return _at(held, last.price, BY_BOOK)
    return Mark(held.cost, None, BY_COST)


def result(life: Lifecycle) -> int | None:
    """What a yes contract pays (price units), None = it is not known yet."""
    if life.settlement_value is not None:
        return life.settlement_value
    return {"yes": DOLLAR, "no": 0}.get(life.result)


def mid(window: Window) -> float | None:
    """The middle of the best prices; None = a side is empty, or the book is not to be trusted."""
    bid, ask = window.bid, window.ask
    return None if bid is None or ask is None or not window.is_trusted else (bid + ask) / 2


def _at(held: Holding, price: int, by: str) -> Mark:
    return Mark(held.position * price if held.position > 0 else -held.position * (DOLLAR - price), price, by)
