"""The feed: the same records by bytes and by columns, one by one and many at once by the machine."""

import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
from copies import EACH_COPY, LongWay, needs_compiled
from fates import FATES, UUID, Scribe, records_of, usual_records
from hypothesis import given, settings
from hypothesis import strategies as st
from imported import RECORDINGS, tape_of
from sample_tapes import MILLI, SECOND, START_NS, Script, make_tape, story
from tapes import but_the_longest, needs_tapes

from capture.tape.reader import Tape
from core import store
from core.cells import H_STOP, NEVER
from core.engine import Engine
from core.messages import BookDelta
from core.records import Coverage, Kind, Record, Session, encode_payload
from core.runs import END, UNDONE
from core.state import digest
from replay import Player
from replay.feed import ByColumns, Bytes


def by_machine(tape: Tape, *, is_compiled: bool = True) -> Player:
    """A player of columns whose engine is run by this copy, however short the tape."""
    player = Player(tape, "columns")
    player.engine = Engine(is_compiled=is_compiled)
    return player


def advance(player: Player, until_ns: int | None = None, until_seq: int | None = None) -> int:
    """`Player.advance`, by the machine also where it is not compiled."""
    from_seq = player.position
    last_ns, last_seq = NEVER if until_ns is None else until_ns, NEVER if until_seq is None else until_seq
    while player.stride(last_ns, last_seq) != END:
        player.step()
    return player.position - from_seq


# ------------------------------------------------------------------ one by one


@pytest.mark.parametrize("feed_of", [Bytes, ByColumns])
def test_the_next_record_is_here_until_it_is_stepped_or_skipped(tmp_path: Path, feed_of: Any) -> None:
    script = story(rounds=4)
    feed, engine = feed_of(script.tape(tmp_path / "tape", segment_records=7), 0), Engine()
    for record in script.records:
        found = feed.here()
        assert found == feed.here(dense=False)
        assert found is not None
        assert (found[0].seq, found[0].at_ns, found[0].kind) == (record.seq, record.at_ns, record.kind)
        if record.seq < 20:
            feed.stepped(engine, engine.step(*found))
        else:
            feed.skip()
    assert feed.here() is None


@pytest.mark.parametrize("feed_of", [Bytes, ByColumns])
def test_it_begins_at_any_record(tmp_path: Path, feed_of: Any) -> None:
    tape = story(rounds=4).tape(tmp_path / "tape", segment_records=7)
    for seq in (0, 6, 7, 8, 20):
        found = feed_of(tape, seq).here()
        assert found is not None and found[0].seq == seq


def test_of_a_row_whose_columns_hold_it_all_there_is_a_message_and_no_payload(tmp_path: Path) -> None:
    script = Script().session().snapshot("A", [("0.4000", "1.00")], []).delta("A", "yes", "0.4000", "1.00")
    script.frame({"type": "novelty", "sid": 9, "msg": {}})
    feed = ByColumns(script.tape(tmp_path / "tape"), 2)
    found = feed.here()
    assert found is not None and isinstance(found[1], BookDelta) and found[0].payload == b""
    feed.skip()
    found = feed.here()
    assert found is not None and found[1] is None and found[0].payload == script.records[3].payload


# ------------------------------------------------------------------ many at once


@EACH_COPY
def test_the_machine_stops_at_what_is_for_python_and_goes_on_behind_it(tmp_path: Path, is_compiled: bool) -> None:
    script = story(rounds=4)
    feed, engine = ByColumns(script.tape(tmp_path / "tape", segment_records=7), 0), Engine(is_compiled=is_compiled)
    by_hand = []
    while (why := feed.run(engine, NEVER, NEVER)) != END:
        assert why == engine.memory.plain[H_STOP] == UNDONE
        found = feed.here(dense=False)
        assert found is not None
        by_hand.append(found[0].seq)
        feed.stepped(engine, engine.step(*found))
    assert feed.here() is None
    assert engine.next_seq == len(script.records)
    assert by_hand[:6] == [0, 1, 2, 3, 4, 5]  # how it all begins
    assert len(by_hand) < len(script.records) * 0.7
    assert digest(engine) == digest_of(Player(script.tape(tmp_path / "again")))


@EACH_COPY
def test_the_record_before_a_stop_is_at_hand(tmp_path: Path, is_compiled: bool) -> None:
    script = story(rounds=4)
    feed, engine = ByColumns(script.tape(tmp_path / "tape"), 0), Engine(is_compiled=is_compiled)
    for last in range(len(script.records)):
        while feed.run(engine, NEVER, last) != END:
            found = feed.here()
            assert found is not None
            feed.stepped(engine, engine.step(*found))
        record, message = feed.before()
        assert record.seq == last
        assert (message is None) == (record.payload != b"" or record.kind != Kind.FRAME)


def digest_of(player: Player) -> str:
    player.advance()
    return player.state_digest()


@EACH_COPY
@given(fate=FATES, segment=st.sampled_from((5, 30, 1_000)), stops=st.lists(st.integers(1, 40), min_size=1))
@settings(max_examples=30, deadline=None)
def test_whatever_happens_every_path_leads_to_the_same_state(
    is_compiled: bool, fate: Any, segment: int, stops: list[int]
) -> None:
    records = records_of(fate)
    with tempfile.TemporaryDirectory() as directory:
        tape = make_tape(Path(directory) / "tape", records, segment_records=segment)
        by_bytes, one_by_one, many = Player(tape), Player(tape, "columns"), by_machine(tape, is_compiled=is_compiled)
        by_bytes.engine = LongWay()
        seq = -1
        while not by_bytes.finished:
            seq += stops[seq % len(stops)]
            by_bytes.advance(until_seq=seq)
            for _ in one_by_one.play(until_seq=seq):
                pass
            advance(many, until_seq=seq)
            assert many.position == one_by_one.position == by_bytes.position
            assert many.state_digest() == one_by_one.state_digest() == by_bytes.state_digest()
            assert many.engine.counts == by_bytes.engine.counts
            assert many.now_ns == by_bytes.now_ns
        assert (many.finished, advance(many)) == (True, 0)


@EACH_COPY
@given(fate=FATES, segment=st.sampled_from((5, 1_000)), spans_ns=st.lists(st.integers(0, 9 * MILLI), min_size=1))
@settings(max_examples=30, deadline=None)
def test_every_path_stops_at_the_same_instant(is_compiled: bool, fate: Any, segment: int, spans_ns: list[int]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        tape = make_tape(Path(directory) / "tape", records_of(fate), segment_records=segment)
        by_bytes, many = Player(tape), by_machine(tape, is_compiled=is_compiled)
        until_ns, turn = START_NS, 0
        while not by_bytes.finished and turn < 60:
            until_ns += spans_ns[turn % len(spans_ns)] + MILLI
            turn += 1
            by_bytes.advance(until_ns=until_ns)
            advance(many, until_ns=until_ns)
            assert many.position == by_bytes.position
            assert many.state_digest() == by_bytes.state_digest()


@EACH_COPY
@pytest.mark.parametrize("wall_ns", [-5 * SECOND, 5 * SECOND])
@pytest.mark.parametrize("mono_ns", [1, 400 * SECOND])
def test_an_instant_before_a_session_in_the_middle_of_a_batch_is_not_passed(
    tmp_path: Path, is_compiled: bool, wall_ns: int, mono_ns: int
) -> None:
    records = story(rounds=4, mono=True).records
    for record in story(rounds=4, mono=True).records:  # another process: its monotonic clock began elsewhere
        at_ns = record.at_ns + SECOND + wall_ns
        records.append(type(record)(len(records), at_ns, record.mono_ns + mono_ns, *_rest_of(record)))
    tape = make_tape(tmp_path / "tape", records)
    by_bytes, many = Player(tape), by_machine(tape, is_compiled=is_compiled)
    for until_ns in range(START_NS, START_NS + 60 * SECOND, SECOND // 2):
        by_bytes.advance(until_ns=until_ns)
        advance(many, until_ns=until_ns)
        assert many.position == by_bytes.position
        assert many.state_digest() == by_bytes.state_digest()
    assert by_bytes.finished and many.finished


def _rest_of(record: Any) -> tuple[int, int, bytes]:
    return record.connection, record.kind, record.payload


def crowd(count: int, seed: int) -> list[Record]:
    """Records of 30 markets on one connection, of which any may come next."""
    scribe, dice = Scribe(mono=False), random.Random(seed)
    for deed in (("session", Coverage(), False, 0), ("begun", 1, False)):
        scribe.do(deed)
    for _ in range(count):
        market, price = f"M{dice.randrange(30)}", dice.choice(("0.4000", "0.4001"))
        scribe.do(dice.choice((
            ("snapshot", 1, 1, "next", market, [(price, "5.00")], [("0.5000", "5.00")], {}),
            ("delta", 1, 1, "next", market, "yes", price, "1.00", {}),
            ("trade", 1, "next", market, UUID.format(dice.randrange(2**40)), price, False, {}),
            ("trade", 1, "next", market, f"odd {dice.randrange(2**40)}", price, False, {}),
            ("ticker", 1, market, {"yes_bid_dollars": price, "market_id": dice.choice("mn")}, 0),
        )))  # fmt: skip
    return scribe.records


@EACH_COPY
def test_markets_are_forgotten_alike_and_take_nothing_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_compiled: bool
) -> None:
    monkeypatch.setattr(store, "MAX_MARKETS", 8)
    records = crowd(1_200, 4)
    payload = encode_payload(Session("a-uuid", "test"))
    records.append(Record(len(records), records[-1].at_ns + 1, 0, 0, Kind.SESSION, payload))
    tape = make_tape(tmp_path / "tape", records, segment_records=500)
    alone, many = Player(tape), by_machine(tape, is_compiled=is_compiled)
    forgotten = alone.store.shuffles
    for last in range(0, len(records) - 1, 50):
        alone.advance(until_seq=last)
        advance(many, until_seq=last)
        assert many.state_digest() == alone.state_digest()
        assert len(alone.store.markets()) <= 8
    assert alone.store.shuffles - forgotten > 300
    alone.advance()
    advance(many)
    fresh = Engine(is_compiled=is_compiled)
    fresh.step(records[-1])
    assert many.engine.memory.used == alone.engine.memory.used == fresh.memory.used


@EACH_COPY
def test_a_market_whose_id_changes_within_a_batch_keeps_to_the_new_one(tmp_path: Path, is_compiled: bool) -> None:
    scribe = Scribe(mono=False)
    for deed in (("session", Coverage(), False, 0), ("begun", 1, False)):
        scribe.do(deed)
    for turn, market_id in enumerate("mmmnmmnnnm"):
        scribe.do(("ticker", 1, "A", {"yes_bid_dollars": f"0.{4_000 + turn}", "market_id": market_id}, 0))
    tape = make_tape(tmp_path / "tape", scribe.records, segment_records=12)
    alone, many = Player(tape), by_machine(tape, is_compiled=is_compiled)
    for last in range(len(scribe.records)):
        alone.advance(until_seq=last)
        advance(many, until_seq=last)
        assert many.state_digest() == alone.state_digest()


@EACH_COPY
def test_between_strides_records_may_be_played_one_by_one(tmp_path: Path, is_compiled: bool) -> None:
    records = usual_records(1_500, 5)
    tape = make_tape(tmp_path / "tape", records, segment_records=400)
    many, alone = by_machine(tape, is_compiled=is_compiled), Player(tape)
    for last in range(60, len(records) + 60, 60):
        advance(many, until_seq=last - 20)
        assert sum(1 for _ in many.play(until_seq=last)) == min(last, len(records) - 1) - min(
            last - 20, len(records) - 1
        )
        alone.advance(until_seq=last)
        assert many.state_digest() == alone.state_digest()


@needs_compiled
def test_players_that_take_turns_do_not_share_the_memory_of_their_rows(tmp_path: Path) -> None:
    tapes = []
    for price, more in (
        ("0.3000", "1.00"),
        ("0.4000", "2.00"),
    ):  # alike but for that, so that rows of one fit the other
        script = Script().session().opened().subscribed().snapshot("KXTEST-A", [(price, "5.00")], [])
        for _ in range(20):
            script.delta("KXTEST-A", "yes", price, more)
        tapes.append(script.tape(tmp_path / price))
    alone, by_turns = ([by_machine(tape) for tape in tapes] for _ in range(2))
    for player in alone:
        advance(player)
    for seq in range(tapes[0].head_seq + 1):
        for player in by_turns:
            advance(player, until_seq=seq)
    assert [player.state_digest() for player in by_turns] == [player.state_digest() for player in alone]
    assert [player.store.view("KXTEST-A").yes for player in by_turns] == [((3_000, 2_500),), ((4_000, 4_500),)]


@needs_compiled
def test_a_long_tape_is_played_by_the_machine_and_leaves_the_checkpoints_it_should(tmp_path: Path) -> None:
    records = usual_records(3_000, 11)
    tape = make_tape(tmp_path / "tape", records, segment_records=700)
    many = Player(tape, "columns", checkpoint_records=500)
    many.engine = Engine(is_compiled=True)
    assert many.advance() == len(records)
    for last in (499, 1_000, 2_999):
        quick, alone = Player(tape, "columns", start="checkpoint", checkpoint_records=0), Player(tape)
        quick.advance(until_seq=last)
        alone.advance(until_seq=last)
        assert quick.state_digest() == alone.state_digest()


@needs_tapes
@needs_compiled
@pytest.mark.parametrize("name", but_the_longest(RECORDINGS))
def test_a_recording_gives_one_state_by_every_path(name: str) -> None:
    tape = tape_of(name)
    plain, alone, many = (
        Player(tape, checkpoint_records=0),
        Player(tape, "columns", checkpoint_records=0),
        by_machine(tape),
    )
    plain.engine, alone.engine = LongWay(), Engine(is_compiled=True)
    for last in range(20_000, tape.manifest.next_seq + 20_000, 20_000):
        plain.advance(until_seq=last)
        for _ in alone.play(until_seq=last):
            pass
        many.advance(until_seq=last)
        assert plain.state_digest() == alone.state_digest() == many.state_digest()
    assert plain.finished and alone.finished and many.finished
    assert plain.engine.counts == alone.engine.counts == many.engine.counts
