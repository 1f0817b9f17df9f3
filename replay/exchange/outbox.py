"""What is on its way to one client: frames in order, pauses between them, and how it ends.

Knows bytes and times it is told. Must not know sockets (the server writes what `take` gives) or subscriptions.
"""

from collections import deque
from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec

from replay.exchange.framing import CLOSE, TEXT, TEXT_HEADERS, frame, header

BATCH_BYTES: Final = 256 * 1_024
"""How much one write carries at most: enough that the cost of a write no longer shows."""

FOR_EVER: Final = 1 << 62


class Wire(msgspec.Struct, frozen=True, gc=False):
    """A frame that is no plain text frame, or bytes that are no frame at all (opcode 0)."""

    opcode: int
    payload: bytes
    wire: bytes


class Pause(msgspec.Struct, frozen=True, gc=False):
    """Nothing leaves for this long once the pause is reached; control frames still do. FOR_EVER = until the end."""

    for_ns: int


class Ending(msgspec.Struct, frozen=True, gc=False):
    """How the connection ends.

    reset: TCP reset, no close frame, linger_s after what is before it was written. silence: nothing ever again, not
    even a ping. Neither: close frame with `payload` (None: no close frame), then TCP is closed when the client answers,
    at most linger_s later.
    """

    payload: bytes | None = None
    reset: bool = False
    silence: bool = False
    linger_s: float = 1.0


class SentFrame(msgspec.Struct, frozen=True, gc=False):
    """A frame that left, with the moment it was written to the socket (Unix ns)."""

    at_ns: int
    opcode: int
    payload: bytes


Item: TypeAlias = bytes | Wire | Pause | Ending
"""bytes = the payload of a text frame."""


class Outbox:
    """A queue of items, emptied in batches; counts what leaves, and keeps it if asked to."""

    __slots__ = ("_held_until_ns", "_queue", "bytes_sent", "ending", "frames_sent", "keeps", "kept", "wake")

    def __init__(self, *, keeps: bool = False, wake: Callable[[], None] = lambda: None) -> None:
        self._queue: deque[Item] = deque()
        self._held_until_ns = 0
        self.wake = wake
        self.ending: Ending | None = None
        self.frames_sent = 0
        self.bytes_sent = 0
        self.keeps = keeps
        self.kept: list[SentFrame] = []

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def held_until_ns(self) -> int:
        """Nothing leaves before this; 0 = no pause."""
        return self._held_until_ns

    def put(self, item: Item) -> None:
        """Queue an item and wake who empties the box."""
        self._queue.append(item)
        self.wake()

    def hold(self, until_ns: int) -> None:
        """Let nothing leave before this, beginning now."""
        self._held_until_ns = until_ns
        self.wake()

    def release(self) -> None:
        """End the pause that holds now, if any."""
        self._held_until_ns = 0
        self.wake()

    def take(self, now_ns: int) -> bytes:
        """What can be written now, b"" = nothing; sets `ending` when the end is reached."""
        if self._held_until_ns > now_ns or self.ending is not None:
            return b""
        self._held_until_ns = 0
        queue, parts, size = self._queue, list[bytes](), 0
        while queue and size < BATCH_BYTES:
            item = queue.popleft()
            if type(item) is bytes:
                length = len(item)
                parts.append(TEXT_HEADERS[length] if length < len(TEXT_HEADERS) else header(TEXT, length))
                parts.append(item)
                size += length
                if self.keeps:
                    self.kept.append(SentFrame(now_ns, TEXT, item))
                self.frames_sent += 1
            elif isinstance(item, Wire):
                parts.append(item.wire)
                size += len(item.wire)
                self._note(now_ns, item.opcode, item.payload)
            elif isinstance(item, Pause):
                self._held_until_ns = min(now_ns + item.for_ns, FOR_EVER)
                break
            else:
                assert isinstance(item, Ending)
                self.ending = item
                break
        self.bytes_sent += size
        return b"".join(parts)

    def control(self, now_ns: int, opcode: int, payload: bytes) -> bytes:
        """A control frame that overtakes the queue: the bytes to write at once."""
        self._note(now_ns, opcode, payload)
        return frame(opcode, payload)

    def _note(self, now_ns: int, opcode: int, payload: bytes) -> None:
        """Frames are counted by data: control frames are kept but not counted."""
        if opcode and opcode < CLOSE:
            self.frames_sent += 1
        if self.keeps and opcode:
            self.kept.append(SentFrame(now_ns, opcode, payload))
