"""A peer that sends made frames over a loopback WebSocket, in a process of its own: as fast as possible, or paced.

Knows just enough of RFC 6455 to answer an upgrade. Frames are made before anybody connects: only sending counts.
"""

import base64
import hashlib
import multiprocessing
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Final

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CHUNK: Final = 200
"""Frames in one send when nothing paces them: what a busy exchange's kernel would put together."""

PACE_S: Final = 0.002
"""How often frames are sent when they are paced."""

SUBSCRIBED: Final = b'{"type":"subscribed","id":1,"msg":{"channel":"orderbook_delta","sid":1}}\n'


MARKETS: Final = 200


def market_of(number: int) -> str:
    """The ticker of a made market."""
    return f"KXBENCH-26NOV23-T{number:03d}"


def texts(count: int, markets: int = MARKETS) -> Iterator[bytes]:
    """One subscription's frames as the exchange writes them: the markets' snapshots, then deltas by turns."""
    yield SUBSCRIBED
    for seq in range(1, count):
        name = market_of(seq % markets)
        if seq <= markets:
            yes, no = (",".join(f'["0.{top - 7 + n:04d}","10000.00"]' for n in range(8)) for top in (4_100, 5_500))
            body = (
                f'"clock":{seq},"yes_dollars_fp":[{yes}],"no_dollars_fp":[{no}]}},'
                f'"sending_ts_ms":{1_795_435_200_000 + seq}}}\n'
            )
            kind = "orderbook_snapshot"
        else:
            side, price = ("yes", 4_100) if seq % 2 else ("no", 5_500)
            sign = "" if seq % 4 < 2 else "-"
            body = (
                f'"clock":{seq},"price_dollars":"0.{price - seq % 7:04d}","delta_fp":"{sign}{1 + seq % 9}.00",'
                f'"side":"{side}","ts":"2026-11-23T12:00:01.502Z","ts_ms":{1_795_435_200_000 + seq}}},'
                f'"sending_ts_ms":{1_795_435_200_001 + seq}}}\n'
            )
            kind = "orderbook_delta"
        yield (
            f'{{"type":"{kind}","sid":1,"seq":{seq},"msg":{{"market_ticker":"{name}",'
            f'"market_id":"0b9f6a52-6c1e-4d53-9a0e-0d6a6c1f{seq % markets:04x}",{body}'
        ).encode()


def framed(payload: bytes) -> bytes:
    """A whole text frame as a server sends it."""
    size = len(payload)
    head = struct.pack("!BB", 0x81, size) if size < 126 else struct.pack("!BBH", 0x81, 126, size)
    return head + payload


@contextmanager
def source(count: int, rate: float = 0.0, connections: int = 1) -> Iterator[str]:
    """A URL that sends so many frames to each of so many connections, one after the other, and then closes.

    rate: frames a second, 0 = as fast as they are taken.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, count, rate, connections), daemon=True)
    process.start()
    try:
        yield f"ws://127.0.0.1:{ours.recv()}/trade-api/ws/v2"
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Connection, count: int, rate: float, connections: int) -> None:
    frames = [framed(text) for text in texts(count)]
    with socket.create_server(("127.0.0.1", 0)) as server:
        pipe.send(server.getsockname()[1])
        for _ in range(connections):
            peer, _ = server.accept()
            with peer:
                _upgrade(peer)
                _send(peer, frames, rate)
                peer.sendall(struct.pack("!BBH", 0x88, 2, 1000))
                while peer.recv(65_536):
                    pass


def _upgrade(peer: socket.socket) -> None:
    request = b""
    while b"\r\n\r\n" not in request:
        request += peer.recv(65_536)
    key = next(
        line.split(b":")[1].strip() for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-k")
    )
    accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
    peer.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


def _send(peer: socket.socket, frames: list[bytes], rate: float) -> None:
    if not rate:
        for start in range(0, len(frames), CHUNK):
            peer.sendall(b"".join(frames[start : start + CHUNK]))
        return
    began, sent = time.perf_counter(), 0
    while sent < len(frames):
        due = min(int((time.perf_counter() - began) * rate) + 1, len(frames))
        if due > sent:
            peer.sendall(b"".join(frames[sent:due]))
            sent = due
        time.sleep(PACE_S)
