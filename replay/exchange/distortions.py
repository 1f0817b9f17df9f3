"""What a fault makes of a frame's bytes. Pure: bytes and dice in, bytes out.

Knows JSON text just well enough to spoil it. Must not know sessions or triggers.
"""

import re
from random import Random
from typing import Final

from replay.exchange.faults import Fault
from replay.exchange.framing import TEXT, frame, header
from replay.exchange.outbox import Wire

GIANT_BYTES: Final = 1 << 62


def spoilt(payload: bytes, fault: Fault, dice: Random) -> bytes:
    """The frame as `corrupt`, `truncate` or `field` make it."""
    match fault.kind:
        case "corrupt":
            return corrupt(payload, dice, utf8=fault.word("how") == "utf8")
        case "truncate":
            return truncate(payload, fault.number("bytes"))
        case _:
            return with_field(payload, fault.word("name"), fault.word("value"))


def novelty(fault: Fault) -> bytes:
    """The frame that `oversize`, `unknown` or `malformed` send beside the others."""
    match fault.kind:
        case "oversize":
            return oversize(fault.number("bytes"))
        case "unknown":
            return unknown(fault.word("type"))
        case _:
            return fault.word("text").encode()


def broken(payload: bytes, fault: Fault) -> Wire:
    """What leaves of a frame after which nothing else does: `half` or `giant`."""
    return half(payload) if fault.kind == "half" else giant()


def corrupt(payload: bytes, dice: Random, *, utf8: bool) -> bytes:
    """One byte is another: a byte that no UTF-8 text holds, or a letter or digit where another stood."""
    if utf8:
        place = dice.randrange(len(payload))
        return payload[:place] + b"\xff" + payload[place + 1 :]
    places = [found.start() for found in re.finditer(rb"[0-9A-Za-z]", payload)] or [0]
    place = dice.choice(places)
    old = payload[place : place + 1]
    new = dice.choice([letter for letter in (b"0", b"7", b"q", b"Z") if letter != old])
    return payload[:place] + new + payload[place + 1 :]


def truncate(payload: bytes, size: int) -> bytes:
    """Its first bytes; size 0 = half of them."""
    return payload[: size or len(payload) // 2]


def with_field(payload: bytes, name: str, value: str) -> bytes:
    """The first field of this name with this value; a frame that has none stays as it is."""
    pattern = rb'("%b"\s*:\s*)("(?:[^"\\]|\\.)*"|\[[^\]]*\]|[^,}\]]+)' % re.escape(name.encode())
    return re.sub(pattern, lambda found: found[1] + value.encode(), payload, count=1)


def oversize(size: int) -> bytes:
    """A frame of no known type with so many bytes, or as few as it can have."""
    head, tail = b'{"type":"oversize","msg":{"pad":"', b'"}}\n'
    return head + b"x" * max(0, size - len(head) - len(tail)) + tail


def unknown(kind: str) -> bytes:
    """A frame of a new type, as the exchange adds them without notice."""
    return b'{"type":"%b","sid":1,"seq":1,"msg":{"novelty":true}}\n' % kind.encode()


def half(payload: bytes) -> Wire:
    """A frame that breaks off in its middle."""
    whole = frame(TEXT, payload)
    return Wire(0, payload, whole[: len(whole) // 2])


def giant() -> Wire:
    """The header of a frame that nobody can hold, and a little of what it holds."""
    return Wire(0, b"", header(TEXT, GIANT_BYTES) + b"{" * 64)
