"""The recorder on one processor and within 1 GB: what comes faster than it can take it is slowed down, never lost."""

import os
import threading
from hashlib import sha256
from pathlib import Path
from typing import Final

import pytest
from recorded_exchange import Recording, recorded_exchange

from capture.tape.reader import Ended, Tape
from capture.tape.verify import verify
from core.records import Kind
from replay.exchange.framing import TEXT
from replay.exchange.local import LocalExchange
from replay.exchange.playhead import MAX

pytestmark = pytest.mark.integration

LIMIT_BYTES: Final = 1 << 30
LOOK_S: Final = 0.1


def resident_bytes(pid: int) -> int:
    """What a process has in memory now, and its children with it; 0 = it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        tasks = Path(f"/proc/{pid}/task").iterdir()  # a child is listed with the thread that started it
        children = [child for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return 0
    own = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")), 0) * 1024
    return own + sum(resident_bytes(int(child)) for child in children)


class Gauge:
    """The most memory that a process and its children had together, looked at ten times a second."""

    def __init__(self, pid: int) -> None:
        self.peak_bytes = 0
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Gauge":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(LOOK_S):
            self.peak_bytes = max(self.peak_bytes, resident_bytes(self._pid))


def keep_to_one_processor(pid: int) -> None:
    """A process that has just begun gets one processor, and so does every thread and child that it starts from now."""
    os.sched_setaffinity(pid, {min(os.sched_getaffinity(0))})


def processors_of(pid: int) -> set[int]:
    """How many processors the threads of a process may use."""
    return {len(os.sched_getaffinity(int(task.name))) for task in Path(f"/proc/{pid}/task").iterdir()}


def digest_sent(exchange: LocalExchange) -> tuple[str, int]:
    """SHA-256 over the text frames that were sent, and their number; there was one session."""
    (session,) = exchange.sent
    digest, count = sha256(), 0
    for frame in session.kept:
        if frame.opcode == TEXT:
            digest.update(b"%d:%b" % (len(frame.payload), frame.payload))
            count += 1
    return digest.hexdigest(), count


def digest_kept(tape: Tape) -> tuple[str, int]:
    """The same over the text frames of a tape."""
    digest, count = sha256(), 0
    for record in tape.records():
        if record.kind == Kind.FRAME:
            digest.update(b"%d:%b" % (len(record.payload), record.payload))
            count += 1
    return digest.hexdigest(), count


def record_within_limits(place: Path, frames: int, patience_s: float) -> None:
    """Record so many frames as fast as they can be taken, on one processor; compare, and weigh the recorder."""
    path = place / "tape"
    with recorded_exchange(place, frames=frames, markets=50, speed=MAX) as exchange:
        with Recording(exchange, path, "--all") as recording, Gauge(recording.pid) as gauge:
            keep_to_one_processor(recording.pid)
            recording.wait_state("recording")
            assert processors_of(recording.pid) == {1}
            assert exchange.wait_played(patience_s)
            code, last = recording.stop()
        sent = digest_sent(exchange)
    assert code == 0
    assert last["gaps"] == 0
    tape = Tape.open(path)
    assert digest_kept(tape) == sent
    assert sent[1] >= frames
    assert tape.ended is Ended.CLEAN_STOP
    assert verify(path, deep=True).whole
    assert 0 < gauge.peak_bytes < LIMIT_BYTES
    sealed = len(tape.segments)
    print(f"{sent[1]} frames, {sealed} segments, peak {gauge.peak_bytes >> 20} MiB")  # noqa: T201  the figures, for -s
    assert sealed > frames // 400_000, "sealing went on meanwhile"


def test_a_flood_on_one_processor_is_recorded_whole_within_the_memory_limit(tmp_path: Path) -> None:
    record_within_limits(tmp_path, 25_000, 60.0)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_a_day_in_minutes_on_one_processor_is_recorded_whole_within_the_memory_limit(tmp_path: Path) -> None:
    record_within_limits(tmp_path, 2_000_000, 1_200.0)
