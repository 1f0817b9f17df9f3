"""A strategy for tests that holds everybody up: it hangs now and then, without looking at a clock."""

from typing import ClassVar

from core.context import Context
from core.strategy import EVERY, Params, Strategy
from core.window import Window


class SluggishParams(Params, frozen=True):
    """every: changes of books between two times that it hangs. turns: of an empty loop, some 25 million a second."""

    every: int = 3_000
    turns: int = 40_000_000


class Sluggish(Strategy):
    """Counts books, and counts to something large at every so many of them."""

    Params = SluggishParams
    book_wakes: ClassVar[str] = EVERY

    def __init__(self, params: SluggishParams) -> None:
        super().__init__(params)
        self.params: SluggishParams = params
        self.books = 0

    def on_book(self, ctx: Context, market: Window) -> None:
        self.books += 1
        if self.books % self.params.every == 0:
            for _ in range(self.params.turns):
                pass
            ctx.say(f"hung at book {self.books}", market.market)
