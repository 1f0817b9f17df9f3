"""An exchange that runs while you need it: as a context manager on a thread of its own, or until a signal comes.

Knows threads, signals and the server. Must not know venues' insides.
"""

import asyncio
import signal
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from core.errors import ExchangeError
from replay.exchange.armed import Injected
from replay.exchange.keyring import Credentials
from replay.exchange.options import ServerOptions
from replay.exchange.outbox import SentFrame
from replay.exchange.port import Venue
from replay.exchange.server import Server

START_S: Final = 30.0
STOP_S: Final = 10.0
"""Only a venue that blocks the loop takes longer than about a second; then the operator is told."""


class SentSession(msgspec.Struct, frozen=True):
    """What one session was sent so far: data and reply frames that were written to its socket.

    kept is empty without `keep_frames`; with it, control frames are among them. After a reset the last of them may
    have been lost on the way.
    """

    number: int
    account: str
    frames: int
    is_open: bool
    kept: tuple[SentFrame, ...]


class LocalExchange:
    """A context manager: inside of it, an exchange answers at `rest_url` and `ws_url`."""

    def __init__(self, venue: Venue, options: ServerOptions | None = None) -> None:
        self._venue = venue
        self._options = options or ServerOptions()
        self._server: Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()
        self._played = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="local-exchange", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(START_S):
            raise ExchangeError(f"the local exchange did not start within {START_S:g} s; the machine may be overloaded")
        if self._failure is not None:
            self._thread.join(STOP_S)
            raise self._failure
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()
        if self._failure is not None and error is None:
            raise self._failure

    def stop(self) -> None:
        """Close every session and stop; further calls do nothing."""
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(STOP_S)
        if self._thread.is_alive():
            raise ExchangeError(f"the local exchange did not stop within {STOP_S:g} s; its venue blocks the event loop")

    @property
    def rest_url(self) -> str:
        """Where REST paths are appended to."""
        return self._running.rest_url

    @property
    def ws_url(self) -> str:
        """The WebSocket endpoint."""
        return self._running.ws_url

    @property
    def port(self) -> int:
        """The one port of REST, WebSocket and controls."""
        return self._running.port

    @property
    def credentials(self) -> Mapping[str, Credentials]:
        """Key pairs by account, in the order of `ServerOptions.accounts`."""
        return self._running.credentials

    @property
    def access_key(self) -> str:
        """The first account's key id."""
        return next(iter(self.credentials.values())).access_key

    @property
    def private_key_path(self) -> Path:
        """The first account's private key, a PEM file."""
        return next(iter(self.credentials.values())).private_key_path

    def environ(self) -> dict[str, str]:
        """What a client looks for in its environment."""
        return {"KALSHI_ACCESS_KEY": self.access_key, "KALSHI_PRIVATE_KEY_PATH": str(self.private_key_path)}

    def control(self, name: str, **arguments: Any) -> Mapping[str, Any]:
        """Ask something of the exchange or of its venue, from any thread; raises ConfigError when it cannot be done."""
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(self._running.control(name, arguments), self._loop).result(START_S)

    @property
    def sent(self) -> tuple[SentSession, ...]:
        """What every session was sent, past ones included, by number."""
        lobby = self._running.hub.lobby
        sessions = sorted({s.number: s for s in (*lobby.past, *lobby.sessions.copy().values())}.items())
        return tuple(
            SentSession(number, s.account, s.out.frames_sent, number in lobby.sessions, tuple(s.out.kept))
            for number, s in sessions
        )

    @property
    def injected(self) -> tuple[Injected, ...]:
        """The faults that were done so far, in order."""
        return tuple(self._running.controls.arsenal.log)

    def wait_played(self, timeout_s: float) -> bool:
        """Wait until the venue has nothing more to publish; False = not within this time."""
        return self._played.wait(timeout_s)

    @property
    def _running(self) -> Server:
        if self._server is None:
            raise ExchangeError("the local exchange is not running; use it inside its `with` block")
        return self._server

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as failure:  # handed over to the thread that waits for it
            self._failure = failure
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._server = Server(self._venue, self._options)
        await self._server.start()
        self._ready.set()
        await _play_until(self._server, self._venue, self._stop, self._played.set)


def run(venue: Venue, options: ServerOptions, ready: Callable[[Server], None]) -> None:
    """Serve on this thread until SIGTERM or SIGINT; `ready` is called once, when clients can connect."""
    asyncio.run(_serve_until_signal(venue, options, ready))


async def _serve_until_signal(venue: Venue, options: ServerOptions, ready: Callable[[Server], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = Server(venue, options)
    await server.start()
    ready(server)
    await _play_until(server, venue, stop, lambda: None)


async def _play_until(server: Server, venue: Venue, stop: asyncio.Event, played: Callable[[], None]) -> None:
    """Let the venue publish, and go on serving when it is through; a venue that fails ends the exchange."""
    play = asyncio.create_task(venue.play(server.hub))
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((play, stopped), return_when=asyncio.FIRST_COMPLETED)
        if play.done() and play.exception() is None:
            played()
            await stopped
    finally:
        stopped.cancel()
        play.cancel()
        result = (await asyncio.gather(play, return_exceptions=True))[0]
        await server.stop()
    if isinstance(result, Exception):
        raise result
