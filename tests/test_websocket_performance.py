"""How much work is done, counted and never timed: what is read, decoded and kept for a frame, a stop, an instant."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from counting import bytes_of, calls_of
from deck import Deck, snapshot, subscribed
from port import Listener, Run
from sample_tapes import MILLI, START_NS, Script, story
from wire import frame

from capture.tape.reader import Tape
from capture.tape.schema import GROUP_ROWS
from core import engine as core_engine
from core import state
from core.changes import Change
from core.messages import BookDelta, Side, decode
from core.messages.hot import delta_numbers
from core.records import Kind, Record
from core.rings import RING_CAPACITY
from core.store import MarketStateStore
from core.trade_ids import MAX_TRADE_IDS
from replay import Player, books, player
from replay.books import Grid, book_every
from replay.cut import Selection, cut
from replay.importer import ImportOptions, import_recording
from replay.summary import summarize
from replay.synthetic import Plan, write_recording


def made_tape(place: Path, frames: int, *, markets: int = 4, segment_rows: int = 1_000) -> Tape:
    """A tape of a made-up recording."""
    place.mkdir(exist_ok=True)
    write_recording(place / "made.jsonl", Plan(frames=frames, markets=markets, seed=frames))
    import_recording([place / "made.jsonl"], place / "tape", ImportOptions(segment_rows=segment_rows))
    return Tape.open(place / "tape")


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every payload that is decoded while the test runs."""
    seen: list[bytes] = []

    def counted(payload: bytes) -> Any:
        seen.append(payload)
        return decode(payload)

    def counted_delta(payload: bytes) -> Any:
        numbers = delta_numbers(payload)
        seen.extend([payload] * (numbers is not None))
        return numbers

    for module in (core_engine, player):
        monkeypatch.setattr(module, "decode", counted)
    monkeypatch.setattr(core_engine, "delta_numbers", counted_delta)
    return seen


def counting_tables(tape: Tape, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rows of every table that the tape hands out from now on."""
    rows: list[int] = []
    honest: Callable[..., Iterator[Any]] = tape.tables

    def counted(*arguments: Any, **options: Any) -> Iterator[Any]:
        for table in honest(*arguments, **options):
            rows.append(table.num_rows)
            yield table

    monkeypatch.setattr(tape, "tables", counted)
    return rows


# ------------------------------------------------------------------ the column path


def test_the_column_path_decodes_only_what_its_columns_do_not_hold(tmp_path: Path, decoded: list[bytes]) -> None:
    script = story()
    Player(script.tape(tmp_path / "tape"), "columns").advance()
    held = (b'{"type":"orderbook_', b'{"type":"trade"')
    frames = [record.payload for record in script.records if record.kind == Kind.FRAME]
    rare = [frame for frame in frames if not frame.startswith(held)]
    assert Counter(decoded) == Counter(rare)
    assert len(rare) < len(script.records) // 20


def test_the_column_path_hands_out_no_payload_of_a_whole_row(tmp_path: Path) -> None:
    tape = made_tape(tmp_path / "made", 3_000)
    table_rows = [row for table in tape.tables(columns=["seq", "complete"]) for row in table.to_pylist()]
    whole = {row["seq"] for row in table_rows if row["complete"]}
    assert len(whole) > 2_900
    for record, _ in Player(tape, "columns").play():
        assert (record.payload == b"") == (record.seq in whole) or record.kind != Kind.FRAME


def test_a_frame_that_follows_a_shape_has_no_stored_payload(tmp_path: Path) -> None:
    tape = made_tape(tmp_path / "made", 3_000)
    kept = sum(table.column("payload").drop_null().nbytes for table in tape.tables(columns=["payload"]))
    whole = sum(len(record.payload) for record in tape.records())
    assert kept < whole / 10


def test_the_byte_path_decodes_each_text_frame_once(tmp_path: Path, decoded: list[bytes]) -> None:
    script = story()
    Player(script.tape(tmp_path / "tape"), "bytes").advance()
    frames = sum(record.kind == Kind.FRAME for record in script.records)
    assert frames <= len(decoded) <= frames + 2  # a market's first delta is looked at twice


# ------------------------------------------------------------------ what is read


def test_a_stop_early_on_the_tape_reads_only_its_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tape = made_tape(tmp_path / "made", 6_000, segment_rows=500)
    rows = counting_tables(tape, monkeypatch)
    Player(tape, "columns").advance(until_seq=600)
    assert rows == [500, 500]


def test_a_whole_replay_reads_each_row_once_however_often_it_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tape = made_tape(tmp_path / "made", 4_000, segment_rows=500)
    rows = counting_tables(tape, monkeypatch)
    stopping = Player(tape, "columns")
    while not stopping.finished:
        stopping.advance(until_seq=stopping.position + 36)
    assert sum(rows) == tape.head_seq + 1


def test_a_checkpoint_saves_reading_what_lies_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tape = made_tape(tmp_path / "made", 6_000, segment_rows=500)
    Player(tape, "columns", checkpoint_records=1_000).advance()
    rows = counting_tables(tape, monkeypatch)
    quick = Player(tape, "columns", start="checkpoint")
    assert quick.advance(until_seq=5_499) == 500
    assert sum(rows) <= 1_000


def test_no_more_than_a_row_group_is_in_memory_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script(step_ns=1).session().opened().subscribed()
    frame = b'{"type":"novelty","sid":1,"msg":{}}'
    first = len(script.records)
    script.records += [Record(first + n, START_NS + n, 0, 1, Kind.FRAME, frame) for n in range(GROUP_ROWS + 5_000)]
    tape = script.tape(tmp_path / "tape")
    rows = counting_tables(tape, monkeypatch)
    Player(tape, "columns", checkpoint_records=0).advance()
    assert max(rows) <= GROUP_ROWS
    assert sum(rows) == len(script.records)


def test_a_player_reads_ahead_by_one_record_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    tape = story().tape(tmp_path / "tape")
    honest = tape.records

    def counted(from_seq: int = 0, until_seq: int | None = None) -> Iterator[Record]:
        for record in honest(from_seq, until_seq):
            taken.append(record.seq)
            yield record

    monkeypatch.setattr(tape, "records", counted)
    stopping = Player(tape)
    stopping.advance(until_ns=START_NS + 20 * MILLI)
    assert len(taken) == stopping.position + 1


# ------------------------------------------------------------------ what is kept


def test_state_does_not_grow_with_the_length_of_a_tape(tmp_path: Path) -> None:
    script = Script().session().opened().subscribed().subscribed(2, "trade")
    script.snapshot("KXTEST-A", [("0.4000", "9.00")], [("0.5000", "9.00")])
    for turn in range(2 * MAX_TRADE_IDS + RING_CAPACITY):  # every memory is full before the first look
        script.trade("KXTEST-A", f"0.{4000 + turn % 1_000:04d}", "1.00")
        if turn % 8 == 0:
            script.delta("KXTEST-A", "yes", f"0.{1000 + turn % 800:04d}", "1.00")
    played = Player(script.tape(tmp_path / "tape"), "columns", checkpoint_records=0)
    sizes = []
    for share in (0.55, 1.0):
        played.advance(until_seq=int(len(script.records) * share))
        sizes.append(len(state.dump(played.engine)))
    assert sizes[1] < 1.04 * sizes[0]  # later trades have longer ids: a digit more


def test_checkpoints_are_left_at_most_once_in_their_interval(tmp_path: Path) -> None:
    tape = made_tape(tmp_path / "made", 5_000)
    for _ in range(2):
        Player(tape, "columns", checkpoint_records=1_000).advance()
    assert len(list(tape.layout.checkpoints.iterdir())) == 5


# ------------------------------------------------------------------ what is made


@pytest.fixture
def views(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The market of every view that is made while the test runs."""
    made: list[str] = []
    honest = MarketStateStore.view

    def counted(asked: MarketStateStore, market: str) -> Any:
        made.append(market)
        return honest(asked, market)

    monkeypatch.setattr(MarketStateStore, "view", counted)
    return made


def test_a_replay_makes_no_view(tmp_path: Path, views: list[str]) -> None:
    tape = story().tape(tmp_path / "tape")
    Player(tape, "columns").advance()
    summarize(tape)
    assert views == []


def test_a_fine_grid_makes_a_view_only_where_something_happened(
    tmp_path: Path, views: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books, "GRID_ROWS", 500)
    script = story()
    report = book_every(script.tape(tmp_path / "tape"), Grid(every_ns=MILLI), tmp_path / "grid.parquet")
    frames = sum(record.kind == Kind.FRAME for record in script.records)
    assert report.rows > 20_000
    assert len(views) <= frames + 2 * 10  # and twice for each market whenever everything may have changed


def test_a_cut_plays_only_up_to_its_end(tmp_path: Path, decoded: list[bytes]) -> None:
    tape = made_tape(tmp_path / "made", 6_000)
    Player(tape, checkpoint_records=1_000).advance()
    decoded.clear()
    times = [record.at_ns for record in tape.records(4_100, 4_200)]
    cut(tape, tmp_path / "cut", Selection(times[0], times[-1]))
    assert len(decoded) < 300


# ------------------------------------------------------------------ what a frame costs, in calls and bytes


class Crowd(NamedTuple):
    """So many books of so many bids each, spread over connections and, within each, over subscriptions."""

    markets: int = 1
    levels: int = 50
    sids: int = 1
    connections: int = 1

    def deck(self) -> Deck:
        """An engine that holds them."""
        deck, numbers = Deck(), Counter[tuple[int, int]]()
        ladder = tuple((1 + 2 * n, 100) for n in range(self.levels))
        for connection in range(1, self.connections + 1):
            deck.opened(connection)
            for sid in range(1, self.sids + 1):
                deck.frame(subscribed(sid), connection=connection)
        for number in range(self.markets):
            connection, sid = 1 + number % self.connections, 1 + number % self.sids
            numbers[connection, sid] += 1
            deck.frame(snapshot(numbers[connection, sid], f"M{number}", ladder, sid=sid), connection=connection)
        return deck

    def frames(self, count: int) -> list[bytes]:
        """Changes of the first book: levels come, grow and go, the best one too."""
        sizes = dict.fromkeys((1 + 2 * n for n in range(self.levels)), 1)
        dice, frames = random.Random(9), list[bytes]()
        first = 1 + self.markets // (self.sids * self.connections)
        for seq in range(first, first + count):
            best = max(sizes)
            price = dice.choice((best, best, best + 2, dice.choice(list(sizes))))
            change = -sizes[price] if price in sizes and len(sizes) > 2 and dice.random() < 0.6 else 1
            sizes[price] = sizes.get(price, 0) + change
            if not sizes[price]:
                del sizes[price]
            msg = {"market_ticker": "M0", "price_dollars": f"0.{price:04}", "delta_fp": f"{change}.00", "side": "yes"}
            frames.append(frame("orderbook_delta", msg, sid=1, seq=seq))
        return frames


def cost(deck: Deck, frames: list[bytes]) -> float:
    """Calls a frame, from its bytes to the change of its book."""

    def work(deck: Deck, frames: list[bytes]) -> None:
        for payload in frames:
            step = deck.engine.step(Record(deck.engine.next_seq, deck.now_ns, 0, 1, Kind.FRAME, payload))
            assert isinstance(step.change, Change), step

    work(Crowd().deck(), Crowd().frames(2))  # loads what is compiled, once a process
    return calls_of(lambda: work(deck, frames)) / len(frames)


def test_a_frame_takes_as_many_calls_however_many_came_before() -> None:
    crowd = Crowd()
    deck, frames = crowd.deck(), crowd.frames(4_000)
    first, *_, early, _, _, late = [cost(deck, frames[start : start + 500]) for start in range(0, 4_000, 500)]
    assert late == pytest.approx(early, rel=0.05)
    assert late < 1.05 * first  # which also made room for what is kept


@pytest.mark.parametrize(
    "crowd",
    [Crowd(levels=2_000), Crowd(markets=2_000, levels=2), Crowd(60, sids=60), Crowd(40, connections=40)],
    ids=str,
)
def test_a_change_of_a_book_takes_as_many_calls_in_a_crowd_as_alone(crowd: Crowd) -> None:
    """The one thing that grows with depth, the search for the next best price, is a single call."""
    alone = Crowd(levels=crowd.levels)
    assert cost(crowd.deck(), crowd.frames(300)) < 1.1 * cost(alone.deck(), alone.frames(300))
    shallow = Crowd(levels=2)
    assert cost(crowd.deck(), crowd.frames(300)) < 1.3 * cost(shallow.deck(), shallow.frames(300))


def test_a_strategy_hears_of_a_change_in_the_same_record_and_at_the_same_cost_among_many_markets() -> None:
    costs = []
    for markets in (2, 400):
        listener = Listener()
        run = Run(listener)
        run.subscribed("orderbook_delta", 1)
        for number in range(markets):
            run.book(f"M{number}", ((4_000, 100),), ((5_000, 100),), seq=number + 1)
        run.go()

        def hear(run: Run = run, listener: Listener = listener, first: int = markets + 1) -> None:
            for seq in range(first, first + 200):
                before = len(listener.heard)
                run.frame(BookDelta(sid=1, seq=seq, market="M1", side=Side.YES, price=4_000, delta=100))
                assert listener.heard[before:] == [("on_book", "M1")]

        costs.append(calls_of(hear))
    assert costs[1] < 1.1 * costs[0]


def test_memory_grows_with_the_markets_and_not_with_the_frames() -> None:
    def followed(markets: int, frames: int) -> Deck:
        crowd = Crowd(markets, levels=20)
        deck = crowd.deck()
        for payload in crowd.frames(frames):
            deck.engine.step(Record(deck.engine.next_seq, deck.now_ns, 0, 1, Kind.FRAME, payload))
        return deck

    few, many = bytes_of(lambda: followed(100, 0)), bytes_of(lambda: followed(400, 0))
    assert many < 4.4 * few
    short, long = bytes_of(lambda: followed(1, 3 * RING_CAPACITY)), bytes_of(lambda: followed(1, 6 * RING_CAPACITY))
    assert long < 1.1 * short
