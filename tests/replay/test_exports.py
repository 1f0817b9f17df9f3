"""What exports share: books told only while they are trusted, markets and spans, folders that nothing leads out of."""

import re
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from fates import FATES, records_of, usual_records
from hypothesis import HealthCheck, given, settings
from sample_tapes import MILLI, START_NS, Script, make_tape, story
from wild import wild

from capture.tape.errors import DiskError, TapeError
from capture.tape.reader import Tape
from core.changes import Change
from core.engine import Engine
from core.messages.types import Ticker, Trade
from core.money import DOLLAR
from core.records import Kind
from replay.books import MarketNotFound
from replay.cut import Selection, cut
from replay.exports.folder import NAME_LENGTH, Names, new_folder
from replay.exports.terms import Choice
from replay.exports.walk import Changed, Cleared, Happened, Told, Walk, Whole
from replay.exports.writing import FORMATS, export_to

Book = tuple[dict[int, int], dict[int, int]]


def moves_of(tape: Tape, **choice: Any) -> list[Happened]:
    return list(Walk(tape, Choice(**choice)).moves())


def folded(books: dict[str, Book], move: Happened) -> None:
    """What a reader of moves makes of one."""
    match move:
        case Cleared():
            del books[move.market]
        case Whole():
            books[move.market] = dict(move.bids), dict(move.asks)
        case Changed():
            ladder = books[move.market][0 if move.is_bid else 1]
            ladder[move.price] = move.size
            if not move.size:
                del ladder[move.price]
        case Told():
            pass


def trusted_books(engine: Engine) -> dict[str, Book]:
    """The store's trusted books, as books of yes."""
    return {
        market: (dict(state.book.yes.levels()), {DOLLAR - price: size for price, size in state.book.no.levels()})
        for market, state in engine.store.states().items()
        if state.trusted
    }


def hold_equal(tape: Tape) -> Counter[type]:
    """After every record the books that were told are the trusted ones of the store, and no others."""
    moves, engine, books = moves_of(tape), Engine(), dict[str, Book]()
    place = 0
    for record in tape.records():
        step = engine.step(record)
        while place < len(moves) and moves[place].seq == record.seq:
            assert moves[place].now_ns == step.now_ns
            folded(books, moves[place])
            place += 1
        assert books == trusted_books(engine), record
    assert place == len(moves)
    return Counter(type(move) for move in moves)


@pytest.mark.parametrize("seed", [pytest.param(seed, marks=[pytest.mark.slow] * (seed > 0)) for seed in range(8)])
def test_told_books_are_the_trusted_ones_after_every_record(seed: int, tmp_path: Path) -> None:
    kinds = hold_equal(wild(seed, 60, sessions=2).tape(tmp_path / "tape", segment_records=100))
    assert min(kinds[kind] for kind in (Cleared, Whole, Changed, Told)) > 0


def test_told_books_are_the_trusted_ones_where_prices_for_no_are_on_the_yes_scale(tmp_path: Path) -> None:
    records = usual_records(800, seed=3)
    assert any(b'use_yes_price":true' in record.payload for record in records)
    assert hold_equal(make_tape(tmp_path / "tape", records))[Changed] > 200


def _whatever_happens(fate: Any) -> None:
    with TemporaryDirectory() as place:
        hold_equal(make_tape(Path(place) / "tape", records_of(fate)))


@given(FATES)
@settings(max_examples=10, deadline=None)
def test_told_books_are_the_trusted_ones_whatever_happens(fate: Any) -> None:
    _whatever_happens(fate)


@pytest.mark.slow
@given(FATES)
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_told_books_are_the_trusted_ones_whatever_happens_at_length(fate: Any) -> None:
    _whatever_happens(fate)


def test_trades_and_tickers_are_told_as_the_store_took_them_in(tmp_path: Path) -> None:
    script = wild(4, 200)
    tape = script.tape(tmp_path / "tape")
    told = [move for move in moves_of(tape) if isinstance(move, Told)]
    engine = Engine()
    steps = [(record.seq, engine.step(record)) for record in tape.records()]
    expected = [
        (seq, step.message)
        for seq, step in steps
        if isinstance(step.message, Trade | Ticker) and isinstance(step.change, Change)
    ]
    assert [(move.seq, move.message) for move in told] == expected
    assert all(move.exchange_ns == move.message.exchange_ns for move in told if isinstance(move.message, Trade))


def test_what_is_not_told_is_counted(tmp_path: Path) -> None:
    script = Script().session().opened().subscribed(1).subscribed(2, "trade")
    script.delta("KXTEST-A", "yes", "0.4000", "1.00")  # no snapshot yet
    script.snapshot("KXTEST-A", [("0.4000", "5.00")], []).trade("KXTEST-A", "0.4000", "1.00")
    script.put(Kind.FRAME, script.records[-1].payload.replace(b'"seq":1', b'"seq":2'), 1)  # the same trade again
    script.skip().delta("KXTEST-A", "yes", "0.4000", "1.00").delta("KXTEST-A", "yes", "0.4000", "1.00")
    walk = Walk(script.tape(tmp_path / "tape"), Choice())
    kinds = [type(move) for move in walk.moves()]
    assert kinds == [Whole, Told, Cleared]
    assert walk.cleared == 1
    assert walk.left_out == {
        "deltas refused: no_snapshot": 1,
        "trades refused: duplicate_trade": 1,
        "deltas of a book that is not trusted": 2,
    }


def test_a_span_begins_with_the_books_before_it_and_ends_with_its_last_instant(tmp_path: Path) -> None:
    tape = story().tape(tmp_path / "tape", segment_records=40)
    everything = moves_of(tape)
    from_ns, to_ns = START_NS + 20 * MILLI, START_NS + 30 * MILLI
    part = moves_of(tape, from_ns=from_ns, to_ns=to_ns)
    begin = [move for move in part if move.seq == 19]
    assert [(type(move), move.market, move.now_ns) for move in begin] == [
        (Whole, "KXTEST-A", from_ns),
        (Whole, "KXTEST-B", from_ns),
    ]
    assert part[2:] == [move for move in everything if from_ns <= move.now_ns <= to_ns]
    books: dict[str, Book] = {}
    for move in everything:
        if move.now_ns < from_ns:
            folded(books, move)
    found: dict[str, Book] = {}
    for move in begin:
        folded(found, move)
    assert found == books
    assert moves_of(tape, from_ns=START_NS - 1) == everything


def test_only_the_chosen_markets_are_told(tmp_path: Path) -> None:
    tape = story().tape(tmp_path / "tape")
    chosen = moves_of(tape, markets=("KXTEST-B",))
    assert chosen == [move for move in moves_of(tape) if move.market == "KXTEST-B"]
    with pytest.raises(MarketNotFound, match="no market KXTEST-C"):
        Walk(tape, Choice(markets=("KXTEST-C",)))


def test_a_cut_begins_with_the_books_that_it_carries(tmp_path: Path) -> None:
    tape = story().tape(tmp_path / "tape")
    cut(tape, tmp_path / "cut", Selection(START_NS + 20 * MILLI, START_NS + 30 * MILLI))
    part = Tape.open(tmp_path / "cut")
    assert [type(move) for move in moves_of(part)[:2]] == [Whole, Whole]
    hold_equal(part)


# ------------------------------------------------------------------ names and folders

ODD_NAMES = ("", ".", "..", "../../etc/passwd", "/etc/passwd", "a/b", "a\\b", "nul\0l", "~root", "-rf", "A" * 300, "é",
             "con:", "\ud800", " ", "%2E", "KX.99", "line\nfeed", "$(reboot)", "*", "kxtest-a", "KXTEST-A")  # fmt: skip


def test_no_name_leads_out_of_its_folder_and_none_is_given_twice(tmp_path: Path) -> None:
    names = Names()
    given = [names.of(market) for market in ODD_NAMES]
    assert [names.of(market) for market in ODD_NAMES] == given
    assert len({name.lower() for name in given}) == len(ODD_NAMES)
    for name in given:
        assert re.fullmatch(r"[A-Za-z0-9_%-][A-Za-z0-9_.%-]*", name)
        assert len(name) <= NAME_LENGTH + 17
        (tmp_path / name).touch()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(given)
    assert names.of("KXHIGHNY-26NOV27-T81249.99") == "KXHIGHNY-26NOV27-T81249.99"


def test_a_name_that_is_like_a_mended_one_is_kept_apart_too() -> None:
    first = Names()
    first.of("ABC")
    mended = first.of("abc")
    second = Names()
    assert second.of(mended) == mended
    second.of("ABC")
    assert second.of("abc") != mended


def test_a_folder_is_whole_or_not_there(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), new_folder(tmp_path / "out") as folder:
        (folder / "file").write_text("x")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with new_folder(tmp_path / "out") as folder:
        (folder / "file").write_text("x")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    with pytest.raises(TapeError, match="out: exists already; choose another name"), new_folder(tmp_path / "out"):
        pass
    (tmp_path / "next.partial").mkdir()
    with pytest.raises(TapeError, match=r"next\.partial: exists already; an export was broken off"):
        new_folder(tmp_path / "next").__enter__()
    assert (tmp_path / "next.partial").is_dir()
    with pytest.raises(DiskError, match="cannot write the export"), new_folder(tmp_path / "no" / "out"):
        pass


def test_a_format_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'xml' is none of csv, hftbacktest, nautilus"):
        export_to("xml", story().tape(tmp_path / "tape"), tmp_path / "out", Choice())
    assert FORMATS
