"""Who is connected, how they leave, and whether their queues have room.

Knows sessions and the index of subscriptions. Must not know commands, frames or sockets.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from replay.exchange.clock import Clock
from replay.exchange.framing import close_payload
from replay.exchange.outbox import Ending, Outbox
from replay.exchange.port import ABNORMAL
from replay.exchange.sessions import Index, Session

ROOM_FRAMES: Final = 2_048
"""A queue shorter than this has room: a few writes' worth, so that a venue that waits never starves a writer."""

RESET_GRACE_S: Final = 0.1
"""How long a client has to read what was sent before a reset: the kernel throws away what it has not."""

BREATH_CALLS: Final = 256
"""How often a venue may find room at once before the others get a turn."""


class Lobby:
    """All sessions of one server. keeps: whether frames sent are kept."""

    def __init__(self, index: Index, *, keeps: bool) -> None:
        self._index = index
        self._keeps = keeps
        self._room = asyncio.Event()
        self._opened = 0
        self._calls = 0
        self._rates: dict[int, tuple[int, int]] = {}
        self.sessions: dict[int, Session] = {}
        self.past: list[Session] = []

    def join(self, account: str, wake: Callable[[], None]) -> Session:
        """A client has connected; `wake` is called whenever its queue has got something."""
        self._opened += 1
        session = Session(self._opened, account, Outbox(keeps=self._keeps, wake=wake), Clock.true_ns())
        self.sessions[session.number] = session
        return session

    def leave(self, session: Session) -> None:
        """The connection is gone; what it was sent stays countable."""
        self.silence(session)
        if self.sessions.pop(session.number, None) is not None:
            self.past.append(session)
        self._rates.pop(session.number, None)
        self._room.set()

    def silence(self, session: Session) -> None:
        """End the session's subscriptions, those included that a fault keeps alive after their end."""
        for subscription in (*session.by_sid.values(), *session.late.values()):
            self._index.remove(subscription)
            session.close(subscription)
        session.late.clear()

    def end(self, session: Session, ending: Ending) -> None:
        """End a session after what is queued; nothing is published to it any more."""
        self.silence(session)
        session.out.put(ending)

    def end_all(self, code: int, reason: str) -> None:
        """End every session: by a close frame, without one (ABNORMAL), or by a reset (0)."""
        if code == ABNORMAL:
            ending = Ending()
        else:
            ending = Ending(payload=close_payload(code, reason)) if code else Ending(reset=True, linger_s=RESET_GRACE_S)
        for session in tuple(self.sessions.values()):
            self.end(session, ending)

    async def drained(self) -> None:
        """Return when every client's queue has room; gives the others a turn now and then in any case."""
        self._calls += 1
        if self._calls % BREATH_CALLS == 0:
            await asyncio.sleep(0)
        while any(len(session.out) >= ROOM_FRAMES for session in self.sessions.values()):
            self._room.clear()
            await self._room.wait()

    def moved(self, session: Session) -> None:
        """Some of the session's queue has been written."""
        if len(session.out) < ROOM_FRAMES:
            self._room.set()

    def is_too_fast(self, session: Session, limit: int) -> bool:
        """Count a command; True when this second's are more than the limit (0 = none)."""
        second, count = self._rates.get(session.number, (0, 0))
        now_s = Clock.true_ns() // 1_000_000_000
        count = count + 1 if second == now_s else 1
        self._rates[session.number] = now_s, count
        return bool(limit) and count > limit
