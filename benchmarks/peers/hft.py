"""hftbacktest: `hft.py prepare|together|apart|apart-hashmap PLACE STRATEGY`.

Strategies compiled by numba. together: all markets in one backtest, in the order of the tape; HashMap depth. apart: one
market after another, no order between markets; ROI-vector depth, its fastest, or HashMap depth. Its compiling is not
timed: a first market is played before. Its backtest does not say which market a feed was of, so the strategy of
`together` is given that list, and both are told whether it was a trade; tickers have no word in its data. Latencies of
orders are 0. Level changes go to its exchange side and its local side, as its own converters write them. What has one
timestamp comes in one feed, so a snapshot is one; the very last feed is not given to a strategy, so one more is put
behind it. best_bid_qty and best_ask_qty of ROI-vector depth are prices in 2.4.4, so that mode does EVERY alone.
"""

import json
import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from hftbacktest import (
    BUY_EVENT,
    DEPTH_CLEAR_EVENT,
    DEPTH_EVENT,
    DEPTH_SNAPSHOT_EVENT,
    EXCH_EVENT,
    LOCAL_EVENT,
    SELL_EVENT,
    TRADE_EVENT,
    BacktestAsset,
    HashMapMarketDepthBacktest,
    ROIVectorMarketDepthBacktest,
)
from hftbacktest.types import event_dtype
from numba import njit

from benchmarks.job import EVERY, Clock, Seen, report

CLEAR, LEVEL, TRADE, TICKER = 0, 1, 2, 3
LAST, SNAPSHOT = 1, 2
FAR_NS: Final = 10**18
DOLLAR: Final = 10_000


@njit  # type: ignore[untyped-decorator, unused-ignore]  # a compiler that is not in our environment
def every(hbt: Any, assets: Any, kinds: Any, scale: float, found: Any) -> None:
    """EVERY. assets, kinds: of each frame."""
    for row in range(len(kinds)):
        hbt.wait_next_feed(False, FAR_NS)
        kind, asset = kinds[row], assets[row]
        if kind == LEVEL:
            depth = hbt.depth(asset)
            found[0] += 1
            if depth.best_bid_qty > 0:
                bid = depth.best_bid_tick
                found[1] += bid
                if depth.best_ask_qty > 0 and (depth.best_ask_tick - bid) * scale <= 200:
                    found[2] += 1
        else:
            trades = hbt.last_trades(asset)
            for trade in trades:
                found[3] += 1
                found[4] += round(trade.qty * 100)
            hbt.clear_last_trades(asset)


@njit  # type: ignore[untyped-decorator, unused-ignore]  # as above
def top(hbt: Any, assets: Any, kinds: Any, tops: Any, found: Any) -> None:
    """TOP: nobody but the strategy knows whether it has changed. tops: 5 numbers of each market."""
    for row in range(len(kinds)):
        hbt.wait_next_feed(False, FAR_NS)
        kind, asset = kinds[row], assets[row]
        if kind == LEVEL:
            depth = hbt.depth(asset)
            bid_qty, ask_qty = depth.best_bid_qty, depth.best_ask_qty
            bid = depth.best_bid_tick if bid_qty > 0 else 0
            ask = depth.best_ask_tick if ask_qty > 0 else 0
            last = tops[asset]
            if last[0] != 1 or last[1] != bid or last[2] != bid_qty or last[3] != ask or last[4] != ask_qty:
                last[0], last[1], last[2], last[3], last[4] = 1, bid, bid_qty, ask, ask_qty
                found[5] += 1
                found[6] += bid


def prepare(place: Path) -> None:
    """Write each market's events in its own format, uncompressed, when they are not there."""
    out = place / "hft"
    if out.exists():
        return
    rows = np.load(place / "rows.npy")
    rows = rows[rows["kind"] != TICKER]
    out.mkdir()
    end = np.zeros(1, event_dtype)
    end["ev"] = TRADE_EVENT | EXCH_EVENT | LOCAL_EVENT | BUY_EVENT
    end["exch_ts"] = end["local_ts"] = rows["at_ns"].max() + 1
    for market in np.unique(rows["market"]):
        own = rows[rows["market"] == market]
        np.save(out / f"{market}.npy", np.append(events(own), end))
        np.save(out / f"{market}-frames.npy", own[own["flags"] & LAST == LAST][["at_ns", "kind"]])


def events(rows: Any) -> Any:
    """Rows of one market in the format of its data."""
    found = np.zeros(len(rows), event_dtype)
    kinds = np.where(rows["flags"] & SNAPSHOT, DEPTH_SNAPSHOT_EVENT, DEPTH_EVENT)
    kinds = np.where(rows["kind"] == CLEAR, DEPTH_CLEAR_EVENT, np.where(rows["kind"] == TRADE, TRADE_EVENT, kinds))
    sides = np.where(rows["bid"] == 1, BUY_EVENT, SELL_EVENT)
    sides = np.where(rows["kind"] == CLEAR, 0, sides)
    found["ev"] = kinds.astype("u8") | np.uint64(EXCH_EVENT | LOCAL_EVENT) | sides.astype("u8")
    found["exch_ts"] = found["local_ts"] = rows["at_ns"]
    found["px"] = rows["price"] / DOLLAR
    found["qty"] = rows["size"] / 100
    return found


def asset(data: Any, tick: float) -> Any:
    """One market to be backtested."""
    return (
        BacktestAsset()
        .data([data])
        .linear_asset(1.0)
        .constant_order_latency(0, 0)
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(tick)
        .lot_size(0.01)
        .last_trades_capacity(16)
        .roi_lb(0.0)
        .roi_ub(1.0)
    )


class Market:
    """What was prepared of one market. tick: of its prices, in dollars."""

    def __init__(self, place: Path, number: int) -> None:
        self.data = np.load(place / "hft" / f"{number}.npy")
        self.frames = np.load(place / "hft" / f"{number}-frames.npy")
        ticks = np.rint(self.data["px"] * DOLLAR).astype("i8")
        self.tick = next(tick for tick in (100, 10, 1) if not (ticks % tick).any()) / DOLLAR


class Job:
    """Plays with one strategy, and adds up what it saw."""

    def __init__(self, strategy: str) -> None:
        self._every = strategy == EVERY
        self.seen = Seen()

    def play(self, hbt: Any, assets: Any, kinds: Any, tick: float) -> None:
        """One backtest to its end."""
        found = np.zeros(7, "i8")
        if self._every:
            every(hbt, assets, kinds, tick * DOLLAR, found)
        else:
            top(hbt, assets, kinds, np.zeros((int(assets.max()) + 1, 5)), found)
        hbt.close()
        scale = round(tick * DOLLAR)
        seen = self.seen
        seen.books += int(found[0])
        seen.bids += int(found[1]) * scale
        seen.tight += int(found[2])
        seen.trades += int(found[3])
        seen.volume += int(found[4])
        seen.changes += int(found[5])
        seen.top_bids += int(found[6]) * scale


def apart(place: Path, numbers: list[int], job: Job, backtest: Any, clock: Clock) -> None:
    """One market after another."""
    for number in numbers:
        market = clock.time("load", partial(Market, place, number))
        kinds = np.where(market.frames["kind"] == TRADE, TRADE, LEVEL)
        assets = np.zeros(len(kinds), "i4")
        hbt = clock.time("load", partial(backtest, [asset(market.data, market.tick)]))
        clock.time("run", partial(job.play, hbt, assets, kinds, market.tick))


def together(place: Path, numbers: list[int], job: Job, clock: Clock) -> None:
    """All markets in one backtest, every one with the finest tick of them all, so that one scale fits."""
    markets = clock.time("load", lambda: [Market(place, number) for number in numbers])
    tick = min(market.tick for market in markets)
    frames = np.concatenate([market.frames for market in markets])
    owners = np.concatenate([np.full(len(market.frames), number, "i4") for number, market in enumerate(markets)])
    order = np.argsort(frames["at_ns"], kind="stable")
    kinds = np.where(frames["kind"][order] == TRADE, TRADE, LEVEL)
    hbt = clock.time("load", lambda: HashMapMarketDepthBacktest([asset(market.data, tick) for market in markets]))
    clock.time("run", lambda: job.play(hbt, owners[order], kinds, tick))


def main(mode: str, place: Path, strategy: str) -> None:
    """Do one job."""
    if mode == "prepare":
        prepare(place)
        return
    about = json.loads((place / "about.json").read_text(encoding="utf-8"))
    numbers = sorted(int(path.stem) for path in (place / "hft").glob("*.npy") if path.stem.isdigit())
    backtest = ROIVectorMarketDepthBacktest if mode == "apart" else HashMapMarketDepthBacktest
    apart(place, numbers[-1:], Job(strategy), backtest, Clock())  # compiles
    job, clock = Job(strategy), Clock()
    if mode == "together":
        together(place, numbers, job, clock)
    else:
        apart(place, numbers, job, backtest, clock)
    report(version("hftbacktest"), about["frames"], clock, job.seen, ("tickers",))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
