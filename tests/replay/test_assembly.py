"""A tape in the making: there at once and whole, or not at all; leftovers go, living ones stay."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from capture.tape.errors import DiskError, TapeError
from capture.tape.layout import FORMAT_VERSION, Label
from capture.tape.lock import TapeLock
from capture.tape.reader import Ended, Tape
from capture.tape.schema import RawBatch
from core.records import Kind, Record, Session, encode_payload
from replay.assembly import WAITING_BATCHES, Assembly, Numbering

LABEL = Label(FORMAT_VERSION, "00000000-0000-5000-8000-000000000000", "test")
NS = 1_786_401_938_338_000_000
SESSION = Record(0, NS, 0, 0, Kind.SESSION, encode_payload(Session("s", "test")))


def frame(seq: int, exchange_seq: int, sid: int = 1, connection: int = 1) -> Record:
    payload = b'{"type":"trade","sid":%d,"seq":%d,"msg":{}}' % (sid, exchange_seq)
    return Record(seq, NS + seq, 0, connection, Kind.FRAME, payload)


def snapshot(seq: int, exchange_seq: int) -> Record:
    payload = b'{"type":"orderbook_snapshot","sid":1,"seq":%d,"msg":{"market_ticker":"A"}}' % exchange_seq
    return Record(seq, NS + seq, 0, 1, Kind.FRAME, payload)


def test_a_finished_tape_holds_what_was_sealed(tmp_path: Path) -> None:
    out = tmp_path / "tape"
    records = [SESSION, *(snapshot(seq, seq) for seq in range(1, 7)), Record(7, NS + 7, 0, 0, Kind.CLEAN_STOP, b"")]
    with Assembly(out, LABEL) as tape:
        for start in range(0, 8, 2):
            assert not out.exists()
            tape.seal(RawBatch.of(records[start : start + 2]))
        tape.finish()
        assert out.exists()
    assert (tape.segments, tape.numbering.sequenced, tape.numbering.jumps) == (4, 6, 0)
    assert list(Tape.open(out).records()) == records
    assert Tape.open(out).ended == Ended.CLEAN_STOP
    assert [path.name for path in tmp_path.iterdir()] == ["tape"]


def test_nothing_is_left_of_an_unfinished_tape(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Assembly(tmp_path / "tape", LABEL) as tape:
        tape.seal(RawBatch.of([SESSION]))
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_failure_to_seal_comes_out_with_the_next_batches(tmp_path: Path) -> None:
    wrong = RawBatch.of([snapshot(5, 1)])  # a tape begins with record 0
    with pytest.raises(TapeError, match="begins with record 5"), Assembly(tmp_path / "tape", LABEL) as tape:
        for _ in range(WAITING_BATCHES + 1):
            tape.seal(wrong)
    with pytest.raises(TapeError, match="begins with record 5"), Assembly(tmp_path / "tape", LABEL) as tape:
        tape.seal(wrong)
        tape.finish()
    assert list(tmp_path.iterdir()) == []


def test_what_lies_at_the_place_is_not_touched(tmp_path: Path) -> None:
    out = tmp_path / "tape"
    out.write_bytes(b"precious")
    with pytest.raises(TapeError, match="tape: exists already"):
        Assembly(out, LABEL)
    out.unlink()
    out.symlink_to(tmp_path / "nowhere")
    with pytest.raises(TapeError, match="tape: exists already"):
        Assembly(out, LABEL)


def test_what_appears_at_the_place_meanwhile_is_not_touched(tmp_path: Path) -> None:
    out = tmp_path / "tape"
    with pytest.raises(TapeError, match="exists already"), Assembly(out, LABEL) as tape:
        tape.seal(RawBatch.of([SESSION]))
        out.write_bytes(b"precious")
        tape.finish()
    assert out.read_bytes() == b"precious"
    assert [path.name for path in tmp_path.iterdir()] == ["tape"]


def test_a_place_that_takes_no_tape_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DiskError, match=r"file: cannot .*(Not a directory|File exists)"):
        Assembly(tmp_path / "file" / "tape", LABEL)


def test_leftovers_of_the_same_tape_are_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in ("tape.partial-dead", "tape.partial-young", "other.partial-dead", "tape.partial"):
        (tmp_path / name / "tape" / "data").mkdir(parents=True)
    (tmp_path / "tape.partial-dead" / "LOCK").touch()
    (tmp_path / "tape.partial-link").symlink_to(tmp_path / "other.partial-dead")
    (tmp_path / "tape.partial-file").touch()
    with Assembly(tmp_path / "tape", LABEL) as tape:
        tape.seal(RawBatch.of([SESSION]))
        tape.finish()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["other.partial-dead", "tape", "tape.partial", "tape.partial-file", "tape.partial-link"]
    assert (tmp_path / "other.partial-dead" / "tape").is_dir()


def test_what_another_living_process_makes_is_left_alone(tmp_path: Path) -> None:
    with Assembly(tmp_path / "tape", LABEL) as first:
        first.seal(RawBatch.of([SESSION]))
        with Assembly(tmp_path / "tape", LABEL) as second:
            second.seal(RawBatch.of([SESSION]))
            second.finish()
        with pytest.raises(TapeError, match="exists already"):
            first.finish()
    assert list(Tape.open(tmp_path / "tape").records()) == [SESSION]


def test_the_lock_of_a_leftover_ends_with_its_process(tmp_path: Path) -> None:
    (tmp_path / "tape.partial-x").mkdir()
    lock = tmp_path / "tape.partial-x" / "LOCK"
    text = (
        f"import fcntl, sys; f = open({str(lock)!r}, 'w'); fcntl.flock(f, fcntl.LOCK_EX); print('locked', flush=True);"
    )
    with subprocess.Popen([sys.executable, "-c", text + "sys.stdin.read()"], stdin=-1, stdout=-1) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == b"locked\n"
        with Assembly(tmp_path / "tape", LABEL):
            assert lock.exists()
        holder.stdin.close()
        holder.wait()
    with Assembly(tmp_path / "tape", LABEL):
        assert not lock.exists()
    TapeLock(tmp_path / "LOCK").release()


def observed(*batches: list[tuple[int, int, int]]) -> tuple[int, int]:
    numbering = Numbering()
    for batch in batches:
        columns = np.array(batch, np.int64).reshape(-1, 3).T
        numbering.observe(columns[0], columns[1], columns[2])
    return numbering.sequenced, numbering.jumps


def test_numbering_counts_skips_per_connection_and_subscription() -> None:
    assert observed([]) == (0, 0)
    assert observed([(1, 1, 1), (1, 2, 1), (1, 1, 2), (2, 1, 1), (1, 2, 2), (2, 1, 2)]) == (6, 0)
    assert observed([(1, 1, 1), (1, 1, 3), (1, 2, 5), (1, 2, 9), (1, 1, 4)]) == (5, 2)


def test_numbering_goes_on_over_batches() -> None:
    assert observed([(1, 1, 1), (1, 2, 7)], [(1, 1, 2), (1, 2, 9)], [(1, 1, 4), (1, 2, 10)]) == (6, 2)


def test_numbering_that_starts_again_is_no_skip() -> None:
    assert observed([(1, 1, 5), (1, 1, 1)], [(1, 1, 1), (1, 1, 1)]) == (4, 0)
