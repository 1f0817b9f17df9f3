"""Ours, as a user runs it: `ours.py columns|bytes|compiled PLACE STRATEGY`.

columns, bytes: a strategy in Python, hosted over a sealed tape by one path or the other. compiled: the strategy
compiled with the replay. Opening the tape and reading it from the disk are timed; what compiles on first use is not:
the first records are played before.
"""

import json
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from benchmarks.job import BARE, EVERY, TIGHT, TOP, Clock, Seen, report
from capture.tape.buffers import flat
from capture.tape.reader import Tape
from capture.tape.thrift import give_back
from core import strategy as port
from core.actions import StrategySpec
from core.cells import NEVER
from core.context import Context
from core.messages.types import Trade
from core.records import Kind
from core.strategy import Strategy
from core.window import Window
from replay import Player
from replay.hosted import Hosted

WARM_RECORDS: Final = 2_000


class Every(Strategy):
    """EVERY, as somebody who knows Python would write it."""

    book_wakes = port.EVERY

    def __init__(self, params: Any) -> None:
        super().__init__(params)
        self.books = self.bids = self.tight = self.trades = self.volume = self.tickers = 0

    def on_book(self, ctx: Context, market: Window) -> None:
        """A book has changed."""
        del ctx
        self.books += 1
        bid = market.bid
        if bid is not None:
            self.bids += bid
            ask = market.ask
            if ask is not None and ask - bid <= TIGHT:
                self.tight += 1

    def on_trade(self, ctx: Context, market: Window, trade: Trade) -> None:
        """A trade."""
        del ctx, market
        self.trades += 1
        self.volume += trade.count

    def on_ticker(self, ctx: Context, market: Window) -> None:
        """A ticker."""
        del ctx, market
        self.tickers += 1


class Top(Strategy):
    """TOP."""

    book_wakes = port.TOP

    def __init__(self, params: Any) -> None:
        super().__init__(params)
        self.changes = self.top_bids = 0

    def on_book(self, ctx: Context, market: Window) -> None:
        """The top of a book has changed."""
        del ctx
        self.changes += 1
        bid = market.bid
        if bid is not None:
            self.top_bids += bid


STRATEGIES: Final[dict[str, type[Strategy]]] = {EVERY: Every, TOP: Top}


def hosted(tape: Path, path: str, kind: type[Strategy], until_seq: int | None = None) -> Seen:
    """Play with a strategy in Python; what it saw. One object lives through all sessions of a tape."""
    strategy = kind(kind.Params())
    spec = StrategySpec(kind.__name__.lower(), f"{kind.__module__}:{kind.__name__}")
    host = Hosted(Tape.open(tape), path, (spec,), load=lambda _: strategy)
    for _, _, reaction in host.run(until_seq):
        assert not reaction.faults, reaction.faults
    seen = {name: value for name, value in vars(strategy).items() if name in Seen.__slots__}
    return Seen(**seen)


def bare(tape: Path, path: str, until_seq: int | None = None) -> Seen:
    """Play without a strategy: the full store, nobody called."""
    Player(Tape.open(tape), path, checkpoint_records=0).advance(until_seq=until_seq)
    return Seen()


class Glancing(Strategy):
    """A strategy whose glance adds up and never has Python called. ours: the parts of Seen in their order."""

    numbers = (len(Seen.__slots__), 0)

    def on_book(self, ctx: Context, market: Window) -> None:
        """Not called: the glance has said no."""
        raise AssertionError((ctx, market))


class CompiledEvery(Glancing):
    """EVERY."""

    book_wakes = port.EVERY

    @staticmethod
    def glance(
        ours: Any, _mine: Any, _now_ns: int, bid: int, _bid_size: int, ask: int, _ask_size: int,
        what: int, _price: int, count: int, _taker: int,
    ) -> bool:  # fmt: skip
        """Adds up."""
        if what == 1:
            ours[3] += 1
            ours[4] += count
        elif what == 2:
            ours[5] += 1
        else:
            ours[0] += 1
            if bid >= 0:
                ours[1] += bid
                if ask >= 0 and ask - bid <= TIGHT:
                    ours[2] += 1
        return False

    def on_trade(self, ctx: Context, market: Window, trade: Trade) -> None:
        """Not called."""
        raise AssertionError((ctx, market, trade))

    def on_ticker(self, ctx: Context, market: Window) -> None:
        """Not called."""
        raise AssertionError((ctx, market))


class CompiledTop(Glancing):
    """TOP."""

    @staticmethod
    def glance(
        ours: Any, _mine: Any, _now_ns: int, bid: int, _bid_size: int, _ask: int, _ask_size: int,
        _what: int, _price: int, _count: int, _taker: int,
    ) -> bool:  # fmt: skip
        """Adds up."""
        ours[6] += 1
        if bid >= 0:
            ours[7] += bid
        return False


COMPILED: Final[dict[str, type[Strategy]]] = {EVERY: CompiledEvery, TOP: CompiledTop}


def compiled(tape: Path, strategy: str, until_seq: int | None = None) -> Seen:
    """Play with a compiled strategy; with none, the full store alone."""
    if strategy == BARE:
        return bare(tape, "columns", until_seq)
    kind = COMPILED[strategy]
    spec = StrategySpec(strategy, f"{kind.__module__}:{kind.__name__}")
    host = Hosted(Tape.open(tape), "columns", (spec,), load=lambda _: kind(kind.Params()))
    opened, last = host.player.tape, NEVER if until_seq is None else until_seq
    tables = opened.tables(("seq", "kind"))
    begun = [flat(table.column("seq"))[flat(table.column("kind")) == Kind.SESSION].tolist() for table in tables]
    ends = [seq - 1 for part in begun for seq in part if 0 < seq <= last]
    seen = [0] * len(Seen.__slots__)
    for end in (*ends, last):  # what a glance keeps is of one session
        for _, _, reaction in host.run(end):
            assert not reaction.faults, reaction.faults
        assert host.host.wakes.slow_glances == ()
        seen = [one + more for one, more in zip(seen, host.host.wakes.numbers(strategy), strict=True)]
    return Seen(*seen)


def player(mode: str, place: Path, strategy: str) -> Callable[[int | None], Seen]:
    """What plays the tape up to a seq in one of the ways."""
    tape = place / "tape"
    if mode == "compiled":
        return lambda until_seq: compiled(tape, strategy, until_seq)
    if strategy == BARE:
        return lambda until_seq: bare(tape, mode, until_seq)
    return lambda until_seq: hosted(tape, mode, STRATEGIES[strategy], until_seq)


def main(mode: str, place: Path, strategy: str) -> None:
    """Do one job."""
    frames = json.loads((place / "about.json").read_text(encoding="utf-8"))["frames"]
    give_back()  # as `tapedeck replay` does
    play, clock = player(mode, place, strategy), Clock()
    play(WARM_RECORDS)
    seen = clock.time("run", lambda: play(None))
    try:
        known = version("tapedeck")
    except PackageNotFoundError:
        known = "source"
    report(known, frames, clock, seen)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
