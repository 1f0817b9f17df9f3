"""A grey picture as a PNG file: a matrix of bytes that every browser reads back exactly.

Knows the format (PNG, W3C Recommendation, 10 November 2003: sections 5, 9, 10). Must not know what the numbers mean.
No gamma and no colour profile is written, so that nobody corrects the values.
"""

import struct
import zlib

import numpy as np

from replay.report.thinning import Array

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY_8_BIT = struct.pack(">5B", 8, 0, 0, 0, 0)
_LEFT = 1  # filter "Sub": each byte less its left neighbour; a resting level repeats itself along time


def grey_png(pixels: Array) -> bytes:
    """The file of a matrix of bytes (rows from the top, columns from the left)."""
    if pixels.dtype != np.uint8 or pixels.ndim != 2 or 0 in pixels.shape:
        raise ValueError(f"a grey picture is a matrix of bytes, not {pixels.dtype} of shape {pixels.shape}")
    height, width = pixels.shape
    lines = np.empty((height, width + 1), np.uint8)
    lines[:, 0] = _LEFT
    lines[:, 1:] = np.diff(pixels, axis=1, prepend=np.uint8(0))
    header = struct.pack(">2I", width, height) + _GREY_8_BIT
    body = zlib.compress(lines.tobytes(), 9)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
