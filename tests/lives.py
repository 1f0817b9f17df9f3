"""Helpers for tests that let a tape live: made, appended to, opened again, read back."""

from pathlib import Path

from writing import FaultyDisk, HandClock, session

from capture.tape.reader import Tape
from capture.tape.recorder import WriterOptions
from capture.tape.writer import TapeWriter
from core.records import Kind, Record, StoredGap, decode_gap

EAGER = WriterOptions(sync_interval_s=0, reserve_bytes=4096, roll_bytes=1 << 20)
CALM = WriterOptions(sync_interval_s=3600, reserve_bytes=4096, roll_bytes=1 << 20)


def create(
    path: Path, options: WriterOptions = CALM, *, clock: HandClock | None = None, disk: FaultyDisk | None = None
) -> TapeWriter:
    return TapeWriter.create(
        path, "demo", session(), clock=clock or HandClock(), options=options, disk=disk or FaultyDisk()
    )


def reopen(path: Path, clock: HandClock | None = None) -> TapeWriter:
    return TapeWriter.open(path, "demo", session(), clock=clock or HandClock(), options=CALM)


def append(writer: TapeWriter, count: int) -> None:
    for _ in range(count):
        writer.append(Kind.FRAME, b'{"n":%d}\n' % (writer.head_seq + 1), 1)


def read(path: Path) -> list[Record]:
    """Every record; asserts that they are numbered without a hole."""
    found = list(Tape.open(path).records())
    assert [record.seq for record in found] == list(range(len(found)))
    return found


def kinds(path: Path) -> list[Kind]:
    return [Kind(record.kind) for record in read(path)]


def gaps(path: Path) -> list[tuple[Kind, StoredGap]]:
    stored = [record for record in read(path) if record.kind in (Kind.GAP_OPEN, Kind.GAP_CLOSE)]
    return [(Kind(record.kind), decode_gap(record.payload)) for record in stored]
