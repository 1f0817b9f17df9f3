"""An HTTP server on loopback that answers what it is told to, byte for byte, and keeps what it was asked."""

import socket
import ssl
import threading
from collections.abc import Callable
from typing import Final, NamedTuple, Self

Answer = Callable[[socket.socket], None]

OK: Final = b'{"ok":true}'


class Asked(NamedTuple):
    """One request: its first line's parts, its headers (names in lower case) and its body."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


def reply(status: int = 200, body: bytes = OK, **headers: str) -> Answer:
    """A whole answer; the connection ends with it."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{lines}\r\n"
    return raw(head.encode() + body)


def raw(content: bytes) -> Answer:
    """These bytes, and the end."""
    return lambda peer: peer.sendall(content)


class HttpServer:
    """Gives the answers in turn, the last one for ever; a context manager. tls: None = in the clear.

    over: set when it ends, for answers that wait.
    """

    def __init__(self, *answers: Answer, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[Asked] = []
        self.over = threading.Event()
        self._tls = tls
        self._answers = list(answers) or [reply()]
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        thread = threading.Thread(target=self._accept, daemon=True)
        thread.start()
        self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(peer,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, plain: socket.socket) -> None:
        with plain:
            try:
                peer = self._tls.wrap_socket(plain, server_side=True) if self._tls else plain
                asked = _read(peer)
                with self._lock:
                    self.asked.append(asked)
                    answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
                answer(peer)
                peer.close()
            except OSError:
                pass


def _read(peer: socket.socket) -> Asked:
    content = b""
    while b"\r\n\r\n" not in content:
        part = peer.recv(65_536)
        if not part:
            raise ConnectionResetError
        content += part
    head, _, body = content.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += peer.recv(65_536)
    method, target, _ = first.split(" ")
    return Asked(method, target, headers, body)
