"""A tally goes on from any checkpoint of it as if it had never stopped."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from sample_tapes import MILLI, SECOND, START_NS, Script, story

from core.engine import Engine, Step
from core.messages.types import Side, Trade
from core.records import Coverage, Kind, Record, Session, encode_payload
from replay import open_tape
from replay.cut import Selection, cut
from replay.tally import SILENCE_NS, TALLY_VERSION, Tally

IMPORTED = Coverage(connections=False, control=False, sent=False)


def steps_of(records: list[Record]) -> list[tuple[Record, Step]]:
    engine = Engine()
    return [(record, engine.step(record)) for record in records]


def two_sessions() -> list[Record]:
    """Gaps, silences, a connection that replaces one, one seen in its frames alone, and a second session."""
    script = story()
    script.wait(12 * SECOND).opened(7, replaces=2).ping(7).stop().wait(SECOND)
    script.session(coverage=IMPORTED).skip(5_000).snapshot("KXTEST-C", [("0.4000", "1.00")], [])
    script.skip(-5_001).wait(11 * SECOND).snapshot("KXTEST-C", [("0.4000", "2.00")], [])
    return script.records


def test_a_tally_that_is_loaded_at_any_record_ends_as_one_that_never_stopped() -> None:
    steps = steps_of(two_sessions())
    whole = Tally()
    dumps = []
    for record, step in steps:
        whole.take(record, step)
        dumps.append(whole.dump())
    assert len(whole.sessions) == 2
    assert len(whole.connections) > 3
    assert whole.silences
    assert whole.gaps
    for place, dump in enumerate(dumps):
        tally = Tally.load(dump)
        assert tally is not None
        assert tally.dump() == dump
        for record, step in steps[place + 1 :]:
            tally.take(record, step)
        assert tally.dump() == dumps[-1], f"from record {place}"


def test_what_is_no_tally_of_this_version_is_none() -> None:
    good = Tally().dump()
    assert Tally.load(good) is not None
    _, body = msgspec.msgpack.decode(good)
    assert Tally.load(msgspec.msgpack.encode((TALLY_VERSION + 1, body))) is None
    assert Tally.load(msgspec.msgpack.encode((TALLY_VERSION, body | {"open": {1: 5}}))) is None
    for length in range(len(good)):
        assert Tally.load(good[:length]) is None


def test_a_silence_ends_with_a_frame_or_with_the_tape() -> None:
    script = Script(step_ns=0).session().opened().ping().wait(SILENCE_NS).ping().wait(SILENCE_NS + 1).ping()
    tally = Tally()
    for record, step in steps_of(script.wait(SILENCE_NS + 2).stop().records):
        tally.take(record, step)
    assert [silence.duration_ns for silence in tally.silences] == [SILENCE_NS + 1]
    tally.finish()
    assert [silence.duration_ns for silence in tally.silences] == [SILENCE_NS + 1, SILENCE_NS + 2]


def test_a_tape_without_a_session_has_no_silence() -> None:
    tally = Tally()
    tally.finish()
    assert tally.silences == []


@pytest.mark.parametrize("kind", [Kind.FRAME_PING, Kind.FRAME_PONG, Kind.FRAME_CLOSE])
def test_a_frame_of_any_kind_is_heard(kind: Kind) -> None:
    tally = Tally()
    for record, step in steps_of(Script().session().opened().put(kind, b"", 1).records):
        tally.take(record, step)
    assert [row.frames for row in tally.connections] == [1]
    assert tally.markets == set()


def test_connections_that_a_cut_begins_with_are_carried(tmp_path: Path) -> None:
    tape = story().tape(tmp_path / "tape")
    cut(tape, tmp_path / "cut", Selection(START_NS + 20 * MILLI, START_NS + 30 * MILLI))
    tally, engine = Tally(), Engine()
    for record in open_tape(tmp_path / "cut").records(until_seq=0):
        tally.take(record, engine.step(record))
        tally.carry(engine.connections.views())
    assert [(row.connection, row.opened_ns) for row in tally.connections] == [(1, START_NS + MILLI)]


def test_frames_at_once_are_taken_in_as_one_by_one() -> None:
    """Silences between and before them, connections that were not seen to open, in the order they came."""
    seconds = [(1, 2), (2, 1), (30, 2), (30, 3), (41, 1), (60, 3)]
    single, many = Tally(), Tally()
    for tally in (single, many):
        tally.take(Record(0, 0, 0, 0, Kind.SESSION, encode_payload(Session("u", "test"))), Step(0, None, None, ()))
    for second, connection in seconds:
        record = Record(1, 0, 0, connection, Kind.FRAME, b"")
        message = Trade(sid=1, seq=1, market=f"M{second}", trade_id="t", price=1, count=1, taker=Side.YES)
        single.take(record, Step(second * SECOND, message, None, ()))
    nows, connections = np.array(seconds, np.int64).T
    markets = [f"M{second}" for second, _ in seconds]
    many.take_frames(nows[:4] * SECOND, connections[:4], markets[:3], 30 * SECOND)
    many.take_frames(nows[:0], connections[:0], [], 35 * SECOND)
    many.take_frames(nows[4:] * SECOND, connections[4:], markets[3:], 60 * SECOND)
    assert many.dump() == single.dump()
    assert [silence.duration_ns // SECOND for silence in many.silences] == [28, 11, 19]
    assert [(row.connection, row.frames) for row in many.connections] == [(2, 2), (1, 2), (3, 2)]
