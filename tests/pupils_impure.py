"""Strategies for tests of replay that do what a strategy must not, each in its own way."""

import random
import socket
import threading
import time

from pupils import Quoter, QuoterParams

from core.context import Context
from core.window import Window


class ReadsClock(Quoter):
    """Bids lower at odd instants of the machine's clock."""

    def choose(self, market: Window) -> int:
        return (market.bid or 0) - 100 * (time.time_ns() % 2)


class ThrowsDice(Quoter):
    """Bids lower by dice of its own."""

    def choose(self, market: Window) -> int:
        return (market.bid or 0) - 10 * random.randrange(100)


class AsksTheNetwork(Quoter):
    """Asks somebody else."""

    def choose(self, market: Window) -> int:
        with socket.socket() as asked:
            asked.settimeout(0)
        return market.bid or 0


class Threads(Quoter):
    """Has a thread think for it."""

    def choose(self, market: Window) -> int:
        thinking = threading.Thread(target=len, args=("",))
        thinking.start()
        thinking.join()
        return market.bid or 0


class WalksASet(Quoter):
    """Says names in no order. All of them at once: two hash seeds agree on the first of twenty once in twenty times."""

    def on_book(self, ctx: Context, market: Window) -> None:
        said = ""
        for name in {f"name {number}" for number in range(20)}:
            said += f"{name}, "
        ctx.say(said, market.market)


class BornByTheClock(Quoter):
    """Looks at the machine's clock when it is made, and never again."""

    def __init__(self, params: QuoterParams) -> None:
        super().__init__(params)
        self.born = time.monotonic()
