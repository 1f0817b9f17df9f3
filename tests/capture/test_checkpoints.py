import fcntl
import os
import threading
from itertools import pairwise
from pathlib import Path

import pytest
from sample_records import hot_segment, sealed_tape, session_records

from capture.tape import checkpoints, segment
from capture.tape.checkpoints import Of
from capture.tape.layout import checkpoint_seqs
from capture.tape.reader import Tape
from capture.tape.sealer import rebuild_segment
from capture.tape.verify import verify

RECORDS = session_records(300)


def tape(tmp_path: Path, name: str = "tape") -> Tape:
    sealed_tape(tmp_path / name, RECORDS[:200])
    return Tape.open(tmp_path / name)


def test_a_checkpoint_comes_back(tmp_path: Path) -> None:
    opened = tape(tmp_path)
    assert checkpoints.nearest(opened) is None
    assert checkpoints.save(opened, 120, 5_000, b"state \0 bytes")
    assert checkpoints.nearest(opened) == (120, b"state \0 bytes")
    assert opened.layout.checkpoint(120).stat().st_mode & 0o777 == 0o600
    assert list(checkpoints.problems(opened.layout)) == []


def test_the_nearest_one_before_a_seq_and_an_instant_is_found(tmp_path: Path) -> None:
    opened = tape(tmp_path)
    for saved, at_ns in ((9, 100), (99, 200), (100, 200), (150, 900)):
        assert checkpoints.save(opened, saved, at_ns, b"%d" % saved)
    wanted: dict[tuple[int | None, int | None], int | None] = {
        (8, None): None,
        (9, None): 9,
        (99, None): 99,
        (140, None): 100,
        (None, 99): None,
        (None, 100): 9,
        (None, 200): 100,
        (None, 899): 100,
        (None, 900): 150,
        (99, 5_000): 99,
        (199, 150): 9,
    }
    for (seq, now_ns), best in wanted.items():
        found = checkpoints.nearest(opened, seq, now_ns)
        assert found == (None if best is None else (best, b"%d" % best))


def test_an_empty_state_is_a_state(tmp_path: Path) -> None:
    opened = tape(tmp_path)
    assert checkpoints.save(opened, 3, 0, b"")
    assert checkpoints.nearest(opened) == (3, b"")


def test_saving_again_replaces_only_what_is_of_no_use(tmp_path: Path) -> None:
    opened = tape(tmp_path)
    path = opened.layout.checkpoint(7)
    path.write_bytes(b"junk")
    assert checkpoints.save(opened, 7, 1, b"one")
    assert checkpoints.nearest(opened) == (7, b"one")
    before = path.stat().st_ino
    assert checkpoints.save(opened, 7, 1, b"one")
    assert path.stat().st_ino == before


def test_what_is_not_sealed_gets_no_checkpoint(tmp_path: Path) -> None:
    opened = tape(tmp_path)
    hot_segment(opened.path, 3, RECORDS[200:])
    assert not checkpoints.save(opened, 250, 1, b"state")
    assert not checkpoints.save(opened, -1, 1, b"state")
    assert sorted(opened.layout.checkpoints.iterdir()) == []


def test_any_flipped_bit_or_cut_makes_it_useless_and_is_told(tmp_path: Path) -> None:
    opened = tape(tmp_path)
    checkpoints.save(opened, 10, 1, b"older")
    checkpoints.save(opened, 90, 1, b"newer")
    path = opened.layout.checkpoint(90)
    whole = path.read_bytes()
    for bit in range(0, len(whole) * 8, 5):
        altered = bytearray(whole)
        altered[bit // 8] ^= 1 << bit % 8
        path.write_bytes(altered)
        assert checkpoints.nearest(opened) == (10, b"older"), f"bit {bit}"
        assert [found for found, _ in checkpoints.problems(opened.layout)] == [path]
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert checkpoints.nearest(opened) == (10, b"older")
        assert [found for found, _ in checkpoints.problems(opened.layout)] == [path]


def test_a_checkpoint_under_another_name_is_useless(tmp_path: Path) -> None:
    opened = tape(tmp_path)
    checkpoints.save(opened, 10, 1, b"state")
    opened.layout.checkpoint(10).rename(opened.layout.checkpoint(20))
    assert checkpoints.nearest(opened) is None
    ((path, what),) = checkpoints.problems(opened.layout)
    assert (path.name, what) == ("20.ckpt", "is the checkpoint of record 10")


def test_a_checkpoint_of_another_tape_is_useless(tmp_path: Path) -> None:
    opened, other = tape(tmp_path), tape(tmp_path, "other")
    checkpoints.save(other, 10, 1, b"state")
    other.layout.checkpoint(10).rename(opened.layout.checkpoint(10))
    assert checkpoints.nearest(opened) is None
    assert list(checkpoints.problems(opened.layout)) == []


@pytest.mark.parametrize("name", ["DECODER_VERSION", "STATE_VERSION"])
def test_a_checkpoint_of_another_version_is_useless(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = tape(tmp_path)
    checkpoints.save(opened, 10, 1, b"state")
    monkeypatch.setattr(checkpoints, name, 99)
    assert checkpoints.nearest(opened) is None
    checkpoints.save(opened, 10, 1, b"newer state")
    assert checkpoints.nearest(opened) == (10, b"newer state")


def test_a_checkpoint_outlives_a_rebuild_and_a_pruned_segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = tape(tmp_path)
    checkpoints.save(opened, 110, 1, b"state")
    monkeypatch.setattr(segment, "ZSTD_LEVEL", 1)
    rebuild_segment(opened.path, opened.segments[1], manifest=opened.manifest)
    opened.manifest.prune(1)
    assert checkpoints.nearest(Tape.open(opened.path)) == (110, b"state")


def test_a_tape_that_cannot_be_written_to_gets_none(tmp_path: Path) -> None:
    opened = tape(tmp_path)
    opened.layout.checkpoints.rmdir()
    opened.layout.checkpoints.write_bytes(b"")
    assert not checkpoints.save(opened, 10, 1, b"state")
    assert checkpoints.nearest(opened) is None


def kept(opened: Tape) -> list[int]:
    return checkpoint_seqs(opened.layout)


def test_where_there_is_no_room_the_most_crowded_goes_and_the_rest_stay_spread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "MOST_FILES", 4)
    opened = tape(tmp_path)
    for seq in range(9, 200, 10):
        assert checkpoints.save(opened, seq, seq, b"state")
        assert kept(opened)[-1] == seq, "the newest stays"
        assert len(kept(opened)) <= 4
    ways = [after - before for before, after in pairwise([-1, *kept(opened)])]
    assert max(ways) <= 80, kept(opened)
    assert sum(ways) == 200


def test_room_is_a_part_of_what_the_segments_take_or_the_spare_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = tape(tmp_path)
    sealed_bytes = sum(entry.bytes for entry in opened.segments)
    blob = bytes(sealed_bytes // 8 // 2 - 400)  # with its header: two have room, three have not
    monkeypatch.setattr(checkpoints, "SPARE_BYTES", 0)
    for seq in (10, 20, 30):
        assert checkpoints.save(opened, seq, seq, blob)
    assert kept(opened) == [10, 30]
    monkeypatch.setattr(checkpoints, "SPARE_BYTES", sealed_bytes)
    assert checkpoints.save(opened, 40, 40, blob)
    assert kept(opened) == [10, 30, 40]


def test_one_that_is_larger_than_all_room_is_kept_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "SPARE_BYTES", 0)
    opened = tape(tmp_path)
    for seq in (10, 20):
        assert checkpoints.save(opened, seq, seq, bytes(1 << 20))
    assert kept(opened) == [20]


def test_useless_ones_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "MOST_FILES", 3)
    opened = tape(tmp_path)
    for seq in (50, 51):
        assert checkpoints.save(opened, seq, seq, b"state")
    opened.layout.checkpoint(199).write_bytes(b"from nowhere")
    assert checkpoints.save(opened, 52, 52, b"state")
    assert kept(opened) == [50, 51, 52]


def test_an_engine_state_that_goes_with_a_summary_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "MOST_FILES", 2)
    opened = tape(tmp_path)
    assert checkpoints.save(opened, 20, 1, b"state")
    assert checkpoints.save(opened, 20, 1, b"summary", Of.SUMMARY)
    for seq in (21, 22, 23):
        assert checkpoints.save(opened, seq, seq, b"state")
    assert kept(opened) == [20, 23]


def test_a_summary_and_an_engine_state_are_two_things(tmp_path: Path) -> None:
    opened = tape(tmp_path)
    assert checkpoints.save(opened, 20, 1, b"state")
    assert checkpoints.save(opened, 10, 1, b"summary", Of.SUMMARY)
    assert checkpoints.nearest(opened) == (20, b"state")
    assert checkpoints.nearest(opened, of=Of.SUMMARY) == (10, b"summary")
    content = bytearray(opened.layout.checkpoint(10, Of.SUMMARY).read_bytes())
    content[-1] ^= 1
    opened.layout.checkpoint(10, Of.SUMMARY).write_bytes(content)
    assert [path.name for path, _ in checkpoints.problems(opened.layout)] == ["10.info"]
    checkpoints.drop(opened, 10, Of.SUMMARY)
    checkpoints.drop(opened, 10, Of.SUMMARY)
    assert checkpoints.nearest(opened, of=Of.SUMMARY) is None
    assert checkpoints.nearest(opened) == (20, b"state")


def test_while_somebody_saves_nobody_else_does_and_everybody_reads(tmp_path: Path) -> None:
    opened = tape(tmp_path)
    assert checkpoints.save(opened, 10, 1, b"state")
    assert not checkpoints.is_saving(opened.layout)
    fd = os.open(opened.layout.checkpoints, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    aside = opened.layout.checkpoints / "20.ckpt.partial"
    aside.write_bytes(b"half")
    older = aside.with_name("5.ckpt.partial")
    older.write_bytes(b"left by a crash")
    assert checkpoints.is_saving(opened.layout)
    assert not checkpoints.save(opened, 20, 1, b"state")
    assert checkpoints.nearest(opened) == (10, b"state")
    assert aside.exists()
    assert not [problem for problem in verify(opened.path).problems if problem.file.endswith(aside.name)]
    os.close(fd)
    assert [problem.file for problem in verify(opened.path).problems if problem.file.endswith(aside.name)]
    assert checkpoints.save(opened, 20, 1, b"state")
    assert not aside.exists()
    assert not older.exists()


def test_processes_that_save_at_the_same_time_leave_whole_files(tmp_path: Path) -> None:
    opened = tape(tmp_path)
    blob = bytes(1 << 20)

    def save_all() -> None:
        for seq in range(200):
            checkpoints.save(Tape.open(opened.path), seq, seq, blob)

    threads = [threading.Thread(target=save_all) for _ in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        found = checkpoints.nearest(opened)
        assert found is None or found[1] == blob
        assert list(checkpoints.problems(opened.layout)) == []
    assert kept(opened)[-1] == 199
    assert len(kept(opened)) <= 64


def test_a_save_that_fails_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = tape(tmp_path)

    def fail(*_: Path) -> Path:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", fail)
        assert not checkpoints.save(opened, 10, 1, b"state")
    assert sorted(opened.layout.checkpoints.iterdir()) == []
    assert checkpoints.save(opened, 10, 1, b"state")
