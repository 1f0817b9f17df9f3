"""The hot log against real faults: kill -9, a full disk, a limit on file size, no inodes left."""

import contextlib
import fcntl
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from appending import payload_of
from writing import session

from capture.tape.errors import DiskError
from capture.tape.layout import Layout, hot_numbers, make_tree, sealed_files
from capture.tape.reader import Ended, Tape
from capture.tape.recorder import WriterOptions
from capture.tape.recovery import recover
from capture.tape.salvage import hot_limits
from capture.tape.scan import Verdict, iter_segment, scan_segment
from capture.tape.writer import TapeWriter
from core.records import Kind, Record, decode_gap

pytestmark = pytest.mark.integration

TESTS = Path(__file__).parents[1]
SEED = int(os.environ.get("TAPEDECK_SEED", "20260301"))
PIPE_BYTES = 1 << 20  # 131,072 acknowledgements: the process must never wait for us


def killed_appending(what: str, root: Path, delay_s: float) -> int:
    """The last seq that a process acknowledged which was killed `delay_s` after it had acknowledged its first."""
    environment = {**os.environ, "PYTHONPATH": str(TESTS.parent)}
    command = [sys.executable, str(TESTS / "appending.py"), what, str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        with contextlib.suppress(PermissionError):
            fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        first = process.stdout.read(8)
        assert len(first) == 8, f"the process ended by itself: {process.wait()}"
        time.sleep(delay_s)
        process.kill()
        rest = process.stdout.read()
        assert process.wait() == -signal.SIGKILL
    acknowledged = first + rest
    return int.from_bytes(acknowledged[len(acknowledged) // 8 * 8 - 8 :][:8], "little")


@pytest.mark.slow
def test_kill_9_at_100_random_instants_loses_nothing_appended_and_doubles_nothing(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    most_segments = 0
    for turn in range(100):
        layout = make_tree(tmp_path / str(turn))
        acknowledged = killed_appending("log", layout.root, rng.random() * 0.03)
        found: list[Record] = []
        for number, limit in hot_limits(layout).items():
            scan = scan_segment(layout.hot(number), until_seq=limit)
            newest = number == hot_numbers(layout)[-1]
            # the kernel may end a write that a kill interrupts at a page's end: torn, and never acknowledged
            torn = newest and (scan.number < 0 or scan.verdict is Verdict.TORN)
            assert scan.verdict is Verdict.CLEAN or torn, f"seed {SEED}, turn {turn}: {scan}"
            found += iter_segment(layout.hot(number), until_seq=limit)
        assert [record.seq for record in found] == list(range(len(found))), f"seed {SEED}, turn {turn}"
        assert acknowledged + 1 <= len(found) <= acknowledged + 2, f"seed {SEED}, turn {turn}"
        assert all(record.payload == payload_of(record.seq) for record in found)
        most_segments = max(most_segments, len(hot_numbers(layout)))
    assert most_segments > 2, "rolls were hit too"


@pytest.mark.parametrize(("turns", "longest_s"), [(5, 0.05), pytest.param(15, 0.15, marks=pytest.mark.slow)])
def test_a_tape_killed_again_and_again_holds_every_acknowledged_record_once(
    tmp_path: Path, turns: int, longest_s: float
) -> None:
    rng, path = random.Random(SEED), tmp_path / "tape"
    for turn in range(turns):
        acknowledged = killed_appending("writer", path, rng.random() * longest_s)
        for repaired in (False, True):
            if repaired and turn % 2:
                recover(path)
            found = list(Tape.open(path).records())
            assert [record.seq for record in found] == list(range(len(found))), f"seed {SEED}, turn {turn}"
            assert acknowledged < len(found) <= acknowledged + 3, f"seed {SEED}, turn {turn}"
            frames = [record for record in found if record.kind == Kind.FRAME]
            assert all(record.payload == payload_of(record.seq) for record in frames)
    recover(path)
    found = list(Tape.open(path).records())
    others = [Kind(record.kind) for record in found if record.kind != Kind.FRAME]
    assert others == [Kind.SESSION, Kind.GAP_OPEN] * turns
    assert Tape.open(path).ended is Ended.GAP
    assert hot_numbers(Layout(path)) == [] and len(sealed_files(Layout(path))) > turns


def test_a_life_with_rolls_a_stop_a_restart_and_a_crash_reads_as_one_sequence(tmp_path: Path) -> None:
    path = tmp_path / "tape"
    options = WriterOptions(roll_bytes=20_000, reserve_bytes=4096)
    with TapeWriter.create(path, "demo", session(), options=options) as writer:
        for _ in range(500):
            writer.append(Kind.FRAME, payload_of(writer.head_seq + 1), 1)
    stopped = len(Tape.open(path).segments)
    assert stopped > 3
    acknowledged = killed_appending("writer", path, 0.05)
    with TapeWriter.open(path, "demo", session(), options=options) as writer:
        assert writer.head_seq > acknowledged
        writer.append(Kind.FRAME, payload_of(writer.head_seq + 1), 1)
    tape = Tape.open(path)
    found = list(tape.records())
    assert [record.seq for record in found] == list(range(len(found)))
    frames = [record for record in found if record.kind == Kind.FRAME]
    assert all(record.payload == payload_of(record.seq) for record in frames)
    assert [Kind(record.kind) for record in found if record.kind != Kind.FRAME] == [
        Kind.SESSION,
        Kind.CLEAN_STOP,
        Kind.SESSION,
        Kind.GAP_CLOSE,
        Kind.GAP_OPEN,
        Kind.SESSION,
        Kind.CLEAN_STOP,
    ]
    assert [decode_gap(record.payload).reason for record in found if "GAP" in Kind(record.kind).name] == [
        "down",
        "crash",
    ]
    assert found[acknowledged].kind == Kind.FRAME
    assert tape.ended is Ended.CLEAN_STOP


@pytest.fixture
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A file system of its own with the given mount options; needs the right to mount."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", request.param, "tmpfs", str(place)], capture_output=True, check=False
    )
    if mount.returncode:
        pytest.skip(f"cannot mount a small tmpfs here (root is needed): {mount.stderr.decode().strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(path: Path) -> None:
    """Take all the space that is left."""
    with path.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(bytes(1 << 16)) or file.write(bytes(1))


@pytest.mark.parametrize("small_disk", ["size=4m"], indirect=True)
def test_a_full_disk_is_a_gap_and_nothing_acknowledged_is_missing(small_disk: Path) -> None:
    path, ballast = small_disk / "tape", small_disk / "ballast"
    options = WriterOptions(sync_interval_s=0.01, roll_bytes=1 << 19, reserve_bytes=1 << 18, retry_s=0.2)
    acknowledged: list[int] = []
    refused = 0
    with TapeWriter.create(path, "demo", session(), options=options) as writer:

        def append() -> None:
            acknowledged.append(writer.append(Kind.FRAME, payload_of(writer.head_seq + 1), 1))

        for _ in range(100):
            append()
        fill(ballast)
        while not refused:
            try:
                append()
            except DiskError as error:
                assert "No space left on device; free some space, then recording resumes by itself" in str(error)
                refused += 1
        assert not Layout(path).reserve.exists()
        writer.append(Kind.HEARTBEAT, b"{}")
        for _ in range(1_000):
            with pytest.raises(DiskError):
                append()
            refused += 1
        assert len(list(Tape.open(path).records())) == writer.head_seq + 1, "readable throughout"
        ballast.unlink()
        freed_s = time.monotonic()
        while writer.problem:
            assert time.monotonic() - freed_s < 5
            threading.Event().wait(0.01)
        assert Layout(path).reserve.exists()
        for _ in range(500):
            append()
    found = list(Tape.open(path).records())
    assert [record.seq for record in found] == list(range(len(found)))
    frames = [record for record in found if record.kind == Kind.FRAME]
    assert [record.seq for record in frames] == acknowledged
    assert all(record.payload == payload_of(record.seq) for record in frames)
    gaps = [decode_gap(record.payload) for record in found if record.kind in (Kind.GAP_OPEN, Kind.GAP_CLOSE)]
    assert [(gap.reason, gap.missing) for gap in gaps] == [("disk_full", 0), ("disk_full", refused)]
    assert gaps[0].from_ns == gaps[1].from_ns < gaps[1].until_ns


@pytest.mark.parametrize("small_disk", ["size=16m,nr_inodes=24"], indirect=True)
def test_without_inodes_for_the_next_segment_the_present_one_grows(small_disk: Path) -> None:
    path = small_disk / "tape"
    options = WriterOptions(roll_bytes=20_000, reserve_bytes=4096, retry_s=0.05)
    with TapeWriter.create(path, "demo", session(), options=options) as writer:
        taken = small_disk / "taken"
        taken.mkdir()
        with pytest.raises(OSError, match="No space left"):
            for index in range(100):
                (taken / str(index)).touch()
        for _ in range(1_000):
            writer.append(Kind.FRAME, payload_of(writer.head_seq + 1), 1)
        assert hot_numbers(Layout(path)) == [1]
        for entry in taken.iterdir():
            entry.unlink()
        time.sleep(options.retry_s)
        writer.append(Kind.FRAME, payload_of(writer.head_seq + 1), 1)
        writer.seal_all()
        assert [entry.rows for entry in Tape.open(path).segments] == [1_001], "the session and all that grew"
    frames = [record for record in Tape.open(path).records() if record.kind == Kind.FRAME]
    assert len(frames) == 1_001
    assert all(record.payload == payload_of(record.seq) for record in frames)


@pytest.fixture
def file_limit() -> Iterator[int]:
    """A limit on the size of every file this process writes: the kernel then writes short, and then not at all."""
    limit, before = 30_000, resource.getrlimit(resource.RLIMIT_FSIZE)
    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def limited_to(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def test_a_limit_on_file_size_moves_on_to_a_new_segment_in_the_middle_of_a_record(
    tmp_path: Path, file_limit: int
) -> None:
    path = tmp_path / "tape"
    writer = TapeWriter.create(path, "demo", session(), options=WriterOptions(reserve_bytes=0, roll_bytes=1 << 20))
    limited_to(file_limit)
    for _ in range(1_000):
        writer.append(Kind.FRAME, payload_of(writer.head_seq + 1), 1)
    writer.close()
    assert len(Tape.open(path).segments) > 3
    frames = [record for record in Tape.open(path).records() if record.kind == Kind.FRAME]
    assert [record.payload for record in frames] == [payload_of(seq) for seq in range(1, 1_001)]


def test_a_limit_too_small_for_a_record_is_an_outage_that_leaves_the_log_clean(tmp_path: Path, file_limit: int) -> None:
    path = tmp_path / "tape"
    options = WriterOptions(sync_interval_s=0, reserve_bytes=0, roll_bytes=1 << 20, retry_s=0.01)
    writer = TapeWriter.create(path, "demo", session(), options=options)
    writer.append(Kind.FRAME, bytes(100))
    size = Layout(path).hot(1).stat().st_size
    limited_to(size + 50)
    with pytest.raises(DiskError, match="File too large"):
        writer.append(Kind.FRAME, bytes(40_000))
    scan = scan_segment(Layout(path).hot(hot_numbers(Layout(path))[0]))
    assert scan.verdict is Verdict.CLEAN
    limited_to(file_limit * 10)
    time.sleep(options.retry_s)
    writer.append(Kind.FRAME, bytes(40_000))
    writer.close()
    kinds = [Kind(record.kind) for record in Tape.open(path).records()]
    assert [kind for kind in kinds if kind is not Kind.GAP_OPEN] == [
        Kind.SESSION,
        Kind.FRAME,
        Kind.GAP_CLOSE,
        Kind.FRAME,
        Kind.CLEAN_STOP,
    ]
