"""What the plain fold of `naive` knows: books, connections, gaps; and how a cut's SESSION begins with it.

Knows no frame. Must share no code with `core`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

Key = tuple[int, int]
"""Connection and sid."""


@dataclass
class Book:
    """A market: levels by side and price (1/10,000 dollar) in 1/100 contract, and whose frames make it."""

    yes: dict[int, int] = field(default_factory=dict)
    no: dict[int, int] = field(default_factory=dict)
    trusted: bool = False
    owner: Key | None = None
    last_seq: int = 0
    traded: int = 0


@dataclass
class Feed:
    """A subscription. markets: True where it brought a book."""

    heard_ns: int
    channel: str = ""
    next_seq: int = 0
    first_seq: int = 0
    acknowledged: bool = False
    use_yes_price: bool = False
    markets: dict[str, bool] = field(default_factory=dict)

    def books(self) -> tuple[str, ...]:
        """Markets with a book here."""
        return tuple(sorted(market for market, has_book in self.markets.items() if has_book))


@dataclass
class Line:
    """A connection: `feeds` by sid, `ended` the sids that are over, `pending` what subscribes asked for."""

    opened_ns: int
    heard_ns: int
    is_open: bool = True
    use_yes_price: bool = False
    lost_gap: int = 0
    feeds: dict[int, Feed] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)
    pending: dict[int, bool] = field(default_factory=dict)


@dataclass
class Hole:
    """A gap. waiting: markets whose snapshots would end it."""

    reason: str
    connection: int
    sid: int
    missing: tuple[int, int] | None
    at_ns: int
    until_ns: int | None
    markets: tuple[str, ...]
    waiting: set[str] = field(default_factory=set)
    channel: str = ""
    stored: bool = False

    @property
    def told(self) -> tuple[object, ...]:
        """What is compared."""
        return self.reason, self.connection, self.sid, self.missing, self.at_ns, self.until_ns, self.markets

    def is_of(self, key: Key) -> bool:
        """Whether it is about numbers of that subscription."""
        return (self.connection, self.sid) == key and self.reason in ("sequence", "restart") and not self.stored


class Holes:
    """All gaps of a tape by number. on_open: told of each that opens, and of the recorder's own when it ends."""

    def __init__(self, on_open: Callable[[Hole], None]) -> None:
        self.all: dict[int, Hole] = {}
        self.last = 0
        self._on_open = on_open

    def new(self, hole: Hole) -> int:
        """Number it."""
        self.last += 1
        self.all[self.last] = hole
        self._on_open(hole)
        return self.last

    def open_ones(self) -> list[Hole]:
        """Those without an end."""
        return [hole for hole in self.all.values() if hole.until_ns is None]

    def close(self, holes: Iterable[Hole], now_ns: int) -> None:
        """They are over."""
        for hole in holes:
            hole.until_ns = now_ns

    def seen(self, key: Key, market: str, now_ns: int) -> None:
        """A book has come again."""
        for hole in self.open_ones():
            if market in hole.waiting and (hole.reason == "terminal" or hole.is_of(key)):
                self._no_longer(hole, {market}, now_ns)

    def dropped(self, key: Key, markets: set[str], now_ns: int) -> None:
        """Markets are no longer subscribed to."""
        for hole in self.open_ones():
            if hole.waiting and hole.is_of(key):
                self._no_longer(hole, markets, now_ns)

    def _no_longer(self, hole: Hole, markets: set[str], now_ns: int) -> None:
        hole.waiting -= markets
        if not hole.waiting:
            hole.until_ns = now_ns


@dataclass
class State:
    """All of it. now_ns: the tape's time; base: what it is counted from; coverage: what the recorder wrote down."""

    now_ns: int = 0
    base: tuple[int, int] = (0, 0)
    coverage: dict[str, bool] = field(default_factory=dict)
    started_ns: int = 0
    trades: set[str] = field(default_factory=set)
    books: dict[str, Book] = field(default_factory=dict)
    lines: dict[int, Line] = field(default_factory=dict)
    presumed_over: list[Hole] = field(default_factory=list)
    holes: Holes = field(default_factory=lambda: Holes(lambda _: None))

    def knows(self, what: str) -> bool:
        """Whether the recorder wrote such things down; filtered: whether numbers were left out."""
        return self.coverage.get(what, what != "filtered")


def restore(fold: State, base: dict[str, Any]) -> None:
    """The state that a cut carries in its SESSION."""
    numbers = {0: 0}
    for entry in base["connections"]["open_gaps"]:
        gap = entry["gap"]
        missing = None if gap["expected"] is None else (gap["expected"], gap["got"])
        hole = Hole(
            gap["reason"], gap["connection"], gap["sid"], missing, gap["at_ns"], None, tuple(gap["markets"]),
            set(entry["waiting"]), entry["channel"], entry["stored"],
        )  # fmt: skip
        numbers[gap["number"]] = fold.holes.new(hole)
    for entry in base["connections"]["connections"]:
        feeds = {
            int(sid): Feed(
                feed["heard_ns"], feed["channel"], feed["next_seq"], feed["first_seq"], feed["acknowledged"],
                feed["use_yes_price"], dict(feed["markets"]),
            )
            for sid, feed in entry["subscriptions"].items()
        }  # fmt: skip
        fold.lines[entry["number"]] = Line(
            entry["opened_ns"], entry["heard_ns"], entry["is_open"], entry["use_yes_price"],
            numbers.get(entry["lost_gap"], 0), feeds, {int(sid) for sid in entry["ended"]},
            {int(number): wanted for number, wanted in entry["pending"].items()},
        )  # fmt: skip
    for saved in base["store"]["markets"]:
        view = saved["view"]
        owner = view["owner"]
        fold.books[view["market"]] = Book(
            dict(view["yes"]), dict(view["no"]), view["trusted"], None if owner is None else (owner[0], owner[1]),
            view["last_seq"], view["traded_size"],
        )  # fmt: skip
    fold.trades = set(base["store"]["trade_ids"])
