"""Decoding a tape again leaves its records, its chain and the state it leads to as they were."""

from pathlib import Path

import pytest
from sample_tapes import story

from capture.tape.errors import TapeDamaged, TapeFormat, TapeLocked
from capture.tape.layout import Layout
from capture.tape.lock import TapeLock
from capture.tape.manifest import Manifest
from capture.tape.verify import verify
from replay import Player, open_tape
from replay.rebuild import rebuild


def digest(path: Path) -> str:
    player = Player(open_tape(path), "columns")
    player.advance()
    return player.state_digest()


def test_state_records_and_chain_stay(tmp_path: Path) -> None:
    script = story()
    path = tmp_path / "tape"
    script.tape(path, segment_records=60)
    chain, state = Manifest.load(Layout(path)).chain, digest(path)
    report = rebuild(path)
    assert report.segments == -(-len(script.records) // 60)
    assert report.skipped == 0
    assert Manifest.load(Layout(path)).chain == chain
    assert digest(path) == state
    assert list(open_tape(path).records()) == script.records
    assert verify(path, deep=True).problems == ()


def test_a_rebuilt_tape_rebuilds_to_itself(tmp_path: Path) -> None:
    path = tmp_path / "tape"
    story(rounds=5).tape(path)
    rebuild(path)
    files = {file: file.read_bytes() for file in path.rglob("*.parquet")}
    assert rebuild(path).replaced == 0
    assert {file: file.read_bytes() for file in path.rglob("*.parquet")} == files


def test_archived_and_pruned_segments_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "tape"
    story(rounds=5).tape(path, segment_records=10)
    manifest = Manifest.load(Layout(path))
    (path / manifest.prune(1).file).unlink()
    (path / manifest.archive(2, "s3://bucket/x").file).unlink()
    assert rebuild(path).skipped == 2


def test_a_damaged_segment_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "tape"
    story(rounds=5).tape(path, segment_records=10)
    file = sorted(path.rglob("*.parquet"))[1]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(TapeDamaged, match=file.name):
        rebuild(path)


def test_a_tape_that_somebody_writes_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "tape"
    story(rounds=5).tape(path)
    with TapeLock(Layout(path).lock), pytest.raises(TapeLocked):
        rebuild(path)


def test_a_directory_that_is_no_tape_stays_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(TapeFormat, match="no tape"):
        rebuild(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_progress_is_told_in_segments(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    script = story(rounds=5)
    script.tape(tmp_path / "tape", segment_records=20)
    rebuild(tmp_path / "tape", lambda done, total: seen.append((done, total)))
    count = -(-len(script.records) // 20)
    assert seen == [(done, count) for done in range(1, count + 1)]
