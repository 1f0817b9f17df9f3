"""The books of one market after each of its records: best prices as they change, and what rests on a grid of instants.

Knows how rows of a tape make books. Here that is a dictionary a side, a third of the store's book's time: what the
store refused is known, so nothing has to be judged. Must not know SQL's views or files.
"""

from collections.abc import Iterator
from typing import Any, Final

from core.changes import Rejected
from core.money import DOLLAR
from core.records import Kind
from replay.sql.source import Known, Source

_COLUMNS: Final = "seq, at_ns, connection, sid, type, side, price, size, yes_price, yes_size, no_price, no_size"
_ROWS: Final = (
    f"select {_COLUMNS} from {{rows}} where market = ? and type in ('orderbook_delta', 'orderbook_snapshot') "
    "order by seq"
)
_STAMPED: Final = "select seq, at_ns from {rows} where seq in (select unnest(?::bigint[])) order by seq"
_STOPS: Final = f"select seq from {{rows}} where kind = {int(Kind.CLEAN_STOP)}"
_BUCKETS: Final = (
    "select ({stamp} - 1) // ? as bucket, min(seq), min({stamp}), max({stamp}) from {{rows}} "
    "where seq >= ? and seq < ? group by bucket"
)

NEAR: Final = 500
"""What rests within so much of the best price (1/10,000 dollar: five cents) is near it."""

MOST_INSTANTS: Final = 2_000_000
"""Rows of a grid at most: some 500 MB on the way into an answer."""

END: Final = 1 << 63
"""Later than any seq."""

RESET, SCALE, TURN = range(3)

_NO_BID: Final = -1
_BATCH_ROWS: Final = 65_536


class Bids:
    """Bids for one outcome: price to size, and the best price, below 0 when there is none."""

    __slots__ = ("best", "sizes")

    def __init__(self) -> None:
        self.sizes: dict[int, int] = {}
        self.best = _NO_BID

    def replace(self, sizes: dict[int, int]) -> None:
        """These and no others."""
        self.sizes = sizes
        self.best = max(sizes, default=_NO_BID)

    def change(self, price: int, size: int) -> None:
        """A level has so much more; one that has nothing left, or less than that, goes."""
        sizes = self.sizes
        after = sizes.get(price, 0) + size
        if after > 0:
            sizes[price] = after
            if price > self.best:
                self.best = price
        elif sizes.pop(price, None) is not None and price == self.best:
            self.best = max(sizes, default=_NO_BID)


class Walk:
    """A market's book, from record to record. begun: there has been a book. trusted: just after the last record."""

    def __init__(self, source: Source, tape: str, market: str) -> None:
        self.yes, self.no = Bids(), Bids()
        self.begun = self.trusted = False
        self._known = source.known(tape)
        self._market = market
        self._scales: dict[tuple[int, int], bool] = {}
        self._events = list(_events(source, tape, market))[::-1]
        self._rows = _rows(source, tape, market)

    def steps(self) -> Iterator[tuple[int, int]]:
        """(seq, at_ns) of each record that may change the book or the trust in it, before it is taken in.

        At the end (END, 0).
        """
        refused = self._known.refused
        event_seq, event_ns = self._coming()
        for seq, at_ns, connection, sid, kind, side, price, size, *levels in self._rows:
            while event_seq < seq:
                yield event_seq, event_ns
                event_seq, event_ns = self._take_events(event_seq)
            yield seq, at_ns
            if event_seq == seq:
                event_seq, event_ns = self._take_events(seq)
            if seq in refused and refused[seq] != Rejected.NEGATIVE_SIZE:
                continue
            mirrored = bool(self._scales) and self._scales.get((connection, sid), False)
            if kind == "orderbook_snapshot":
                self._snapshot(mirrored, *levels)
            elif side == 1:
                self.yes.change(price, size)
            else:
                self.no.change(DOLLAR - price if mirrored else price, size)
        while event_seq != END:
            yield event_seq, event_ns
            event_seq, event_ns = self._take_events(event_seq)
        yield END, 0

    def _coming(self) -> tuple[int, int]:
        return self._events[-1][:2] if self._events else (END, 0)

    def _take_events(self, seq: int) -> tuple[int, int]:
        """Take in those of a record; (seq, at_ns) of the next record with some."""
        while self._events and self._events[-1][0] == seq:
            _, _, what, value = self._events.pop()
            if what == RESET:
                yes, no = ((), ()) if value is None else value
                self.yes.replace(dict(yes))
                self.no.replace(dict(no))
                self.begun = self.begun or value is not None
            elif what == SCALE:
                self._scales[value[0], value[1]] = value[2]
            else:
                self.trusted = self._known.trusted_at(self._market, seq)
        return self._coming()

    def _snapshot(self, mirrored: bool, yes_price: Any, yes_size: Any, no_price: Any, no_size: Any) -> None:
        self.yes.replace({price: size for price, size in zip(yes_price, yes_size, strict=True) if size})
        no = zip(no_price, no_size, strict=True)
        self.no.replace({DOLLAR - price if mirrored else price: size for price, size in no if size})
        self.begun = True


def tops(source: Source, tape: str, market: str) -> Iterator[tuple[Any, ...]]:
    """A row whenever the best prices, on the yes scale, their sizes or the trust in the market's book changed.

    (seq, at_ns, best bid, its size, best ask, its size, trusted), None where there is none.
    """
    walk = Walk(source, tape, market)
    yes, no = walk.yes, walk.no
    last: tuple[Any, ...] = ()
    done_seq = done_ns = 0
    for seq, at_ns in walk.steps():
        bid, other = yes.best, no.best
        now = (bid, yes.sizes.get(bid), other, no.sizes.get(other), walk.trusted)
        if now != last and walk.begun:
            last = now
            yield (done_seq, done_ns, *best(walk), walk.trusted)
        done_seq, done_ns = seq, at_ns


def grid(source: Source, tape: str, market: str, every_ns: int) -> Iterator[tuple[Any, ...]]:
    """A row for each multiple of a span, from the market's first book to the end of the tape.

    As those of `tops`, and then of bids and of asks: how many levels, all that rests, what is near the best price.
    """
    walk, instants = Walk(source, tape, market), _instants(source, tape, every_ns)
    instant_ns, until_seq = next(instants, (0, END))
    for seq, _ in walk.steps():
        if until_seq >= seq:
            continue
        book = (*best(walk), walk.trusted, *resting(walk))  # the same for all instants up to the next record
        while until_seq < seq:
            if walk.begun:
                yield (until_seq, instant_ns, *book)
            instant_ns, until_seq = next(instants, (0, END))


def best(walk: Walk) -> tuple[int | None, int | None, int | None, int | None]:
    """Best bid and ask for yes with their sizes, None where there is none."""
    bid, other = walk.yes.best, walk.no.best
    return (
        None if bid < 0 else bid,
        walk.yes.sizes.get(bid),
        None if other < 0 else DOLLAR - other,
        walk.no.sizes.get(other),
    )


def resting(walk: Walk) -> tuple[int, int, int, int, int, int]:
    """What rests on either side: levels, all of it, and what is near the best price."""
    (bids, bid_depth, bid_near), (asks, ask_depth, ask_near) = _held(walk.yes), _held(walk.no)
    return bids, asks, bid_depth, ask_depth, bid_near, ask_near


def _held(bids: Bids) -> tuple[int, int, int]:
    near = sum(size for price, size in bids.sizes.items() if price >= bids.best - NEAR)
    return len(bids.sizes), sum(bids.sizes.values()), near


def _rows(source: Source, tape: str, market: str) -> Iterator[tuple[Any, ...]]:
    table = source.ask(tape, _ROWS, [market])
    for batch in table.to_batches(max_chunksize=_BATCH_ROWS):
        yield from zip(*[column.to_pylist() for column in batch.columns], strict=True)


def _events(source: Source, tape: str, market: str) -> Iterator[tuple[int, int, int, Any]]:
    """(seq, at_ns, what, value) of all else that bears upon the book: sessions, books carried over, scales, trust."""
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
        yield seq, at_ns[seq], what, value


def _concerns(known: Known, market: str) -> bool:
    return market in known.tally.markets or any(row.market == market for row in known.ledger.carried)


def _instants(source: Source, tape: str, every_ns: int) -> Iterator[tuple[int, int]]:
    """Each multiple of a span within the tape, and the last record received by then (`now_ns`).

    Those between a clean stop and the next session are left out. Raises ValueError when there are too many.
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
    stops = set(source.ask(tape, _STOPS).column("seq").to_pylist())
    span = -(-begin_ns // every_ns), end_ns // every_ns
    runs = [run for run in _runs(firsts, span, source.cut(tape).last_seq + 1) if run[2] not in stops]
    count = sum(last - first + 1 for first, last, _ in runs)
    if count > MOST_INSTANTS:
        raise ValueError(f"{every_ns} ns gives {count:,} instants, more than {MOST_INSTANTS:,}; take more")
    for first, last, seq in runs:
        for number in range(first, last + 1):
            yield number * every_ns, seq


def _runs(firsts: dict[int, int], span: tuple[int, int], next_seq: int) -> list[tuple[int, int, int]]:
    """(first, last, record) for the instants of a span, by number: what they see is everything up to that record.

    firsts: by number of an instant, the first record received after it and no later than the next instant.
    next_seq: that after the last record.
    """
    runs: list[tuple[int, int, int]] = []
    first, until = span
    for number in [*sorted(firsts, reverse=True), first - 1]:
        if number < until:
            runs.append((max(number + 1, first), until, next_seq - 1))
        until = min(number, until)
        next_seq = min(next_seq, firsts.get(number, next_seq))
    return [run for run in reversed(runs) if run[0] <= run[1]]
