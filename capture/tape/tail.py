"""The tail of a tape that others may be writing: each call gives what has come since, reading nothing twice.

Knows how to go on where the last call stopped, in the hot log and from one of its segments to the next. Must not know
what a record means. Unlike a follower (`capture.tape.follow`) it needs no writer in its own process.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from capture.tape.errors import DiskError
from capture.tape.layout import hot_numbers
from capture.tape.reader import Tape
from capture.tape.scan import SegmentReader, read_header
from core.records import Record

MOST: Final = 8_192
"""Records of one call: a second or so of the busiest tape, some megabytes."""


class Tail:
    """Reads a tape from a seq on, call by call; used by one thread. next_seq: of the next record to come."""

    def __init__(self, tape: Tape, from_seq: int) -> None:
        self.next_seq = from_seq
        self._tape = tape
        self._hot: SegmentReader | None = None
        self._records: Iterator[Record] | None = None

    def take(self, most: int = MOST) -> list[Record]:
        """The next records, in order without a hole; [] when there are none now. Raises as `Tape.records`."""
        for look in (self._go_on, self._from_hot, self._from_sealed):
            records = look(most)
            if records:
                self.next_seq = records[-1].seq + 1
                return records
        return []

    def _go_on(self, most: int) -> list[Record]:
        """From where the last call stopped."""
        if self._records is None and self._hot is not None:
            try:
                self._hot.grow()
            except DiskError:  # sealed and removed meanwhile
                self._hot = None
                return []
            self._records = (record for _, record in self._hot)
        return self._taken(most)

    def _from_hot(self, most: int) -> list[Record]:
        """From the newest hot segment that begins at or before what comes next, unless that is the one at hand."""
        for number in reversed(hot_numbers(self._tape.layout)):
            path = self._tape.layout.hot(number)
            try:
                header = read_header(path)
                if header is None or header.base_seq > self.next_seq:
                    continue
                if self._hot is not None and self._hot.path == path:
                    return []
                self._hot = SegmentReader(path)
            except DiskError:  # sealed and removed meanwhile
                return []
            self._records = (record for _, record in self._hot)
            return self._taken(most)
        return []

    def _from_sealed(self, most: int) -> list[Record]:
        """From the sealed segments, where the hot log begins later by now."""
        self._tape.refresh()
        last_seq = self._tape.manifest.next_seq - 1
        if last_seq < self.next_seq:
            return []
        self._hot = None
        self._records = self._tape.records(self.next_seq, last_seq)
        return self._taken(most)

    def _taken(self, most: int) -> list[Record]:
        if self._records is None:
            return []
        due = (record for record in self._records if record.seq >= self.next_seq)
        try:
            found = list(islice(due, most))
        except DiskError:
            if self._hot is None:
                raise
            found, self._hot = [], None  # sealed and removed while it was read: it is read from there
        if len(found) < most:
            self._records = None
        return found
