"""Following a log while it is written: every record once, in seq order, however slow the follower is.

Knows a bounded queue that is filled as records are appended, and the tape from which it is read what did not fit.
Must not know what a record means, nor who follows. A follower never makes the writer wait.
"""

import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

from capture.tape.log import HotLog
from capture.tape.reader import Tape
from core.records import Record

MAX_BATCH: Final = 1_024
"""Records handed over at once: a hundredth of a second of a fold's work."""

MAX_BYTES: Final = 64 << 20
"""Payload bytes kept ready at most, however large the records are: as much as the writer holds itself."""

REREAD_S: Final = 0.002
"""How long a place that the tape does not show yet is left alone: the recorder is between two files for less."""


class Follower:
    """One reader of a log, made by `TapeWriter.follow`; `take` is called by one thread.

    Records wait in a queue. When that is full the follower lags: what comes then is read from the tape, until the
    tape has nothing more; then the queue is used again.

    rest_s: from one hand-over to the next at least; what comes in between is handed over together. A thread that is
    woken for every record spends most of its time on waking. What comes after a calm is handed over at once.
    """

    def __init__(
        self,
        name: str,
        root: Path,
        log: HotLog,
        lock: threading.Lock,
        *,
        capacity: int,
        from_seq: int,
        rest_s: float = 0.0,
    ) -> None:
        self.name = name
        self.next_seq = from_seq
        self.overflows = 0
        self._root = root
        self._log = log
        self._lock = lock
        self._capacity = capacity
        self._queue: SimpleQueue[Record] = SimpleQueue()
        self._bytes_put = self._bytes_taken = 0  # each counted by one thread only
        self._rest_s = rest_s
        self._rested_at_s = 0.0  # on the monotonic clock
        self._source: Iterator[Record] | None = None
        with lock:
            self._is_lagging = from_seq <= log.head_seq
            log.listeners = (*log.listeners, self._put)

    @property
    def lag(self) -> int:
        """How many records were appended and not taken yet."""
        return max(self._log.head_seq + 1 - self.next_seq, 0)

    @property
    def is_lagging(self) -> bool:
        """True while records are read from the tape because the queue could not hold them."""
        return self._is_lagging

    def take(self, timeout_s: float) -> list[Record]:
        """The next records, at most MAX_BATCH; [] when none came in time. TapeError: the tape is damaged."""
        now_s = time.monotonic()
        until = now_s + timeout_s
        if now_s < self._rested_at_s and not self._is_lagging:
            time.sleep(min(self._rested_at_s - now_s, timeout_s))
        while True:
            left_s = until - time.monotonic()
            is_lagging = self._is_lagging  # while it is, nothing is put into the queue: looking there first misses none
            records = self._queued(0.0 if is_lagging else max(left_s, 0.0))
            if is_lagging and not records:
                records = self._reread()
            if records:
                self._advance(records)
                self._rested_at_s = time.monotonic() + self._rest_s
                return records
            if left_s <= 0:
                return []
            if self._is_lagging:
                time.sleep(min(REREAD_S, left_s))

    def close(self) -> None:
        """Follow no longer; what was not taken is given up. More than once is fine."""
        with self._lock:
            self._log.listeners = tuple(listen for listen in self._log.listeners if listen != self._put)

    def _put(self, record: Record) -> None:
        """Called for each record with the log's lock held."""
        if self._is_lagging:
            return
        if self._queue.qsize() >= self._capacity or self._bytes_put - self._bytes_taken > MAX_BYTES:
            self._is_lagging = True
            self.overflows += 1
            return
        self._bytes_put += len(record.payload)
        self._queue.put(record)

    def _queued(self, timeout_s: float) -> list[Record]:
        queue = self._queue
        try:
            records = [queue.get(timeout=timeout_s) if timeout_s > 0 else queue.get_nowait()]
        except Empty:
            return []
        records += [queue.get_nowait() for _ in range(min(queue.qsize(), MAX_BATCH - 1))]
        self._bytes_taken += sum(len(record.payload) for record in records)
        return records

    def _reread(self) -> list[Record]:
        """Records from the tape; none, and no longer lagging, when it holds no more."""
        if self._source is None:
            self._source = Tape.open(self._root).records(self.next_seq)
        records, due = [], self.next_seq
        for record in islice(self._source, MAX_BATCH):
            if record.seq >= due:  # a segment that was rebuilt while it was read may show some again
                records.append(record)
                due = record.seq + 1
        if not records:
            self._source = None
            with self._lock:
                self._is_lagging = self._log.head_seq >= self.next_seq
        return records

    def _advance(self, records: list[Record]) -> None:
        first, last = records[0].seq, records[-1].seq
        assert first == self.next_seq and last - first == len(records) - 1, (
            f"records {first} to {last}, {len(records)} of them, where {self.next_seq} is due"
        )
        self.next_seq = last + 1
