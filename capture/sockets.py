"""TCP and TLS connections: every wait has an end and notices within a tenth of a second that nobody wants it any more.

Knows addresses, certificates and bytes. Must not know what travels in them: no HTTP, no WebSocket, no record.
Proxies are never used and certificates always verified: there is no switch for either.
"""

import concurrent.futures
import contextlib
import itertools
import os
import select
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from capture.environments import is_loopback
from core.errors import ConfigError

READ_BYTES: Final = 256 << 10
"""Bytes asked of the kernel at once: some 900 frames, so that a burst costs few calls."""

STEP_S: Final = 0.1
"""How long a wait goes on before it asks whether it is still wanted."""

STAGGER_S: Final = 0.25
"""After this an address that has not answered gets company by the next one (RFC 8305, section 8)."""

MAX_ADDRESSES: Final = 16

AddressInfo = tuple[int, int, int, str, Any]
Resolve = Callable[..., Iterable[AddressInfo]]

_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_WAITING: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def since_boot_s() -> float:
    """A clock that nobody sets. It goes on while the machine sleeps, so that a peer's silence is seen on waking."""
    return time.clock_gettime(_CLOCK)


class DialError(Exception):
    """There is no connection; the text says why. is_untrusted: the peer's certificate was refused."""

    def __init__(self, text: str, *, is_untrusted: bool = False) -> None:
        super().__init__(text)
        self.is_untrusted = is_untrusted


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to connect to. tls: None = in the clear, which reaches this machine only, whatever the name resolves to."""

    host: str
    port: int
    tls: ssl.SSLContext | None


class Deadline:
    """The end of an attempt, by time or because it is not wanted any more."""

    __slots__ = ("_is_stopped", "_until_s", "_wait_s")

    def __init__(self, wait_s: float, is_stopped: Callable[[], bool]) -> None:
        self._wait_s = wait_s
        self._until_s = since_boot_s() + wait_s
        self._is_stopped = is_stopped

    def left_s(self) -> float:
        """How long it is still away; DialError when it is over."""
        left_s = self._until_s - since_boot_s()
        if self._is_stopped():
            raise DialError("the attempt was stopped")
        if left_s <= 0:
            raise DialError(f"no answer within {self._wait_s:g} s")
        return left_s

    def step_s(self) -> float:
        """How long to wait before asking again; DialError when it is over."""
        return min(self.left_s(), STEP_S)


def tls_context(ca_file: Path | None, environ: Mapping[str, str] = os.environ) -> ssl.SSLContext:
    """A context that verifies chain and host, against `ca_file` alone or the system's authorities.

    ConfigError: the file is none, or SSLKEYLOGFILE is set, which makes the TLS library write down what decrypts the
    traffic, signatures included.
    """
    if "SSLKEYLOGFILE" in environ:
        raise ConfigError("SSLKEYLOGFILE is set, which would write the keys of the connection to a file; unset it")
    # Not create_default_context, which heeds SSLKEYLOGFILE: whoever sets it later must not succeed either.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is None:
        context.load_default_certs()
        return context
    try:
        context.load_verify_locations(cafile=ca_file)
    except ssl.SSLError as error:
        raise ConfigError(f"{ca_file}: holds no certificates; give a PEM file of the authorities to trust") from error
    except OSError as error:
        raise ConfigError(f"{ca_file}: cannot be read: {error.strerror}; give a PEM file of authorities") from error
    return context


def target_of(url: str, ca_file: Path | None) -> Target:
    """Whom a ws or wss URL names; ConfigError when it will not do."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in ("ws", "wss") or not host:
        raise ConfigError("the URL of a WebSocket begins with ws:// or wss:// and a host")
    if parts.scheme == "ws" and not is_loopback(host):
        raise ConfigError(f"ws://{host} would send signatures in the clear; use wss://{host}")
    is_secure = parts.scheme == "wss"
    return Target(host, parts.port or (443 if is_secure else 80), tls_context(ca_file) if is_secure else None)


class Stream:
    """A connected socket that one thread reads while others write, and any may cut. Errors are OSError.

    An SSL object stands no two calls at once and Python before 3.13 does not see to that, so the socket never blocks
    and all waiting is done outside of it.
    """

    __slots__ = ("_closing", "_readable", "_socket", "_using")

    def __init__(self, connected: socket.socket) -> None:
        """Takes over a socket that does not block."""
        self._socket = connected
        self._using = threading.Lock()
        self._closing = threading.Lock()
        self._readable = select.poll()
        self._readable.register(connected, select.POLLIN)

    def read(self, wait_s: float) -> bytes | None:
        """What has come, at most READ_BYTES; None: nothing within `wait_s`; b"": the peer sends no more."""
        # READ_BYTES is more than a TLS record holds, so nothing is ever left decrypted that poll would not know of.
        if not self._readable.poll(wait_s * 1e3):
            return None
        try:
            with self._using:
                return self._socket.recv(READ_BYTES)
        except ssl.SSLWantWriteError:  # TLS has something to say first
            self._wait(select.POLLOUT, wait_s)
            return None
        except _WAITING:  # part of a TLS record
            return None

    def write(self, data: bytes, wait_s: float) -> None:
        """Send all of it. OSError (TimeoutError too): part of it may have gone, so nothing may follow."""
        until_s = since_boot_s() + wait_s
        rest = memoryview(data)
        while True:
            events = select.POLLOUT
            try:
                with self._using:
                    rest = rest[self._socket.send(rest) :]
            except ssl.SSLWantReadError:
                events = select.POLLIN
            except _WAITING:
                pass
            if not rest:
                return
            left_s = until_s - since_boot_s()
            if left_s <= 0:
                raise TimeoutError(f"the peer took nothing for {wait_s:g} s")
            self._wait(events, left_s)

    def cut(self) -> None:
        """End both directions at once; whoever reads or writes finds out immediately. Any thread."""
        with self._closing, contextlib.suppress(OSError):
            # Not SSLSocket's own, which would let a reader have what is still encrypted as if it were plain.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the descriptor back. Only when no other thread reads or writes."""
        with self._closing:  # or a cut could hit another file that got the number of ours
            self._socket.close()

    def _wait(self, events: int, wait_s: float) -> None:
        waiting = select.poll()  # its own: a poll object serves one thread at a time
        waiting.register(self._socket, events)
        waiting.poll(wait_s * 1e3)


def dial(target: Target, deadline: Deadline, *, resolve: Resolve = socket.getaddrinfo) -> Stream:
    """A connection to `target` as `dial_socket` makes it."""
    return Stream(dial_socket(target, deadline, resolve=resolve))


def dial_socket(target: Target, deadline: Deadline, *, resolve: Resolve = socket.getaddrinfo) -> socket.socket:
    """A socket connected to `target`, through TLS if it has a context; it does not block. DialError.

    Addresses are looked up afresh; each gets a quarter of a second before the next one is tried beside it.
    """
    addresses = _addresses(target, deadline, resolve)
    connected = _first_connected(target, addresses, deadline)
    if target.tls is None:
        return connected
    try:
        return _secured(connected, target.host, target.tls, deadline)
    except BaseException:
        connected.close()
        raise


_lookups: dict[tuple[Resolve, str, int], "concurrent.futures.Future[list[AddressInfo]]"] = {}
_lookups_lock = threading.Lock()


def _addresses(target: Target, deadline: Deadline, resolve: Resolve) -> list[AddressInfo]:
    lookup = _lookup(resolve, target.host, target.port)
    while not lookup.done():
        concurrent.futures.wait((lookup,), deadline.step_s())
    error = lookup.exception()
    if error is not None:
        words = error.strerror if isinstance(error, OSError) and error.strerror else "not a host name"
        raise DialError(f"{target.host}: cannot be resolved: {words}")
    found = [info for info in lookup.result() if target.tls is not None or _is_loopback(info)]
    if not found:
        raise DialError(f"{target.host}: has no address that may be used")
    return _interleaved(found)[:MAX_ADDRESSES]


def _lookup(resolve: Resolve, host: str, port: int) -> "concurrent.futures.Future[list[AddressInfo]]":
    """The lookup of a host that is under way, or a new one: a resolver that hangs gets one thread, not one a try."""
    key = (resolve, host, port)

    def look() -> None:
        found, failed = [], None
        try:
            found = list(resolve(host, port, 0, socket.SOCK_STREAM, socket.IPPROTO_TCP))
        except Exception as error:
            failed = error
        with _lookups_lock:  # before anybody hears of the answer: the next attempt has to ask again
            del _lookups[key]
        if failed is None:
            lookup.set_result(found)
        else:
            lookup.set_exception(failed)

    with _lookups_lock:
        lookup = _lookups.get(key) or concurrent.futures.Future()
        if key not in _lookups:
            _lookups[key] = lookup
            threading.Thread(target=look, name="resolve", daemon=True).start()  # a daemon: it must not delay an exit
    return lookup


def _is_loopback(info: AddressInfo) -> bool:
    address = str(info[4][0])
    return address.startswith("127.") or address == "::1"


def _interleaved(addresses: list[AddressInfo]) -> list[AddressInfo]:
    """The families by turns, the resolver's favourite first."""
    family = addresses[0][0]
    first = [info for info in addresses if info[0] == family]
    other = [info for info in addresses if info[0] != family]
    return [info for pair in itertools.zip_longest(first, other) for info in pair if info is not None]


def _first_connected(target: Target, addresses: list[AddressInfo], deadline: Deadline) -> socket.socket:
    """The first of the addresses to answer."""
    waiting = addresses[::-1]
    next_s = 0.0
    last_error = "no answer"
    with selectors.DefaultSelector() as trying:
        try:
            while waiting or trying.get_map():
                step_s = deadline.step_s()
                if waiting and (since_boot_s() >= next_s or not trying.get_map()):
                    next_s = since_boot_s() + STAGGER_S
                    last_error = _begin(waiting.pop(), trying) or last_error
                for key, _ in trying.select(min(step_s, STAGGER_S / 4)):
                    candidate = key.fileobj
                    assert isinstance(candidate, socket.socket)
                    error = _outcome(candidate)
                    trying.unregister(candidate)
                    if not error:
                        return candidate
                    candidate.close()
                    last_error = error
        finally:
            for key in list(trying.get_map().values()):
                if isinstance(key.fileobj, socket.socket):
                    key.fileobj.close()
    raise DialError(f"{target.host}:{target.port}: {last_error}")


def _begin(info: AddressInfo, trying: selectors.BaseSelector) -> str:
    """Begin to connect; why that is impossible, "" = it is under way."""
    family, kind, protocol, _, address = info
    try:
        candidate = socket.socket(family, kind, protocol)
    except OSError as error:  # IPv6 switched off, or no descriptor left
        return error.strerror or "no socket"
    candidate.setblocking(False)
    candidate.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        candidate.connect(address)
    except BlockingIOError:
        pass
    except OSError as error:
        candidate.close()
        return error.strerror or "not reachable"
    trying.register(candidate, selectors.EVENT_WRITE)
    return ""


def _outcome(candidate: socket.socket) -> str:
    """Why a socket that became writable is not connected, "" = it is."""
    code = candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        return os.strerror(code)
    try:
        # A port of this machine where nobody listens can connect to itself, once in many thousand tries.
        return "Connection refused" if candidate.getsockname() == candidate.getpeername() else ""
    except OSError as error:
        return error.strerror or "not connected"


def _secured(connected: socket.socket, host: str, context: ssl.SSLContext, deadline: Deadline) -> ssl.SSLSocket:
    """The socket with TLS on it. What was given is closed, or belongs to what is returned."""
    secured = context.wrap_socket(connected, server_hostname=host, do_handshake_on_connect=False)
    try:
        _shake_hands(secured, host, deadline)
    except BaseException:
        secured.close()
        raise
    return secured


def _shake_hands(secured: ssl.SSLSocket, host: str, deadline: Deadline) -> None:
    while True:
        events = select.POLLIN
        try:
            return secured.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLWantWriteError:
            events = select.POLLOUT
        except ssl.SSLCertVerificationError as error:
            why = error.verify_message.rstrip(".")
            raise DialError(
                f"{host}: its certificate is refused: {why}; check host, clock and --ca-file", is_untrusted=True
            ) from None
        except ssl.SSLError as error:
            raise DialError(f"{host}: no TLS connection: {(error.reason or 'it ended').lower()}") from None
        except OSError as error:
            raise DialError(f"{host}: no TLS connection: {error.strerror or 'it ended'}") from None
        waiting = select.poll()
        waiting.register(secured, events)
        waiting.poll(deadline.step_s() * 1e3)
