"""What a lost connection of the recorder does to clients: they are disconnected, and waited for.

Knows whom to wait for, and which books and tickers are not to be given meanwhile. Must not know how losses are found.
Everything is called on the event loop.
"""

from typing import Final

from core.records import Record, decode_opened
from replay.exchange.attendance import Attendance
from replay.exchange.port import Audience
from replay.exchange.position import Lost, Position

NOBODY: Final = -2
"""The connection that is going to be lost when none is."""


class Outages:
    """patience_s: how long clients are waited for after a disconnect; `attach` before anything else.

    count: disconnects so far. is_fresh: nothing was published since the last of them. awaited: subscriptions there
    were then, 0 = nobody is waited for. doomed: a connection that is lost, though its replacement is still to come.
    unsent: the market of a frame that the books hold already and clients do not have yet.
    """

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._audience: Audience | None = None
        self._attendance: Attendance | None = None
        self.count = 0
        self.is_fresh = True
        self.awaited = 0
        self.doomed = NOBODY
        self.unsent = ""

    def attach(self, audience: Audience, attendance: Attendance) -> None:
        """These are the clients."""
        self._audience, self._attendance = audience, attendance

    def foresee(self, record: Record, position: Position) -> None:
        """A connection is going to be replaced: it was lost before the silence that comes now, not after it."""
        replaces = decode_opened(record.payload).replaces
        if not self.is_fresh and replaces and position.loses(replaces):
            self.doomed = replaces
            self.disconnect(Lost())

    def disconnect(self, lost: Lost) -> None:
        """End every session."""
        assert self._audience is not None, "there is nobody to disconnect before there is an audience"
        self.awaited = max(self.awaited, self._audience.subscriptions)
        self.is_fresh = True
        self.count += 1
        self._audience.disconnect_all(lost.code, lost.reason)

    async def regather(self, unsent: str = "") -> None:
        """Wait for those who were disconnected: what comes next, of market `unsent`, is what they missed."""
        assert self._attendance is not None, "there is nobody to wait for before there is an audience"
        self.unsent = unsent
        await self._attendance.gather(self.awaited, self._patience_s)
        self.awaited = 0
        self.unsent = ""
