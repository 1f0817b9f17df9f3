"""capture.wire: what it assumes of websocket-client's private parts. When one of these fails, the library has changed.

Then read the parser and the handshake again before anything is made to pass: every other test of the wire stands on
them.
"""

import inspect
from typing import Final

import websocket
from websocket import ABNF, WebSocket, _abnf, _core, _handshake, _http, frame_buffer

CHANGED: Final = "websocket-client is not what capture.wire was written for: see the module"


class Fed(frame_buffer):
    """A parser over bytes that are there, which notes what it calls."""

    def __init__(self, data: bytes) -> None:
        super().__init__(self._never, skip_utf8_validation=True)
        self.data = data
        self.calls: list[tuple[str, int]] = []

    def recv_strict(self, bufsize: int) -> bytes:
        self.calls.append(("recv_strict", bufsize))
        found, self.data = self.data[:bufsize], self.data[bufsize:]
        return found

    def recv_length(self) -> None:
        assert self.header is not None, CHANGED
        assert self.needs_length(), CHANGED
        super().recv_length()
        self.calls.append(("recv_length", self.length or -1))

    @staticmethod
    def _never(_: int) -> bytes:
        raise AssertionError(CHANGED)


def test_the_parser_takes_every_byte_through_recv_strict_and_asks_for_the_length_before_the_payload() -> None:
    fed = Fed(b"\x81\x7e\x01\x2c" + b"x" * 300)
    frame = fed.recv_frame()
    assert fed.calls == [("recv_strict", 2), ("recv_strict", 2), ("recv_length", 300), ("recv_strict", 300)], CHANGED
    assert (frame.fin, frame.opcode, frame.data) == (1, ABNF.OPCODE_TEXT, b"x" * 300), CHANGED
    assert fed.header is None, CHANGED
    assert fed.length is None, CHANGED


def test_the_header_holds_the_opcode_at_its_fifth_place() -> None:
    fed = Fed(b"\x8a\x00")
    fed.recv_header()
    assert fed.header is not None
    assert (len(fed.header), fed.header[4]) == (7, 0xA), CHANGED


def test_a_parser_that_was_interrupted_goes_on_where_it_was() -> None:
    fed = Fed(b"\x81\x03")

    def interrupted(bufsize: int) -> bytes:
        if not fed.data:
            raise TimeoutError
        return Fed.recv_strict(fed, bufsize)

    fed.recv_strict = interrupted  # type: ignore[method-assign]  # one parser, not the class
    for _ in range(2):
        try:
            fed.recv_frame()
        except TimeoutError:
            assert fed.length == 3, CHANGED
    fed.data = b"abc"
    assert fed.recv_frame().data == b"abc", CHANGED


def test_a_wrong_frame_is_refused_only_after_its_payload_was_taken() -> None:
    fed = Fed(b"\xc1\x02ab")
    try:
        fed.recv_frame()
    except websocket.WebSocketProtocolException:
        assert fed.data == b"", CHANGED
        assert fed.header is None, CHANGED
    else:
        raise AssertionError(CHANGED)


def test_the_handshake_uses_no_more_of_a_socket_than_the_wire_offers() -> None:
    source = "".join(inspect.getsource(part) for part in (_http.read_headers, _handshake))
    assert "recv_line(sock)" in source, CHANGED
    assert "chunk = recv(sock, chunk_size)" in source, CHANGED
    connect = inspect.getsource(WebSocket.connect)
    assert 'options.pop("socket", None)' in connect, CHANGED
    assert 'options.pop("redirect_limit", 3)' in connect, CHANGED
    assert "self.sock.close()" in connect, CHANGED


def test_there_is_one_jar_of_cookies_that_can_be_emptied() -> None:
    assert isinstance(_handshake.CookieJar.jar, dict), CHANGED
    assert "CookieJar.get(host)" in inspect.getsource(_handshake), CHANGED


def test_a_frame_of_a_client_is_formatted_whole_and_masked() -> None:
    data = ABNF.create_frame(b"abc", ABNF.OPCODE_TEXT).format()
    assert (data[:2], len(data)) == (b"\x81\x83", 9), CHANGED
    assert ABNF.mask(data[2:6], data[6:]) == b"abc", CHANGED


def test_the_private_modules_are_where_they_were() -> None:
    assert frame_buffer is _abnf.frame_buffer, CHANGED
    assert WebSocket is _core.WebSocket, CHANGED
