"""A plain client of the exchange: websocket-client and a signature, and nothing of the capture daemon.

Keeps every text frame it receives, connects again when it is disconnected, and can be waited on.
"""

import base64
import json
import re
import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Final, Self, cast

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from websocket import ABNF, WebSocket, WebSocketException

from replay.exchange.local import LocalExchange

DEADLINE_S: Final = 60.0

_REPLY: Final = re.compile(rb'\{"type":"(?:subscribed|ok|error|unsubscribed)"')


def headers_of(exchange: LocalExchange, path: str = "/trade-api/ws/v2", method: str = "GET") -> dict[str, str]:
    """The three headers that PROTOCOL 2 asks for."""
    key = cast(RSAPrivateKey, load_pem_private_key(exchange.private_key_path.read_bytes(), None))
    now_ms = str(time.time_ns() // 1_000_000)
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.DIGEST_LENGTH)
    signature = key.sign(f"{now_ms}{method}{path}".encode(), pss, hashes.SHA256())
    return {
        "KALSHI-ACCESS-KEY": exchange.access_key,
        "KALSHI-ACCESS-TIMESTAMP": now_ms,
        "KALSHI-ACCESS-SIGNATURE": base64.b64encode(signature).decode(),
    }


def subscribe(channels: Iterable[str], markets: Iterable[str] = (), **params: Any) -> dict[str, Any]:
    """A subscribe command's parameters."""
    tickers = list(markets)
    return {"channels": list(channels), **({"market_tickers": tickers} if tickers else {}), **params}


class Listener:
    """One client on a thread of its own. Inside its `with` block it is connected, or connecting again.

    frames: text frames received, in order, over all its connections; data_frames: how many are no replies.
    closes: (close code or 0, frames before it).
    """

    def __init__(self, exchange: LocalExchange, *subscriptions: dict[str, Any]) -> None:
        self._exchange = exchange
        self._subscriptions = subscriptions
        self._changed = threading.Condition()
        self._stopped = False
        self._socket: Any = WebSocket()  # its methods are not typed
        self._thread = threading.Thread(target=self._listen, name="listener", daemon=True)
        self.frames: list[bytes] = []
        self.data_frames = 0
        self.closes: list[tuple[int, int]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._stopped = True
        self._socket.abort()  # wakes the thread, which closing would not
        self._thread.join(DEADLINE_S)

    def wait(self, reached: Callable[["Listener"], bool], deadline_s: float = DEADLINE_S) -> bool:
        """Wait until something is true of it; False = not within the deadline."""
        with self._changed:
            return self._changed.wait_for(lambda: reached(self), deadline_s)

    def send(self, command: dict[str, Any]) -> None:
        """Send a command."""
        self._socket.send(json.dumps(command))

    def data(self) -> list[bytes]:
        """The frames that are no replies."""
        return [frame for frame in self.frames if _REPLY.match(frame) is None]

    def _listen(self) -> None:
        while not self._stopped:
            try:
                self._connect()
                self._receive()
            except (WebSocketException, OSError) as error:
                self._end(getattr(error, "status_code", None) or 0)

    def _connect(self) -> None:
        self._socket = WebSocket(skip_utf8_validation=True)  # its check is ten times as slow as all the rest
        self._socket.connect(self._exchange.ws_url, header=headers_of(self._exchange), timeout=DEADLINE_S)
        for number, params in enumerate(self._subscriptions, start=1):
            self.send({"id": number, "cmd": "subscribe", "params": params})

    def _receive(self) -> None:
        while not self._stopped:
            opcode, frame = self._socket.recv_data_frame(control_frame=True)
            if opcode == ABNF.OPCODE_CLOSE:
                self._end(int.from_bytes(frame.data[:2], "big"))
                return
            if opcode == ABNF.OPCODE_TEXT:
                with self._changed:
                    self.frames.append(frame.data)
                    self.data_frames += _REPLY.match(frame.data) is None
                    self._changed.notify_all()

    def _end(self, code: int) -> None:
        self._socket.shutdown()
        with self._changed:
            self.closes.append((code, len(self.frames)))
            self._changed.notify_all()
