"""The books of one market after each of its records: best prices as they change, and what rests on a grid of instants.

Knows how rows of a tape make books, by the store's own book (`core.book`). Must not know SQL's views or files.
"""

from collections.abc import Iterator
from heapq import merge
from typing import Any, Final

from core.book import Book
from core.changes import Rejected
from core.messages.types import Level, Side
from core.money import DOLLAR
from replay.sql.source import Known, Source

_COLUMNS: Final = "seq, at_ns, connection, sid, type, side, price, size, yes_price, yes_size, no_price, no_size"
_ROWS: Final = (
    f"select {_COLUMNS} from {{rows}} where market = ? and type in ('orderbook_delta', 'orderbook_snapshot') "
    "order by seq"
)
_STAMPED: Final = "select seq, at_ns from {rows} where seq in (select unnest(?::bigint[])) order by seq"
_BUCKETS: Final = (
    "select ({stamp} - 1) // ? as bucket, min(seq), min({stamp}), max({stamp}) from {{rows}} "
    "where seq >= ? and seq < ? group by bucket"
)

NEAR: Final = 500
"""What rests within so much of the best price (1/10,000 dollar: five cents) is near it."""

MOST_INSTANTS: Final = 2_000_000
"""Rows of a grid at most: some 500 MB on the way into an answer."""

RESET, SCALE, TURN, ROW = range(4)


class Walk:
    """A market's book, from record to record: `step` goes to the next one that may change it or the trust in it.

    next_seq: which one that is, None at the end. at_ns: of the last one. begun: there has been a book.
    """

    def __init__(self, source: Source, tape: str, market: str) -> None:
        self.known = source.known(tape)
        self.book = Book()
        self.market = market
        self.at_ns = 0
        self.begun = False
        self._scales: dict[tuple[int, int], bool] = {}
        self._events = merge(_events(source, tape, market), _rows(source, tape, market), key=lambda event: event[:2])
        self._next = next(self._events, None)

    @property
    def next_seq(self) -> int | None:
        """The record that `step` goes to, None at the end."""
        return None if self._next is None else int(self._next[0])

    def step(self) -> int:
        """Take in everything of the next record; its seq."""
        assert self._next is not None, "a record is left"
        seq = int(self._next[0])
        while self._next is not None and self._next[0] == seq:
            _, what, at_ns, value = self._next
            self.at_ns = at_ns
            if what == RESET:
                self.book = Book()
                if value is not None:
                    self.book.snapshot(*value)
                    self.begun = True
            elif what == SCALE:
                self._scales[value[0], value[1]] = value[2]
            elif what == ROW:
                self._row(seq, *value)
            self._next = next(self._events, None)
        return seq

    def trusted(self, seq: int) -> bool:
        """Whether the book is to be trusted just after a record."""
        return self.known.trusted_at(self.market, seq)

    def _row(self, seq: int, connection: int, sid: int, kind: str, *rest: Any) -> None:
        refused = self.known.refused.get(seq)
        if refused is not None and refused != Rejected.NEGATIVE_SIZE:
            return
        side, price, size, yes_price, yes_size, no_price, no_size = rest
        mirrored = self._scales.get((connection, sid), False)
        if kind == "orderbook_snapshot":
            yes, no = tuple(zip(yes_price, yes_size, strict=True)), tuple(zip(no_price, no_size, strict=True))
            self.book.snapshot(yes, no, mirrored=mirrored)
            self.begun = True
        else:
            price = DOLLAR - price if mirrored and side == 2 else price
            self.book.delta(Side.YES if side == 1 else Side.NO, price, size)


def tops(source: Source, tape: str, market: str) -> Iterator[dict[str, Any]]:
    """A row whenever the best prices, on the yes scale, their sizes or the trust in the market's book changed."""
    walk, last = Walk(source, tape, market), None
    while walk.next_seq is not None:
        seq = walk.step()
        now = {**best(walk.book), "trusted": walk.trusted(seq)}
        if walk.begun and now != last:
            last = now
            yield {"seq": seq, "at_ns": walk.at_ns, **now}


def grid(source: Source, tape: str, market: str, every_ns: int) -> Iterator[dict[str, Any]]:
    """A row for each multiple of a span, from the market's first book to the end of the tape."""
    walk = Walk(source, tape, market)
    for at_ns, seq in _instants(source, tape, every_ns):
        while walk.next_seq is not None and walk.next_seq <= seq:
            walk.step()
        if walk.begun:
            yield {
                "seq": seq, "at_ns": at_ns, **best(walk.book), **resting(walk.book), "trusted": walk.trusted(seq),
            }  # fmt: skip


def best(book: Book) -> dict[str, int | None]:
    """Best bid and ask for yes with their sizes, None where there is none."""
    bid, other = book.best(Side.YES), book.best(Side.NO)
    return {
        "bid_e4": bid and bid[0],
        "bid_size_e2": bid and bid[1],
        "ask_e4": None if other is None else DOLLAR - other[0],
        "ask_size_e2": other and other[1],
    }


def resting(book: Book) -> dict[str, int]:
    """What rests on either side: levels, all of it, and what is near the best price."""
    bids, asks = book.yes.top(DOLLAR + 1), book.no.top(DOLLAR + 1)  # walks taken levels, not all slots
    return {
        "bid_levels": len(bids),
        "ask_levels": len(asks),
        "bid_depth_e2": _sum(bids, 0),
        "ask_depth_e2": _sum(asks, 0),
        "bid_near_e2": _sum(bids, bids[0][0] - NEAR) if bids else 0,
        "ask_near_e2": _sum(asks, asks[0][0] - NEAR) if asks else 0,
    }


def _sum(levels: tuple[Level, ...], from_price: int) -> int:
    return sum(size for price, size in levels if price >= from_price)


def _rows(source: Source, tape: str, market: str) -> Iterator[tuple[int, int, int, Any]]:
    table = source.ask(tape, _ROWS, [market])
    for batch in table.to_batches(max_chunksize=65_536):
        for seq, at_ns, *rest in zip(*[column.to_pylist() for column in batch.columns], strict=True):
            yield seq, ROW, at_ns, rest


def _events(source: Source, tape: str, market: str) -> Iterator[tuple[int, int, int, Any]]:
    """Whatever else bears upon the market's book: sessions, books carried over, scales, trust."""
    known = source.known(tape)
    carried = {row.seq: (row.yes, row.no) for row in known.ledger.carried if row.market == market}
    found: list[tuple[int, int, Any]] = [
        (clock.seq, RESET, carried.get(clock.seq)) for clock in known.ledger.clocks if _concerns(known, market)
    ]
    found += [(s.seq, SCALE, (s.connection, s.sid, s.yes_price)) for s in known.ledger.scales]
    found += [(int(seq), TURN, None) for seq in known.trust.get(market, ()) if seq <= source.cut(tape).last_seq]
    stamped = source.ask(tape, _STAMPED, [sorted({seq for seq, *_ in found})])
    at_ns = dict(zip(*[column.to_pylist() for column in stamped.columns], strict=True))
    for seq, what, value in sorted(found, key=lambda event: event[:2]):
        yield seq, what, at_ns[seq], value


def _concerns(known: Known, market: str) -> bool:
    return market in known.tally.markets or any(row.market == market for row in known.ledger.carried)


def _instants(source: Source, tape: str, every_ns: int) -> Iterator[tuple[int, int]]:
    """Each multiple of a span within the tape, and the last record received by then (`now_ns`).

    Raises ValueError when there are too many.
    """
    firsts: dict[int, int] = {}  # by bucket, its first record: the instants up to the bucket's number are before it
    begin_ns = end_ns = 0
    for from_seq, until_seq, stamp in source.stamps(tape):
        table = source.ask(tape, _BUCKETS.format(stamp=stamp), [every_ns, from_seq, until_seq])
        for bucket, seq, least, most in zip(*[column.to_pylist() for column in table.columns], strict=True):
            firsts[bucket] = min(seq, firsts.get(bucket, seq))
            begin_ns = min(begin_ns or least, least)
            end_ns = max(end_ns, most)
    if not firsts:
        return
    first, last = -(-begin_ns // every_ns), end_ns // every_ns
    if last - first >= MOST_INSTANTS:
        raise ValueError(f"{every_ns} ns gives {last - first + 1:,} instants, more than {MOST_INSTANTS:,}; take more")
    by_instant, least_seq = [], source.cut(tape).last_seq + 1
    for number in range(max(last, *firsts), first - 1, -1):
        least_seq = min(least_seq, firsts.get(number, least_seq))
        by_instant.append((number * every_ns, least_seq - 1))
    for at_ns, seq in reversed(by_instant):
        if first * every_ns <= at_ns <= last * every_ns:
            yield at_ns, seq
