"""SQL over tapes: each record once, what reaches the files, names that try to be more than names, bad input."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lived import lived
from sample_tapes import MILLI, START_NS, Script, make_tape, story
from writing import record, session

from capture.tape.errors import TapeDamaged, TapeError
from capture.tape.reader import Tape
from capture.tape.recorder import WriterOptions
from capture.tape.writer import TapeWriter
from core.records import Kind, RestCall, StoredGap, encode_payload
from replay.query import SqlError, batches
from replay.sql import connect, cut
from replay.sql.asking import ask, names, split
from replay.sql.cut import take
from replay.sql.session import VIEWS


def rows(connection: Any, query: str, *values: Any) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = connection.execute(query, list(values)).fetchall()
    return found


@pytest.fixture(scope="module")
def story_tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tape of two markets. Nobody may change it."""
    return story(3).tape(tmp_path_factory.mktemp("story") / "tape").path


def test_every_record_is_there_with_the_bytes_it_came_with(tmp_path: Path) -> None:
    tape = story().tape(tmp_path / "tape", segment_records=17)
    with connect(tape.path) as connection:
        found = rows(connection, "select seq, at_ns, connection, kind, payload from records order by seq")
        assert found == [(r.seq, r.at_ns, r.connection, Kind(r.kind).name, r.payload) for r in tape.records()]
        backwards = rows(connection, "select payload from records order by seq desc limit 3")
        assert [payload for (payload,) in backwards] == [r.payload for r in tape.records()][:-4:-1]


def test_decimals_are_for_people_and_whole_numbers_beside_them(tmp_path: Path) -> None:
    tape = Script().session().opened().subscribed(2, "trade").trade("KXTEST-A", "0.4550", "1.25").stop()
    with connect(tape.tape(tmp_path / "tape").path) as connection:
        query = (
            "select price::varchar, price_e4, count::varchar, count_e2, taker, time::varchar, typeof(price) from trades"
        )
        assert rows(connection, query) == [
            ("0.4550", 4550, "1.25", 125, "yes", "2026-08-11 01:00:00.003", "DECIMAL(9,4)")
        ]


def test_many_tapes_are_one_and_each_record_says_which(tmp_path: Path) -> None:
    for name, rounds in (("monday", 3), ("tuesday", 5)):
        story(rounds).tape(tmp_path / name)
    with connect(tmp_path / "monday", tmp_path / "tuesday") as connection:
        found = rows(connection, "select tape, max(seq) + 1, count(*) from records group by tape order by tape")
        assert [row[0] for row in found] == ["monday", "tuesday"]
        assert all(row[1] == row[2] for row in found)
        assert rows(connection, "select distinct tape from gaps order by tape") == [("monday",), ("tuesday",)]
    shutil.copytree(tmp_path / "monday", tmp_path / "other" / "monday")
    with connect(tmp_path / "monday", tmp_path / "other" / "monday") as connection:
        assert len(rows(connection, "select distinct tape from records")) == 2
    with pytest.raises(TapeError, match="twice"):
        connect(tmp_path / "monday", tmp_path / "." / "monday")


def test_gaps_and_trust_are_those_of_the_fold(tmp_path: Path) -> None:
    with connect(story().tape(tmp_path / "tape").path) as connection:
        gaps = rows(connection, "select reason, opened_seq, closed_seq, expected, got from gaps order by number")
        assert [gap[0] for gap in gaps] == ["sequence", "reconnect"]
        first = gaps[0]
        inside = rows(connection, "select trusted from deltas where seq = ?", first[1])
        assert inside == [(False,)]
        before = rows(connection, "select bool_and(trusted) from deltas where seq < ?", first[1])
        assert before == [(True,)]
        assert rows(connection, "select count(*) from trades where not trusted") == [(0,)]
        candles = rows(connection, "select trades, trusted from ohlc('KXTEST-A', '1s')")
        assert candles
        assert rows(connection, "select count(*) from connections") == [(2,)]


def test_lag_is_in_milliseconds_by_the_receivers_clock_and_may_be_negative(tmp_path: Path) -> None:
    script = Script().session().opened().subscribed(2, "trade")
    for ahead_ns in (-250 * MILLI, 40 * MILLI):
        exchange_ms = (script.now_ns + ahead_ns) // MILLI
        msg = {"trade_id": f"t{exchange_ms}", "market_ticker": "KXTEST-A", "yes_price_dollars": "0.4000",
               "no_price_dollars": "0.6000", "count_fp": "1.00", "taker_side": "yes", "ts_ms": exchange_ms}  # fmt: skip
        script.frame({"type": "trade", "sid": 2, "msg": msg})
    with connect(script.stop().tape(tmp_path / "tape").path) as connection:
        for view in ("messages", "frames", "trades"):
            found = rows(connection, f"select lag_ms from {view} where exchange_us is not null order by seq")
            assert found == [(250.0,), (-40.0,)]
        assert rows(connection, "select frames, least_ms, p50_ms, most_ms from lag('1h')") == [
            (2, -40.0, 105.0, 250.0)
        ]  # fmt: skip


def test_what_has_no_book_is_trusted_while_no_gap_that_may_concern_it_is_open(tmp_path: Path) -> None:
    told = StoredGap("disk_full", markets=("KXTEST-A",))
    script = Script().session().opened().subscribed(2, "trade").subscribed(3, "ticker")

    def tell(market: str) -> None:
        ticker = {"market_ticker": market, "yes_bid_dollars": "0.4000", "yes_ask_dollars": "0.4100"}
        script.trade(market, "0.4000", "1.00").frame({"type": "ticker", "sid": 3, "msg": ticker})

    tell("KXTEST-A")
    script.put(Kind.GAP_OPEN, encode_payload(told), 0)
    tell("KXTEST-A")
    tell("KXTEST-B")
    script.put(Kind.GAP_CLOSE, encode_payload(told), 0)
    tell("KXTEST-A")
    with connect(script.stop().tape(tmp_path / "tape").path) as connection:
        for view in ("trades", "tickers"):
            found = rows(connection, f"select market, trusted from {view} order by seq")
            assert found == [("KXTEST-A", True), ("KXTEST-A", False), ("KXTEST-B", True), ("KXTEST-A", True)]
        for market, trusted in (("KXTEST-A", [True, False, True]), ("KXTEST-B", [True])):
            assert rows(connection, "select trusted from ohlc(?, '1ms')", market) == [(is_one,) for is_one in trusted]


def test_a_strategys_decisions_have_their_outcomes(tmp_path: Path) -> None:
    tape = make_tape(tmp_path / "tape", lived())
    with connect(tape.path) as connection:
        found = rows(connection, "select number, cause, action, market, outcome, price_e4 from decisions order by seq")
        assert len(found) == sum(r.kind == Kind.DECISION for r in tape.records())
        assert {row[2] for row in found} >= {"place"}
        assert any(row[4] == "done" for row in found)


def test_rest_and_what_it_tells_of_markets(tmp_path: Path) -> None:
    market = {"ticker": "KXTEST-A", "event_ticker": "KXTEST", "status": "active", "title": "Will it?"}
    call = RestCall("GET", "/trade-api/v2/markets/KXTEST-A", 200, answer=json.dumps({"market": market}), took_ns=MILLI)
    script = story(2).put(Kind.REST, encode_payload(call), 0).put(Kind.REST, b"{ no json", 0)
    with connect(script.tape(tmp_path / "tape").path) as connection:
        assert rows(connection, "select method, status, took_ms from rest limit 1") == [("GET", 200, 1.0)]
        told = rows(connection, "select title, status, trades, traded_e2 from markets where market = 'KXTEST-A'")
        assert told[0][:2] == ("Will it?", "active")


def test_filters_and_columns_reach_the_files(tmp_path: Path) -> None:
    with connect(story().tape(tmp_path / "tape").path) as connection:
        query = "explain select price_e4 from trades where market = 'KXTEST-A' and seq > 100"
        plan = "".join(rows(connection, query)[0][1].split())
    assert "READ_PARQUET" in plan
    for pushed in ("market='KXTEST-A'", "seq>100", "type='trade'"):
        assert pushed in plan.replace("│", ""), pushed
    assert "payload" not in plan and "exchange_us" not in plan and "_refused" not in plan


@pytest.mark.parametrize(
    ("query", "most"),
    [
        ("select count(*) from deltas where seq > 100 and seq < 110", 1),
        (f"select tape, count(*) from frames where at_ns < {START_NS + 50 * MILLI} group by all", 5),
        ("select time, price from trades where market = 'KXTEST-A'", 7),
        ("from ohlc('KXTEST-A')", 7),
        ("select count(*) from snapshots where market = 'KXTEST-Z'", 0),
    ],
)
def test_row_groups_that_cannot_have_a_row_are_not_read(tmp_path: Path, query: str, most: int) -> None:
    with connect(story().tape(tmp_path / "tape", segment_records=20).path) as connection:
        plan = rows(connection, f"explain analyze {query}")[0][1]
    found = [(int(scanned), int(of)) for scanned, of in re.findall(r"Row Groups Scanned: (\d+) / (\d+)", plan)]
    read = [groups for groups in found if groups != (1, 1)]  # the table of tapes
    assert {of for _, of in read} == {10}
    assert max(scanned for scanned, _ in read) <= most
    assert "payload" not in plan


def test_a_book_needs_no_more_than_its_snapshot_and_what_follows(tmp_path: Path) -> None:
    with connect(story().tape(tmp_path / "tape", segment_records=20).path) as connection:
        plan = rows(connection, "explain analyze from book_at('KXTEST-A')")[0][1]
        ((seq,),) = rows(connection, "select max(seq) from snapshots where market = 'KXTEST-A'")
        assert f"seq > {seq}" in " ".join(plan.split())
    assert "Row Groups Scanned: 4 / 10" in plan
    assert "payload" not in plan


def test_a_tape_that_is_written_is_asked_as_it_is_now(tmp_path: Path) -> None:
    writer = TapeWriter.create(tmp_path / "tape", "demo", session())
    try:
        for number in range(50):
            writer.append(Kind.FRAME, record(number).payload, 1)
        with connect(tmp_path / "tape") as connection:
            assert rows(connection, "select count(*), max(seq) from records") == [(51, 50)]
            assert rows(connection, "select ended, unsealed from tapes") == [("recording", 51)]
    finally:
        writer.close()


@pytest.mark.parametrize("name", ["m", "t", "b", "markets"])
@pytest.mark.parametrize("macro", ["bbo", "book_at", "spread", "ohlc", "depth"])
def test_a_macro_takes_a_column_whatever_its_table_is_called(story_tape: Path, macro: str, name: str) -> None:
    with connect(story_tape) as connection:
        joined = f"select {name}.market, count(*) from markets {name}, {macro}({name}.market) found group by all"
        found = dict(rows(connection, joined))
        markets = [market for (market,) in rows(connection, "select market from markets")]
        counts = {market: rows(connection, f"select count(*) from {macro}(?)", market)[0][0] for market in markets}
    assert found == {market: count for market, count in counts.items() if count}
    assert found


@pytest.mark.parametrize("moment", ["between two files", "before the hot log"])
def test_what_is_sealed_while_a_tape_is_looked_at_is_there_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    options = WriterOptions(sync_interval_s=0.01, roll_bytes=1 << 20, reserve_bytes=0)
    writer = TapeWriter.create(tmp_path / "tape", "demo", session(), options=options)
    file, tables = cut._file, Tape.tables

    def append(times: int = 3) -> None:
        for number in range(times):
            writer.append(Kind.FRAME, record(number).payload, 1)
        writer.roll()
        writer.seal_all()

    def sealing_file(*arguments: Any) -> Path:
        append()
        return file(*arguments)

    def sealing_tables(*arguments: Any, **options: Any) -> Any:
        append()
        return tables(*arguments, **options)

    try:
        append()
        append()
        if moment == "between two files":
            monkeypatch.setattr(cut, "_file", sealing_file)
        else:
            monkeypatch.setattr(Tape, "tables", sealing_tables)
        found = take(tmp_path / "tape")
        monkeypatch.undo()
        sealed = sum(pq.read_metadata(path).num_rows for path in found.files)
        assert (sealed, found.hot.column("seq").to_pylist()) == (7, list(range(7, found.last_seq + 1)))
        assert found.last_seq == 6 + (6 if moment == "between two files" else 3)
    finally:
        writer.close()


@pytest.mark.parametrize("name", ["it's", 'say "x"', "a*[b]?", "x; drop view records; --", "ünïcode"])
def test_a_tapes_name_is_nothing_but_a_name(tmp_path: Path, name: str) -> None:
    story(2).tape(tmp_path / "plain")
    shutil.copytree(tmp_path / "plain", tmp_path / name)
    (tmp_path / "axb1").mkdir()
    with connect(tmp_path / name) as connection:
        assert rows(connection, "select distinct tape from records") == [(name,)]
        assert rows(connection, "select count(*) > 0 from bbo('KXTEST-A')") == [(True,)]
        assert rows(connection, "select count(*) from gaps") == [(2,)]


@pytest.mark.parametrize("market", ["X'; drop view records; --", "../../etc/passwd", 'a"b', "{rows}", "%s", "\x1b[2J"])
def test_a_ticker_is_nothing_but_a_text(tmp_path: Path, market: str) -> None:
    script = Script().session().opened().subscribed().snapshot(market, [("0.4000", "1.00")], []).stop()
    with connect(script.tape(tmp_path / "tape").path) as connection:
        assert rows(connection, "select market from markets") == [(market,)]
        assert rows(connection, "select price_e4 from book_at(?)", market) == [(4000,)]
        assert rows(connection, "select bid_e4 from bbo(?)", market) == [(4000,)]
        assert rows(connection, "select count(*) from records") == [(5,)]


def test_a_segment_that_leads_out_of_the_tape_is_refused(tmp_path: Path) -> None:
    tape = story(2).tape(tmp_path / "tape")
    file = tape.path / tape.segments[0].file
    file.rename(tmp_path / "elsewhere.parquet")
    file.symlink_to(tmp_path / "elsewhere.parquet")
    with pytest.raises(TapeDamaged, match="leads out of the tape's directory"):
        connect(tape.path)
    file.unlink()
    with pytest.raises(TapeDamaged, match="is missing"):
        connect(tape.path)
    file.write_bytes(b"short")
    with pytest.raises(TapeDamaged, match="has 5 bytes where"):
        take(tape.path)


def test_errors_are_duckdbs_and_name_what_there_is(tmp_path: Path) -> None:
    with connect(story(2).tape(tmp_path / "tape").path) as connection:
        with pytest.raises(SqlError, match=r"(?s)recrods does not exist.*views: .*deltas.*macros: book_at"):
            ask(connection, "select * from recrods")
        with pytest.raises(SqlError, match="syntax error") as caught:
            ask(connection, "selec 1")
        assert names() not in str(caught.value)
        for query, words in (
            ("from book_at('X', 'yesterday')", "'yesterday' is not a time"),
            ("from ohlc('KXTEST-A', 'often')", "often"),
            ("from depth('KXTEST-A', '1ns')", "instants"),
            ("select seq_at('nowhere', 'end')", "no tape 'nowhere' here"),
        ):
            with pytest.raises(SqlError, match=words):
                relation = ask(connection, query)
                assert relation is not None
                list(batches(relation)[1])


def test_words_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    story(1).tape(tmp_path / "one")
    story(1).tape(tmp_path / "two")
    monkeypatch.chdir(tmp_path)
    one, two = Path("one"), Path("two")
    assert split(["one", "select 1"]) == ([one], "select 1")
    assert split(["o*", "two", "from trades"]) == ([one, two], "from trades")
    assert split([str(tmp_path / "*")]) == ([tmp_path / "one", tmp_path / "two"], None)
    for words, said in ((["select 1"], "name a tape"), (["three"], "three: no tape"), (["three", "select 1"], "three")):
        with pytest.raises(Exception, match=said):
            split(words)


def test_arrow_comes_without_a_detour(tmp_path: Path) -> None:
    with connect(story().tape(tmp_path / "tape").path) as connection:
        table = connection.sql("select seq, price_e4, market from deltas order by seq").to_arrow_table()
        assert table.schema.types == [pa.int64(), pa.int32(), pa.string()]
        reader = connection.sql("select seq from records order by seq").to_arrow_reader(50)
        assert next(batch.num_rows for batch in reader) <= 50
        polars = pytest.importorskip("polars", reason="polars is not installed")
        assert polars.from_arrow(table)["seq"].to_list() == table.column("seq").to_pylist()


def test_instants_are_found_in_every_session(tmp_path: Path) -> None:
    tape = story().tape(tmp_path / "tape")
    with connect(tape.path) as connection:
        assert rows(connection, "select seq_at('tape', ?), seq_at('tape', 'end')", START_NS - 1)[0][0] == -1
        assert rows(connection, "select seq_at('tape', timestamp '2026-08-11 01:00:00.002')") == [(2,)]
        assert rows(connection, "select seq_at('tape', '2026-08-10 21:00:00.002 ET')") == [(2,)]


def test_what_views_are_made_of_is_not_listed_beside_them(tmp_path: Path) -> None:
    with connect(story(2).tape(tmp_path / "tape").path) as connection:
        listed = [name for (name,) in rows(connection, "show tables")]
        assert listed == sorted([*(view.name for view in VIEWS), "help"])


def test_a_cursor_sees_what_its_connection_does(tmp_path: Path) -> None:
    with connect(story(2).tape(tmp_path / "tape").path) as connection, connection.cursor() as cursor:
        for query in ("from tapes", "from gaps order by number", "from book_at('KXTEST-A')", "from help"):
            assert rows(cursor, query) == rows(connection, query) != []


def test_tapes_whose_names_differ_by_case_alone_are_two(tmp_path: Path) -> None:
    writers = [TapeWriter.create(tmp_path / name, "demo", session()) for name in ("Monday", "monday")]
    try:
        for writer, count in zip(writers, (3, 5), strict=True):
            for number in range(count):
                writer.append(Kind.FRAME, record(number).payload, 1)
        with connect(tmp_path / "Monday", tmp_path / "monday") as connection:
            found = rows(connection, "select tape, count(*) from records group by tape order by tape")
            assert found == [("Monday", 4), ("monday", 6)]
            assert rows(connection, "select tape, count(*) from connections group by tape order by tape") == [
                ("Monday", 1), ("monday", 1)
            ]  # fmt: skip
    finally:
        for writer in writers:
            writer.close()
