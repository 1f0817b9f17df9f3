"""A tape taken apart and put together again: all of it, and less of it."""

import random
from pathlib import Path

import pytest
from cuts import cut_of, middle_of
from fixture_tapes import fixture_tape
from sample_tapes import make_tape, story

from capture.tape.errors import TapeError
from core.actions import decode_decision
from core.base import from_json
from core.engine import Engine
from core.records import Kind, Record, decode_session
from replay.cut import Selection
from replay.fixture import parts as taken
from replay.fixture.parts import LEVELS, Part, Parts, What, grouped


def said(records: list[Record]) -> list[tuple[int, int, int, int, bytes]]:
    """What records say, their numbers apart."""
    return [(r.at_ns, r.mono_ns, r.connection, r.kind, r.payload) for r in records]


def test_all_parts_make_the_same_tape(tmp_path: Path) -> None:
    tape = fixture_tape("run-1", tmp_path)
    parts = Parts(tape)
    before, after = said(list(tape.records())), said(parts.records(parts.all))
    assert [n for n in range(len(before) - 1) if after[n] != before[n]] == []  # the last one is the end
    assert [record.seq for record in parts.records(parts.all)] == list(range(tape.head_seq + 1))


def test_a_tape_of_some_parts_begins_with_their_session_and_ends_cleanly(tmp_path: Path) -> None:
    parts = Parts(story(rounds=4).tape(tmp_path / "tape"))
    frames = [part for part in parts.all if part.market == "KXTEST-B"]
    made = parts.records(frames)
    assert [record.kind for record in made] == [Kind.SESSION, *[Kind.FRAME] * len(frames), Kind.CLEAN_STOP]
    assert all(b"KXTEST-B" in record.payload for record in made[1:-1])
    assert [record.kind for record in parts.records([])] == [Kind.SESSION, Kind.CLEAN_STOP]


def test_of_two_sessions_the_one_is_there_whose_records_are(tmp_path: Path) -> None:
    script = story(rounds=2)
    again = [*script.records[:-1], *script.records]
    tape = make_tape(tmp_path / "twice", [Record(n, *said([record])[0]) for n, record in enumerate(again)])
    parts = Parts(tape)
    assert len(grouped(parts.all, LEVELS[0])) == 2
    last = parts.all[-1]
    assert [record.payload for record in parts.records([last])][:1] == [again[len(script.records) - 1].payload]


def test_decisions_still_point_at_their_causes(tmp_path: Path) -> None:
    tape = fixture_tape("run-1", tmp_path)
    parts, old = Parts(tape), list(tape.records())
    dice = random.Random(3)
    kept = [part for part in parts.all if part.kind != "FRAME_PING" and dice.random() < 0.7]
    made = parts.records(kept)
    place = {said([record])[0]: record.seq for record in made}
    decided = [decode_decision(record.payload) for record in made if record.kind == Kind.DECISION]
    before = [decode_decision(part_of(part, old).payload) for part in kept if part.kind == "DECISION"]
    assert len(decided) == len(before) > 20
    for now, then in zip(decided, before, strict=True):
        cause = place.get(said([old[then.cause]])[0])
        assert cause is None or now.cause == cause
        assert now.cause <= then.cause


def part_of(part: Part, records: list[Record]) -> Record:
    return records[part.seq]


def test_the_state_that_a_cut_begins_with_can_be_left_out_piece_by_piece(tmp_path: Path) -> None:
    script = story(rounds=12)
    cut = cut_of(script.tape(tmp_path / "tape"), tmp_path, Selection(*middle_of(script, 0.3, 0.6)))
    parts = Parts(cut)
    state = [part for part in parts.all if part.what is not What.RECORD]
    assert [(part.what, part.market) for part in state] == [
        (What.STATE, ""), (What.PAST, ""), (What.MARKET, "KXTEST-A"), (What.MARKET, "KXTEST-B"),
    ]  # fmt: skip
    for absent in state:
        made = parts.records([part for part in parts.all if part != absent])
        base = decode_session(made[0].payload).base
        engine = Engine()
        for record in made:
            engine.step(record)
        if absent.what is What.STATE:
            assert base is None
            continue
        markets = from_json(base).store.markets
        assert len(markets) == 2 - (absent.what is What.MARKET)
        assert absent.market not in [entry.view.market for entry in markets]
        has_past = any(entry.view.trades or entry.view.prices for entry in markets)
        assert has_past == (absent.what is not What.PAST)
    without = parts.records([part for part in parts.all if part.what is not What.MARKET])
    assert from_json(decode_session(without[0].payload).base).store.markets == ()


def test_levels_go_from_sessions_to_single_parts(tmp_path: Path) -> None:
    parts = Parts(story(rounds=4).tape(tmp_path / "tape"))
    counts = [len(grouped(parts.all, level)) for level in LEVELS]
    assert counts == sorted(counts) and counts[0] == 1 and counts[-1] == len(parts.all)
    assert [len(grouped(parts.all, level)) for level in LEVELS[:3]] == [1, 3, 3]
    for level in LEVELS:
        assert parts.joined(grouped(parts.all, level)) == list(parts.all)


def test_each_selection_has_a_name_of_its_own(tmp_path: Path) -> None:
    tape = story(rounds=2).tape(tmp_path / "tape")
    parts = Parts(tape)
    names = {parts.name([part for part in parts.all if part != absent]) for absent in parts.all}
    assert len(names) == len(parts.all)
    assert Parts(tape).name(parts.all) == parts.name(parts.all)
    assert Parts(tape).digest() == parts.digest() != Parts(story(rounds=3).tape(tmp_path / "other")).digest()


def test_a_decoder_that_raises_is_no_hindrance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tape = story(rounds=2).tape(tmp_path / "tape")

    def broken(payload: bytes) -> None:
        raise ZeroDivisionError(payload)

    monkeypatch.setattr(taken, "decode", broken)  # what is hunted may be a fault in there
    parts = Parts(tape)
    assert {part.market for part in parts.all} == {""}
    assert len(parts.records(parts.all)) == tape.head_seq + 1


def test_a_tape_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tape = story(rounds=2).tape(tmp_path / "tape")
    monkeypatch.setattr(taken, "MAX_RECORDS", 10)
    with pytest.raises(TapeError, match=r"holds 28 records; shrink takes up to 10: `tapedeck cut`"):
        Parts(tape)
