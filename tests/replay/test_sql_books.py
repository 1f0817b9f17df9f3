"""Books made by SQL from columns alone are the books that the store keeps, at any instant of any tape."""

import random
from pathlib import Path
from typing import Any

import pytest
from imported import RECORDINGS, tape_of
from sample_tapes import MILLI, SECOND, START_NS, Script, story
from tapes import but_the_longest, needs_tapes
from wild import MARKETS, wild

from capture.tape.reader import Tape
from core.commands import subscribe
from core.money import DOLLAR
from core.records import Kind
from replay import Player
from replay.books import markets_of
from replay.cut import Selection, cut
from replay.sql import connect

Book = tuple[bool, tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]


SEEDS = (pytest.param(0, marks=pytest.mark.slow), pytest.param(1, marks=pytest.mark.slow), 2)


def by_sql(connection: Any, market: str, at_ns: int) -> Book:
    """(trusted, yes, no), ascending."""
    rows = connection.execute(
        "select side, price_e4, size_e2, trusted from book_at(?, ?) order by price_e4", [market, at_ns]
    ).fetchall()
    seq = "select bool_or(trusted(tape, ?, seq_at(tape, ?))) from tapes"
    trusted = connection.execute(seq, [market, at_ns]).fetchone()[0]
    assert {row[3] for row in rows} <= {trusted}
    yes, no = (tuple((price, size) for of, price, size, _ in rows if of == side) for side in ("yes", "no"))
    return trusted, yes, no


def by_store(tape: Tape, instants: list[int]) -> list[dict[str, Book]]:
    """The books of all markets at rising instants."""
    player, markets, found = Player(tape, "bytes"), markets_of(tape), []
    for at_ns in instants:
        player.advance(until_ns=at_ns)
        views = {market: player.store.view(market) for market in markets}
        found.append({market: (view.trusted, view.yes, view.no) for market, view in views.items()})
    return found


def compare(tape: Tape, seed: int, count: int) -> int:
    """Hold books equal at so many random instants, the ends included; how many had a level."""
    dice = random.Random(seed)
    records = [(record.at_ns, record.seq) for record in tape.records()]
    first, last = records[0][0], max(at_ns for at_ns, _ in records)
    instants = [first - 1, last, *(dice.choice(records)[0] for _ in range(count // 2))]
    instants = sorted([*instants, *(dice.randrange(first, last + SECOND) for _ in range(count - len(instants)))])
    filled = 0
    with connect(tape.path) as connection:
        for at_ns, books in zip(instants, by_store(tape, instants), strict=True):
            for market in dice.sample(sorted(books), min(2, len(books))):
                assert by_sql(connection, market, at_ns) == books[market], f"seed {seed}: {market} at {at_ns}"
                filled += bool(books[market][1] or books[market][2])
    return filled


@needs_tapes
@pytest.mark.parametrize("name", but_the_longest(RECORDINGS))
def test_books_equal_the_stores_on_real_tapes(name: str) -> None:
    assert compare(tape_of(name), seed=len(name), count=4)


@needs_tapes
@pytest.mark.slow
@pytest.mark.parametrize("name", RECORDINGS)
def test_books_equal_the_stores_at_a_thousand_instants(name: str) -> None:
    assert compare(tape_of(name), seed=7, count=1_000) > 500


@pytest.mark.parametrize("seed", SEEDS)
def test_books_equal_the_stores_whatever_happens(tmp_path: Path, seed: int) -> None:
    tape = wild(seed, rounds=120, sessions=1 + seed % 3).tape(tmp_path / "tape", segment_records=50)
    assert compare(tape, seed, count=5)


def test_books_equal_the_stores_on_a_cut_which_begins_with_books(tmp_path: Path) -> None:
    whole = story().tape(tmp_path / "tape", segment_records=30)
    cut(whole, tmp_path / "cut", Selection(START_NS + 40 * MILLI, START_NS + 90 * MILLI))
    assert compare(Tape.open(tmp_path / "cut"), 1, count=6)


def troubled() -> Script:
    """A level that loses more than it has, another subscription's deltas, a size that cannot be, a second session."""
    script = Script().session().opened().subscribed(1).subscribed(2)
    script.snapshot("KXTEST-A", [("0.4000", "10.00"), ("0.3900", "5.00")], [("0.5000", "7.00")])
    script.delta("KXTEST-A", "yes", "0.4000", "2.00").delta("KXTEST-A", "yes", "0.4000", "-50.00")
    script.delta("KXTEST-A", "yes", "0.4000", "3.00").delta("KXTEST-A", "no", "0.5000", "1.00", sid=2)
    script.delta("KXTEST-A", "no", "0.5000", "9000000000000.00").delta("KXTEST-A", "no", "0.5000", "9000000000000.00")
    script.snapshot("KXTEST-A", [("0.4100", "1.00")], [])
    script.session().opened().subscribed(1).delta("KXTEST-A", "yes", "0.4100", "1.00")
    return script.snapshot("KXTEST-A", [("0.2000", "4.00")], []).stop()


def test_books_equal_the_stores_where_deltas_make_no_sense(tmp_path: Path) -> None:
    tape = troubled().tape(tmp_path / "tape")
    assert compare(tape, 3, count=10)
    with connect(tape.path) as connection:
        reasons = connection.execute("select refused from deltas where refused is not null order by seq").fetchall()
    assert [reason for (reason,) in reasons] == ["negative_size", "not_owner", "excessive_size", "no_snapshot"]


def on_the_yes_scale() -> Script:
    """A subscription that has prices for no on the yes scale, and one that does not."""
    script = Script().session().opened(1)
    script.put(Kind.SENT, subscribe(1, "orderbook_delta", ["KXTEST-A"], use_yes_price=True), 1).subscribed(1)
    script.snapshot("KXTEST-A", [("0.4000", "10.00")], [("0.4600", "7.00")])
    script.delta("KXTEST-A", "no", "0.4700", "2.00").delta("KXTEST-A", "yes", "0.4100", "1.00")
    script.put(Kind.SENT, subscribe(2, "orderbook_delta", ["KXTEST-B"], use_yes_price=False), 1).subscribed(2)
    return script.snapshot("KXTEST-B", [], [("0.3000", "1.00")], sid=2).delta("KXTEST-B", "no", "0.3100", "1.00", sid=2)


def test_books_equal_the_stores_on_either_scale(tmp_path: Path) -> None:
    tape = on_the_yes_scale().tape(tmp_path / "tape")
    assert compare(tape, 2, count=6)
    with connect(tape.path) as connection:
        asked = "select market, price_e4 from deltas where side = 'no' order by seq"
        assert connection.execute(asked).fetchall() == [("KXTEST-A", DOLLAR - 4700), ("KXTEST-B", 3100)]
    cut(tape, tmp_path / "cut", Selection(START_NS + 5 * MILLI, START_NS + 9 * MILLI))
    assert compare(Tape.open(tmp_path / "cut"), 1, count=6)


def tops_of(tape: Tape) -> dict[str, list[tuple[Any, ...]]]:
    """What `bbo` gives of each market, by stepping the store."""
    found: dict[str, list[tuple[Any, ...]]] = {market: [] for market in markets_of(tape)}
    player = Player(tape, "bytes")
    for record, step in player.play():
        told = getattr(step.message, "market", "")
        # Nothing else changes the book of another market but a gap or a new session.
        for market in found if step.gaps or record.kind == Kind.SESSION else {told} & set(found):
            view, rows = player.store.view(market), found[market]
            bid, ask = view.yes_bid or (None, None), view.yes_ask or (None, None)
            row = (*bid, *ask, view.trusted)
            if (rows or view.book_ns) and (not rows or rows[-1][1:] != row):
                rows.append((record.seq, *row))
    return found


BBO = "select seq, bid_e4, bid_size_e2, ask_e4, ask_size_e2, trusted from bbo(?) order by seq"


@pytest.mark.parametrize("seed", SEEDS)
def test_best_prices_equal_the_stores_whatever_happens(tmp_path: Path, seed: int) -> None:
    tape = wild(100 + seed, rounds=120, sessions=1 + seed % 3).tape(tmp_path / "tape", segment_records=50)
    with connect(tape.path) as connection:
        for market, rows in tops_of(tape).items():
            assert connection.execute(BBO, [market]).fetchall() == rows, f"seed {seed}: {market}"


@needs_tapes
def test_best_prices_equal_the_stores_on_a_real_tape() -> None:
    tape = tape_of("btc15m/short-30s")
    market = markets_of(tape)[0]
    with connect(tape.path) as connection:
        assert connection.execute(BBO, [market]).fetchall() == tops_of(tape)[market]


def test_depth_is_what_rests_at_each_instant(tmp_path: Path) -> None:
    for seed, mono in ((1, False), (2, True)):
        tape = wild(seed, rounds=100, sessions=2).tape(tmp_path / f"tape{seed}", segment_records=64)
        with connect(tape.path) as connection:
            asked = (
                "select at_ns, seq, bid_e4, ask_e4, bid_depth_e2, ask_depth_e2, ask_levels, trusted from depth(?, ?)"
            )
            rows = connection.execute(asked, [MARKETS[0], "1s"]).fetchall()
            player = Player(tape, "bytes")
            assert rows, f"seed {seed} {mono}"
            for at_ns, seq, bid, ask, bids, asks, levels, trusted in rows:
                player.advance(until_ns=at_ns)
                view = player.store.view(MARKETS[0])
                found = (view.yes_bid or (None,), view.yes_ask or (None,))
                assert (player.position - 1, found[0][0], found[1][0]) == (seq, bid, ask)
                assert (sum(size for _, size in view.yes), sum(size for _, size in view.no)) == (bids, asks)
                assert (len(view.no), view.trusted, at_ns % SECOND) == (levels, trusted, 0)


def test_where_nobody_recorded_there_is_no_depth_and_no_spread(tmp_path: Path) -> None:
    script = Script().session().opened().subscribed(1)
    script.snapshot("KXTEST-A", [("0.4000", "10.00")], [("0.5000", "7.00")]).wait(3 * SECOND).stop()
    script.wait(86_400 * SECOND).session().opened().subscribed(1)
    script.snapshot("KXTEST-A", [("0.4100", "10.00")], []).wait(2 * SECOND).stop()
    with connect(script.tape(tmp_path / "tape").path) as connection:
        depth = connection.execute("select at_ns, bid_e4 from depth('KXTEST-A', '1s')").fetchall()
        spread = connection.execute("select at_ns, quoted from spread('KXTEST-A', '1s')").fetchall()
    later = START_NS + 3 * SECOND + 86_400 * SECOND
    assert depth == [
        *[(START_NS + number * SECOND, 4000) for number in (1, 2, 3)],
        *[(later + number * SECOND, 4100) for number in (1, 2)],
    ]
    assert [at_ns for at_ns, _ in spread] == [
        *[START_NS + number * SECOND for number in (0, 1, 2, 3)],
        *[later + number * SECOND for number in (0, 1, 2)],
    ]
    assert [quoted for _, quoted in spread] == [1.0] * 4 + [0.0] * 3
