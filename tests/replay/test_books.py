"""Books at an instant and on a grid: what is in them, how they are written, what is refused."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sample_tapes import MILLI, SECOND, START_NS, Script, story

from capture.tape.errors import DiskError, TapeError
from replay import Player, books
from replay.books import Grid, MarketNotFound, book_at, book_every, markets_of


def two_markets() -> Script:
    """A book of A from 1 s on, one of B from 3 s on, changes in between, the end at 5 s."""
    script = Script(step_ns=0).session().opened().subscribed()
    script.wait(SECOND).snapshot("KXTEST-A", [("0.4000", "1.00")], [("0.5500", "2.00")])
    script.wait(SECOND).delta("KXTEST-A", "yes", "0.4125", "3.50")
    script.wait(SECOND).snapshot("KXTEST-B", [], [])
    return script.wait(2 * SECOND).stop()


def test_a_book_holds_everything_received_by_its_instant(tmp_path: Path) -> None:
    tape = two_markets().tape(tmp_path / "tape")
    book = book_at(tape, "KXTEST-A", START_NS + SECOND)
    assert (book.at_ns, book.market, book.trusted) == (START_NS + SECOND, "KXTEST-A", True)
    assert (book.yes, book.no) == (((4000, 100),), ((5500, 200),))
    assert book_at(tape, "KXTEST-A", START_NS + 2 * SECOND).yes == ((4000, 100), (4125, 350))
    assert book_at(tape, "KXTEST-A", START_NS + 2 * SECOND - 1).yes == ((4000, 100),)


def test_the_end_is_the_time_of_the_last_record(tmp_path: Path) -> None:
    book = book_at(two_markets().tape(tmp_path / "tape"), "KXTEST-A", None)
    assert book.at_ns == START_NS + 5 * SECOND
    assert book.yes == ((4000, 100), (4125, 350))


def test_a_market_before_its_first_frame_is_empty_and_not_trusted(tmp_path: Path) -> None:
    tape = two_markets().tape(tmp_path / "tape")
    book = book_at(tape, "KXTEST-B", START_NS + SECOND)
    assert (book.trusted, book.yes, book.no) == (False, (), ())
    assert book_at(tape, "KXTEST-B", START_NS + 3 * SECOND).trusted
    assert not book_at(tape, "KXTEST-A", 0).trusted


def test_an_unknown_market_names_the_nearest(tmp_path: Path) -> None:
    tape = two_markets().tape(tmp_path / "tape")
    with pytest.raises(MarketNotFound, match=r"no market kxtest-c on this tape; near it: KXTEST-"):
        book_at(tape, "kxtest-c", None)
    with pytest.raises(MarketNotFound, match="there are 2 markets"):
        book_at(tape, "???", None)


def test_markets_are_found_in_every_segment(tmp_path: Path) -> None:
    assert markets_of(two_markets().tape(tmp_path / "tape", segment_records=2)) == ["KXTEST-A", "KXTEST-B"]


def grid_of(script: Script, tmp_path: Path, grid: Grid) -> list[dict[str, Any]]:
    out = tmp_path / "grid.parquet"
    report = book_every(script.tape(tmp_path / "tape", segment_records=7), grid, out)
    table = pq.read_table(out)
    assert table.column("time").cast(pa.int64()).equals(table.column("at_ns"))
    rows: list[dict[str, Any]] = table.drop_columns(["time"]).to_pylist()
    assert report.rows == len(rows)
    assert report.instants >= len({row["at_ns"] for row in rows})
    return rows


def test_a_grid_has_a_row_for_each_instant_and_market(tmp_path: Path) -> None:
    rows = grid_of(two_markets(), tmp_path, Grid(every_ns=SECOND))
    places = [((row["at_ns"] - START_NS) // SECOND, row["market"][-1]) for row in rows]
    assert places == [(1, "A"), (2, "A"), (3, "A"), (3, "B"), (4, "A"), (4, "B"), (5, "A"), (5, "B")]


def test_instants_are_multiples_of_the_step(tmp_path: Path) -> None:
    rows = grid_of(two_markets(), tmp_path, Grid(every_ns=700 * MILLI))
    assert {row["at_ns"] % (700 * MILLI) for row in rows} == {0}


def test_a_row_says_what_the_player_says(tmp_path: Path) -> None:
    script = story()
    rows = grid_of(script, tmp_path, Grid(every_ns=3 * MILLI))
    player = Player(script.tape(tmp_path / "again"))
    assert {row["trusted"] for row in rows} == {False, True}
    for row in rows:
        player.advance(until_ns=row["at_ns"])
        view = player.store.view(row["market"])
        assert row["trusted"] == view.trusted
        assert tuple(zip(row["yes_price_e4"], row["yes_size_e2"], strict=True)) == view.yes
        assert tuple(zip(row["no_price_e4"], row["no_size_e2"], strict=True)) == view.no
        assert (row["yes_bid_e4"], row["yes_bid_size_e2"]) == (view.yes_bid or (None, None))
        assert (row["yes_ask_e4"], row["yes_ask_size_e2"]) == (view.yes_ask or (None, None))
        assert row["book_ns"] == (view.book_ns or None)


def test_a_rows_decimals_are_its_whole_numbers(tmp_path: Path) -> None:
    rows = grid_of(story(), tmp_path, Grid(every_ns=3 * MILLI))
    assert any(row["yes_ask"] is None for row in rows)
    for row in rows:
        for name, scale in (("yes_bid", 4), ("yes_ask", 4), ("yes_bid_size", 2), ("yes_ask_size", 2)):
            whole, exact = row[f"{name}_e{scale}"], row[name]
            assert exact == (None if whole is None else Decimal(whole).scaleb(-scale))


def test_a_book_that_lost_its_trust_stands_in_the_grid_as_it_was_left_and_says_so(tmp_path: Path) -> None:
    script = Script(step_ns=0).session().opened().subscribed()
    script.wait(SECOND).snapshot("KXTEST-A", [("0.4000", "1.00")], [])
    script.wait(SECOND).closed().wait(3 * SECOND).opened(2, replaces=1).subscribed(connection=2)
    script.snapshot("KXTEST-A", [("0.4100", "1.00")], [], connection=2).wait(SECOND).stop()
    rows = grid_of(script, tmp_path, Grid(every_ns=SECOND))
    found = [(row["trusted"], row["yes_bid_e4"], (row["book_ns"] - START_NS) // SECOND) for row in rows]
    assert found == [(True, 4000, 1), *[(False, 4000, 1)] * 3, (True, 4100, 5), (True, 4100, 5)]


def test_a_grid_may_be_limited_in_time_and_to_markets(tmp_path: Path) -> None:
    grid = Grid(every_ns=SECOND, from_ns=START_NS + 2 * SECOND, to_ns=START_NS + 4 * SECOND, markets=("KXTEST-B",))
    rows = grid_of(two_markets(), tmp_path, grid)
    assert [(row["at_ns"] - START_NS) // SECOND for row in rows] == [2, 3, 4]
    assert [row["trusted"] for row in rows] == [False, True, True]


def test_a_grid_that_starts_late_knows_the_markets_of_before(tmp_path: Path) -> None:
    rows = grid_of(two_markets(), tmp_path, Grid(every_ns=SECOND, from_ns=START_NS + 4 * SECOND))
    assert [row["market"] for row in rows] == ["KXTEST-A", "KXTEST-B"] * 2


def test_a_new_session_empties_the_books_on_the_grid(tmp_path: Path) -> None:
    script = two_markets().wait(SECOND).session()
    rows = grid_of(script, tmp_path, Grid(every_ns=SECOND))
    assert [(row["market"], row["trusted"], row["yes_price_e4"]) for row in rows][-2:] == [
        ("KXTEST-A", False, []),
        ("KXTEST-B", False, []),
    ]


def test_a_step_longer_than_the_tape_gives_an_empty_grid(tmp_path: Path) -> None:
    assert grid_of(two_markets(), tmp_path, Grid(every_ns=1_000_000 * SECOND)) == []


def test_rows_are_written_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books, "GRID_ROWS", 3)
    rows = grid_of(two_markets(), tmp_path, Grid(every_ns=SECOND))
    assert len(rows) == 8
    assert pq.ParquetFile(tmp_path / "grid.parquet").num_row_groups == 3


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "grid.parquet"
    out.write_bytes(b"mine")
    with pytest.raises(TapeError, match="exists already"):
        book_every(two_markets().tape(tmp_path / "tape"), Grid(every_ns=SECOND), out)
    assert out.read_bytes() == b"mine"


def test_nothing_is_left_of_a_grid_that_fails(tmp_path: Path) -> None:
    tape = two_markets().tape(tmp_path / "tape")
    with pytest.raises(DiskError, match="cannot write the grid"):
        book_every(tape, Grid(every_ns=SECOND), tmp_path / "nowhere" / "grid.parquet")
    with pytest.raises(MarketNotFound):
        book_every(tape, Grid(every_ns=SECOND, markets=("NONE",)), tmp_path / "grid.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["tape"]
