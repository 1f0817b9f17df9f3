"""Answers as table, CSV, JSON and Parquet, and the command that gives them."""

import csv
import io
import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from console import Cli, assert_refused, console
from sample_tapes import Script, story


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs `tapedeck` with these arguments in this process."""
    return console(capsys, monkeypatch)


@pytest.fixture
def tape(tmp_path: Path) -> str:
    """A tape with trades and gaps."""
    return str(story().tape(tmp_path / "tape", segment_records=40).path)


LAST_OF_BOOKS = "select max(at_ns) as at_ns from records where type like 'orderbook_%'"
QUERY = "select seq, time, price, trade_id, is_block, [seq, 1] as list, null as nothing from trades order by seq"


def test_one_answer_in_every_form(cli: Cli, tape: str, tmp_path: Path) -> None:
    objects = json.loads(cli("sql", tape, QUERY, "--json").out)
    lines = list(csv.DictReader(io.StringIO(cli("sql", tape, QUERY, "--as", "csv").out)))
    assert cli("sql", tape, QUERY, "--out", str(tmp_path / "a.parquet")).code == 0
    table = pq.read_table(tmp_path / "a.parquet")
    assert len(objects) == len(lines) == table.num_rows == 16
    assert objects[0]["time"].endswith("Z") and objects[0]["time"] == lines[0]["time"]
    assert [int(line["seq"]) for line in lines] == [o["seq"] for o in objects] == table.column("seq").to_pylist()
    assert (lines[0]["price"], objects[0]["price"], lines[0]["nothing"]) == ("0.4550", 0.455, "")
    assert objects[0]["list"] == json.loads(lines[0]["list"])
    shown = cli("sql", tape, QUERY, "--rows", "3").out.splitlines()
    assert shown[0].split()[:3] == ["seq", "time", "price"]
    assert shown[-1] == "(16 rows, 13 of them not shown)"
    assert len(shown) == 6


def test_a_file_is_never_written_over(cli: Cli, tape: str, tmp_path: Path) -> None:
    out = tmp_path / "a.csv"
    assert cli("sql", tape, QUERY, "--out", str(out)).code == 0
    before = out.read_text()
    assert_refused(cli("sql", tape, QUERY, "--out", str(out)), "exists already")
    assert (out.read_text(), sorted(p.name for p in tmp_path.iterdir())) == (before, ["a.csv", "tape"])


def test_nothing_a_tape_holds_reaches_the_terminal_as_a_command(cli: Cli, tmp_path: Path) -> None:
    script = Script().session().frame(b'{"type":"\x1b]0;owned\x07"}').stop()
    place = str(script.tape(tmp_path / "tape").path)
    out = cli("sql", place, "select payload from frames").out
    assert "\x1b" not in out and "\\x1b" in out


def test_what_cannot_be_answered_is_said_in_words(cli: Cli, tape: str, tmp_path: Path) -> None:
    refused = cli("sql", tape, "from trads")
    assert (refused.code, refused.out) == (2, "")
    assert "Table with name trads does not exist" in refused.err and "views: connections, decisions" in refused.err
    assert_refused(cli("sql", str(tmp_path), "from trades"), "no tape is there")
    assert_refused(cli("sql", "select 1"), "name a tape")
    assert cli("sql", tape, QUERY, "--json", "--as", "csv").code == 2
    assert cli("sql", tape, QUERY, "--as", "parquet").code == 2
    out = tmp_path / "all.tsv"
    framed = cli("sql", tape, QUERY, "--out", str(out)).err.replace(
        "│", " "
    )  # where its lines break is the path's doing
    assert "the name says no form" in " ".join(framed.split())
    assert not out.exists()
    assert cli("sql", tape, QUERY, "--out", str(out), "--as", "csv").code == 0
    said = cli("sql", tape, "from book_at('KXTEST-A', '18:50 ET')").err
    assert said.startswith("tapedeck: '18:50 ET' is not a time")


def test_a_plan_is_shown_as_it_is_drawn(cli: Cli, tape: str) -> None:
    lines = cli("sql", tape, "explain select price_e4 from trades where seq > 100").out.splitlines()
    assert len(lines) > 5 and max(map(len, lines)) > 20
    assert any("READ_PARQUET" in line for line in lines) and any("seq>100" in line.replace(" ", "") for line in lines)


def test_an_empty_answer_is_one(cli: Cli, tape: str) -> None:
    assert json.loads(cli("sql", tape, "from trades where false", "--json").out) == []
    assert cli("sql", tape, "from orders").out.splitlines()[-1] == "(0 rows)"
    assert cli("sql", tape, "create table mine as from trades").code == 0


def test_a_table_shows_six_places_and_the_other_forms_all(cli: Cli, tape: str) -> None:
    query = "select 1::double / 3 as third, 2::double / 3e9 as small, 2026.5::double as plain"
    assert cli("sql", tape, query).out.splitlines()[2].split() == ["0.333333", "6.66667e-10", "2026.5"]
    assert json.loads(cli("sql", tape, query, "--json").out)[0] == {"third": 1 / 3, "small": 2 / 3e9, "plain": 2026.5}


def test_a_market_that_the_tapes_do_not_have_is_said_so_beside_the_answer(cli: Cli, tape: str) -> None:
    for query in (
        "from book_at('KXTEST-AA')",
        "from ohlc( 'kxtest-aa', '1s')",
        "select count(*) from trades where market='KXTEST-AA'",
        "from bbo(ticker := 'KXTEST-AA')",
    ):
        found = cli("sql", tape, query, "--as", "csv")
        assert found.code == 0 and found.out, query
        assert re.fullmatch(
            r"tapedeck: no market (KXTEST-AA|kxtest-aa) on these tapes; near it: KXTEST-A.*\n", found.err
        ), query
    far = cli("sql", tape, "from trades where market = 'it''s' or market = 'KXTEST-A'").err
    assert far == "tapedeck: no market it's on these tapes; there are 2 markets, see `tapedeck info`\n"
    for query in ("from book_at('KXTEST-A')", "from trades where market = 'KXTEST-B'", "select 'market'"):
        assert cli("sql", tape, query).err == "", query


def test_a_market_that_a_cut_only_carries_is_one(cli: Cli, tape: str, tmp_path: Path) -> None:
    ((until,),) = [(row["at_ns"] + 1,) for row in json.loads(cli("sql", tape, LAST_OF_BOOKS, "--json").out)]
    assert cli("cut", tape, "--from", str(until), "--out", str(tmp_path / "cut")).code == 0
    asked = cli("sql", str(tmp_path / "cut"), "select count(*) as levels from book_at('KXTEST-B')", "--json")
    assert json.loads(asked.out)[0]["levels"] > 0
    assert asked.err == ""


def test_a_market_named_like_a_command_to_the_terminal_is_shown_as_text(cli: Cli, tmp_path: Path) -> None:
    market = "KX\x1b]0;owned\x07A"
    script = Script().session().opened().subscribed().snapshot(market, [("0.4000", "1.00")], []).stop()
    place = str(script.tape(tmp_path / "tape").path)
    said = [cli("info", place), cli("book", place, market), cli("book", place, "KX]0;OWNEDA")]
    said.append(cli("sql", place, "from book_at('KX]0;OWNEDA')"))
    for found in said:
        assert "\\x1b]0;owned" in found.out + found.err
        assert "\x1b" not in found.out + found.err
