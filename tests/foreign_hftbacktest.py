"""hftbacktest, as it comes from PyPI, over arrays that Tapedeck exported: run by a Python that has it.

`foreign_hftbacktest.py FOLDER`: {market: [instants, Unix ns]} comes as JSON on standard input, what its engine showed
at those instants goes as JSON to standard output. It knows the files and its own library, and nothing of Tapedeck.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from hftbacktest import BUY_EVENT, BacktestAsset, HashMapMarketDepthBacktest
from hftbacktest.data.validation import validate_event_order
from hftbacktest.types import event_dtype
from numba import njit

TRADES_KEPT: Final = 100_000


@njit  # type: ignore[untyped-decorator, unused-ignore]  # a compiler that is not in our environment
def look(hbt: Any, instants: Any, bids: Any, asks: Any, trades: Any) -> int:
    """Fill in sizes (1/100) by instant and tick, and trades as (local_ts, exch_ts, price, size, bought); how many."""
    seen = 0
    hbt.elapse(0)  # before it, it has no time
    for row in range(len(instants)):
        hbt.elapse(instants[row] - hbt.current_timestamp)
        depth = hbt.depth(0)
        for tick in range(bids.shape[1]):
            bids[row, tick] = round(depth.bid_qty_at_tick(tick) * 100)
            asks[row, tick] = round(depth.ask_qty_at_tick(tick) * 100)
        for trade in hbt.last_trades(0):
            found = trades[seen]
            found[0], found[1] = trade.local_ts, trade.exch_ts
            found[2], found[3] = round(trade.px * 10_000), round(trade.qty * 100)
            found[4] = 1 if trade.ev & BUY_EVENT else 0
            seen += 1
        hbt.clear_last_trades(0)
    return seen


def ladder(sizes: Any, tick: float) -> list[list[int]]:
    """The levels of a side as (1/10,000 dollar, 1/100 contract)."""
    step = round(tick * 10_000)
    return [[int(place) * step, int(sizes[place])] for place in np.flatnonzero(sizes)]


def shown(folder: Path, about: dict[str, Any], instants: list[int]) -> dict[str, Any]:
    """What the engine shows of a market."""
    path, tick = folder / about["file"], about["tick_size"]
    data = np.load(path)["data"]
    assert data.dtype == event_dtype, data.dtype
    validate_event_order(data)
    asset = (
        BacktestAsset()
        .data([str(path)])  # its own reader of the file
        .linear_asset(1.0)
        .constant_order_latency(0, 0)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(tick)
        .lot_size(about["lot_size"])
        .last_trades_capacity(TRADES_KEPT)
    )
    hbt = HashMapMarketDepthBacktest([asset])
    shape = len(instants), round(1 / tick) + 1
    bids, asks = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    trades = np.zeros((TRADES_KEPT, 5), np.int64)
    seen = look(hbt, np.array(instants, np.int64), bids, asks, trades)
    hbt.close()
    return {
        "rows": len(data),
        "books": [[ladder(bids[row], tick), ladder(asks[row], tick)] for row in range(len(instants))],
        "trades": trades[:seen].tolist(),
    }


def main(folder: Path) -> None:
    """Answer."""
    markets = json.loads((folder / "index.json").read_text(encoding="utf-8"))["markets"]
    asked = json.load(sys.stdin)
    found = {about["market"]: shown(folder, about, asked[about["market"]]) for about in markets}
    sys.stdout.write(json.dumps({"version": version("hftbacktest"), "markets": found}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
