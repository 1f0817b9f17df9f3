"""What `info` says: counts, connections, gaps and silences of scripted recordings."""

import random
import shutil
import tempfile
from functools import partial
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from imported import tape_of
from sample_tapes import MILLI, SECOND, START_NS, Script, make_tape, story
from seers import needs_numba
from tapes import needs_tapes
from wild import wild

from capture.tape.reader import Tape
from capture.tape.schema import RawBatch
from capture.tape.sealer import commit_segment, write_batch
from core.cells import NEVER
from core.engine import Engine
from core.records import Coverage, Kind
from replay import Player, open_tape, summary, tally
from replay.cut import Selection, cut
from replay.summary import Info, mark, summarize
from replay.tally import SILENCE_NS

FIXTURES = Path(__file__).resolve().parents[2] / "data" / "fixtures"
IMPORTED = Coverage(connections=False, control=False, sent=False)


def info_of(script: Script, tmp_path: Path, segment_records: int = 1_000) -> Info:
    return summarize(script.tape(tmp_path / "tape", segment_records=segment_records))


def test_counts_are_those_of_the_records(tmp_path: Path) -> None:
    script = story()
    info = info_of(script, tmp_path, 50)
    frames = [record for record in script.records if record.kind == Kind.FRAME]
    assert info.records == len(script.records)
    assert info.frames == len(frames)
    assert info.segments == -(-len(script.records) // 50)
    assert info.by_type["trade"] == sum(b'"trade_id"' in frame.payload for frame in frames)
    assert info.by_type["orderbook_snapshot"] == 6
    assert sum(info.malformed.values()) == 1
    assert info.unknown == {"type:novelty": 1}
    assert info.markets == ("KXTEST-A", "KXTEST-B")
    assert info.sessions == 1
    assert info.environment == "test"
    assert info.first_ns == START_NS
    assert info.last_ns == script.records[-1].at_ns
    assert not info.filtered


def test_bytes_are_those_of_the_files(tmp_path: Path) -> None:
    info = info_of(story(), tmp_path)
    held = sum(path.stat().st_size for path in (tmp_path / "tape").rglob("*.parquet"))
    assert held <= info.bytes <= held + 20_000


def test_gaps_are_listed_with_reason_scope_and_times(tmp_path: Path) -> None:
    info = info_of(story(), tmp_path)
    assert [gap["reason"] for gap in info.gaps] == ["sequence", "reconnect"]
    sequence, reconnect = info.gaps
    assert sequence["got"] == sequence["expected"] + 2
    assert (sequence["connection"], sequence["sid"]) == (1, 1)
    assert sequence["markets"] == ("KXTEST-A", "KXTEST-B")
    assert sequence["until_ns"] > sequence["at_ns"]
    assert "expected" not in reconnect
    assert "got" not in reconnect
    assert reconnect["until_ns"] - reconnect["at_ns"] == pytest.approx(12 * SECOND, abs=10 * MILLI)


def test_a_gap_that_never_closes_has_no_end(tmp_path: Path) -> None:
    script = Script().session().opened().subscribed().snapshot("KXTEST-A", [("0.4000", "1.00")], [])
    info = info_of(script.skip().delta("KXTEST-A", "yes", "0.4000", "1.00"), tmp_path)
    assert [gap["until_ns"] for gap in info.gaps] == [None]


def test_a_silence_is_longer_than_a_ping_that_comes_late_explains(tmp_path: Path) -> None:
    script = Script(step_ns=0).session().opened().ping()
    script.wait(SILENCE_NS).ping().wait(SILENCE_NS + 1).ping()
    info = info_of(script, tmp_path)
    assert [(row.at_ns, row.duration_ns) for row in info.silences] == [(START_NS + SILENCE_NS, SILENCE_NS + 1)]


def test_a_silence_may_lie_before_the_first_frame_or_after_the_last(tmp_path: Path) -> None:
    script = Script(step_ns=0).session().opened().wait(11 * SECOND).ping().wait(12 * SECOND).stop()
    assert [row.duration_ns for row in info_of(script, tmp_path).silences] == [11 * SECOND, 12 * SECOND]


def test_the_time_between_two_sessions_is_no_silence(tmp_path: Path) -> None:
    script = Script(step_ns=0).session().opened().ping().stop().wait(60 * SECOND).session().opened().ping()
    info = info_of(script, tmp_path)
    assert info.silences == ()
    assert info.sessions == 2


def test_connections_are_listed_with_their_times(tmp_path: Path) -> None:
    script = Script(step_ns=0).session().opened(1).ping(1).wait(SECOND).ping(1).wait(SECOND).closed(1)
    script.wait(SECOND).opened(2, replaces=1).ping(2)
    info = info_of(script, tmp_path)
    assert info.connections == 2
    first, second = info.connection_list
    assert (first.connection, first.opened_ns, first.closed_ns) == (1, START_NS, START_NS + 2 * SECOND)
    assert (first.frames, first.last_frame_ns, first.implied) == (2, START_NS + SECOND, False)
    assert (second.connection, second.opened_ns, second.closed_ns) == (2, START_NS + 3 * SECOND, None)
    assert (second.replaces, second.frames) == (1, 1)


def test_a_connection_that_was_replaced_without_a_close_is_over(tmp_path: Path) -> None:
    script = Script(step_ns=SECOND).session().opened(1).ping(1).opened(2, replaces=1).ping(2)
    first, second = info_of(script, tmp_path).connection_list
    assert first.closed_ns == second.opened_ns


def test_connections_that_show_in_the_frames_alone_are_counted_too(tmp_path: Path) -> None:
    script = Script(step_ns=0).session(coverage=IMPORTED)
    script.skip(5_000).snapshot("KXTEST-A", [("0.4000", "1.00")], [])
    script.wait(SECOND).delta("KXTEST-A", "yes", "0.4000", "1.00")
    script.skip(-5_002).wait(11 * SECOND).snapshot("KXTEST-A", [("0.4000", "2.00")], [])
    info = info_of(script, tmp_path)
    assert [gap["reason"] for gap in info.gaps] == ["reconnect"]
    assert info.connections == 2
    first, second = info.connection_list
    assert first.implied
    assert second.implied
    assert (first.frames, second.frames) == (2, 1)
    assert (first.closed_ns, second.opened_ns) == (START_NS + SECOND, START_NS + 12 * SECOND)
    assert len(info.silences) == 1


def test_a_cut_counts_the_connections_that_it_begins_with(tmp_path: Path) -> None:
    tape = story().tape(tmp_path / "tape")
    cut(tape, tmp_path / "cut", Selection(START_NS + 20 * MILLI, START_NS + 30 * MILLI))
    info = summarize(open_tape(tmp_path / "cut"))
    assert info.connections == 1
    assert info.connection_list[0].opened_ns == START_NS + MILLI
    assert info.connection_list[0].frames == 11


def test_filtered_is_said(tmp_path: Path) -> None:
    script = Script().session(coverage=Coverage(filtered=True)).opened().subscribed()
    script.snapshot("KXTEST-A", [("0.4000", "1.00")], []).skip(500).delta("KXTEST-A", "yes", "0.4000", "1.00")
    info = info_of(script, tmp_path)
    assert info.filtered
    assert info.gaps == ()


def test_an_empty_tape_has_nothing_in_it(tmp_path: Path) -> None:
    info = summarize(make_tape(tmp_path / "tape", []))
    assert (info.records, info.frames, info.connections, info.markets) == (0, 0, 0, ())


def test_progress_is_told_in_records(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    script = story()
    summarize(script.tape(tmp_path / "tape"), lambda done, total: seen.append((done, total)))
    assert seen == [(0, len(script.records))]


SMALL = 20
"""Records that a tally is kept for in these tests, so that their tapes need not be long."""


@pytest.fixture
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary, "MARK_RECORDS", SMALL)


def essence(info: Info) -> Info:
    """What must not depend on where the reading began, nor on where the tape lies."""
    return msgspec.structs.replace(info, folded=0, checkpoint_bytes=0, tape="")


def files_of(tape: Tape) -> list[str]:
    return sorted(path.name for path in tape.layout.checkpoints.iterdir())


@pytest.mark.usefixtures("_often")
def test_the_second_answer_reads_the_tail_alone_and_is_the_same(tmp_path: Path) -> None:
    script = story()
    tape = script.tape(tmp_path / "tape", segment_records=50)
    first = summarize(tape)
    assert first.folded == len(script.records)
    second = summarize(open_tape(tape.path))
    assert second.folded == 0
    assert essence(second) == essence(first)
    last_seq = script.records[-1].seq
    assert files_of(tape) == [f"{last_seq}.ckpt", f"{last_seq}.info"]
    assert second.checkpoint_bytes == sum(path.stat().st_size for path in tape.layout.checkpoints.iterdir())
    assert second.bytes == first.bytes


@pytest.mark.usefixtures("_often")
@pytest.mark.parametrize("part", [20, 60, 140, 180])
def test_a_tape_that_grew_is_read_from_where_it_was_marked(part: int, tmp_path: Path) -> None:
    records = story().records
    whole = summarize(make_tape(tmp_path / "whole", records, segment_records=SMALL))
    tape = make_tape(tmp_path / "tape", records[:part], segment_records=SMALL)
    assert mark(tape) == part
    for start in range(part, len(records), SMALL):
        batch = RawBatch.of(records[start : start + SMALL])
        commit_segment(tape.manifest, write_batch(tape.manifest, batch, None))
    found = summarize(open_tape(tape.path))
    assert found.folded == len(records) - part
    assert essence(found) == msgspec.structs.replace(essence(whole), bytes=found.bytes)
    assert len(files_of(tape)) == 2, "one tally is enough, and the state that goes with it"


@pytest.mark.usefixtures("_often")
def test_a_tally_whose_engine_state_is_gone_is_of_use_nevertheless(tmp_path: Path) -> None:
    tape = story().tape(tmp_path / "tape")
    first = summarize(tape)
    for path in tape.layout.checkpoints.glob("*.ckpt"):
        path.unlink()
    found = summarize(open_tape(tape.path))
    assert essence(found) == essence(first)
    assert found.folded == found.records, "the engine had to be played again"


@pytest.mark.usefixtures("_often")
def test_what_is_known_of_a_tape_that_was_marked_to_its_end_is_had_without_its_records(tmp_path: Path) -> None:
    tape = story().tape(tmp_path / "tape")
    last_seq = tape.head_seq
    tally, ledger = summary.known(tape, last_seq)
    tape.layout.data.rename(tmp_path / "elsewhere")
    for path in tape.layout.checkpoints.glob("*.ckpt"):
        path.unlink()
    found = summary.known(open_tape(tape.path), last_seq)
    assert (found[0].dump(), found[1].dump()) == (tally.dump(), ledger.dump())


@pytest.mark.usefixtures("_often")
@pytest.mark.parametrize("damage", ["byte", "version", "empty"])
def test_a_tally_that_cannot_be_used_is_passed_over(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tape = story().tape(tmp_path / "tape")
    first = summarize(tape)
    (path,) = tape.layout.checkpoints.glob("*.info")
    if damage == "version":
        monkeypatch.setattr(tally, "TALLY_VERSION", tally.TALLY_VERSION + 1)
    else:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content if damage == "byte" else b"")
    found = summarize(open_tape(tape.path))
    assert essence(found) == essence(first)
    assert found.folded == found.records


@pytest.mark.usefixtures("_often")
def test_a_tape_that_cannot_be_written_to_is_read_whole_each_time(tmp_path: Path) -> None:
    tape = story().tape(tmp_path / "tape")
    tape.layout.checkpoints.rmdir()
    tape.layout.checkpoints.write_bytes(b"")
    assert [summarize(tape).folded for _ in range(2)] == [len(story().records)] * 2


@pytest.mark.usefixtures("_often")
def test_a_tally_that_is_too_large_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary, "TALLY_LIMIT", 100)
    tape = story().tape(tmp_path / "tape")
    summarize(tape)
    assert files_of(tape) == []


def test_a_short_tape_gets_no_checkpoint(tmp_path: Path) -> None:
    tape = story().tape(tmp_path / "tape")
    assert mark(tape) == 0
    assert summarize(tape).checkpoint_bytes == 0
    assert files_of(tape) == []


@pytest.mark.usefixtures("_often")
def test_what_is_not_sealed_is_read_each_time(tmp_path: Path) -> None:
    """Nothing vouches yet for what a recorder has not sealed."""
    shutil.copytree(FIXTURES / "hot-1" / "tape", tmp_path / "tape")
    tape = open_tape(tmp_path / "tape")
    tape.layout.checkpoints.mkdir()
    sealed = tape.manifest.next_seq
    first, second = summarize(tape), summarize(tape)
    assert first.folded == first.records > sealed
    assert second.folded == first.records - sealed
    assert essence(second) == essence(first)


@pytest.mark.usefixtures("_often")
def test_marking_stops_where_whoever_asked_wants_no_more(tmp_path: Path) -> None:
    tape = story().tape(tmp_path / "tape")

    def enough(_done: int, _total: int) -> None:
        raise SystemExit(0)

    with pytest.raises(SystemExit):
        mark(tape, enough)
    assert files_of(tape) == []


@pytest.mark.usefixtures("_often")
def test_regular_checkpoints_stay_where_tallies_are_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary, "CHECKPOINT_RECORDS", 50)
    monkeypatch.setattr(Player.__init__, "__kwdefaults__", {"start": "beginning", "checkpoint_records": 50})
    tape = story().tape(tmp_path / "tape")
    last_seq = len(story().records) - 1
    assert mark(tape) == last_seq + 1
    regular = [f"{seq}.ckpt" for seq in range(49, last_seq, 50)]
    assert files_of(tape) == sorted([*regular, f"{last_seq}.ckpt", f"{last_seq}.info"])


@needs_numba
@pytest.mark.usefixtures("_often")
@given(st.integers(0, 2**32))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_records_stepped_many_at_once_give_the_answer_of_one_by_one(seed: int) -> None:
    dice = random.Random(seed)
    script = wild(seed, dice.choice((20, 80)), sessions=dice.choice((1, 2)))
    spans = {"PROGRESS_RECORDS": dice.choice((7, 64)), "CHECKPOINT_RECORDS": dice.choice((30, 1_000))}
    found: list[tuple[Info, list[str], list[tuple[int, int]]]] = []
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        for name, value in spans.items():
            patch.setattr(summary, name, value)
        every = {"start": "beginning", "checkpoint_records": spans["CHECKPOINT_RECORDS"]}
        patch.setattr(Player.__init__, "__kwdefaults__", every)
        for is_compiled in (False, True):
            patch.setattr("replay.player.Engine", partial(Engine, is_compiled=is_compiled))
            tape = script.tape(Path(place) / str(is_compiled), segment_records=dice.choice((50, 1_000)))
            seen: list[tuple[int, int]] = []
            info = summarize(tape, lambda done, total, seen=seen: seen.append((done, total)))  # type: ignore[misc]  # bound now
            again = summarize(open_tape(tape.path))
            assert essence(again) == essence(info)
            found.append((msgspec.structs.replace(essence(info), bytes=0, segments=0), files_of(tape), seen))
    assert found[0] == found[1]


@needs_numba
@needs_tapes
@pytest.mark.parametrize("name", ["btc15m/short-30s", "gold15m/102030-30"])
def test_real_recordings_have_one_answer_by_machine_and_by_python(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for is_compiled in (False, True):
        monkeypatch.setattr("replay.player.Engine", partial(Engine, is_compiled=is_compiled))
        fold = summary.Fold(tape_of(name))
        fold.tally, fold.player = tally.Tally(), Player(tape_of(name), "columns", checkpoint_records=0)
        for _ in (fold._many if is_compiled else fold._each)(NEVER, -1):
            pass
        counts = fold.player.engine.counts.copy()
        found.append((fold.tally.dump(), counts, fold.player.state_digest()))
    assert found[0] == found[1]
