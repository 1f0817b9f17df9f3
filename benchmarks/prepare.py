"""Prepares the frames that all engines get: `prepare PLACE synthetic FRAMES MARKETS [peers]|deep FRAMES LEVELS|real`.

A sealed tape for ours; for the peers the same frames as text and as typed rows. Decoded here with the standard library,
so that the checksum that is expected does not depend on any decoder of ours. Nothing of this is timed. Where a peer has
a stored form of its own, its module makes it from these files, untimed too.
"""

import gzip
import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import numpy as np

from benchmarks.deep import write_deep
from benchmarks.job import TIGHT, Seen, Top
from benchmarks.recordings import TAPES
from benchmarks.workload import DEEP, PEERS, REAL
from capture.tape.reader import Tape
from core.records import Kind
from replay.importer import ImportOptions, import_recording
from replay.synthetic import Plan, write_recording

ROWS_AT_ONCE: Final = 1 << 16

CLEAR, LEVEL, TRADE, TICKER = 0, 1, 2, 3
LAST, SNAPSHOT = 1, 2  # flags: the last row of its frame; part of a snapshot

ROW: Final = np.dtype(
    [
        ("at_ns", "<i8"), ("kind", "i1"), ("market", "<i4"), ("bid", "i1"), ("flags", "i1"),
        ("price", "<i4"), ("size", "<i8"), ("price2", "<i4"), ("size2", "<i8"),
    ]
)  # fmt: skip
"""A typed row. LEVEL: the size that a level of the yes scale has now, of a bid or an offer. TRADE: bid = the taker
bought yes. TICKER: price and size of the best bid, price2 and size2 of the best offer. at_ns rises strictly from frame
to frame, because some peers sort by it."""


def made(where: Path, write: Callable[[Path], None], *, for_peers: bool) -> None:
    """A made recording, imported."""
    where.mkdir(parents=True, exist_ok=True)
    recording = where / "recording.jsonl.gz"
    write(recording)
    import_recording([recording], where / "tape")
    recording.unlink()
    prepare(where, for_peers=for_peers)


def real(where: Path) -> None:
    """The gold and bitcoin recordings, imported into one tape; nothing where they are not."""
    files = [*sorted(TAPES.glob("gold15m/*/*.ndjson.gz")), TAPES / "btc15m" / "outage-22s.jsonl.gz"]
    if len(files) > 1 and all(path.is_file() for path in files):
        where.mkdir(parents=True, exist_ok=True)
        import_recording(files, where / "tape", ImportOptions(filtered=True))
        prepare(where)


def prepare(where: Path, *, for_peers: bool = True) -> None:
    """Write what must be seen in a tape's frames, and for the peers the frames: text, packed text, typed rows."""
    rows, parts = Rows(), []
    count = size = 0
    with ExitStack() as stack:
        texts: list[BinaryIO] = []
        if for_peers:
            texts.append(stack.enter_context((where / "frames.jsonl").open("wb")))
            texts.append(cast("BinaryIO", stack.enter_context(gzip.open(where / "frames.jsonl.gz", "wb", 6))))
        for record in Tape.open(where / "tape").records():
            if record.kind != Kind.FRAME:
                continue
            line = record.payload.rstrip(b"\n") + b"\n"
            for text in texts:
                text.write(line)
            count, size = count + 1, size + len(line)
            rows.frame(record.at_ns, json.loads(line))
            if len(rows.rows) >= ROWS_AT_ONCE:
                parts += [np.array(rows.rows, ROW)] if for_peers else []
                rows.rows.clear()
    if for_peers:
        np.save(where / "rows.npy", np.concatenate([*parts, np.array(rows.rows, ROW)]))
    about = {"frames": count, "bytes": size, "markets": rows.markets, "expected": asdict(rows.seen)}
    (where / "about.json").write_text(json.dumps(about), encoding="utf-8")


class Rows:
    """Turns frames into typed rows, with books of the plainest kind. markets: by number."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, ...]] = []
        self.markets: list[str] = []
        self.seen = Seen()
        self._numbers: dict[str, int] = {}
        self._books: list[tuple[dict[int, int], dict[int, int]]] = []
        self._tops: list[Top | None] = []
        self._at_ns = 0

    def frame(self, at_ns: int, frame: dict[str, Any]) -> None:
        """One more frame, decoded by `json`."""
        msg = frame.get("msg", {})
        match frame.get("type"):
            case "orderbook_delta":
                rows = [self._delta(msg)]
            case "orderbook_snapshot":
                rows = self._snapshot(msg)
            case "trade":
                rows = [self._trade(msg)]
            case "ticker":
                rows = [self._ticker(msg)]
            case _:
                return
        self._at_ns = max(self._at_ns + 1, at_ns)
        last = len(rows) - 1
        for number, (kind, market, bid, flags, *rest) in enumerate(rows):
            self.rows.append((self._at_ns, kind, market, bid, flags | (LAST if number == last else 0), *rest))
        if rows[0][0] in (CLEAR, LEVEL):
            self._booked(rows[0][1])

    def _market(self, msg: dict[str, Any]) -> int:
        name = msg["market_ticker"]
        if name not in self._numbers:
            self._numbers[name] = len(self.markets)
            self.markets.append(name)
            self._books.append(({}, {}))
            self._tops.append(None)
        return self._numbers[name]

    def _delta(self, msg: dict[str, Any]) -> tuple[int, ...]:
        market, is_bid = self._market(msg), msg["side"] == "yes"
        price = units(msg["price_dollars"], 4)
        book = self._books[market][0 if is_bid else 1]
        after = book.get(price, 0) + units(msg["delta_fp"], 2)
        if after:
            book[price] = after
        else:
            book.pop(price, None)
        return LEVEL, market, int(is_bid), 0, price if is_bid else 10_000 - price, after, 0, 0

    def _snapshot(self, msg: dict[str, Any]) -> list[tuple[int, ...]]:
        market = self._market(msg)
        rows: list[tuple[int, ...]] = [(CLEAR, market, 0, SNAPSHOT, 0, 0, 0, 0)]
        for is_bid, key in ((1, "yes_dollars_fp"), (0, "no_dollars_fp")):
            book = self._books[market][1 - is_bid]
            book.clear()
            for price_text, size_text in msg.get(key) or ():
                price, size = units(price_text, 4), units(size_text, 2)
                book[price] = size
                rows.append((LEVEL, market, is_bid, SNAPSHOT, price if is_bid else 10_000 - price, size, 0, 0))
        return rows

    def _trade(self, msg: dict[str, Any]) -> tuple[int, ...]:
        size = units(msg["count_fp"], 2)
        self.seen.trades += 1
        self.seen.volume += size
        price = units(msg["yes_price_dollars"], 4)
        return TRADE, self._market(msg), int(msg["taker_side"] == "yes"), 0, price, size, 0, 0

    def _ticker(self, msg: dict[str, Any]) -> tuple[int, ...]:
        self.seen.tickers += 1
        bid, ask = units(msg["yes_bid_dollars"], 4), units(msg["yes_ask_dollars"], 4)
        bid_size, ask_size = units(msg["yes_bid_size_fp"], 2), units(msg["yes_ask_size_fp"], 2)
        return TICKER, self._market(msg), 0, 0, bid, bid_size, ask, ask_size

    def _booked(self, market: int) -> None:
        yes, no = self._books[market]
        bid, other = max(yes, default=0), max(no, default=0)
        seen = self.seen
        seen.books += 1
        seen.bids += bid
        seen.tight += bool(yes and no and 10_000 - other - bid <= TIGHT)
        top = (bid, yes.get(bid, 0), other, no.get(other, 0))
        if top != self._tops[market]:
            self._tops[market] = top
            seen.changes += 1
            seen.top_bids += bid


def units(text: str, digits: int) -> int:
    """A decimal as a number of its smallest units; ValueError when it has more digits than that."""
    whole, _, fraction = text.partition(".")
    if len(fraction) > digits:
        raise ValueError(f"{text!r} has more than {digits} digits after its point")
    return int(whole + fraction.ljust(digits, "0"))


def main(where: Path, kind: str, *sizes: str) -> None:
    """Prepare one."""
    if kind == REAL:
        real(where)
    elif kind == DEEP:
        made(where, lambda path: write_deep(path, int(sizes[0]), int(sizes[1])), for_peers=False)
    else:
        plan = Plan(frames=int(sizes[0]), markets=int(sizes[1]))
        made(where, lambda path: write_recording(path, plan), for_peers=sizes[2:] == (PEERS,))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
