"""The player: where it stops, that both paths and every start agree, and what it does at damage."""

from itertools import pairwise
from pathlib import Path

import pytest
from sample_tapes import MILLI, SECOND, START_NS, Script, make_tape, story

from capture.tape import checkpoints
from capture.tape.errors import TapeDamaged
from capture.tape.reader import Tape
from capture.tape.writer import TapeWriter
from core.messages import BookDelta, Malformed
from core.records import Kind, Session
from replay import Player, open_tape
from replay.player import PATHS

EACH_PATH = pytest.mark.parametrize("path", PATHS)


def digest_at_end(tape: Tape, path: str = "bytes") -> str:
    player = Player(tape, path)
    player.advance()
    return player.state_digest()


@EACH_PATH
def test_it_plays_to_the_end_once(tmp_path: Path, path: str) -> None:
    script = story()
    player = Player(script.tape(tmp_path / "tape"), path)
    assert player.advance() == len(script.records)
    assert player.finished
    assert player.advance() == 0
    assert player.now_ns == script.records[-1].at_ns


@EACH_PATH
def test_an_instant_is_included_and_so_is_everything_received_in_it(tmp_path: Path, path: str) -> None:
    script = Script(step_ns=0).session().opened().subscribed()
    script.wait(SECOND).snapshot("KXTEST-A", [("0.4000", "1.00")], [])
    script.delta("KXTEST-A", "yes", "0.4000", "1.00").wait(1).delta("KXTEST-A", "yes", "0.4000", "1.00")
    player = Player(script.tape(tmp_path / "tape"), path)
    player.advance(until_ns=START_NS + SECOND - 1)
    assert player.store.view("KXTEST-A").yes == ()
    player.advance(until_ns=START_NS + SECOND)
    assert player.store.view("KXTEST-A").yes == ((4000, 200),)
    player.advance(until_ns=START_NS + SECOND + 1)
    assert player.store.view("KXTEST-A").yes == ((4000, 300),)


@EACH_PATH
def test_a_seq_is_included(tmp_path: Path, path: str) -> None:
    player = Player(story().tape(tmp_path / "tape"), path)
    assert player.advance(until_seq=6) == 7
    assert player.position == 7
    assert player.advance(until_seq=6) == 0
    assert player.advance(until_seq=3) == 0


@EACH_PATH
def test_of_two_limits_the_first_one_reached_holds(tmp_path: Path, path: str) -> None:
    player = Player(story().tape(tmp_path / "tape"), path)
    assert player.advance(until_ns=START_NS + 4 * MILLI, until_seq=100) == 5
    assert player.advance(until_ns=START_NS + 100 * MILLI, until_seq=6) == 2


@EACH_PATH
def test_wall_time_that_goes_back_does_not_stop_it(tmp_path: Path, path: str) -> None:
    script = Script().session().opened().subscribed()
    script.wait(10 * SECOND).snapshot("KXTEST-A", [("0.4000", "1.00")], [])
    script.wait(-9 * SECOND).delta("KXTEST-A", "yes", "0.4100", "1.00")
    player = Player(script.tape(tmp_path / "tape"), path)
    player.advance(until_ns=START_NS + 5 * SECOND)
    assert player.store.view("KXTEST-A").yes == ()
    player.advance(until_ns=START_NS + 11 * SECOND)
    assert player.store.view("KXTEST-A").yes == ((4000, 100), (4100, 100))


def test_a_monotonic_clock_decides_where_a_tape_has_one(tmp_path: Path) -> None:
    script = Script(mono=True).session().opened().subscribed()
    script.snapshot("KXTEST-A", [("0.4000", "1.00")], [])
    late = script.records[-1]
    script.records[-1] = type(late)(late.seq, late.at_ns + 3_600 * SECOND, late.mono_ns, 1, late.kind, late.payload)
    player = Player(script.tape(tmp_path / "tape"))
    player.advance(until_ns=START_NS + SECOND)
    assert player.store.view("KXTEST-A").yes == ((4000, 100),)


@EACH_PATH
def test_stopping_often_gives_the_same_state_as_never_stopping(tmp_path: Path, path: str) -> None:
    tape = story().tape(tmp_path / "tape", segment_records=17)
    player = Player(tape, path)
    for stop_ns in range(START_NS, tape_end_ns(tape) + 1, 7 * MILLI):
        player.advance(until_ns=stop_ns)
    player.advance()
    assert player.state_digest() == digest_at_end(tape)


def tape_end_ns(tape: Tape) -> int:
    player = Player(tape)
    player.advance()
    return player.now_ns


@EACH_PATH
def test_whoever_breaks_off_goes_on_with_the_next_record(tmp_path: Path, path: str) -> None:
    tape = story().tape(tmp_path / "tape", segment_records=50)
    player = Player(tape, path)
    seen = []
    while not player.finished:
        for record, _ in player.play(until_seq=player.position + 40):
            seen.append(record.seq)
            if record.seq % 13 == 12:
                break
    assert seen == list(range(len(seen)))
    assert player.state_digest() == digest_at_end(tape)


@pytest.mark.parametrize("mono", [False, True])
@pytest.mark.parametrize("segment_records", [1, 16, 1_000])
def test_both_paths_agree_after_every_record(tmp_path: Path, segment_records: int, mono: bool) -> None:
    tape = story(rounds=12, mono=mono).tape(tmp_path / "tape", segment_records=segment_records)
    by_bytes, by_columns = Player(tape, "bytes"), Player(tape, "columns")
    for (left, _), (right, _) in zip(by_bytes.play(), by_columns.play(), strict=True):
        assert left.seq == right.seq
        assert by_bytes.state_digest() == by_columns.state_digest()
    assert by_bytes.decision_digest() == by_columns.decision_digest()


@EACH_PATH
def test_every_checkpoint_leads_to_the_same_end(tmp_path: Path, path: str) -> None:
    tape = story().tape(tmp_path / "tape", segment_records=64)
    expected = digest_at_end(tape)
    writing = Player(tape, path, checkpoint_records=10)
    digests = {}
    for record, _ in writing.play():
        digests[record.seq] = writing.state_digest()
    seqs = [seq for seq in digests if seq % 10 == 9]
    for seq in seqs:
        player = Player(tape, path, start="checkpoint", checkpoint_records=0)
        assert player.advance(until_seq=seq) == 0
        assert player.position == seq + 1
        assert player.state_digest() == digests[seq]
        player.advance()
        assert player.state_digest() == expected
    for first, last in pairwise(seqs):
        player = Player(tape, path, start="checkpoint", checkpoint_records=0)
        assert player.advance(until_seq=last - 1) == last - 1 - first
        assert player.state_digest() == digests[last - 1]


def test_an_instant_is_reached_from_a_checkpoint_before_it_never_after(tmp_path: Path) -> None:
    tape = story().tape(tmp_path / "tape")
    Player(tape, checkpoint_records=10).advance()
    for offset in range(0, 80, 3):
        at_ns = START_NS + offset * MILLI
        plain, quick = Player(tape), Player(tape, start="checkpoint")
        plain.advance(until_ns=at_ns)
        quick.advance(until_ns=at_ns)
        assert quick.state_digest() == plain.state_digest()
        assert quick.position == plain.position


def test_the_hot_log_gives_the_same_state_before_and_after_sealing(tmp_path: Path) -> None:
    script, path = story(), tmp_path / "tape"
    with TapeWriter.create(path, "test", Session("session", "test")) as writer:
        for index, record in enumerate(script.records[1:-1]):
            writer.append(record.kind, record.payload, record.connection)
            if index == 60:
                writer.seal_all()
        hot = {digest_at_end(open_tape(path), which) for which in PATHS}
        assert open_tape(path).head_seq > open_tape(path).manifest.next_seq
        writer.seal_all()
        sealed = {digest_at_end(open_tape(path), which) for which in PATHS}
    assert len(hot | sealed) == 1


def test_a_checkpoint_that_holds_no_state_is_passed_over(tmp_path: Path) -> None:
    tape = story().tape(tmp_path / "tape")
    assert checkpoints.save(tape, 50, START_NS, b"no state")
    player = Player(tape, start="checkpoint")
    assert player.advance(until_seq=50) == 51
    assert player.state_digest() == digest_at_seq(tape, 50)


def digest_at_seq(tape: Tape, seq: int) -> str:
    player = Player(tape)
    player.advance(until_seq=seq)
    return player.state_digest()


def test_a_tape_gets_no_checkpoint_unless_it_is_long(tmp_path: Path) -> None:
    tape = story().tape(tmp_path / "tape")
    Player(tape).advance()
    assert checkpoints.nearest(tape) is None


def test_a_player_that_may_not_leave_checkpoints_leaves_none(tmp_path: Path) -> None:
    tape = story().tape(tmp_path / "tape")
    Player(tape, checkpoint_records=0).advance()
    assert checkpoints.nearest(tape) is None


@EACH_PATH
def test_messages_are_the_same_by_either_path(tmp_path: Path, path: str) -> None:
    script = story()
    tape = script.tape(tmp_path / "tape", segment_records=33)
    found = list(Player(tape, path).messages())
    frames = [record for record in script.records if record.kind == Kind.FRAME]
    assert [record.seq for record, _ in found] == [record.seq for record in frames]
    assert [message for _, message in found] == [message for _, message in Player(tape).messages()]
    assert sum(isinstance(message, BookDelta) for _, message in found) == sum(
        b'"orderbook_delta"' in record.payload and b'"price_dollars"' in record.payload for record in frames
    )
    assert sum(isinstance(message, Malformed) for _, message in found) == 1


@EACH_PATH
def test_records_come_with_their_bytes_wherever_the_player_stands(tmp_path: Path, path: str) -> None:
    script = story()
    player = Player(script.tape(tmp_path / "tape"), path)
    player.advance(until_seq=20)
    assert list(player.records(10)) == script.records[10:]


@EACH_PATH
def test_damage_stops_it_there_and_again_when_asked_again(tmp_path: Path, path: str) -> None:
    script = story()
    script.tape(tmp_path / "tape", segment_records=20)
    damaged = sorted((tmp_path / "tape" / "data").rglob("*.parquet"))[2]
    damaged.write_bytes(damaged.read_bytes()[:-40])
    player = Player(open_tape(tmp_path / "tape"), path)
    for _ in range(2):
        with pytest.raises(TapeDamaged, match=damaged.name):
            player.advance()
        assert player.position == 40
        assert not player.finished


def test_an_empty_tape_is_finished_at_once(tmp_path: Path) -> None:
    player = Player(make_tape(tmp_path / "tape", []))
    assert player.advance() == 0
    assert player.finished
    assert player.now_ns == 0


def test_a_tape_is_opened_by_text_or_path(tmp_path: Path) -> None:
    story(rounds=2).tape(tmp_path / "tape")
    assert open_tape(str(tmp_path / "tape")).head_seq == open_tape(tmp_path / "tape").head_seq


def test_an_unknown_path_or_start_is_refused(tmp_path: Path) -> None:
    tape = story(rounds=2).tape(tmp_path / "tape")
    with pytest.raises(ValueError, match="'row' is none of bytes, columns"):
        Player(tape, "row")
    with pytest.raises(ValueError, match="'middle'"):
        Player(tape, start="middle")
