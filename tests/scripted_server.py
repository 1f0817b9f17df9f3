"""A WebSocket server that does exactly what a script says, bytes and all, and the bookkeeping of what a Wire took.

The script gets a Peer: it shakes hands by hand and then sends halves of frames, resets, dribbles or says nothing.
"""

import base64
import contextlib
import hashlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from capture.wire import Wire, WireEnd, WireLimits
from core.records import Kind, Refused

QUICK: Final = WireLimits(connect_s=2.0, silent_s=0.4, message_s=0.8, send_s=0.4, close_s=0.4, poll_s=0.02)
"""The limits of a recorder that waits for nobody: the same code, other numbers."""

PATIENT: Final = WireLimits(connect_s=20.0, silent_s=60.0, message_s=60.0, send_s=20.0, close_s=10.0, poll_s=0.05)
"""For tests in which nothing ends by time."""

PATIENCE_S: Final = 20.0
"""How long a test waits for what must happen; only a failure takes that long."""

TEXT, BINARY, CONT, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10

Script = Callable[["Peer"], object]


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bytes = b"") -> bytes:
    """A frame as bytes; masked when `mask` has its four bytes."""
    size, bit = len(payload), 0x80 if mask else 0
    head = bytes([fin << 7 | rsv << 4 | opcode])
    if size < 126:
        head += bytes([bit | size])
    elif size < 1 << 16:
        head += bytes([bit | 126]) + struct.pack("!H", size)
    else:
        head += bytes([bit | 127]) + struct.pack("!Q", size)
    return head + mask + (masked(payload, mask) if mask else payload)


def masked(payload: bytes, mask: bytes) -> bytes:
    return bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


def closing(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason)


def refused(payload: bytes) -> tuple[str, int, bytes]:
    """Reason, size and head of a REFUSED record."""
    found = msgspec.json.decode(payload, type=Refused)
    return found.reason, found.size, base64.b64decode(found.head_base64)


class Peer:
    """The server's end of one connection, for a script."""

    def __init__(self, connected: socket.socket, released: threading.Event) -> None:
        self.socket = connected
        self.released = released
        self.request = b""
        self._held = b""

    def read_request(self) -> None:
        while b"\r\n\r\n" not in self.request:
            got = self.socket.recv(4096)
            if not got:
                raise ConnectionAbortedError("no request came")
            self.request += got

    def header(self, name: str) -> str:
        lines = self.request.decode().split("\r\n")
        values = [line.partition(": ")[2] for line in lines if line.lower().startswith(f"{name.lower()}: ")]
        return ", ".join(values)

    def answer(self) -> bytes:
        """The 101 that fits the request."""
        digest = hashlib.sha1(f"{self.header('Sec-WebSocket-Key')}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode())
        accept = base64.b64encode(digest.digest())
        head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        return head + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"

    def upgrade(self, *then: bytes) -> None:
        """Shake hands, and send more in the same write."""
        self.read_request()
        self.send(self.answer() + b"".join(then))

    def upgrade_and_hold(self, *then: bytes) -> None:
        """The same, and then silence."""
        self.upgrade(*then)
        self.hold()

    def refuse(self, status: str, body: bytes = b"", more: tuple[str, ...] = ()) -> None:
        """Answer the request with another status; more: further header lines."""
        self.read_request()
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *more, "", ""]
        self.send("\r\n".join(lines).encode() + body)

    def send(self, *data: bytes) -> None:
        self.socket.sendall(b"".join(data))

    def dribble(self, data: bytes, pause_s: float) -> None:
        """A byte at a time until all is sent or the test is over."""
        for at in range(len(data)):
            self.send(data[at : at + 1])
            if self.released.wait(pause_s):
                return

    def frame(self) -> tuple[int, bytes]:
        """The next frame of the client; ConnectionAbortedError when there is none."""
        head = self._exactly(2)
        size = head[1] & 0x7F
        if size > 125:
            size = int.from_bytes(self._exactly(2 if size == 126 else 8), "big")
        assert head[1] & 0x80, "a client masks"
        mask = self._exactly(4)
        return head[0] & 0x0F, masked(self._exactly(size), mask)

    def hold(self) -> None:
        """Say nothing until the test is over."""
        self.released.wait(PATIENCE_S)

    def gone(self) -> bytes:
        """Everything up to the client's end of the connection."""
        rest = self._held
        with contextlib.suppress(OSError):
            while got := self.socket.recv(1 << 16):
                rest += got
        return rest

    def reset(self) -> None:
        """End the connection by a TCP reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _exactly(self, size: int) -> bytes:
        while len(self._held) < size:
            got = self.socket.recv(1 << 16)
            if not got:
                raise ConnectionAbortedError("the client went")
            self._held += got
        found, self._held = self._held[:size], self._held[size:]
        return found


class ScriptedServer:
    """Listens on loopback and plays a script to each connection in turn, the last one to all further ones."""

    def __init__(self, *scripts: Script, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.scripts = scripts
        self.tls = tls
        self.peers: list[Peer] = []
        self.released = threading.Event()
        self.faults: list[BaseException] = []
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.create_server((host, 0), family=family)
        self.port: int = self.listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def url(self, host: str = "127.0.0.1") -> str:
        return f"{'wss' if self.tls else 'ws'}://{host}:{self.port}/trade-api/ws/v2"

    def close(self) -> None:
        """End every script; raises what a script raised, a connection that the client cut excepted."""
        self.released.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for peer in list(self.peers):
            with contextlib.suppress(OSError):
                peer.socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive(), "a script does not end"
        for fault in self.faults:
            raise fault

    def _accept(self) -> None:
        while True:
            try:
                connected, _ = self.listener.accept()
            except OSError:
                return
            peer = Peer(connected, self.released)
            script = self.scripts[min(len(self.peers), len(self.scripts) - 1)]
            self.peers.append(peer)
            thread = threading.Thread(target=self._play, args=(peer, script))
            self._threads.append(thread)
            thread.start()

    def _play(self, peer: Peer, script: Script) -> None:
        try:
            if self.tls is not None:
                peer.socket = self.tls.wrap_socket(peer.socket, server_side=True)
            script(peer)
            # Closed with something unread, the kernel would reset the connection and throw away what is under way.
            socket.socket.shutdown(peer.socket, socket.SHUT_WR)
            peer.gone()
        except OSError:
            pass  # the client cut the connection, which is the client's right
        except BaseException as fault:
            self.faults.append(fault)
        finally:
            peer.socket.close()


@contextlib.contextmanager
def serving(*scripts: Script, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> Iterator[ScriptedServer]:
    server = ScriptedServer(*scripts, tls=tls, host=host)
    try:
        yield server
    finally:
        server.close()


class Taken:
    """What a Wire handed over, in order; `then` is called after each."""

    def __init__(self, then: Callable[[Kind, bytes], object] | None = None) -> None:
        self.items: list[tuple[Kind, bytes]] = []
        self._then = then
        self._changed = threading.Condition()

    def __call__(self, kind: Kind, payload: bytes) -> None:
        with self._changed:
            self.items.append((kind, payload))
            self._changed.notify_all()
        if self._then is not None:
            self._then(kind, payload)

    def wait_for(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.items) >= count, PATIENCE_S), self.items

    def of(self, kind: Kind) -> list[bytes]:
        return [payload for found, payload in self.items if found == kind]

    def without(self, *kinds: Kind) -> list[tuple[Kind, bytes]]:
        return [item for item in self.items if item[0] not in kinds]


class Running:
    """A connected Wire and the thread it runs in."""

    def __init__(self, wire: Wire, taken: Taken) -> None:
        self.wire = wire
        self.taken = taken
        self.ends: list[WireEnd | BaseException] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.ends.append(self.wire.run())
        except BaseException as error:
            self.ends.append(error)

    def end(self, within_s: float = PATIENCE_S) -> WireEnd:
        """How it ended; fails when it does not within `within_s`."""
        self._thread.join(within_s)
        assert self.ends, f"still running after {within_s} s"
        end = self.ends[0]
        if isinstance(end, BaseException):
            raise end
        return end

    def stop(self) -> None:
        self.wire.abort()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "abort does not end it"


def no_headers() -> dict[str, str]:
    return {}


@contextlib.contextmanager
def running(
    server: ScriptedServer,
    limits: WireLimits = QUICK,
    *,
    host: str = "127.0.0.1",
    then: Callable[[Kind, bytes], object] | None = None,
) -> Iterator[Running]:
    """A Wire connected to the server and running; aborted at the end."""
    taken = Taken(then)
    wire = Wire(server.url(host), no_headers, taken, limits)
    wire.connect()
    run = Running(wire, taken)
    try:
        yield run
    finally:
        run.stop()


def played(script: Script, limits: WireLimits = QUICK) -> tuple[WireEnd, Taken]:
    """How a connection to this script ends, and what was taken of it."""
    with serving(script) as server, running(server, limits) as run:
        return run.end(), run.taken
