"""A process that appends until it is killed: `python appending.py log|writer TAPE`.

After each append it writes the record's seq (8 bytes, little-endian) to its standard output.
"""

import os
import sys
import threading
from pathlib import Path
from typing import Final

from capture.tape.background import Worker
from capture.tape.clock import SystemClock
from capture.tape.disk import SystemDisk
from capture.tape.layout import Layout
from capture.tape.log import HotLog
from capture.tape.outage import Reserve
from capture.tape.recorder import Recorder, WriterOptions
from core.records import Kind

OPTIONS: Final = WriterOptions(
    sync_interval_s=0.002, sync_bytes=5_000, roll_bytes=30_000, roll_s=0.05, reserve_bytes=4096
)


def payload_of(seq: int) -> bytes:
    """What these processes put into record `seq`."""
    return (b"%d " % seq) * (seq * 7919 % 61)


def acknowledge(seq: int) -> None:
    """Tell whoever started this process that `seq` is appended."""
    os.write(1, seq.to_bytes(8, "little"))


def append_to_log(root: Path) -> None:
    """Append to hot segments from seq 0 on, without a writer around them (and without Arrow: it starts in 0.1 s)."""
    layout, disk, lock = Layout(root), SystemDisk(), threading.Lock()
    finished: list[int] = []
    log = HotLog(layout, lock, number=1, base_seq=0, previous_crc=0, disk=disk, finished=finished.append)
    syncing = Worker("sync", log.sync, OPTIONS.sync_interval_s, lambda _: os._exit(9))
    reserve = Reserve(layout.reserve, 0, disk)
    recorder = Recorder(root, log, reserve, clock=SystemClock(), options=OPTIONS, wake=syncing.wake)
    syncing.start()
    while True:
        with lock:
            seq = recorder.append(Kind.FRAME, payload_of(log.head_seq + 1), 1)
        acknowledge(seq)


def append_to_tape(root: Path) -> None:
    """Begin a tape, or go on with it, sealing on the way."""
    from writing import session

    from capture.tape.writer import TapeWriter

    begin = TapeWriter.open if root.exists() else TapeWriter.create
    writer = begin(root, "demo", session(), options=OPTIONS)
    while True:
        acknowledge(writer.append(Kind.FRAME, payload_of(writer.head_seq + 1), 1))


if __name__ == "__main__":
    {"log": append_to_log, "writer": append_to_tape}[sys.argv[1]](Path(sys.argv[2]))
