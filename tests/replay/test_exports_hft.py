"""hftbacktest's arrays: rows, times, ticks, and what its own engine makes of them where it is installed."""

import json
import math
import zipfile
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from libraries import asked, needs_libraries
from sample_tapes import MILLI, SECOND, Script, story
from tapes import TAPES, needs_tapes
from wild import wild

from capture.tape.reader import Tape
from core.changes import Change
from core.engine import Engine
from core.messages.types import Side, Trade
from core.money import DOLLAR
from replay.books import book_at
from replay.exports import hft, spool
from replay.exports.hft import BOTH, BUY, CLEAR, DEPTH, SELL, SNAPSHOT, TRADE, export_hftbacktest
from replay.exports.terms import Choice, Exported
from replay.exports.walk import Changed, Cleared, Told, Walk, Whole
from replay.importer import ImportOptions, import_recording

SCRIPT: Final = Path(__file__).resolve().parents[1] / "foreign_hftbacktest.py"
SIDES: Final = (BUY, SELL)


def exported(tape: Tape, out: Path, **choice: Any) -> tuple[dict[str, Any], Exported]:
    """The arrays by market, with what the index says of them in `about`."""
    report = export_hftbacktest(tape, out, Choice(**choice))
    index = json.loads((out / "index.json").read_text(encoding="ascii"))["markets"]
    return {about["market"]: (np.load(out / about["file"])["data"], about) for about in index}, report


def test_rows_are_what_happened_in_order(tmp_path: Path) -> None:
    tape = wild(3, 120, sessions=2).tape(tmp_path / "tape", segment_records=200)
    arrays, report = exported(tape, tmp_path / "out")
    expected: dict[str, list[tuple[int, int, int, float, float]]] = {market: [] for market in arrays}
    for move in Walk(tape, Choice()).moves():
        match move:
            case Cleared():
                rows = [(CLEAR, 0, 0)]
            case Whole():
                rows = [(CLEAR, 0, 0)]
                for side, levels in zip(SIDES, (move.bids, move.asks), strict=True):
                    rows += [(SNAPSHOT | side, price, size) for price, size in levels]
            case Changed():
                rows = [(DEPTH | SIDES[not move.is_bid], move.price, move.size)]
            case Told(message=Trade() as trade):
                rows = [(TRADE | SIDES[trade.taker != "yes"], trade.price, trade.count)]
            case Told():
                continue
        for kind, price, size in rows:
            told = (BOTH | kind, move.seq, move.now_ns, float(Decimal(price) / DOLLAR), float(Decimal(size) / 100))
            expected[move.market].append(told)
    for market, (data, about) in arrays.items():
        found = zip(*(data[name].tolist() for name in ("ev", "ival", "local_ts", "px", "qty")), strict=True)
        assert list(found) == expected[market]
        assert about["rows"] == len(data)
    counts = {name: report.rows[name] for name in ("levels", "trades", "books cleared")}
    kinds = np.concatenate([data["ev"] & 0xFF for data, _ in arrays.values()])
    assert counts["levels"] == np.count_nonzero(kinds == DEPTH) > 20
    assert counts["trades"] == np.count_nonzero(kinds == TRADE) > 20
    assert counts["books cleared"] + report.rows["snapshots"] == np.count_nonzero(kinds == CLEAR)
    assert report.rows["snapshot levels"] == np.count_nonzero(kinds == SNAPSHOT)
    assert report.left_out["tickers"] > 20


def lagging(lags_ns: list[int]) -> Script:
    """A book and a delta a millisecond, each received so long after the exchange's time of it."""
    script = Script().session().opened().subscribed(1).snapshot("KXTEST-A", [("0.4000", "5.00")], [])
    for number, lag_ns in enumerate(lags_ns, start=2):
        body = {"market_ticker": "KXTEST-A", "price_dollars": "0.4000", "delta_fp": "1.00", "side": "yes"}
        instant = datetime.fromtimestamp((script.now_ns - lag_ns) // 1_000_000_000, UTC)
        ts = f"{instant:%Y-%m-%dT%H:%M:%S}.{(script.now_ns - lag_ns) % SECOND // 1_000:06d}Z"
        script.frame({"type": "orderbook_delta", "sid": 1, "seq": number, "msg": {**body, "ts": ts}})
    return script


def test_times_never_go_back_and_the_exchanges_is_never_after_ours(tmp_path: Path) -> None:
    lags_ns = [0] * 1_200
    lags_ns[100], lags_ns[200], lags_ns[300] = -9 * MILLI, 20 * MILLI, MILLI // 2
    arrays, report = exported(lagging(lags_ns).tape(tmp_path / "tape"), tmp_path / "out")
    data = arrays["KXTEST-A"][0]
    local, exch = data["local_ts"].tolist(), data["exch_ts"].tolist()
    assert local == sorted(local)
    assert exch == sorted(exch)
    moved = {
        place - 2: ours - theirs for place, (ours, theirs) in enumerate(zip(local, exch, strict=True)) if ours - theirs
    }
    assert moved == {200: MILLI, 300: MILLI // 2}  # 20 ms back would be before the row before it
    assert report.clock_ahead_ns == 0  # one frame of 1,200 does not say that a clock is ahead
    assert report.changed == {
        "exchange times that no frame tells: ours instead": 1,
        "exchange times after receipt: ours instead": 1,
        "exchange times before an earlier row's: that one's instead": 1,
    }


def test_a_clock_of_the_exchange_that_was_ahead_is_set_back_and_latencies_stay(tmp_path: Path) -> None:
    lags_ns = [number % 7 * MILLI // 10 for number in range(50)]
    tape = lagging([lag_ns - 285 * MILLI for lag_ns in lags_ns]).tape(tmp_path / "tape")
    arrays, report = exported(tape, tmp_path / "out")
    data = arrays["KXTEST-A"][0][2:]
    assert (data["local_ts"] - data["exch_ts"]).tolist() == lags_ns
    assert report.clock_ahead_ns == 285 * MILLI
    assert json.loads((tmp_path / "out" / "index.json").read_text())["clock_ahead_ns"] == 285 * MILLI


def test_an_exchange_time_that_can_be_kept_is_kept_and_a_snapshots_is_when_it_was_queued(tmp_path: Path) -> None:
    script = Script(step_ns=50 * MILLI).session().opened().subscribed(1)
    snapshot = {"market_ticker": "KXTEST-A", "yes_dollars_fp": [("0.4000", "5.00")]}
    queued_ms = (script.now_ns - 20 * MILLI) // MILLI
    script.frame({"type": "orderbook_snapshot", "sid": 1, "seq": 1, "msg": snapshot, "sending_ts_ms": queued_ms})
    script.numbers[1, 1] = 1
    script.delta("KXTEST-A", "yes", "0.4100", "1.00")
    arrays, report = exported(script.tape(tmp_path / "tape"), tmp_path / "out")
    data = arrays["KXTEST-A"][0]
    assert data["exch_ts"].tolist() == [queued_ms * MILLI] * 2 + [data["local_ts"][-1]]
    assert report.changed == {}


def test_ticks_and_lots_are_the_coarsest_that_fit(tmp_path: Path) -> None:
    script = Script().session().opened().subscribed(1)
    prices = {"KXTEST-A": "0.4100", "KXTEST-B": "0.4150", "KXTEST-C": "0.4010", "KXTEST-D": "0.4001"}
    for market, price in prices.items():
        size = "1.00" if market == "KXTEST-A" else "1.50"
        script.snapshot(market, [(price, size)], [(price, "2.00")])
    arrays, _ = exported(script.tape(tmp_path / "tape"), tmp_path / "out")
    assert [about["tick_size"] for _, about in arrays.values()] == [0.01, 0.005, 0.001, 0.0001]
    assert [about["lot_size"] for _, about in arrays.values()] == [1.0, 0.01, 0.01, 0.01]
    for data, about in arrays.values():
        ticks = data["px"] / about["tick_size"]
        assert all(math.isclose(tick, round(tick), abs_tol=1e-9) for tick in ticks)


def test_block_trades_are_left_out(tmp_path: Path) -> None:
    script = Script().session().opened().subscribed(2, "trade").trade("KXTEST-A", "0.4000", "1.00")
    block: dict[str, Any] = {
        "trade_id": "block",
        "market_ticker": "KXTEST-A",
        "yes_price_dollars": "0.4000",
        "count_fp": "7.00",
    }
    block |= {"taker_side": "yes", "ts_ms": script.now_ns // MILLI, "is_block_trade": True}
    script.frame({"type": "trade", "sid": 2, "seq": 2, "msg": block})
    arrays, report = exported(script.tape(tmp_path / "tape"), tmp_path / "out")
    assert arrays["KXTEST-A"][0]["qty"].tolist() == [1.0]
    assert report.left_out == {"block trades": 1}


def test_memory_does_not_grow_with_the_tape_for_rows_go_to_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tape = story().tape(tmp_path / "tape")
    whole, _ = exported(tape, tmp_path / "whole")
    monkeypatch.setattr(spool, "ROWS_HELD", 7)
    monkeypatch.setattr(hft, "PACKED", 3)
    pieces, _ = exported(tape, tmp_path / "pieces")
    for market, (data, about) in whole.items():
        assert np.array_equal(data, pieces[market][0])
        assert about == pieces[market][1]
    assert sorted(path.suffix for path in (tmp_path / "pieces").iterdir()) == [".json", ".npz", ".npz"]


def test_a_file_has_the_head_that_the_librarys_reader_wants(tmp_path: Path) -> None:
    exported(story().tape(tmp_path / "tape"), tmp_path / "out")
    with zipfile.ZipFile(tmp_path / "out" / "KXTEST-A.npz") as archive:
        assert archive.namelist() == ["data.npy"]
        head = archive.read("data.npy")[:10]
    assert head[:8] == b"\x93NUMPY\x01\x00"
    assert (10 + int.from_bytes(head[8:], "little")) % 64 == 0


def test_a_hostile_ticker_stays_in_the_folder(tmp_path: Path) -> None:
    script = Script().session().opened().subscribed(1)
    for market in ("../../escaped", "/tmp/escaped", "index.json", "a\nb"):
        script.snapshot(market, [("0.4100", "1.00")], [])
    arrays, report = exported(script.tape(tmp_path / "tape"), tmp_path / "out")
    assert set(arrays) == {"../../escaped", "/tmp/escaped", "index.json", "a\nb"}
    assert len(list((tmp_path / "out").iterdir())) == report.files == 5
    assert {path.name for path in tmp_path.iterdir()} == {"tape", "out"}


# ------------------------------------------------------------------ its own engine


def some(values: list[int], count: int) -> list[int]:
    """So many of these, evenly, the last one included."""
    return values[:: -max(len(values) // count, 1)][::-1]


def hold_equal(tape: Tape, out: Path) -> int:
    """At any instant its engine shows the store's books, or none where they are not trusted; how many levels."""
    arrays, report = exported(tape, out)
    instants = {market: some(sorted({*data["local_ts"].tolist()}), 15) for market, (data, _) in arrays.items()}
    for times in instants.values():
        times.append(times[-1] + SECOND)
    found = asked(SCRIPT, str(out), value=instants)["markets"]
    assert set(found) == set(arrays)
    levels = 0
    for market, shown in found.items():
        for at_ns, (bids, offers) in zip(instants[market], shown["books"], strict=True):
            book = book_at(tape, market, at_ns)
            yes, no = (book.yes, book.no) if book.trusted else ((), ())
            assert [tuple(level) for level in bids] == list(yes), (market, at_ns)
            assert [tuple(level) for level in offers] == [(DOLLAR - price, size) for price, size in reversed(no)]
            levels += len(bids) + len(offers)
        assert shown["rows"] == arrays[market][1]["rows"]
    trades = trades_of(tape)
    for market, shown in found.items():
        assert [[ours, price, size, side] for ours, _, price, size, side in shown["trades"]] == trades[market]
        data = arrays[market][0]
        assert [row[1] for row in shown["trades"]] == data["exch_ts"][data["ev"] & 0xFF == TRADE].tolist()
    assert report.rows["trades"] == sum(len(shown["trades"]) for shown in found.values())
    return levels


def trades_of(tape: Tape) -> dict[str, list[list[int]]]:
    """The trades that the store took in, by market."""
    engine, found = Engine(), defaultdict[str, list[list[int]]](list)
    for record in tape.records():
        step = engine.step(record)
        if isinstance(step.message, Trade) and isinstance(step.change, Change):
            trade = step.message
            found[trade.market].append([step.now_ns, trade.price, trade.count, int(trade.taker is Side.YES)])
    return found


@needs_libraries
@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_its_engine_shows_the_stores_books_at_any_instant(seed: int, tmp_path: Path) -> None:
    assert hold_equal(wild(seed, 80, sessions=2).tape(tmp_path / "tape"), tmp_path / "out") > 30


@needs_libraries
def test_its_engine_shows_no_book_while_there_is_none_to_be_trusted(tmp_path: Path) -> None:
    assert hold_equal(story().tape(tmp_path / "tape"), tmp_path / "out") > 200


@needs_libraries
@needs_tapes
@pytest.mark.slow
def test_its_engine_shows_the_books_of_a_real_recording(tmp_path: Path) -> None:
    import_recording([TAPES / "btc15m" / "short-30s.jsonl.gz"], tmp_path / "tape", ImportOptions(filtered=True))
    assert hold_equal(Tape.open(tmp_path / "tape"), tmp_path / "out") > 200
