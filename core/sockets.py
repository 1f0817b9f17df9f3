"""Which connections a session has had: what OPENED, CLOSED and SENT tell of them, and the gap between two of them.

Knows when a connection is lost and which one takes over. Must not know numbering: `core.numbering` judges frames.
"""

from typing import Final

import msgspec

from core.cells import Memory
from core.gaps import RECONNECT, Gap, Gaps, OpenGap
from core.records import Coverage
from core.subscriptions import Connection, SavedConnection, book_subscribe

MAX_CLOSED: Final = 256
"""Closed connections remembered, so that their late frames are known to be dead."""


class Sockets:
    """The connections of a session by number. `opened` counts all of the tape, those only implied by numbering too."""

    __slots__ = ("_memory", "connections", "coverage", "gaps", "opened", "started_ns")

    def __init__(self, memory: Memory | None = None) -> None:
        self._memory = Memory() if memory is None else memory
        self.connections: dict[int, Connection] = {}
        self.coverage = Coverage()
        self.gaps = Gaps(memory=self._memory)
        self.opened = 0
        self.started_ns = 0

    def begin(self, coverage: Coverage, now_ns: int) -> tuple[Gap, ...]:
        """A new session: nothing is connected, and no gap of before can close."""
        for connection in self.connections.values():
            connection.release()
        self.connections = {}
        self.coverage = coverage
        self.started_ns = now_ns
        return self.gaps.end_all(now_ns)

    def open(self, number: int, now_ns: int) -> Connection:
        """A connection is there, because a record says so or a frame came on it."""
        self._drop(number)
        saved = SavedConnection(number, now_ns, now_ns)
        connection = self.connections[number] = Connection(self._memory, saved)
        self.opened += 1
        return connection

    def opened_as(self, number: int, replaces: int, now_ns: int) -> tuple[Gap, ...]:
        """OPENED: what it replaces was lost when it was last heard, and is replaced now."""
        reports = self._replaced(number, now_ns)
        if replaces not in (0, number):
            if replaces in self.connections:
                reports += self._replaced(replaces, now_ns)
            else:  # none of its frames are here: nothing of it is known since the session began
                reports += (self.gaps.new(RECONNECT, replaces, at_ns=self.started_ns, until_ns=now_ns),)
        self.open(number, now_ns)
        return reports

    def closed(self, number: int, now_ns: int, *, final: bool = False) -> tuple[Gap, ...]:
        """CLOSED: the gap is open until another connection takes over; a final one opens none, for recording ends."""
        connection = self.connections.get(number)
        if connection is None or not connection.is_open:
            return ()
        if final:
            over = self.gaps.connection_over(number, now_ns)
            self._close(connection)
            return over
        reports = self.lose(connection, now_ns, until_ns=None)
        self._close(connection)
        return reports

    def sent(self, number: int, payload: bytes, now_ns: int) -> None:
        """SENT: a subscribe says how no-side prices will be written."""
        subscribe = book_subscribe(payload)
        if subscribe is not None:
            connection = self.connections.get(number) or self.open(number, now_ns)
            connection.note_subscribe(*subscribe)

    def renumbered(self, connection: Connection, now_ns: int) -> tuple[Gap, ...]:
        """Its numbering proves that it is another connection under the old number."""
        reports = self.lose(connection, now_ns, until_ns=now_ns)
        connection.renew(now_ns)
        self.opened += 1
        return reports

    def lose(self, connection: Connection, now_ns: int, *, until_ns: int | None) -> tuple[Gap, ...]:
        """The gap that begins where a connection was last heard; until_ns None keeps it open."""
        over = self.gaps.connection_over(connection.number, now_ns)
        gap = self.gaps.new(
            RECONNECT, connection.number, at_ns=connection.heard_ns, until_ns=until_ns, markets=connection.markets()
        )
        if until_ns is not None:
            return (*over, gap)
        connection.lost_gap = gap.number
        return (*over, *self.gaps.keep(OpenGap(gap), now_ns))

    def adopt(
        self, connections: tuple[SavedConnection, ...], open_gaps: tuple[OpenGap, ...], now_ns: int
    ) -> tuple[Gap, ...]:
        """Go on from what a cut kept of an earlier session; reports its open gaps, numbered anew."""
        reports: list[Gap] = []
        renumbered = {0: 0}
        for entry in open_gaps:
            self.gaps.last_number += 1
            renumbered[entry.gap.number] = self.gaps.last_number
            gap = msgspec.structs.replace(entry.gap, number=self.gaps.last_number)
            reports += self.gaps.keep(msgspec.structs.replace(entry, gap=gap), now_ns)
        for number in list(self.connections):
            self._drop(number)
        for saved in connections:
            connection = self.connections[saved.number] = Connection(self._memory, saved)
            connection.lost_gap = renumbered.get(saved.lost_gap, 0)
            self.opened += saved.is_open
        return tuple(reports)

    def _replaced(self, number: int, now_ns: int) -> tuple[Gap, ...]:
        connection = self.connections.get(number)
        if connection is None:
            return ()
        if connection.is_open:
            reports = self.lose(connection, now_ns, until_ns=now_ns)
            self._close(connection)
            return reports
        lost = connection.lost_gap
        return (self.gaps.close(lost, now_ns),) if self.gaps.is_open(lost) else ()

    def _close(self, connection: Connection) -> None:
        connection.close()
        closed = [number for number, other in self.connections.items() if not other.is_open]
        if len(closed) > MAX_CLOSED:
            self._drop(min(closed))

    def _drop(self, number: int) -> None:
        connection = self.connections.pop(number, None)
        if connection is not None:
            connection.release()
