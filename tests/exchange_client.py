"""A client for tests of the local exchange: signs as the documents say, reads frames with a deadline.

Shares no code with ours on purpose: capture's client must be held against a server that another client has tested.
"""

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import requests
import websocket
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from replay.exchange.local import LocalExchange

WS_PATH: Final = "/trade-api/ws/v2"
DEADLINE_S: Final = 10.0


def signature(key_path: Path, message: str, salt_bytes: int = 32) -> str:
    """The signature of a message by an RSA or Ed25519 key file."""
    key = _key(key_path.read_bytes())
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return base64.b64encode(key.sign(message.encode())).decode()
    assert isinstance(key, rsa.RSAPrivateKey)
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), salt_bytes)
    return base64.b64encode(key.sign(message.encode(), pss, hashes.SHA256())).decode()


@lru_cache
def _key(pem: bytes) -> Any:  # to check an RSA key takes as long as fifty signatures
    return serialization.load_pem_private_key(pem, None)


def signed(exchange: LocalExchange, method: str, path: str, *, account: str = "", skew_s: float = 0) -> dict[str, str]:
    """The three headers; path from the root. account: whose key, "" = the first."""
    credentials = exchange.credentials[account] if account else next(iter(exchange.credentials.values()))
    timestamp = str(int((time.time() + skew_s) * 1_000))
    return {
        "KALSHI-ACCESS-KEY": credentials.access_key,
        "KALSHI-ACCESS-TIMESTAMP": timestamp,
        "KALSHI-ACCESS-SIGNATURE": signature(credentials.private_key_path, timestamp + method + path),
    }


class Client:
    """One connection; frames are read one by one, each within the deadline."""

    def __init__(self, exchange: LocalExchange, *, account: str = "", skew_s: float = 0, **options: Any) -> None:
        headers = signed(exchange, "GET", WS_PATH, account=account, skew_s=skew_s)
        options = {"skip_utf8_validation": True, **options}  # its check would hide bytes from the tests
        self.socket = websocket.create_connection(exchange.ws_url, DEADLINE_S, header=headers, **options)
        self._ids = 0

    def command(self, name: str, **params: Any) -> int:
        """Send a command with the next id; returns the id."""
        self._ids += 1
        self.send({"id": self._ids, "cmd": name, **({"params": params} if params else {})})
        return self._ids

    def send(self, body: object) -> None:
        """Send this as JSON."""
        self.socket.send(json.dumps(body))

    def raw(self) -> tuple[int, bytes]:
        """The next frame, pings left out: opcode and payload."""
        while True:
            opcode, payload = self.socket.recv_data(control_frame=True)
            if opcode not in (websocket.ABNF.OPCODE_PING, websocket.ABNF.OPCODE_PONG):
                return opcode, payload

    def next(self) -> dict[str, Any]:
        """The next text frame, decoded."""
        opcode, payload = self.raw()
        assert opcode == websocket.ABNF.OPCODE_TEXT, (opcode, payload)
        frame: dict[str, Any] = json.loads(payload)
        return frame

    def take(self, count: int) -> list[dict[str, Any]]:
        """The next text frames."""
        return [self.next() for _ in range(count)]

    def until(self, kind: str) -> list[dict[str, Any]]:
        """Frames up to the first of this type, that one included."""
        frames = [self.next()]
        while frames[-1]["type"] != kind:
            frames.append(self.next())
        return frames

    def is_quiet(self) -> bool:
        """True when nothing but the answer to a question asked now arrives."""
        number = self.command("list_subscriptions")
        return self.next().get("id") == number

    def close(self) -> None:
        """Leave without a word: TCP is closed, no close frame is sent."""
        if self.socket.sock is not None:
            self.socket.sock.close()


@contextmanager
def client(exchange: LocalExchange, **options: Any) -> Iterator[Client]:
    """A connection for the time of a block."""
    connection = Client(exchange, **options)
    try:
        yield connection
    finally:
        connection.close()


def get(exchange: LocalExchange, path: str, *, is_signed: bool = True, **options: Any) -> requests.Response:
    """GET below /trade-api/v2, options as for `signed`; the signature covers the path only."""
    full = "/trade-api/v2" + path.partition("?")[0]
    headers = signed(exchange, "GET", full, **options) if is_signed else {}
    with requests.Session() as session:
        session.trust_env = False
        return session.get(exchange.rest_url + path, headers=headers, timeout=DEADLINE_S, allow_redirects=False)
