"""What recording costs: frames a second from the socket to the log, how long until a frame is durable, and the CPU.

The yardsticks are measured in the same run: the bare library that receives the same frames and keeps nothing, and one
fdatasync of this disk.
"""

import itertools
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import rsa
from websocket import ABNF, WebSocket

from benchmarks.measure import QUICK, REPETITIONS, rate, ratio, seconds, show
from benchmarks.source import MARKETS, market_of, source
from capture.auth import Credentials
from capture.daemon import FOLD_REST_S
from capture.deck import Deck, DeckOptions
from capture.environments import Environment
from capture.inbox import Inbox
from capture.tape.reader import Tape
from capture.tape.recorder import WriterOptions
from capture.tape.writer import TapeWriter
from capture.wire import Wire
from core.engine import Engine
from core.records import Kind, Opened, Session, encode_payload

FRAMES: Final = 2_000 if QUICK else 300_000
PACED_S: Final = 1.0 if QUICK else 10.0
RATES: Final = (2_000,) if QUICK else (2_000, 10_000)
SYNCS_S: Final = (0.1,) if QUICK else (0.01, 0.1)
LOOK_S: Final = 0.0002
"""How often it is looked at what is durable; the figures are that exact."""

EVERY_S: Final = 0.05
"""How often it is looked whether all has come, while CPU is measured."""

ENVIRONMENT: Final = "benchmark"
FOLLOWED: Final = 65_536
"""Records that wait for the store at most; more are read from the log again."""


def bare(url: str, receive_frame: bool = False) -> int:
    """The library alone, with the one option that everybody sets for speed; the number of frames."""
    peer = WebSocket(skip_utf8_validation=True)
    peer.connect(url)  # type: ignore[no-untyped-call]  # the library is typed in part
    frames = 0
    opcode = ABNF.OPCODE_TEXT
    while opcode != ABNF.OPCODE_CLOSE:
        frame: Any = peer.recv_frame() if receive_frame else peer.recv_data()  # type: ignore[no-untyped-call]  # as above
        opcode = frame.opcode if receive_frame else frame[0]
        frames += 1
    peer.shutdown()  # type: ignore[no-untyped-call]  # as above
    return frames


@contextmanager
def writer_at(path: Path, sync_s: float) -> Iterator[TapeWriter]:
    """The writer of a new tape."""
    session = Session(uuid=path.name, environment=ENVIRONMENT)
    options = WriterOptions(sync_interval_s=sync_s, seal_apart=True)
    with TapeWriter.create(path, ENVIRONMENT, session, options=options) as writer:
        yield writer


def record(url: str, writer: TapeWriter) -> None:
    """Receive until the peer closes, every frame appended before the next one is read."""

    def taken(kind: Kind, payload: bytes) -> None:
        writer.append(kind, payload, 1)

    wire = Wire(url, dict, taken, taken_texts=lambda texts: writer.append_all(Kind.FRAME, texts, 1))
    wire.connect()
    writer.append(Kind.OPENED, encode_payload(Opened(url)), 1)
    wire.run()


class Store(threading.Thread):
    """The live store: an engine in a thread of its own that follows the log until told to stop."""

    def __init__(self, writer: TapeWriter) -> None:
        super().__init__(name="store", daemon=True)
        self.engine = Engine()
        self._follower = writer.follow("store", FOLLOWED)
        self._stopping = threading.Event()

    def run(self) -> None:
        """Step every record."""
        while not (self._stopping.is_set() and not self._follower.lag):
            for entry in self._follower.take(0.05):
                self.engine.step(entry)

    def finish(self) -> None:
        """Return when everything appended so far was stepped."""
        self._stopping.set()
        self.join()


class Watermarks(threading.Thread):
    """Notes when each seq became durable, looking every LOOK_S."""

    def __init__(self, writer: TapeWriter) -> None:
        super().__init__(name="watermarks", daemon=True)
        self.found: list[tuple[int, int]] = []
        self._writer = writer
        self._stopping = threading.Event()

    def run(self) -> None:
        """Look until told to stop."""
        last = -1
        while not self._stopping.wait(LOOK_S):
            durable = self._writer.durable_seq
            if durable != last:
                self.found.append((durable, time.monotonic_ns()))
                last = durable

    def finish(self) -> None:
        """Look no more."""
        self._writer.sync()
        self.found.append((self._writer.durable_seq, time.monotonic_ns()))
        self._stopping.set()
        self.join()


def latencies_ms(path: Path, marks: list[tuple[int, int]]) -> list[float]:
    """Milliseconds from the append of each text frame to the moment its seq was seen to be durable, sorted."""
    found, at = [], 0
    for entry in Tape.open(path).records():
        while at < len(marks) and marks[at][0] < entry.seq:
            at += 1
        if entry.kind == Kind.FRAME and at < len(marks):
            found.append(max(marks[at][1] - entry.mono_ns, 0) / 1e6)
    return sorted(found)


def recorded_s(url: str, path: Path, *, with_store: bool) -> float:
    """Seconds until everything is durable, and with the store also stepped. Sealing goes on meanwhile; its end is not
    waited for, for nobody who records waits for it."""
    with writer_at(path, 0.1) as writer:
        store = Store(writer) if with_store else None
        if store is not None:
            store.start()
        began = time.perf_counter()
        record(url, writer)
        writer.sync()
        if store is not None:
            store.finish()
        return time.perf_counter() - began


def flat_out(place: Path) -> None:
    """Frames a second, as fast as they are taken."""
    paths = (place / f"flat-{number}" for number in itertools.count())
    with source(FRAMES, connections=4 * REPETITIONS) as url:
        cases: dict[str, Callable[[], float]] = {
            "library, recv_data": lambda: seconds(lambda: bare(url)),
            "library, recv_frame": lambda: seconds(lambda: bare(url, receive_frame=True)),
            "recorded, all durable": lambda: recorded_s(url, next(paths), with_store=False),
            "recorded, all in the store": lambda: recorded_s(url, next(paths), with_store=True),
        }
        took: dict[str, list[float]] = {name: [] for name in cases}
        for _ in range(REPETITIONS):
            for name, run in cases.items():
                took[name].append(run())
    medians = {name: statistics.median(values) for name, values in took.items()}
    base = medians["library, recv_data"]
    rows = [
        [name, rate(FRAMES, median), ratio(base, median), f"{min(took[name]):.2f}-{max(took[name]):.2f}"]
        for name, median in medians.items()
    ]
    notes = [f"{FRAMES:,} frames, sender in another process, medians of {REPETITIONS}, taking turns"]
    show("Capture, flat out", ("receiver", "frames/s", "of recv_data", "seconds"), rows, notes)


def fdatasync_ms(place: Path) -> tuple[float, float]:
    """p50 and p99 of one fdatasync after 20 kB, which is 10 ms of frames at 10,000 a second twice over."""
    path, took = place / "sync", []
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for _ in range(20 if QUICK else 300):
        os.write(fd, b"x" * 20_000)
        start = time.perf_counter()
        os.fdatasync(fd)
        took.append((time.perf_counter() - start) * 1e3)
    os.close(fd)
    cuts = statistics.quantiles(took, n=100)
    return cuts[49], cuts[98]


def deck_cpu_s(place: Path, frames_s: int, sync_s: float) -> tuple[float, float]:
    """CPU and wall seconds of a process that records as the daemon does: its deck, store and inbox, nobody looking."""
    frames = int(frames_s * PACED_S)
    credentials = Credentials("benchmark", rsa.generate_private_key(public_exponent=65_537, key_size=2_048))
    with source(frames, rate=frames_s) as url, writer_at(place / f"deck-{frames_s}-{sync_s}", sync_s) as writer:
        environment = Environment(ENVIRONMENT, url, url, is_production=False)
        deck = Deck(writer, environment, credentials, DeckOptions(fold_rest_s=FOLD_REST_S), on_step=Inbox())
        deck.want([market_of(number) for number in range(MARKETS)])
        cpu_s, began = time.process_time(), time.perf_counter()
        deck.start()
        try:
            while writer.head_seq < frames:  # the session's own records are more than those of the handshake
                time.sleep(EVERY_S)
            return time.process_time() - cpu_s, time.perf_counter() - began
        finally:
            deck.stop()


def paced(place: Path, frames_s: int, sync_s: float) -> list[str]:
    """One row: the latency from receipt to durable, then the CPU of a run in which nobody looks."""
    path = place / f"paced-{frames_s}-{sync_s}"
    with source(int(frames_s * PACED_S), rate=frames_s) as url, writer_at(path, sync_s) as writer:
        store, marks = Store(writer), Watermarks(writer)
        store.start()
        marks.start()
        record(url, writer)
        marks.finish()
        store.finish()
    found = latencies_ms(path, marks.found)
    cuts = statistics.quantiles(found, n=100)
    cpu_s, wall_s = deck_cpu_s(place, frames_s, sync_s)
    per_10k = cpu_s / (frames_s * PACED_S / 10_000)
    return [
        f"{frames_s:,}/s, sync {sync_s * 1e3:.0f} ms",
        f"{cuts[49]:.2f}",
        f"{cuts[98]:.2f}",
        f"{cpu_s / wall_s:.1%}",
        f"{per_10k:.3f}",
        f"{len(found):,}",
    ]


def main() -> None:
    """Flat out, then paced."""
    with tempfile.TemporaryDirectory(prefix="tapedeck-bench-") as spare:
        place = Path(spare)
        flat_out(place)
        p50, p99 = fdatasync_ms(place)
        rows = [paced(place, frames_s, sync_s) for frames_s in RATES for sync_s in SYNCS_S]
    header = ("paced", "p50 ms", "p99 ms", "CPU of a core", "CPU s/10k frames", "frames")
    notes = [
        f"from receipt to durable; one fdatasync of 20 kB on this disk in this run: p50 {p50:.2f}, p99 {p99:.2f} ms",
        f"{PACED_S:.0f} s each, the live store attached; CPU: of the whole process, in a run with the daemon's deck",
    ]
    show("Capture, paced", header, rows, notes)


if __name__ == "__main__":
    main()
