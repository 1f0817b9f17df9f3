"""The loops that people write: `loops.py json|json-gz|pandas PLACE STRATEGY`.

json: a file of frames, `json.loads` of each, a dict for each side of a book, float prices as a script has them;
json-gz: the same from a packed file. pandas: read_json of all of it, itertuples, the same books. The best price is
kept, and looked for again only when it goes: the cheap way.
"""

import gzip
import json
import platform
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.job import EVERY, TOP, Clock, Seen, report


class Side:
    """Bids of one outcome."""

    __slots__ = ("best", "sizes")

    def __init__(self) -> None:
        self.sizes: dict[float, float] = {}
        self.best = 0.0

    def change(self, price: float, delta: float) -> None:
        """Add to a level or take from it."""
        sizes = self.sizes
        size = round(sizes.get(price, 0.0) + delta, 2)
        if size > 0:
            sizes[price] = size
            if price > self.best:
                self.best = price
        else:
            sizes.pop(price, None)
            if price == self.best:
                self.best = max(sizes, default=0.0)

    def replace(self, levels: Iterable[Any]) -> None:
        """What a snapshot says."""
        self.sizes = {float(price): float(size) for price, size in levels}
        self.best = max(self.sizes, default=0.0)


class Bot:
    """Books, and both strategies of the comparison as a script has them: in the loop."""

    def __init__(self, strategy: str) -> None:
        self.strategy = strategy
        self.books: dict[str, tuple[Side, Side]] = {}
        self.tops: dict[str, Any] = {}
        self.count = self.tight = self.trades = self.tickers = self.changes = 0
        self.bids = self.volume = self.top_bids = 0.0

    def frame(self, kind: str, msg: dict[str, Any]) -> None:
        """One frame."""
        if kind == "orderbook_delta":
            market = msg["market_ticker"]
            book = self._book(market)
            side = book[0] if msg["side"] == "yes" else book[1]
            side.change(float(msg["price_dollars"]), float(msg["delta_fp"]))
        elif kind == "orderbook_snapshot":
            market = msg["market_ticker"]
            book = self._book(market)
            book[0].replace(msg.get("yes_dollars_fp") or ())
            book[1].replace(msg.get("no_dollars_fp") or ())
        elif kind == "trade":
            self.trades += 1
            self.volume += float(msg["count_fp"])
            return
        else:
            self.tickers += kind == "ticker"
            return
        if self.strategy == EVERY:
            self._each(book)
        elif self.strategy == TOP:
            self._top(market, book)

    def _book(self, market: str) -> tuple[Side, Side]:
        book = self.books.get(market)
        if book is None:
            book = self.books[market] = (Side(), Side())
        return book

    def _each(self, book: tuple[Side, Side]) -> None:
        yes, no = book[0].best, book[1].best
        self.count += 1
        self.bids += yes
        if yes and no and 1.0 - no - yes <= 0.0200001:
            self.tight += 1

    def _top(self, market: str, book: tuple[Side, Side]) -> None:
        yes, no = book
        top = yes.best, yes.sizes.get(yes.best), no.best, no.sizes.get(no.best)
        if self.tops.get(market) != top:
            self.tops[market] = top
            self.changes += 1
            self.top_bids += yes.best

    def seen(self) -> Seen:
        """In the units of the job."""
        bids, volume, top_bids = round(self.bids * 10_000), round(self.volume * 100), round(self.top_bids * 10_000)
        return Seen(self.count, bids, self.tight, self.trades, volume, self.tickers, self.changes, top_bids)


def by_json(path: Path, bot: Bot) -> None:
    """Line by line."""
    loads = json.loads
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
        for line in lines:
            frame = loads(line)
            bot.frame(frame["type"], frame["msg"])


def by_pandas(path: Path, bot: Bot, clock: Clock) -> str:
    """All at once; the version."""
    import pandas

    frames = clock.time("load", lambda: pandas.read_json(path, lines=True))

    def run() -> None:
        for row in frames[["type", "msg"]].itertuples(index=False, name=None):
            bot.frame(*row)

    clock.time("run", run)
    return str(pandas.__version__)


def main(mode: str, place: Path, strategy: str) -> None:
    """Do one job."""
    about = json.loads((place / "about.json").read_text(encoding="utf-8"))
    bot, clock = Bot(strategy), Clock()
    version = platform.python_version()
    if mode == "pandas":
        version = by_pandas(place / "frames.jsonl", bot, clock)
    else:
        path = place / ("frames.jsonl.gz" if mode == "json-gz" else "frames.jsonl")
        clock.time("run", lambda: by_json(path, bot))
    report(version, about["frames"], clock, bot.seen())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
