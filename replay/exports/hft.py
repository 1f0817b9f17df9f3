"""A tape as hftbacktest's event arrays: an `.npz` for each market, and `index.json` with their ticks, lots and counts.

Knows that library's row (64 bytes, as its version 2 has it) and what it asks of times. Must not import it: files are
read by its own reader in the tests. Every row is for both of its sides, exchange and local.
"""

import json
import zipfile
from collections import Counter
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow.compute as pc

from capture.tape.reader import Tape
from core.messages.types import MarketLifecycle, Side, Ticker, Trade
from core.money import DOLLAR
from replay.exports.folder import Names, new_folder
from replay.exports.spool import Spool, Spools
from replay.exports.terms import LOTS, TICKS, Choice, Exported, coarsest
from replay.exports.walk import Changed, Cleared, Happened, Told, Walk, Whole
from replay.progress import Progress, silent

EVENT: Final = np.dtype(
    [
        ("ev", "<u8"),
        ("exch_ts", "<i8"),
        ("local_ts", "<i8"),
        ("px", "<f8"),
        ("qty", "<f8"),
        ("order_id", "<u8"),
        ("ival", "<i8"),
        ("fval", "<f8"),
    ]
)
"""Its row. Times in Unix ns, prices of yes in dollars, sizes in contracts; `ival` is the record's seq on the tape."""

DEPTH, TRADE, CLEAR, SNAPSHOT = 1, 2, 3, 4
BUY, SELL = 1 << 29, 1 << 28
BOTH: Final = 1 << 31 | 1 << 30
"""For its exchange and for its local side."""

STRANGE: Final = 1e-3
"""The share of frames whose times say nothing about the clocks: some are seconds off."""

PACKED: Final = 1 << 14
"""Rows that are packed at a time: 1 MB."""

_CONTRACT: Final = 100
_WORDS: Final[dict[type, str]] = {Trade: "block trades", Ticker: "tickers", MarketLifecycle: "lifecycle messages"}


def export_hftbacktest(tape: Tape, out: Path, choice: Choice, progress: Progress = silent) -> Exported:
    """Write a new folder, whole or not at all; progress in records.

    A book that loses its trust is cleared, and comes back as a snapshot. Raises MarketNotFound, TapeError, TapeDamaged,
    DiskError.
    """
    walk = Walk(tape, choice)
    with new_folder(out) as folder:
        arrays = _Arrays(folder, clock_ahead_ns(tape))
        for move in walk.moves(progress):
            arrays.take(move)
        files = arrays.finish()
    arrays.rows["books cleared"] = walk.cleared
    return Exported(
        out=str(out),
        format="hftbacktest",
        files=files + 1,
        markets=files,
        rows=dict(arrays.rows),
        left_out=dict(sorted((walk.left_out + arrays.left_out).items())),
        changed=dict(arrays.changed),
        clock_ahead_ns=arrays.ahead_ns,
    )


def clock_ahead_ns(tape: Tape) -> int:
    """By how much the exchange's clock was ahead of ours, at least: the most by which frames were received before they
    were sent, the strangest few left out; 0 = it need not have been."""
    least_ns = 0
    for table in tape.tables(("at_ns", "exchange_us")):
        stamped = table.filter(pc.is_valid(table.column("exchange_us")))
        if stamped.num_rows:
            sent_ns = stamped.column("exchange_us").to_numpy() * 1_000
            least_ns = min(
                least_ns, int(np.quantile(stamped.column("at_ns").to_numpy() - sent_ns, STRANGE, method="lower"))
            )
    return -least_ns


class _Arrays:
    """The arrays of all markets while they are made."""

    def __init__(self, folder: Path, ahead_ns: int) -> None:
        self.ahead_ns = ahead_ns
        self.rows: Counter[str] = Counter(dict.fromkeys(("levels", "snapshots", "snapshot levels", "trades"), 0))
        self.left_out: Counter[str] = Counter()
        self.changed: Counter[str] = Counter()
        self._folder = folder
        self._names = Names()
        self._markets: dict[str, _Market] = {}
        self._spools = Spools()

    def take(self, move: Happened) -> None:
        """Take in what happened."""
        match move:
            case Told(message=Trade() as trade) if not trade.is_block:
                self.rows["trades"] += 1
                self._put(move, [(TRADE | (BUY if trade.taker is Side.YES else SELL), trade.price, trade.count)])
            case Told(message=message):
                self.left_out[_WORDS[type(message)]] += 1
            case Changed(is_bid=is_bid, price=price, size=size):
                self.rows["levels"] += 1
                self._put(move, [(DEPTH | (BUY if is_bid else SELL), price, size)])
            case Whole(bids=bids, asks=asks):
                self.rows["snapshots"] += 1
                self.rows["snapshot levels"] += len(bids) + len(asks)
                levels = [(SNAPSHOT | side, *level) for side, ladder in ((BUY, bids), (SELL, asks)) for level in ladder]
                self._put(move, [(CLEAR, 0, 0), *levels])
            case Cleared():
                self._put(move, [(CLEAR, 0, 0)])

    def finish(self) -> int:
        """Write what is held and make the files; how many arrays there are."""
        self._spools.flush()
        index = []
        for name, market in sorted(self._markets.items()):
            market.pack()
            index.append(
                {
                    "market": name,
                    "file": market.path.name,
                    "rows": market.spool.count,
                    "tick_size": coarsest(TICKS, market.prices) / DOLLAR,
                    "lot_size": coarsest(LOTS, market.sizes) / _CONTRACT,
                }
            )
        about = {"clock_ahead_ns": self.ahead_ns, "markets": index}
        text = json.dumps(about, indent=1, ensure_ascii=True)
        (self._folder / "index.json").write_text(text + "\n", encoding="ascii")
        return len(index)

    def _put(self, move: Happened, events: list[tuple[int, int, int]]) -> None:
        market = self._markets.get(move.market)
        if market is None:
            path = self._folder / f"{self._names.of(move.market)}.npz"
            market = self._markets[move.market] = _Market(path, self._spools.new(path.with_suffix(".rows"), EVENT))
        own_ns = move.exchange_ns - self.ahead_ns if move.exchange_ns else 0
        exch_ns = market.exchange_time(own_ns, move.now_ns, self.changed)
        for kind, price, size in events:
            row = (BOTH | kind, exch_ns, move.now_ns, price / DOLLAR, size / _CONTRACT, 0, move.seq, 0.0)
            self._spools.put(market.spool, row)
            market.prices.add(price)
            market.sizes.add(size % _CONTRACT)


class _Market:
    """One market's array. prices, sizes: those met, in whole units, sizes as what is over whole contracts."""

    def __init__(self, path: Path, spool: Spool) -> None:
        self.path = path
        self.spool = spool
        self.prices: set[int] = set()
        self.sizes: set[int] = set()
        self._exch_ns = 0

    def exchange_time(self, told_ns: int, now_ns: int, changed: Counter[str]) -> int:
        """The exchange's time as the library can take it: never before an earlier row's, never after we received it.

        told_ns: by our clock, 0 = no frame tells; then it is the time we received it.
        """
        own_ns = told_ns or now_ns
        self._exch_ns = max(self._exch_ns, min(own_ns, now_ns))
        if not told_ns:
            changed["exchange times that no frame tells: ours instead"] += 1
        elif own_ns > now_ns:
            changed["exchange times after receipt: ours instead"] += 1
        elif self._exch_ns != own_ns:
            changed["exchange times before an earlier row's: that one's instead"] += 1
        return self._exch_ns

    def pack(self) -> None:
        """Make the file of what was written aside."""
        head = {"descr": np.lib.format.dtype_to_descr(EVENT), "fortran_order": False, "shape": (self.spool.count,)}
        with (
            zipfile.ZipFile(self.path, "x", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
            archive.open("data.npy", "w", force_zip64=True) as file,
        ):
            np.lib.format.write_array_header_1_0(file, head)
            for piece in self.spool.pieces(PACKED):
                file.write(piece.tobytes())
        self.spool.remove()
