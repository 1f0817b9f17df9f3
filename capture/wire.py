"""One WebSocket connection: every frame is handed over as it came, before anything else is done with it.

Knows frames, closes, limits and the one private corner of websocket-client it drives (its frame buffer and its cookie
jar: tests/capture/test_wire_library.py holds what is assumed of them). Must not know what a message means, who keeps
it, or when to try again.

What it does itself, because the library would not (each was seen to happen): it connects through `capture.sockets`, so
that no proxy, no redirect and no switched-off check can come in; it bounds the upgrade in time and size; it refuses a
message over the limit at its header; it counts the peer's silence in any byte, mid-frame or not.
"""

import base64
import contextlib
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from websocket import ABNF, WebSocket, WebSocketBadStatusException, WebSocketException, frame_buffer, isEnabledForTrace
from websocket._handshake import CookieJar

from capture.limits import DEFAULT_LIMITS, Cause, WireEnd, WireLimits, WireRefused
from capture.sockets import Deadline, DialError, Stream, dial, since_boot_s, target_of
from capture.upgrade import Upgrade, refusal
from core.errors import ConfigError
from core.records import Kind, Refused, encode_payload

__all__ = ["DEFAULT_LIMITS", "Cause", "Wire", "WireEnd", "WireLimits", "WireRefused"]

HEAD_BYTES: Final = 1_024
"""Of input that is not taken, this much is kept: enough to tell what it was."""

MAX_CONTROL_BYTES: Final = 125  # RFC 6455, 5.5
NO_CODE: Final = 1005  # RFC 6455, 7.1.5: a close frame without a code

_TEXT: Final = ABNF.OPCODE_TEXT
_CONTROL: Final = 8  # opcodes from here on are control frames
_WHOLE_TEXT: Final = 0x81  # first byte of a frame: the last of its message, no extension, text
_TWO_BYTES: Final = 126  # in its second byte: the length is in the next two; more is a longer one, or masked
_CODE: Final = struct.Struct("!H")


class _Over(Exception):  # noqa: N818  no error: how a reader leaves its loop
    """The connection is over. refused: what was not taken and why, None = what lies half read."""

    def __init__(self, end: WireEnd, refused: Refused | None = None) -> None:
        super().__init__(end)
        self.end = end
        self.refused = refused


class _Frames(frame_buffer):
    """The library's frame parser over large reads: it refuses at the header what is too large, and knows its patience.

    Everything it is asked for comes, or _Over is raised; nothing that came is lost by that.
    """

    def __init__(self, stream: Stream, first: bytes, limits: WireLimits, is_unwanted: Callable[[], bool]) -> None:
        """first: what was read of the stream already. is_unwanted: whether to stop waiting for more."""
        super().__init__(self._receive, skip_utf8_validation=True)
        self._stream = stream
        self._data = first
        self._at = 0
        self._limits = limits
        self._is_unwanted = is_unwanted
        self.last_bytes = self.last_opcode = 0
        self.parts: bytearray | None = None  # of a message in several frames
        self._kind_of_parts = Kind.FRAME
        # Ages are counted from byte to byte: while we were kept from reading, the peer was not slow.
        self._last_byte_s = self._header_s = self._parts_s = since_boot_s()
        self._header: object = None

    def whole_texts(self) -> Iterator[bytes]:
        """The text messages next in line that are here whole, each in one frame of less than 64 KiB.

        Nearly everything is of this kind, and this is some ten times quicker than the library, to which all else is
        left: what is masked, large, in parts, cut, wrong, or no text.
        """
        if self.header is not None or self.parts is not None:
            return
        data, at = self._data, self._at
        until, limit = len(data), self._limits.max_message_bytes
        while at + 4 <= until and data[at] == _WHOLE_TEXT:
            size = data[at + 1]
            at += 2
            if size == _TWO_BYTES:
                size = data[at] << 8 | data[at + 1]
                at += 2
            elif size > _TWO_BYTES:
                return
            end = at + size
            if end > until or size > limit:
                return
            self._at = end
            yield data[at:end]
            at = end

    def recv_strict(self, bufsize: int) -> bytes:
        """The next `bufsize` bytes."""
        end = self._at + bufsize
        if end > len(self._data):
            self._fill(bufsize)
            end = bufsize
        found = self._data[self._at : end]
        self._at = end
        return found

    def recv_length(self) -> None:
        """The frame's length; what is too long is refused before any of it is read."""
        super().recv_length()
        length = self.length
        assert length is not None
        assert self.header is not None
        self.last_bytes = length
        self.last_opcode = self.header[4]
        if self.last_opcode >= _CONTROL:
            if length > MAX_CONTROL_BYTES:
                raise _Over(WireEnd(Cause.PROTOCOL, 1002, "a control frame too long"), self._refused("control", length))
            return
        length += len(self.parts or b"")
        limit = self._limits.max_message_bytes
        if length > limit:
            words = f"a message of {length} bytes, at most {limit} are taken"
            raise _Over(WireEnd(Cause.OVERSIZE, 1009, words), self._refused("oversize", length))

    def join(self, opcode: int, is_last: bool, payload: bytes) -> tuple[Kind, bytes] | None:
        """The message that this frame of data completes, None = it does not; WebSocketException: it is out of place."""
        if (opcode == ABNF.OPCODE_CONT) == (self.parts is None):
            raise WebSocketException("a part without a beginning" if self.parts is None else "a message in another")
        if self.parts is None:
            self._kind_of_parts = Kind.FRAME if opcode == _TEXT else Kind.FRAME_BINARY
            self._parts_s = self._last_byte_s
            self.parts = bytearray()
        self.parts += payload
        if not is_last:
            return None
        message, self.parts = bytes(self.parts), None
        return self._kind_of_parts, message

    @property
    def last_payload(self) -> bytes:
        """The payload read last, as it was on the wire: of a frame that the library found wrong."""
        return self._data[self._at - self.last_bytes : self._at]

    def incomplete(self) -> Refused | None:
        """What is here of a message that will not be completed, None = nothing."""
        left_over = len(self._data) - self._at
        if self.header is None and self.parts is None and not left_over:
            return None
        return self._refused("incomplete", len(self.parts or b"") + (self.length or left_over))

    def _refused(self, reason: str, size: int) -> Refused:
        return _refused(reason, size, bytes((self.parts or bytearray())[:HEAD_BYTES]) + self._data[self._at :])

    def _fill(self, size: int) -> None:
        rest = self._data[self._at :]
        got = self._receive(size)
        if len(rest) + len(got) >= size:
            self._data = rest + got
            self._at = 0
            return
        held = bytearray(rest + got)
        try:
            while len(held) < size:
                held += self._receive(size)
        finally:
            self._data = bytes(held)
            self._at = 0

    def _receive(self, _size: int) -> bytes:
        """What comes next, one byte at least."""
        while True:
            self._check_age()
            try:
                data = self._stream.read(self._limits.poll_s)
            except OSError as error:
                raise _Over(WireEnd(Cause.RESET, reason=error.strerror or "the connection broke")) from None
            now_s = since_boot_s()
            if data:
                self._last_byte_s = now_s
                return data
            if data is not None:
                raise _Over(WireEnd(Cause.RESET, reason="the peer hung up without a close frame"))
            if now_s - self._last_byte_s > self._limits.silent_s:
                raise _Over(WireEnd(Cause.SILENT, reason=f"no byte for {self._limits.silent_s:g} s"))

    def _check_age(self) -> None:
        if self._is_unwanted():
            raise _Over(WireEnd(Cause.STOPPED))
        now_s = self._last_byte_s
        if self.header is not self._header:
            self._header, self._header_s = self.header, now_s
        since_s = self._parts_s if self.parts is not None else now_s if self.header is None else self._header_s
        if now_s - since_s > self._limits.message_s:
            raise _Over(WireEnd(Cause.SLOW, reason=f"a message was not complete after {self._limits.message_s:g} s"))


class Wire:
    """A connection and the thread that runs it: `connect`, then `run` until it ends; `send` and the rest from anywhere.

    taken(kind, payload) is called for every frame in the order of the wire, inbound ones by the thread in `run`,
    outbound ones by whoever sends, with the lock held that keeps both orders equal: it must not send. What it raises
    ends the connection and comes out of `run` or `send`. A Wire that was stopped stays so; it connects one at a time.
    """

    def __init__(
        self,
        url: str,
        headers: Callable[[], dict[str, str]],
        taken: Callable[[Kind, bytes], object],
        limits: WireLimits = DEFAULT_LIMITS,
        *,
        taken_texts: Callable[[Sequence[bytes]], object] | None = None,
    ) -> None:
        """url: ws or wss. headers: called for every attempt, since a signature serves only once. ConfigError.

        taken_texts: called instead of taken(Kind.FRAME, ...) with text frames that were received at once, in order.
        """
        self._url = url
        self._target = target_of(url, limits.ca_file)
        self._headers = headers
        self._taken = taken
        self._taken_texts = taken_texts or _each(taken)
        self._limits = limits
        self._sending = threading.Lock()
        self._stream: Stream | None = None
        self._frames: _Frames | None = None
        self._is_stopped = self._close_sent = False
        self._closing_until_s = 0.0
        self._fault = ""  # why nothing can be sent any more

    def connect(self) -> None:
        """Dial and upgrade, within connect_s whatever the peer does; WireRefused. `run` must follow, it closes."""
        if isEnabledForTrace():
            raise ConfigError("websocket.enableTrace(True) would print signatures; remove it")
        # Raised here, where no local variable holds a header.
        refused = self._open()
        if refused is not None:
            raise refused

    def run(self) -> WireEnd:
        """Take frames until the connection ends; how it did. The socket is closed then, whatever is raised."""
        assert self._frames is not None, "run follows connect"
        try:
            return self._take_all(self._frames)
        finally:
            self._shut()

    def send(self, text: bytes) -> None:
        """Send one text frame, whole; any thread. WireRefused: the connection is not open, or was ended by this."""
        self._transmit(Kind.SENT, ABNF.OPCODE_TEXT, text)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye; any thread. `run` goes on taking what still comes until the peer has answered, or close_s."""
        self._closing_until_s = since_boot_s() + self._limits.close_s
        with contextlib.suppress(WireRefused):
            self._transmit(Kind.SENT_CLOSE, ABNF.OPCODE_CLOSE, _CODE.pack(code) + reason.encode()[:123])

    def abort(self) -> None:
        """End it now; any thread, in any state: `connect` raises, `run` hands over what it has read and returns."""
        self._is_stopped = True
        stream = self._stream
        if stream is not None:
            stream.cut()

    def _open(self) -> WireRefused | None:
        assert self._stream is None, "one connection at a time"
        self._close_sent, self._closing_until_s, self._fault = False, 0.0, ""
        deadline = Deadline(self._limits.connect_s, lambda: self._is_stopped)
        try:
            self._stream = dial(self._target, deadline)
        except DialError as error:
            return WireRefused(0, str(error), is_untrusted=error.is_untrusted)
        pipe = Upgrade(self._stream, deadline)
        try:
            refused = self._upgrade(pipe)
            if refused is None:
                self._frames = _Frames(self._stream, pipe.rest, self._limits, self._is_unwanted)
        finally:
            if self._frames is None:
                self._shut()
        return refused

    def _upgrade(self, pipe: Upgrade) -> WireRefused | None:
        headers = self._headers()
        CookieJar.jar.clear()  # the library keeps cookies for the whole process and sends them to whoever set them
        lines = ["User-Agent: tapedeck", *(f"{name}: {value}" for name, value in headers.items())]
        try:
            upgrade = WebSocket().connect
            upgrade(self._url, socket=pipe, redirect_limit=0, suppress_origin=True, header=lines)  # type: ignore[no-untyped-call]  # as the library left it
        except WebSocketBadStatusException as error:
            answer = error.resp_headers or {}
            return refusal(pipe, None, answer, error.resp_body or b"", headers.values())
        except DialError as error:
            return refusal(pipe, error, {}, b"", headers.values())
        except Exception:  # whatever a server can make the library raise; its text may hold cookies
            return refusal(pipe, None, {}, b"", headers.values())
        return None

    def _is_unwanted(self) -> bool:
        return self._is_stopped or (self._closing_until_s > 0.0 and since_boot_s() > self._closing_until_s)

    def _take_all(self, frames: _Frames) -> WireEnd:
        try:
            while True:
                texts = list(frames.whole_texts())
                if texts:
                    self._taken_texts(texts)
                frame = frames.recv_frame()
                self._take(frames, frame)
        except _Over as over:
            return self._finish(over.end, over.refused or frames.incomplete())
        except WebSocketException as error:
            if frames.last_opcode == ABNF.OPCODE_CLOSE:  # a close all the same, if a wrong one
                return self._finish(self._closed(frames.last_payload, 1002), frames.incomplete())
            words = str(error)[:100]
            refused = _refused(words, frames.last_bytes, frames.last_payload)
            return self._finish(WireEnd(Cause.PROTOCOL, 1002, words), refused)

    def _take(self, frames: _Frames, frame: ABNF) -> None:
        """What one frame brings. _Over: it was a close."""
        payload = frame.data if isinstance(frame.data, bytes) else frame.data.encode()
        match frame.opcode:
            case _ if frame.opcode >= _CONTROL and not frame.fin:
                raise WebSocketException("a control frame in parts")
            case ABNF.OPCODE_PING:
                self._taken(Kind.FRAME_PING, payload)
                with contextlib.suppress(WireRefused):  # that ends the connection, or it is ending
                    self._transmit(Kind.SENT_PONG, ABNF.OPCODE_PONG, payload)
            case ABNF.OPCODE_PONG:
                self._taken(Kind.FRAME_PONG, payload)
            case ABNF.OPCODE_CLOSE:
                raise _Over(self._closed(payload, 0))
            case _:
                message = frames.join(frame.opcode, bool(frame.fin), payload)
                if message is not None:
                    self._taken(*message)

    def _closed(self, payload: bytes, refusal: int) -> WireEnd:
        """The end by a close frame, answered with its own code or else with `refusal`."""
        self._taken(Kind.FRAME_CLOSE, payload)
        with contextlib.suppress(WireRefused):
            answer = _CODE.pack(refusal) if refusal else payload[:2]
            self._transmit(Kind.SENT_CLOSE, ABNF.OPCODE_CLOSE, answer)
        code = _CODE.unpack(payload[:2])[0] if len(payload) >= _CODE.size else NO_CODE
        return WireEnd(Cause.CLOSED, code, payload[2:].decode(errors="replace"))

    def _finish(self, end: WireEnd, refused: Refused | None) -> WireEnd:
        """Note what was not taken, tell the peer if it is to blame, and say whose doing the end was."""
        if refused is not None:
            self._taken(Kind.REFUSED, encode_payload(refused))
        if end.cause in (Cause.PROTOCOL, Cause.OVERSIZE):
            with contextlib.suppress(WireRefused):
                self._transmit(Kind.SENT_CLOSE, ABNF.OPCODE_CLOSE, _CODE.pack(end.code))
            return end
        if self._is_stopped or self._closing_until_s:
            return WireEnd(Cause.STOPPED, end.code, end.reason if end.code else "")
        if self._fault and end.cause != Cause.CLOSED:
            return WireEnd(Cause.SEND, reason=self._fault)
        return end

    def _transmit(self, kind: Kind, opcode: int, payload: bytes) -> None:
        with self._sending:
            stream = self._stream
            if stream is None or self._frames is None or self._fault or self._close_sent:
                raise WireRefused(0, self._fault or "the connection is not open")
            frame = ABNF.create_frame(payload, opcode).format()
            self._taken(kind, payload)
            self._close_sent = opcode == ABNF.OPCODE_CLOSE
            try:
                stream.write(frame, self._limits.send_s)
            except OSError as error:  # part of the frame may have gone: whatever followed would be torn
                self._fault = f"a frame could not be sent: {error.strerror or error}"
        if self._fault:
            stream.cut()
            raise WireRefused(0, self._fault)

    def _shut(self) -> None:
        stream = self._stream
        assert stream is not None
        self._frames = None
        stream.cut()  # frees whoever is sending, so that the lock comes at once
        with self._sending:
            self._stream = None
            stream.close()


def _each(taken: Callable[[Kind, bytes], object]) -> Callable[[Sequence[bytes]], object]:
    def one_by_one(texts: Sequence[bytes]) -> None:
        for text in texts:
            taken(Kind.FRAME, text)

    return one_by_one


def _refused(reason: str, size: int, head: bytes) -> Refused:
    return Refused(reason, size, base64.b64encode(head[:HEAD_BYTES]).decode())
