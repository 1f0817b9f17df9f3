"""Sealing in a process of its own: what it seals, how it fails, and that it neither outlives its parent nor hangs."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lives import CALM, append, read
from waiting import wait_for_condition
from writing import session

from capture.tape import sealing
from capture.tape.errors import TapeError, TapeLocked
from capture.tape.layout import Layout, hot_numbers
from capture.tape.lock import TapeLock
from capture.tape.manifest import Manifest
from capture.tape.recorder import WriterOptions
from capture.tape.sealing import SealProcess
from capture.tape.verify import verify
from capture.tape.writer import TapeWriter

ROOT = Path(__file__).resolve().parents[2]
APART = WriterOptions(sync_interval_s=0.01, reserve_bytes=4096, roll_bytes=1 << 20, seal_apart=True)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[SealProcess]:
    """A process over a tape with two finished hot segments that nobody seals."""
    writer = TapeWriter.create(tmp_path / "tape", "demo", session(), options=CALM)
    writer._sealing.stop()
    append(writer, 5)
    writer.roll()
    append(writer, 5)
    writer.roll()
    writer.abandon()
    lock = TapeLock(Layout(tmp_path / "tape").lock)
    made = SealProcess(lock.fd)
    yield made
    made.stop()
    lock.release()


def numbers(tape: Path) -> list[int]:
    return [entry.number for entry in Manifest.load(Layout(tape)).entries]


def test_segments_are_sealed_in_the_order_they_are_given(tmp_path: Path, process: SealProcess) -> None:
    process(tmp_path / "tape", 1)
    process(tmp_path / "tape", 2)
    assert numbers(tmp_path / "tape") == [1, 2]
    assert hot_numbers(Layout(tmp_path / "tape")) == [3]


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="this system knows no idle priority")
@pytest.mark.parametrize(("newer", "policy"), [(0, "SCHED_OTHER"), (1, "SCHED_IDLE"), (2, "SCHED_OTHER")])
def test_only_sealing_that_keeps_up_and_that_nobody_waits_for_is_idle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, newer: int, policy: str
) -> None:
    layout = Layout(tmp_path)
    layout.wal.mkdir()
    for number in range(1, 2 + newer):
        layout.hot(number).touch()
    found = []
    sealed = sealing._Done(1)

    def seal(root: Path, number: int) -> sealing._Done:
        found.append((root, number, os.sched_getscheduler(0)))
        return sealed

    monkeypatch.setattr(sealing, "_seal", seal)
    assert sealing._seal_idly(tmp_path, 1) is sealed
    assert found == [(tmp_path, 1, getattr(os, policy))]
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_what_cannot_be_sealed_is_said_and_the_process_goes_on(tmp_path: Path, process: SealProcess) -> None:
    hot = Layout(tmp_path / "tape").hot(1)
    content = bytearray(hot.read_bytes())
    content[60] ^= 1
    hot.write_bytes(content)
    with pytest.raises(TapeError, match="run `tapedeck recover`"):
        process(tmp_path / "tape", 1)
    content[60] ^= 1
    hot.write_bytes(content)
    process(tmp_path / "tape", 1)
    assert numbers(tmp_path / "tape") == [1]


def test_a_process_that_gets_no_time_is_replaced_by_one_that_begins_anew(
    tmp_path: Path, process: SealProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    process(tmp_path / "tape", 1)
    starved = process._child
    assert starved is not None
    starved.send_signal(signal.SIGSTOP)
    monkeypatch.setattr(sealing, "PATIENCE_S", 0.05)  # the new one's first is given all the time it needs
    process(tmp_path / "tape", 2)
    assert numbers(tmp_path / "tape") == [1, 2]
    assert process._child is not starved and starved.returncode == -signal.SIGKILL


def test_a_process_that_was_killed_is_named_and_replaced(tmp_path: Path, process: SealProcess) -> None:
    process(tmp_path / "tape", 1)
    child = process._child
    assert child is not None
    child.kill()
    child.wait()
    with pytest.raises(TapeError, match=r"SIGKILL.*started again"):
        process(tmp_path / "tape", 2)
    process(tmp_path / "tape", 2)
    assert numbers(tmp_path / "tape") == [1, 2]


def test_a_signal_to_the_whole_group_does_not_end_it(tmp_path: Path, process: SealProcess) -> None:
    process(tmp_path / "tape", 1)
    assert process._child is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(process._child.pid, number)
    process(tmp_path / "tape", 2)
    assert numbers(tmp_path / "tape") == [1, 2]


def test_a_writer_that_seals_apart_leaves_the_same_tape(tmp_path: Path) -> None:
    with TapeWriter.create(tmp_path / "tape", "demo", session(), options=APART) as writer:
        for _ in range(3):
            append(writer, 20)
            writer.roll()
    assert len(read(tmp_path / "tape")) == 62
    assert hot_numbers(Layout(tmp_path / "tape")) == []
    assert verify(tmp_path / "tape", deep=True).whole


def test_a_writer_that_seals_nothing_starts_no_process(tmp_path: Path) -> None:
    writer = TapeWriter.create(tmp_path / "tape", "demo", session(), options=APART)
    append(writer, 20)
    process = writer._sealing._seal
    assert isinstance(process, SealProcess) and process._child is None
    writer.abandon()


def lock_is_free(tape: Path) -> Callable[[], bool]:
    def look() -> bool:
        try:
            TapeLock(Layout(tape).lock).release()
        except TapeLocked:
            return False
        return True

    return look


@pytest.mark.integration
def has_ended(pid: int) -> bool:
    """Whether a process is gone, or dead and not yet noticed by its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_the_process_dies_with_a_killed_recorder_and_lets_go_of_the_tape(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path[:0] = {[str(ROOT), str(ROOT / 'tests')]!r}\n"
        "from pathlib import Path\n"
        "from lives import append\n"
        "from writing import session\n"
        "from capture.tape.recorder import WriterOptions\n"
        "from capture.tape.writer import TapeWriter\n"
        "options = WriterOptions(sync_interval_s=0.01, reserve_bytes=4096, roll_bytes=1 << 20, seal_apart=True)\n"
        "writer = TapeWriter.create(Path(sys.argv[1]), 'demo', session(), options=options)\n"
        "append(writer, 20)\n"
        "writer.roll()\n"
        "writer.seal_all()\n"
        "append(writer, 7)\n"
        "print(writer._sealing._seal._child.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    recorder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "tape")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert recorder.stdout is not None and recorder.stdin is not None
    child = int(recorder.stdout.readline())
    recorder.kill()
    recorder.wait()
    recorder.stdout.close()
    recorder.stdin.close()
    wait_for_condition(lock_is_free(tmp_path / "tape"))
    wait_for_condition(lambda: has_ended(child), what="the end of the child, which gives up its locks before its life")
    with TapeWriter.open(tmp_path / "tape", "demo", session(), options=APART):
        pass
    assert len([record for record in read(tmp_path / "tape") if record.payload.startswith(b'{"n"')]) == 27
