"""The whole promise at once: whatever happens to whichever byte of a tape, verify says so and names the file, and no
reader takes what is left for the whole."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from sample_records import mixed_tape, sample_records, sealed_tape, session_records

from capture.tape import checkpoints
from capture.tape.errors import TapeError
from capture.tape.layout import Layout
from capture.tape.reader import Ended, Tape
from capture.tape.recovery import recover
from capture.tape.verify import verify
from core.records import Kind, Record

pytestmark = pytest.mark.integration

RECORDS = session_records(300)
SEED = 20_260_811


def whole_tape(root: Path, kind: str) -> list[Path]:
    """A tape with something in every place: segments, hot log (if it is mixed), checkpoint, quarantine. Its files."""
    if kind == "sealed":
        sealed_tape(root, RECORDS, rows=60)
    else:
        mixed_tape(root, RECORDS, sealed=120, rows=60)
    layout = Layout(root)
    layout.lock.touch()
    checkpoints.save(Tape.open(root), 70, 1, b"state" * 20)
    (layout.quarantine / "wal_00000009.wal.a665a45920422f9d").write_bytes(b"123")
    assert verify(root).problems == ()
    return sorted(path for path in root.rglob("*") if path.is_file())


def read(root: Path) -> tuple[list[Record], bool]:
    """What a reader gets from a tape, and whether it may take that for the whole."""
    found: list[Record] = []
    try:
        opened = Tape.open(root)
        for record in opened.records():
            found.append(record)  # noqa: PERF402  what came before the exception counts
        return found, opened.ended is Ended.CLEAN_STOP
    except TapeError:
        return found, False


def require_seen(root: Path, path: Path, what: str) -> None:
    """Verify names the file, and readers get a prefix that they do not take for the whole, or all there is."""
    report = verify(root)
    name = path.relative_to(root).as_posix()
    assert any(problem.file == name for problem in report.problems), f"{what}: {report.problems}"
    found, is_whole = read(root)
    assert found == RECORDS[: len(found)], what
    assert not is_whole or len(found) == len(RECORDS), what


@pytest.fixture(params=["sealed", "mixed"])
def tape(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, list[Path]]]:
    root = tmp_path / "tape"
    yield root, whole_tape(root, request.param)


@pytest.mark.parametrize("places", [100, pytest.param(500, marks=pytest.mark.slow)])
def test_a_flipped_bit_anywhere_is_seen_and_named(tape: tuple[Path, list[Path]], places: int) -> None:
    root, files = tape
    rng = random.Random(SEED)
    sizes = [path.stat().st_size for path in files]
    for place in range(places):
        # Half of the places are spread over the bytes, half over the files, so that the small ones get their share.
        weights = sizes if place % 2 else [int(size > 0) for size in sizes]
        path = rng.choices(files, weights)[0]
        content = path.read_bytes()
        bit = rng.randrange(len(content) * 8)
        altered = bytearray(content)
        altered[bit // 8] ^= 1 << bit % 8
        path.write_bytes(altered)
        require_seen(root, path, f"seed {SEED}, place {place}: bit {bit} of {path.name}")
        path.write_bytes(content)
    assert verify(root).problems == ()


@pytest.mark.parametrize("cuts", [5, pytest.param(25, marks=pytest.mark.slow)])
def test_a_cut_of_any_file_at_any_length_is_seen(tape: tuple[Path, list[Path]], cuts: int) -> None:
    root, files = tape
    rng = random.Random(SEED)
    for path in files:
        content = path.read_bytes()
        lengths = {0, 1, len(content) - 1, *(rng.randrange(len(content)) for _ in range(cuts))} if content else set()
        for length in sorted(lengths):
            path.write_bytes(content[:length])
            report = verify(root)
            assert not report.whole, f"{path.name} cut to {length}"
            found, is_whole = read(root)
            assert found == RECORDS[: len(found)]
            assert not is_whole or len(found) == len(RECORDS), f"{path.name} cut to {length}"
        path.write_bytes(content)
    assert verify(root).problems == ()


def test_a_removed_file_is_seen(tape: tuple[Path, list[Path]], tmp_path: Path) -> None:
    root, files = tape
    for path in files:
        if path.name == "LOCK" or path.parent.name in ("checkpoints", "quarantine"):
            continue  # these may go
        path.rename(tmp_path / "aside")
        report = verify(root)
        assert not report.whole, path.name
        found, is_whole = read(root)
        assert found == RECORDS[: len(found)]
        assert not is_whole, path.name
        (tmp_path / "aside").rename(path)
    assert verify(root).problems == ()


def test_two_swapped_segments_are_seen(tape: tuple[Path, list[Path]], tmp_path: Path) -> None:
    root, files = tape
    segments = [path for path in files if path.suffix in (".parquet", ".wal")]
    for one, other in pairwise(segments):
        one.rename(tmp_path / "aside")
        other.rename(one)
        (tmp_path / "aside").rename(other)
        for path in (one, other):
            require_seen(root, path, f"{one.name} and {other.name} swapped")
        one.rename(tmp_path / "aside")
        other.rename(one)
        (tmp_path / "aside").rename(other)
    assert verify(root).problems == ()


def test_a_doubled_file_is_seen(tape: tuple[Path, list[Path]]) -> None:
    root, files = tape
    for path in files:
        if path.parent.name == "quarantine":
            continue  # a copy under the hash of its content is no lie
        for name in (f"00000077{path.suffix}", f"{path.name}.copy"):
            copy = path.with_name(name)
            shutil.copy(path, copy)
            require_seen(root, copy, f"{path.name} copied to {name}")
            copy.unlink()
    assert verify(root).problems == ()


@pytest.mark.parametrize("places", [8, pytest.param(24, marks=pytest.mark.slow)])
def test_recovery_keeps_everything_before_a_flipped_bit_in_the_hot_log(tmp_path: Path, places: int) -> None:
    rng = random.Random(SEED)
    good = tmp_path / "good"
    mixed_tape(good, RECORDS, sealed=120, rows=60)
    for place in range(places):
        root = tmp_path / f"tape{place}"
        shutil.copytree(good, root)
        path = rng.choice(sorted(Layout(root).wal.iterdir()))
        content = bytearray(path.read_bytes())
        bit = rng.randrange(len(content) * 8)
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        before, _ = read(root)
        report = recover(root)
        what = f"seed {SEED}, place {place}: bit {bit} of {path.name}: {report}"
        assert report.problems == (), what
        after, _ = read(root)
        assert after[: len(before)] == before, what
        assert [record.seq for record in after] == list(range(len(after))), what
        assert verify(root, deep=True).problems == (), what
        kept = [record for record in after if record.seq < 300 and record == RECORDS[record.seq]]
        assert len(kept) >= (299 if bit // 8 >= 40 else 209), what
        shutil.rmtree(root)


APPEND = """
import sys
from pathlib import Path
from capture.tape.recorder import WriterOptions
from capture.tape.writer import TapeWriter
from core.records import Kind, Session

options = WriterOptions(sync_interval_s=0.002, roll_bytes=20_000, reserve_bytes=0)
writer = TapeWriter.create(Path(sys.argv[1]), "test", Session(uuid="u", environment="test"), options=options)
number = 0
print("ready", flush=True)
while True:
    number += 1
    writer.append(Kind.FRAME, b'{"number":%d}' % number)
    if number % 50 == 0:
        print(writer.durable_seq, writer.head_seq, flush=True)
"""


@pytest.mark.parametrize("instant", [0, 1, *(pytest.param(more, marks=pytest.mark.slow) for more in range(2, 8))])
def test_a_killed_recorder_loses_nothing_that_was_appended(tmp_path: Path, instant: int) -> None:
    root = tmp_path / "tape"
    command = [sys.executable, "-c", APPEND, str(root)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).resolve().parents[2])
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.05 + random.Random(f"{SEED}/{instant}").random() * 0.4)
    os.kill(process.pid, signal.SIGKILL)
    said = [line for line in process.stdout.read().splitlines() if len(line.split()) == 2]
    process.wait()
    process.stdout.close()
    appended = int(said[-1].split()[1]) if said else 0
    for _ in range(2):
        found, _ = read(root)
        frames = [record.payload for record in found if record.kind == Kind.FRAME]
        assert frames == [b'{"number":%d}' % number for number in range(1, len(frames) + 1)]
        assert [record.seq for record in found] == list(range(len(found)))
        assert len(frames) >= appended
        recover(root)
    assert found[-1].kind == Kind.GAP_OPEN
    assert verify(root, deep=True).problems == ()


def test_a_tape_of_many_sorts_of_records_survives_a_deep_look_after_all(tmp_path: Path) -> None:
    records = [*RECORDS[:-1], *sample_records(700, start=299)]
    mixed_tape(tmp_path / "tape", records, sealed=500)
    report = recover(tmp_path / "tape")
    assert (report.problems, report.records) == ((), len(records) + 1)
    assert verify(tmp_path / "tape", deep=True).whole
