"""WebSocket frames as a server writes them (RFC 6455, 5.2): unmasked, whole messages, shortest length form.

Knows bytes. Exists beside the server library because one write for many frames is several times as fast as one each.
"""

import struct
from typing import Final

TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

_FINAL: Final = 0x80


def header(opcode: int, size: int) -> bytes:
    """The bytes before a payload of `size` bytes."""
    if size < 126:
        return bytes((_FINAL | opcode, size))
    if size < 65_536:
        return struct.pack(">BBH", _FINAL | opcode, 126, size)
    return struct.pack(">BBQ", _FINAL | opcode, 127, size)


TEXT_HEADERS: Final = tuple(header(TEXT, size) for size in range(4_096))
"""Headers of text frames by size: nearly every frame is shorter than this."""


def frame(opcode: int, payload: bytes) -> bytes:
    """A whole frame."""
    return header(opcode, len(payload)) + payload


def close_payload(code: int, reason: str = "") -> bytes:
    """What a close frame holds; code 0 = nothing at all, which is legal (RFC 6455, 5.5.1)."""
    return struct.pack(">H", code) + reason.encode() if code else b""
