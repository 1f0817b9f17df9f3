"""The one door to aiohttp: HTTP, the WebSocket upgrade and its reading side, for one exchange on this machine.

Knows requests and connections. Must not know books or tapes; what is answered is decided by hub, gate and venue.
"""

import asyncio
import ssl
import tempfile
from collections.abc import Mapping
from email.utils import formatdate
from pathlib import Path
from typing import Any, Final

import msgspec
from aiohttp import WSMsgType, web

from core.errors import ConfigError, TapedeckError
from replay.exchange.clock import Clock
from replay.exchange.controls import Controls
from replay.exchange.framing import close_payload
from replay.exchange.gate import SOCKET_PATH, Gate
from replay.exchange.hub import Hub
from replay.exchange.keyring import AuthFailure, Credentials, Keyring
from replay.exchange.options import ServerOptions
from replay.exchange.outbox import Ending
from replay.exchange.port import RestAnswer, RestRequest, Venue
from replay.exchange.pump import Pump
from replay.exchange.rest_faults import Hang
from replay.exchange.sessions import Session

COMMAND_BYTES: Final = 16 << 20
"""The longest command: half a million tickers, the most one session may hold, and room to spare."""

BODY_BYTES: Final = 4 << 20
STOP_S: Final = 0.5
"""How long clients get to answer a close frame, and requests to end, when the server stops."""

GOING_AWAY: Final = 1_001
FOR_EVER_S: Final = 1e9


class Server:
    """One exchange: start it and stop it in one event loop. Everything else may be asked for in between."""

    def __init__(self, venue: Venue, options: ServerOptions) -> None:
        self._venue = venue
        self._options = options
        self.clock = Clock()
        self.hub = Hub(venue, options, self.clock.now_ns)
        self._keyring = Keyring(options.skew_s)
        self._gate = Gate(venue, self._keyring, options.rest_budget)
        self._pumps: dict[asyncio.Task[Any], Session] = {}
        self._keys = tempfile.TemporaryDirectory(prefix="tapedeck-keys-")
        self._runner: web.AppRunner | None = None
        self.credentials: dict[str, Credentials] = {}
        self.controls = Controls(self.hub, self._gate, self.clock, options.fault_seed)
        self.port = 0

    @property
    def rest_url(self) -> str:
        """Where REST paths are appended to."""
        return f"{'https' if self._options.tls_key else 'http'}://{self._name}:{self.port}/trade-api/v2"

    @property
    def ws_url(self) -> str:
        """The one WebSocket endpoint."""
        return f"{'wss' if self._options.tls_key else 'ws'}://{self._name}:{self.port}{SOCKET_PATH}"

    @property
    def _name(self) -> str:
        return "[::1]" if self._options.host == "::1" else self._options.host

    async def start(self) -> None:
        """Listen. A port in use, a bad certificate or key is a ConfigError, after which nothing is left behind."""
        try:
            self.credentials = self._keyring.issue(self._options, Path(self._keys.name))
            self.controls.start(self._options.faults)
            tls = self._tls()
            application = web.Application(client_max_size=BODY_BYTES)
            application.router.add_post("/tapedeck/{name}", self._control)
            application.router.add_route("*", "/{path:.*}", self._request)
            self._runner = web.AppRunner(
                application, access_log=None, handle_signals=False, shutdown_timeout=STOP_S, auto_decompress=False
            )
            await self._runner.setup()
            await self._listen(self._runner, tls)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Close every session (1001), stop listening and remove the keys; at most about a second."""
        goodbye = Ending(payload=close_payload(GOING_AWAY), linger_s=STOP_S)
        for session in tuple(self.hub.lobby.sessions.values()):
            self.hub.lobby.end(session, goodbye)
        self.controls.stop()
        if self._pumps:
            await asyncio.wait(tuple(self._pumps), timeout=STOP_S)
        for task in tuple(self._pumps):
            task.cancel()
        if self._runner is not None:
            await self._runner.cleanup()
        self._keys.cleanup()

    async def control(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Ask something of the exchange or its venue; an unknown name or argument is a ConfigError."""
        known = {**self._venue.controls, **self.controls.calls}
        call = known.get(name)
        if call is None:
            raise ConfigError(f"there is no control {name!r}; there are {', '.join(sorted(known))}")
        try:
            return await call(arguments)
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"control {name}: {error}") from error

    def _tls(self) -> ssl.SSLContext | None:
        certificate, key = self._options.tls_certificate, self._options.tls_key
        if certificate is None or key is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"{certificate} and {key} are no certificate and its key in PEM form: {error}") from error
        return context

    async def _listen(self, runner: web.AppRunner, tls: ssl.SSLContext | None) -> None:
        hosts = ("127.0.0.1", "::1") if self._options.host == "localhost" else (self._options.host,)
        self.port = self._options.port
        for host in hosts:
            site = web.TCPSite(runner, host, self.port, ssl_context=tls)
            try:
                await site.start()
            except OSError as error:
                raise ConfigError(
                    f"cannot listen on {host} port {self.port} ({error.strerror}); choose another port, or 0 for any"
                ) from error
            self.port = self.port or runner.addresses[0][1]

    async def _request(self, request: web.Request) -> web.StreamResponse:
        if request.path == SOCKET_PATH and request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._socket(request)
        asked = RestRequest(
            method=request.method,
            path=request.rel_url.raw_path,
            query=tuple(request.query.items()),
            body=await request.read(),
            headers={name.lower(): value for name, value in request.headers.items()},
        )
        return self._respond(self._gate.answer(asked, self.clock.now_ns()))

    def _respond(self, answer: RestAnswer) -> web.Response:
        headers = {"Date": formatdate(self.clock.now_ns() / 1e9, usegmt=True), **answer.headers}
        headers["Content-Type"] = answer.content_type
        return web.Response(status=answer.status, body=answer.body, headers=headers)

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        match self.controls.upgrade():
            case RestAnswer() as answer:
                return self._respond(answer)
            case Hang(for_s=for_s):
                await asyncio.sleep(for_s or FOR_EVER_S)
                return self._respond(RestAnswer(504, b""))
            case _:
                pass
        headers = {name.lower(): value for name, value in request.headers.items()}
        account = self._gate.account_of(headers, "GET", SOCKET_PATH, self.clock.now_ns())
        if isinstance(account, AuthFailure):
            return self._respond(RestAnswer(account.status, account.body))
        socket = web.WebSocketResponse(
            autoping=False, autoclose=False, compress=False, max_msg_size=COMMAND_BYTES, timeout=STOP_S
        )
        socket.headers["Date"] = formatdate(self.clock.now_ns() / 1e9, usegmt=True)
        writer = await socket.prepare(request)
        transport = request.transport
        if transport is not None:
            await self._serve(socket, Pump(transport, writer.drain, self.hub.lobby), account, transport)
        return socket

    async def _serve(
        self, socket: web.WebSocketResponse, pump: Pump, account: str, transport: asyncio.Transport
    ) -> None:
        session = self.hub.lobby.join(account, pump.wake)
        options = self._options
        reader = asyncio.create_task(self._read(socket, session, pump))
        writer = asyncio.create_task(pump.run(session))
        pings = asyncio.create_task(pump.ping(session, options.ping_every_s, options.ping_payload))
        handler = asyncio.current_task()
        assert handler is not None
        self._pumps[handler] = session
        try:
            await asyncio.wait((reader, writer), return_when=asyncio.FIRST_COMPLETED)
            if not reader.done() and session.out.ending is not None:
                await asyncio.wait((reader,), timeout=session.out.ending.linger_s)
        finally:
            del self._pumps[handler]
            self.hub.lobby.leave(session)
            for task in (reader, writer, pings):
                task.cancel()
            results = await asyncio.gather(reader, writer, pings, return_exceptions=True)
            transport.close()
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, ConnectionError):
                raise result

    async def _read(self, socket: web.WebSocketResponse, session: Session, pump: Pump) -> None:
        """Carry out what the client sends, until it closes or is gone."""
        while True:
            message = await socket.receive()
            match message.type:
                case WSMsgType.TEXT | WSMsgType.BINARY:
                    self.hub.receive(session, message.data)
                case WSMsgType.PING:
                    pump.pong(session, message.data)
                case WSMsgType.PONG:
                    continue
                case WSMsgType.CLOSE:
                    if session.out.ending is None:
                        pump.close(session, close_payload(message.data or 0))
                    return
                case _:
                    return

    async def _control(self, request: web.Request) -> web.Response:
        """Scripts on this machine only: a page in a browser reaches neither by another name nor from another origin."""
        host = request.headers.get("Host", "").rpartition(":")[0]
        if host not in ("127.0.0.1", "localhost", "[::1]") or "Origin" in request.headers:
            return _json(403, {"error": f"controls are for this machine: Host was {request.headers.get('Host')!r}"})
        try:
            arguments = msgspec.json.decode(await request.read() or b"{}", type=dict[str, Any])
            return _json(200, await self.control(request.match_info["name"], arguments))
        except (TapedeckError, msgspec.DecodeError) as error:
            return _json(400, {"error": str(error)})


def _json(status: int, body: Mapping[str, Any]) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json")
