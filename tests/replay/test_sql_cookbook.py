"""docs/SQL.md: every query of the cookbook runs on real tapes, and the tables of columns are what the views have."""

import re
from pathlib import Path
from typing import Final

import lived
import pytest
from imported import tape_of
from sample_tapes import SECOND, Script, make_tape, story
from tapes import needs_tapes

from replay.books import markets_of
from replay.sql import connect
from replay.sql.macros import MACROS
from replay.sql.session import VIEWS

DOCUMENT: Final = (Path(__file__).resolve().parents[2] / "docs" / "SQL.md").read_text(encoding="utf-8")
COOKBOOK: Final = DOCUMENT.partition("\n## Cookbook\n")[2]
QUERIES: Final = re.findall(r"^```sql\n(.*?)^```$", COOKBOOK, re.MULTILINE | re.DOTALL)
QUESTIONS: Final = re.findall(r"^(\d+)\. ", COOKBOOK, re.MULTILINE)
NOT_ON_REAL: Final = ("from decisions", "from fills")
"""The recordings hold nothing of anybody's own orders."""


def values_of(query: str, market: str) -> dict[str, str]:
    return {name: value for name, value in (("market", market), ("at", "end")) if f"${name}" in query}


def test_there_are_fifteen_questions_each_with_a_query() -> None:
    assert [int(number) for number in QUESTIONS] == list(range(1, 16))
    assert len(QUERIES) >= 15


@needs_tapes
@pytest.mark.parametrize("query", QUERIES)
def test_a_query_of_the_cookbook_answers_on_real_tapes(query: str) -> None:
    gold, bitcoin = tape_of("gold15m/101900-00"), tape_of("btc15m/short-30s")
    market = markets_of(bitcoin)[0] if re.search("depth|bbo|book_at", query) else markets_of(gold)[0]
    with connect(gold.path, bitcoin.path) as connection:
        rows = connection.execute(query, values_of(query, market)).fetchall()
    if "from done t asof" in query:  # a bitcoin market without trades
        return
    own = any(words in query for words in NOT_ON_REAL)
    assert bool(rows) is not (own or "from gaps" in query)


@pytest.mark.parametrize("query", [query for query in QUERIES if any(words in query for words in NOT_ON_REAL)])
def test_a_query_of_the_cookbook_finds_ones_own_orders(tmp_path: Path, query: str) -> None:
    tape = make_tape(tmp_path / "tape", lived.lived())
    with connect(tape.path) as connection:
        rows = connection.execute(query).fetchall()
        assert bool(rows) or connection.execute("select count(*) from fills").fetchone() == (0,)


def test_the_gaps_question_tells_of_gaps(tmp_path: Path) -> None:
    query = next(query for query in QUERIES if "from gaps" in query)
    with connect(story().tape(tmp_path / "tape").path) as connection:
        assert [row[2] for row in connection.execute(query).fetchall()] == ["sequence", "reconnect"]


def test_the_document_lists_the_columns_that_a_view_has(tmp_path: Path) -> None:
    with connect(story(2).tape(tmp_path / "tape").path) as connection:
        for view in VIEWS:
            section = DOCUMENT.partition(f"\n### {view.name}\n")[2].partition("\n#")[0]
            assert section.strip().startswith(view.says[0].upper() + view.says[1:])
            rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", section, re.MULTILINE)
            assert rows == [(column.name, column.says) for column in view.columns]
            described = connection.execute(f"describe {view.name}").fetchall()
            assert [row[0] for row in described] == [column.name for column in view.columns]


def test_the_document_lists_the_macros() -> None:
    listed = re.findall(r"^\| `(\w+)\((.*)\)` \| (.+) \|$", DOCUMENT, re.MULTILINE)
    assert listed == [(macro.name, macro.parameters, macro.says) for macro in MACROS]


def test_a_trade_is_held_against_the_prices_before_the_changes_that_it_made(tmp_path: Path) -> None:
    query = next(query for query in QUERIES if "from done t asof" in query)
    script = Script(step_ns=1_000).session().opened().subscribed().subscribed(2, "trade")
    script.snapshot("KXTEST-A", [("0.4000", "5.00")], [("0.5500", "10.00"), ("0.5000", "7.00")])
    script.wait(SECOND).delta("KXTEST-A", "no", "0.5500", "-10.00").trade("KXTEST-A", "0.4500", "10.00")
    script.wait(SECOND).trade("KXTEST-A", "0.4000", "1.00", taker="no").delta("KXTEST-A", "yes", "0.4000", "-1.00")
    with connect(script.stop().tape(tmp_path / "tape").path) as connection:
        found = connection.execute(query, {"market": "KXTEST-A"}).fetchall()
    assert [(taker, str(price), str(bid), str(ask)) for _, taker, price, _, bid, ask in found] == [
        ("yes", "0.4500", "0.4000", "0.4500"),
        ("no", "0.4000", "0.4000", "0.5000"),
    ]
