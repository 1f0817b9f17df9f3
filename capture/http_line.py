"""The line that HTTP requests travel on: an attempt ends at its deadline, however slowly the other side dribbles.

Knows `capture.sockets`, and what an HTTP library wants of a socket. Must not know which library that is, nor requests,
answers or records. Timeouts of HTTP libraries count from byte to byte, so that a byte now and then keeps them waiting
for ever (RELIABILITY 5); here every wait is bounded by the whole attempt's end.
"""

import contextlib
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from capture.sockets import Deadline, DialError, Target, dial_socket, tls_context

_PORTS: Final = {"http": 80, "https": 443}


class Line:
    """The connection of one thread to one host, and the attempt that is on. The other threads may only ask.

    has_sent: a byte of the attempt's request may have left. problem: why the line failed, "" = it did not.
    is_untrusted: the peer's certificate was refused.
    """

    def __init__(self, target: Target, is_stopped: Callable[[], bool]) -> None:
        self._target = target
        self._is_stopped = is_stopped
        self._deadline = Deadline(0.0, is_stopped)
        self.begin(0.0)

    def begin(self, within_s: float) -> None:
        """An attempt begins, and ends after so long."""
        self._deadline = Deadline(within_s, self._is_stopped)
        self.has_sent = self.is_untrusted = False
        self.problem = ""

    def connect(self) -> socket.socket:
        """A connected socket that keeps to the deadlines of the attempts made with it. OSError."""
        try:
            connected = dial_socket(self._target, self._deadline)
        except DialError as error:
            self.problem, self.is_untrusted = f"no connection: {error}", error.is_untrusted
            raise ConnectionError(self.problem) from None
        if not isinstance(connected, ssl.SSLSocket):
            connected = _Plain(connected.family, connected.type, connected.proto, connected.detach())
        assert isinstance(connected, _Plain | _Secured)
        connected.line = self
        return connected

    def step_s(self) -> float:
        """How long to wait before asking again. TimeoutError: the attempt is over."""
        return self._checked(self._deadline.step_s)

    def left_s(self) -> float:
        """How long the attempt may still take. TimeoutError: it is over."""
        return self._checked(self._deadline.left_s)

    def _checked(self, ask: Callable[[], float]) -> float:
        try:
            return ask()
        except DialError as error:
            self.problem = str(error)
            raise TimeoutError(self.problem) from None


class _Bounded(socket.socket):
    """Waits in short steps, so that the end of an attempt is noticed; a read that timed out has lost nothing."""

    line: Line

    def recv_into(self, *given: Any) -> int:
        """As a socket's, but not beyond the attempt's end: TimeoutError."""
        while True:
            self.settimeout(self.line.step_s())
            with contextlib.suppress(TimeoutError):
                return super().recv_into(*given)

    def sendall(self, *given: Any) -> None:
        """As a socket's, but not beyond the attempt's end: TimeoutError."""
        self.settimeout(self.line.left_s())
        super().sendall(*given)


class _Plain(_Bounded):
    """In the clear, which capture.sockets allows to this machine only."""


class _Secured(_Bounded, ssl.SSLSocket):
    """Through TLS."""


def target_of(url: str, ca_file: Path | None) -> Target:
    """Whom an http or https URL names; ConfigError as `tls_context`."""
    parts = urlsplit(url)
    tls = None
    if parts.scheme == "https":
        tls = tls_context(ca_file)
        tls.sslsocket_class = _Secured
    return Target(parts.hostname or "", parts.port or _PORTS[parts.scheme], tls)


def connection_class(base: Any, line: Line) -> Any:
    """An HTTP library's class of connections, made to connect by `line` and to tell it of what is sent."""

    class Connection(base):  # type: ignore[misc]  # which class it is, the library decides
        """A connection of the library's, on our line."""

        def connect(self) -> None:
            """Have the line connect. OSError."""
            self.sock = line.connect()
            self.is_verified = True  # or the library warns that nobody has looked at the certificate

        def send(self, data: Any) -> None:
            """Send, and let the line know. OSError."""
            if not self.sock:
                self.connect()
            line.has_sent = True
            super().send(data)

    return Connection
