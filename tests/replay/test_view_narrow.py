"""replay.view.narrow, milestones: a market stepped for its own sake is what it is when everything is stepped."""

import random
from pathlib import Path
from typing import Any

import pytest
from sample_tapes import Script, make_tape
from wild import MARKETS, busy, wild

from capture.tape.reader import Tape
from core.records import Coverage, Kind, Record, decode_session, encode_payload
from replay.player import Player
from replay.view import narrow, stands
from replay.view.answers import book_answer
from replay.view.milestones import Milestones
from replay.view.pages import Pages
from replay.view.scout import Scout
from replay.view.stands import Stands
from replay.view.watched import Watched


def upset(records: list[Record], dice: random.Random, *, filtered: bool = False) -> list[Record]:
    """The same with frames that came twice, late or never, and, if it is wanted, of a recording of some markets."""
    held = list(records)
    for _ in range(len(held) // 12):
        place = dice.randrange(2, len(held))
        if held[place].kind != Kind.FRAME:
            continue
        turn = dice.randrange(4)
        if turn == 0:
            held.insert(place, held[place])
        elif turn == 1:
            del held[place]
        else:
            held.insert(min(place + dice.randrange(1, 40), len(held)), held.pop(place))
    if filtered:
        held = [_filtered(record) if record.kind == Kind.SESSION else record for record in held]
    at_ns = sorted(record.at_ns for record in held)
    return [
        Record(seq, at_ns[seq], 0, record.connection, record.kind, record.payload) for seq, record in enumerate(held)
    ]


def _filtered(record: Record) -> Record:
    session = decode_session(record.payload)
    coverage = Coverage(connections=False, control=False, filtered=True)
    changed = type(session)(session.uuid, session.environment, coverage=coverage)
    return Record(record.seq, record.at_ns, record.mono_ns, record.connection, record.kind, encode_payload(changed))


def truth(tape: Tape, seqs: set[int]) -> dict[tuple[int, str], dict[str, Any]]:
    """Every market at these records, by the byte path from the beginning."""
    player, found = Player(tape, "bytes", checkpoint_records=0), {}
    for seq in sorted(seqs):
        player.advance(until_seq=seq)
        for market in MARKETS:
            found[seq, market] = book_answer(player, market)
    return found


def require_equal(tape: Tape, dice: random.Random, looks: int = 60) -> Stands:
    """The players of a tape, wherever they were asked to stand, in any order."""
    scout = Scout(Watched.open(tape.path))
    scout.prepare()
    while scout.step():
        pass
    seqs = {dice.randrange(tape.manifest.next_seq) for _ in range(looks)}
    expected = truth(tape, seqs)
    found = Stands(Pages(scout.tape), scout.milestones)
    for seq, market in dice.sample(sorted(expected), len(expected)):
        player = found.at(seq, market, dice.choice(("cursor", "chart")))
        assert book_answer(player, market) == expected[seq, market], (seq, market)
    return found


@pytest.fixture(name="close")
def _close(monkeypatch: pytest.MonkeyPatch) -> None:
    """States are kept, and milestones stand, every few records."""
    monkeypatch.setattr(stands, "KEPT_EVERY", 16)
    monkeypatch.setattr(stands, "STEP_BACK", 7)
    monkeypatch.setattr(stands, "SPACING", 32)
    monkeypatch.setattr("replay.view.scout.Milestones", lambda: Milestones(32))


@pytest.mark.usefixtures("close")
@pytest.mark.parametrize("seed", range(6))
def test_a_market_is_the_same_whatever_happens_to_the_others(seed: int, tmp_path: Path) -> None:
    dice = random.Random(seed)
    script = wild(seed, 120, sessions=1 + seed % 2)
    require_equal(script.tape(tmp_path / "tape", segment_records=dice.choice((50, 1_000))), dice)


@pytest.mark.usefixtures("close")
@pytest.mark.parametrize("seed", range(6))
def test_also_where_frames_come_twice_late_or_never(seed: int, tmp_path: Path) -> None:
    dice = random.Random(seed)
    records = upset(wild(100 + seed, 100, sessions=1 + seed % 2).records, dice, filtered=seed % 3 == 2)
    require_equal(make_tape(tmp_path / "tape", records, segment_records=150), dice)


def test_where_too_much_is_out_of_order_everything_is_stepped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(narrow, "MOST_BREAKS", 2)
    dice = random.Random(5)
    found = require_equal(make_tape(tmp_path / "tape", upset(wild(7, 100).records, dice)), dice)
    assert any(player._market is None for player in found._players.values())


def test_a_jump_leaves_the_other_markets_alone(tmp_path: Path) -> None:
    tape = busy(400).tape(tmp_path / "tape")
    found = Stands(Pages(Watched.open(tape.path)), Milestones())
    player = found.at(390, MARKETS[1], "cursor")
    assert player.store.markets() == MARKETS[1:2]
    assert player.store.view(MARKETS[1]).trusted
    assert player.engine.connections.views() != ()


def test_what_was_passed_over_is_known_to_the_connections(tmp_path: Path) -> None:
    tape = busy(300).tape(tmp_path / "tape")
    whole = Player(tape, "bytes", checkpoint_records=0)
    whole.advance(until_seq=250)
    found = Stands(Pages(Watched.open(tape.path)), Milestones()).at(250, MARKETS[0], "cursor")
    found.kept(MARKETS[0])
    numbers = [
        [(view.is_open, view.heard_ns, [(s.sid, s.last_seq) for s in view.subscriptions]) for view in player.views()]
        for player in (whole.engine.connections, found.engine.connections)
    ]
    assert numbers[0] == numbers[1]


def quiet_market(script: Script) -> Script:
    """Two books, of which the first changes a few times and is then left alone."""
    script.session().opened().subscribed(1)
    for market in MARKETS[:2]:
        script.snapshot(market, [("0.4000", "10.00")], [("0.5000", "7.00")])
    for market in (MARKETS[0],) * 5 + (MARKETS[1],) * 5:
        script.delta(market, "yes", "0.4000", "1.00")
    return script


def trusted(tape: Tape, seq: int) -> bool:
    return Stands(Pages(Watched.open(tape.path)), Milestones()).at(seq, MARKETS[0], "x").store.view(MARKETS[0]).trusted


def test_a_frame_that_another_market_lost_may_have_been_this_ones(tmp_path: Path) -> None:
    script = quiet_market(Script()).skip()
    before = len(script.records) - 1
    tape = (
        script.delta(MARKETS[1], "yes", "0.4000", "1.00")
        .delta(MARKETS[1], "yes", "0.4000", "1.00")
        .tape(tmp_path / "tape")
    )
    assert [trusted(tape, seq) for seq in (before, before + 1, before + 2)] == [True, False, False]


def test_a_silence_of_this_market_is_none_while_others_are_heard(tmp_path: Path) -> None:
    script = quiet_market(Script())
    for _ in range(40):
        script.wait(2 * 10**9).delta(MARKETS[1], "yes", "0.4000", "1.00")
    script.delta(MARKETS[0], "yes", "0.4000", "1.00")
    before = len(script.records) - 1
    script.wait(40 * 10**9).delta(MARKETS[1], "yes", "0.4000", "1.00").delta(MARKETS[1], "yes", "0.4000", "1.00")
    tape = script.tape(tmp_path / "tape")
    assert [trusted(tape, seq) for seq in (before - 1, before, before + 1, before + 2)] == [True, True, False, False]
    require_equal(tape, random.Random(0))


def test_a_silence_is_noticed_by_whoever_speaks_first(tmp_path: Path) -> None:
    script = quiet_market(Script()).wait(40 * 10**9)
    tape = script.delta(MARKETS[1], "yes", "0.4000", "1.00").tape(tmp_path / "tape")
    assert not trusted(tape, tape.manifest.next_seq - 1)


def test_milestones_are_thinned_evenly_when_they_take_too_much() -> None:
    kept = Milestones(10, most_bytes=50)
    for number in range(1, 13):
        if not (10 * number) % kept.spacing:
            kept.add(10 * number - 1, b"x" * 10)
    assert kept.spacing == 40
    assert [kept.nearest(seq) for seq in (38, 39, 100, 10**6)] == [
        None, (39, b"x" * 10), (79, b"x" * 10), (119, b"x" * 10),
    ]  # fmt: skip
