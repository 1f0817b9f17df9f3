"""CSV: read by pandas and by polars, every file holds what the tape holds, and says what is not to be believed."""

import csv
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas
import polars
import pytest
from sample_tapes import MILLI, START_NS, Script, story
from wild import wild

from capture.tape.errors import TapeError
from capture.tape.reader import Tape
from core.changes import Rejected
from core.engine import Engine, Step
from core.messages.types import BookDelta, BookSnapshot, Ticker, Trade
from core.records import Record
from replay.books import MarketNotFound
from replay.exports import tables
from replay.exports.tables import BY_SEQ, OF_TAPE, export_csv
from replay.exports.terms import Choice, Exported

Steps = list[tuple[Record, Step]]


def steps_of(tape: Tape, kind: type) -> Steps:
    """The records of a kind of message, with what they did."""
    engine = Engine()
    steps = [(record, engine.step(record)) for record in tape.records()]
    return [(record, step) for record, step in steps if type(step.message) is kind]


def exported(tape: Tape, place: Path, **choice: Any) -> tuple[Path, Exported]:
    report = export_csv(tape, place / "csv", Choice(**choice))
    return place / "csv", report


def rows_of(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_deltas_read_by_polars_are_those_of_the_tape(tmp_path: Path) -> None:
    tape = wild(3, 120, start_ns=START_NS + 123).tape(tmp_path / "tape", segment_records=200)
    folder, report = exported(tape, tmp_path)
    exact = {"price": polars.Decimal(9, 4), "delta": polars.Decimal(18, 2)}
    found = polars.read_csv(folder / "deltas.csv", schema_overrides=exact)
    steps = steps_of(tape, BookDelta)
    messages: list[Any] = [step.message for _, step in steps]
    assert report.rows["deltas"] == len(found) == len(steps) > 300
    assert found["seq"].to_list() == [record.seq for record, _ in steps]
    assert found["at_ns"].to_list() == [record.at_ns for record, _ in steps]
    assert found["market"].to_list() == [message.market for message in messages]
    assert found["side"].to_list() == [message.side.value for message in messages]
    assert found["price_e4"].to_list() == [message.price for message in messages]
    assert found["price"].to_list() == [Decimal(message.price).scaleb(-4) for message in messages]
    assert found["delta_e2"].to_list() == [message.delta for message in messages]
    assert found["delta"].to_list() == [Decimal(message.delta).scaleb(-2) for message in messages]
    assert found["exchange_us"].to_list() == [message.exchange_ns // 1_000 for message in messages]
    changes = [step.change for _, step in steps]
    assert found["refused"].to_list() == [change.value if isinstance(change, Rejected) else None for change in changes]
    refused = report.doubted["deltas refused"]
    assert refused == found["refused"].count() > 0
    assert report.doubted["deltas not trusted"] == found.filter(~polars.col("trusted")).height > 0
    instants = found["time"].str.to_datetime("%Y-%m-%dT%H:%M:%S%.9fZ", time_unit="ns")
    assert instants.dt.epoch("ns").to_list() == found["at_ns"].to_list()


def test_trades_and_tickers_read_by_pandas_are_those_of_the_tape(tmp_path: Path) -> None:
    tape = wild(5, 120).tape(tmp_path / "tape", segment_records=200)
    folder, report = exported(tape, tmp_path)
    trades = pandas.read_csv(folder / "trades.csv", parse_dates=["time"], dtype={"price": str, "count": str})
    steps = steps_of(tape, Trade)
    messages: list[Any] = [step.message for _, step in steps]
    assert report.rows["trades"] == len(trades) == len(steps) > 20
    assert trades["trade_id"].tolist() == [message.trade_id for message in messages]
    assert trades["taker"].tolist() == [message.taker.value for message in messages]
    assert [Decimal(text) for text in trades["price"]] == [Decimal(message.price).scaleb(-4) for message in messages]
    assert trades["count_e2"].tolist() == [message.count for message in messages]
    assert trades["time"].astype("datetime64[ns, UTC]").astype("int64").tolist() == trades["at_ns"].tolist()
    tickers = pandas.read_csv(folder / "tickers.csv")
    said: list[Any] = [step.message for _, step in steps_of(tape, Ticker)]
    assert len(tickers) == len(said) > 20
    for name in ("price", "yes_bid", "yes_ask"):
        assert tickers[f"{name}_e4"].astype("Int64").tolist() == [
            pandas.NA if getattr(message, name) is None else getattr(message, name) for message in said
        ]


def test_snapshots_have_a_row_each_and_their_levels_one_each(tmp_path: Path) -> None:
    script = wild(7, 80)
    tape = script.snapshot("KXTEST-A", [], []).tape(tmp_path / "tape")
    folder, report = exported(tape, tmp_path)
    levels: dict[int, dict[str, list[tuple[int, int]]]] = defaultdict(lambda: {"yes": [], "no": []})
    for row in rows_of(folder, "snapshot_levels"):
        levels[int(row["seq"])][row["side"]].append((int(row["price_e4"]), int(row["size_e2"])))
        assert Decimal(row["price"]).scaleb(4) == int(row["price_e4"])
        assert Decimal(row["size"]).scaleb(2) == int(row["size_e2"])
    steps = steps_of(tape, BookSnapshot)
    messages: list[Any] = [step.message for _, step in steps]
    snapshots = rows_of(folder, "snapshots")
    assert [int(row["seq"]) for row in snapshots] == [record.seq for record, _ in steps]
    assert any(not int(row["levels"]) for row in snapshots)
    assert [int(row["levels"]) for row in snapshots] == [len(message.yes + message.no) for message in messages]
    for (record, _), message in zip(steps, messages, strict=True):
        assert tuple(levels[record.seq]["yes"]) == message.yes
        assert tuple(levels[record.seq]["no"]) == message.no
    assert report.rows["snapshot_levels"] == sum(len(message.yes + message.no) for message in messages)


def test_the_files_lead_to_the_book_of_the_store(tmp_path: Path) -> None:
    tape = story().tape(tmp_path / "tape", segment_records=30)
    folder, _ = exported(tape, tmp_path)
    books: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
    levels = rows_of(folder, "snapshot_levels")
    events = [("snapshot", row) for row in rows_of(folder, "snapshots")]
    events += [("delta", row) for row in rows_of(folder, "deltas")]
    for kind, row in sorted(events, key=lambda event: int(event[1]["seq"])):
        if row["refused"]:
            continue
        if kind == "snapshot":
            for side in ("yes", "no"):
                own = [level for level in levels if level["seq"] == row["seq"] and level["side"] == side]
                books[row["market"], side] = {int(level["price_e4"]): int(level["size_e2"]) for level in own}
        else:
            book, price = books[row["market"], row["side"]], int(row["price_e4"])
            book[price] = book.get(price, 0) + int(row["delta_e2"])
    engine = Engine()
    for record in tape.records():
        engine.step(record)
    for market in ("KXTEST-A", "KXTEST-B"):
        view = engine.store.view(market)
        assert tuple(sorted(books[market, "yes"].items())) == view.yes
        assert tuple(sorted(books[market, "no"].items())) == view.no


def test_gaps_connections_and_markets_have_files_too(tmp_path: Path) -> None:
    folder, _ = exported(story().tape(tmp_path / "tape"), tmp_path)
    assert [row["reason"] for row in rows_of(folder, "gaps")] == ["sequence", "reconnect"]
    assert rows_of(folder, "gaps")[0]["markets"] == '["KXTEST-A","KXTEST-B"]'
    assert [row["connection"] for row in rows_of(folder, "connections")] == ["1", "2"]
    assert [row["market"] for row in rows_of(folder, "markets")] == ["KXTEST-A", "KXTEST-B"]


def test_all_files_are_there_with_their_headers_also_where_nothing_is_in_them(tmp_path: Path) -> None:
    folder, report = exported(Script().session().stop().tape(tmp_path / "tape"), tmp_path)
    names = {path.name for path in folder.iterdir()}
    assert names == {f"{file.name}.csv" for file in (*BY_SEQ, *OF_TAPE)}
    assert report.files == len(names)
    assert set(report.rows.values()) == {0}
    assert (folder / "fills.csv").read_text().startswith('"seq","time","at_ns"')


def test_windows_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tape = wild(9, 60).tape(tmp_path / "tape", segment_records=50)
    first = export_csv(tape, tmp_path / "whole", Choice())
    monkeypatch.setattr(tables, "WINDOW", 37)
    told: list[tuple[int, int]] = []
    second = export_csv(tape, tmp_path / "pieces", Choice(), lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1] == (tape.head_seq + 1) * len(BY_SEQ)
    assert told == sorted(told)
    assert len(told) > 3 * (tape.head_seq + 1) // 37
    assert (second.rows, second.doubted) == (first.rows, first.doubted)
    for path in (tmp_path / "whole").iterdir():
        assert path.read_bytes() == (tmp_path / "pieces" / path.name).read_bytes()


def test_a_span_and_markets_may_be_chosen(tmp_path: Path) -> None:
    tape = story().tape(tmp_path / "tape", segment_records=40)
    from_ns, to_ns = START_NS + 20 * MILLI, START_NS + 40 * MILLI
    folder, report = exported(tape, tmp_path, from_ns=from_ns, to_ns=to_ns, markets=("KXTEST-A",))
    found = rows_of(folder, "deltas")
    expected = [
        record.seq
        for record, step in steps_of(tape, BookDelta)
        if from_ns <= record.at_ns <= to_ns and getattr(step.message, "market", "") == "KXTEST-A"
    ]
    assert [int(row["seq"]) for row in found] == expected
    assert len(expected) > 10
    assert report.markets == 1
    assert [row["market"] for row in rows_of(folder, "markets")] == ["KXTEST-A"]
    assert rows_of(folder, "gaps") == []
    told: list[tuple[int, int]] = []
    late = Choice(from_ns=START_NS + 10**12)
    after = export_csv(tape, tmp_path / "after", late, lambda done, total: told.append((done, total)))
    assert sum(after.rows[file.name] for file in BY_SEQ) == 0
    assert set(told) == {(0, 0)}
    with pytest.raises(MarketNotFound):
        export_csv(tape, tmp_path / "none", Choice(markets=("x'); drop table deltas; --",)))
    assert not (tmp_path / "none").exists()


def test_what_a_tape_holds_cannot_break_a_line(tmp_path: Path) -> None:
    odd = 'KX"A,B\n=1+1'
    script = Script().session().opened().subscribed().snapshot(odd, [("0.4000", "1.00")], [])
    folder, _ = exported(script.tape(tmp_path / "tape"), tmp_path, markets=(odd,))
    assert [row["market"] for row in rows_of(folder, "snapshots")] == [odd]
    assert polars.read_csv(folder / "markets.csv")["market"].to_list() == [odd]


def test_an_export_does_not_overwrite(tmp_path: Path) -> None:
    tape = story().tape(tmp_path / "tape")
    (tmp_path / "csv").mkdir()
    with pytest.raises(TapeError, match="exists already"):
        exported(tape, tmp_path)
