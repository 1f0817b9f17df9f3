"""A relay on loopback that passes bytes on and keeps what clients sent, so that a test knows every secret they used."""

import contextlib
import re
import socket
import threading
from typing import Final, Self

_SIGNATURE: Final = re.compile(rb"(?im)^kalshi-access-signature:[ \t]*([^\r\n]+)")


class Tap:
    """Relays TCP to a port of this machine; a context manager. Ends its connections when it ends."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._heard: list[bytearray] = []
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(10)
        for each in (self._listener, *self._sockets):
            each.close()

    def signatures(self) -> set[bytes]:
        """Every signature that a client sent, as it was written in its header."""
        return {found.strip() for heard in list(self._heard) for found in _SIGNATURE.findall(bytes(heard))}

    def _start(self, work: object, *arguments: object) -> None:
        assert callable(work)
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            heard = bytearray()
            self._heard.append(heard)
            self._sockets += (client, server)
            self._start(_relay, client, server, heard)
            self._start(_relay, server, client, None)


def _relay(source: socket.socket, target: socket.socket, heard: bytearray | None) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(65_536):
            if heard is not None:
                heard += part
            target.sendall(part)
    for each in (source, target):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
