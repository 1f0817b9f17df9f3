"""nautilus_trader's catalog, written and read by that library: counts, prices, sizes, times and books are equal."""

import os
import random
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import pytest
from libraries import ROOT, asked, needs_libraries, python
from sample_tapes import MILLI, SECOND, START_NS, Script, story
from tapes import TAPES, needs_tapes
from wild import wild

from capture.tape.reader import Tape
from core.messages.types import Side, Ticker, Trade
from core.money import DOLLAR
from replay.books import book_at
from replay.exports.terms import Choice
from replay.exports.walk import Changed, Cleared, Told, Walk, Whole
from replay.importer import ImportOptions, import_recording

SCRIPT: Final = Path(__file__).resolve().parents[1] / "foreign_nautilus.py"
LAST, SNAPSHOT = 128, 32

pytestmark = pytest.mark.integration

Rows = dict[str, list[list[Any]]]


def simultaneous(seed: int, frames: int) -> Script:
    """Two markets of which many frames come in the same nanosecond, snapshots, trades and tickers among them."""
    dice = random.Random(seed)
    # Not at a whole millisecond, as the exchange's own times are.
    script = Script(step_ns=0, start_ns=START_NS + 123_457).session().opened()
    script.subscribed(1).subscribed(2, "trade").subscribed(3, "ticker")
    for market in ("KXTEST-A", "KXTEST-B.5"):
        script.snapshot(market, [("0.4000", "50.00")], [("0.5000", "50.00")])
    for number in range(frames):
        script.wait(MILLI if dice.randrange(40) == 0 else 0)
        market = dice.choice(("KXTEST-A", "KXTEST-B.5"))
        turn = dice.randrange(50)
        if turn == 0:
            script.snapshot(market, [("0.4000", "50.00")], [("0.5000", f"{number + 1}.00")])
        elif turn < 5:
            script.trade(market, "0.4500", "1.25", taker=dice.choice(("yes", "no")))
        elif turn < 8:
            prices = {"price_dollars": "0.4400", "yes_bid_dollars": "0.4000", "yes_ask_dollars": "0.5000"}
            sizes = {"yes_bid_size_fp": f"{number}.00", "yes_ask_size_fp": "50.00"} if turn < 7 else {}
            message = {"market_ticker": market, **prices, **sizes, "ts_ms": script.now_ns // MILLI}
            script.frame({"type": "ticker", "sid": 3, "msg": message})
        else:
            side, price = dice.choice(("yes", "no")), dice.choice(("0.4000", "0.4100", "0.4150"))
            script.delta(market, side, price, "1.00")
    return script


def expected_of(tape: Tape, **choice: Any) -> tuple[dict[str, Rows], int]:
    """What the library has to read, by market; how often a frame told no time of the exchange."""
    found: dict[str, Rows] = defaultdict(lambda: {"deltas": [], "trades": [], "quotes": []})
    timeless = 0
    for move in Walk(tape, Choice(**choice)).moves():
        rows, times = found[move.market], [move.exchange_ns or move.now_ns, move.now_ns]
        clear = [move.seq, *times, SNAPSHOT, "CLEAR"]
        match move:
            case Cleared():
                rows["deltas"].append([*clear[:3], SNAPSHOT | LAST, "CLEAR"])
            case Whole():
                levels = len(move.bids) + len(move.asks)
                added: list[list[Any]] = [[*clear[:4], "ADD"] for _ in range(levels)]
                whole = [clear, *added]
                whole[-1][3] = SNAPSHOT | LAST
                rows["deltas"] += whole
            case Changed():
                rows["deltas"].append([*clear[:3], LAST, "UPDATE" if move.size else "DELETE"])
            case Told(message=Trade() as trade):
                bought = trade.taker is Side.YES
                rows["trades"].append([trade.trade_id, trade.price, trade.count, bought, *times])
            case Told(message=Ticker() as ticker):
                quote = [ticker.yes_bid, ticker.yes_ask, ticker.yes_bid_size, ticker.yes_ask_size]
                if None in quote:
                    continue
                rows["quotes"].append([*quote, *times])
            case _:
                continue
        timeless += not move.exchange_ns
    return found, timeless


def some(values: list[int], count: int) -> list[int]:
    """So many of these, evenly, the last one included."""
    return values[:: -max(len(values) // count, 1)][::-1]


def hold_equal(tape: Tape, out: Path, *, objects: int = 1 << 16, books: int = 15, **choice: Any) -> dict[str, Any]:
    """The library reads what the tape holds, and its books are the store's, at the end too; its answer."""
    expected, timeless = expected_of(tape, **choice)
    instants = {
        market: some(sorted({row[2] for row in rows["deltas"]}), books) if rows["deltas"] else []
        for market, rows in expected.items()
    }
    question = {"choice": choice, "objects": objects, "instants": instants}
    answer: dict[str, Any] = asked(SCRIPT, str(tape.path), str(out), value=question)
    assert set(answer["markets"]) == {market for market, rows in expected.items() if any(rows.values())}
    for market, found in answer["markets"].items():
        for kind, rows in expected[market].items():
            assert found[kind] == rows, (market, kind)
        for at_ns, (bids, asks) in zip(instants[market], found["books"], strict=True):
            book = book_at(tape, market, at_ns)
            yes, no = (book.yes, book.no) if book.trusted else ((), ())
            assert [tuple(level) for level in bids] == list(yes), (market, at_ns)
            assert [tuple(level) for level in asks] == [(DOLLAR - price, size) for price, size in reversed(no)]
        if found["books"]:
            assert answer["engine"]["books"][answer["index"][market]] == found["books"][-1]
    kinds = ("deltas", "trades", "quotes")
    count = {kind: sum(len(rows[kind]) for rows in expected.values()) for kind in kinds}
    played = [rows for rows in expected.values() if rows["deltas"]]
    assert answer["engine"]["heard"] == {kind: sum(len(rows[kind]) for rows in played) for kind in kinds}
    rows = answer["rows"]
    assert (rows["trades"], rows["quotes"]) == (count["trades"], count["quotes"])
    told = rows["levels"] + rows["snapshots"] + rows["snapshot levels"] + rows["books cleared"]
    assert told == count["deltas"]
    assert answer["changed"].get("exchange times that no frame tells: ours instead", 0) == timeless
    return answer


@needs_libraries
def test_what_it_reads_is_the_tape_also_where_many_frames_have_one_time(tmp_path: Path) -> None:
    tape = simultaneous(5, 400).tape(tmp_path / "tape", segment_records=150)
    answer = hold_equal(tape, tmp_path / "out", objects=90)
    assert answer["files"] > 10  # several for each kind
    assert answer["index"] == {"KXTEST-A": "KXTEST-A.KALSHI", "KXTEST-B.5": "KXTEST-B-5.KALSHI"}
    assert answer["markets"]["KXTEST-B.5"]["instrument"][:3] == ["KXTEST-B.5", "0.0050", "0.01"]
    assert answer["left_out"]["tickers without both prices and sizes"] > 0


@needs_libraries
def test_a_hole_is_a_cleared_book_and_odd_texts_harm_nothing(tmp_path: Path) -> None:
    script = story(rounds=10)
    odd = ("../../escaped", "é*", "a.b", "a_b", "A_B", "\n")
    for market in odd:
        script.snapshot(market, [("0.4000", "1.00")], [], connection=2)
    for number, trade_id in enumerate(("", "é", "a b", "x" * 37, "good"), start=20):
        trade = {"trade_id": trade_id, "market_ticker": "a.b", "yes_price_dollars": "0.4000", "count_fp": "1.00"}
        script.frame({"type": "trade", "sid": 2, "seq": number, "msg": trade | {"taker_side": "no"}}, 2)
    life = {"market_ticker": "a.b", "open_ts": 1_786_000_000, "close_ts": 1_787_000_000}
    script.frame({"type": "market_lifecycle_v2", "sid": 5, "msg": life | {"event_type": "created"}}, 2)
    over = {"market_ticker": "a.b", "event_type": "determined", "result": "yes", "settlement_value": "1.0000"}
    for _ in range(2):
        script.frame({"type": "market_lifecycle_v2", "sid": 5, "msg": over}, 2)
    closed_ns = script.records[-2].at_ns
    tape = script.tape(tmp_path / "tape")
    cleared = [move.seq for move in Walk(tape, Choice(markets=("KXTEST-A",))).moves() if isinstance(move, Cleared)]
    answer = asked(SCRIPT, str(tape.path), str(tmp_path / "out"), value={})
    assert answer["rows"]["books cleared"] == 4
    holes = [row for row in answer["markets"]["KXTEST-A"]["deltas"] if row[3:] == [SNAPSHOT | LAST, "CLEAR"]]
    assert [row[0] for row in holes] == cleared
    assert len(set(answer["index"].values())) == len(odd) + 2
    found = answer["markets"]["a.b"]
    assert [row[0] for row in found["trades"]][-1] == "good"
    assert all(row[0].startswith("seq-") for row in found["trades"][:-1])
    assert answer["changed"]["ids of trades that it does not take: seq instead"] == len(found["trades"]) - 1 >= 3
    assert found["instrument"] == ["a.b", "0.0100", "1.00", 1_786_000_000 * SECOND, 1_787_000_000 * SECOND]
    assert found["closes"] == [[10_000, closed_ns]]
    assert answer["left_out"]["lifecycle messages that say no settlement value"] == 2
    assert {path.name for path in tmp_path.iterdir()} == {"tape", "out"}
    assert all(path.resolve().is_relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*"))


@needs_libraries
@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_it_reads_is_the_tape_whatever_happened(seed: int, tmp_path: Path) -> None:
    tape = wild(seed, 120, sessions=2).tape(tmp_path / "tape", segment_records=100)
    hold_equal(tape, tmp_path / "out", objects=60)


@needs_libraries
@pytest.mark.slow
def test_a_span_of_a_market_is_read_as_chosen(tmp_path: Path) -> None:
    tape = story().tape(tmp_path / "tape")
    choice: dict[str, Any] = {
        "from_ns": START_NS + 20 * MILLI,
        "to_ns": START_NS + 40 * MILLI,
        "markets": ("KXTEST-A",),
    }
    answer = hold_equal(tape, tmp_path / "out", **choice)
    assert list(answer["index"]) == ["KXTEST-A"]


@needs_libraries
@needs_tapes
@pytest.mark.slow
def test_what_it_reads_is_a_real_recording(tmp_path: Path) -> None:
    import_recording([TAPES / "btc15m" / "short-30s.jsonl.gz"], tmp_path / "tape", ImportOptions(filtered=True))
    answer = hold_equal(Tape.open(tmp_path / "tape"), tmp_path / "out", objects=4_000)
    assert answer["rows"]["levels"] > 1_000


@needs_libraries
def test_a_size_above_the_librarys_limit_is_refused_with_both_numbers_and_nothing_is_left(tmp_path: Path) -> None:
    Script().session().opened().subscribed(2, "trade").trade("KXTEST-A", "0.4000", "7.50").tape(tmp_path / "tape")
    small = "from replay.exports import nautilus; nautilus.MAX_SIZE = 500; import tapedeck; tapedeck.main()"
    command = [python(), "-c", small, "export", str(tmp_path / "tape"), "--to", "nautilus"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [*command, "--out", str(tmp_path / "out")], env=env, check=False, capture_output=True, text=True
    )
    assert ran.returncode == 2
    assert ran.stderr == ("tapedeck: record 3: a size of 7.50 contracts is above nautilus_trader's limit of 5\n")
    assert {path.name for path in tmp_path.iterdir()} == {"tape"}


def test_without_the_library_the_command_says_what_to_install(tmp_path: Path) -> None:
    story(rounds=2).tape(tmp_path / "tape")
    block = "import sys; sys.modules['nautilus_trader'] = None; import tapedeck; tapedeck.main()"
    command = [sys.executable, "-c", block, "export", str(tmp_path / "tape"), "--to", "nautilus"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [*command, "--out", str(tmp_path / "out")], env=env, check=False, capture_output=True, text=True
    )
    assert ran.returncode == 2
    assert ran.stderr == (
        "tapedeck: --to nautilus needs nautilus_trader, which is not installed: pip install 'tapedeck[nautilus]'\n"
    )
    assert {path.name for path in tmp_path.iterdir()} == {"tape"}
