"""The records of a tape with their times and messages, read ahead in a thread so that the event loop never waits.

Knows how far ahead to read. Must not know when a record is due or what it does.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Final, TypeAlias

from capture.tape.reader import Tape
from core.messages import Malformed, Message, decode
from core.records import Kind, Record
from core.timeline import Timeline

CHUNK: Final = 512
"""Records read at a time: some milliseconds of work, during which the event loop goes on."""

Fed: TypeAlias = tuple[Record, int, Message | Malformed | None]
"""A record, its `now_ns`, and its message if it is a text frame."""

_TEXT: Final = int(Kind.FRAME)


class Reel:
    """Reads a tape from one seq on. `ready` holds what was read; whoever plays takes it from the left.

    timeline: of the records before that seq; it is advanced here and must be nobody else's.
    """

    def __init__(self, tape: Tape, from_seq: int = 0, timeline: Timeline | None = None) -> None:
        self.ready: deque[Fed] = deque()
        self._records = tape.records(from_seq)
        self._timeline = Timeline() if timeline is None else timeline
        self._coming: asyncio.Task[list[Fed]] | None = None

    async def fill(self) -> bool:
        """Put the next records into `ready`; False at the end of the tape. Raises TapeDamaged, TapeError."""
        coming = self._coming or self._fetch()
        self._coming = None
        found = await coming
        self.ready.extend(found)
        if found:
            self._coming = self._fetch()
        return bool(found)

    async def close(self) -> None:
        """Read no further; returns when the thread is done."""
        coming, self._coming = self._coming, None
        if coming is not None:
            await asyncio.wait([coming])
            if not coming.cancelled():
                coming.exception()  # of records that nobody is going to play

    def _fetch(self) -> "asyncio.Task[list[Fed]]":
        return asyncio.create_task(asyncio.to_thread(self._read))

    def _read(self) -> list[Fed]:
        return list(self._decoded())

    def _decoded(self) -> Iterator[Fed]:
        advance = self._timeline.advance
        for record in islice(self._records, CHUNK):
            yield record, advance(record), decode(record.payload) if record.kind == _TEXT else None
