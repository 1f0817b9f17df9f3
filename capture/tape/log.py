"""The hot log as a chain of segments: writes, syncs, rolls, and what to do when one of these fails.

Knows which records are durable and keeps those which are not in memory, so that a failed sync loses nothing. Must not
know clocks, sessions or the rules by which the writer rolls and gives up.
"""

import contextlib
import errno
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from capture.tape.disk import Disk
from capture.tape.hotlog import HotSegment, Mark
from capture.tape.layout import Layout
from core.records import Record

FULL_DISK: Final = frozenset((errno.ENOSPC, errno.EDQUOT))
"""Errors that another segment on the same disk cannot cure."""


class HotLog:
    """The segments of one writer. Every method but `sync` is called with `lock` held; `sync` takes it itself.

    finished: called (lock held) with the number of each segment that is complete, durable and closed.
    listeners: called (lock held) with each record once it is appended; they must be quick and must not raise.
    Methods that raise OSError leave a log that can be tried again and that holds every record appended before.
    """

    def __init__(
        self,
        layout: Layout,
        lock: threading.Lock,
        *,
        number: int,
        base_seq: int,
        previous_crc: int,
        disk: Disk,
        finished: Callable[[int], None],
    ) -> None:
        self.head_seq = base_seq - 1
        self.durable_seq = base_seq - 1
        self.synced = threading.Condition(lock)
        self.listeners: tuple[Callable[[Record], None], ...] = ()
        self._layout = layout
        self._lock = lock
        self._syncing = threading.Lock()  # one sync at a time, so that what is durable never goes back
        self._disk = disk
        self._finished = finished
        self._next_number = number
        self._undurable: deque[Record] = deque()
        self._segment = self._create(base_seq, previous_crc)
        self._durable = self._segment.mark()

    @property
    def size(self) -> int:
        """Bytes of the present segment."""
        return self._segment.size

    @property
    def unsynced_bytes(self) -> int:
        """Bytes that only the kernel and our memory hold."""
        return self._segment.size - self._durable.offset

    @property
    def is_empty(self) -> bool:
        """Whether the present segment holds no record."""
        return self.head_seq < self._segment.start.next_seq

    def write(self, record: Record) -> None:
        """Append the record that follows `head_seq`. OSError: it is not on the tape.

        An error that a new segment may cure (a file size limit, a bad spot) is tried there before giving up.
        """
        try:
            self._segment.append(record)
        except OSError as error:
            if error.errno in FULL_DISK:
                raise
            self.renew()
            self._segment.append(record)
        self._undurable.append(record)
        self.head_seq = record.seq
        for listen in self.listeners:
            listen(record)

    def write_all(self, records: Sequence[Record]) -> None:
        """Append records that follow `head_seq`, in one write. OSError: none of them is on the tape; try one by one."""
        self._segment.append_all(records)
        self._undurable.extend(records)
        self.head_seq = records[-1].seq
        for listen in self.listeners:
            for record in records:
                listen(record)

    def sync(self) -> None:
        """Return when every record appended before the call is durable; OSError when that cannot be had now.

        What is durable is read before the disk is asked, so records that arrive meanwhile are not counted.
        """
        with self._syncing:
            with self._lock:
                segment, mark = self._segment, self._segment.mark()
                if mark.offset == self._durable.offset and not segment.poisoned:
                    return
            try:
                segment.sync()
            except OSError:
                with self._lock:
                    if segment is self._segment:  # else whoever left it has seen to it
                        self._move()
                return
            with self._lock:
                self._publish(segment, mark)

    def renew(self) -> None:
        """Go on in a new segment; OSError when there is none to be had (the present one goes on, if it can)."""
        if self._settle():
            return
        segment, mark = self._segment, self._durable
        self._segment = self._create(mark.next_seq, _link(segment, mark))
        self._durable = self._segment.start
        self._retire(segment, mark)

    def close(self) -> None:
        """Make everything durable and finish the last segment; OSError when that fails (and it stays open)."""
        self._settle()
        self._retire(self._segment, self._durable)

    def abandon(self) -> None:
        """Close the file as it is, after `close` failed."""
        self._segment.close()

    def _settle(self) -> bool:
        """Make everything durable; true when that took a new segment. OSError when it cannot be had."""
        segment = self._segment
        try:
            segment.sync()
        except OSError:
            self._move()
            return True
        self._publish(segment, segment.mark())
        return False

    def _move(self) -> None:
        """Leave a poisoned segment: append what is not durable to a new one. OSError: nothing has changed.

        The new one is made aside: as part of the log it would hide what the old one still holds in the kernel.
        """
        old, mark = self._segment, self._durable
        fresh = self._create(mark.next_seq, _link(old, mark), aside=True)
        try:
            for record in self._undurable:
                fresh.append(record)
            fresh.sync()
            fresh.rename(self._layout.hot(fresh.number))
        except OSError:
            fresh.discard()
            raise
        self._segment = fresh
        self._durable = fresh.start
        self._publish(fresh, fresh.mark())
        with contextlib.suppress(OSError):
            old.cut(mark.offset)
        self._retire(old, mark)

    def _create(self, base_seq: int, previous_crc: int, *, aside: bool = False) -> HotSegment:
        number = self._next_number
        self._next_number += 1  # used up even when this fails: what a failed attempt left must not be written over
        path = self._layout.hot(number)
        if aside:
            path = self._layout.tmp / f"{path.name}.partial"
        return HotSegment.create(path, number, base_seq, previous_crc, disk=self._disk)

    def _publish(self, segment: HotSegment, mark: Mark) -> None:
        """Everything before `mark` of `segment` is durable."""
        if segment is not self._segment:
            return  # the log went on to another one meanwhile, and made this one durable first
        self._durable = mark
        self.durable_seq = mark.next_seq - 1
        while self._undurable and self._undurable[0].seq <= self.durable_seq:
            self._undurable.popleft()
        self.synced.notify_all()

    def _retire(self, segment: HotSegment, mark: Mark) -> None:
        """A segment that ends at `mark` gets no more records."""
        if mark.next_seq == segment.start.next_seq:
            segment.discard()
            return
        segment.close()
        self._finished(segment.number)


def _link(segment: HotSegment, mark: Mark) -> int:
    """The crc of the last record before `mark`, be it in the segment before."""
    return mark.crc if mark.next_seq > segment.start.next_seq else segment.previous_crc
