"""Writes one session's queue to its TCP connection: batches, pings, and every way to end.

Knows asyncio transports. Must not know the server library, HTTP or commands.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Final

from replay.exchange.clock import Clock
from replay.exchange.framing import CLOSE, PING, PONG
from replay.exchange.lobby import Lobby
from replay.exchange.outbox import FOR_EVER, Ending
from replay.exchange.sessions import Session

WRITE_BUFFER_BYTES: Final = 1 << 20
FLUSH_S: Final = 1.0
"""How long a reset waits for the bytes before it to leave."""


class Pump:
    """One per connection; `wake` is the session queue's bell."""

    def __init__(self, transport: asyncio.WriteTransport, drain: Callable[[], Awaitable[None]], lobby: Lobby) -> None:
        self._transport = transport
        self._drain = drain
        self._lobby = lobby
        self._bell = asyncio.Event()
        self._silent = False
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)

    def wake(self) -> None:
        """Something is in the queue."""
        self._bell.set()

    async def run(self, session: Session) -> None:
        """Write until the session's ending is reached and carried out."""
        out = session.out
        while True:
            self._bell.clear()
            if self._transport.is_closing():
                return  # what is still queued goes nowhere, and must not count as sent
            if data := out.take(Clock.true_ns()):
                self._transport.write(data)
                self._lobby.moved(session)
                await self._drain()
            elif out.ending is not None:
                await self._end(session, out.ending)
                return
            elif not len(out) or out.held_until_ns:
                await self._wait(out.held_until_ns)

    async def ping(self, session: Session, every_s: float, payload: bytes) -> None:
        """Ping for ever, stalled queue or not."""
        while True:
            await asyncio.sleep(every_s)
            if session.no_ping_until_ns <= Clock.true_ns():
                self._control(session, PING, payload)

    def pong(self, session: Session, payload: bytes) -> None:
        """Answer a client's ping."""
        if session.no_pong_until_ns <= Clock.true_ns():
            self._control(session, PONG, payload)

    def close(self, session: Session, payload: bytes) -> None:
        """Answer a client's close frame and end TCP."""
        self._control(session, CLOSE, payload)
        self._transport.close()

    def _control(self, session: Session, opcode: int, payload: bytes) -> None:
        if not self._silent and not self._transport.is_closing():
            self._transport.write(session.out.control(Clock.true_ns(), opcode, payload))

    async def _wait(self, until_ns: int) -> None:
        if not until_ns or until_ns >= FOR_EVER:
            await self._bell.wait()
            return
        try:
            await asyncio.wait_for(self._bell.wait(), max(0.0, (until_ns - Clock.true_ns()) / 1e9))
        except TimeoutError:
            return

    async def _end(self, session: Session, ending: Ending) -> None:
        if ending.silence:
            self._silent = True
            await asyncio.Event().wait()
        elif ending.reset:
            await self._reset(ending.linger_s)
        elif ending.payload is None:
            self._hang_up()
        else:
            self._control(session, CLOSE, ending.payload)

    def _hang_up(self) -> None:
        """Half a close where TCP can do it: closing at once would reset, and lose, what the client sends meanwhile."""
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

    async def _reset(self, grace_s: float) -> None:
        """What was written before is given the time to leave: a reset must not unsend it."""
        self._transport.set_write_buffer_limits(high=0)
        with contextlib.suppress(TimeoutError, ConnectionError):
            await asyncio.wait_for(_as_coroutine(self._drain), FLUSH_S)
        await asyncio.sleep(grace_s)
        connection = self._transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()


async def _as_coroutine(call: Callable[[], Awaitable[None]]) -> None:
    await call()
