"""A tape as hftbacktest's event arrays: an `.npz` for each market, and `index.json` with their ticks, lots and counts.

Knows that library's row (64 bytes, as its version 2 has it) and what it asks of times. Must not import it: files are
read by its own reader in the tests. Every row is for both of its sides, exchange and local.
"""

import json
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any, Final

import numpy as np

from capture.tape.reader import Tape
from core.messages.types import MarketLifecycle, Side, Ticker, Trade
from core.money import DOLLAR
from replay.exports.folder import Names, new_folder
from replay.exports.terms import Choice, Exported
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

ROWS_HELD: Final = 1 << 18
"""Rows in memory, of all markets: some 60 MB."""

COPIED: Final = 1 << 20
"""Bytes that are packed at a time."""

_TICKS: Final = (100, 50, 20, 10, 1)
_LOTS: Final = (100, 1)
_CONTRACT: Final = 100
_WORDS: Final[dict[type, str]] = {Trade: "block trades", Ticker: "tickers", MarketLifecycle: "lifecycle messages"}


def export_hftbacktest(tape: Tape, out: Path, choice: Choice, progress: Progress = silent) -> Exported:
    """Write a new folder, whole or not at all; progress in records.

    A book that loses its trust is cleared, and comes back as a snapshot. Raises MarketNotFound, TapeError, TapeDamaged,
    DiskError.
    """
    walk = Walk(tape, choice)
    with new_folder(out) as folder:
        arrays = _Arrays(folder)
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
    )


class _Arrays:
    """The arrays of all markets while they are made."""

    def __init__(self, folder: Path) -> None:
        self.rows: Counter[str] = Counter(dict.fromkeys(("levels", "snapshots", "snapshot levels", "trades"), 0))
        self.left_out: Counter[str] = Counter()
        self.changed: Counter[str] = Counter()
        self._folder = folder
        self._names = Names()
        self._markets: dict[str, _Market] = {}
        self._held = 0

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
        self._flush()
        index = []
        for name, market in sorted(self._markets.items()):
            market.pack()
            index.append(
                {
                    "market": name,
                    "file": market.path.name,
                    "rows": market.count,
                    "tick_size": _coarsest(_TICKS, market.prices) / DOLLAR,
                    "lot_size": _coarsest(_LOTS, market.sizes) / _CONTRACT,
                }
            )
        text = json.dumps({"markets": index}, indent=1, ensure_ascii=True)
        (self._folder / "index.json").write_text(text + "\n", encoding="ascii")
        return len(index)

    def _put(self, move: Happened, events: list[tuple[int, int, int]]) -> None:
        market = self._markets.get(move.market)
        if market is None:
            market = self._markets[move.market] = _Market(self._folder / f"{self._names.of(move.market)}.npz")
        exch_ns = market.exchange_time(move, self.changed)
        for kind, price, size in events:
            market.held.append((BOTH | kind, exch_ns, move.now_ns, price / DOLLAR, size / _CONTRACT, 0, move.seq, 0.0))
            market.prices.add(price)
            market.sizes.add(size % _CONTRACT)
        self._held += len(events)
        if self._held >= ROWS_HELD:
            self._flush()

    def _flush(self) -> None:
        for market in self._markets.values():
            market.flush()
        self._held = 0


class _Market:
    """One market's array. prices, sizes: those met, in whole units, sizes as what is over whole contracts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.held: list[tuple[Any, ...]] = []
        self.count = 0
        self.prices: set[int] = set()
        self.sizes: set[int] = set()
        self._spool = path.with_suffix(".rows")
        self._exch_ns = 0

    def exchange_time(self, move: Happened, changed: Counter[str]) -> int:
        """The exchange's time as the library can take it: never before an earlier row's, never after we received it.

        Where the frame tells none it is the time we received it.
        """
        own_ns = move.exchange_ns or move.now_ns
        self._exch_ns = max(self._exch_ns, min(own_ns, move.now_ns))
        if not move.exchange_ns:
            changed["exchange times that no frame tells: ours instead"] += 1
        elif own_ns > move.now_ns:
            changed["exchange times after receipt: ours instead"] += 1
        elif self._exch_ns != own_ns:
            changed["exchange times before an earlier row's: that one's instead"] += 1
        return self._exch_ns

    def flush(self) -> None:
        """Write what is held aside."""
        if self.held:
            with self._spool.open("ab") as file:
                file.write(np.array(self.held, EVENT).tobytes())
            self.count += len(self.held)
            self.held.clear()

    def pack(self) -> None:
        """Make the file of what was written aside."""
        header = {"descr": np.lib.format.dtype_to_descr(EVENT), "fortran_order": False, "shape": (self.count,)}
        with (
            zipfile.ZipFile(self.path, "x", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
            archive.open("data.npy", "w", force_zip64=True) as file,
            self._spool.open("rb") as rows,
        ):
            np.lib.format.write_array_header_1_0(file, header)
            while piece := rows.read(COPIED):
                file.write(piece)
        self._spool.unlink()


def _coarsest(steps: tuple[int, ...], values: set[int]) -> int:
    return next(step for step in steps if not any(value % step for value in values))
