"""Queue models against the truth: orders that truly rested among synthetic traders, and what each model says of them.

A maker trades live in the sandbox's matching engine, in virtual time, from a seed. Every `EVERY_NS` it rests a bid and
an offer at the best prices of each market, each for `LIFE_NS` or until it is filled, whatever happens: so every model
is asked about the very same orders. What the public would have been told without the maker (its own contracts taken
out of the book's changes; trades kept as they were, since their takers came all the same) goes to a `Line` for each
model. Zero latency: what differs is belief about queues, nothing else.

The limits. The traders are those of `replay.exchange.traders`: they cancel whichever of their orders the dice choose,
without regard to its place in the queue, and see the maker's quotes as everybody's. Real traders may cancel otherwise.
Knows the sandbox and lines. Must not know tapes or strategies. Counts 1/100 contract, money 1/1,000,000 dollar.
"""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from core.actions import BookSide
from core.messages.types import Side
from core.money import DOLLAR
from core.times import SECOND_NS
from replay.exchange import orders as theirs
from replay.exchange.engine import MatchingEngine
from replay.exchange.happenings import BookChanged, BookCleared, Filled, Happening, Traded
from replay.exchange.ids import CountingIds
from replay.exchange.listing import Listing
from replay.exchange.traders import Traders
from replay.venue.line import Fill, Line
from replay.venue.queues import MODELS

MAKER: Final = "maker"
START_NS: Final = 1_795_435_200 * SECOND_NS
EVERY_NS: Final = 60 * SECOND_NS
LIFE_NS: Final = 55 * SECOND_NS
COUNT: Final = 1_000
MARKETS: Final = 3
GAP_NS: Final = SECOND_NS // 20
"""Between two actions of the traders, on average."""

Level = tuple[str, BookSide, int]


@dataclass
class Quote:
    """One order of the maker, in truth and by each model. filled: so far; first_ns: when it first was, 0 = never."""

    key: str
    order_id: str
    market: str
    side: BookSide
    price: int
    end_ns: int
    filled: dict[str, int] = field(default_factory=dict)
    first_ns: dict[str, int] = field(default_factory=dict)
    mid: float = 0.0  # at its end

    def fill(self, who: str, count: int, now_ns: int) -> None:
        """Some of it was filled, in truth ("") or by a model."""
        self.filled[who] = self.filled.get(who, 0) + count
        self.first_ns.setdefault(who, now_ns)

    def pnl(self, who: str) -> float:
        """Money gained by its fills at the mid price at its end, fees left out."""
        edge = self.mid - self.price if self.side is BookSide.BID else self.price - self.mid
        return edge * self.filled.get(who, 0)


@dataclass
class Score:
    """One model over many orders. Contracts (1/100): truly filled, told, told of those truly filled, order by order.

    late_ns: sum over orders that both filled of how far apart the first fills were; money: told and true gain.
    """

    true: int = 0
    told: int = 0
    both: int = 0
    orders: int = 0
    late_ns: int = 0
    pnl: float = 0.0
    true_pnl: float = 0.0

    def add(self, quote: Quote, model: str) -> None:
        """Count one order."""
        true, told = quote.filled.get("", 0), quote.filled.get(model, 0)
        self.true += true
        self.told += told
        self.both += min(true, told)
        self.pnl += quote.pnl(model)
        self.true_pnl += quote.pnl("")
        if true and told:
            self.orders += 1
            self.late_ns += abs(quote.first_ns[model] - quote.first_ns[""])

    @property
    def predicted(self) -> float:
        """Share of the true fills that were told."""
        return self.both / self.true if self.true else 0.0

    @property
    def false(self) -> float:
        """Share of what was told that was not so."""
        return (self.told - self.both) / self.told if self.told else 0.0


class LiveMaker:
    """A maker who trades live from a seed, and the lines that are told what the public is."""

    def __init__(self, seed: int) -> None:
        ids = CountingIds(seed)
        self._dice = random.Random(seed)
        self._engine = MatchingEngine(ids)
        self._listing = Listing(self._engine, self._dice, _endless(ids))
        self._traders = Traders(self._engine, self._dice)
        self._engine.fund(MAKER, 10**15)
        self._listing.open(MARKETS, START_NS)
        self._engine.drain()
        self._book: dict[Level, int] = {}
        self._lines: dict[tuple[str, str], Line] = {}
        self._live: dict[str, Quote] = {}
        self.now_ns = START_NS
        self.quotes: list[Quote] = []

    def run(self, span_ns: int) -> list[Quote]:
        """Trade for so long; every order with what became of it."""
        next_ns, end_ns = self.now_ns + SECOND_NS, self.now_ns + span_ns
        while self.now_ns < end_ns:
            self.now_ns += max(int(self._dice.expovariate(1 / GAP_NS)), 1)
            self._traders.step(self.now_ns)
            self._told(self._engine.drain())
            self._end()
            if self.now_ns >= next_ns and self.now_ns + LIFE_NS < end_ns:
                next_ns = self.now_ns + EVERY_NS
                self._quote()
        return self.quotes

    def _line(self, market: str, model: str) -> Line:
        return self._lines.setdefault((market, model), Line(model))

    def _told(self, happenings: list[Happening]) -> None:
        """What others did: the maker's fills are the truth, the rest is told to the lines without the maker."""
        ours = [h for h in happenings if isinstance(h, Filled) and h.account == MAKER]
        for fill in ours:
            self._live[fill.client_order_id].fill("", fill.count, self.now_ns)
        gone = [(h.market, _side(h.side), h.price, h.count) for h in ours]
        for happening in happenings:
            match happening:
                case BookChanged(market=market, side=ladder, price=own_price, delta=delta):
                    side, price = _side(ladder), own_price if ladder is Side.YES else DOLLAR - own_price
                    if (market, side, price, -delta) in gone:
                        gone.remove((market, side, price, -delta))
                        continue
                    self._changed((market, side, price), delta)
                case Traded(market=market, price=price, count=count, taker=taker):
                    for model in MODELS:
                        line = self._line(market, model)
                        fills = line.trade(self.now_ns, _side(taker), price, count, stamp_ns=self.now_ns)
                        self._filled(model, fills)
                case BookCleared(market=market):
                    self._book = {level: size for level, size in self._book.items() if level[0] != market}
                case _:
                    pass

    def _changed(self, level: Level, delta: int) -> None:
        market, side, price = level
        before = self._book.get(level, 0)
        self._book[level] = before + delta
        for model in MODELS:
            line = self._line(market, model)
            fills = line.level(self.now_ns, side, price, before, before + delta, stamp_ns=self.now_ns)
            self._filled(model, fills)

    def _filled(self, model: str, fills: Iterable[Fill]) -> None:
        for fill in fills:
            self._live[fill.key].fill(model, fill.count, self.now_ns)

    def _end(self) -> None:
        """Orders whose time is over go, in truth and in every line."""
        for quote in [quote for quote in self._live.values() if quote.end_ns <= self.now_ns]:
            self._engine.cancel(MAKER, quote.order_id, self.now_ns)
            self._told_of_us()
            quote.mid = self._mid(quote.market) or float(quote.price)
            for model in MODELS:
                self._line(quote.market, model).drop(quote.key)
            del self._live[quote.key]

    def _quote(self) -> None:
        """A bid and an offer at the best prices of every market that has both."""
        for market in self._engine.reads.markets():
            view = self._engine.reads.market(market).ticker
            if not 0 < view.yes_bid < view.yes_ask < DOLLAR:
                continue
            for side, price in ((BookSide.BID, view.yes_bid), (BookSide.ASK, view.yes_ask)):
                key = f"quote-{len(self.quotes)}"
                new = theirs.NewOrder(
                    market=market, side=theirs.BookSide(side.value), price=price, count=COUNT, client_order_id=key,
                    post_only=True,
                )  # fmt: skip
                answer = self._engine.place(MAKER, new, self.now_ns)
                self._told_of_us()
                if isinstance(answer, theirs.Placed):
                    quote = Quote(key, answer.order.order_id, market, side, price, self.now_ns + LIFE_NS)
                    self.quotes.append(quote)
                    self._live[key] = quote
                    for model in MODELS:
                        line = self._line(market, model)
                        line.flush(self.now_ns)
                        line.rest(key, side, price, COUNT, self._book.get((market, side, price), 0))

    def _told_of_us(self) -> None:
        """What only the maker caused: nobody would have been told of it without us. What fell due meanwhile would."""
        self._told([h for h in self._engine.drain() if not (isinstance(h, BookChanged) and h.owner == MAKER)])

    def _mid(self, market: str) -> float:
        held = [(side, price) for (name, side, price), size in self._book.items() if name == market and size]
        bids = [price for side, price in held if side is BookSide.BID]
        asks = [price for side, price in held if side is BookSide.ASK]
        return (max(bids) + min(asks)) / 2 if bids and asks else 0.0


def scores(quotes: Iterable[Quote]) -> dict[str, Score]:
    """Every model over these orders."""
    found = {model: Score() for model in MODELS}
    for quote in quotes:
        for model, score in found.items():
            score.add(quote, model)
    return found


def table(found: dict[str, Score]) -> list[str]:
    """The scores as lines of Markdown."""
    lines = ["| model | true fills told | false fills | first fill off by | PnL told, true |", "|---|---|---|---|---|"]
    for model, score in found.items():
        late_s = score.late_ns / max(score.orders, 1) / SECOND_NS
        money = f"{score.pnl / 1e6:.2f}, {score.true_pnl / 1e6:.2f} $"
        lines.append(f"| {model} | {score.predicted:.1%} | {score.false:.1%} | {late_s:.2f} s | {money} |")
    return lines


def measured(seeds: Iterable[int], span_ns: int) -> str:
    """The table over these seeds, so long for each (exchange time)."""
    quotes = [quote for seed in seeds for quote in LiveMaker(seed).run(span_ns)]
    return "\n".join([f"{len(quotes)} orders", "", *table(scores(quotes))])


def _side(ladder: Side) -> BookSide:
    return BookSide.BID if ladder is Side.YES else BookSide.ASK


def _endless(ids: CountingIds) -> Iterator[str]:
    while True:
        yield ids()
